//! Connections, and what each may cost: a slow, idle or greedy client is cut off, the others notice nothing.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What clients may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Bytes of a request line with all headers: 431 beyond.
    pub head_bytes_max: usize,
    /// How long a request's head may take; also how long a connection may stay idle.
    pub head_read: Duration,
    /// How long a connection may last, then it is closed after the response under way. Whoever reads slowly holds the
    /// bytes of an old snapshot, so this bounds how many old ones there are.
    pub connection: Duration,
    /// How long a response under way may still take after that, and at shutdown.
    pub drain: Duration,
}

impl Default for ConnectionLimits {
    /// Enough for some dozens of Prometheus servers and browsers.
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_bytes_max: 16 * 1024,
            head_read: Duration::from_secs(30),
            connection: Duration::from_mins(5),
            drain: Duration::from_secs(10),
        }
    }
}

/// Header fields of a request: 431 beyond. Prometheus sends about six, a browser about twenty.
const HEADERS_MAX: usize = 64;

/// How long to wait after a connection could not be accepted: mostly there are too many open files, which an immediate
/// second attempt would not change.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Accepts connections until `shutdown`, then waits for those under way.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let next = async {
            // The semaphore is never closed; without a permit nothing is accepted.
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let (permit, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next => match next {
                Some(next) => next,
                None => break,
            },
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    if let Err(error) = connection(stream, router, limits, shutdown).await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    // A response is written at once: waiting to fill a packet would only delay its end.
    stream.set_nodelay(true)?;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_read)
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.head_bytes_max);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    tokio::select! {
        outcome = serving.as_mut() => return outcome.map_err(io::Error::other),
        () = shutdown.cancelled() => {}
        () = sleep(limits.connection) => {}
    }
    serving.as_mut().graceful_shutdown();
    let outcome = timeout(limits.drain, serving).await?;
    outcome.map_err(io::Error::other)
}
