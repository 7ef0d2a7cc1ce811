//! GitHub: repositories, changes, deployments, commits, teams, and issues as incidents, over GraphQL.
//!
//! A poll asks what changed ([`probe`], of those whose turn it is by [`schedule`]), reads only that ([`fetch`]),
//! follows commits that are still missing ([`walk`]), looks again at deployments without an end ([`reread`]), and then
//! reads on in the past as long as time and budget allow. Each batch carries the cursor of what it belongs to
//! ([`state`]), so that a poll may be abandoned anywhere. Every request goes through a [`client`], each identity having
//! its own ([`lanes`]). What must never happen here: a login that leaves the function which reads a page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::http::{Failure, Governors, Reason};
use crate::model::batch::{Batch, Coverage};
use crate::model::dirty::{Dirty, Stream};
use crate::model::fact::Fact;
use crate::model::name::RepositoryId;
use crate::model::time::{Span, Timestamp};
use crate::source::{Backfill, Identity, PollError, Polled, Progress, Provider, Sink, Source};
use crate::telemetry::SourceTelemetry;

use self::actor::Bots;
use self::client::Client;
use self::config::Config;
use self::lanes::Lanes;
use self::passes::Phase;
use self::reply::Trouble;
use self::sign_in::Signer;
use self::state::State;
use self::tracked::Tracked;

mod actor;
mod ask;
mod client;
mod commits;
pub mod config;
mod denied;
mod deployments;
mod discover;
mod fetch;
mod files;
mod heavy;
pub mod inspect;
mod issues;
mod lanes;
mod open;
pub mod operations;
mod pages;
mod passes;
mod probe;
mod progress;
mod pulls;
mod reader;
mod releases;
mod reply;
mod reread;
mod run_again;
mod run_pages;
mod run_windows;
mod runs;
mod schedule;
pub mod server;
mod sign_in;
mod state;
mod stream_pages;
mod streams;
mod tags;
mod teams;
mod tracked;
mod trouble;
mod walk;
mod wire;
mod workflow_lists;
mod workflows;

/// Which repositories and teams there are is asked this often.
const DISCOVER_EVERY: Span = Span::from_hours(1);
/// After a discovery in which something failed, sooner.
const DISCOVER_AGAIN: Span = Span::from_minutes(10);
/// A webhook about a repository that is not known makes us look which there are, and a thousand of them not more often.
const DISCOVER_AT_MOST: Span = Span::from_minutes(1);
/// Problems of one poll that are told; they are mostly the same one.
const PROBLEMS_MAX: usize = 20;
/// How far the first read is, is logged when another part of it, in thousandths, is done.
const LOGGED_PERMILLE: u64 = 100;

/// A GitHub source.
#[derive(Debug)]
pub struct Github {
    identity: Identity,
    config: Arc<Config>,
    signer: Signer,
    governors: Governors,
    lanes: Lanes,
    telemetry: SourceTelemetry,
    /// Whether `repositories` is what the store has: not after a poll that ended early.
    loaded: bool,
    repositories: BTreeMap<u64, Tracked>,
    /// Only these are read now; `None`: all.
    only: Option<BTreeSet<u64>>,
    discovered_at: Option<Timestamp>,
    discover_at: Option<Timestamp>,
    /// What failed in the last discovery: it lasts until the next one.
    standing: Vec<Failure>,
    /// Whether the store has been told, by this process, since when incidents are complete.
    incidents_covered: bool,
    /// Answers in a row that were too heavy.
    heavy_in_a_row: u32,
    /// Of the first read, what was last logged to be done.
    logged_permille: Option<u64>,
    /// Files of direct pushes that are not stored yet.
    pushed: files::Pushed,
}

/// What failed while the rest went on.
#[derive(Debug, Default)]
struct Problems(Vec<Failure>);

