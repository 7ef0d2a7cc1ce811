//! The simulated servers on loopback ports.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Query, State};
use axum::http::header::{AUTHORIZATION, HOST, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, StatusCode};
use axum::response::Response;
use axum::{Router, serve as serve_on};
use http_body::Frame;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::{Answer, Request, Tally};
use super::faults::{Delivery, Faults, Spoiled, spoil};
use super::github::{Enterprise, Heaviness, Secondary};
use super::github::{GitHub, Rules};
use super::identity::{Identities, SharedIdentities, Token};
use super::pagerduty::PagerDutyApi;
use super::world::SharedWorld;

/// The largest body that is read: GraphQL documents are far smaller.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What the documentation grants a personal token of GitHub in an hour.
const GITHUB_POINTS_PER_HOUR: u64 = 5_000;
/// Whose the token of GitHub is, and what it may do.
const GITHUB_LOGIN: &str = "acme-sextant";
const GITHUB_SCOPES: [&str; 2] = ["repo", "read:org"];
/// What the documentation grants a key of `PagerDuty` in a minute.
const PAGERDUTY_REQUESTS_PER_MINUTE: u64 = 960;

/// What the servers accept and how they behave. The tokens are invented, and no secrets.
#[derive(Debug, Clone)]
pub struct Options {
    /// The token of GitHub: a classic one that sees everything.
    pub github_token: String,
    /// Everybody else whom GitHub knows.
    pub github_identities: Identities,
    /// The token of `PagerDuty`.
    pub pagerduty_token: String,
    /// GitHub's secondary limits; `None`: there are none, for worlds whose clock stands still.
    pub github_secondary: Option<Secondary>,
    /// How heavy a GraphQL query may be.
    pub github_heaviness: Heaviness,
    /// GitHub is an enterprise server.
    pub github_enterprise: Option<Enterprise>,
    /// GraphQL points in an hour of that token.
    pub github_points_per_hour: u64,
    /// `PagerDuty` requests in a minute.
    pub pagerduty_requests_per_minute: u64,
    /// How much later every answer comes, for measurements.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            github_token: "demo-github-token".to_owned(),
            github_identities: Identities::default(),
            pagerduty_token: "demo-pagerduty-token".to_owned(),
            github_secondary: None,
            github_heaviness: Heaviness::default(),
            github_enterprise: None,
            github_points_per_hour: GITHUB_POINTS_PER_HOUR,
            pagerduty_requests_per_minute: PAGERDUTY_REQUESTS_PER_MINUTE,
            latency: Duration::ZERO,
        }
    }
}

/// One running server: where it is, what it was asked, and what shall go wrong.
#[derive(Debug)]
pub struct Server {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// What it was asked.
    pub tally: Tally,
    /// What shall go wrong.
    pub faults: Faults,
}

/// Both servers over one world.
#[derive(Debug, Clone)]
pub struct Servers {
    /// GitHub.
    pub github: Arc<Server>,
    /// `PagerDuty`.
    pub pagerduty: Arc<Server>,
    /// Whom GitHub knows.
    pub identities: SharedIdentities,
}

/// Starts both servers on free loopback ports. They run on the tracker until `stop`, and hold no request back then.
pub async fn serve(
    world: SharedWorld,
    options: Options,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<Servers> {
    let Options {
        github_token,
        mut github_identities,
        github_secondary,
        github_heaviness,
        github_enterprise,
        pagerduty_token,
        github_points_per_hour,
        pagerduty_requests_per_minute,
        latency,
    } = options;
    let mut token = Token::classic(&github_token, GITHUB_LOGIN, &GITHUB_SCOPES);
    token.points_per_hour = github_points_per_hour;
    github_identities.tokens.insert(0, token);
    let identities = SharedIdentities::new(github_identities);
    let rules =
        Rules { secondary: github_secondary, heaviness: github_heaviness, enterprise: github_enterprise };
    let github = GitHub::new(identities.clone(), rules).map_err(io::Error::other)?;
    let pagerduty = PagerDutyApi::new(&pagerduty_token, pagerduty_requests_per_minute);
    let stage = Stage { world, tracker, stop, latency };
    Ok(Servers {
        github: stage.open(Api::GitHub(Box::new(github))).await?,
        pagerduty: stage.open(Api::PagerDuty(pagerduty)).await?,
        identities,
    })
}

#[derive(Debug)]
enum Api {
    GitHub(Box<GitHub>),
    PagerDuty(PagerDutyApi),
}

struct Stage<'a> {
    world: SharedWorld,
    tracker: &'a TaskTracker,
    stop: CancellationToken,
    latency: Duration,
}

