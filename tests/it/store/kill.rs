//! A process is killed while it writes, again and again; what it acknowledged is there, once.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use sextant::model::batch::{Batch, Contact, CountedKey, CounterKey};
use sextant::model::fact::{Attempt, Commit, Fact, Incident};
use sextant::model::name::{CommitId, ExternalId};
use sextant::store::memory::MemoryStore;
use sextant::store::sqlite::SqliteStore;
use sextant::store::{Counters, FactStore};

use super::facts::{acme, attempt, change, commit, incident, repository, repository_id};
use super::{Dump, dump};

/// Says to the process that writes which file to write.
const FILE: &str = "SEXTANT_TEST_STORE";
const ROUNDS: u32 = 24;
/// Acknowledgements to wait for before a kill, at most.
const ACKNOWLEDGED_MAX: u32 = 60;
/// Turns to wait after the last of them, at most, so that kills fall on all parts of a batch: a few milliseconds.
const TURNS_MAX: u32 = 100_000;
/// Nobody waits for a writer that is not killed.
const BATCHES_MAX: u64 = 100_000;
/// Every so many batches one is large, so that the log fills and is moved into the file.
const LARGE_EVERY: u64 = 5;
const LARGE_COMMITS: u64 = 400;
const SCOPE: &str = "batches";

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged_and_doubles_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Some(file) = std::env::var_os(FILE) {
        return runtime.block_on(write_until_killed(Path::new(&file)));
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sextant.db");
    let expected = MemoryStore::new();
    let mut reached = 0;
    let mut random = 0x5eed_u32;
    for round in 0..ROUNDS {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let acknowledged = start_and_kill(&file, 1 + (random >> 16) % ACKNOWLEDGED_MAX, random % TURNS_MAX);
        assert!(acknowledged > reached, "round {round} went on where {reached} was");
        reached = runtime.block_on(check(&file, &expected, reached, acknowledged));
    }
}

/// Starts a writer, kills it so many turns after its so many acknowledgements, and says which was its last.
fn start_and_kill(file: &Path, acknowledgements: u32, turns: u32) -> u64 {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("store::kill::a_killed_process_loses_nothing_that_it_acknowledged_and_doubles_nothing")
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = 0;
    let mut last = 0;
    for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(number) = line.strip_prefix("stored ") else {
            continue;
        };
        // The writer may have been killed in the middle of a line.
        last = number.strip_suffix('.').map_or(last, |number| number.parse().unwrap());
        heard += 1;
        if heard == acknowledgements {
            (0..turns).for_each(|_| std::hint::spin_loop());
            writer.kill().unwrap();
        }
    }
    assert!(!writer.wait().unwrap().success(), "it was killed");
    assert!(heard >= acknowledgements);
    last
}

/// The store is what the reference is after the same batches: all that were acknowledged, and at most one more.
async fn check(file: &Path, expected: &MemoryStore, reached: u64, acknowledged: u64) -> u64 {
    let store = SqliteStore::open(file).await.unwrap();
    let stored = cursor(&store).await;
    assert!((acknowledged..=acknowledged + 1).contains(&stored), "{stored} after {acknowledged}");
    for number in reached + 1..=stored {
        expected.apply(&acme(), batch(number)).await.unwrap();
    }
    let (found, expected) = (dump(&store).await, dump(expected).await);
    let counters = Counters::default();
    assert_eq!(Dump { counters: counters.clone(), ..found }, Dump { counters, ..expected });
    let counted = store.counters().await.unwrap();
    let things: Vec<_> = (1..).map(thing).take(counted.counted.len()).collect();
    assert!(counted.counted.iter().all(|counted| things.contains(counted)));
    assert!((stored - 1..=stored).contains(&u64::try_from(things.len()).unwrap()));
    let values: Vec<_> = counted.values.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [f64::from(u32::try_from(things.len()).unwrap())]);
    store.close().await.unwrap();
    let intact: String = rusqlite::Connection::open(file)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(intact, "ok");
    stored
}

async fn write_until_killed(file: &Path) {
    let store = SqliteStore::open(file).await.unwrap();
    let reached = cursor(&store).await;
    let counted = store.counters().await.unwrap().counted;
    if reached > 0 && !counted.contains(&thing(reached)) {
        count(&store, reached).await;
    }
    let mut output = std::io::stdout();
    for number in reached + 1..BATCHES_MAX {
        store.apply(&acme(), batch(number)).await.unwrap();
        writeln!(output, "\nstored {number}.").unwrap();
        count(&store, number).await;
    }
}

async fn cursor(store: &SqliteStore) -> u64 {
    let cursors = store.cursors(&acme()).await.unwrap();
    cursors.first().map_or(0, |(_, cursor)| cursor.parse().unwrap())
}

async fn count(store: &SqliteStore, number: u64) {
    let key = CounterKey { name: "dora_deployments_total".to_owned(), labels: vec!["payments".to_owned()] };
    store.count(vec![(key, 1.0)], vec![thing(number)]).await.unwrap();
}

fn thing(number: u64) -> CountedKey {
    CountedKey::Attempt(repository_id(1), ExternalId::new(number.to_string()), true)
}

/// The batch of a number: new rows, and edits of those of the batch before.
fn batch(number: u64) -> Batch {
    let id = |n: u64| n.to_string();
    let started = Attempt { finished: None, ..attempt(1, &id(number)) };
    let opened = Incident { resolved_at: None, ..incident(&id(number)) };
    let commits = if number.is_multiple_of(LARGE_EVERY) { LARGE_COMMITS } else { 1 };
    let mut facts = vec![
        Fact::Repository(repository(1)),
        Fact::Change(change(1, number)),
        Fact::Attempt(started),
        Fact::Attempt(attempt(1, &id(number - 1))),
        Fact::Incident(opened),
        Fact::Incident(incident(&id(number - 1))),
    ];
    facts.extend((0..commits).map(|n| {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&(number * LARGE_COMMITS + n).to_le_bytes());
        Fact::Commit(Commit { id: CommitId::new(bytes), ..commit(1, 1) })
    }));
    Batch {
        facts,
        cursors: vec![(SCOPE.to_owned(), Some(id(number)))],
        covered: Vec::new(),
        contact: if number.is_multiple_of(2) { Contact::Live } else { Contact::First },
    }
}
