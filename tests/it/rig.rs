//! The stage of the stories: the simulated world behind its HTTP APIs, and our sources, store and engine on the other
//! side, moved by hand: a story says when a poll happens and what time it is, so nothing waits and nothing sleeps.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sextant::clock::{Clock, SharedClock};
use sextant::collect::Collector;
use sextant::config::Config;
use sextant::demo::serve::{Options, Servers, serve};
use sextant::demo::world::{SharedWorld, World};
use sextant::engine::snapshot::{Snapshot, WindowValues};
use sextant::http::Governors;
use sextant::model::batch::Changes;
use sextant::model::name::TeamSlug;
use sextant::model::time::{Span, Timestamp};
use sextant::recompute::{Computed, Recompute};
use sextant::source::github::Github;
use sextant::source::pagerduty::Pagerduty;
use sextant::source::{PollError, Source};
use sextant::store::sqlite::SqliteStore;
use sextant::telemetry::{SourceTelemetry, Telemetry};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A clock that shows the world's present.
#[derive(Clone)]
pub(crate) struct WorldClock(pub(crate) SharedWorld);

impl fmt::Debug for WorldClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldClock")
    }
}

impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().now.datetime()
    }
}

/// The world on stage.
pub(crate) struct Rig {
    pub(crate) world: SharedWorld,
    pub(crate) servers: Servers,
    pub(crate) telemetry: Telemetry,
    pub(crate) config: Config,
    pub(crate) store: SqliteStore,
    pub(crate) github: Github,
    /// Further sources of GitHub, which share its limits.
    pub(crate) others: Vec<Github>,
    pub(crate) pagerduty: Option<Pagerduty>,
    recompute: Recompute<SqliteStore>,
    pending: Changes,
    directory: TempDir,
    /// Stops the servers when the story is over.
    stop: DropGuard,
}

/// The smallest configuration that reads everything of `acme`.
pub(crate) const ACME: &str = r#"
[organization]
name = "acme"

[[github]]
name = "acme-github"
api_url = "{github}"
token_file = "{directory}/github-token"
organizations = ["acme"]
history = "180d"

[[pagerduty]]
name = "acme-pagerduty"
api_url = "{pagerduty}"
token_file = "{directory}/pagerduty-token"
"#;

impl Rig {
    /// Serves the world and opens an empty store; `toml` may name `{github}`, `{pagerduty}` and `{directory}`.
    pub(crate) async fn new(world: World, toml: &str) -> Self {
        Self::with(world, toml, Options::default()).await
    }

