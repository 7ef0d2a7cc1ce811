//! What SQLite files do besides: survive, refuse, migrate.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use sextant::model::batch::{Batch, Contact, CountedKey, CounterKey, Coverage, Seen};
use sextant::model::day::Day;
use sextant::model::fact::{Attempt, Change, Commit, Fact, Origin};
use sextant::model::measure::Measure;
use sextant::model::name::{ExternalId, SignalName, TeamSlug};
use sextant::model::signal::SignalKey;
use sextant::model::transition::{SeenTurn, StoredTurn, Turn, Withdrawal};
use sextant::store::FactStore;
use sextant::store::sqlite::SqliteStore;

use super::facts::{acme, at, attempt, change, commit, incident, repository, repository_id, sha};
use super::{dump, everything, teams};

async fn refusal(path: &Path) -> String {
    SqliteStore::open(path).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_store_that_is_opened_again_has_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/on/the/way/sextant.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.apply(&acme(), everything()).await.unwrap();
    let key = CounterKey { name: "n".to_owned(), labels: vec!["é".to_owned()] };
    let counted = vec![
        CountedKey::Attempt(repository_id(1), ExternalId::new("9"), true),
        CountedKey::Incident(acme(), ExternalId::new("P1")),
        CountedKey::LeadTime("shop".to_owned(), repository_id(1), sha(2)),
        CountedKey::Recovery("shop".to_owned(), repository_id(1), ExternalId::new("9")),
    ];
    store.count(vec![(key, 1.5)], counted.clone()).await.unwrap();
    let before = dump(&store).await;
    assert_eq!(before.counters.counted, counted);
    store.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(dump(&store).await, before);
    assert_eq!(store.apply(&acme(), everything()).await.unwrap().rows_written, 0);
}

#[tokio::test]
async fn a_second_sextant_is_kept_out_until_the_first_has_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sextant.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let other_handle = store.clone();
    let detour = directory
        .path()
        .join("../")
        .join(directory.path().file_name().map(Path::new).unwrap().join("sextant.db"));
    for path in [&path, &detour] {
        assert!(refusal(path).await.contains("another sextant has it open"));
    }
    store.close().await.unwrap();
    assert_eq!(
        other_handle.incidents().await.unwrap_err().to_string(),
        format!("cannot read incidents in sqlite:{}: the store is closed", path.display())
    );
    let reopened = SqliteStore::open(&path).await.unwrap();
    reopened.close().await.unwrap();
    let beside: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with("-wal"))
        .collect();
    assert!(beside.is_empty(), "a closed store is one file: {beside:?}");
}

#[tokio::test]
async fn a_store_is_read_while_another_sextant_writes_it_and_never_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sextant.db");
    let reading = async || SqliteStore::open_to_read(&path).await;
    assert!(
        reading().await.unwrap_err().to_string().starts_with("cannot open the store to read it in sqlite:")
    );
    assert!(!path.exists());
    let store = SqliteStore::open(&path).await.unwrap();
    let reader = reading().await.unwrap();
    assert_eq!(dump(&reader).await, dump(&store).await);
    store.apply(&acme(), everything()).await.unwrap();
    let before = dump(&store).await;
    assert_eq!(dump(&reader).await, before);
    assert!(reader.apply(&acme(), everything()).await.is_err());
    let counted = vec![CountedKey::Incident(acme(), ExternalId::new("P1"))];
    assert!(reader.count(Vec::new(), counted).await.is_err());
    // It goes on, and closes, whoever reads.
    assert_eq!(store.apply(&acme(), everything()).await.unwrap().rows_written, 0);
    store.close().await.unwrap();
    drop(reader);
    assert_eq!(dump(&reading().await.unwrap()).await, before);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let refused = reading().await.unwrap_err().to_string();
    assert!(
        refused.ends_with("an older sextant has written it: `sextant run` brings it up to date"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_no_store_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("directory")).unwrap();
    fs::write(path("notes"), "remember the milk\n".repeat(100)).unwrap();
    let elsewhere = Connection::open(path("elsewhere.db")).unwrap();
    elsewhere.execute_batch("CREATE TABLE songs (title)").unwrap();
    let newer = path("newer.db");
    SqliteStore::open(&newer).await.unwrap().close().await.unwrap();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for (name, expected) in [
        ("directory", "it is a directory: name a file"),
        ("notes", "move it away"),
        ("notes/sextant.db", "cannot make the directory"),
        ("elsewhere.db", "belongs to another program"),
        ("newer.db", "a newer sextant has written it (schema 99"),
    ] {
        let path = path(name);
        let refused = refusal(&path).await;
        assert!(
            refused.starts_with(&format!("cannot open the store in sqlite:{}: ", path.display())),
            "{refused}"
        );
        assert!(refused.contains(expected), "{name}: {refused}");
    }
    let untouched = fs::read_to_string(path("notes")).unwrap();
    assert!(untouched.starts_with("remember"));
}