impl Stage<'_> {
    async fn open(&self, api: Api) -> io::Result<Arc<Server>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let server = Arc::new(Server {
            url: format!("http://{}", listener.local_addr()?),
            tally: Tally::default(),
            faults: Faults::default(),
        });
        let desk = Arc::new(Desk {
            api,
            server: Arc::clone(&server),
            world: self.world.clone(),
            latency: self.latency,
            stop: self.stop.clone(),
            concurrent: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(handle).with_state(desk);
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let until_stopped = serve_on(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = until_stopped.await {
                tracing::warn!(%error, "a simulated server stopped");
            }
        });
        Ok(server)
    }
}

#[derive(Debug)]
struct Desk {
    api: Api,
    server: Arc<Server>,
    world: SharedWorld,
    latency: Duration,
    stop: CancellationToken,
    concurrent: AtomicUsize,
}

async fn handle(State(desk): State<Arc<Desk>>, request: HttpRequest<Body>) -> Response {
    let Some(mut request) = read(request).await else {
        return Response::new(Body::empty());
    };
    let present = Present::enter(&desk.concurrent);
    request.concurrent = present.others + 1;
    desk.server.tally.arrived(&request);
    let faults = desk.server.faults.of(&request);
    let (answer, now) = {
        let world = desk.world.lock();
        let answer = match &desk.api {
            Api::GitHub(github) => github.answer(&world, &request),
            Api::PagerDuty(pagerduty) => pagerduty.answer(&world, &request),
        };
        (answer, world.now)
    };
    desk.server.tally.charged(answer.points);
    let Spoiled { mut answer, delivery, late } = spoil(answer, faults);
    let number = desk.server.tally.requests();
    answer.headers.push(("x-github-request-id", format!("DE30:{number:04X}")));
    // The world's date, not the machine's: a client may measure the difference of clocks by it.
    let date = now.datetime().format("%a, %d %b %Y %H:%M:%S GMT");
    answer.headers.push(("date", date.to_string()));
    tokio::select! {
        () = desk.stop.cancelled() => {}
        () = wait(desk.latency + late, delivery) => {}
    }
    respond(answer, delivery)
}

/// A request that is being answered, until it is dropped.
struct Present<'a> {
    count: &'a AtomicUsize,
    others: usize,
}

impl<'a> Present<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { count, others: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn wait(latency: Duration, delivery: Delivery) {
    if delivery == Delivery::Never {
        std::future::pending::<()>().await;
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}

async fn read(request: HttpRequest<Body>) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query.unwrap_or_default(),
        authorization: header(AUTHORIZATION).map(str::to_owned),
        host: header(HOST).map(str::to_owned),
        user_agent: header(USER_AGENT).map(str::to_owned),
        concurrent: 0,
        body: to_bytes(body, BODY_BYTES_MAX).await.ok()?.to_vec(),
        operation: None,
    };
    request.name_operation();
    Some(request)
}

fn respond(answer: Answer, delivery: Delivery) -> Response {
    let Answer { status, headers, body, points: _ } = answer;
    let body = match delivery {
        Delivery::Whole | Delivery::Never => Body::from(body),
        Delivery::Broken => {
            let half = Bytes::copy_from_slice(body.get(..body.len() / 2).unwrap_or_default());
            Body::new(BrokenBody { half: Some(half), flushed: false })
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = ("content-type", "application/json; charset=utf-8".to_owned());
    for (name, value) in std::iter::once(json).chain(headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Half a body, and then the connection breaks.
struct BrokenBody {
    half: Option<Bytes>,
    flushed: bool,
}

impl HttpBody for BrokenBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            // The half is sent before the next poll; broken at once, nothing would ever leave.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))))
    }
}
