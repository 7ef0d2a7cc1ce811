//! Values that are pushed: what is taken, what is refused, and what is there after a restart.

use std::path::Path;
use std::sync::Arc;

use reqwest::Client;
use serde_json::{Value, json};
use sextant::config::Config;
use sextant::daemon::{Daemon, system_clock};
use sextant::model::signal::SignalRule;
use sextant::server::{PushedValue, Refused};

use crate::config_errors::environment;
use crate::process::{get, until, value};
use crate::webhooks::{Open, TOKEN, status};

/// A north star and a signal of two teams that are pushed, and one that is read.
const SIGNALS: &str = r#"
[[teams]]
name = "payments"
[[teams]]
name = "search"
[[north_star]]
name = "conversion"
title = "Visitors who complete checkout"
start = 0.031
target = 0.04
by = "2099-12-31"
format = "percent"
[[signals]]
name = "clicks"
team = "payments"
start = 10
target = 5
by = "2099-12-31"
[[signals]]
name = "clicks"
team = "search"
start = 10
target = 20
by = "2099-12-31"
[[signals]]
name = "churn"
promql = "acme_churn"
start = 10
target = 5
by = "2099-12-31"
"#;

fn toml(database: &Path) -> String {
    format!(
        "[organization]\nname = \"acme\"\n[server]\nlisten = \"127.0.0.1:0\"\n[server.push]\ntoken_env = \
         \"SEXTANT_PUSH_TOKEN\"\n[store]\nurl = \"sqlite:{}\"\n[[github]]\nname = \"a\"\ntoken_env = \
         \"GITHUB_TOKEN\"\napi_url = \"http://127.0.0.1:9\"\norganizations = [\"acme\"]\n[prometheus]\nurl = \
         \"http://127.0.0.1:9\"\n{SIGNALS}",
        database.display()
    )
}

