//! The conformance story: what every store does, told once and run for each of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a case that cannot go on has failed"
)]

use sextant::model::batch::{
    Batch, Contact, CountedKey, CounterKey, Coverage, Cursor, Inventory, RepositoryFacts, Scope, Seen,
    StoredIncident,
};
use sextant::model::day::Day;
use sextant::model::fact::{
    Attempt, Change, Commit, Exclusion, Fact, HoldingTeam, Incident, Origin, Outcome, Permission, Stage,
};
use sextant::model::measure::Measure;
use sextant::model::name::{ExternalId, RepositoryId};
use sextant::model::signal::{HOURS_KEPT_MAX, History, SignalKey, SignalPoint};
use sextant::model::transition::{SeenTurn, StoredTurn, Turn, Withdrawal};
use sextant::store::memory::MemoryStore;
use sextant::store::sqlite::SqliteStore;
use sextant::store::{Counters, FACTS, FactStore};

use facts::{acme, at, attempt, change, commit, incident, other, repository, repository_id, sha};

mod facts;
mod files;
mod kill;
mod random;

/// Runs each case for each store.
macro_rules! cases {
    ($($case:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(super::MemoryStore::new()).await; })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("sextant.db");
                super::$case(super::SqliteStore::open(path).await.unwrap()).await;
            })*
        }
    };
}

cases! {
    a_batch_is_stored_with_its_cursors_and_coverage
    a_batch_applied_again_writes_nothing
    of_two_facts_with_one_identity_the_later_one_is_stored
    a_batch_tells_what_it_changed
    a_cursor_alone_writes_no_row
    an_attempt_is_news_if_its_outcome_became_known_after_first_contact
    a_change_is_news_if_it_was_first_read_after_first_contact
    an_incident_is_news_if_it_appeared_and_if_it_was_resolved_after_first_contact
    what_is_no_incident_is_filtered_if_it_is_known_and_forgotten_if_not
    a_batch_tells_which_commits_it_names_and_nobody_has
    a_pull_request_once_found_is_kept
    paths_once_read_are_kept
    what_an_attempt_was_may_change
    facts_wait_for_their_repository
    teams_replace_what_was_known_of_them_in_any_order
    coverage_keeps_the_earliest
    a_cursor_can_be_forgotten_and_belongs_to_its_source
    counters_add_up_and_things_are_counted_once
    turns_are_kept_and_withdrawn_and_never_lost
    of_a_signal_the_latest_value_of_each_hour_is_kept
    signals_are_told_apart_by_team_name_and_query
    the_oldest_hours_of_a_signal_go
    rows_come_in_the_order_of_their_identities
    many_can_write_at_once
}

