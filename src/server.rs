//! The server: what was published, over HTTP, and the way in for webhooks and pushes. It stores nothing itself and never
//! calls a source: what comes in goes to the daemon's tasks. All that it computes is history, which the engine has for
//! any instant, in `computing`.
//!
//! Nothing that a client sends is a 5xx: 503 says that the first snapshot is not there yet, or that the daemon cannot
//! do now what it was asked. What a connection may cost is limited in `connection`, and bodies, which are read by
//! `/webhooks/` and `/api/v1/` alone, in `body`.

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
use axum::routing::{get, post, put};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::exposition::Published;
use crate::telemetry::Telemetry;

mod body;
mod computing;
mod connection;
mod deliveries;
mod deployments;
mod events;
mod evidence;
mod explain;
mod inbound;
mod measure_page;
mod negotiate;
mod page;
mod parameters;
mod problem;
mod read;
mod reload;
mod runbooks;
mod series;
mod signal_view;
mod signals;
mod signature;
mod sources;
mod webhook;
mod words;

use self::body::Bodies;
use self::computing::Computing;
pub use self::connection::ConnectionLimits;
use self::deliveries::Deliveries;
pub use self::inbound::{Inbound, PushedDeployment, PushedValue, Refused, SignalsIn, Told, ToldSignal};
use self::negotiate::{Encoding, Format};
use self::problem::Problem;

/// What the server serves; `None` until the first snapshot is published.
pub type PublishedReceiver = watch::Receiver<Option<Arc<Published>>>;

/// What may come in; `None` without `[server.push]`.
pub type InboundReceiver = watch::Receiver<Option<Arc<Inbound>>>;

/// What the server needs.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// The newest publication. The configuration has been loaded when there is one.
    published: PublishedReceiver,
    /// What a client may cost.
    limits: ConnectionLimits,
    /// The daemon's own numbers, in which webhooks are counted.
    telemetry: Telemetry,
    inbound: InboundReceiver,
    bodies: Bodies,
    computing: Computing,
    deliveries: Deliveries,
    /// Places for those who ask why a team stands as it does: they do not wait for history.
    explaining: Computing,
}

impl ServerState {
    /// A state with the usual limits, in which nothing may come in.
    pub fn new(published: PublishedReceiver) -> Self {
        let (_, nothing) = watch::channel(None);
        Self {
            published,
            limits: ConnectionLimits::default(),
            telemetry: Telemetry::new(),
            inbound: nothing,
            bodies: Bodies::new(),
            computing: Computing::new(CancellationToken::new()),
            deliveries: Deliveries::default(),
            explaining: Computing::new(CancellationToken::new()),
        }
    }

    /// With other limits of what a client may cost.
    #[must_use]
    pub fn limited(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// With what may come in, and the numbers in which that is counted.
    #[must_use]
    pub fn open(self, inbound: InboundReceiver, telemetry: Telemetry) -> Self {
        Self { telemetry, inbound, ..self }
    }

    /// With work that ends when the server does.
    fn until(self, shutdown: &CancellationToken) -> Self {
        let places = || Computing::new(shutdown.clone());
        Self { computing: places(), explaining: places(), ..self }
    }

    fn inbound(&self) -> Option<Arc<Inbound>> {
        self.inbound.borrow().clone()
    }

    fn newest(&self) -> Option<Arc<Published>> {
        self.published.borrow().clone()
    }
}

/// Serves until `shutdown`, then lets requests under way finish for [`ConnectionLimits::drain`]; those for which history
/// is being computed are told that it ends.
pub async fn serve(listener: TcpListener, state: ServerState, shutdown: CancellationToken) {
    let limits = state.limits;
    connection::accept(listener, router(state.until(&shutdown)), limits, shutdown).await;
}

fn router(state: ServerState) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(metrics))
        .route("/sources", get(sources_page))
        .route("/teams/{team}/{measure}", get(explain::page))
        .route("/api/v1/teams/{team}/explain/{measure}", get(explain::json))
        .route("/runbooks/{alert}", get(runbooks::runbook))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload::reload))
        .route("/webhooks/github", post(webhook::github))
        .route("/api/v1/read", post(read::read))
        .route("/api/v1/series", get(series::series))
        .route("/api/v1/deployments/{source}/{id}", put(deployments::put).delete(deployments::delete))
        .route("/api/v1/signals/{name}", put(signals::put))
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

async fn landing(State(state): State<ServerState>) -> Response {
    shown(page::landing(state.newest().as_deref()))
}

async fn sources_page(State(state): State<ServerState>) -> Response {
    shown(sources::sources(&state, state.newest().as_deref()))
}

fn shown(page: Result<String, askama::Error>) -> Response {
    match page {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            Problem::Failed.into_response()
        }
    }
}

/// Counts webhooks of every event from 0 on, so that `increase()` sees the first.
pub fn expect_webhooks(telemetry: &Telemetry) {
    telemetry.webhooks_expected(events::EVENTS, webhook::EXPECTED);
    telemetry.webhooks_expected(&[events::OTHER], webhook::EXPECTED);
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
