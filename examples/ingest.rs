//! How fast the store takes facts in and gives them back, as a table: `cargo run --release --example ingest -- 500000`.
//!
//! Compare the figures of one run with each other; the machine and what else it does decide the rest.

#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

use std::path::Path;
use std::time::{Duration, Instant};

use sextant::model::batch::{Batch, Contact};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Fact, Origin, Outcome, OwnCommit, Reach, Repository,
};
use sextant::model::name::{CommitId, Environment, ExternalId, RepositoryId, RepositoryName, SourceName};
use sextant::model::time::Timestamp;
use sextant::store::FactStore;
use sextant::store::sqlite::SqliteStore;

type Failure = Box<dyn std::error::Error>;

/// Facts to store, unless the command line says how many.
const FACTS: u64 = 500_000;
/// Of one batch: a page or two of each stream of a repository.
const ATTEMPTS_PER_BATCH: u64 = 400;
const CHANGES_PER_BATCH: u64 = 600;
/// Batches of one repository, which come apart from each other as in a backfill.
const BATCHES_PER_REPOSITORY: u64 = 5;

/// Reference size S of the targets.
const S_REPOSITORIES: u64 = 40;
const S_COMMITS: u64 = 400;
const S_CHANGES: u64 = 125;
const S_ATTEMPTS: u64 = 125;
/// Restarts to take the median of.
const RESTARTS: usize = 9;

const FIRST_ID: u64 = 3_000_000_000;
const MILLIS_PER_MINUTE: u64 = 60_000;

fn main() -> Result<(), Failure> {
    let facts = match std::env::args().nth(1) {
        Some(argument) => argument.parse()?,
        None => FACTS,
    };
    let directory = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    runtime.block_on(ingest(&directory.path().join("ingest.db"), facts))?;
    runtime.block_on(restart(&directory.path().join("s.db")))?;
    println!("| peak RSS | {} |", peak_rss()?);
    Ok(())
}

async fn ingest(file: &Path, facts: u64) -> Result<(), Failure> {
    let per_batch = ATTEMPTS_PER_BATCH + CHANGES_PER_BATCH;
    let batches = facts.div_ceil(per_batch);
    let store = SqliteStore::open(file).await?;
    let (first, slowest, written) = apply_all(&store, batches).await?;
    let (again, _, rewritten) = apply_all(&store, batches).await?;
    store.close().await?;
    let bytes = std::fs::metadata(file)?.len();
    println!("| what | figure |");
    println!("| --- | --- |");
    println!("| facts, in batches of {per_batch} | {written} |");
    println!("| taken in | {} facts/s ({first:.2?}) |", per_second(written, first));
    println!("| slowest batch, with its checkpoint | {slowest:.2?} |");
    println!(
        "| the same again | {} facts/s ({again:.2?}), {rewritten} rows written |",
        per_second(written, again)
    );
    println!("| file | {} bytes, {} a fact |", bytes, bytes / written.max(1));
    Ok(())
}

/// The time that the store took, the longest for one batch, and the rows that were written.
async fn apply_all(store: &SqliteStore, batches: u64) -> Result<(Duration, Duration, u64), Failure> {
    let repositories = batches.div_ceil(BATCHES_PER_REPOSITORY).max(1);
    let (mut total, mut slowest, mut written) = (Duration::ZERO, Duration::ZERO, 0);
    for number in 0..batches {
        let (repository, part) = (number % repositories, number / repositories);
        let facts = (0..ATTEMPTS_PER_BATCH)
            .map(|n| Fact::Attempt(attempt(repository, part * ATTEMPTS_PER_BATCH + n)))
            .chain(
                (0..CHANGES_PER_BATCH)
                    .map(|n| Fact::Change(change(repository, part * CHANGES_PER_BATCH + n))),
            )
            .collect();
        let batch = batch(repository, facts, part);
        let begun = Instant::now();
        written += store.apply(&source(), batch).await?.rows_written;
        total += begun.elapsed();
        slowest = slowest.max(begun.elapsed());
    }
    Ok((total, slowest, written))
}

