//! Stories of the world, read back as GitHub tells them: landings, reverts of history, deleted accounts, issues.

use serde_json::{Value, json};
use sextant::demo::world::issue::StateReason;
use sextant::demo::world::organization::Permission;
use sextant::demo::world::pull::{Method, Proposal, Verdict};

use super::demo_stage::{Stage, acme, ago};

const HISTORY: &str = "query H($since: GitTimestamp, $until: GitTimestamp, $first: Int = 50, $after: String) { repository(owner: \"acme\", name: \"shop\") {
  defaultBranchRef { target { oid ... on Commit { history(first: $first, after: $after, since: $since, until: $until) { totalCount pageInfo { endCursor hasNextPage }
    nodes { oid messageHeadline authoredDate committedDate parents(first: 3) { nodes { oid } } associatedPullRequests(first: 3) { nodes { number } } } } } } } } }";

fn history(data: &Value) -> Vec<(String, Vec<i64>)> {
    let nodes = data["repository"]["defaultBranchRef"]["target"]["history"]["nodes"].as_array().unwrap();
    let of = |node: &Value| {
        let pulls = node["associatedPullRequests"]["nodes"].as_array().unwrap();
        let numbers = pulls.iter().map(|pull| pull["number"].as_i64().unwrap()).collect();
        (node["messageHeadline"].as_str().unwrap().to_owned(), numbers)
    };
    nodes.iter().map(of).collect()
}

#[tokio::test]
async fn each_way_of_merging_leaves_the_history_that_git_leaves() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    world.push(shop, "ada", "Begin", ago(400), ago(399));
    for (title, method, hours) in
        [("S", Method::Squash, 90), ("M", Method::Merge, 60), ("R", Method::Rebase, 30)]
    {
        let proposal = Proposal::new(title, "ada")
            .branch("topic")
            .commit(ago(hours), &format!("{title} one"))
            .commit(ago(hours - 1), &format!("{title} two"));
        let pull = world.open_pull(shop, proposal, ago(hours - 2));
        world.merge(pull, method, ago(hours - 3));
    }
    let stage = Stage::of(world).await;
    let data = stage.data(HISTORY, json!({})).await;
    let expected = [
        ("R two", vec![3]),
        ("R one", vec![3]),
        ("Merge pull request #2 from acme/topic", vec![2]),
        ("M two", vec![2]),
        ("M one", vec![2]),
        ("S (#1)", vec![1]),
        ("Begin", vec![]),
    ];
    assert_eq!(history(&data), expected.map(|(line, pulls)| (line.to_owned(), pulls)));
    let nodes = &data["repository"]["defaultBranchRef"]["target"]["history"]["nodes"];
    assert_eq!(nodes[0]["authoredDate"], ago(29).to_string(), "a rebase keeps the author's date");
    assert_eq!(nodes[0]["committedDate"], ago(27).to_string());
    assert_eq!(nodes[2]["parents"]["nodes"].as_array().unwrap().len(), 2);
    let between = json!({"since": ago(59).to_string(), "until": ago(57).to_string()});
    let expected = ["Merge pull request #2 from acme/topic", "M two"];
    let lines: Vec<_> =
        history(&stage.data(HISTORY, between).await).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_walk_through_history_goes_on_from_where_it_began_when_somebody_pushes() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    for hours in (1..=6).rev() {
        world.push(shop, "ada", &format!("{hours} h ago"), ago(hours), ago(hours));
    }
    let stage = Stage::of(world).await;
    let first = stage.data(HISTORY, json!({"first": 3})).await;
    stage.world.tell(|world| world.push(shop, "ada", "just now", ago(0), ago(0)));
    let after = &first["repository"]["defaultBranchRef"]["target"]["history"]["pageInfo"]["endCursor"];
    let second = stage.data(HISTORY, json!({"first": 9, "after": after})).await;
    let lines: Vec<_> = history(&second).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["4 h ago", "5 h ago", "6 h ago"]);
}

#[tokio::test]
async fn a_commit_lost_to_a_force_push_is_null_while_its_deployment_still_names_it() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    let kept = world.push(shop, "ada", "Kept", ago(40), ago(40));
    let lost = world.push(shop, "ada", "Lost", ago(30), ago(30));
    world.deploy(shop, lost, "production", ago(29));
    world.force_push(shop, "main", kept, ago(28));
    let stage = Stage::of(world).await;
    let query = "query Q($oid: GitObjectID!) { repository(owner: \"acme\", name: \"shop\") { pushedAt object(oid: $oid) { oid }
      deployments(first: 1) { nodes { commitOid commit { oid } ref { name } } } } }";
    let data = stage.data(query, json!({"oid": lost.to_string()})).await;
    let expected = json!({
        "pushedAt": ago(28).to_string(),
        "object": null,
        "deployments": {"nodes": [{"commitOid": lost.to_string(), "commit": null, "ref": {"name": "main"}}]},
    });
    assert_eq!(data["repository"], expected);
}

