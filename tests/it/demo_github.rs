//! The simulated GitHub behaves as the documentation says: authentication, refusals, prices, pages, nodes.

use serde_json::{Value, json};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal, PullKey, Verdict};

use super::demo_stage::{Stage, acme, ago, now};
use sextant::model::time::Span;

/// A world with one repository of so many merged pull requests, one an hour.
fn shop(merged: i64) -> World {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(4_000));
    world.push(shop, "ada", "Begin", ago(3_999), ago(3_999));
    for hours in (0..merged).rev() {
        let at = ago(10 + hours);
        let pull = world.open_pull(shop, Proposal::new(&format!("Change {hours}"), "ada"), at);
        world.review(pull, "bela", Verdict::Approved, at.plus(Span::from_minutes(10)));
        world.merge(pull, Method::Squash, at.plus(Span::from_minutes(20)));
    }
    world
}

const PULLS: &str = "query Pulls($first: Int, $after: String, $last: Int, $before: String, $down: OrderDirection!) {
  repository(owner: \"acme\", name: \"shop\") { id
    pullRequests(first: $first, after: $after, last: $last, before: $before, orderBy: {field: UPDATED_AT, direction: $down}) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { number updatedAt } } } }";

fn numbers(connection: &Value) -> Vec<i64> {
    let nodes = connection["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["number"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap_in_both_directions() {
    for size in [1, 7, 25, 100] {
        let stage = Stage::of(shop(30)).await;
        for (way, cursor, end, more) in [
            ("first", "after", "endCursor", "hasNextPage"),
            ("last", "before", "startCursor", "hasPreviousPage"),
        ] {
            let mut walked = Vec::new();
            let mut at = Value::Null;
            loop {
                let data = stage.data(PULLS, json!({way: size, cursor: at, "down": "DESC"})).await;
                let page = &data["repository"]["pullRequests"];
                assert_eq!(page["totalCount"], 30);
                let mut shown = numbers(page);
                if way == "last" {
                    shown.reverse();
                }
                walked.extend(shown);
                if page["pageInfo"][more] == false {
                    break;
                }
                at = page["pageInfo"][end].clone();
            }
            let mut expected: Vec<i64> = (1..=30).rev().collect();
            if way == "last" {
                expected.reverse();
            }
            assert_eq!(walked, expected, "{way}: {size}");
        }
    }
}

#[tokio::test]
async fn a_cursor_stays_where_it_is_when_something_newer_arrives() {
    let stage = Stage::of(shop(10)).await;
    let first = stage.data(PULLS, json!({"first": 4, "down": "DESC"})).await;
    let page = &first["repository"]["pullRequests"];
    assert_eq!(numbers(page), [10, 9, 8, 7]);
    stage.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        world.open_pull(shop, Proposal::new("Newest", "ada"), ago(1));
    });
    let after = page["pageInfo"]["endCursor"].clone();
    let next = stage.data(PULLS, json!({"first": 4, "after": after, "down": "DESC"})).await;
    assert_eq!(numbers(&next["repository"]["pullRequests"]), [6, 5, 4, 3]);
}

#[tokio::test]
async fn what_nobody_would_write_as_a_cursor_is_refused() {
    let stage = Stage::of(shop(2)).await;
    for cursor in ["nonsense!", "bm9uc2Vuc2U=", ""] {
        let body = stage.ask(PULLS, json!({"first": 1, "after": cursor, "down": "ASC"})).await;
        assert_eq!(body["errors"][0]["type"], "INVALID_CURSOR_ARGUMENTS", "{body}");
        assert_eq!(body["errors"][0]["path"], json!(["repository", "pullRequests"]));
    }
}