/// Everything that a store says.
#[derive(Debug, PartialEq)]
struct Dump {
    inventory: Inventory,
    facts: Vec<RepositoryFacts>,
    incidents: Vec<StoredIncident>,
    cursors: Vec<(Scope, Cursor)>,
    counters: Counters,
    counts: Vec<(&'static str, u64)>,
    turns: Vec<StoredTurn>,
}

async fn dump(store: &impl FactStore) -> Dump {
    let inventory = store.inventory().await.unwrap();
    let mut facts = Vec::new();
    for repository in &inventory.repositories {
        facts.extend(store.repository(&repository.id).await.unwrap());
    }
    let mut cursors = store.cursors(&acme()).await.unwrap();
    cursors.extend(store.cursors(&other()).await.unwrap());
    Dump {
        inventory,
        facts,
        incidents: store.incidents().await.unwrap(),
        cursors,
        counters: store.counters().await.unwrap(),
        counts: store.counts().await.unwrap(),
        turns: store.turns().await.unwrap(),
    }
}

fn live(facts: Vec<Fact>) -> Batch {
    Batch { facts, ..Batch::default() }
}

fn read(contact: Contact, fact: Fact) -> Batch {
    Batch { facts: vec![fact], contact, ..Batch::default() }
}

/// One of everything.
fn everything() -> Batch {
    Batch {
        facts: vec![
            Fact::Repository(repository(1)),
            Fact::Teams(acme(), teams()),
            Fact::Commit(commit(1, 1)),
            Fact::Commit(commit(1, 2)),
            Fact::Change(change(1, 7)),
            Fact::Attempt(attempt(1, "9")),
            Fact::Incident(incident("P1")),
        ],
        cursors: vec![("repository:1".to_owned(), Some("{\"after\":7}".to_owned()))],
        covered: vec![
            (Coverage::Repository(repository_id(1)), at(50)),
            (Coverage::Incidents(acme()), at(60)),
        ],
        contact: Contact::First,
    }
}

fn teams() -> Vec<HoldingTeam> {
    ["checkout", "payments"]
        .map(|slug| HoldingTeam {
            slug: slug.to_owned(),
            name: slug.to_uppercase(),
            repositories: vec![(repository_id(1), Permission::Write), (repository_id(2), Permission::Admin)],
        })
        .into()
}

async fn a_batch_is_stored_with_its_cursors_and_coverage(store: impl FactStore) {
    let applied = store.apply(&acme(), everything()).await.unwrap();
    assert_eq!(applied.rows_written, 9);
    let dump = dump(&store).await;
    assert_eq!(dump.inventory.repositories, [repository(1)]);
    assert_eq!(dump.inventory.teams[&acme()], teams());
    assert_eq!(dump.inventory.covered.len(), 2);
    let [facts] = &dump.facts[..] else { panic!("{:?}", dump.facts) };
    assert_eq!(facts.repository, repository(1));
    assert_eq!(facts.commits, [commit(1, 1), commit(1, 2)]);
    let seen = Seen { fact: change(1, 7), contact: Contact::First };
    assert_eq!(facts.changes, [seen]);
    assert_eq!(facts.attempts[0].fact, attempt(1, "9"));
    assert_eq!(facts.attempts[0].contact, Contact::First);
    assert_eq!(dump.incidents[0].incident, incident("P1"));
    assert_eq!(dump.cursors, [("repository:1".to_owned(), "{\"after\":7}".to_owned())]);
    let counts: Vec<_> = FACTS.into_iter().zip([1, 1, 2, 1, 1]).collect();
    assert_eq!(dump.counts, counts);
    assert_eq!(store.repository(&repository_id(2)).await.unwrap(), None);
}

async fn a_batch_applied_again_writes_nothing(store: impl FactStore) {
    let mut batch = everything();
    let edited = Attempt { finished: None, ..attempt(1, "9") };
    batch.facts.insert(0, Fact::Attempt(edited));
    let first = store.apply(&acme(), batch.clone()).await.unwrap();
    let before = dump(&store).await;
    batch.contact = Contact::Live;
    let again = store.apply(&acme(), batch).await.unwrap();
    assert_eq!((again.rows_written, again.incidents, again.inventory), (0, false, false));
    assert_eq!(again.repositories, []);
    assert_eq!(again.missing_commits, first.missing_commits);
    assert_eq!(dump(&store).await, before);
}

async fn of_two_facts_with_one_identity_the_later_one_is_stored(store: impl FactStore) {
    let mut renamed = change(1, 7);
    "second thoughts".clone_into(&mut renamed.title);
    let facts =
        vec![Fact::Repository(repository(1)), Fact::Change(change(1, 7)), Fact::Change(renamed.clone())];
    let applied = store.apply(&acme(), live(facts)).await.unwrap();
    assert_eq!(applied.rows_written, 2);
    assert_eq!(dump(&store).await.facts[0].changes[0].fact, renamed);
}

async fn a_batch_tells_what_it_changed(store: impl FactStore) {
    let mut moved = repository(1);
    moved.name = "acme/renamed".into();
    let mut escalated = incident("P1");
    escalated.urgency = Some("high".to_owned());
    let one = [repository_id(1)];
    store.apply(&acme(), everything()).await.unwrap();
    for (fact, repositories, incidents, inventory) in [
        (Fact::Repository(moved), &one[..], false, false),
        (Fact::Commit(commit(1, 3)), &one, false, false),
        (Fact::Change(change(1, 8)), &one, false, false),
        (Fact::Attempt(attempt(1, "10")), &one, false, false),
        (Fact::Incident(escalated), &[], true, false),
        (Fact::Teams(acme(), Vec::new()), &[], false, true),
    ] {
        let applied = store.apply(&acme(), live(vec![fact.clone()])).await.unwrap();
        assert_eq!(applied.rows_written, 1, "{fact:?}");
        assert_eq!(applied.repositories, repositories, "{fact:?}");
        assert_eq!((applied.incidents, applied.inventory), (incidents, inventory), "{fact:?}");
    }
}

async fn a_cursor_alone_writes_no_row(store: impl FactStore) {
    let batch = Batch { cursors: vec![("incidents".to_owned(), Some("1".to_owned()))], ..Batch::default() };
    let applied = store.apply(&acme(), batch).await.unwrap();
    assert_eq!(applied, sextant::model::batch::Applied::default());
    assert_eq!(store.cursors(&acme()).await.unwrap().len(), 1);
}

async fn an_attempt_is_news_if_its_outcome_became_known_after_first_contact(store: impl FactStore) {
    use Contact::{First, Live};
    let success = Some((Outcome::Success, at(9)));
    let later = Some((Outcome::Success, at(10)));
    let failure = Some((Outcome::Failure, at(9)));
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    for (id, reads, expected) in [
        ("1", vec![(First, success)], First),
        ("2", vec![(Live, success)], Live),
        ("3", vec![(First, None), (Live, success)], Live),
        ("4", vec![(First, success), (Live, success)], First),
        ("5", vec![(First, failure), (Live, success)], Live),
        ("6", vec![(First, success), (Live, later)], First),
        ("7", vec![(Live, success), (First, later)], Live),
        ("8", vec![(Live, None), (First, failure)], First),
        ("9", vec![(First, success), (Live, None)], First),
    ] {
        for (contact, finished) in reads {
            let fact = Attempt { finished, ..attempt(1, id) };
            store.apply(&acme(), read(contact, Fact::Attempt(fact))).await.unwrap();
        }
        let facts = store.repository(&repository_id(1)).await.unwrap().unwrap();
        let stored = facts.attempts.iter().find(|seen| seen.fact.id.as_str() == id).unwrap();
        assert_eq!(stored.contact, expected, "attempt {id}");
    }
}

async fn a_change_is_news_if_it_was_first_read_after_first_contact(store: impl FactStore) {
    use Contact::{First, Live};
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    for (number, reads, rows, expected) in [
        (1, vec![(First, "a")], 1, First),
        (2, vec![(Live, "a")], 1, Live),
        (3, vec![(First, "a"), (Live, "a")], 1, First),
        (4, vec![(First, "a"), (Live, "b")], 2, First),
        (5, vec![(Live, "a"), (First, "b")], 2, Live),
    ] {
        let mut written = 0;
        for (contact, title) in reads {
            let mut fact = change(1, number);
            title.clone_into(&mut fact.title);
            let batch = read(contact, Fact::Change(fact));
            written += store.apply(&acme(), batch).await.unwrap().rows_written;
        }
        let facts = store.repository(&repository_id(1)).await.unwrap().unwrap();
        let stored = facts.changes.iter().find(|seen| seen.fact.number == number).unwrap();
        assert_eq!((stored.contact, written), (expected, rows), "change {number}");
    }
}

async fn an_incident_is_news_if_it_appeared_and_if_it_was_resolved_after_first_contact(
    store: impl FactStore,
) {
    use Contact::{First, Live};
    for (id, reads, appeared, resolved) in [
        ("1", vec![(First, Some(at(9)))], First, First),
        ("2", vec![(First, None), (Live, Some(at(9)))], First, Live),
        ("3", vec![(Live, None), (First, Some(at(9)))], Live, First),
        ("4", vec![(First, Some(at(9))), (Live, Some(at(10)))], First, First),
        ("5", vec![(First, Some(at(9))), (Live, None), (Live, Some(at(11)))], First, Live),
        ("6", vec![(Live, Some(at(9)))], Live, Live),
    ] {
        for (contact, resolved_at) in reads {
            let fact = Incident { resolved_at, ..incident(id) };
            store.apply(&acme(), read(contact, Fact::Incident(fact))).await.unwrap();
        }
        let incidents = store.incidents().await.unwrap();
        let stored = incidents.iter().find(|stored| stored.incident.id.as_str() == id).unwrap();
        assert_eq!((stored.appeared, stored.resolved), (appeared, resolved), "incident {id}");
    }
}

async fn what_is_no_incident_is_filtered_if_it_is_known_and_forgotten_if_not(store: impl FactStore) {
    let none = |id: &str| Fact::NoIncident(acme(), ExternalId::new(id));
    let forgotten = store.apply(&acme(), live(vec![none("1")])).await.unwrap();
    assert_eq!((forgotten.rows_written, forgotten.incidents), (0, false));
    assert_eq!(store.incidents().await.unwrap(), []);
    let known = Fact::Incident(incident("1"));
    store.apply(&acme(), live(vec![known.clone()])).await.unwrap();
    let filtered = store.apply(&acme(), live(vec![none("1")])).await.unwrap();
    assert_eq!((filtered.rows_written, filtered.incidents), (1, true));
    let again = store.apply(&acme(), live(vec![none("1")])).await.unwrap();
    assert_eq!((again.rows_written, again.incidents), (0, false));
    let together = vec![Fact::Incident(incident("2")), none("2")];
    store.apply(&acme(), live(together)).await.unwrap();
    let excluded: Vec<_> = store.incidents().await.unwrap();
    assert_eq!(excluded.len(), 2);
    for stored in excluded {
        assert_eq!(stored.incident.excluded, Some(Exclusion::Filtered));
    }
    store.apply(&acme(), live(vec![known])).await.unwrap();
    assert_eq!(store.incidents().await.unwrap()[0].incident, incident("1"), "it is one again");
}

async fn a_batch_tells_which_commits_it_names_and_nobody_has(store: impl FactStore) {
    let mut merge = commit(1, 5);
    merge.parents = vec![sha(4), sha(3)];
    let mut deployed = attempt(2, "1");
    deployed.commit = sha(9);
    let facts = vec![Fact::Commit(merge.clone()), Fact::Attempt(deployed.clone())];
    let applied = store.apply(&acme(), live(facts.clone())).await.unwrap();
    let (one, two) = (repository_id(1), repository_id(2));
    let missing = [(one.clone(), sha(3)), (one.clone(), sha(4)), (two.clone(), sha(9))];
    assert_eq!(applied.missing_commits, missing);
    let mut root = commit(1, 4);
    root.parents = Vec::new();
    let walked = store.apply(&acme(), live(vec![Fact::Commit(root)])).await.unwrap();
    assert_eq!(walked.missing_commits, []);
    let again = store.apply(&acme(), live(facts)).await.unwrap();
    assert_eq!(again.missing_commits, [(one, sha(3)), (two, sha(9))]);
    let unrelated = store.apply(&acme(), live(vec![Fact::Change(change(1, 1))])).await.unwrap();
    assert_eq!(unrelated.missing_commits, []);
}

async fn a_pull_request_once_found_is_kept(store: impl FactStore) {
    let with = |pull_request| {
        let mut commit = commit(1, 1);
        commit.pull_request = pull_request;
        Fact::Commit(commit)
    };
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    for (facts, expected, rows) in [
        (vec![with(None)], None, 1),
        (vec![with(Some(3)), with(None)], Some(3), 1),
        (vec![with(None)], Some(3), 0),
        (vec![with(Some(4))], Some(4), 1),
    ] {
        let applied = store.apply(&acme(), live(facts.clone())).await.unwrap();
        assert_eq!(applied.rows_written, rows, "{facts:?}");
        let found = store.repository(&repository_id(1)).await.unwrap().unwrap();
        assert_eq!(found.commits[0].pull_request, expected, "{facts:?}");
    }
}

async fn paths_once_read_are_kept(store: impl FactStore) {
    type Paths = Option<&'static [&'static str]>;
    let read = |paths: Paths| paths.map(|paths| paths.iter().map(ToString::to_string).collect());
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    let steps: [(Paths, Paths, Paths, u64); 6] = [
        (None, None, None, 2),
        (Some(&["a", "b"]), None, Some(&["a", "b"]), 2),
        (None, None, Some(&["a", "b"]), 0),
        (Some(&["a"]), Some(&["c"]), Some(&["c"]), 2),
        (None, Some(&[]), Some(&[]), 2),
        (None, None, Some(&[]), 0),
    ];
    for (first, second, expected, rows) in steps {
        let both = |paths: Paths| {
            let change = Fact::Change(Change { paths: read(paths), ..change(1, 7) });
            [change, Fact::Commit(Commit { paths: read(paths), ..commit(1, 1) })]
        };
        let facts = both(first).into_iter().chain(both(second)).collect();
        assert_eq!(store.apply(&acme(), live(facts)).await.unwrap().rows_written, rows, "{expected:?}");
        let found = store.repository(&repository_id(1)).await.unwrap().unwrap();
        assert_eq!(found.commits[0].paths, read(expected));
        assert_eq!(found.changes[0].fact.paths, read(expected));
    }
}

