//! What outlives a reload: the renderer, and the server on a thread and a runtime of its own, so that a scrape never
//! waits for a backfill.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::render::{self, Rendering};
use crate::model::signal::Signals;
use crate::recompute::Computed;
use crate::server::{self, InboundReceiver, ServerState};
use crate::telemetry::Telemetry;

/// How long is waited at the end for what is still being computed for an answer: it has been told to end, so that this
/// is never reached; a process that does not end would be worse than an answer that is cut off.
const COMPUTING_ENDS_IN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Serving {
    stop: CancellationToken,
    renderer: TaskTracker,
    server: JoinHandle<()>,
}

impl Serving {
    pub(super) fn start(
        listener: TcpListener,
        telemetry: Telemetry,
        computed: watch::Receiver<Option<Arc<Computed>>>,
        rendering: watch::Receiver<Rendering>,
        signals: watch::Receiver<Signals>,
        inbound: InboundReceiver,
    ) -> anyhow::Result<Self> {
        let (stop, renderer) = (CancellationToken::new(), TaskTracker::new());
        let (published, newest) = watch::channel(None);
        let state = ServerState::new(newest).open(inbound, telemetry.clone());
        renderer.spawn(render::run(telemetry, computed, rendering, signals, published, stop.clone()));
        renderer.close();
        // The listener belongs to the runtime that made it, so the other one takes its socket over.
        let socket = listener.into_std().context("cannot hand the listener over")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stopped = stop.clone();
        let server = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            runtime.block_on(async move {
                match TcpListener::from_std(socket) {
                    Ok(listener) => server::serve(listener, state, stopped).await,
                    Err(error) => tracing::error!("cannot serve: {error}"),
                }
            });
            runtime.shutdown_timeout(COMPUTING_ENDS_IN);
        })?;
        Ok(Self { stop, renderer, server })
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.renderer.wait().await;
        let joined = tokio::task::spawn_blocking(move || self.server.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the server panicked"))
    }
}
