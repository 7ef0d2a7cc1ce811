//! The simulated GitHub's limits besides the hourly budget, and what an enterprise server does without.

use std::time::Duration;

use serde_json::{Value, json};
use sextant::demo::github::{Enterprise, Heaviness, Secondary};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::pull::Proposal;
use sextant::model::time::Span;

use super::demo_stage::{Stage, acme, ago, now};

fn shop(pulls: i64) -> World {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(400));
    world.push(shop, "ada", "Begin", ago(399), ago(399));
    for hours in (0..pulls).rev() {
        world.open_pull(shop, Proposal::new("Change", "ada"), ago(hours + 1));
    }
    world.advance(now());
    world
}

const PULLS: &str =
    "query Pulls($first: Int!) { rateLimit { used } repository(owner: \"acme\", name: \"shop\") {
  pullRequests(first: $first) { nodes { number } } } }";

#[tokio::test]
async fn a_minute_has_its_own_limit_for_each_api() {
    for (status, retry_after_seconds) in [(403, Some(7)), (429, None)] {
        let limits = Secondary {
            rest_per_minute: 2,
            graphql_per_minute: 3,
            status,
            retry_after_seconds,
            ..Secondary::default()
        };
        let options = Options { github_secondary: Some(limits), ..Options::default() };
        let stage = Stage::with(shop(1), options).await;
        for expected in [200, 200, 200, status] {
            let response = stage.send(PULLS, json!({"first": 1})).await.unwrap();
            assert_eq!(response.status().as_u16(), expected);
        }
        for expected in [200, 200, status] {
            assert_eq!(stage.rest("/repos/acme/shop").await.status().as_u16(), expected);
        }
        let refused = stage.rest("/repos/acme/shop").await;
        let told = refused.headers().get("retry-after").map(|it| it.to_str().unwrap().to_owned());
        assert_eq!(told, retry_after_seconds.map(|seconds| seconds.to_string()));
        assert!(!refused.headers().contains_key("x-ratelimit-remaining"));
        let body: Value = refused.json().await.unwrap();
        assert!(body["message"].as_str().unwrap().starts_with("You have exceeded a secondary rate limit."));
        stage.world.tell(|world| world.advance(now().plus(Span::from_minutes(1))));
        assert_eq!(stage.rest("/repos/acme/shop").await.status(), 200);
    }
}

#[tokio::test]
async fn more_than_a_hundred_at_once_are_refused() {
    let limits = Secondary { concurrent_max: 3, ..Secondary::default() };
    let latency = Duration::from_millis(300);
    let options = Options { github_secondary: Some(limits), latency, ..Options::default() };
    let stage = Stage::with(shop(1), options).await;
    let ask = || async { stage.rest("/user").await.status().as_u16() };
    let statuses: [u16; 5] = tokio::join!(ask(), ask(), ask(), ask(), ask()).into();
    let refused = statuses.into_iter().filter(|status| *status == 403).count();
    assert_eq!(refused, 2);
    assert_eq!(ask().await, 200);
}

#[tokio::test]
async fn a_heavy_page_is_cut_and_a_monstrous_one_fails_and_costs_more() {
    let heaviness = Heaviness { partial_above: 10, failing_above: 100 };
    let stage = Stage::with(shop(20), Options { github_heaviness: heaviness, ..Options::default() }).await;
    let page = async |first: i64| {
        let response = stage.send(PULLS, json!({"first": first})).await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let (status, body) = page(10).await;
    assert_eq!((status, body.get("errors")), (200, None));
    let (status, body) = page(12).await;
    assert_eq!(status, 200);
    let nodes = body["data"]["repository"]["pullRequests"]["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[9]["number"], &nodes[10]), (12, &json!(10), &Value::Null));
    let error = &body["errors"][1];
    assert_eq!(error["type"], "RESOURCE_LIMITS_EXCEEDED");
    assert_eq!(error["path"], json!(["nodes", 11]));
    stage.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        world.at_mut(shop).pulls[0].weight = 1_000;
    });
    let before = stage.servers.github.tally.points();
    assert_eq!(page(1).await.0, 502);
    assert_eq!(stage.servers.github.tally.points() - before, 2);
    let (_, body) = page(0).await;
    assert_eq!(body["errors"][0]["type"], "EXCESSIVE_PAGINATION");
    let used = stage.data("{ rateLimit { used } }", json!({})).await;
    assert_eq!(used["rateLimit"]["used"], 5);
}

#[tokio::test]
async fn an_enterprise_server_has_its_own_place_and_no_limits() {
    let options = Options {
        github_enterprise: Some(Enterprise::default()),
        github_secondary: Some(Secondary { rest_per_minute: 0, ..Secondary::default() }),
        github_points_per_hour: 0,
        ..Options::default()
    };
    let stage = Stage::with(shop(1), options).await;
    for path in ["/meta", "/repos/acme/shop", "/graphql"] {
        assert_eq!(stage.rest(path).await.status(), 404, "{path}");
    }
    assert_eq!(stage.resource("/api/v3/meta").await["installed_version"], "3.19.1");
    let limit = stage.rest("/api/v3/rate_limit").await;
    assert_eq!(limit.status(), 404);
    assert_eq!(limit.headers()["x-github-enterprise-version"], "3.19.1");
    assert_eq!(limit.json::<Value>().await.unwrap()["message"], "Rate limiting is not enabled.");
    let ask = async |query: &str| {
        let request = stage.client.post(format!("{}/api/graphql", stage.servers.github.url));
        let request = request.bearer_auth("demo-github-token").json(&json!({"query": query}));
        let response = request.send().await.unwrap();
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("x-ratelimit-")));
        response.json::<Value>().await.unwrap()
    };
    let body = ask("{ rateLimit { remaining } repository(owner: \"acme\", name: \"shop\") { name } }").await;
    assert_eq!(body["data"], json!({"rateLimit": null, "repository": {"name": "shop"}}));
    let old =
        ask("{ repository(owner: \"acme\", name: \"shop\") { pullRequest(number: 1) { fullDatabaseId } } }")
            .await;
    let says =
        |error: &Value| error["message"].as_str().unwrap().contains("does not have a field `fullDatabaseId`");
    assert!(old["errors"].as_array().unwrap().iter().any(says), "{old}");
    let linked = stage.resource("/api/v3/repos/acme/shop").await["url"].clone();
    assert_eq!(linked, format!("{}/api/v3/repos/acme/shop", stage.servers.github.url));
}