#[tokio::test]
async fn the_wrong_token_is_bad_credentials_and_no_user_agent_is_forbidden() {
    let stage = Stage::of(shop(0)).await;
    let url = format!("{}/graphql", stage.servers.github.url);
    let wrong = stage.client.post(&url).bearer_auth("wrong").body("{}").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.json::<Value>().await.unwrap()["message"], "Bad credentials");
    let mute = reqwest::Client::builder().build().unwrap();
    let refused = mute.post(&url).bearer_auth("demo-github-token").body("{}").send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn what_github_refuses_is_refused() {
    let stage = Stage::of(shop(1)).await;
    let many: Vec<String> = (0..101).map(|n| format!("R_{n}")).collect();
    let repository = |inner: &str| format!("{{ repository(owner: \"acme\", name: \"shop\") {{ {inner} }} }}");
    let rows = [
        ("{ repository(".to_owned(), ""),
        (repository("nonsense"), "does not have a field"),
        (
            repository("deployments(first: 1, orderBy: {field: UPDATED_AT, direction: ASC}) { totalCount }"),
            "UPDATED_AT",
        ),
        (repository("pullRequests { totalCount }"), "You must provide a `first` or `last`"),
        (repository("pullRequests(first: 101) { totalCount }"), "exceeds the `first` limit of 100"),
        (repository("pullRequests(last: 0) { totalCount }"), "exceeds the `last` limit of 100"),
        (
            repository(
                "pullRequests(first: 100) { nodes { commits(first: 100) { nodes { commit { parents(first: 60) { totalCount } } } } } }",
            ),
            "exceeds the maximum limit of 500,000",
        ),
        (format!("{{ nodes(ids: {many:?}) {{ id }} }}"), "You may not provide more than 100 node ids"),
        ("mutation { addStar { clientMutationId } }".to_owned(), "mutation"),
        ("query A { viewer { login } } query B { viewer { login } }".to_owned(), ""),
        ("query Q($unused: Int) { viewer { login } }".to_owned(), "unused"),
    ];
    for (query, says) in rows {
        let body = stage.ask(&query, json!({})).await;
        let errors = body["errors"].as_array().unwrap();
        let is_said = |error: &Value| error["message"].as_str().unwrap().contains(says);
        assert!(errors.iter().any(is_said), "{query}: {errors:?}");
        assert_eq!(body.get("data"), None, "{query}");
    }
    assert_eq!(stage.servers.github.tally.points(), 0);
}

const PROBE: &str =
    "query Probe($ids: [ID!]!) { rateLimit { cost nodeCount } nodes(ids: $ids) { ... on Repository {
  deployments(first: 1, orderBy: {field: CREATED_AT, direction: DESC}) { nodes { databaseId } }
  pullRequests(first: 1, states: [MERGED]) { nodes { number } }
  releases(first: 1) { nodes { databaseId } }
  issues(first: 1) { nodes { number } } } } }";

const MERGED: &str = "query Merged($first: Int!) { rateLimit { cost nodeCount }
  repository(owner: \"acme\", name: \"shop\") { pullRequests(first: $first, states: MERGED) { nodes { ...Parts } } } }
fragment Parts on PullRequest { mergeCommit { parents(first: 2) { totalCount } } labels(first: 20) { nodes { name } }
  commits(first: 1) { nodes { commit { authoredDate } } } reviews(first: 5) { nodes { state } }
  timelineItems(first: 5, itemTypes: [READY_FOR_REVIEW_EVENT]) { nodes { __typename } } }";

#[tokio::test]
async fn points_are_those_of_the_published_formula() {
    let stage = Stage::of(shop(3)).await;
    let id = stage.data(PULLS, json!({"first": 1, "down": "ASC"})).await["repository"]["id"].clone();
    let ids = |count: usize| json!({"ids": vec![id.clone(); count]});
    let history = "query History($first: Int!) { rateLimit { cost nodeCount } repository(owner: \"acme\", name: \"shop\") {
      defaultBranchRef { target { ... on Commit { history(first: $first) { nodes { oid associatedPullRequests(first: 2) { totalCount } } } } } } } }";
    let documented = "query Documented($first: Int!) { rateLimit { cost nodeCount } organization(login: \"acme\") {
      repositories(first: $first) { nodes { issues(first: 50) { nodes { labels(first: 60) { nodes { name } } } } } } } }";
    let twice = "query Twice($first: Int!) { rateLimit { cost nodeCount } repository(owner: \"acme\", name: \"shop\") {
      pullRequests(first: $first) { totalCount } ... on Repository { pullRequests(first: $first) { nodes { number } } } } }";
    let nothing = "query Nothing($first: Int!) { rateLimit { cost nodeCount } organization(login: \"acme\") {
      repositories(first: $first) @skip(if: true) { totalCount } } }";
    let rows = [
        // 25 × 4 requests; 100 × 4; 1.
        (PROBE, ids(25), 1, 100),
        (PROBE, ids(100), 4, 400),
        (PROBE, ids(1), 1, 4),
        // 1 + 25 × 5 = 126 requests; 1 + 50 × 5 = 251; 1 + 100 × 5 = 501.
        (MERGED, json!({"first": 25}), 1, 25 + 25 * 33),
        (MERGED, json!({"first": 50}), 3, 50 + 50 * 33),
        (MERGED, json!({"first": 100}), 5, 100 + 100 * 33),
        // 1 + 100 requests.
        (history, json!({"first": 100}), 1, 100 + 200),
        // The example of the documentation: 1 + 100 + 100 × 50 = 5,101 requests.
        (documented, json!({"first": 100}), 51, 100 + 5_000 + 300_000),
        // The same connection, twice in the text, is one.
        (twice, json!({"first": 100}), 1, 100),
        (nothing, json!({"first": 100}), 1, 0),
    ];
    for (query, variables, cost, nodes) in rows {
        let before = stage.servers.github.tally.points();
        let limit = &stage.data(query, variables.clone()).await["rateLimit"];
        assert_eq!((&limit["cost"], &limit["nodeCount"]), (&json!(cost), &json!(nodes)), "{query}");
        assert_eq!(stage.servers.github.tally.points() - before, cost);
    }
}

