//! Webhooks: what GitHub would post when something happened in the world.
//!
//! It makes the request; whoever tells the story sends it. Only what receivers are promised is in the body: the event's
//! object, the repository, the organisation, the sender.

mod body;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::github::record::{self, Site};
use super::github::run_record;
use super::world::World;
use super::world::account::Account;
use super::world::deployment::DeploymentKey;
use super::world::issue::IssueKey;
use super::world::pull::PullKey;
use super::world::release::ReleaseKey;
use super::world::repository::{Repository, RepositoryKey};
use super::world::workflow::RunKey;
use crate::model::name::CommitId;

/// Where the addresses in a body point.
const API: &str = "https://api.github.com";

/// Something that happened, of which GitHub tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A deployment got its newest status.
    DeploymentStatus(DeploymentKey),
    /// This commit is now the newest of the default branch.
    Push(RepositoryKey, CommitId),
    /// A pull request was closed, merged or not.
    PullRequestClosed(PullKey),
    /// A run began, goes on or is over.
    WorkflowRun(RunKey),
    /// A release was published.
    ReleasePublished(ReleaseKey),
    /// A tag was pushed.
    TagCreated(RepositoryKey, &'a str),
    /// An issue was opened or closed.
    Issue(IssueKey),
    /// A repository has another name.
    RepositoryRenamed(RepositoryKey),
}

/// A request to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its headers, the signature among them.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The request for an event, signed. `number` makes its id: the same number is the same delivery again. `None`: what
/// the event is about is not there.
pub fn delivery(world: &World, event: Event<'_>, secret: &str, number: u64) -> Option<Delivery> {
    let (name, repository, mut body) = content(world, event)?;
    let site = Site { world, base: API };
    let common = json!({
        "repository": record::full_repository(site, repository),
        "organization": world.organization(&repository.owner).map(|it| record::organization(site, it)),
        "sender": record::account(site, &Account::from("rhea")),
    });
    if let (Some(body), Value::Object(common)) = (body.as_object_mut(), common) {
        body.extend(common);
    }
    let body = body.to_string().into_bytes();
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", "GitHub-Hookshot/5imu1at".to_owned()),
        ("x-github-event", name.to_owned()),
        ("x-github-delivery", format!("5e471a47-0000-4000-8000-{number:012x}")),
        ("x-github-hook-id", "1".to_owned()),
        ("x-hub-signature-256", signature(secret, &body)),
    ];
    Some(Delivery { headers, body })
}

/// The signature of a body: HMAC-SHA-256 over its bytes.
pub fn signature(secret: &str, body: &[u8]) -> String {
    // Keys of any length are good for HMAC.
    let signed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mut mac| {
        mac.update(body);
        mac.finalize().into_bytes()
    });
    let mut text = "sha256=".to_owned();
    for byte in signed.iter().flatten() {
        text.extend(format!("{byte:02x}").chars());
    }
    text
}

fn content<'w>(world: &'w World, event: Event<'_>) -> Option<(&'static str, &'w Repository, Value)> {
    let site = Site { world, base: API };
    Some(match event {
        Event::DeploymentStatus(key) => {
            let (repository, held) = (world.at(key.repository), world.deployment(key)?);
            let status = held.statuses.last()?;
            let body = json!({
                "action": "created",
                "deployment": body::deployment(site, repository, held),
                "deployment_status": body::deployment_status(site, repository, held, status),
            });
            ("deployment_status", repository, body)
        }
        Event::Push(key, commit) => {
            let repository = world.at(key);
            ("push", repository, body::push(repository, commit)?)
        }
        Event::PullRequestClosed(key) => {
            let (repository, pull) = (world.at(key.repository), world.pull(key)?);
            let pull = body::pull_request(site, repository, pull);
            let body = json!({"action": "closed", "number": world.number(key), "pull_request": pull});
            ("pull_request", repository, body)
        }
        Event::WorkflowRun(key) => {
            let repository = world.at(key.workflow.repository);
            let (workflow, run) = repository.run(key.database_id)?;
            let (attempt, newest) = run.last()?;
            let action = body::run_action(newest.progress);
            let run = run_record::run(site, repository, workflow, run, (attempt, newest));
            let workflow = run_record::workflow(site, repository, workflow);
            let body = json!({"action": action, "workflow_run": run, "workflow": workflow});
            ("workflow_run", repository, body)
        }
        Event::ReleasePublished(key) => {
            let repository = world.at(key.repository);
            let release = body::release(site, repository, repository.release(key)?);
            ("release", repository, json!({"action": "published", "release": release}))
        }
        Event::TagCreated(key, tag) => {
            let repository = world.at(key);
            repository.tags.get(tag)?;
            let body = json!({
                "ref": tag,
                "ref_type": "tag",
                "full_ref": format!("refs/tags/{tag}"),
                "master_branch": repository.default_branch,
                "description": null,
                "pusher_type": "user",
            });
            ("create", repository, body)
        }
        Event::Issue(key) => {
            let repository = world.at(key.repository);
            let issue = repository.issues.get(key.place)?;
            let action = if issue.closed_at.is_some() { "closed" } else { "opened" };
            let issue = body::issue(site, repository, issue);
            ("issues", repository, json!({"action": action, "issue": issue}))
        }
        Event::RepositoryRenamed(key) => {
            let repository = world.at(key);
            let before = repository.previous_names.last()?;
            let before = before.split_once('/').map_or(before.as_str(), |(_, name)| name);
            let body = json!({"action": "renamed", "changes": {"repository": {"name": {"from": before}}}});
            ("repository", repository, body)
        }
    })
}
