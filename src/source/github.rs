//! GitHub: repositories, changes, deployments, commits, teams, and issues as incidents, over GraphQL.
//!
//! A poll asks what changed ([`probe`]), reads only that ([`fetch`]), follows commits that are still missing
//! ([`walk`]) and looks again at deployments without an end ([`reread`]). Each batch carries the cursor of what it
//! belongs to ([`state`]), so that a poll may be abandoned anywhere. Every request goes through [`client`].
//! What must never happen here: a login that leaves the function which reads a page.

use std::collections::BTreeMap;

use crate::clock::SharedClock;
use crate::http::{Failure, Reason};
use crate::model::batch::{Batch, Coverage};
use crate::model::dirty::Dirty;
use crate::model::fact::Fact;
use crate::model::name::{CommitId, RepositoryId};
use crate::model::time::{Span, Timestamp};
use crate::source::{Backfill, Identity, PollError, Polled, Provider, Sink, Source};
use crate::telemetry::SourceTelemetry;

use self::actor::Bots;
use self::client::{Client, Trouble};
use self::config::Config;
use self::state::{State, StoredReach};

mod actor;
mod client;
mod commits;
pub mod config;
mod deployments;
mod discover;
mod fetch;
mod files;
mod issues;
pub mod operations;
mod pages;
mod probe;
mod pulls;
mod releases;
mod reread;
mod run_pages;
mod run_windows;
mod runs;
mod state;
mod stream_pages;
mod streams;
mod tags;
mod teams;
mod walk;
mod wire;
mod workflow_lists;
mod workflows;

/// Which repositories and teams there are is asked this often.
const DISCOVER_EVERY: Span = Span::from_hours(1);
/// After a discovery in which something failed, sooner.
const DISCOVER_AGAIN: Span = Span::from_minutes(10);
/// Problems of one poll that are told; they are mostly the same one.
const PROBLEMS_MAX: usize = 20;
/// Answers in one poll that stay too heavy however little is asked for; then it is GitHub that has a problem.
const HEAVY_MAX: u32 = 3;

/// A GitHub source.
#[derive(Debug)]
pub struct Github {
    identity: Identity,
    config: Config,
    client: Client,
    /// Whether `repositories` is what the store has: not after a poll that ended early.
    loaded: bool,
    repositories: BTreeMap<u64, Tracked>,
    /// How often in a row a repository was not there.
    missed: BTreeMap<u64, u32>,
    discover_at: Option<Timestamp>,
    /// What failed in the last discovery: it lasts until the next one.
    standing: Vec<Failure>,
    /// Whether the store has been told, by this process, since when incidents are complete.
    incidents_covered: bool,
    heavy: u32,
    /// Files of direct pushes that are not stored yet.
    pushed: files::Pushed,
}

/// A repository that is known.
#[derive(Debug, Default)]
struct Tracked {
    state: State,
    /// What the probe of this poll showed.
    seen: Option<probe::Seen>,
    /// Whether the cursor in the store is older than the state.
    dirty: bool,
    /// Something failed in this poll: the rest of it waits for the next one.
    failed: bool,
    /// It was too heavy in company.
    alone: bool,
    /// The pages of issues go on in this poll: since when they are listed, after which one.
    issues_after: Option<(Timestamp, String)>,
    /// Landing commits of the changes that were read in this poll.
    landed: BTreeMap<CommitId, u64>,
}

impl Tracked {
    fn new(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    /// The newest deployment, if the probe of this poll showed that it changed: no need to be patient with it.
    fn moved(&self) -> Option<&str> {
        let seen = &self.seen.as_ref()?.deployments;
        (self.state.deployments.seen.as_ref() != Some(seen)).then(|| probe::node_of(seen))
    }

    /// Whether it is read at all.
    fn is_active(&self) -> bool {
        !self.state.left_out && self.state.reach != StoredReach::Inaccessible
    }
}

/// What failed while the rest went on.
#[derive(Debug, Default)]
struct Problems(Vec<Failure>);

impl Problems {
    fn push(&mut self, failure: Failure) {
        tracing::warn!(problem = %failure, "a part of the source could not be read");
        if self.0.len() < PROBLEMS_MAX && !self.0.contains(&failure) {
            self.0.push(failure);
        }
    }