#[tokio::test]
async fn authors_are_people_apps_or_nobody_any_more() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    world.push(shop, "ada", "Begin", ago(400), ago(399));
    for author in ["ada", "dependabot[bot]", ""] {
        let pull = world.open_pull(shop, Proposal::new("Change", author).draft(), ago(50));
        world.ready_for_review(pull, ago(49));
        world.review(pull, "", Verdict::Commented, ago(48));
        world.review(pull, "bela", Verdict::Approved, ago(47));
        world.merge(pull, Method::Squash, ago(46));
    }
    let stage = Stage::of(world).await;
    let query = "{ repository(owner: \"acme\", name: \"shop\") { pullRequests(first: 9, states: MERGED) { nodes {
      author { __typename login } mergedBy { login } publishedAt mergedAt headRef { name } reviews(first: 5) { nodes { state author { login } } }
      timelineItems(first: 5, itemTypes: [READY_FOR_REVIEW_EVENT, MERGED_EVENT]) { nodes { __typename ... on ReadyForReviewEvent { createdAt } } } } } } }";
    let data = stage.data(query, json!({})).await;
    let nodes = data["repository"]["pullRequests"]["nodes"].as_array().unwrap().clone();
    let authors: Vec<_> = nodes.iter().map(|node| node["author"].clone()).collect();
    let expected = [
        json!({"__typename": "User", "login": "ada"}),
        json!({"__typename": "Bot", "login": "dependabot"}),
        Value::Null,
    ];
    assert_eq!(authors, expected);
    for node in nodes {
        assert_eq!(node["mergedBy"]["login"], "bela");
        assert_eq!(node["publishedAt"], ago(49).to_string());
        assert_eq!(node["headRef"], Value::Null);
        assert_eq!(node["reviews"]["nodes"][0], json!({"state": "COMMENTED", "author": null}));
        let expected = json!([
            {"__typename": "ReadyForReviewEvent", "createdAt": ago(49).to_string()},
            {"__typename": "MergedEvent"},
        ]);
        assert_eq!(node["timelineItems"]["nodes"], expected);
    }
}

#[tokio::test]
async fn issues_are_filtered_by_change_and_by_labels_and_a_duplicate_must_be_asked_for() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    let outage = world.open_issue(shop, "Outage", &["incident", "sev-1"], ago(40));
    world.open_issue(shop, "Typo", &["bug"], ago(30));
    let doubled = world.open_issue(shop, "Outage again", &["incident"], ago(39));
    world.close_issue(doubled, StateReason::Duplicate, ago(38));
    world.close_issue(outage, StateReason::Completed, ago(20));
    world.reopen_issue(outage, ago(10));
    let stage = Stage::of(world).await;
    let query = "query I($filter: IssueFilters, $dup: Boolean) { repository(owner: \"acme\", name: \"shop\") {
      issues(first: 9, filterBy: $filter, orderBy: {field: UPDATED_AT, direction: ASC}) { nodes { number state stateReason(enableDuplicate: $dup) closedAt } } } }";
    let issue = |number: i64, state: &str, reason: Option<&str>, closed: Option<i64>| json!({"number": number, "state": state, "stateReason": reason, "closedAt": closed.map(|hours| ago(hours).to_string())});
    let rows = [
        (
            json!({}),
            json!([
                issue(3, "CLOSED", Some("NOT_PLANNED"), Some(38)),
                issue(2, "OPEN", None, None),
                issue(1, "OPEN", Some("REOPENED"), None)
            ]),
        ),
        (
            json!({"filter": {"since": ago(30).to_string()}}),
            json!([issue(2, "OPEN", None, None), issue(1, "OPEN", Some("REOPENED"), None)]),
        ),
        (
            json!({"filter": {"labels": ["incident"]}, "dup": true}),
            json!([
                issue(3, "CLOSED", Some("DUPLICATE"), Some(38)),
                issue(1, "OPEN", Some("REOPENED"), None)
            ]),
        ),
        (
            json!({"filter": {"labels": ["incident", "sev-1"]}}),
            json!([issue(1, "OPEN", Some("REOPENED"), None)]),
        ),
    ];
    for (variables, expected) in rows {
        let data = stage.data(query, variables.clone()).await;
        assert_eq!(data["repository"]["issues"]["nodes"], expected, "{variables}");
    }
}

#[tokio::test]
async fn teams_tell_what_they_may_do_where() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    let cart = world.repository("acme/cart", ago(499));
    let crew = world.team("acme", "Shop Crew", ago(500));
    world.grant(&crew, shop, Permission::Write);
    world.grant(&crew, shop, Permission::Admin);
    world.grant(&crew, cart, Permission::Read);
    let stage = Stage::of(world).await;
    let query = "{ organization(login: \"acme\") { teams(first: 5) { totalCount nodes { slug name repositories(first: 5) { edges { permission node { name isEmpty defaultBranchRef { name } } } } } } } }";
    let data = stage.data(query, json!({})).await;
    let edge = |permission: &str, name: &str| json!({"permission": permission, "node": {"name": name, "isEmpty": true, "defaultBranchRef": null}});
    let expected = json!({"totalCount": 1, "nodes": [
        {"slug": "shop-crew", "name": "Shop Crew", "repositories": {"edges": [edge("ADMIN", "shop"), edge("READ", "cart")]}},
    ]});
    assert_eq!(data["organization"]["teams"], expected);
}

