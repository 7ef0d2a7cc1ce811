//! Everything that a configuration decides: one collect task for each source, and recompute.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::SharedClock;
use crate::collect::Collector;
use crate::config::Config;
use crate::http::Governors;
use crate::model::time::Span;
use crate::recompute::{Computed, Recompute};
use crate::source::Provider;
use crate::source::github::Github;
use crate::source::pagerduty::Pagerduty;
use crate::store::sqlite::SqliteStore;
use crate::telemetry::{SourceTelemetry, Telemetry};

/// Applied batches that recompute has not looked at yet. It drains them even while it waits, so a few suffice.
const CHANGES_QUEUED: usize = 64;
/// Tasks end at their next await after they are told to; this is only for one that hangs in the operating system.
const END_TIMEOUT: Duration = Duration::from_secs(10);

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
        computed: &watch::Sender<Option<Arc<Computed>>>,
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
        for config in &config.github {
            let own = telemetry.source(config.name.as_str(), Provider::Github.kind());
            let source = Github::new(config.clone(), governors, Arc::clone(clock), own.clone());
            let source = source.with_context(|| format!("cannot set up {}", config.name))?;
            tasks.spawn(collector(own, config.poll_interval).run(source, stop.clone()));
        }
        for config in &config.pagerduty {
            let own = telemetry.source(config.name.as_str(), Provider::Pagerduty.kind());
            let source = Pagerduty::new(config.clone(), governors, Arc::clone(clock), own.clone());
            let source = source.with_context(|| format!("cannot set up {}", config.name))?;
            tasks.spawn(collector(own, config.poll_interval).run(source, stop.clone()));
        }
        tasks.spawn(recompute.run(changes, computed.clone(), stop.clone()));
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
