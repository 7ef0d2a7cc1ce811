//! Workflows, their runs, and the check suites that tell how runs ended.

use apollo_compiler::resolvers::ResolveInfo;

use super::execute::Context;
use super::node::{Prefix, Resolved, Thing, id, leaf, number, object, order, time};
use super::paging::{Item, Rank, connection};
use super::repository::url;
use crate::demo::world::repository::Repository;
use crate::demo::world::workflow::{Conclusion, Progress, Run, Workflow};

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    workflow: &'a Workflow,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("W", &[repository.database_id, workflow.database_id]),
        "databaseId" => number(workflow.database_id),
        "name" => leaf(workflow.name.as_str()),
        "state" => leaf(if workflow.disabled { "DISABLED_MANUALLY" } else { "ACTIVE" }),
        "url" => leaf(format!("{}/actions/workflows/{}", url(repository), file(workflow))),
        "createdAt" => time(workflow.created_at),
        "updatedAt" => time(workflow.updated_at),
        "runs" => {
            let runs = workflow.runs.iter().map(|run| {
                let rank = Rank::Number(run.created_at.millis());
                Item::new(rank, run.database_id, Thing::Run(repository, workflow, run))
            });
            connection(cx, info, runs.collect(), order(info).1)
        }
        _ => return None,
    })
}

pub(super) fn run_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    workflow: &'a Workflow,
    run: &'a Run,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("WFR", &[repository.database_id, run.database_id]),
        "databaseId" => number(run.database_id),
        "runNumber" => number(run.number),
        "event" => leaf(run.event.as_str()),
        "url" => leaf(format!("{}/actions/runs/{}", url(repository), run.database_id)),
        "createdAt" => time(run.created_at),
        "updatedAt" => time(run.updated_at),
        "workflow" => object(cx, Thing::Workflow(repository, workflow)),
        "checkSuite" => object(cx, Thing::CheckSuite(repository, workflow, run)),
        _ => return None,
    })
}

pub(super) fn suite_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    workflow: &'a Workflow,
    run: &'a Run,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let progress = run.last().map_or(Progress::Queued, |(_, attempt)| attempt.progress);
    let (status, conclusion) = words(progress);
    Some(match info.field_name() {
        "id" => id("CS", &[repository.database_id, run.database_id]),
        "databaseId" => number(run.database_id),
        "status" => leaf(status.to_uppercase()),
        "conclusion" => leaf(conclusion.map(str::to_uppercase)),
        "createdAt" => time(run.created_at),
        "updatedAt" => time(run.updated_at),
        "branch" => {
            let branch = run.branch.as_ref().and_then(|name| repository.branches.get_key_value(name));
            object(cx, branch.map(|(name, _)| Thing::Ref(repository, Prefix::Heads, name)))
        }
        // GitHub promises a commit; one that is gone breaks the promise, and the null climbs up to the run.
        "commit" => object(cx, repository.place(run.commit).map(|place| Thing::Commit(repository, place))),
        "repository" => object(cx, Thing::Repository(repository)),
        "workflowRun" => object(cx, Thing::Run(repository, workflow, run)),
        _ => return None,
    })
}

/// The file's name: the end of its path.
pub(super) fn file(workflow: &Workflow) -> &str {
    workflow.path.rsplit('/').next().unwrap_or_default()
}

/// GitHub's words for a status and a conclusion, as REST writes them.
pub(super) const fn words(progress: Progress) -> (&'static str, Option<&'static str>) {
    match progress {
        Progress::Queued => ("queued", None),
        Progress::Waiting => ("waiting", None),
        Progress::InProgress => ("in_progress", None),
        Progress::Unconcluded => ("completed", None),
        Progress::Completed(conclusion) => ("completed", Some(conclusion_word(conclusion))),
    }
}

const fn conclusion_word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Failure => "failure",
        Conclusion::Cancelled => "cancelled",
        Conclusion::Skipped => "skipped",
        Conclusion::TimedOut => "timed_out",
        Conclusion::ActionRequired => "action_required",
        Conclusion::Neutral => "neutral",
        Conclusion::Stale => "stale",
        Conclusion::StartupFailure => "startup_failure",
        Conclusion::Unheard(word) => word,
    }
}