    /// Keeps a trouble that concerns a part; hands back one that ends the poll.
    fn keep(&mut self, trouble: Trouble) -> Result<(), PollError> {
        let failure = trouble.failure();
        if ends_the_poll(failure.reason) {
            return Err(PollError::Source(failure));
        }
        self.push(failure);
        Ok(())
    }
}

/// Whether nothing else would fare better.
fn ends_the_poll(reason: Reason) -> bool {
    match reason {
        Reason::Auth | Reason::RateLimited | Reason::Timeout | Reason::Server | Reason::Network => true,
        Reason::Forbidden | Reason::NotFound | Reason::Malformed => false,
    }
}

impl Github {
    /// A source; fails if its URL is none.
    pub fn new(config: Config, clock: SharedClock, telemetry: SourceTelemetry) -> Result<Self, Failure> {
        Ok(Self {
            identity: Identity { name: config.name.clone(), provider: Provider::Github },
            client: Client::new(&config, clock, telemetry)?,
            config,
            loaded: false,
            repositories: BTreeMap::new(),
            missed: BTreeMap::new(),
            discover_at: None,
            standing: Vec::new(),
            incidents_covered: false,
            heavy: 0,
            pushed: files::Pushed::new(),
        })
    }

    fn id(&self, number: u64) -> RepositoryId {
        RepositoryId { source: self.config.name.clone(), number }
    }

    fn bots(&self) -> Bots<'_> {
        Bots(&self.config.bots)
    }

    /// Begins a poll with what the store has.
    async fn load(&mut self, sink: &Sink, now: Timestamp) -> Result<(), PollError> {
        if !self.loaded {
            self.repositories = sink
                .cursors()
                .await?
                .iter()
                .filter_map(|(scope, cursor)| State::parse(scope, cursor))
                .map(|(number, state)| (number, Tracked::new(state)))
                .collect();
        }
        self.loaded = false;
        self.heavy = 0;
        let horizon = now.minus(self.config.history);
        let rules = self.config.incidents.as_ref().map(issues::fingerprint);
        for tracked in self.repositories.values_mut() {
            let Tracked { state, seen, dirty, failed, alone, issues_after, landed } = tracked;
            state.reach_back(horizon);
            if let Some(rules) = rules.as_ref().filter(|rules| **rules != state.issues.rules) {
                state.issues.restart(rules.clone());
                *dirty = true;
            }
            (*seen, *failed, *alone, *issues_after) = (None, false, false, None);
            landed.clear();
        }
        Ok(())
    }

    /// Stores what changed of repositories without anything having been read of their streams.
    async fn flush(&mut self, sink: &Sink) -> Result<(), PollError> {
        let mut batch = Batch::default();
        let numbers: Vec<u64> = self.repositories.keys().copied().collect();
        for number in numbers {
            let id = self.id(number);
            let Some(tracked) = self.repositories.get_mut(&number).filter(|tracked| tracked.dirty) else {
                continue;
            };
            tracked.dirty = false;
            cover(&mut tracked.state, &id, &mut batch);
            batch.facts.push(Fact::Repository(tracked.state.repository(id)));
            batch.cursors.push(tracked.state.cursor(number));
        }
        if self.config.incidents.is_some() && !self.incidents_covered {
            let mut active = self.repositories.values().filter(|tracked| tracked.is_active()).peekable();
            if active.peek().is_some() && active.all(|tracked| tracked.state.issues.complete) {
                let active = self.repositories.values().filter(|tracked| tracked.is_active());
                let since = active.map(|tracked| tracked.state.horizon()).max().unwrap_or_default();
                batch.covered.push((Coverage::Incidents(self.config.name.clone()), since));
                self.incidents_covered = true;
            }
        }
        if batch != Batch::default() {
            sink.apply(batch).await?;
        }
        Ok(())
    }

    fn backfill(&self) -> Backfill {
        let issues = self.config.incidents.is_some();
        let done = |tracked: &Tracked| tracked.state.complete() && (!issues || tracked.state.issues.complete);
        let mut active = self.repositories.values().filter(|tracked| tracked.is_active());
        if self.standing.is_empty() && active.all(done) { Backfill::Complete } else { Backfill::Running }
    }
}

/// Says that the history of a repository is complete, once it is.
fn cover(state: &mut State, id: &RepositoryId, batch: &mut Batch) {
    if state.complete() && !state.covered {
        state.covered = true;
        batch.covered.push((Coverage::Repository(id.clone()), state.horizon()));
    }
}

impl Source for Github {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn poll(&mut self, sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        self.load(sink, now).await?;
        let mut problems = Problems::default();
        let discover = self.discover_at.is_none_or(|at| now >= at);
        if discover {
            self.discover(sink, now).await?;
        }
        self.want_streams();
        self.probe(discover, &mut problems).await?;
        self.fetch(sink, &mut problems).await?;
        Box::pin(self.read_streams(None, sink, now, &mut problems)).await?;
        self.walk(sink, &mut problems).await?;
        self.reread(sink, now, &mut problems).await?;
        self.flush(sink).await?;
        self.loaded = true;
        for failure in &self.standing {
            problems.push(failure.clone());
        }
        Ok(Polled { backfill: self.backfill(), problems: problems.0 })
    }

    async fn read_now(&mut self, dirty: &[Dirty], sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        tracing::debug!(parts = dirty.len(), "told of changes");
        self.poll(sink, now).await
    }
}
