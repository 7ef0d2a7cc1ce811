//! What happened in the world as GitHub would post it.

use serde_json::{Value, json};
use sextant::demo::webhook::{Delivery, Event, delivery, signature};
use sextant::demo::world::deployment::State;
use sextant::demo::world::issue::StateReason;
use sextant::demo::world::pull::{Method, Proposal};
use sextant::demo::world::workflow::Conclusion;

use super::demo_stage::{acme, ago};

fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a str {
    delivery.headers.iter().find(|(known, _)| *known == name).unwrap().1.as_str()
}

#[test]
fn every_event_names_its_repository_by_number_and_says_what_happened() {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(100));
    world.push(shop, "ada", "Begin", ago(99), ago(99));
    let pull = world.open_pull(shop, Proposal::new("Change", "ada").paths(&["api/a.rs"]), ago(90));
    let landed = world.merge(pull, Method::Squash, ago(80));
    let deployment = world.deploy(shop, landed, "production", ago(70));
    world.status(deployment, State::Success, ago(69));
    let workflow = world.workflow(shop, "deploy.yml", "Deploy", ago(68));
    let run = world.start_run(workflow, "push", landed, ago(60));
    world.finish_run(run, Conclusion::Success, ago(59));
    let release = world.release(shop, "v1", landed, ago(50));
    let issue = world.open_issue(shop, "It is down", &["incident"], ago(40));
    world.close_issue(issue, StateReason::Completed, ago(39));
    world.rename(shop, "acme/store", ago(30));
    let number = world.at(shop).database_id;
    let rows = [
        (
            Event::DeploymentStatus(deployment),
            "deployment_status",
            "/deployment_status/state",
            json!("success"),
        ),
        (
            Event::DeploymentStatus(deployment),
            "deployment_status",
            "/deployment/sha",
            json!(landed.to_string()),
        ),
        (Event::Push(shop, landed), "push", "/after", json!(landed.to_string())),
        (Event::Push(shop, landed), "push", "/ref", json!("refs/heads/main")),
        (Event::Push(shop, landed), "push", "/head_commit/modified", json!(["api/a.rs"])),
        (Event::PullRequestClosed(pull), "pull_request", "/pull_request/merged", json!(true)),
        (
            Event::PullRequestClosed(pull),
            "pull_request",
            "/pull_request/merge_commit_sha",
            json!(landed.to_string()),
        ),
        (Event::WorkflowRun(run), "workflow_run", "/workflow_run/conclusion", json!("success")),
        (Event::WorkflowRun(run), "workflow_run", "/action", json!("completed")),
        (Event::ReleasePublished(release), "release", "/release/tag_name", json!("v1")),
        (Event::TagCreated(shop, "v1"), "create", "/ref_type", json!("tag")),
        (Event::Issue(issue), "issues", "/action", json!("closed")),
        (Event::RepositoryRenamed(shop), "repository", "/changes/repository/name/from", json!("shop")),
    ];
    for (place, (event, name, pointer, expected)) in rows.into_iter().enumerate() {
        let made = delivery(&world, event, "hush", place as u64).unwrap();
        let body: Value = serde_json::from_slice(&made.body).unwrap();
        assert_eq!(header(&made, "x-github-event"), name);
        assert_eq!(header(&made, "x-hub-signature-256"), signature("hush", &made.body));
        assert_eq!(body.pointer(pointer), Some(&expected), "{name} {pointer}");
        assert_eq!(body["repository"]["id"], number, "{name}");
        assert_eq!(body["repository"]["full_name"], "acme/store");
        assert_eq!(body["organization"]["login"], "acme");
        let again = delivery(&world, event, "hush", place as u64).unwrap();
        assert_eq!(again, made, "the same number is the same delivery");
    }
    assert_eq!(delivery(&world, Event::TagCreated(shop, "never"), "hush", 1), None);
}

#[test]
fn the_signature_is_that_of_githubs_documentation() {
    let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(signature("It's a Secret to Everybody", b"Hello, World!"), expected);
}