fn config(toml: &str) -> Config {
    Config::parse(toml, "sextant.toml", &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

fn rules() -> Arc<[SignalRule]> {
    config(&toml(Path::new("unused.db"))).signals.into()
}

fn put(server: &Open, name: &str, body: &Value) -> impl Future<Output = u16> + use<> {
    let request = server.request("PUT", &format!("/api/v1/signals/{name}"));
    status(request.bearer_auth(TOKEN).body(body.to_string()))
}

#[tokio::test]
async fn a_value_is_told_with_its_signal_and_its_instant() {
    let mut server = Open::new().await;
    server.change(|inbound| inbound.signals.rules = rules());
    for (name, body, team, expected) in [
        ("conversion", json!({ "value": 0.034 }), None, (0.034, None)),
        ("conversion", json!({ "value": -7, "at": "2026-11-20T13:00:00+01:00" }), None, {
            (-7.0, Some("2026-11-20T12:00:00Z"))
        }),
        ("clicks", json!({ "value": 0, "team": "search" }), Some("search"), (0.0, None)),
    ] {
        for (outcome, code) in
            [(Ok(()), 200), (Err(Refused::NotStored), 503), (Err(Refused::Impossible("no".to_owned())), 422)]
        {
            let (found, told) = tokio::join!(put(&server, name, &body), async {
                let told = server.signals.recv().await.unwrap();
                told.answer.send(outcome).unwrap();
                (told.key, told.pushed)
            });
            assert_eq!(found, code);
            let (key, PushedValue { value, at }) = told;
            assert_eq!(
                (key.name.as_str(), key.team.as_ref().map(ToString::to_string).as_deref()),
                (name, team)
            );
            let (expected, expected_at) = expected;
            assert!((value - expected).abs() < f64::EPSILON);
            assert_eq!(at.map(|at| at.to_string()).as_deref(), expected_at);
        }
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_is_refused_with_the_reason_and_told_to_nobody() {
    let mut server = Open::new().await;
    server.change(|inbound| inbound.signals.rules = rules());
    let fine = json!({ "value": 1 }).to_string();
    for (name, body, code, said) in [
        ("conversoin", fine.as_str(), 404, "did you mean \"conversion\"?"),
        ("xyz", &fine, 404, "there is no signal \"xyz\"; add it"),
        ("conversion%22%0a", &fine, 404, r#"there is no signal "conversion\"\n""#),
        ("%ff", &fine, 400, "UTF-8"),
        ("churn", &fine, 409, "without `promql`"),
        ("clicks", &fine, 422, "one of payments, search"),
        (
            "clicks",
            r#"{"value": 1, "team": "mobile"}"#,
            422,
            "no signal of the team \"mobile\"; it is one of",
        ),
        ("conversion", r#"{"value": 1, "team": "search"}"#, 422, "leave `team` out"),
        ("conversion", "", 400, "no value of a signal"),
        ("conversion", "{}", 400, "missing field `value`"),
        ("conversion", r#"{"value": null}"#, 400, "invalid type"),
        ("conversion", r#"{"value": "1"}"#, 400, "invalid type"),
        ("conversion", r#"{"value": NaN}"#, 400, "expected"),
        ("conversion", r#"{"value": 1e999}"#, 400, "out of range"),
        ("conversion", r#"{"value": 1, "values": 2}"#, 400, "unknown field `values`"),
        ("conversion", r#"{"value": 1, "value": 2}"#, 400, "duplicate field"),
        ("conversion", r#"{"value": 1, "at": "yesterday"}"#, 422, "`at` is no instant"),
        ("conversion", r#"{"value": 1, "at": 1763640000}"#, 400, "invalid type"),
        ("conversion", &" ".repeat(5_000), 413, "4096 bytes"),
    ] {
        let request = server.request("PUT", &format!("/api/v1/signals/{name}"));
        let answer = request.bearer_auth(TOKEN).body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), code, "{name} {body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{name} {body}: {detail}");
    }
    for (method, token, code) in
        [("PUT", "another-token", 401), ("GET", TOKEN, 405), ("POST", TOKEN, 405), ("DELETE", TOKEN, 405)]
    {
        let request =
            server.request(method, "/api/v1/signals/conversion").bearer_auth(token).body(fine.clone());
        assert_eq!(status(request).await, code, "{method}");
    }
    assert!(server.signals.try_recv().is_err(), "nobody was told");
    server.inbound.send_replace(None);
    assert_eq!(put(&server, "conversion", &json!({ "value": 1 })).await, 404);
}

/// A daemon without any source that answers, and who pushes to it.
struct Pushed {
    daemon: Daemon,
    url: String,
}

impl Pushed {
    async fn start(toml: &str) -> Self {
        let daemon = Daemon::start(config(toml), system_clock()).await.unwrap();
        let url = format!("http://{}", daemon.address());
        until("the first snapshot", async || {
            get(&format!("{url}/-/ready")).await.is_some_and(|(code, _)| code == 200)
        })
        .await;
        Self { daemon, url }
    }

    async fn put(&self, name: &str, body: Value) -> u16 {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.put(format!("{}/api/v1/signals/{name}", self.url));
        let token = environment("SEXTANT_PUSH_TOKEN").unwrap();
        request.bearer_auth(token).body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    async fn metrics(&self) -> String {
        get(&format!("{}/metrics", self.url)).await.unwrap().1
    }

    /// Waits for a line of `/metrics`.
    async fn shows(&self, series: &str, expected: f64) {
        until(series, async || value(&self.metrics().await, series) == Some(expected)).await;
    }
}

const VALUE: &str = "dora_north_star_value{name=\"conversion\"}";

#[tokio::test]
async fn what_is_pushed_is_shown_at_once_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let toml = toml(&directory.path().join("sextant.db"));
    let server = Pushed::start(&toml).await;
    server.shows("dora_north_star_target{name=\"conversion\"}", 0.04).await;
    assert_eq!(value(&server.metrics().await, VALUE), None, "unknown is absent");
    assert_eq!(server.put("conversion", json!({ "value": 0.034, "at": "2026-11-20T12:00:00Z" })).await, 200);
    server.shows(VALUE, 0.034).await;
    // The same once more, and an older one, change nothing.
    assert_eq!(server.put("conversion", json!({ "value": 0.034, "at": "2026-11-20T12:00:00Z" })).await, 200);
    assert_eq!(server.put("conversion", json!({ "value": 0.032, "at": "2026-11-19T12:00:00Z" })).await, 200);
    assert_eq!(server.put("clicks", json!({ "value": 12, "team": "payments" })).await, 200);
    server.shows("dora_team_signal_value{team=\"payments\",name=\"clicks\"}", 12.0).await;
    let metrics = server.metrics().await;
    let at = 1_795_176_000.0;
    for (series, expected) in [
        (VALUE, Some(0.034)),
        ("dora_north_star_timestamp_seconds{name=\"conversion\"}", Some(at)),
        ("dora_team_signal_progress_ratio{team=\"payments\",name=\"clicks\"}", Some(-0.4)),
        ("dora_team_signal_target{team=\"search\",name=\"clicks\"}", Some(20.0)),
        ("dora_team_signal_value{team=\"search\",name=\"clicks\"}", None),
        ("dora_organization_signal_value{name=\"churn\"}", None),
    ] {
        assert_eq!(value(&metrics, series), expected, "{series}");
    }
    let progress = value(&metrics, "dora_north_star_progress_ratio{name=\"conversion\"}").unwrap();
    assert!((progress - 1.0 / 3.0).abs() < 1e-9, "{progress}");
    let future = server.put("conversion", json!({ "value": 1, "at": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(future, 422, "nobody knows the future");
    server.daemon.stop().await.unwrap();

    let server = Pushed::start(&toml).await;
    server.shows(VALUE, 0.034).await;
    let (_, page) = get(&server.url).await.unwrap();
    for words in
        ["Visitors who complete checkout", "3.4 %", "From 3.1 % to 4 % by", "33 % of the way", "<polyline"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    server.daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_reload_takes_signals_in_and_leaves_them_out() {
    let directory = tempfile::tempdir().unwrap();
    let toml = toml(&directory.path().join("sextant.db"));
    let without = toml.replace("[[north_star]]\nname = \"conversion\"", "[[north_star]]\nname = \"revenue\"");
    let mut server = Pushed::start(&toml).await;
    assert_eq!(server.put("conversion", json!({ "value": 0.034 })).await, 200);
    server.shows(VALUE, 0.034).await;
    // The address that was asked for has no port; the one that was given is the same one.
    server.daemon.reload(config(&without)).await.unwrap();
    assert_eq!(server.put("conversion", json!({ "value": 0.035 })).await, 404);
    server.shows("dora_north_star_target{name=\"revenue\"}", 0.04).await;
    assert_eq!(value(&server.metrics().await, VALUE), None);
    server.daemon.reload(config(&toml)).await.unwrap();
    server.shows(VALUE, 0.034).await;
    server.daemon.stop().await.unwrap();
}

#[tokio::test]
async fn the_page_shows_values_with_what_is_wrong_and_nothing_of_it_is_markup() {
    use crate::exposition_fixture::{signals, snapshot};
    let (publish, published) = tokio::sync::watch::channel(None);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let state = sextant::server::ServerState::new(published);
    tokio_util::task::TaskTracker::new().spawn(sextant::server::serve(listener, state, stop));
    let publication = |signals| {
        let limits = sextant::exposition::Limits::default();
        let published =
            sextant::exposition::Published::new("acme".to_owned(), Arc::new(snapshot()), &[], &[], limits);
        Some(Arc::new(published.unwrap().with_signals(signals)))
    };
    publish.send_replace(publication(signals()));
    let (_, page) = get(&url).await.unwrap();
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    let order = [
        "<h2>North star</h2>",
        "The conversion &#60;of&#62; acme",
        "3.4 %</span> <span class=\"quiet\">as of 2 min ago",
        "From 3.1 % to 4 % by",
        "33 % of the way, 31 days left",
        "<h2>Signals</h2>",
        "The churn &#60;of&#62; acme",
        "last value, 2 min old",
        "25 % of the way in the other direction",
        "No newer value: the query returned &#60;nothing&#62;; the query is <code>sum(acme_&#60;orders&#62;)</code>",
        "<h2>Teams</h2>",
        "<caption>payments</caption>",
        "The uptime &#60;of&#62; acme",
        "<caption>platform</caption>",
        "no value yet",
        "No newer value: no answer",
    ];
    assert!(order.map(place).is_sorted(), "{page}");
    assert_eq!(page.matches("<svg").count(), 3, "one value or none is no line");
    assert_eq!(page.matches("role=\"img\" aria-label=\"The ").count(), 3);
    for forbidden in ["<of>", "<script", "style=\"", "<nothing>"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    publish.send_replace(publication(Vec::new()));
    let (_, page) = get(&url).await.unwrap();
    assert!(!page.contains("North star") && !page.contains("<h2>Signals"));
}
