//! Scripted faults reach the wire, in the requests that they are for and in no other.

use std::time::Duration;

use serde_json::{Value, json};
use sextant::demo::faults::{Fault, Which};
use sextant::demo::serve::{Options, serve};
use sextant::demo::world::deployment::State;
use sextant::demo::world::{SharedWorld, World};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::demo_stage::{Stage, acme, ago};

fn shop() -> World {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    let head = world.push(shop, "ada", "Begin", ago(400), ago(399));
    for hours in [30, 20, 10] {
        let deployment = world.deploy(shop, head, "production", ago(hours));
        world.status(deployment, State::Success, ago(hours));
    }
    world
}

const ASK: &str = "query Ask { repository(owner: \"acme\", name: \"shop\") { deployments(first: 3) { pageInfo { hasNextPage endCursor }
  nodes { databaseId latestStatus { state } } } } }";

async fn asked(fault: Fault) -> (u16, String) {
    let stage = Stage::of(shop()).await;
    stage.servers.github.faults.next(1, Which::Any, fault);
    let spoiled = stage.send(ASK, json!({})).await.unwrap();
    let answer = (spoiled.status().as_u16(), spoiled.text().await.unwrap());
    let well = stage.ask(ASK, json!({})).await;
    assert_eq!(well.get("errors"), None, "the next answer is well again");
    answer
}

#[tokio::test]
async fn each_fault_looks_as_it_would_in_life() {
    for (fault, status, holds) in [
        (Fault::status(502, "Bad gateway"), 502, "Bad gateway"),
        (Fault::single_sign_on(), 403, "SAML"),
        (Fault::secondary_limit(None), 403, "secondary rate limit"),
        (Fault::too_many_requests(7), 429, "Rate Limit"),
        (Fault::Html, 200, "<html>"),
        (Fault::RateLimited, 200, "RATE_LIMITED"),
        (Fault::ResourceLimits, 200, "RESOURCE_LIMITS_EXCEEDED"),
        (Fault::NullItem("nodes", 1), 200, "},null,{"),
        (Fault::Word("SUCCESS", "TRANSMOGRIFIED"), 200, "TRANSMOGRIFIED"),
        (Fault::Word("\"SUCCESS\"", "\"PONDERED\""), 200, "\"PONDERED\""),
        (Fault::ExtraFields, 200, "somethingNew"),
        (Fault::EndlessPages, 200, "\"hasNextPage\":true"),
        (Fault::Late(Duration::from_millis(1)), 200, "databaseId"),
    ] {
        let (got, body) = asked(fault.clone()).await;
        assert_eq!(got, status, "{fault:?}");
        assert!(body.contains(holds), "{fault:?}: {body}");
    }
    let (status, body) = asked(Fault::Truncated).await;
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&body).is_err(), "{body}");
}

#[tokio::test]
async fn a_reset_breaks_the_body_and_a_hang_ends_with_the_server() {
    let stage = Stage::of(shop()).await;
    stage.servers.github.faults.next(1, Which::Any, Fault::Reset);
    let broken = stage.send(ASK, json!({})).await.unwrap();
    assert_eq!(broken.status(), 200);
    assert!(broken.text().await.is_err());
    stage.servers.github.faults.next(1, Which::Any, Fault::Hang);
    let client = reqwest::Client::builder()
        .user_agent("impatient")
        .timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let request =
        client.post(format!("{}/graphql", stage.servers.github.url)).bearer_auth("demo-github-token");
    assert!(request.body("{}").send().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn faults_are_for_some_requests_and_for_so_many() {
    let stage = Stage::of(shop()).await;
    let faults = &stage.servers.github.faults;
    let status = async |query: &str| stage.send(query, json!({})).await.unwrap().status().as_u16();
    let other = "query Other { viewer { login } }";
    faults.nth(2, Which::Operation("Ask".to_owned()), Fault::status(500, "one"));
    faults.next(1, Which::Mentions("viewer".to_owned()), Fault::status(503, "two"));
    faults.next(1, Which::Path("/rate_limit".to_owned()), Fault::status(504, "three"));
    assert_eq!(status(ASK).await, 200);
    assert_eq!(status(other).await, 503);
    assert_eq!(status(other).await, 200);
    assert_eq!(status(ASK).await, 500);
    assert_eq!(status(ASK).await, 200);
    assert_eq!(faults.pending(), 1);
    faults.always(Which::Any, Fault::status(500, "all"));
    assert_eq!((status(ASK).await, status(other).await), (500, 500));
    faults.clear();
    assert_eq!(status(ASK).await, 200);
    let counts = stage.servers.github.tally.by_operation();
    assert_eq!((counts["Ask"], counts["Other"]), (5, 3));
}

#[tokio::test]
async fn pagerduty_can_go_wrong_too() {
    let mut world = shop();
    let service = world.service("shop", None, ago(500));
    world.open_incident(service, "Down", ago(5));
    let stage = Stage::of(world).await;
    stage.servers.pagerduty.faults.next(1, Which::Path("/incidents".to_owned()), Fault::EndlessPages);
    assert_eq!(stage.page("/incidents", &[]).await.1["more"], true);
    stage.servers.pagerduty.faults.next(1, Which::Any, Fault::Word("triggered", "pondered"));
    assert_eq!(stage.page("/incidents", &[]).await.1["incidents"][0]["status"], "pondered");
    assert_eq!(stage.page("/incidents", &[]).await.1["incidents"][0]["status"], "triggered");
}

#[tokio::test]
async fn servers_stop_when_told_though_a_client_keeps_its_connection_and_a_request_hangs() {
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let world = SharedWorld::new(shop());
    let servers = serve(world, Options::default(), &tracker, stop.clone()).await.unwrap();
    let client = reqwest::Client::builder().user_agent("stage").build().unwrap();
    let url = format!("{}/meta", servers.github.url);
    let ask = || client.get(&url).bearer_auth("demo-github-token").send();
    assert_eq!(ask().await.unwrap().status(), 200);
    servers.github.faults.next(1, Which::Any, Fault::Hang);
    let hanging = async {
        let answer = ask().await;
        assert_eq!(answer.unwrap().status(), 200, "it is answered after all");
    };
    let stopping = async {
        while servers.github.faults.pending() > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        tracker.close();
        tracker.wait().await;
    };
    tokio::join!(hanging, stopping);
    assert!(ask().await.is_err(), "nobody listens any more");
}
