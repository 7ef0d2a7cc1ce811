//! A stage for tests of the simulated servers: a world served on loopback, and a plain client.

use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use sextant::demo::serve::{Options, Servers, serve};
use sextant::demo::world::{SharedWorld, World};
use sextant::model::time::{Span, Timestamp};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The present of every test world: a Sunday in November.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T17:00:00Z").unwrap()
}

/// So many hours before the present.
pub(crate) fn ago(hours: i64) -> Timestamp {
    now().minus(Span::from_hours(hours))
}

/// A world of the organisation `acme`, 300 days old.
pub(crate) fn acme() -> World {
    let mut world = World::new("acme", ago(24 * 300));
    world.advance(now());
    world
}

/// Running servers, which stop when the stage is dropped.
pub(crate) struct Stage {
    pub(crate) world: SharedWorld,
    pub(crate) servers: Servers,
    pub(crate) client: Client,
    options: Options,
    _stop: DropGuard,
}

impl Stage {
    pub(crate) async fn of(world: World) -> Self {
        Self::with(world, Options::default()).await
    }

    pub(crate) async fn with(world: World, options: Options) -> Self {
        let world = SharedWorld::new(world);
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let servers = serve(world.clone(), options.clone(), &tracker, stop.clone()).await.unwrap();
        let client = Client::builder().user_agent("stage").build().unwrap();
        Self { world, servers, client, options, _stop: stop.drop_guard() }
    }

    /// Sends a GraphQL request with the right token.
    pub(crate) async fn send(&self, query: &str, variables: Value) -> Result<Response, reqwest::Error> {
        let request = self.client.post(format!("{}/graphql", self.servers.github.url));
        let request = request.bearer_auth(&self.options.github_token);
        request.json(&json!({"query": query, "variables": variables})).send().await
    }

    /// The body of a GraphQL answer, which must have status 200.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.send(query, variables).await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The data of a GraphQL answer, which must have no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let body = self.ask(query, variables).await;
        assert_eq!(body.get("errors"), None, "{body}");
        body.get("data").unwrap().clone()
    }

    /// Asks GitHub's REST API with the right token.
    pub(crate) async fn rest(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.servers.github.url));
        request.bearer_auth(&self.options.github_token).send().await.unwrap()
    }

    /// The body of an answer of GitHub's REST API, which must have status 200.
    pub(crate) async fn resource(&self, path: &str) -> Value {
        let response = self.rest(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Asks `PagerDuty` with the right token.
    pub(crate) async fn page(&self, path: &str, query: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}{path}", self.servers.pagerduty.url);
        let request = self.client.get(Url::parse_with_params(&url, query).unwrap());
        let request =
            request.header("authorization", format!("Token token={}", self.options.pagerduty_token));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}