/// What a daemon of size S reads before its first snapshot.
async fn restart(file: &Path) -> Result<(), Failure> {
    let store = SqliteStore::open(file).await?;
    for number in 0..S_REPOSITORIES {
        let mut facts = vec![Fact::Repository(repository(number))];
        facts.extend((0..S_COMMITS).map(|n| Fact::Commit(commit(number, n))));
        facts.extend((0..S_CHANGES).map(|n| Fact::Change(change(number, n))));
        facts.extend((0..S_ATTEMPTS).map(|n| Fact::Attempt(attempt(number, n))));
        store.apply(&source(), batch(number, facts, 0)).await?;
    }
    store.close().await?;
    let (mut opening, mut reading) = (Vec::new(), Vec::new());
    let mut rows = 0;
    for _ in 0..RESTARTS {
        let begun = Instant::now();
        let store = SqliteStore::open(file).await?;
        opening.push(begun.elapsed());
        let begun = Instant::now();
        rows = read_all(&store).await?;
        reading.push(begun.elapsed());
        store.close().await?;
    }
    println!("| restart S: opening | {:.2?}, median of {RESTARTS} |", median(opening));
    println!(
        "| restart S: reading {rows} facts of {S_REPOSITORIES} repositories | {:.2?}, median of {RESTARTS} |",
        median(reading)
    );
    Ok(())
}

async fn read_all(store: &SqliteStore) -> Result<usize, Failure> {
    store.cursors(&source()).await?;
    store.counters().await?;
    let mut rows = store.incidents().await?.len();
    for repository in store.inventory().await?.repositories {
        if let Some(facts) = store.repository(&repository.id).await? {
            rows += facts.commits.len() + facts.changes.len() + facts.attempts.len();
        }
    }
    Ok(rows)
}

fn batch(repository: u64, facts: Vec<Fact>, part: u64) -> Batch {
    Batch {
        facts,
        cursors: vec![(format!("repository:{repository}"), Some(part.to_string()))],
        covered: Vec::new(),
        contact: Contact::First,
    }
}

fn source() -> SourceName {
    SourceName::from("acme-github")
}

fn repository_id(number: u64) -> RepositoryId {
    RepositoryId { source: source(), number: FIRST_ID + number }
}

fn repository(number: u64) -> Repository {
    Repository {
        id: repository_id(number),
        name: RepositoryName::new(format!("acme/service-{number}")),
        reach: Reach::Ok,
        default_branch: Some("main".to_owned()),
        head: None,
        created_at: minute(0),
    }
}

fn commit(repository: u64, n: u64) -> Commit {
    Commit {
        paths: None,
        repository: repository_id(repository),
        id: sha(repository, n),
        parents: n.checked_sub(1).map(|n| sha(repository, n)).into_iter().collect(),
        authored_at: minute(n),
        committed_at: minute(n),
        author: Author::Human,
        pull_request: Some(n),
        reverts: Vec::new(),
    }
}

fn change(repository: u64, n: u64) -> Change {
    Change {
        paths: None,
        repository: repository_id(repository),
        number: n,
        title: format!("Say what change {n} is for"),
        base: "main".to_owned(),
        head: format!("feature/topic-{n}"),
        labels: Vec::new(),
        author: Author::Human,
        landing: Some(sha(repository, n)),
        own_commits: vec![OwnCommit { id: sha(repository, n + 1), authored_at: minute(n) }],
        opened_at: minute(n),
        ready_at: None,
        reviewed_at: Some(minute(n + 1)),
        merged_at: minute(n + 2),
        reverts: Vec::new(),
        corrections: Corrections::NONE,
    }
}

fn attempt(repository: u64, n: u64) -> Attempt {
    Attempt {
        origin: Origin::Deployment,
        repository: repository_id(repository),
        id: ExternalId::new((FIRST_ID + n).to_string()),
        commit: sha(repository, n),
        environment: Environment::from("production"),
        created_at: minute(n),
        finished: Some((Outcome::Success, minute(n + 1))),
        url: Some(format!("https://github.com/acme/service-{repository}/deployments/{n}")),
        corrections: Corrections::NONE,
    }
}

/// Spread as SHA-1 spreads.
fn sha(repository: u64, n: u64) -> CommitId {
    let mut state = repository.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n;
    CommitId::new(std::array::from_fn(|_| {
        state = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let [.., high] = state.to_le_bytes();
        high
    }))
}

fn minute(n: u64) -> Timestamp {
    let epoch = Timestamp::from_seconds(1_700_000_000);
    let millis = i64::try_from(n * MILLIS_PER_MINUTE).unwrap_or(i64::MAX);
    epoch.plus(sextant::model::time::Span::from_millis(millis))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn per_second(count: u64, time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000_000) / micros
}

/// The kernel's word, with its unit.
fn peak_rss() -> Result<String, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}