async fn what_an_attempt_was_may_change(store: impl FactStore) {
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    let release = |stage| Origin::Release { tag: "v1".to_owned(), stage };
    for (origin, rows) in [
        (release(Stage::Prerelease), 1),
        (release(Stage::Prerelease), 0),
        (release(Stage::Final), 1),
        (Origin::Deployment, 1),
        (Origin::Tag { name: "v1".to_owned() }, 1),
        (Origin::Pushed { component: "shop".into() }, 1),
    ] {
        let fact = Attempt { origin: origin.clone(), ..attempt(1, "release:1") };
        let applied = store.apply(&acme(), live(vec![Fact::Attempt(fact)])).await.unwrap();
        assert_eq!(applied.rows_written, rows, "{origin:?}");
        let found = store.repository(&repository_id(1)).await.unwrap().unwrap();
        assert_eq!(found.attempts[0].fact.origin, origin);
    }
}

async fn facts_wait_for_their_repository(store: impl FactStore) {
    store.apply(&acme(), live(vec![Fact::Commit(commit(1, 1))])).await.unwrap();
    assert_eq!(store.repository(&repository_id(1)).await.unwrap(), None);
    assert_eq!(store.inventory().await.unwrap(), Inventory::default());
    store.apply(&acme(), live(vec![Fact::Repository(repository(1))])).await.unwrap();
    let known = store.repository(&repository_id(1)).await.unwrap().unwrap();
    assert_eq!(known.commits, [commit(1, 1)]);
}

