//! The daemon's side, in a process of its own, so that its memory, its time and its requests are its own.
//!
//! Step by step (`steps`) it does one cycle for every line it reads, and says in a line of JSON what that took; or it
//! is the whole daemon (`daemon`) and says after each snapshot what it knows.

use std::io::stdin;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sextant::clock::{Clock, SharedClock, SystemClock};
use sextant::collect::Collector;
use sextant::config::{Config, Store};
use sextant::daemon::{Daemon, system_clock};
use sextant::http::Governors;
use sextant::model::batch::Changes;
use sextant::model::time::Span;
use sextant::recompute::{Computed, Recompute};
use sextant::source::github::Github;
use sextant::source::pagerduty::Pagerduty;
use sextant::source::{Backfill, PollError, Source};
use sextant::store::sqlite::SqliteStore;
use sextant::telemetry::{SourceTelemetry, Telemetry};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Failure;

/// What a cycle, or a start, took, and what is known after it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Took {
    /// Asking GitHub and storing its answers.
    pub(crate) github: Duration,
    /// Asking `PagerDuty` and storing its answers.
    pub(crate) pagerduty: Duration,
    /// From stored facts to a snapshot; of a start: also opening the store and reading all of it.
    pub(crate) snapshot: Duration,
    /// Rows in the store, by fact.
    pub(crate) facts: Vec<(String, u64)>,
    /// Deployments in the first window.
    pub(crate) deployments: u64,
    /// Whether GitHub's history has been read; if not, the next cycle goes on.
    pub(crate) complete: bool,
}

impl Took {
    /// Rows of one kind of fact.
    pub(crate) fn rows(&self, fact: &str) -> u64 {
        let found = self.facts.iter().find(|(name, _)| name == fact);
        found.map_or(0, |(_, rows)| *rows)
    }

    fn knowing(mut self, computed: &Computed) -> Self {
        let facts = computed.facts.iter();
        self.facts = facts.map(|(fact, rows)| ((*fact).to_owned(), *rows)).collect();
        let first = computed.snapshot.organization.windows.first();
        let delivery = first.and_then(|window| window.delivery.as_ref());
        self.deployments = delivery.map_or(0, |delivery| delivery.deployments);
        self
    }

    fn tell(&self) -> Result<(), Failure> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// Runs a side until its input ends.
pub(crate) fn run(side: &str, config: &Path) -> Result<(), Failure> {
    let config = Config::load(config).map_err(|errors| errors.to_string())?;
    // As `sextant run` has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    match side {
        "steps" => steps(&runtime, config),
        "daemon" => runtime.block_on(daemon(config)),
        _ => Err(format!("no side is called `{side}`").into()),
    }
}

async fn daemon(config: Config) -> Result<(), Failure> {
    let ended = CancellationToken::new();
    let input = ended.clone().drop_guard();
    std::thread::spawn(move || {
        stdin().lines().for_each(drop);
        drop(input);
    });
    let daemon = Daemon::start(config, system_clock()).await?;
    let mut computed = daemon.computed();
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            changed = computed.changed() => {
                changed?;
                let newest = computed.borrow_and_update().clone();
                if let Some(newest) = newest {
                    Took::default().knowing(&newest).tell()?;
                }
            }
        }
    }
    daemon.stop().await?;
    Ok(())
}

fn steps(runtime: &Runtime, config: Config) -> Result<(), Failure> {
    let mut steps = runtime.block_on(Steps::start(config))?;
    for line in stdin().lines() {
        // `cycle`, or by how many milliseconds the clock moves on before it.
        if let Ok(by) = line?.parse::<i64>() {
            steps.moved.by.fetch_add(by, Ordering::Relaxed);
        }
        runtime.block_on(steps.cycle())?.tell()?;
    }
    drop(steps.recompute);
    runtime.block_on(steps.store.close())?;
    Ok(())
}

/// The machine's clock, moved on.
#[derive(Debug, Default)]
struct MovedClock {
    /// Milliseconds.
    by: AtomicI64,
}

impl Clock for MovedClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.by.load(Ordering::Relaxed))
    }
}

/// The parts of the daemon, moved by hand.
struct Steps {
    store: SqliteStore,
    clock: SharedClock,
    moved: Arc<MovedClock>,
    recompute: Recompute<SqliteStore>,
    github: (Github, SourceTelemetry),
    pagerduty: (Pagerduty, SourceTelemetry),
}

impl Steps {
    /// From nothing to the first snapshot, which is told; then the sources.
    async fn start(config: Config) -> Result<Self, Failure> {
        let begun = Instant::now();
        let Store::Sqlite(path) = &config.store;
        let store = SqliteStore::open(path).await?;
        let moved = Arc::new(MovedClock::default());
        let clock: SharedClock = Arc::<MovedClock>::clone(&moved);
        let (settings, rules) = (config.metrics, config.ownership);
        let mut recompute = Recompute::load(store.clone(), Arc::clone(&clock), settings, rules).await?;
        let computed = recompute.compute(&Changes::default()).await?;
        let took = Took { snapshot: begun.elapsed(), ..Took::default() };
        took.knowing(&computed).tell()?;
        let telemetry = Telemetry::new();
        let governors = Governors::default();
        let github = config.github.into_iter().next().ok_or("no GitHub is configured")?;
        let of_github = telemetry.source(github.name.as_str(), "github");
        let github = Github::new(github, &governors, Arc::clone(&clock), of_github.clone())?;
        let pagerduty = config.pagerduty.into_iter().next();
        let pagerduty = pagerduty.ok_or("no PagerDuty is configured")?;
        let of_pagerduty = telemetry.source(pagerduty.name.as_str(), "pagerduty");
        let pagerduty = Pagerduty::new(pagerduty, &governors, Arc::clone(&clock), of_pagerduty.clone())?;
        Ok(Self {
            store,
            clock,
            moved,
            recompute,
            github: (github, of_github),
            pagerduty: (pagerduty, of_pagerduty),
        })
    }

    async fn cycle(&mut self) -> Result<Took, Failure> {
        let Self { store, clock, moved: _, recompute, github, pagerduty } = self;
        let (on_github, mut changes, backfill) = poll(store, clock, github).await?;
        let (on_pagerduty, more, _) = poll(store, clock, pagerduty).await?;
        changes.merge(more);
        let begun = Instant::now();
        let computed = recompute.compute(&changes).await?;
        let took = Took {
            github: on_github,
            pagerduty: on_pagerduty,
            snapshot: begun.elapsed(),
            complete: backfill == Backfill::Complete,
            ..Took::default()
        };
        Ok(took.knowing(&computed))
    }
}

/// One poll with what it changed, as the daemon's tasks do it.
async fn poll(
    store: &SqliteStore,
    clock: &SharedClock,
    (source, telemetry): &mut (impl Source, SourceTelemetry),
) -> Result<(Duration, Changes, Backfill), PollError> {
    let (sender, mut receiver) = mpsc::channel(1);
    let collector = Collector {
        store: store.clone(),
        clock: Arc::clone(clock),
        telemetry: telemetry.clone(),
        poll_interval: Span::from_seconds(60),
        changes: sender,
    };
    let begun = Instant::now();
    let polling = async {
        let outcome = collector.poll_once(source, clock.now().into()).await;
        drop(collector);
        outcome
    };
    let draining = async {
        let mut all = Changes::default();
        while let Some(changes) = receiver.recv().await {
            all.merge(changes);
        }
        all
    };
    let (outcome, changes) = tokio::join!(polling, draining);
    outcome.map(|polled| (begun.elapsed(), changes, polled.backfill))
}