impl Problems {
    fn push(&mut self, failure: Failure) {
        tracing::debug!(problem = %failure, "a part of the source could not be read");
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
    pub fn new(
        config: Config,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        let client = Client::new(&config, governors, clock, telemetry.clone())?;
        Ok(Self {
            identity: Identity { name: config.name.clone(), provider: Provider::Github },
            signer: client.signer(&config),
            governors: governors.clone(),
            lanes: Lanes::one(client),
            config: Arc::new(config),
            telemetry,
            loaded: false,
            repositories: BTreeMap::new(),
            only: None,
            discovered_at: None,
            discover_at: None,
            standing: Vec::new(),
            incidents_covered: false,
            heavy_in_a_row: 0,
            logged_permille: None,
            pushed: files::Pushed::new(),
        })
    }

    fn id(&self, number: u64) -> RepositoryId {
        RepositoryId { source: self.config.name.clone(), number }
    }

    fn bots(&self) -> Bots<'_> {
        Bots(&self.config.bots)
    }

    /// For what is the same in every lane: the time, what is counted.
    fn client(&self) -> &Client {
        self.lanes.client(0)
    }

    fn now(&self) -> Timestamp {
        self.client().now()
    }

    /// The repositories of which something may be read now.
    fn readable(&self) -> Vec<u64> {
        let readable = self.repositories.iter().filter(|(number, tracked)| {
            let meant = self.only.as_ref().is_none_or(|only| only.contains(number));
            meant
                && tracked.is_active()
                && !tracked.failed
                && !self.lanes.is_lost(self.lanes.of(&tracked.state.name))
        });
        readable.map(|(number, _)| *number).collect()
    }

