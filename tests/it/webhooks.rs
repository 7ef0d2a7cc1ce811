//! GitHub's webhooks, over real HTTP: what is signed is heard, what is not is refused, and nothing breaks.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use reqwest::{Client, RequestBuilder};
use secrecy::SecretString;
use sextant::model::dirty::{Dirty, Stream};
use sextant::model::secret::Credential;
use sextant::server::{Inbound, ServerState, SignalsIn, Told, ToldSignal, serve};
use sextant::telemetry::Telemetry;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(crate) const SECRET: &str = "It's a Secret to Everybody";
pub(crate) const TOKEN: &str = "a-push-token";

/// A server into which things may come, and the other ends.
pub(crate) struct Open {
    address: SocketAddr,
    client: Client,
    telemetry: Telemetry,
    pub(crate) inbound: watch::Sender<Option<Arc<Inbound>>>,
    told: mpsc::Receiver<Vec<Dirty>>,
    pub(crate) reloads: mpsc::Receiver<oneshot::Sender<Result<(), String>>>,
    pub(crate) deployments: mpsc::Receiver<Told>,
    pub(crate) signals: mpsc::Receiver<ToldSignal>,
    _stop: DropGuard,
}

impl Open {
    pub(crate) async fn new() -> Self {
        Self::with_queue(1_000).await
    }

    async fn with_queue(length: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel(length);
        let (reload, reloads) = mpsc::channel(1);
        let (deployment, deployments) = mpsc::channel(1);
        let (signal, signals) = mpsc::channel(1);
        let inbound = Inbound {
            token: Credential::fixed(SecretString::from(TOKEN)),
            github_webhook_secret: Some(Credential::fixed(SecretString::from(SECRET))),
            github: vec![tell],
            reload,
            deployments: deployment,
            signals: SignalsIn { rules: Arc::default(), told: signal },
        };
        let (inbound, receiver) = watch::channel(Some(Arc::new(inbound)));
        let telemetry = Telemetry::new();
        let state = ServerState::new(watch::channel(None).1).open(receiver, telemetry.clone());
        let stop = CancellationToken::new();
        TaskTracker::new().spawn(serve(listener, state, stop.clone()));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            address,
            client,
            telemetry,
            inbound,
            told,
            reloads,
            deployments,
            signals,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("http://{}{path}", self.address))
    }

    fn webhook(&self, event: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.request("POST", "/webhooks/github").header("x-github-event", event).body(body.into())
    }

    /// Sends a webhook as GitHub would; the status.
    async fn signed(&self, event: &str, delivery: &str, body: &str) -> u16 {
        let request = self.webhook(event, body).header("x-github-delivery", delivery);
        status(request.header("x-hub-signature-256", signature(SECRET, body.as_bytes()))).await
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Inbound)) {
        let mut inbound = Inbound::clone(self.inbound.borrow().as_ref().unwrap());
        change(&mut inbound);
        self.inbound.send_replace(Some(Arc::new(inbound)));
    }

    fn counted(&self, event: &str, outcome: &str) -> String {
        let families = self.telemetry.gather();
        let family = families.iter().find(|family| family.metric.name == "sextant_webhooks_total");
        let samples = family.map(|family| family.samples.as_slice()).unwrap_or_default();
        let found = samples
            .iter()
            .find(|sample| sample.label("event") == Some(event) && sample.label("outcome") == Some(outcome));
        found.map_or(0.0, |sample| sample.value).to_string()
    }

    fn counted_events(&self) -> usize {
        let families = self.telemetry.gather();
        let family = families.iter().find(|family| family.metric.name == "sextant_webhooks_total").unwrap();
        family.samples.len()
    }
}

/// As GitHub signs.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    let mut signature = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").unwrap();
    }
    signature
}

/// The status of an answer, which is a problem document unless it is good.
pub(crate) async fn status(request: RequestBuilder) -> u16 {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    if !status.is_success() {
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{status}");
        let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(problem["status"], status.as_u16());
    }
    status.as_u16()
}

const PUSH: &str = r#"{"ref": "refs/heads/main", "repository": {"id": 7, "default_branch": "main"}}"#;
const COMMITS: Dirty = Dirty { repository: Some(7), stream: Stream::Commits };

