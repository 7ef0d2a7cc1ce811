//! The outbound client over real connections: one row for each way in which an answer can be bad.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use secrecy::SecretString;
use sextant::catalogue::Sample;
use sextant::clock::{Clock, SharedClock};
use sextant::http::{Answer, Bounds, Failure, Governors, Http, Options, Priority, Reason};
use sextant::model::secret::Credential;
use sextant::model::time::Span;
use sextant::telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const SECRET: &str = "s3cr3t-of-acme";
const BODY_BYTES: usize = 10_000;

#[derive(Debug)]
struct FixedClock(DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A clock that is set by hand.
#[derive(Debug)]
struct SetClock(Mutex<DateTime<Utc>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// A clock that is a second further whenever it is looked at: what was to be waited for is over at once.
#[derive(Debug, Default)]
struct HastyClock(AtomicI64);

impl Clock for HastyClock {
    fn now(&self) -> DateTime<Utc> {
        seconds(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// What a server answers with.
#[derive(Debug, Clone)]
enum Reply {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    Hang,
}

fn reply(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply::Answer(status, headers, body.into())
}

fn fine() -> Reply {
    reply(200, &[], "{}")
}

fn gzip(body: &[u8]) -> Reply {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    reply(200, &[("content-encoding", "gzip")], encoder.finish().unwrap())
}

#[derive(Debug, Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<(String, HeaderMap, Vec<u8>)>>,
}

/// A server which answers as it is told, the last reply for ever.
struct Server {
    url: String,
    script: Arc<Script>,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        script.replies.lock().unwrap().extend(replies);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, _serving: serving }
    }

    fn seen(&self) -> Vec<(String, HeaderMap, Vec<u8>)> {
        self.script.requests.lock().unwrap().clone()
    }

    fn http(&self) -> Http {
        http(&self.url, Credential::fixed(SecretString::from(SECRET)))
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    script.requests.lock().unwrap().push((line, parts.headers, body.into()));
    let reply = {
        let mut replies = script.replies.lock().unwrap();
        let reply = replies.pop_front().unwrap();
        if replies.is_empty() {
            replies.push_back(reply.clone());
        }
        reply
    };
    match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Answer(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
    }
}

fn http(url: &str, credential: Credential) -> Http {
    http_by(Arc::new(FixedClock(now())), url, credential)
}

fn http_by(clock: SharedClock, url: &str, credential: Credential) -> Http {
    http_with(clock, &Telemetry::new(), url, credential)
}

fn http_with(clock: SharedClock, telemetry: &Telemetry, url: &str, credential: Credential) -> Http {
    let telemetry = telemetry.source("acme", "pagerduty");
    Http::with_bounds(options(url, credential), BOUNDS, &Governors::default(), clock, telemetry).unwrap()
}

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    whole: Duration::from_millis(300),
    retries: 2,
    backoff: Duration::from_millis(2),
    short_wait: Duration::from_secs(10),
    body_bytes: BODY_BYTES,
};

fn options(url: &str, credential: Credential) -> Options {
    Options {
        source: "acme".to_owned(),
        base_url: url.to_owned(),
        scheme: "Token token=",
        credential,
        headers: vec![("accept", "application/vnd.acme+json")],
        identity: "acme's bot".to_owned(),
        budget: 0.8,
        ca_pem: None,
    }
}

async fn get(http: &Http, path: &str) -> Result<Answer, Failure> {
    get_with(http, path, &[]).await
}

async fn get_with(http: &Http, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
    http.get(http.admit("rest", 1, Priority::Live).await?, path, query).await
}

async fn post(http: &Http, body: &serde_json::Value) -> Result<Answer, Failure> {
    http.post(http.admit("graphql", 1, Priority::Live).await?, "/graphql", body).await
}

/// Whether `cost` more may be used, without using it.
async fn may(http: &Http, resource: &str, cost: u64) -> Result<(), Failure> {
    http.admit(resource, cost, Priority::Live).await.map(drop)
}

fn seconds(from_now: i64) -> DateTime<Utc> {
    now() + chrono::TimeDelta::seconds(from_now)
}

#[tokio::test]
async fn a_request_says_who_asks_for_what() {
    let server = Server::start([fine()]).await;
    let http = server.http();
    get_with(&http, "/incidents", &[("statuses[]", "triggered"), ("limit", "1 00")]).await.unwrap();
    post(&http, &serde_json::json!({"query": "{ viewer }"})).await.unwrap();

    let seen = server.seen();
    assert_eq!(seen[0].0, "GET /incidents?statuses%5B%5D=triggered&limit=1+00");
    assert_eq!(seen[0].1["authorization"], format!("Token token={SECRET}"));
    assert_eq!(seen[0].1["accept"], "application/vnd.acme+json");
    assert_eq!(seen[0].1["user-agent"], concat!("sextant/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen[0].1["accept-encoding"], "gzip");
    assert_eq!(seen[1].0, "POST /graphql");
    assert_eq!(seen[1].1["content-type"], "application/json");
    assert_eq!(seen[1].2, br#"{"query":"{ viewer }"}"#);
}

#[tokio::test]
async fn every_bad_answer_has_its_reason_and_its_number_of_requests() {
    let refused = |status| vec![reply(status, &[], "no")];
    for (replies, reason, requests, retry_at) in [
        (refused(401), Reason::Auth, 1, None),
        (refused(402), Reason::Forbidden, 1, None),
        (refused(403), Reason::Forbidden, 1, None),
        (refused(404), Reason::NotFound, 1, None),
        (refused(410), Reason::NotFound, 1, None),
        (refused(451), Reason::Forbidden, 1, None),
        (refused(400), Reason::Malformed, 1, None),
        (refused(304), Reason::Malformed, 1, None),
        (refused(408), Reason::Timeout, 3, None),
        (refused(500), Reason::Server, 3, None),
        (refused(502), Reason::Server, 3, None),
        (refused(429), Reason::RateLimited, 1, Some(seconds(60))),
        (vec![reply(429, &[("retry-after", "1000")], "")], Reason::RateLimited, 1, Some(seconds(1_000))),
        (vec![reply(503, &[("retry-after", "1000")], "")], Reason::Server, 1, Some(seconds(1_000))),
        (vec![reply(403, &[], "secondary rate limit")], Reason::RateLimited, 1, Some(seconds(60))),
        (vec![reply(200, &[], vec![b' '; BODY_BYTES + 1])], Reason::Malformed, 1, None),
        (vec![reply(200, &[("content-encoding", "gzip")], "plain")], Reason::Network, 3, None),
        (vec![gzip(&[b' '; BODY_BYTES + 1])], Reason::Malformed, 1, None),
        (vec![Reply::Hang], Reason::Timeout, 3, None),
    ] {
        let server = Server::start(replies.clone()).await;
        let failure = get_with(&server.http(), "/incidents", &[("q", "quiet")]).await.unwrap_err();
        assert_eq!((failure.reason, failure.retry_at), (reason, retry_at), "{replies:?}: {failure}");
        assert_eq!(server.seen().len(), requests, "{replies:?}");
        let said = failure.to_string();
        assert!(said.starts_with("acme: GET http://127.0.0.1:"), "{said}");
        assert!(!said.contains("quiet"), "{said}");
    }
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    for replies in
        [vec![gzip(b"{}")], vec![reply(502, &[], ""), reply(500, &[], ""), fine()], vec![Reply::Hang, fine()]]
    {
        let asked = replies.len();
        let server = Server::start(replies).await;
        let answer = post(&server.http(), &serde_json::json!({})).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), server.seen().len()), (200, &b"{}"[..], asked));
    }
}

#[tokio::test]
async fn a_short_pause_is_waited_for() {
    for status in [403, 429, 503] {
        let server = Server::start([reply(status, &[("retry-after", "1")], ""), fine()]).await;
        let clock = Arc::new(HastyClock::default());
        let http = http_by(clock, &server.url, Credential::fixed(SecretString::from(SECRET)));
        get(&http, "/x").await.unwrap();
        assert_eq!(server.seen().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_or_breaks_is_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = http(&url, Credential::fixed(SecretString::from(SECRET)));

    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut received = [0; 4_096];
            while !received.windows(4).any(|end| end == b"\r\n\r\n") {
                stream.readable().await.unwrap();
                if stream.try_read(&mut received).is_ok_and(|count| count == 0) {
                    break;
                }
            }
            stream.try_write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":").unwrap();
        }
    });
    let failure = get(&client, "/x").await.unwrap_err();
    assert_eq!(failure.reason, Reason::Network, "{failure}");

    serving.shutdown().await;
    let failure = get(&client, "/x").await.unwrap_err();
    assert_eq!(failure.reason, Reason::Network, "{failure}");
    assert!(failure.what.contains("refused"), "{failure}");
}

