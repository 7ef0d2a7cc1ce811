//! What comes in, through the whole daemon, and the page that says how each source is doing.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use secrecy::SecretString;
use sextant::clock::{Clock as _, SystemClock};
use sextant::config::{Config, Push};
use sextant::daemon::Daemon;
use sextant::demo::world::deployment::State;
use sextant::model::secret::Credential;
use sextant::model::settings::{DeploymentRule, DeploymentsFrom, RepositoryPatterns};
use sextant::model::time::Timestamp;

use crate::daemon::Stage;
use crate::process::{get, until, value};
use crate::webhooks::{SECRET, TOKEN, signature};

/// Polls once and then for an hour no more; takes webhooks, and pushes of what `acme/gateway` deploys if `rule` is so.
async fn started(stage: &Stage, from: Option<DeploymentsFrom>) -> Daemon {
    stage.edit(|toml| toml.replace("poll_interval = \"1s\"", "poll_interval = \"1h\""));
    let mut config = Config::load(stage.config().as_ref()).unwrap_or_else(|errors| panic!("{errors}"));
    let secret = |text| Credential::fixed(SecretString::from(text));
    config.server.push = Some(Push { token: secret(TOKEN), github_webhook_secret: Some(secret(SECRET)) });
    let rules = from.map(|from| DeploymentRule {
        source: "demo-github".into(),
        repositories: RepositoryPatterns::parse(["acme/gateway"]).unwrap(),
        from,
    });
    config.ownership.deployments.splice(0..0, rules);
    Daemon::start(config, Arc::new(SystemClock)).await.unwrap()
}

/// A signed webhook about `acme/gateway`; the status.
async fn tell(stage: &Stage, event: &str, delivery: &str) -> u16 {
    let id = stage.world.tell(|world| world.at(world.find("acme/gateway").unwrap()).database_id);
    let body = format!("{{\"repository\": {{\"id\": {id}}}}}");
    let request = client().post(format!("{}/webhooks/github", stage.url));
    let request = request.header("x-github-event", event).header("x-github-delivery", delivery);
    let request = request.header("x-hub-signature-256", signature(SECRET, body.as_bytes()));
    request.body(body).send().await.unwrap().status().as_u16()
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
}

fn deploy(stage: &Stage) {
    stage.world.tell(|world| {
        let gateway = world.find("acme/gateway").unwrap();
        let (commit, now) = (world.head(gateway).unwrap(), Timestamp::from(SystemClock.now()));
        world.advance(now);
        let deployment = world.deploy(gateway, commit, "production", now);
        world.status(deployment, State::Success, now);
    });
}

const DEPLOYED: &str = "dora_deployments_total{team=\"platform\",component=\"gateway\",outcome=\"success\"}";
const UP: &str = "sextant_source_up{source=\"demo-github\",kind=\"github\"}";

#[tokio::test]
async fn a_webhook_shows_a_deployment_at_once_and_nothing_is_read_during_back_off() {
    let stage = Stage::new().await;
    let daemon = started(&stage, None).await;
    stage.read().await;
    deploy(&stage);
    assert_eq!(tell(&stage, "deployment_status", "one").await, 202);
    until("the deployment is counted, an hour before the next poll", async || {
        value(&stage.metrics().await.unwrap_or_default(), DEPLOYED) == Some(1.0)
    })
    .await;

    let token = stage.directory.path().join("github-token");
    std::fs::write(&token, "a-token-that-was-revoked").unwrap();
    assert_eq!(tell(&stage, "deployment_status", "two").await, 202);
    until("the failure is shown", async || {
        value(&stage.metrics().await.unwrap_or_default(), UP) == Some(0.0)
    })
    .await;
    let (status, page) = get(&format!("{}/sources", stage.url)).await.unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("Problems of the last poll"), "{page}");
    assert!(!page.contains("a-token-that-was-revoked") && !page.contains(SECRET) && !page.contains(TOKEN));
    let asked = stage.servers.github.tally.requests();
    let mut answers = 0;
    until("it has had time to ask again", async || {
        answers += 1;
        assert_eq!(tell(&stage, "deployment_status", &answers.to_string()).await, 202);
        answers == 10
    })
    .await;
    assert_eq!(stage.servers.github.tally.requests(), asked, "what is told during back-off waits");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_pushed_is_counted_and_what_is_withdrawn_is_not() {
    let stage = Stage::new().await;
    let daemon = started(&stage, Some(DeploymentsFrom::Push)).await;
    stage.read().await;
    let commit = stage.world.tell(|world| world.head(world.find("acme/gateway").unwrap()).unwrap());
    let now = Timestamp::from(SystemClock.now());
    let put = async |component: &str, environment: &str| {
        let body = serde_json::json!({
            "component": component, "environment": environment, "commit": commit.to_string(),
            "status": "success", "finished_at": now.to_string(),
        });
        let request = client().put(format!("{}/api/v1/deployments/jenkins/7", stage.url));
        let answer = request.bearer_auth(TOKEN).body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let delete = async || {
        let request = client().delete(format!("{}/api/v1/deployments/jenkins/7", stage.url));
        request.bearer_auth(TOKEN).send().await.unwrap().status().as_u16()
    };
    let deployments = "dora_component_deployments{team=\"platform\",component=\"gateway\",window=\"7d\"}";
    let shown = async |expected: Option<f64>| {
        until("the push is in the numbers", async || {
            value(&stage.metrics().await.unwrap_or_default(), deployments) == expected
        })
        .await;
    };
    assert_eq!(delete().await, 404);
    for (component, environment, expected) in
        [("no-such", "production", "no component"), ("gateway", "staging", "not production")]
    {
        let (status, text) = put(component, environment).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(expected), "{text}");
    }
    for _ in 0..2 {
        assert_eq!(put("gateway", "production").await, (200, "stored\n".to_owned()));
        shown(Some(1.0)).await;
    }
    assert_eq!(delete().await, 200);
    shown(None).await;
    assert_eq!(put("gateway", "production").await.0, 200);
    shown(Some(1.0)).await;
    let (_, page) = get(&format!("{}/sources", stage.url)).await.unwrap();
    assert!(page.contains("what is pushed – 1 found"), "{page}");
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn the_page_of_sources_says_how_each_is_doing_and_why_something_is_missing() {
    let stage = Stage::new().await;
    let daemon = started(&stage, Some(DeploymentsFrom::Push)).await;
    stage.read().await;
    let mut page = String::new();
    until("the repositories are on the page", async || {
        page = get(&format!("{}/sources", stage.url)).await.map(|(_, page)| page).unwrap_or_default();
        page.contains("what is pushed – none found") && page.contains("Whose its incidents are")
    })
    .await;
    for expected in [
        "<h2>demo-github</h2>",
        "<h2>demo-pagerduty</h2>",
        "Rate limit graphql",
        "<dt>History</dt><dd>complete</dd>",
        "Have no deployments: ",
        "GitHub Deployments to environments",
    ] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }
    assert!(!page.contains("<script"));
    let (_, landing) = get(&format!("{}/", stage.url)).await.unwrap();
    assert!(landing.contains("href=\"/sources\""));
    daemon.stop().await.unwrap();
}