    /// Begins a poll with what the store has. What was seen from outside is still true.
    async fn load(&mut self, sink: &Sink, now: Timestamp) -> Result<(), PollError> {
        if !self.loaded {
            let mut former = std::mem::take(&mut self.repositories);
            for (scope, cursor) in sink.cursors().await? {
                let Some((number, state)) = State::parse(&scope, &cursor) else {
                    continue;
                };
                let look = former.remove(&number).map(|tracked| tracked.look).unwrap_or_default();
                self.repositories.insert(number, Tracked { look, ..Tracked::new(state) });
            }
        }
        self.loaded = false;
        self.only = None;
        self.heavy_in_a_row = 0;
        self.lanes.begin();
        let horizon = now.minus(self.config.history);
        let rules = self.config.incidents.as_ref().map(issues::fingerprint);
        for tracked in self.repositories.values_mut() {
            tracked.begin();
            let Tracked { state, dirty, .. } = tracked;
            state.reach_back(horizon);
            if let Some(rules) = rules.as_ref().filter(|rules| **rules != state.issues.rules) {
                state.issues.restart(rules.clone());
                *dirty = true;
            }
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

    fn progress(&self, now: Timestamp) -> Progress {
        let issues = self.config.incidents.is_some();
        let done =
            |tracked: &&Tracked| tracked.state.complete() && (!issues || tracked.state.issues.complete);
        let active = || self.repositories.values().filter(|tracked| tracked.is_active());
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let repositories = count(active().count());
        let permille = active().map(|tracked| tracked.state.permille(now)).sum::<u64>();
        Progress {
            repositories,
            repositories_complete: count(active().filter(done).count()),
            permille: permille.checked_div(repositories).unwrap_or(1_000),
        }
    }

    /// Ends a poll: tells what is done and what is missing.
    fn end(&mut self, now: Timestamp, mut problems: Problems) -> Polled {
        self.loaded = true;
        self.only = None;
        self.tell_what_is_left_out(&mut problems);
        self.tell_what_is_denied(&mut problems);
        self.tell_of_runs(&mut problems);
        for failure in &self.standing {
            problems.push(failure.clone());
        }
        let progress = self.progress(now);
        let complete = self.standing.is_empty() && progress.repositories_complete == progress.repositories;
        let backfill = if complete { Backfill::Complete } else { Backfill::Running };
        self.telemetry.backfill_progress(progress.ratio());
        let step = progress.permille / LOGGED_PERMILLE;
        if self.logged_permille.is_none_or(|logged| logged < step) && backfill == Backfill::Running {
            let Progress { repositories, repositories_complete, permille } = progress;
            tracing::info!(
                source = %self.config.name,
                percent = permille / 10,
                repositories,
                repositories_complete,
                "history is being read"
            );
            self.logged_permille = Some(step);
        }
        Polled { backfill, progress, problems: problems.0 }
    }

    /// Reads what is new in those repositories that were looked at.
    async fn news(&mut self, now: Timestamp, sink: &Sink, problems: &mut Problems) -> Result<(), PollError> {
        self.fetch(Phase::News, None, sink, problems).await?;
        Box::pin(self.read_streams(sink, now, problems)).await?;
        self.walk(sink, problems).await?;
        self.reread(sink, now, problems).await
    }

    /// Marks what somebody says has changed, and says what else is to be looked for.
    fn mark(&mut self, dirty: &[Dirty]) -> (BTreeSet<u64>, Told) {
        let (mut known, mut told) = (BTreeSet::new(), Told::default());
        for Dirty { repository, stream } in dirty {
            let tracked = repository.and_then(|number| self.repositories.get_mut(&number));
            match (stream, tracked, repository) {
                (Stream::Teams, ..) => told.teams = true,
                (_, None, _) => told.repositories = true,
                (_, Some(tracked), Some(number)) => {
                    told.repositories |= !tracked.is_active();
                    if let Stream::Run(run) = stream {
                        tracked.again.insert(*run);
                        tracked.forced.insert(Stream::Runs);
                    } else {
                        tracked.forced.insert(*stream);
                    }
                    known.insert(*number);
                }
                (_, Some(_), None) => {}
            }
        }
        (known, told)
    }

    /// Whether it may be asked again, told of something unknown, which repositories there are.
    fn may_discover(&self, now: Timestamp) -> bool {
        self.discovered_at.is_none_or(|at| now.since(at) >= DISCOVER_AT_MOST)
    }
}

/// What somebody says has changed besides repositories that are known.
#[derive(Debug, Default)]
struct Told {
    teams: bool,
    repositories: bool,
}

/// Says since when everything is known of a repository, if that is more than before.
fn cover(state: &mut State, id: &RepositoryId, batch: &mut Batch) {
    if let Some(since) = state.tell() {
        batch.covered.push((Coverage::Repository(id.clone()), since));
    }
}

impl Source for Github {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn poll(&mut self, sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        let until = self.now().plus(self.config.poll_interval);
        self.load(sink, now).await?;
        let mut problems = Problems::default();
        let discover = self.discover_at.is_none_or(|at| now >= at);
        if discover {
            self.discover(sink, now).await?;
        } else {
            self.refresh(now, &mut problems).await?;
        }
        self.want_streams();
        self.probe(discover, now, &mut problems).await?;
        self.news(now, sink, &mut problems).await?;
        self.fetch(Phase::History, Some(until), sink, &mut problems).await?;
        // Those whose commits have only now been read.
        Box::pin(self.read_streams(sink, now, &mut problems)).await?;
        // What was read of the past may name commits that are missing, and what failed to end.
        self.walk(sink, &mut problems).await?;
        self.reread(sink, now, &mut problems).await?;
        self.flush(sink).await?;
        Ok(self.end(now, problems))
    }

    async fn read_now(&mut self, dirty: &[Dirty], sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        if self.discover_at.is_none() {
            return self.poll(sink, now).await;
        }
        self.load(sink, now).await?;
        let mut problems = Problems::default();
        let (mut known, told) = self.mark(dirty);
        if told.repositories && self.may_discover(now) {
            let before: BTreeSet<u64> = self.repositories.keys().copied().collect();
            self.discover(sink, now).await?;
            known.extend(self.repositories.keys().filter(|number| !before.contains(number)));
        } else {
            self.refresh(now, &mut problems).await?;
        }
        if told.teams {
            self.read_teams(sink, &mut problems).await?;
        }
        self.want_streams();
        self.only = Some(known);
        self.probe(true, now, &mut problems).await?;
        self.news(now, sink, &mut problems).await?;
        self.flush(sink).await?;
        Ok(self.end(now, problems))
    }
}