async fn teams_replace_what_was_known_of_them_in_any_order(store: impl FactStore) {
    let mut reversed = teams();
    reversed.reverse();
    for team in &mut reversed {
        team.repositories.reverse();
    }
    for (of, teams, rows) in [
        (acme(), teams(), 1),
        (acme(), reversed, 0),
        (other(), Vec::new(), 1),
        (acme(), teams()[..1].to_vec(), 1),
    ] {
        let applied = store.apply(&acme(), live(vec![Fact::Teams(of, teams)])).await.unwrap();
        assert_eq!(applied.rows_written, rows);
    }
    let known = store.inventory().await.unwrap().teams;
    assert_eq!(known[&acme()], teams()[..1]);
    assert_eq!(known[&other()], []);
}

async fn coverage_keeps_the_earliest(store: impl FactStore) {
    let what = Coverage::Repository(repository_id(1));
    for (since, kept, changed) in
        [(vec![50, 60], 50, true), (vec![70], 50, false), (vec![50], 50, false), (vec![-10, 20], -10, true)]
    {
        let batch = Batch {
            covered: since.iter().map(|seconds| (what.clone(), at(*seconds))).collect(),
            ..Batch::default()
        };
        let applied = store.apply(&acme(), batch).await.unwrap();
        assert_eq!(applied.inventory, changed, "{since:?}");
        assert_eq!(store.inventory().await.unwrap().covered[&what], at(kept), "{since:?}");
    }
}