    pub(crate) async fn with(world: World, toml: &str, options: Options) -> Self {
        let world = SharedWorld::new(world);
        let directory = tempfile::tempdir().unwrap();
        let tokens = [("github", &options.github_token), ("pagerduty", &options.pagerduty_token)];
        for (name, token) in tokens {
            std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
        }
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let servers = serve(world.clone(), options, &tracker, stop.clone()).await.unwrap();
        let toml = toml
            .replace("{github}", &servers.github.url)
            .replace("{pagerduty}", &servers.pagerduty.url)
            .replace("{directory}", directory.path().to_str().unwrap());
        let config =
            Config::parse(&toml, "sextant.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        Self::open(world, servers, config, directory, stop.drop_guard()).await
    }

    async fn open(
        world: SharedWorld,
        servers: Servers,
        config: Config,
        directory: TempDir,
        stop: DropGuard,
    ) -> Self {
        let clock: SharedClock = Arc::new(WorldClock(world.clone()));
        let telemetry = Telemetry::new();
        let store = SqliteStore::open(directory.path().join("sextant.db")).await.unwrap();
        let governors = Governors::default();
        let own = telemetry.source("acme-github", "github");
        let github = Github::new(config.github[0].clone(), &governors, Arc::clone(&clock), own).unwrap();
        let others = config.github.iter().skip(1).map(|config| {
            let own = telemetry.source(config.name.as_str(), "github");
            Github::new(config.clone(), &governors, Arc::clone(&clock), own).unwrap()
        });
        let others = others.collect();
        let pagerduty = config.pagerduty.first().map(|config| {
            let own = telemetry.source("acme-pagerduty", "pagerduty");
            Pagerduty::new(config.clone(), &governors, Arc::clone(&clock), own).unwrap()
        });
        let (settings, rules) = (config.metrics.clone(), config.ownership.clone());
        let recompute = Recompute::load(store.clone(), clock, settings, rules).await.unwrap();
        let pending = Changes::default();
        Self {
            world,
            servers,
            telemetry,
            config,
            store,
            github,
            others,
            pagerduty,
            recompute,
            pending,
            directory,
            stop,
        }
    }

    /// Ends the daemon's side as `kill -9` would, but for what SQLite holds in memory, and starts it again on the
    /// same store.
    pub(crate) async fn restart(self) -> Self {
        let Self { world, servers, config, store, directory, stop, recompute, .. } = self;
        drop(recompute);
        store.close().await.unwrap();
        Self::open(world, servers, config, directory, stop).await
    }

    /// Writes another token where the configuration names it.
    pub(crate) fn replace_token(&self, source: &str, token: &str) {
        std::fs::write(self.directory.path().join(format!("{source}-token")), token).unwrap();
    }

    /// One poll of every source, at the world's present.
    pub(crate) async fn poll(&mut self) {
        self.poll_github().await.unwrap();
        if self.pagerduty.is_some() {
            self.poll_pagerduty().await.unwrap();
        }
    }

    pub(crate) async fn poll_github(&mut self) -> Result<(), PollError> {
        let telemetry = self.telemetry.source("acme-github", "github");
        let (outcome, changes) = poll(&self.world, &self.store, telemetry, &mut self.github).await;
        self.pending.merge(changes);
        outcome
    }

    /// One poll of the first two sources of GitHub, at the same time.
    pub(crate) async fn poll_both(&mut self) -> (Result<(), PollError>, Result<(), PollError>) {
        let Self { world, store, telemetry, github, others, config, .. } = self;
        let first = telemetry.source("acme-github", "github");
        let second = telemetry.source(config.github[1].name.as_str(), "github");
        let one = Box::pin(poll(world, store, first, github));
        let other = Box::pin(poll(world, store, second, &mut others[0]));
        let ((one, changed), (other, changed_too)) = tokio::join!(one, other);
        self.pending.merge(changed);
        self.pending.merge(changed_too);
        (one, other)
    }

    /// What `/sources` says is wrong with the last poll of GitHub.
    pub(crate) fn told(&self) -> Vec<String> {
        let problems = self.telemetry.last_problems();
        let of_github = problems.into_iter().filter(|(source, _)| source == "acme-github");
        of_github.flat_map(|(_, problems)| problems.words).collect()
    }

    pub(crate) async fn poll_pagerduty(&mut self) -> Result<(), PollError> {
        let telemetry = self.telemetry.source("acme-pagerduty", "pagerduty");
        let source = self.pagerduty.as_mut().unwrap();
        let (outcome, changes) = poll(&self.world, &self.store, telemetry, source).await;
        self.pending.merge(changes);
        outcome
    }

    /// Computes for the world's present.
    pub(crate) async fn compute(&mut self) -> Computed {
        let pending = std::mem::take(&mut self.pending);
        Box::pin(self.recompute.compute(&pending)).await.unwrap()
    }

    /// Computes for the world's present as a daemon would that has just been started: with nothing kept from before. It
    /// must be the same, but for counters: nothing is counted.
    pub(crate) async fn compute_anew(&self) -> Computed {
        let clock: SharedClock = Arc::new(WorldClock(self.world.clone()));
        let (settings, rules) = (self.config.metrics.clone(), self.config.ownership.clone());
        Recompute::look(self.store.clone(), clock, settings, rules).await.unwrap()
    }

    /// Polls, and computes a little later, so that what happened just now has happened before.
    pub(crate) async fn look(&mut self) -> Arc<Snapshot> {
        self.poll().await;
        self.later(Span::from_seconds(1));
        self.compute().await.snapshot
    }

    /// Lets time pass.
    pub(crate) fn later(&self, span: Span) {
        self.world.tell(|world| {
            let now = world.now.plus(span);
            world.advance(now);
        });
    }

    /// The world's present.
    pub(crate) fn now(&self) -> Timestamp {
        self.world.lock().now
    }

    /// The value of one of the daemon's own metrics, by its labels.
    pub(crate) fn own(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let families = self.telemetry.gather();
        let family = families.iter().find(|family| family.metric.name == name)?;
        let matching = family.samples.iter().find(|sample| {
            let values: Vec<_> = sample.labels.iter().map(|(_, value)| value.to_string()).collect();
            labels.iter().all(|label| values.iter().any(|value| value == label))
        });
        matching.map(|sample| sample.value)
    }
}

async fn poll(
    world: &SharedWorld,
    store: &SqliteStore,
    telemetry: SourceTelemetry,
    source: &mut impl Source,
) -> (Result<(), PollError>, Changes) {
    let (sender, mut receiver) = mpsc::channel(1);
    let collector = Collector {
        store: store.clone(),
        clock: Arc::new(WorldClock(world.clone())),
        telemetry,
        poll_interval: Span::from_seconds(60),
        changes: sender,
    };
    let now = world.lock().now;
    let polling = async {
        let outcome = collector.poll_once(source, now).await.map(|_| ());
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
    tokio::join!(polling, draining)
}

/// The numbers of a team over a window.
pub(crate) fn team<'a>(snapshot: &'a Snapshot, team: &str, window: &str) -> &'a WindowValues {
    let index = snapshot.windows.iter().position(|known| known.label == window).unwrap();
    &snapshot.teams[&TeamSlug::from(team)].values.windows[index]
}

/// The numbers of the organisation over a window.
pub(crate) fn organization<'a>(snapshot: &'a Snapshot, window: &str) -> &'a WindowValues {
    let index = snapshot.windows.iter().position(|known| known.label == window).unwrap();
    &snapshot.organization.windows[index]
}