#[tokio::test]
async fn the_secret_is_in_no_message_and_no_debug() {
    let echo = format!("bad token {SECRET}");
    for (status, location) in [(401, ""), (403, ""), (500, ""), (302, SECRET)] {
        let server = Server::start([reply(status, &[("location", location)], echo.as_bytes())]).await;
        let http = server.http();
        let failure = get(&http, "/incidents").await.unwrap_err();
        for text in [failure.to_string(), format!("{failure:?}"), format!("{http:#?}")] {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_not_sent() {
    for (token, said) in [
        (Ok(""), "the token is empty"),
        (Ok("  \n"), "the token is empty"),
        (Ok("two\nlines"), "the token has characters that no token has"),
        (Err("GITHUB_TOKEN is not set"), "GITHUB_TOKEN is not set"),
    ] {
        let server = Server::start([fine()]).await;
        let credential = Credential::new(move || token.map(SecretString::from).map_err(str::to_owned));
        let failure = get(&http(&server.url, credential), "/x").await.unwrap_err();
        assert_eq!((failure.reason, failure.what), (Reason::Auth, format!("acme: {said}")));
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_token_is_read_for_each_request_and_trimmed() {
    let server = Server::start([fine()]).await;
    let tokens = Mutex::new(VecDeque::from(["old\n", "new\n"]));
    let credential =
        Credential::new(move || Ok(SecretString::from(tokens.lock().unwrap().pop_front().unwrap())));
    let http = http(&server.url, credential);
    get(&http, "/x").await.unwrap();
    get(&http, "/x").await.unwrap();
    let sent: Vec<_> =
        server.seen().into_iter().map(|(_, headers, _)| headers["authorization"].clone()).collect();
    assert_eq!(sent, ["Token token=old", "Token token=new"]);
}

#[tokio::test]
async fn redirects_on_the_same_host_are_followed_and_others_are_not() {
    let elsewhere = Server::start([fine()]).await;
    let away = format!("{}/stolen?token=1", elsewhere.url);
    let server = Server::start([reply(301, &[("location", &away)], "")]).await;
    let failure = get(&server.http(), "/x").await.unwrap_err();
    assert_eq!(failure.reason, Reason::Malformed);
    assert!(failure.what.ends_with(&format!("redirected to {}, which is not followed", elsewhere.url)));
    assert!(elsewhere.seen().is_empty());

    let server = Server::start([reply(301, &[("location", "/renamed")], ""), fine()]).await;
    get(&server.http(), "/x").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[1].0, "GET /renamed");
    assert_eq!(seen[1].1["authorization"], format!("Token token={SECRET}"));

    let server = Server::start([reply(301, &[("location", "/x")], "")]).await;
    let failure = get(&server.http(), "/x").await.unwrap_err();
    assert_eq!((failure.reason, server.seen().len()), (Reason::Malformed, 4));
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_not_asked_for() {
    let server = Server::start([fine()]).await;
    for path in ["/incidents/../users", "//evil.example", "incidents", "/incidents//"] {
        assert_eq!(get(&server.http(), path).await.unwrap_err().reason, Reason::Malformed);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn nothing_is_asked_while_the_source_wants_a_pause() {
    let server = Server::start([reply(429, &[("retry-after", "100")], ""), fine()]).await;
    let http = server.http();
    get(&http, "/x").await.unwrap_err();
    let failure = get(&http.clone(), "/y").await.unwrap_err();
    assert_eq!((failure.reason, failure.retry_at), (Reason::RateLimited, Some(seconds(100))));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_used_up_resource_does_not_stop_the_others() {
    let used_up = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1800000600"),
        ("x-ratelimit-resource", "core"),
    ];
    let server = Server::start([reply(403, &used_up, ""), fine()]).await;
    let http = server.http();
    let failure = get(&http, "/x").await.unwrap_err();
    assert_eq!((failure.reason, failure.retry_at), (Reason::RateLimited, Some(seconds(600))));
    assert_eq!(may(&http, "core", 1).await.unwrap_err().retry_at, Some(seconds(600)));
    assert_eq!(may(&http, "graphql", 1).await, Ok(()));
    post(&http, &serde_json::json!({})).await.unwrap();
}

#[tokio::test]
async fn clones_share_the_budget_that_headers_and_bodies_state() {
    let near = [("ratelimit-limit", "960"), ("ratelimit-remaining", "193"), ("ratelimit-reset", "12")];
    let server = Server::start([reply(200, &near, "{}")]).await;
    let http = server.http();
    let clone = http.clone();
    get(&http, "/x").await.unwrap();
    assert_eq!(may(&clone, "rest", 1).await, Ok(()));
    let refusal = may(&clone, "rest", 2).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_at), (Reason::RateLimited, Some(seconds(12))));

    http.observe_limit("graphql", 5_000, 1_000, now() + chrono::TimeDelta::seconds(600));
    assert_eq!(may(&clone, "graphql", 1).await.unwrap_err().retry_at, Some(seconds(600)));
}

#[tokio::test]
async fn every_request_and_every_failure_is_counted_and_no_secret_with_them() {
    let used_up = [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1800000600"),
        ("x-ratelimit-resource", SECRET),
    ];
    let replies = [reply(500, &[], ""), reply(401, &used_up, SECRET), fine()];
    let server = Server::start(replies).await;
    let telemetry = Telemetry::new();
    let http = http_with(
        Arc::new(FixedClock(now())),
        &telemetry,
        &server.url,
        Credential::fixed(SecretString::from(SECRET)),
    );
    get(&http, "/x").await.unwrap_err();
    let answer = get(&http, "/x").await.unwrap();
    http.read::<Vec<u64>>(&answer, "the list").unwrap_err();
    http.observe_limit("graphql", 5_000, 1_000, seconds(600));

    let families = telemetry.gather();
    let value = |name: &str, label: &str| {
        let family = families.iter().find(|family| family.metric.name == name).unwrap();
        let has = |sample: &&Sample| sample.labels.iter().any(|(_, value)| value == label);
        family.samples.iter().find(has).map(|sample| sample.value)
    };
    let failures = "sextant_source_request_failures_total";
    for (name, label, expected) in [
        ("sextant_source_requests_total", "acme", 3.0),
        (failures, "server", 1.0),
        (failures, "auth", 1.0),
        (failures, "malformed", 1.0),
        (failures, "network", 0.0),
        ("sextant_source_rate_limit", "graphql", 5_000.0),
        ("sextant_source_rate_limit_remaining", "graphql", 1_000.0),
        ("sextant_source_rate_limit_reset_timestamp_seconds", "graphql", 1_800_000_600.0),
    ] {
        assert_eq!(value(name, label), Some(expected), "{name} {label}");
    }
    assert!(!format!("{families:?}").contains(SECRET));
}

#[tokio::test]
async fn json_that_cannot_be_read_is_malformed() {
    for body in ["", "{", "<html>", "[1]", r#"{"a": "s3cr3t-of-acme"}"#] {
        let server = Server::start([reply(200, &[("content-type", "application/json")], body)]).await;
        let http = server.http();
        let answer = get(&http, "/x").await.unwrap();
        let failure = http.read::<std::collections::BTreeMap<String, u64>>(&answer, "the list").unwrap_err();
        assert_eq!(failure.reason, Reason::Malformed);
        assert!(!failure.what.contains(SECRET), "{failure}");
        assert!(failure.what.starts_with("acme: the list: the answer cannot be read: "), "{failure}");
    }
}

#[tokio::test]
async fn clients_of_one_identity_share_its_pauses_and_its_budget() {
    let server = Server::start([reply(403, &[], "You have exceeded a secondary rate limit."), fine()]).await;
    let governors = Governors::default();
    let client = |identity: &str| {
        let options = options(&server.url, Credential::fixed(SecretString::from(SECRET)));
        let options = Options { identity: identity.to_owned(), ..options };
        let telemetry = Telemetry::new().source("acme", "github");
        Http::with_bounds(options, BOUNDS, &governors, Arc::new(FixedClock(now())), telemetry).unwrap()
    };
    let (one, same, other) = (client("env A"), client("env A"), client("env B"));
    get(&one, "/x").await.unwrap_err();
    assert_eq!(may(&same, "graphql", 1).await.unwrap_err().retry_at, Some(seconds(60)));
    get(&other, "/x").await.unwrap();

    other.observe_limit("core", 100, 21, seconds(600));
    let third = one.signed_in_as("env B".to_owned(), Credential::fixed("t".into()), &governors);
    let held = third.admit("core", 1, Priority::Live).await.unwrap();
    assert_eq!(may(&other, "core", 1).await.unwrap_err().reason, Reason::RateLimited);
    drop(held);
    may(&other, "core", 1).await.unwrap();
    assert_eq!(other.admit("core", 1, Priority::Backfill).await.unwrap_err().reason, Reason::RateLimited);
    assert_eq!(third.allowance("core", Span::from_minutes(10)), Some(1));
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_there_are_places() {
    let server = Server::start([fine()]).await;
    let http = server.http();
    for (resource, places) in [("graphql", 2), ("core", 8)] {
        let mut held = Vec::new();
        for _ in 0..places {
            held.push(http.admit(resource, 1, Priority::Live).await.unwrap());
        }
        assert!(http.admit(resource, 1, Priority::Live).now_or_never().is_none(), "{resource}");
        drop(held.pop());
        assert!(http.admit(resource, 1, Priority::Live).now_or_never().is_some(), "{resource}");
    }
}

#[tokio::test]
async fn what_is_asked_again_is_paid_again() {
    let server = Server::start([reply(502, &[], "")]).await;
    let http = server.http();
    http.observe_limit("rest", 100, 22, seconds(600));
    let failure = get(&http, "/x").await.unwrap_err();
    assert_eq!((failure.reason, failure.retry_at), (Reason::RateLimited, Some(seconds(600))));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_repeated_secondary_limit_waits_longer() {
    let refused = || reply(429, &[], "You have exceeded a secondary rate limit.");
    let server = Server::start([refused()]).await;
    let clock = Arc::new(SetClock(Mutex::new(now())));
    let http = http_by(Arc::<SetClock>::clone(&clock), &server.url, Credential::fixed("t".into()));
    let mut at = now();
    for minutes in [1, 2, 4, 8] {
        let until = at + chrono::TimeDelta::minutes(minutes);
        assert_eq!(get(&http, "/x").await.unwrap_err().retry_at, Some(until));
        at = until;
        *clock.0.lock().unwrap() = at;
    }
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn certificates_of_our_own_are_added_or_refused() {
    let fine = include_bytes!("../fixtures/tls/ca.pem").to_vec();
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    for (pem, expected) in [(fine, true), (Vec::new(), false), (b"hunter2".to_vec(), false), (broken, false)]
    {
        let options =
            options("https://ghe.acme.example/api/v3", Credential::fixed(SecretString::from(SECRET)));
        let options = Options { ca_pem: Some(pem), ..options };
        let telemetry = Telemetry::new().source("acme", "github");
        let http = Http::new(options, &Governors::default(), Arc::new(FixedClock(now())), telemetry);
        match http {
            Ok(_) => assert!(expected),
            Err(failure) => {
                assert!(!expected && !failure.what.contains("hunter2"), "{failure}");
                assert!(failure.what.contains("certificate"), "{failure}");
            }
        }
    }
}
