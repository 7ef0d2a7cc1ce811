//! The composition root: builds everything, owns the tasks, reloads, and stops in order.
//!
//! A *generation* is everything that a configuration decides: one collect task for each source, and recompute. A
//! reload stops one generation and starts the next; the store, the listener and the last snapshot outlive it.
//! Order of the end: the generation (no new facts), then the renderer and the server, then the store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Store};
use crate::http::Governors;
use crate::recompute::Computed;
use crate::source::{Provider, promql};
use crate::store::sqlite::SqliteStore;
use crate::telemetry::Telemetry;

mod asked;
mod demo;
mod export;
mod generation;
mod look;
mod push;
mod push_signals;
mod render;
mod serving;

use self::asked::{Asked, Signals};
pub use self::demo::run as demo;
pub use self::export::{ExportFormat, Exported, export};
use self::generation::{Generation, Shown, WayIn};
pub use self::look::look;
use self::render::Rendering;
use self::serving::Serving;

/// The clock of a daemon that is not under test.
pub fn system_clock() -> SharedClock {
    Arc::new(SystemClock)
}

/// Reloads that wait for one another: whoever asks gets the answer to his own.
const RELOADS_QUEUED: usize = 8;

/// What a person who asked for a reload is told: why it did not work.
type ReloadAnswer = oneshot::Sender<Result<(), String>>;

/// Runs until SIGTERM or SIGINT; SIGHUP, or whoever holds the push token, has the configuration read again.
pub async fn run(config: Config, path: &Path, clock: SharedClock) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut daemon = Daemon::start(config, clock).await?;
    tracing::info!("serving on http://{}", daemon.address());
    loop {
        let answer = tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => break,
                Asked::Reload => None,
            },
            Some(answer) = daemon.reloads.recv() => Some(answer),
        };
        let outcome = daemon.reload_file(path).await;
        if answer.is_some_and(|answer| answer.send(outcome).is_err()) {
            tracing::debug!("whoever asked for the reload did not wait for the answer");
        }
    }
    tracing::info!("stopping");
    daemon.stop().await
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    config: Config,
    clock: SharedClock,
    store: SqliteStore,
    telemetry: Telemetry,
    /// They outlive a generation: a reload must not forget what is used already.
    governors: Governors,
    shown: Shown,
    rendering: watch::Sender<Rendering>,
    generation: Generation,
    way_in: WayIn,
    reloads: mpsc::Receiver<ReloadAnswer>,
    serving: Serving,
    address: SocketAddr,
}

impl Daemon {
    /// Opens the store, serves, reads the store, and collects. If it fails, nothing runs.
    pub async fn start(config: Config, clock: SharedClock) -> anyhow::Result<Self> {
        let listen = config.server.listen;
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let Store::Sqlite(path) = &config.store;
        let store = SqliteStore::open(path).await?;
        let telemetry = Telemetry::new();
        telemetry.config_reloaded(true, now_seconds(&clock));
        let (computed, newest) = watch::channel(None);
        let (rendering, how) = watch::channel(rendering_of(&config));
        let governors = Governors::default();
        let (inbound, may_come_in) = watch::channel(None);
        let (reload, reloads) = mpsc::channel(RELOADS_QUEUED);
        let way_in = WayIn { inbound, reload };
        let (signals, their_state) = watch::channel(Vec::new());
        let serving = Serving::start(listener, telemetry.clone(), newest, how, their_state, may_come_in)?;
        let shown = Shown { computed, signals };
        let started =
            Generation::start(&config, &store, &clock, &telemetry, &governors, &shown, &way_in).await;
        let generation = match started {
            Ok(generation) => generation,
            Err(error) => {
                serving.end().await?;
                return Err(error);
            }
        };
        Ok(Self {
            config,
            clock,
            store,
            telemetry,
            governors,
            shown,
            rendering,
            generation,
            way_in,
            reloads,
            serving,
            address,
        })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it computes, as it changes.
    pub fn computed(&self) -> watch::Receiver<Option<Arc<Computed>>> {
        self.shown.computed.subscribe()
    }

    /// Reads the configuration again; a bad file keeps the running one and says so. The error says why.
    pub async fn reload_file(&mut self, path: &Path) -> Result<(), String> {
        let outcome = match Config::load(path) {
            Ok(config) => self.reload(config).await.map_err(|error| format!("{error:#}")),
            Err(errors) => Err(errors.to_string()),
        };
        self.telemetry.config_reloaded(outcome.is_ok(), now_seconds(&self.clock));
        // Whoever reloads looks whether it worked: that is shown now, and not with the next snapshot.
        self.rendering.send_modify(|_| ());
        match &outcome {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(error) => tracing::error!("the running configuration stays:\n{error}"),
        }
        outcome
    }

    /// Goes on with another configuration. The store and the address stay what they are until a restart.
    pub async fn reload(&mut self, config: Config) -> anyhow::Result<()> {
        anyhow::ensure!(config.store == self.config.store, "`store.url` changes only with a restart");
        anyhow::ensure!(
            config.server.listen == self.config.server.listen,
            "`server.listen` changes only with a restart"
        );
        let former = self.config.clone();
        let outcome = self.succeed(config).await;
        if outcome.is_err() {
            self.succeed(former).await.context("cannot go on with the former configuration either")?;
        }
        outcome
    }

    /// Ends the running generation and starts the one of `config`.
    async fn succeed(&mut self, config: Config) -> anyhow::Result<()> {
        self.generation.end().await;
        let (before, after) = (rendering_of(&self.config), rendering_of(&config));
        for (name, kind) in before.sources.iter().filter(|source| !after.sources.contains(source)) {
            self.telemetry.source(name, kind).retire();
        }
        self.rendering.send_replace(after);
        self.config = config;
        let Self { config, store, clock, telemetry, governors, shown, way_in, .. } = &*self;
        self.generation =
            Generation::start(config, store, clock, telemetry, governors, shown, way_in).await?;
        Ok(())
    }

    /// Ends everything in order; what was read and not stored is read again next time.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.generation.end().await;
        self.serving.end().await?;
        self.store.close().await?;
        Ok(())
    }
}

fn rendering_of(config: &Config) -> Rendering {
    let github = config.github.iter().map(|source| (source.name.to_string(), Provider::Github.kind()));
    let pagerduty =
        config.pagerduty.iter().map(|source| (source.name.to_string(), Provider::Pagerduty.kind()));
    let prometheus = config.prometheus.iter().map(|_| (promql::NAME.to_owned(), promql::KIND));
    Rendering {
        organization: config.organization.clone(),
        limits: crate::exposition::Limits { series_max: config.max_series },
        resolution: config.history.resolution,
        sources: github.chain(pagerduty).chain(prometheus).collect(),
    }
}

fn now_seconds(clock: &SharedClock) -> f64 {
    crate::model::time::Timestamp::from(clock.now()).seconds()
}
