//! What only webhooks write: deployments, pushes, pull requests, releases, issues.

use serde_json::{Value, json};

use crate::demo::github::record::{Site, account};
use crate::demo::github::{opaque, url, written};
use crate::demo::world::changed_file::{ChangedFile, How};
use crate::demo::world::commit::Commit;
use crate::demo::world::deployment::{Deployment, State, Status};
use crate::demo::world::issue::Issue;
use crate::demo::world::pull::PullRequest;
use crate::demo::world::release::Release;
use crate::demo::world::repository::Repository;
use crate::demo::world::workflow::Progress;
use crate::model::name::CommitId;

/// The commit before the first.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// The address of something of a repository.
fn api(site: Site<'_>, repository: &Repository, rest: &str) -> String {
    format!("{}/repos/{}{rest}", site.base, repository.name_with_owner())
}

pub(super) fn deployment(site: Site<'_>, repository: &Repository, held: &Deployment) -> Value {
    let address = api(site, repository, &format!("/deployments/{}", held.database_id));
    json!({
        "id": held.database_id,
        "node_id": opaque::node_id("DE", &[repository.database_id, held.database_id]),
        "url": address,
        "statuses_url": format!("{address}/statuses"),
        "repository_url": api(site, repository, ""),
        "sha": held.commit.to_string(),
        "ref": held.branch,
        "task": "deploy",
        "payload": {},
        "environment": held.environment,
        "original_environment": held.environment,
        "production_environment": held.environment == "production",
        "transient_environment": false,
        "description": null,
        "creator": account(site, &held.creator),
        "created_at": written(held.created_at),
        "updated_at": written(held.updated_at),
    })
}

pub(super) fn deployment_status(
    site: Site<'_>,
    repository: &Repository,
    held: &Deployment,
    status: &Status,
) -> Value {
    let address = api(site, repository, &format!("/deployments/{}", held.database_id));
    json!({
        "id": status.database_id,
        "node_id": opaque::node_id("DES", &[repository.database_id, status.database_id]),
        "url": format!("{address}/statuses/{}", status.database_id),
        "deployment_url": address,
        "repository_url": api(site, repository, ""),
        "state": match status.state {
            State::Error => "error",
            State::Failure => "failure",
            State::Inactive => "inactive",
            State::InProgress => "in_progress",
            State::Pending => "pending",
            State::Queued => "queued",
            State::Success => "success",
            State::Waiting => "waiting",
        },
        "environment": held.environment,
        "description": "",
        "target_url": "",
        "log_url": "",
        "environment_url": "",
        "creator": account(site, &held.creator),
        "created_at": written(status.at),
        "updated_at": written(status.at),
    })
}

/// The body of a push of this commit to the default branch; `None` if the commit is not there.
pub(super) fn push(repository: &Repository, commit: CommitId) -> Option<Value> {
    let place = repository.place(commit)?;
    let held = repository.commits.get(place)?;
    let before = held.parents.first().and_then(|parent| repository.commits.get(*parent));
    let before = before.map_or_else(|| NO_COMMIT.to_owned(), |commit| commit.id.to_string());
    let newest = pushed_commit(repository, held, &repository.changed_files(place));
    Some(json!({
        "ref": format!("refs/heads/{}", repository.default_branch),
        "before": before,
        "after": commit.to_string(),
        "created": held.parents.is_empty(),
        "deleted": false,
        "forced": false,
        "base_ref": null,
        "compare": format!("{}/compare/{before}...{commit}", url(repository)),
        "commits": [newest],
        "head_commit": newest,
        "pusher": {"name": held.author.signature(), "email": null},
    }))
}