#[tokio::test]
async fn a_dry_run_tells_the_price_and_charges_nothing() {
    let stage = Stage::of(shop(1)).await;
    let query =
        "{ rateLimit(dryRun: true) { cost used } organization(login: \"acme\") { repositories(first: 100) {
      nodes { issues(first: 100) { totalCount } pullRequests(first: 100) { totalCount } } } } }";
    let data = stage.data(query, json!({})).await;
    assert_eq!(data, json!({"rateLimit": {"cost": 2, "used": 0}}));
    assert_eq!(stage.servers.github.tally.points(), 0);
}

#[tokio::test]
async fn a_used_up_budget_is_an_error_with_status_200_until_the_hour_is_over() {
    let options = Options { github_points_per_hour: 2, ..Options::default() };
    let stage = Stage::with(shop(1), options).await;
    let query = "{ rateLimit { limit remaining used resetAt } }";
    let first = stage.data(query, json!({})).await;
    let expected = json!({"limit": 2, "remaining": 1, "used": 1, "resetAt": "2026-11-22T18:00:00Z"});
    assert_eq!(first["rateLimit"], expected);
    stage.data(query, json!({})).await;
    let refused = stage.send(query, json!({})).await.unwrap();
    assert_eq!(refused.status(), 200);
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(refused.headers()["x-ratelimit-reset"], "1795370400");
    assert_eq!(refused.headers()["x-ratelimit-resource"], "graphql");
    assert_eq!(refused.headers()["date"], "Sun, 22 Nov 2026 17:00:00 GMT");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["type"], "RATE_LIMITED");
    stage.world.tell(|world| world.advance(now().plus(Span::from_hours(1))));
    assert_eq!(stage.data(query, json!({})).await["rateLimit"]["used"], 1);
}

#[tokio::test]
async fn an_unknown_node_is_null_with_an_error_and_spoils_no_batch() {
    let mut world = shop(1);
    let gone = world.repository("acme/gone", ago(90));
    let stage = Stage::of(world).await;
    let query = "{ organization(login: \"acme\") { repositories(first: 9, orderBy: {field: NAME, direction: ASC}) { nodes { id name } } } }";
    let found = stage.data(query, json!({})).await["organization"]["repositories"]["nodes"].clone();
    assert_eq!(found[0]["name"], "gone");
    stage.world.tell(|world| world.delete_repository(gone, ago(1)));
    let ids = json!([found[0]["id"], found[1]["id"], "R_unknown"]);
    let query = "query Q($ids: [ID!]!) { some: nodes(ids: $ids) { ... on Repository { name } } }";
    let body = stage.ask(query, json!({"ids": ids})).await;
    assert_eq!(body["data"]["some"], json!([null, {"name": "shop"}, null]));
    let errors = body["errors"].as_array().unwrap();
    let paths: Vec<_> = errors.iter().map(|error| (&error["type"], &error["path"])).collect();
    let (kind, first, second) = (json!("NOT_FOUND"), json!(["some", 0]), json!(["some", 2]));
    assert_eq!(paths, [(&kind, &first), (&kind, &second)]);
    let body = stage.ask("{ node(id: \"R_unknown\") { id } }", json!({})).await;
    assert_eq!((&body["data"]["node"], &body["errors"][0]["type"]), (&Value::Null, &kind));
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_keeps_its_id() {
    let stage = Stage::of(shop(1)).await;
    let query = "query Q($follow: Boolean) { repository(owner: \"ACME\", name: \"shop\", followRenames: $follow) { id nameWithOwner } }";
    let before = stage.data(query, json!({})).await["repository"]["id"].clone();
    stage.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        world.rename(shop, "acme/store", now());
    });
    let after = stage.data(query, json!({})).await;
    assert_eq!(after["repository"], json!({"id": before, "nameWithOwner": "acme/store"}));
    let body = stage.ask(query, json!({"follow": false})).await;
    assert_eq!(
        (&body["data"]["repository"], &body["errors"][0]["type"]),
        (&Value::Null, &json!("NOT_FOUND"))
    );
}