#[tokio::test]
async fn files_tags_and_releases_are_where_git_keeps_them() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    let first = world.push(shop, "ada", "Begin", ago(400), ago(399));
    world.file(shop, ".github/CODEOWNERS", "* @acme/shop-crew\n");
    world.release(shop, "v1.0.0", first, ago(300));
    world.tag(shop, "v1.1.0", first, Some(ago(200)));
    let stage = Stage::of(world).await;
    let query = "{ repository(owner: \"acme\", name: \"shop\") {
      owners: object(expression: \"HEAD:.github/CODEOWNERS\") { ... on Blob { text byteSize } } none: object(expression: \"main:CODEOWNERS\") { oid }
      refs(refPrefix: \"refs/tags/\", first: 5, orderBy: {field: TAG_COMMIT_DATE, direction: DESC}) { nodes { name target { __typename ... on Tag { tagger { date } target { oid } } ... on Commit { committedDate } } } }
      releases(first: 5) { nodes { tagName isLatest publishedAt tagCommit { oid } } } } }";
    let data = stage.data(query, json!({})).await["repository"].clone();
    assert_eq!(data["owners"], json!({"text": "* @acme/shop-crew\n", "byteSize": 18}));
    assert_eq!(data["none"], Value::Null);
    let expected = json!([
        {"name": "v1.1.0", "target": {"__typename": "Tag", "tagger": {"date": ago(200).to_string()}, "target": {"oid": first.to_string()}}},
        {"name": "v1.0.0", "target": {"__typename": "Commit", "committedDate": ago(399).to_string()}},
    ]);
    assert_eq!(data["refs"]["nodes"], expected);
    let expected = json!([{"tagName": "v1.0.0", "isLatest": true, "publishedAt": ago(300).to_string(), "tagCommit": {"oid": first.to_string()}}]);
    assert_eq!(data["releases"]["nodes"], expected);
}

#[tokio::test]
async fn whatever_happens_to_a_pull_request_moves_when_it_was_updated_and_only_pushes_move_the_repository() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(500));
    world.push(shop, "ada", "Begin", ago(400), ago(399));
    let pull = world.open_pull(shop, Proposal::new("Change", "ada").branch("topic"), ago(90));
    let stage = Stage::of(world).await;
    let query = "{ repository(owner: \"acme\", name: \"shop\") { pushedAt pullRequest(number: 1) { updatedAt isDraft state headRefOid headRef { target { oid } } labels(first: 3) { nodes { name } } } } }";
    let read = async || {
        let data = stage.data(query, json!({})).await["repository"].clone();
        let at = |value: &Value| value.as_str().unwrap().to_owned();
        let pull = &data["pullRequest"];
        if pull["state"] == "OPEN" {
            assert_eq!(pull["headRefOid"], pull["headRef"]["target"]["oid"]);
        }
        (at(&pull["updatedAt"]), at(&data["pushedAt"]))
    };
    let expect = |updated: i64, pushed: i64| (ago(updated).to_string(), ago(pushed).to_string());
    assert_eq!(read().await, expect(90, 90));
    stage.world.tell(|world| world.convert_to_draft(pull, ago(80)));
    assert_eq!(read().await, expect(80, 90));
    stage.world.tell(|world| world.push_to_pull(pull, "More", ago(70)));
    assert_eq!(read().await, expect(70, 70));
    stage.world.tell(|world| world.edit_pull(pull, ago(60), |pull| pull.labels.push("hotfix".to_owned())));
    assert_eq!(read().await, expect(60, 70));
    stage.world.tell(|world| world.review(pull, "bela", Verdict::ChangesRequested, ago(50)));
    assert_eq!(read().await, expect(50, 70));
    stage.world.tell(|world| world.merge(pull, Method::Merge, ago(40)));
    assert_eq!(read().await, expect(40, 40));
    stage.world.tell(|world| world.review(pull, "bela", Verdict::Approved, ago(30)));
    assert_eq!(read().await, expect(30, 40));
}

#[tokio::test]
async fn an_enterprise_server_answers_under_its_own_path() {
    let stage = Stage::of(acme()).await;
    for path in ["/graphql", "/api/graphql"] {
        let request =
            stage.client.post(format!("{}{path}", stage.servers.github.url)).bearer_auth("demo-github-token");
        let response = request
            .body(json!({"query": "{ viewer { login __typename } }"}).to_string())
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body, json!({"data": {"viewer": {"login": "acme-sextant", "__typename": "User"}}}));
    }
}