async fn a_cursor_can_be_forgotten_and_belongs_to_its_source(store: impl FactStore) {
    let cursors = |cursors: &[(&str, Option<&str>)]| Batch {
        cursors: cursors
            .iter()
            .map(|(scope, cursor)| ((*scope).to_owned(), cursor.map(str::to_owned)))
            .collect(),
        ..Batch::default()
    };
    let written = [("a", Some("1")), ("b", Some("2")), ("b", Some("3"))];
    store.apply(&acme(), cursors(&written)).await.unwrap();
    store.apply(&other(), cursors(&[("a", Some("theirs"))])).await.unwrap();
    store.apply(&acme(), cursors(&[("a", None), ("never", None)])).await.unwrap();
    assert_eq!(store.cursors(&acme()).await.unwrap(), [("b".to_owned(), "3".to_owned())]);
    assert_eq!(store.cursors(&other()).await.unwrap().len(), 1);
}

async fn counters_add_up_and_things_are_counted_once(store: impl FactStore) {
    let key = |team: &str| CounterKey {
        name: "dora_incidents_total".to_owned(),
        labels: vec![team.to_owned(), "high".to_owned()],
    };
    let thing = CountedKey::Incident(acme(), ExternalId::new("1"));
    let increments = vec![(key("b"), 1.0), (key("a"), 0.5), (key("b"), 2.0)];
    store.count(increments, vec![thing.clone()]).await.unwrap();
    store.count(vec![(key("a"), 0.25)], vec![thing.clone()]).await.unwrap();
    let counters = store.counters().await.unwrap();
    assert_eq!(counters.values, [(key("a"), 0.75), (key("b"), 3.0)]);
    assert_eq!(counters.counted, [thing]);
}