#[tokio::test]
async fn rest_answers_and_what_is_no_resource_is_not_found() {
    let stage = Stage::of(shop(1)).await;
    for (path, status) in
        [("/rate_limit", 200), ("/meta", 200), ("/api/v3/meta", 200), ("/repos/acme/shop/nothing", 404)]
    {
        let request = stage.client.get(format!("{}{path}", stage.servers.github.url));
        let response = request.bearer_auth("demo-github-token").send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert!(response.headers().contains_key("x-github-request-id"));
        let body: Value = response.json().await.unwrap();
        match path {
            "/rate_limit" => assert_eq!(body["resources"]["graphql"]["remaining"], 5_000),
            "/repos/acme/shop/nothing" => assert_eq!(body["message"], "Not Found"),
            _ => assert!(body.is_object()),
        }
    }
    assert_eq!(stage.servers.github.tally.requests(), 4);
}

#[tokio::test]
async fn deployments_come_oldest_first_unless_asked_and_never_hide_their_history() {
    let mut world = shop(2);
    let shop = world.find("acme/shop").unwrap();
    let head = world.head(shop).unwrap();
    let first = world.deploy(shop, head, "production", ago(5));
    world.status(first, State::InProgress, ago(5));
    world.status(first, State::Success, ago(4));
    let second = world.deploy(shop, head, "production", ago(3));
    world.status(second, State::Success, ago(2));
    world.deploy(shop, head, "staging", ago(1));
    let stage = Stage::of(world).await;
    let query = "query D($order: DeploymentOrder) { repository(owner: \"acme\", name: \"shop\") { deployments(first: 5, environments: [\"production\"], orderBy: $order) {
      nodes { state updatedAt statuses(first: 9) { nodes { state createdAt } } latestStatus { state } } } } }";
    let data = stage.data(query, json!({})).await;
    let nodes = &data["repository"]["deployments"]["nodes"];
    assert_eq!((&nodes[0]["state"], &nodes[1]["state"]), (&json!("INACTIVE"), &json!("ACTIVE")));
    assert_eq!(nodes[0]["updatedAt"], ago(2).to_string());
    let states = |node: &Value| -> Vec<String> {
        let statuses = node["statuses"]["nodes"].as_array().unwrap();
        statuses.iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&nodes[0]), ["INACTIVE", "SUCCESS", "IN_PROGRESS"]);
    let down = stage.data(query, json!({"order": {"field": "CREATED_AT", "direction": "DESC"}})).await;
    assert_eq!(down["repository"]["deployments"]["nodes"][0]["state"], "ACTIVE");
}

#[tokio::test]
async fn an_update_between_two_pages_moves_its_item_to_the_end_or_out_of_reach() {
    for (direction, expected) in [
        // Up: what is updated comes again at the end, so nothing is missed.
        ("ASC", vec![1, 2, 3, 4, 5, 6, 7, 9, 10, 8, 1]),
        // Down: what is updated jumps in front of the cursor, and 1 is missed.
        ("DESC", vec![10, 9, 8, 7, 6, 5, 4, 3, 2]),
    ] {
        let stage = Stage::of(shop(10)).await;
        let mut walked = Vec::new();
        let mut after = Value::Null;
        loop {
            let data = stage.data(PULLS, json!({"first": 4, "after": after, "down": direction})).await;
            let page = &data["repository"]["pullRequests"];
            walked.extend(numbers(page));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            if after.is_null() {
                stage.world.tell(|world| {
                    for (place, hours) in [(7, 2), (0, 1)] {
                        let repository = world.find("acme/shop").unwrap();
                        world.edit_pull(PullKey { repository, place }, ago(hours), |_| {});
                    }
                });
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(walked, expected, "{direction}");
    }
}
