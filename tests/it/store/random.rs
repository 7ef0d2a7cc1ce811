//! Random batches: every store says the same as the reference, whatever the order, the splits and the duplicates.

use proptest::prelude::*;
use sextant::model::batch::{Batch, Contact, CountedKey, CounterKey, Coverage};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Exclusion, Fact, HoldingTeam, Incident, Origin, Outcome,
    OwnCommit, Permission, Reach, Reference, Repository, RevertOf, Stage, Subject, Verdict,
};
use sextant::model::name::{
    CommitId, CommitPrefix, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, ServiceId,
    Severity, SourceName,
};
use sextant::model::time::Timestamp;
use sextant::store::FactStore;
use sextant::store::memory::MemoryStore;
use sextant::store::sqlite::SqliteStore;

use super::facts::{acme, other, sha};
use super::{Dump, dump};

/// One thing done to a store.
#[derive(Debug, Clone)]
enum Step {
    Apply(SourceName, Batch),
    Count(Vec<(CounterKey, f64)>, Vec<CountedKey>),
    OpenAgain,
}

fn source() -> impl Strategy<Value = SourceName> {
    prop_oneof![Just(acme()), Just(other())]
}

/// Few identities, so that batches meet.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, Just(u64::MAX)]
}

fn repository_id() -> impl Strategy<Value = RepositoryId> {
    (source(), number()).prop_map(|(source, number)| RepositoryId { source, number })
}

fn external_id() -> impl Strategy<Value = ExternalId> {
    proptest::sample::select(vec![
        "1",
        "2",
        "10",
        "010",
        "",
        "Q1",
        "-1",
        "9223372036854775808",
        "run:9/2",
        "run:10/1",
        "tag:v1.10",
    ])
    .prop_map(ExternalId::new)
}

fn commit_id() -> impl Strategy<Value = CommitId> {
    (0..5_u8).prop_map(sha)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![4 => 0..3_i64, 1 => any::<i64>()].prop_map(Timestamp::from_millis)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]{0,1}", 1 => any::<String>()]
}

fn few<T: Strategy>(items: T) -> impl Strategy<Value = Vec<T::Value>>
where
    T::Value: std::fmt::Debug,
{
    proptest::collection::vec(items, 0..3)
}

fn maybe<T: Strategy>(item: T) -> impl Strategy<Value = Option<T::Value>>
where
    T::Value: std::fmt::Debug,
{
    proptest::option::of(item)
}

fn name() -> impl Strategy<Value = RepositoryName> {
    text().prop_map(RepositoryName::new)
}

fn prefix() -> impl Strategy<Value = CommitPrefix> {
    "[0-9a-f]{7,40}".prop_map(|digits| CommitPrefix::parse(&digits).unwrap())
}

fn author() -> impl Strategy<Value = Author> {
    prop_oneof![Just(Author::Human), Just(Author::Bot)]
}

fn corrections() -> impl Strategy<Value = Corrections> {
    any::<u8>().prop_map(Corrections::from_bits)
}

fn revert() -> impl Strategy<Value = RevertOf> {
    prop_oneof![
        number().prop_map(RevertOf::PullRequest),
        prefix().prop_map(RevertOf::Commit),
        number().prop_map(RevertOf::Branch),
        text().prop_map(RevertOf::Title),
    ]
}

fn repository() -> impl Strategy<Value = Fact> {
    let reach = proptest::sample::select(vec![Reach::Ok, Reach::Empty, Reach::Inaccessible]);
    let fields = (repository_id(), name(), reach, maybe(text()), maybe(commit_id()), instant());
    fields.prop_map(|(id, name, reach, default_branch, head, created_at)| {
        Fact::Repository(Repository { id, name, reach, default_branch, head, created_at })
    })
}

fn teams() -> impl Strategy<Value = Fact> {
    let permission = proptest::sample::select(vec![
        Permission::Read,
        Permission::Write,
        Permission::Maintain,
        Permission::Admin,
    ]);
    let team = (text(), text(), few((repository_id(), permission)));
    let team = team.prop_map(|(slug, name, repositories)| HoldingTeam { slug, name, repositories });
    (source(), few(team)).prop_map(|(source, teams)| Fact::Teams(source, teams))
}

fn commit() -> impl Strategy<Value = Fact> {
    let fields = (
        repository_id(),
        commit_id(),
        few(commit_id()),
        (instant(), instant()),
        author(),
        maybe(number()),
        (few(revert()), maybe(few(text()))),
    );
    fields.prop_map(
        |(repository, id, parents, (authored_at, committed_at), author, pull_request, (reverts, paths))| {
            Fact::Commit(Commit {
                repository,
                id,
                parents,
                authored_at,
                committed_at,
                author,
                pull_request,
                reverts,
                paths,
            })
        },
    )
}