async fn turns_are_kept_and_withdrawn_and_never_lost(store: impl FactStore) {
    assert_eq!(store.turns().await.unwrap(), []);
    let seen = |day: i64, to: &str| SeenTurn {
        turn: Turn {
            team: "payments".into(),
            measure: Measure::LeadTime,
            day: Day::of(at(0), chrono_tz::Tz::UTC).plus(day),
            from: "ok".to_owned(),
            to: to.to_owned(),
        },
        evidence: format!("{{\"day\":{day}}}"),
        recorded_at: at(day),
        contact: if day < 20_000 { Contact::First } else { Contact::Live },
    };
    let withdrawal = |seconds| Withdrawal { at: at(seconds), reason: "data corrected".to_owned() };
    store.record_turns(vec![seen(20_000, "watch"), seen(19_000, "regressed")], Vec::new()).await.unwrap();
    let first = store.turns().await.unwrap();
    assert_eq!(
        first.iter().map(|turn| turn.seen.clone()).collect::<Vec<_>>(),
        [seen(20_000, "watch"), seen(19_000, "regressed")]
    );
    assert!(first[0].id < first[1].id && first.iter().all(|turn| turn.withdrawn.is_none()));

    // It is withdrawn, and comes back: as another one.
    let id = first[0].id;
    store.record_turns(Vec::new(), vec![(id, withdrawal(30)), (4_711, withdrawal(30))]).await.unwrap();
    store.record_turns(vec![seen(20_000, "watch")], vec![(id, withdrawal(40))]).await.unwrap();
    let all = store.turns().await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!((&all[0].seen, &all[0].withdrawn), (&seen(20_000, "watch"), &Some(withdrawal(30))));
    assert_eq!((&all[1].withdrawn, &all[2].withdrawn), (&None, &None));
    assert!(all[2].id > all[1].id && all[2].seen == all[0].seen);
}

async fn rows_come_in_the_order_of_their_identities(store: impl FactStore) {
    let ids = ["b", "10", "9", "010", "a", "18446744073709551615"];
    let sorted = ["9", "010", "10", "18446744073709551615", "a", "b"].map(ExternalId::new);
    let mut facts = vec![Fact::Repository(repository(2)), Fact::Repository(repository(1))];
    facts.extend(ids.map(|id| Fact::Attempt(attempt(1, id))));
    facts.extend(ids.map(|id| Fact::Incident(incident(id))));
    facts.extend([u64::MAX, 3, 0].map(|number| Fact::Change(change(1, number))));
    facts.extend([9, 1, 200].map(|n| Fact::Commit(commit(1, n))));
    store.apply(&acme(), live(facts)).await.unwrap();
    let dump = dump(&store).await;
    let of = &dump.facts[0];
    assert!(of.attempts.iter().map(|seen| &seen.fact.id).eq(sorted.iter()));
    assert!(dump.incidents.iter().map(|stored| &stored.incident.id).eq(sorted.iter()));
    assert!(of.changes.iter().map(|seen| seen.fact.number).eq([0, 3, u64::MAX]));
    assert!(of.commits.iter().map(|commit| commit.id).eq([1, 9, 200].map(sha)));
    let repositories: Vec<RepositoryId> = dump.facts.iter().map(|of| of.repository.id.clone()).collect();
    assert_eq!(repositories, [repository_id(1), repository_id(2)]);
}

