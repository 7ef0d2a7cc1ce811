//! The server: what was published, over HTTP. It computes nothing, writes nothing and never calls a source.
//!
//! Nothing that a client sends is a 5xx: the only one is 503 before the first snapshot. Requests carry no body that
//! is read. What a connection may cost is limited in `connection`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::exposition::Published;

mod connection;
mod negotiate;
mod page;
mod problem;
mod words;

pub use self::connection::ConnectionLimits;
use self::negotiate::{Encoding, Format};
use self::problem::Problem;

/// What the server serves; `None` until the first snapshot is published.
pub type PublishedReceiver = watch::Receiver<Option<Arc<Published>>>;

/// What the server needs.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// The newest publication. The configuration has been loaded when there is one.
    pub published: PublishedReceiver,
    /// What a client may cost.
    pub limits: ConnectionLimits,
}

impl ServerState {
    /// A state with the usual limits.
    pub fn new(published: PublishedReceiver) -> Self {
        Self { published, limits: ConnectionLimits::default() }
    }

    fn newest(&self) -> Option<Arc<Published>> {
        self.published.borrow().clone()
    }
}

/// Serves until `shutdown`, then lets requests under way finish for [`ConnectionLimits::drain`].
pub async fn serve(listener: TcpListener, state: ServerState, shutdown: CancellationToken) {
    let limits = state.limits;
    connection::accept(listener, router(state), limits, shutdown).await;
}

fn router(state: ServerState) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", any(reload))
        .fallback(async || Problem::NotFound.into_response())
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed.into_response())
        .layer(map_response(secured))
        .with_state(state)
}

async fn metrics(State(state): State<ServerState>, headers: HeaderMap) -> Response {
    let Some(published) = state.newest() else {
        return Problem::NotReady.into_response();
    };
    let format = negotiate::format(&joined(&headers, &ACCEPT));
    let encoding = negotiate::encoding(&joined(&headers, &ACCEPT_ENCODING));
    let rendered = &published.rendered;
    let body = match (format, encoding) {
        (Format::Text, Encoding::Identity) => &rendered.text,
        (Format::Text, Encoding::Gzip) => &rendered.text_gzip,
        (Format::OpenMetrics, Encoding::Identity) => &rendered.openmetrics,
        (Format::OpenMetrics, Encoding::Gzip) => &rendered.openmetrics_gzip,
    };
    let mut response = body.clone().into_response();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    fields.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if encoding == Encoding::Gzip {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

async fn healthy() -> &'static str {
    "healthy\n"
}

async fn ready(State(state): State<ServerState>) -> Response {
    match state.newest() {
        Some(_) => "ready\n".into_response(),
        None => Problem::NotReady.into_response(),
    }
}

/// Needs the push token; without `[server.push]` there is none, and nothing here.
async fn reload() -> Response {
    Problem::NoPush.into_response()
}

async fn landing(State(state): State<ServerState>) -> Response {
    match page::landing(state.newest().as_deref()) {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "the landing page was not rendered");
            Problem::PageFailed.into_response()
        }
    }
}

/// All values of a header that may occur several times, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let readable: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    readable.join(",")
}

/// Nothing is loaded from anywhere, framed, sniffed or kept.
async fn secured(mut response: Response) -> Response {
    for (name, value) in [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
