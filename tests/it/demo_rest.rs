//! The simulated GitHub's REST resources: runs with their filters and pages, commits with their files, renamed
//! repositories.

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use sextant::demo::world::World;
use sextant::demo::world::repository::RepositoryKey;
use sextant::demo::world::workflow::{Conclusion, Progress, WorkflowKey};
use sextant::model::name::CommitId;
use sextant::model::time::Span;

use super::demo_stage::{Stage, acme, ago};

fn shop() -> (World, RepositoryKey, WorkflowKey, CommitId) {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(400));
    let commit = world.push(shop, "ada", "Begin\n\nIt is time.", ago(399), ago(399));
    let workflow = world.workflow(shop, "deploy.yml", "Deploy", ago(398));
    (world, shop, workflow, commit)
}

fn ids(body: &Value) -> Vec<u64> {
    let runs = body["workflow_runs"].as_array().unwrap();
    runs.iter().map(|run| run["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_rerun_keeps_its_number_and_its_creation_and_every_attempt_can_be_read() {
    let (mut world, shop, workflow, commit) = shop();
    let run = world.start_run(workflow, "push", commit, ago(20));
    world.progress_run(run, Progress::InProgress, ago(19));
    world.finish_run(run, Conclusion::Failure, ago(18));
    world.rerun(run, ago(10));
    world.finish_run(run, Conclusion::Success, ago(9));
    let stage = Stage::of(world).await;
    let list = stage.resource("/repos/acme/shop/actions/workflows/deploy.yml/runs").await;
    assert_eq!(list["total_count"], 1);
    let newest = &list["workflow_runs"][0];
    let shown = |run: &Value| {
        let words = ["run_attempt", "conclusion", "created_at", "run_started_at", "updated_at"];
        words.map(|word| run[word].clone())
    };
    let at = |hours| json!(ago(hours).to_string());
    assert_eq!(shown(newest), [json!(2), json!("success"), at(20), at(10), at(9)]);
    assert_eq!((&newest["display_title"], &newest["head_branch"]), (&json!("Begin"), &json!("main")));
    let api = format!("/repos/acme/shop/actions/runs/{}", run.database_id);
    assert_eq!(&stage.resource(&api).await, newest);
    let first = stage.resource(&format!("{api}/attempts/1")).await;
    assert_eq!(shown(&first), [json!(1), json!("failure"), at(20), at(20), at(18)]);
    for missing in ["attempts/0", "attempts/3", "attempts/x"] {
        assert_eq!(stage.rest(&format!("{api}/{missing}")).await.status(), 404);
    }
    stage.world.tell(|world| world.delete_runs(shop, ago(19), ago(1)));
    assert_eq!(stage.rest(&api).await.status(), 404);
    let list = stage.resource("/repos/acme/shop/actions/workflows/deploy.yml/runs").await;
    assert_eq!(list["total_count"], 0);
}

#[tokio::test]
async fn runs_are_narrowed_by_branch_event_status_and_creation() {
    let (mut world, _, workflow, commit) = shop();
    let mut runs = Vec::new();
    for (hours, event, branch, progress) in [
        (50, "push", Some("main"), Progress::Completed(Conclusion::Success)),
        (40, "push", Some("topic"), Progress::Completed(Conclusion::Cancelled)),
        (30, "workflow_dispatch", Some("main"), Progress::Completed(Conclusion::Unheard("vanished"))),
        (20, "push", None, Progress::Unconcluded),
        (10, "push", Some("main"), Progress::InProgress),
    ] {
        let run = world.start_run(workflow, event, commit, ago(hours));
        world.edit_run(run, ago(hours), |run| run.branch = branch.map(str::to_owned));
        world.progress_run(run, progress, ago(hours - 1));
        runs.push(run.database_id);
    }
    let stage = Stage::of(world).await;
    let number = stage.resource("/repos/acme/shop/actions/workflows").await["workflows"][0]["id"].clone();
    let since = ago(30);
    let rows = [
        (String::new(), vec![4, 3, 2, 1, 0]),
        ("branch=main".to_owned(), vec![4, 2, 0]),
        ("branch=main&event=push".to_owned(), vec![4, 0]),
        ("status=completed".to_owned(), vec![3, 2, 1, 0]),
        ("status=cancelled".to_owned(), vec![1]),
        ("status=in_progress&exclude_pull_requests=true".to_owned(), vec![4]),
        (format!("created=%3E%3D{since}"), vec![4, 3, 2]),
        (format!("created={}..{since}", ago(40)), vec![2, 1]),
        ("created=2020-01-01".to_owned(), vec![]),
        ("per_page=2".to_owned(), vec![4, 3]),
        ("per_page=2&page=3".to_owned(), vec![0]),
        ("per_page=2&page=9".to_owned(), vec![]),
    ];
    for (query, expected) in rows {
        let path = format!("/repos/acme/shop/actions/workflows/{number}/runs?{query}");
        let expected: Vec<u64> = expected.into_iter().map(|place: usize| runs[place]).collect();
        assert_eq!(ids(&stage.resource(&path).await), expected, "{query}");
    }
    let all = stage.resource("/repos/acme/shop/actions/workflows/deploy.yml/runs").await;
    let words: Vec<_> =
        all["workflow_runs"].as_array().unwrap().iter().map(|run| &run["conclusion"]).collect();
    let null = &Value::Null;
    assert_eq!(words, [null, null, &json!("vanished"), &json!("cancelled"), &json!("success")]);
}

#[tokio::test]
async fn links_lead_through_all_pages_and_a_narrowed_list_ends_at_a_thousand() {
    let (mut world, shop, workflow, commit) = shop();
    for minutes in 0..1_050 {
        world.start_run(workflow, "push", commit, ago(300).plus(Span::from_minutes(minutes)));
    }
    let number = world.at(shop).database_id;
    let stage = Stage::of(world).await;
    for (filter, expected) in [("", 1_050), ("event=push&", 1_000)] {
        let mut next = format!("/repos/acme/shop/actions/workflows/deploy.yml/runs?{filter}per_page=100");
        let mut seen = Vec::new();
        loop {
            let response = stage.rest(&next).await;
            let link = response.headers().get("link").map(|it| it.to_str().unwrap().to_owned());
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["total_count"], 1_050);
            seen.extend(ids(&body));
            let link = link.unwrap();
            let Some(found) = link.split(", ").find(|it| it.ends_with("rel=\"next\"")) else {
                break;
            };
            let address = found.trim_start_matches('<').split_once('>').unwrap().0;
            next = address.strip_prefix(&stage.servers.github.url).unwrap().to_owned();
            assert!(next.starts_with(&format!("/repositories/{number}/actions/workflows/")), "{next}");
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted_by(|later, earlier| later > earlier));
    }
}

#[tokio::test]
async fn the_files_of_a_commit_come_in_pages() {
    let (mut world, shop, _, _) = shop();
    let big = world.push(shop, "ada", "Move everything", ago(5), ago(5));
    let paths: Vec<String> = (0..3_100).map(|n| format!("part/{n:04}.rs")).collect();
    world.touch(shop, big, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let stage = Stage::of(world).await;
    let rows = [
        ("", 300, true),
        ("?page=11", 0, true),
        ("?page=10", 300, true),
        ("?per_page=100&page=30", 100, true),
    ];
    for (query, count, linked) in rows {
        let response = stage.rest(&format!("/repos/acme/shop/commits/{big}{query}")).await;
        assert_eq!(response.headers().contains_key("link"), linked, "{query}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["files"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(body["sha"], big.to_string());
        assert_eq!(body["stats"]["total"], 3 * 3_100);
    }
    let unknown = stage.rest("/repos/acme/shop/commits/0000000000000000000000000000000000000000").await;
    assert_eq!(unknown.status(), 422);
    assert_eq!(stage.resource("/repos/acme/shop/commits/main").await["sha"], big.to_string());
}

#[tokio::test]
async fn a_renamed_repository_is_found_by_its_number() {
    let (world, shop, _, _) = shop();
    let stage = Stage::of(world).await;
    let number = stage.world.tell(|world| {
        world.rename(shop, "acme/store", ago(1));
        world.at(shop).database_id
    });
    let still = reqwest::Client::builder().user_agent("stage").redirect(Policy::none()).build().unwrap();
    let url = format!("{}/repos/acme/shop/actions/workflows?per_page=1", stage.servers.github.url);
    let moved = still.get(&url).bearer_auth("demo-github-token").send().await.unwrap();
    assert_eq!(moved.status(), 301);
    let expected = format!("{}/repositories/{number}/actions/workflows?per_page=1", stage.servers.github.url);
    assert_eq!(moved.headers()["location"], expected);
    assert_eq!(stage.resource("/repos/acme/shop").await["full_name"], "acme/store");
    assert_eq!(stage.resource(&format!("/repositories/{number}")).await["full_name"], "acme/store");
    assert_eq!(stage.rest("/repos/acme/never").await.status(), 404);
}

#[tokio::test]
async fn workflows_are_nodes_with_their_newest_runs() {
    let (mut world, _, workflow, commit) = shop();
    for hours in [9, 8, 7] {
        let run = world.start_run(workflow, "push", commit, ago(hours));
        world.finish_run(run, Conclusion::TimedOut, ago(hours).plus(Span::from_minutes(4)));
    }
    let stage = Stage::of(world).await;
    let id = stage.resource("/repos/acme/shop/actions/workflows").await["workflows"][0]["node_id"].clone();
    let query = "query Probe($ids: [ID!]!) { rateLimit { cost } nodes(ids: $ids) { __typename ... on Workflow { databaseId name state
      runs(first: 2) { totalCount nodes { databaseId runNumber event createdAt updatedAt checkSuite { status conclusion branch { name } commit { oid } } } } } } }";
    let data = stage.data(query, json!({"ids": vec![id; 100]})).await;
    assert_eq!(data["rateLimit"]["cost"], 1);
    let runs = &data["nodes"][99]["runs"];
    assert_eq!((&runs["totalCount"], &runs["nodes"][0]["runNumber"]), (&json!(3), &json!(3)));
    assert_eq!(runs["nodes"][0]["createdAt"], ago(7).to_string());
    let suite = json!({"status": "COMPLETED", "conclusion": "TIMED_OUT", "branch": {"name": "main"}, "commit": {"oid": commit.to_string()}});
    assert_eq!(runs["nodes"][1]["checkSuite"], suite);
}