async fn many_can_write_at_once(store: impl FactStore) {
    let write = async |repository_number: u64| {
        let store = store.clone();
        for n in 0..20 {
            let facts = vec![
                Fact::Repository(repository(repository_number)),
                Fact::Commit(commit(repository_number, n)),
            ];
            let batch =
                Batch { cursors: vec![(repository_number.to_string(), Some(n.to_string()))], ..live(facts) };
            store.apply(&acme(), batch).await.unwrap();
            let facts = store.repository(&repository_id(repository_number)).await.unwrap().unwrap();
            assert_eq!(facts.commits.len(), usize::from(n) + 1, "what was stored can be read");
        }
    };
    tokio::join!(write(1), write(2), write(3), write(4));
    let dump = dump(&store).await;
    assert_eq!(dump.counts[2], ("commit", 80));
    assert!(dump.cursors.iter().all(|(_, cursor)| cursor == "19"));
}

fn signal(team: Option<&str>, name: &str, promql: Option<&str>) -> SignalKey {
    SignalKey { team: team.map(Into::into), name: name.into(), promql: promql.map(Into::into) }
}

fn value(minute: i64, value: f64) -> SignalPoint {
    SignalPoint::new(at(60 * minute), value).unwrap()
}

async fn of_a_signal_the_latest_value_of_each_hour_is_kept(store: impl FactStore) {
    let key = signal(None, "conversion", None);
    assert_eq!(store.signal(key.clone()).await.unwrap(), History::default());
    let noted = [value(59, 1.0), value(10, 2.0), value(60, -0.5), value(59, 3.0), value(200, 1e300)];
    for point in noted {
        store.note_signal(key.clone(), vec![point]).await.unwrap();
        store.note_signal(key.clone(), vec![point]).await.unwrap();
    }
    let read = store.signal(key.clone()).await.unwrap();
    assert_eq!(read, noted.into_iter().collect());
    assert_eq!(read.points().collect::<Vec<_>>(), [value(59, 3.0), value(60, -0.5), value(200, 1e300)]);
    store.note_signal(key.clone(), Vec::new()).await.unwrap();
    assert_eq!(store.signal(key).await.unwrap(), read);
}

async fn signals_are_told_apart_by_team_name_and_query(store: impl FactStore) {
    let keys = [
        signal(None, "a", None),
        signal(None, "b", None),
        signal(Some("b"), "a", None),
        signal(None, "a", Some("q")),
        signal(Some("b"), "a", Some("q")),
    ];
    for (minute, key) in (0..).zip(&keys) {
        store.note_signal(key.clone(), vec![value(minute, 1.0)]).await.unwrap();
    }
    for (minute, key) in (0..).zip(keys) {
        let points: Vec<_> = store.signal(key).await.unwrap().points().collect();
        assert_eq!(points, [value(minute, 1.0)]);
    }
}

async fn the_oldest_hours_of_a_signal_go(store: impl FactStore) {
    let (key, hours) = (signal(None, "a", None), i64::try_from(HOURS_KEPT_MAX).unwrap());
    let points: Vec<_> = (0..hours + 5).map(|hour| value(60 * hour, 1.0)).collect();
    store.note_signal(key.clone(), points.clone()).await.unwrap();
    store.note_signal(key.clone(), vec![value(0, 2.0)]).await.unwrap();
    let kept: Vec<_> = store.signal(key).await.unwrap().points().collect();
    assert_eq!(kept, points[5..]);
}