#[tokio::test]
async fn rows_that_somebody_else_damaged_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sextant.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.apply(&acme(), everything()).await.unwrap();
    let meddler = Connection::open(&path).unwrap();
    for (meddle, mend) in [
        ("UPDATE commits SET parents = x'0102'", "UPDATE commits SET parents = x''"),
        ("UPDATE commits SET author = 9", "UPDATE commits SET author = 0"),
        ("UPDATE attempts SET origin = x'09'", "UPDATE attempts SET origin = NULL"),
        ("UPDATE changes SET paths = x'05'", "UPDATE changes SET paths = NULL"),
        ("UPDATE attempts SET commit_id = x'00'", "UPDATE attempts SET commit_id = zeroblob(20)"),
    ] {
        meddler.execute_batch(meddle).unwrap();
        assert_eq!(store.repository(&repository_id(1)).await.unwrap_err().doing, "read a repository");
        meddler.execute_batch(mend).unwrap();
        assert!(store.repository(&repository_id(1)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_batch_that_fails_anywhere_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sextant.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let empty = dump(&store).await;
    let meddler = Connection::open(&path).unwrap();
    for table in
        ["repositories", "commits", "changes", "attempts", "incidents", "teams", "coverage", "cursors"]
    {
        let trap = format!(
            "CREATE TRIGGER trap BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'the disk is on fire'); END"
        );
        meddler.execute_batch(&trap).unwrap();
        let failure = store.apply(&acme(), everything()).await.unwrap_err();
        assert!(failure.cause.contains("on fire"), "{table}: {failure}");
        assert_eq!(dump(&store).await, empty, "{table}");
        meddler.execute_batch("DROP TRIGGER trap").unwrap();
    }
    assert_eq!(store.apply(&acme(), everything()).await.unwrap().rows_written, 9);
}

#[tokio::test]
async fn counters_and_what_they_counted_are_stored_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("s.db")).await.unwrap();
    let key = |name: &str| CounterKey { name: name.to_owned(), labels: Vec::new() };
    let thing = CountedKey::Incident(acme(), ExternalId::new("1"));
    let no_number = vec![(key("a"), 1.0), (key("b"), f64::NAN)];
    assert!(store.count(no_number, vec![thing]).await.is_err());
    assert_eq!(store.counters().await.unwrap(), sextant::store::Counters::default());
}

/// For each version of the schema: its migration, and rows as that version wrote them.
const VERSIONS: [(&str, &str); 4] = [
    (
        include_str!("../../../src/store/migrations/sqlite/0001_facts.sql"),
        include_str!("../../fixtures/store/0001.sql"),
    ),
    (
        include_str!("../../../src/store/migrations/sqlite/0002_origins_and_paths.sql"),
        include_str!("../../fixtures/store/0002.sql"),
    ),
    (
        include_str!("../../../src/store/migrations/sqlite/0003_turns.sql"),
        include_str!("../../fixtures/store/0003.sql"),
    ),
    (
        include_str!("../../../src/store/migrations/sqlite/0004_signals.sql"),
        include_str!("../../fixtures/store/0004.sql"),
    ),
];

