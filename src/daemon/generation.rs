//! Everything that a configuration decides: one collect task for each source, and recompute.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::push::Pushed;
use super::push_signals;
use crate::clock::SharedClock;
use crate::collect::Collector;
use crate::collect::signals::{Board, Reader};
use crate::config::{Config, Push};
use crate::http::Governors;
use crate::model::dirty::Dirty;
use crate::model::signal::Signals;
use crate::model::time::Span;
use crate::recompute::{Computed, Recompute};
use crate::server::{Inbound, SignalsIn, Told, expect_webhooks};
use crate::source::Provider;
use crate::source::github::Github;
use crate::source::pagerduty::Pagerduty;
use crate::source::promql::{self, Promql};
use crate::store::sqlite::SqliteStore;
use crate::telemetry::{SourceTelemetry, Telemetry};

/// Webhooks that a source has not looked at yet, while it polls or pauses. When there are more, they are counted as
/// dropped and the next poll finds what they were about.
const TOLD_QUEUED: usize = 1_024;
/// Pushed deployments that are not stored yet: whoever pushes waits for the answer, so there are few.
const PUSHED_QUEUED: usize = 64;
/// Applied batches that recompute has not looked at yet. It drains them even while it waits, so a few suffice.
const CHANGES_QUEUED: usize = 64;
/// Tasks end at their next await after they are told to; this is only for one that hangs in the operating system.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// What may come in, for whichever generation is running.
#[derive(Debug)]
pub(super) struct WayIn {
    pub(super) inbound: watch::Sender<Option<Arc<Inbound>>>,
    /// Whoever reads the configuration again.
    pub(super) reload: mpsc::Sender<oneshot::Sender<Result<(), String>>>,
}

impl WayIn {
    fn open(
        &self,
        push: Option<&Push>,
        telemetry: &Telemetry,
        github: Vec<mpsc::Sender<Vec<Dirty>>>,
        deployments: mpsc::Sender<Told>,
        signals: SignalsIn,
    ) {
        let inbound = push.map(|push| Inbound {
            token: push.token.clone(),
            github_webhook_secret: push.github_webhook_secret.clone(),
            github,
            reload: self.reload.clone(),
            deployments,
            signals,
        });
        if inbound.as_ref().is_some_and(|inbound| inbound.github_webhook_secret.is_some()) {
            expect_webhooks(telemetry);
        }
        self.inbound.send_replace(inbound.map(Arc::new));
    }
}

/// What a generation shows, and what the next one goes on with.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) computed: watch::Sender<Option<Arc<Computed>>>,
    pub(super) signals: watch::Sender<Signals>,
}

/// Reads north stars and signals, if any has a query.
fn reader(
    config: &Config,
    board: &Board<SqliteStore>,
    governors: &Governors,
    clock: &SharedClock,
    telemetry: &Telemetry,
) -> anyhow::Result<Option<Reader<SqliteStore>>> {
    let Some(prometheus) = config.prometheus.as_ref() else {
        return Ok(None);
    };
    let own = telemetry.source(promql::NAME, promql::KIND);
    let promql = Promql::new(prometheus, governors, Arc::clone(clock), own.clone());
    let promql = promql.context("cannot set up [prometheus]")?;
    let (board, clock) = (board.clone(), Arc::clone(clock));
    Ok(Some(Reader::new(board, promql, &config.signals, clock, own, prometheus.poll_interval)))
}

#[derive(Debug)]
pub(super) struct Generation {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Generation {
    /// Reads the store, then starts the tasks.
    pub(super) async fn start(
        config: &Config,
        store: &SqliteStore,
        clock: &SharedClock,
        telemetry: &Telemetry,
        governors: &Governors,
        shown: &Shown,
        way_in: &WayIn,
    ) -> anyhow::Result<Self> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        // Tasks that run already when a later one cannot start must not go on by themselves.
        let guard = stop.clone().drop_guard();
        let (settings, rules) = (config.metrics.clone(), config.ownership.clone());
        let recompute = Recompute::load(store.clone(), Arc::clone(clock), settings, rules).await?;
        let (sender, changes) = mpsc::channel(CHANGES_QUEUED);
        let collector = |telemetry: SourceTelemetry, poll_interval: Span| Collector {
            store: store.clone(),
            clock: Arc::clone(clock),
            telemetry,
            poll_interval,
            changes: sender.clone(),
        };
        let mut github = Vec::new();
        for config in &config.github {
            let own = telemetry.source(config.name.as_str(), Provider::Github.kind());
            let source = Github::new(config.clone(), governors, Arc::clone(clock), own.clone());
            let source = source.with_context(|| format!("cannot set up {}", config.name))?;
            let (tell, told) = mpsc::channel(TOLD_QUEUED);
            github.push(tell);
            tasks.spawn(collector(own, config.poll_interval).run(source, told, stop.clone()));
        }
        for config in &config.pagerduty {
            let own = telemetry.source(config.name.as_str(), Provider::Pagerduty.kind());
            let source = Pagerduty::new(config.clone(), governors, Arc::clone(clock), own.clone());
            let source = source.with_context(|| format!("cannot set up {}", config.name))?;
            // Nobody tells it anything.
            let (_, told) = mpsc::channel(1);
            tasks.spawn(collector(own, config.poll_interval).run(source, told, stop.clone()));
        }
        let (deployments, told) = mpsc::channel(PUSHED_QUEUED);
        let pushed = Pushed {
            store: store.clone(),
            clock: Arc::clone(clock),
            rules: Arc::new(config.ownership.clone()),
            changes: sender,
        };
        tasks.spawn(pushed.run(told, stop.clone()));
        let board = Board::load(store.clone(), &config.signals, shown.signals.clone()).await?;
        if let Some(reader) = reader(config, &board, governors, clock, telemetry)? {
            tasks.spawn(reader.run(stop.clone()));
        }
        let (signals, told) = mpsc::channel(PUSHED_QUEUED);
        tasks.spawn(push_signals::run(board, Arc::clone(clock), told, stop.clone()));
        let signals = SignalsIn { rules: config.signals.clone().into(), told: signals };
        way_in.open(config.server.push.as_ref(), telemetry, github, deployments, signals);
        tasks.spawn(recompute.run(changes, shown.computed.clone(), stop.clone()));
        tasks.close();
        guard.disarm();
        Ok(Self { stop, tasks })
    }

    /// Stops the tasks and waits for them.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        if tokio::time::timeout(END_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end within {} s", END_TIMEOUT.as_secs());
        }
    }
}