fn pushed_commit(repository: &Repository, commit: &Commit, files: &[ChangedFile]) -> Value {
    let name = commit.author.signature();
    let signed = json!({"name": name, "email": format!("{name}@users.noreply.github.com"), "username": name});
    let paths = |wanted: fn(&How) -> bool| -> Vec<&str> {
        files.iter().filter(|file| wanted(&file.how)).map(|file| file.path.as_str()).collect()
    };
    json!({
        "id": commit.id.to_string(),
        "tree_id": commit.id.to_string(),
        "distinct": true,
        "message": commit.message,
        "timestamp": written(commit.committed_at),
        "url": format!("{}/commit/{}", url(repository), commit.id),
        "author": signed,
        "committer": signed,
        "added": paths(|how| matches!(how, How::Added | How::RenamedFrom(_))),
        "removed": paths(|how| matches!(how, How::Removed)),
        "modified": paths(|how| matches!(how, How::Modified)),
    })
}

pub(super) fn pull_request(site: Site<'_>, repository: &Repository, pull: &PullRequest) -> Value {
    let landing = pull.landing.as_ref();
    let sha = |place: usize| repository.commits.get(place).map(|commit| commit.id.to_string());
    json!({
        "id": pull.database_id,
        "node_id": opaque::node_id("PR", &[repository.database_id, pull.number]),
        "number": pull.number,
        "url": api(site, repository, &format!("/pulls/{}", pull.number)),
        "html_url": format!("{}/pull/{}", url(repository), pull.number),
        "state": if pull.closed_at.is_some() { "closed" } else { "open" },
        "title": pull.title,
        "body": pull.body,
        "user": account(site, &pull.author),
        "labels": pull.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "draft": pull.draft,
        "merged": landing.is_some(),
        "merged_at": landing.map(|landing| written(landing.at)),
        "merge_commit_sha": landing.and_then(|landing| sha(landing.commit)),
        "created_at": written(pull.created_at),
        "updated_at": written(pull.updated_at),
        "closed_at": pull.closed_at.map(written),
        "head": {"ref": pull.branch, "sha": pull.commits.last().and_then(|place| sha(*place))},
        "base": {"ref": pull.base, "sha": pull.base_commit.and_then(sha)},
    })
}

pub(super) fn release(site: Site<'_>, repository: &Repository, release: &Release) -> Value {
    let address = api(site, repository, &format!("/releases/{}", release.database_id));
    json!({
        "id": release.database_id,
        "node_id": opaque::node_id("RE", &[repository.database_id, release.database_id]),
        "url": address,
        "assets_url": format!("{address}/assets"),
        "upload_url": format!("{address}/assets{{?name,label}}"),
        "html_url": format!("{}/releases/tag/{}", url(repository), release.tag),
        "tarball_url": api(site, repository, &format!("/tarball/{}", release.tag)),
        "zipball_url": api(site, repository, &format!("/zipball/{}", release.tag)),
        "tag_name": release.tag,
        "target_commitish": repository.default_branch,
        "name": release.tag,
        "body": "",
        "draft": release.draft,
        "prerelease": release.prerelease,
        "author": account(site, &release.author),
        "assets": [],
        "created_at": written(release.created_at),
        "updated_at": written(release.updated_at),
        "published_at": release.published_at.map(written),
    })
}

pub(super) fn issue(site: Site<'_>, repository: &Repository, issue: &Issue) -> Value {
    json!({
        "id": issue.database_id,
        "node_id": opaque::node_id("I", &[repository.database_id, issue.number]),
        "number": issue.number,
        "url": api(site, repository, &format!("/issues/{}", issue.number)),
        "html_url": format!("{}/issues/{}", url(repository), issue.number),
        "state": if issue.closed_at.is_some() { "closed" } else { "open" },
        "title": issue.title,
        "body": issue.body,
        "user": account(site, &issue.author),
        "labels": issue.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "created_at": written(issue.created_at),
        "updated_at": written(issue.updated_at),
        "closed_at": issue.closed_at.map(written),
    })
}

/// The word for where a run stands.
pub(super) const fn run_action(progress: Progress) -> &'static str {
    match progress {
        Progress::Queued | Progress::Waiting => "requested",
        Progress::InProgress => "in_progress",
        Progress::Completed(_) | Progress::Unconcluded => "completed",
    }
}