/// The changes of states in the rows of a version: the first two knew none.
fn turns_written_by(version: usize) -> Vec<StoredTurn> {
    let turn = |team: &str, measure, day: &str, (from, to): (&str, &str)| Turn {
        team: team.into(),
        measure,
        day: Day::from(day.parse::<chrono::NaiveDate>().unwrap()),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let seen = |turn, evidence: &str, recorded_at, contact| SeenTurn {
        turn,
        evidence: evidence.to_owned(),
        recorded_at: at(recorded_at),
        contact,
    };
    let live = turn("payments", Measure::LeadTime, "2026-03-02", ("ok", "watch"));
    let first = turn("search", Measure::DeploymentsPerDay, "2026-02-28", ("insufficient", "ok"));
    let corrected = Withdrawal { at: at(12), reason: "data corrected".to_owned() };
    let all = vec![
        StoredTurn { id: 1, seen: seen(live, "{\"z\":3.1}", 10, Contact::Live), withdrawn: None },
        StoredTurn { id: 4, seen: seen(first, "null", 11, Contact::First), withdrawn: Some(corrected) },
    ];
    if version < 3 { Vec::new() } else { all }
}

/// The signals in the rows of a version, with their values: the first three knew none.
fn signals_written_by(version: usize) -> Vec<(SignalKey, Vec<(i64, f64)>)> {
    let key = |team: Option<&str>, name: &str, promql: Option<&str>| SignalKey {
        team: team.map(TeamSlug::from),
        name: SignalName::new(name),
        promql: promql.map(Into::into),
    };
    let conversion = vec![(1_789_200_000_000, 0.25), (1_789_203_660_000, 0.5)];
    let all = vec![
        (key(None, "conversion", Some("sum(rate(x[5m]))")), conversion),
        (key(Some("payments"), "satisfaction", None), vec![(1_789_203_600_001, -4.0)]),
    ];
    if version < 4 { all.into_iter().map(|(key, _)| (key, Vec::new())).collect() } else { all }
}

/// The facts in the rows of a version: the first one knew neither origins nor paths.
fn written_by(version: usize) -> (Commit, Change, Attempt) {
    let (commit, change, attempt) = (commit(1, 1), change(1, 7), attempt(1, "9"));
    if version == 1 {
        return (commit, change, attempt);
    }
    let origin = Origin::Run {
        workflow: "deploy.yml".to_owned(),
        name: "Deploy".to_owned(),
        branch: "main".to_owned(),
        event: "push".to_owned(),
    };
    (
        Commit { paths: Some(Vec::new()), ..commit },
        Change { paths: Some(vec!["a/b".to_owned(), "éc".to_owned()]), ..change },
        Attempt { origin, ..attempt },
    )
}

#[tokio::test]
async fn files_of_every_version_are_read_as_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    for version in 1..=VERSIONS.len() {
        let path = directory.path().join(version.to_string());
        let old = Connection::open(&path).unwrap();
        for (migration, _) in &VERSIONS[..version] {
            old.execute_batch(migration).unwrap();
        }
        old.execute_batch(VERSIONS[version - 1].1).unwrap();
        old.pragma_update(None, "application_id", 0x5358_544e).unwrap();
        old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
        old.close().unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        let found = dump(&store).await;
        let (commit, change, attempt) = written_by(version);
        assert_eq!(found.inventory.repositories, [repository(1)]);
        assert_eq!(found.inventory.teams[&acme()], teams());
        assert!(found.counts.iter().all(|(_, rows)| *rows == 1));
        let covered =
            [(Coverage::Repository(repository_id(1)), at(50)), (Coverage::Incidents(acme()), at(60))];
        assert_eq!(found.inventory.covered, covered.into());
        let facts = &found.facts[0];
        assert_eq!(facts.commits.first(), Some(&commit));
        let seen = Seen { fact: change.clone(), contact: Contact::First };
        assert_eq!(facts.changes, [seen]);
        assert_eq!(facts.attempts[0].fact, attempt);
        assert_eq!(facts.attempts[0].contact, Contact::First);
        assert_eq!(found.incidents[0].incident, incident("P1"));
        assert_eq!(
            (found.incidents[0].appeared, found.incidents[0].resolved),
            (Contact::First, Contact::Live)
        );
        assert_eq!(found.cursors, [("repository:1".to_owned(), "{\"after\":7}".to_owned())]);
        let counted = [
            CountedKey::Attempt(repository_id(1), ExternalId::new("9"), true),
            CountedKey::LeadTime("shop".to_owned(), repository_id(1), sha(2)),
        ];
        assert_eq!(found.counters.counted, counted);
        assert_eq!(found.counters.values[0].0.labels, ["payments", "high"]);
        assert_eq!(store.turns().await.unwrap(), turns_written_by(version), "version {version}");
        for (key, expected) in signals_written_by(version) {
            let values = store.signal(key).await.unwrap();
            let values: Vec<_> = values.points().map(|point| (point.at().millis(), point.value())).collect();
            assert_eq!(values, expected, "version {version}");
        }
        let unread =
            [Fact::Commit(Commit { paths: None, ..commit }), Fact::Change(Change { paths: None, ..change })];
        let facts = unread.into_iter().chain([Fact::Attempt(attempt)]).collect();
        let again = Batch { facts, ..Batch::default() };
        assert_eq!(store.apply(&acme(), again).await.unwrap().rows_written, 0, "version {version}");
    }
}