fn change() -> impl Strategy<Value = Fact> {
    let own_commit = (commit_id(), instant()).prop_map(|(id, authored_at)| OwnCommit { id, authored_at });
    let fields = (
        (repository_id(), number()),
        (text(), text(), text(), few(text())),
        (author(), maybe(commit_id()), few(own_commit)),
        (instant(), maybe(instant()), maybe(instant()), instant()),
        (few(revert()), maybe(few(text())), corrections()),
    );
    fields.prop_map(|(identity, texts, (author, landing, own_commits), times, rest)| {
        let (repository, number) = identity;
        let (title, base, head, labels) = texts;
        let (opened_at, ready_at, reviewed_at, merged_at) = times;
        let (reverts, paths, corrections) = rest;
        Fact::Change(Change {
            repository,
            number,
            title,
            base,
            head,
            labels,
            author,
            landing,
            own_commits,
            opened_at,
            ready_at,
            reviewed_at,
            merged_at,
            reverts,
            paths,
            corrections,
        })
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    let stage = prop_oneof![Just(Stage::Final), Just(Stage::Prerelease)];
    prop_oneof![
        Just(Origin::Deployment),
        (text(), text(), text(), text()).prop_map(|(workflow, name, branch, event)| Origin::Run {
            workflow,
            name,
            branch,
            event
        }),
        (text(), stage).prop_map(|(tag, stage)| Origin::Release { tag, stage }),
        text().prop_map(|name| Origin::Tag { name }),
        text().prop_map(|name| Origin::Pushed { component: ComponentName::new(name) }),
    ]
}

fn attempt() -> impl Strategy<Value = Fact> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure)];
    let fields = (
        (repository_id(), external_id(), origin()),
        commit_id(),
        text().prop_map(Environment::new),
        instant(),
        maybe((outcome, instant())),
        maybe(text()),
        corrections(),
    );
    fields.prop_map(
        |((repository, id, origin), commit, environment, created_at, finished, url, corrections)| {
            Fact::Attempt(Attempt {
                repository,
                id,
                origin,
                commit,
                environment,
                created_at,
                finished,
                url,
                corrections,
            })
        },
    )
}

