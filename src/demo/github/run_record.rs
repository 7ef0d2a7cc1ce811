//! Workflows and runs as REST and webhooks write them.

use serde_json::{Value, json};

use super::record::{self, Site};
use super::workflow::{file, words};
use super::{opaque, url, written};
use crate::demo::world::commit::Commit;
use crate::demo::world::repository::Repository;
use crate::demo::world::workflow::{Attempt, Run, Workflow};

/// A workflow.
pub(in crate::demo) fn workflow(site: Site<'_>, repository: &Repository, workflow: &Workflow) -> Value {
    let file = file(workflow);
    json!({
        "id": workflow.database_id,
        "node_id": opaque::node_id("W", &[repository.database_id, workflow.database_id]),
        "name": workflow.name,
        "path": workflow.path,
        "state": if workflow.disabled { "disabled_manually" } else { "active" },
        "created_at": written(workflow.created_at),
        "updated_at": written(workflow.updated_at),
        "url": workflow_url(site, repository, workflow),
        "html_url": format!("{}/blob/{}/{}", url(repository), repository.default_branch, workflow.path),
        "badge_url": format!("{}/actions/workflows/{file}/badge.svg", url(repository)),
    })
}

fn workflow_url(site: Site<'_>, repository: &Repository, workflow: &Workflow) -> String {
    format!("{}/repos/{}/actions/workflows/{}", site.base, repository.name_with_owner(), workflow.database_id)
}

/// A run in its n-th attempt.
pub(in crate::demo) fn run(
    site: Site<'_>,
    repository: &Repository,
    workflow: &Workflow,
    run: &Run,
    (number, attempt): (u64, &Attempt),
) -> Value {
    let api =
        format!("{}/repos/{}/actions/runs/{}", site.base, repository.name_with_owner(), run.database_id);
    let (status, conclusion) = words(attempt.progress);
    let is_last = number == run.attempts.len() as u64;
    let commit = repository.place(run.commit).and_then(|place| repository.commits.get(place));
    json!({
        "id": run.database_id,
        "node_id": opaque::node_id("WFR", &[repository.database_id, run.database_id]),
        "name": workflow.name,
        "path": workflow.path,
        "workflow_id": workflow.database_id,
        "check_suite_id": run.database_id,
        "check_suite_node_id": opaque::node_id("CS", &[repository.database_id, run.database_id]),
        "run_number": run.number,
        "run_attempt": number,
        "event": run.event,
        "display_title": run.title,
        "head_branch": run.branch,
        "head_sha": run.commit.to_string(),
        "status": status,
        "conclusion": conclusion,
        "created_at": written(run.created_at),
        "updated_at": written(if is_last { run.updated_at } else { attempt.updated_at }),
        "run_started_at": written(attempt.started_at),
        "actor": record::account(site, &run.actor),
        "triggering_actor": record::account(site, &run.actor),
        "pull_requests": [],
        "referenced_workflows": [],
        "head_commit": commit.map(head_commit),
        "repository": record::minimal_repository(site, repository),
        "head_repository": record::minimal_repository(site, repository),
        "url": api,
        "html_url": format!("{}/actions/runs/{}", url(repository), run.database_id),
        "jobs_url": format!("{api}/jobs"),
        "logs_url": format!("{api}/logs"),
        "artifacts_url": format!("{api}/artifacts"),
        "cancel_url": format!("{api}/cancel"),
        "rerun_url": format!("{api}/rerun"),
        "check_suite_url":
            format!("{}/repos/{}/check-suites/{}", site.base, repository.name_with_owner(), run.database_id),
        "workflow_url": workflow_url(site, repository, workflow),
        "previous_attempt_url": (number > 1).then(|| format!("{api}/attempts/{}", number - 1)),
    })
}

fn head_commit(commit: &Commit) -> Value {
    let name = commit.author.signature();
    let signed = json!({"name": name, "email": format!("{name}@users.noreply.github.com")});
    json!({
        "id": commit.id.to_string(),
        "tree_id": commit.id.to_string(),
        "message": commit.message,
        "timestamp": written(commit.committed_at),
        "author": signed,
        "committer": signed,
    })
}