#[tokio::test]
async fn a_signed_webhook_is_heard_once_and_wakes_the_source() {
    let mut server = Open::new().await;
    assert_eq!(server.signed("push", "one", PUSH).await, 202);
    assert_eq!(server.told.try_recv().unwrap(), [COMMITS]);
    assert_eq!(server.signed("push", "one", PUSH).await, 202, "delivered again");
    assert!(server.told.try_recv().is_err(), "and not read again");
    assert_eq!(server.signed("push", "two", PUSH).await, 202);
    assert_eq!(server.told.try_recv().unwrap(), [COMMITS]);
    assert_eq!(server.signed("ping", "three", r#"{"zen": "Keep it logically awesome."}"#).await, 200);
    assert_eq!(server.signed("star", "four", r#"{"repository": {"id": 7}}"#).await, 202);
    assert_eq!(server.signed("no such event", "five", "{}").await, 202);
    assert!(server.told.try_recv().is_err());
    for (event, outcome, count) in [
        ("push", "accepted", "2"),
        ("push", "duplicate", "1"),
        ("ping", "ignored", "1"),
        ("other", "ignored", "2"),
    ] {
        assert_eq!(server.counted(event, outcome), count, "{event} {outcome}");
    }
}

#[tokio::test]
async fn a_webhook_may_be_sent_as_a_form() {
    let mut server = Open::new().await;
    let encoded: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", PUSH).finish();
    for (body, expected) in [(encoded.as_str(), 202), ("other=1", 400), ("payload=%7B", 400), ("", 400)] {
        let request = server
            .webhook("push", body)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-hub-signature-256", signature(SECRET, body.as_bytes()));
        assert_eq!(status(request).await, expected, "{body}");
    }
    assert_eq!(server.told.try_recv().unwrap(), [COMMITS]);
    assert!(server.told.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_signed_by_the_secret_is_refused_and_counted() {
    let mut server = Open::new().await;
    let wrong = [
        String::new(),
        "sha256=".to_owned(),
        "sha256=00".to_owned(),
        format!("sha256={}", "0".repeat(64)),
        signature("another secret", PUSH.as_bytes()),
        signature(SECRET, b"another body"),
        signature(SECRET, PUSH.as_bytes()).replace("sha256", "sha1"),
        signature("", PUSH.as_bytes()),
    ];
    for signature in &wrong {
        let request = server.webhook("push", PUSH).header("x-hub-signature-256", signature);
        assert_eq!(status(request).await, 401, "{signature}");
    }
    assert_eq!(status(server.webhook("push", PUSH)).await, 401);
    assert_eq!(status(server.webhook("made up", PUSH)).await, 401);
    let rejected = (wrong.len() + 1).to_string();
    assert_eq!(server.counted("push", "rejected"), rejected);
    assert_eq!(server.counted("other", "rejected"), "1");
    assert!(server.told.try_recv().is_err(), "nothing was believed");
}

#[tokio::test]
async fn what_is_signed_and_is_no_webhook_is_refused_too() {
    let server = Open::new().await;
    assert_eq!(server.signed("push", "", "no json").await, 400);
    assert_eq!(server.signed("push", "", "").await, 400);
    let no_event = server.request("POST", "/webhooks/github").body(PUSH);
    assert_eq!(status(no_event.header("x-hub-signature-256", signature(SECRET, PUSH.as_bytes()))).await, 400);
    assert_eq!(server.counted("push", "malformed"), "2");
    let large = vec![b' '; 25 * 1024 * 1024 + 1];
    assert_eq!(status(server.webhook("push", large)).await, 413);
    assert_eq!(server.counted("push", "refused"), "1");
    let body = format!("{}{PUSH}", " ".repeat(5 * 1024 * 1024));
    assert_eq!(server.signed("push", "large", &body).await, 202, "a large one is fine");
    assert_eq!(status(server.request("GET", "/webhooks/github")).await, 405);
}

#[tokio::test]
async fn without_a_secret_there_are_no_webhooks_and_a_new_secret_is_found() {
    let mut server = Open::new().await;
    server.change(|inbound| {
        inbound.github_webhook_secret = Some(Credential::fixed(SecretString::from("rotated")));
    });
    assert_eq!(server.signed("push", "one", PUSH).await, 401);
    let rotated = signature("rotated", PUSH.as_bytes());
    assert_eq!(status(server.webhook("push", PUSH).header("x-hub-signature-256", &rotated)).await, 202);
    server.change(|inbound| {
        inbound.github_webhook_secret = Some(Credential::new(|| Err("the file is gone".to_owned())));
    });
    assert_eq!(status(server.webhook("push", PUSH).header("x-hub-signature-256", &rotated)).await, 503);
    server.change(|inbound| inbound.github_webhook_secret = None);
    assert_eq!(server.signed("push", "two", PUSH).await, 404);
    server.inbound.send_replace(None);
    assert_eq!(server.signed("push", "three", PUSH).await, 404);
}

#[tokio::test]
async fn a_full_queue_is_counted_and_the_same_delivery_may_come_again() {
    let mut server = Open::with_queue(1).await;
    assert_eq!(server.signed("push", "one", PUSH).await, 202);
    assert_eq!(server.signed("push", "two", PUSH).await, 202);
    assert_eq!(server.counted("push", "dropped"), "1");
    assert_eq!(server.told.try_recv().unwrap(), [COMMITS]);
    assert_eq!(server.signed("push", "two", PUSH).await, 202);
    assert_eq!(server.counted("push", "accepted"), "2");
}

/// The examples that GitHub publishes: event and payload.
fn examples() -> Vec<(String, serde_json::Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/node_modules/@octokit/webhooks-examples");
    let mut examples = Vec::new();
    for edition in ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"] {
        let path = format!("{folder}/{edition}/index.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{path}: {error}; scripts/fetch-schemas fetches it"));
        let events: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        for event in events {
            let name = event["name"].as_str().unwrap().to_owned();
            let payloads = event["examples"].as_array().unwrap();
            examples.extend(payloads.iter().map(|payload| (name.clone(), payload.clone())));
        }
    }
    examples
}

#[tokio::test]
async fn every_payload_that_github_publishes_is_taken_signed_and_refused_unsigned() {
    let mut server = Open::new().await;
    let examples = examples();
    assert!(examples.len() > 700, "{} examples", examples.len());
    let (mut heard, mut refused) = (0, 0.0);
    for (index, (event, payload)) in examples.iter().enumerate() {
        let body = payload.to_string();
        let answered = server.signed(event, &index.to_string(), &body).await;
        assert_eq!(answered, if event == "ping" { 200 } else { 202 }, "{event} {body}");
        heard += usize::from(server.told.try_recv().is_ok());
        let wrongly = signature("another secret", body.as_bytes());
        assert_eq!(status(server.webhook(event, body.clone())).await, 401, "{event}");
        let request = server.webhook(event, body).header("x-hub-signature-256", wrongly);
        assert_eq!(status(request).await, 401, "{event}");
        refused += 2.0;
    }
    assert!(heard > 200, "{heard} of {} say something", examples.len());
    let families = server.telemetry.gather();
    let family = families.iter().find(|family| family.metric.name == "sextant_webhooks_total").unwrap();
    let rejected: f64 = family
        .samples
        .iter()
        .filter(|sample| sample.label("outcome") == Some("rejected"))
        .map(|sample| sample.value)
        .sum();
    assert!((rejected - refused).abs() < 0.5, "{rejected} of {refused} are counted");
    let malformed = family.samples.iter().any(|sample| sample.label("outcome") == Some("malformed"));
    assert!(!malformed);
    assert!(server.counted_events() < 100, "{}", server.counted_events());
}

/// A body as it may come: bytes, text, or JSON that looks like a payload.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = (any::<i64>(), ".{0,20}", ".{0,20}").prop_map(|(id, reference, action)| {
        let payload = serde_json::json!({
            "ref": reference, "action": action, "repository": {"id": id, "default_branch": action},
            "pull_request": {"merged_at": reference}, "ref_type": "tag",
        });
        payload.to_string().into_bytes()
    });
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..2_000),
        ".{0,500}".prop_map(String::into_bytes),
        json
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_is_a_5xx(
        body in body(),
        event in prop_oneof!["[ -~]{0,30}", Just("push".to_owned()), Just("repository".to_owned())],
        delivery in "[ -~]{0,80}",
        signed in any::<bool>(),
        stated in "[ -~]{0,90}",
        content_type in prop_oneof!["[ -~]{0,40}", Just("application/x-www-form-urlencoded".to_owned())],
        path in prop_oneof![Just("/webhooks/github".to_owned()), "/api/v1/deployments/[a-z%0-9]{0,9}/[!-~]{0,9}"],
        authorization in prop_oneof!["[ -~]{0,30}", Just(format!("Bearer {TOKEN}"))],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let status = runtime.block_on(async {
            let mut server = Open::new().await;
            // Whatever is well formed is answered as the daemon would.
            let answer = async {
                while let Some(told) = server.deployments.recv().await {
                    told.answer.send(Ok(())).unwrap();
                }
            };
            let method = if path.starts_with("/api") { "PUT" } else { "POST" };
            let url = format!("http://{}{path}", server.address);
            let signature = if signed { signature(SECRET, &body) } else { stated };
            let request = server.client.request(method.parse().unwrap(), url)
                .header("x-github-event", event).header("x-github-delivery", delivery)
                .header("x-hub-signature-256", signature).header("content-type", content_type)
                .header("authorization", authorization).body(body);
            tokio::select! {
                answered = request.send() => answered.unwrap().status().as_u16(),
                () = answer => unreachable!("the server is running"),
            }
        });
        prop_assert!(status < 500, "{status}");
    }
}
