//! Why a team stands as it does, over HTTP: the JSON and the page, for a team that stopped to deploy.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use sextant::exposition::{Background, Limits, Published};
use sextant::model::fact::Outcome;
use sextant::recompute::Computed;
use sextant::server::{ServerState, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::story_states::Stage;

struct Served {
    url: String,
    client: Client,
    _stop: DropGuard,
}

impl Served {
    async fn new(computed: &Computed) -> Self {
        let background = Background {
            tracker: Arc::clone(&computed.tracker),
            turns: Arc::clone(&computed.turns),
            linked: Arc::clone(&computed.linked),
            settings: Arc::clone(&computed.settings),
        };
        let snapshot = Arc::clone(&computed.snapshot);
        let published =
            Published::new("<acme>".into(), snapshot, &computed.counters, &[], Limits::default()).unwrap();
        let (_, published) = watch::channel(Some(Arc::new(published.with_background(background))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(serve(listener, ServerState::new(published), stop.clone()));
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { url, client, _stop: stop.drop_guard() }
    }

    async fn get(&self, path: &str) -> (u16, String, String) {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, response.text().await.unwrap())
    }

    async fn json(&self, path: &str) -> Value {
        let (status, kind, body) = self.get(path).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// Payments deploys a third of what it did since day 200, search as ever.
async fn slower() -> Computed {
    let mut stage = Stage::new().await;
    for repository in [1, 2] {
        stage.deploy(repository, 0..200, Some(Outcome::Success)).await;
    }
    stage.deploy(2, 200..240, Some(Outcome::Success)).await;
    stage.deploy(1, 230..232, Some(Outcome::Success)).await;
    stage.compute(205).await;
    stage.compute(240).await
}

#[tokio::test]
async fn a_state_is_explained_down_to_its_facts() {
    let served = Served::new(&slower().await).await;
    let found = served.json("/api/v1/teams/payments/explain/deployments_per_day").await;
    assert_eq!((&found["state"], &found["unit"]), (&"regressed".into(), &"per_day".into()));
    let comparison = &found["comparison"];
    let (n, before) = (&comparison["recent"]["n"], &comparison["before"]["n"]);
    assert!(n.as_u64().unwrap() < 60 && before.as_u64().unwrap() > 300, "{comparison}");
    let (lower, ratio, upper) = (&found["ratio_lower"], &found["ratio"], &found["ratio_upper"]);
    let [lower, ratio, upper] = [lower, ratio, upper].map(|number| number.as_f64().unwrap());
    assert!(lower < ratio && ratio < upper && upper < 1.0, "{found}");
    assert!(found["evidence"].as_f64().unwrap() > found["thresholds"]["regressed"].as_f64().unwrap());
    let (value, baseline) = (found["value"].as_f64().unwrap(), found["baseline_value"].as_f64().unwrap());
    assert!((value / baseline - ratio).abs() < 0.05, "they are in the same unit: {value} {baseline} {ratio}");
    assert!(found["clears"]["value"].as_f64().unwrap() < baseline);
    assert_eq!(found["calendar"]["timezone"], "UTC");
    assert!(found["baseline_frozen_on"].is_string());
    let weeks = found["weeks"].as_array().unwrap();
    assert_eq!(weeks.len(), 3);
    let empty = weeks.iter().filter(|week| week["n"] == 0).count();
    assert!(empty >= 2, "the weeks without deployments contribute most: {weeks:?}");
    let turns = found["transitions"].as_array().unwrap();
    assert_eq!(turns[0]["to"], "regressed");
    assert_eq!(turns[0]["evidence"]["state"], "regressed");

    // As it was: the same question about a day on which all was well.
    let then = served.json("/api/v1/teams/payments/explain/deployments_per_day?at=2026-07-20").await;
    assert_eq!((&then["at"], &then["state"]), (&"2026-07-20".into(), &"ok".into()));
    let instant =
        served.json("/api/v1/teams/payments/explain/deployments_per_day?at=2026-07-20T13:00:00Z").await;
    assert_eq!(instant, then);
    let named = then["weeks"][0]["facts"].as_array().unwrap();
    assert_eq!(named.len(), 15);
    assert!(named[0]["url"].as_str().unwrap().starts_with("https://github.example/1/"));

    // Of too little there is nothing to compare.
    let nothing = served.json("/api/v1/teams/payments/explain/recovery_time").await;
    assert_eq!((&nothing["state"], &nothing["ratio"]), (&"insufficient".into(), &Value::Null));
}

#[tokio::test]
async fn the_page_says_the_same_in_words() {
    let served = Served::new(&slower().await).await;
    let (status, kind, page) = served.get("/teams/payments/deployments_per_day").await;
    assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"), "{page}");
    for words in [
        "regressed since",
        "95 % interval",
        "to have regressed, on two days on end",
        "it stands still since",
        "φ = ",
        "The weeks that contribute most",
        "What would clear it",
        "to be watched → regressed",
        "&#60;acme&#62;",
        "/api/v1/teams/payments/explain/deployments_per_day?at=",
    ] {
        assert!(page.contains(words), "{words:?} is not in\n{page}");
    }
    assert!(!page.contains("<acme>"), "what people name things is escaped");
    let (_, _, calm) = served.get("/teams/payments/deployments_per_day?at=2026-07-20").await;
    assert!(calm.contains("as usual since") && !calm.contains("What would clear it"), "{calm}");
    let (_, _, early) = served.get("/teams/payments/deployments_per_day?at=2026-02-01").await;
    assert!(early.contains("A comparison needs 112 days of history; there are 26"), "{early}");
    let (_, _, few) = served.get("/teams/payments/recovery_time").await;
    assert!(few.contains("too few failed deployments"), "{few}");
    let (_, _, landing) = served.get("/").await;
    assert!(landing.contains("/teams/payments/deployments_per_day\">Deployment frequency</a>: regressed"));
}

#[tokio::test]
async fn what_cannot_be_explained_is_told_with_what_can() {
    let served = Served::new(&slower().await).await;
    for (path, status, words) in [
        ("/teams/nobody/lead_time", 404, "there is no team `nobody`"),
        ("/teams/payments/velocity", 404, "ask for one of deployments_per_day, lead_time"),
        ("/teams/payments/lead_time?at=yesterday", 400, "write a date, as 2026-11-22"),
        ("/teams/payments/lead_time?window=8d", 400, "unknown parameter \\\"window\\\"; known: at"),
        ("/teams/payments/lead_time?at=2026-02-01&at=2026-02-02", 400, "`at` is given more than once"),
        ("/teams/payments/lead_time?at=2031-01-01", 404, "ask for a day from 2026-01-06 to 2026-09-02"),
        ("/teams/payments/lead_time?at=2020-01-01", 404, "was not looked at on 2020-01-01"),
        ("/teams/pay%FFments/lead_time", 404, "nothing is served at this path"),
    ] {
        for path in [
            path.to_owned(),
            path.replacen("/teams/", "/api/v1/teams/", 1)
                .replacen("/lead_time", "/explain/lead_time", 1)
                .replacen("/velocity", "/explain/velocity", 1),
        ] {
            let (found, kind, body) = served.get(&path).await;
            assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{path}: {body}");
            assert!(body.contains(words), "{path}: {body}");
        }
    }
}