fn incident() -> impl Strategy<Value = Fact> {
    let subject = prop_oneof![
        (text(), text()).prop_map(|(id, name)| Subject::Service(ServiceId::new(id), name)),
        repository_id().prop_map(Subject::Repository),
        text().prop_map(Subject::Team),
    ];
    let reference = prop_oneof![
        (maybe(name()), prefix()).prop_map(|(name, prefix)| Reference::Commit(name, prefix)),
        (name(), number()).prop_map(|(name, number)| Reference::PullRequest(name, number)),
        (name(), external_id()).prop_map(|(name, id)| Reference::Deployment(name, id)),
    ];
    let verdict = prop_oneof![text().prop_map(Verdict::Deployment), Just(Verdict::None)];
    let fields = (
        (source(), external_id()),
        (text(), maybe(text()), text(), maybe(text())),
        (instant(), maybe(instant()), maybe(instant())),
        (few(subject), few(reference), maybe(verdict)),
        maybe(proptest::sample::select(Exclusion::ALL.to_vec())),
        corrections(),
    );
    fields.prop_map(|(identity, texts, times, lists, excluded, corrections)| {
        let (source, id) = identity;
        let (title, url, severity, urgency) = texts;
        let (started_at, acknowledged_at, resolved_at) = times;
        let (subjects, references, verdict) = lists;
        Fact::Incident(Incident {
            source,
            id,
            title,
            url,
            started_at,
            acknowledged_at,
            resolved_at,
            severity: Severity::new(severity),
            urgency,
            subjects,
            references,
            verdict,
            excluded,
            corrections,
        })
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    let none = (source(), external_id()).prop_map(|(source, id)| Fact::NoIncident(source, id));
    prop_oneof![
        3 => repository(), 1 => teams(), 3 => commit(), 2 => change(), 4 => attempt(), 3 => incident(), 1 => none,
    ]
}

fn contact() -> impl Strategy<Value = Contact> {
    prop_oneof![Just(Contact::Live), Just(Contact::First)]
}

fn batch() -> impl Strategy<Value = Batch> {
    let coverage =
        prop_oneof![repository_id().prop_map(Coverage::Repository), source().prop_map(Coverage::Incidents)];
    let fields = (
        proptest::collection::vec(fact(), 0..12),
        few((text(), maybe(text()))),
        few((coverage, instant())),
        contact(),
    );
    fields.prop_map(|(facts, cursors, covered, contact)| Batch { facts, cursors, covered, contact })
}

fn counted() -> impl Strategy<Value = CountedKey> {
    prop_oneof![
        (repository_id(), external_id(), any::<bool>())
            .prop_map(|(repository, id, succeeded)| CountedKey::Attempt(repository, id, succeeded)),
        (text(), repository_id(), external_id(), any::<bool>()).prop_map(
            |(component, repository, id, succeeded)| CountedKey::PartAttempt(
                component, repository, id, succeeded
            )
        ),
        (source(), external_id()).prop_map(|(source, id)| CountedKey::Incident(source, id)),
        (text(), repository_id(), commit_id())
            .prop_map(|(component, repository, id)| CountedKey::LeadTime(component, repository, id)),
        (text(), repository_id(), external_id())
            .prop_map(|(component, repository, id)| CountedKey::Recovery(component, repository, id)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = (text(), few(text())).prop_map(|(name, labels)| CounterKey { name, labels });
    let increment = (key, (0..8_u32).prop_map(f64::from));
    prop_oneof![
        8 => (source(), batch()).prop_map(|(source, batch)| Step::Apply(source, batch)),
        2 => (few(increment), few(counted())).prop_map(|(increments, counted)| Step::Count(increments, counted)),
        1 => Just(Step::OpenAgain),
    ]
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn stored(batches: impl IntoIterator<Item = Vec<Fact>>, contact: Contact) -> Dump {
    let store = MemoryStore::new();
    for facts in batches {
        let batch = Batch { facts, contact, ..Batch::default() };
        store.apply(&acme(), batch).await.unwrap();
    }
    dump(&store).await
}

/// What two facts must not have in common if their order shall not matter.
fn identity(fact: &Fact) -> String {
    match fact {
        Fact::Repository(repository) => format!("repository {:?}", repository.id),
        Fact::Teams(source, _) => format!("teams {source}"),
        Fact::Commit(commit) => format!("commit {:?} {}", commit.repository, commit.id),
        Fact::Change(change) => format!("change {:?} {}", change.repository, change.number),
        Fact::Attempt(attempt) => format!("attempt {:?} {}", attempt.repository, attempt.id),
        Fact::Incident(incident) => format!("incident {} {}", incident.source, incident.id),
        Fact::NoIncident(source, id) => format!("incident {source} {id}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_says_after_random_steps_what_the_reference_says(steps in proptest::collection::vec(step(), 1..12)) {
        block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("sextant.db");
            let reference = MemoryStore::new();
            let mut file = SqliteStore::open(&path).await.unwrap();
            for step in steps {
                match step {
                    Step::Apply(source, batch) => {
                        let expected = reference.apply(&source, batch.clone()).await.unwrap();
                        assert_eq!(file.apply(&source, batch.clone()).await.unwrap(), expected);
                        assert_eq!(file.apply(&source, batch).await.unwrap().rows_written, 0);
                    }
                    Step::Count(increments, counted) => {
                        reference.count(increments.clone(), counted.clone()).await.unwrap();
                        file.count(increments, counted).await.unwrap();
                    }
                    Step::OpenAgain => {
                        file.close().await.unwrap();
                        file = SqliteStore::open(&path).await.unwrap();
                    }
                }
                assert_eq!(dump(&file).await, dump(&reference).await);
            }
        });
    }

    #[test]
    fn splits_and_duplicates_do_not_matter(
        facts in proptest::collection::vec(fact(), 1..24),
        size in 1..6_usize,
        contact in contact(),
    ) {
        block_on(async {
            let whole = stored([facts.clone()], contact).await;
            let twice = facts.chunks(size).flat_map(|chunk| [chunk.to_vec(), chunk.to_vec()]);
            assert_eq!(stored(twice, contact).await, whole);
        });
    }

    #[test]
    fn the_order_of_different_things_does_not_matter(
        facts in proptest::collection::vec(fact(), 1..24),
        size in 1..6_usize,
        contact in contact(),
    ) {
        let mut different: Vec<Fact> = Vec::new();
        for fact in facts {
            if different.iter().all(|other| identity(other) != identity(&fact)) {
                different.push(fact);
            }
        }
        block_on(async {
            let forwards = stored([different.clone()], contact).await;
            different.reverse();
            let backwards = different.chunks(size).map(<[Fact]>::to_vec);
            assert_eq!(stored(backwards, contact).await, forwards);
        });
    }
}
