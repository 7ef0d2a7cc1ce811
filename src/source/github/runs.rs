//! Workflow runs into attempts (`definitions.md` 2.2): one for each attempt of a run. GitHub's REST API has them, and
//! its records are read as forgivingly as those of GraphQL.

use serde::Deserialize;
use serde_json::Value;

use crate::model::fact::{Attempt, Corrections, Origin, Outcome};
use crate::model::name::{CommitId, Environment, ExternalId, RepositoryId};
use crate::model::time::Timestamp;

use super::releases::ENVIRONMENT;

/// A page of runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RunsWire {
    pub(super) total_count: Option<u64>,
    pub(super) workflow_runs: Option<Vec<Value>>,
}

/// A page of workflows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkflowsWire {
    pub(super) total_count: Option<u64>,
    pub(super) workflows: Option<Vec<Value>>,
}

/// A workflow.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkflowWire {
    pub(super) id: Option<u64>,
    pub(super) node_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) path: Option<String>,
}

/// A run as it is now, or one of its earlier attempts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RunWire {
    id: Option<u64>,
    pub(super) workflow_id: Option<u64>,
    run_attempt: Option<u32>,
    status: Option<String>,
    conclusion: Option<String>,
    event: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    created_at: Option<String>,
    run_started_at: Option<String>,
    updated_at: Option<String>,
    html_url: Option<String>,
    head_repository: Option<HeadRepositoryWire>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct HeadRepositoryWire {
    id: Option<u64>,
}

/// The workflow that runs belong to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) repository: &'a RepositoryId,
    pub(super) file: &'a str,
    pub(super) name: &'a str,
}

/// A run that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Run {
    pub(super) id: u64,
    /// Which attempt this is, from 1.
    pub(super) number: u32,
    /// When the run was created: its first attempt.
    pub(super) created_at: Timestamp,
    /// Whether its end is still to come.
    pub(super) open: bool,
    /// `None`: it ran on a commit of another repository, a fork's, and so deploys nothing of this one.
    pub(super) attempt: Option<Attempt>,
}

/// Reads a run; `None` if it lacks what makes it one.
pub(super) fn run(wire: RunWire, of: Of<'_>, read_at: Timestamp) -> Option<Run> {
    let RunWire {
        id,
        workflow_id: _,
        run_attempt,
        status,
        conclusion,
        event,
        head_branch,
        head_sha,
        created_at,
        run_started_at,
        updated_at,
        html_url,
        head_repository,
    } = wire;
    let id = id?;
    let number = run_attempt.unwrap_or(1);
    let time = |text: Option<String>| text.as_deref().and_then(Timestamp::parse);
    let created_at = time(created_at)?;
    let mut corrections = Corrections::NONE;
    let (open, outcome) = state(status.as_deref(), conclusion.as_deref(), &mut corrections);
    let finished = match outcome {
        Some(outcome) => Some((outcome, corrections.not_after(time(updated_at)?, read_at))),
        None => None,
    };
    let started_at = corrections.not_after(time(run_started_at).unwrap_or(created_at), read_at);
    let elsewhere = head_repository.and_then(|head| head.id).is_some_and(|id| id != of.repository.number);
    let attempt = Attempt {
        repository: of.repository.clone(),
        id: ExternalId::new(format!("run:{id}/{number}")),
        origin: Origin::Run {
            workflow: of.file.to_owned(),
            name: of.name.to_owned(),
            branch: head_branch.unwrap_or_default(),
            event: event.unwrap_or_default(),
        },
        commit: CommitId::parse(head_sha.as_deref()?)?,
        environment: Environment::new(ENVIRONMENT),
        created_at: started_at,
        finished,
        url: html_url,
        corrections,
    };
    let attempt = (!elsewhere).then_some(attempt);
    Some(Run { id, number, created_at: created_at.min(read_at), open: open && !elsewhere, attempt })
}

/// Whether the end is still to come, and what came.
fn state(
    status: Option<&str>,
    conclusion: Option<&str>,
    corrections: &mut Corrections,
) -> (bool, Option<Outcome>) {
    let mut unknown = || *corrections = corrections.and(Corrections::UNKNOWN_VALUE);
    match status {
        Some("completed") => {}
        Some("queued" | "in_progress" | "waiting" | "requested" | "pending") | None => return (true, None),
        Some(_) => {
            unknown();
            return (true, None);
        }
    }
    let outcome = match conclusion {
        Some("success") => Some(Outcome::Success),
        Some("failure" | "timed_out" | "startup_failure") => Some(Outcome::Failure),
        Some("cancelled" | "skipped" | "neutral" | "action_required" | "stale") | None => None,
        Some(_) => {
            unknown();
            None
        }
    };
    (false, outcome)
}

/// The records that can be read, and how many cannot.
pub(super) fn each<T: serde::de::DeserializeOwned>(values: Option<Vec<Value>>) -> (Vec<T>, u64) {
    let mut unread = 0;
    let mut records = Vec::new();
    for value in values.unwrap_or_default() {
        match serde_json::from_value(value) {
            Ok(record) => records.push(record),
            Err(_) => unread += 1,
        }
    }
    (records, unread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;
    use serde_json::json;

    const SHA: &str = "1111111111111111111111111111111111111111";

    fn full() -> Value {
        json!({
            "id": 30_433_642, "run_attempt": 2, "status": "completed", "conclusion": "success", "event": "push",
            "head_branch": "main", "head_sha": SHA, "created_at": "2026-11-20T10:00:00Z", "brand_new": [1],
            "run_started_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:07:00Z",
            "html_url": "https://github.example/acme/shop/actions/runs/30433642", "head_repository": { "id": 1 },
        })
    }

    fn read(wire: Value) -> Option<Run> {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let of = Of { repository: &repository, file: "deploy.yml", name: "Deploy" };
        run(serde_json::from_value(wire).unwrap(), of, Timestamp::parse("2026-11-22T12:00:00Z").unwrap())
    }

    fn with(field: &str, value: Value) -> Option<Run> {
        let mut wire = full();
        wire[field] = value;
        read(wire)
    }

    #[test]
    fn an_attempt_of_a_run_has_its_own_begin_and_end() {
        let run = read(full()).unwrap();
        let attempt = run.attempt.unwrap();
        assert_eq!((run.id, run.number, run.open), (30_433_642, 2, false));
        assert_eq!(run.created_at, Timestamp::parse("2026-11-20T10:00:00Z").unwrap());
        assert_eq!(attempt.id.as_str(), "run:30433642/2");
        assert_eq!(attempt.created_at, Timestamp::parse("2026-11-21T10:00:00Z").unwrap());
        let end = Timestamp::parse("2026-11-21T10:07:00Z").unwrap();
        assert_eq!(attempt.finished, Some((Outcome::Success, end)));
        let Origin::Run { workflow, name, branch, event } = attempt.origin else { panic!("no run") };
        assert_eq!([workflow, name, branch, event], ["deploy.yml", "Deploy", "main", "push"]);
    }

    #[test]
    fn only_some_ends_count_and_only_some_are_still_to_come() {
        use Outcome::{Failure, Success};
        for (status, conclusion, open, outcome, unknown) in [
            (json!("completed"), json!("success"), false, Some(Success), false),
            (json!("completed"), json!("failure"), false, Some(Failure), false),
            (json!("completed"), json!("timed_out"), false, Some(Failure), false),
            (json!("completed"), json!("startup_failure"), false, Some(Failure), false),
            (json!("completed"), json!("cancelled"), false, None, false),
            (json!("completed"), json!("skipped"), false, None, false),
            (json!("completed"), json!("neutral"), false, None, false),
            (json!("completed"), json!("action_required"), false, None, false),
            (json!("completed"), json!("stale"), false, None, false),
            (json!("completed"), Value::Null, false, None, false),
            (json!("completed"), json!("zzz_new"), false, None, true),
            (json!("queued"), Value::Null, true, None, false),
            (json!("in_progress"), json!("success"), true, None, false),
            (json!("waiting"), Value::Null, true, None, false),
            (json!("zzz_new"), json!("success"), true, None, true),
            (Value::Null, Value::Null, true, None, false),
        ] {
            let mut wire = full();
            (wire["status"], wire["conclusion"]) = (status.clone(), conclusion.clone());
            let run = read(wire).unwrap();
            let attempt = run.attempt.unwrap();
            let told = (run.open, attempt.finished.map(|(outcome, _)| outcome));
            assert_eq!(told, (open, outcome), "{status} {conclusion}");
            assert_eq!(attempt.corrections.contains(Corrections::UNKNOWN_VALUE), unknown, "{status}");
        }
    }

    #[test]
    fn whatever_is_null_or_absent_spoils_at_most_its_own_run() {
        for field in full().as_object().unwrap().keys() {
            let mut absent = full();
            absent.as_object_mut().unwrap().remove(field);
            for run in [with(field, Value::Null), read(absent)] {
                let needed = ["id", "head_sha", "created_at", "updated_at"].contains(&field.as_str());
                assert_eq!(run.is_none(), needed, "{field}");
            }
        }
        assert_eq!(with("run_attempt", Value::Null).unwrap().number, 1);
        let created = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
        assert_eq!(with("run_started_at", Value::Null).unwrap().attempt.unwrap().created_at, created);
        let ahead = with("updated_at", json!("2026-11-23T00:00:00Z")).unwrap().attempt.unwrap();
        assert!(ahead.corrections.contains(Corrections::FUTURE));
    }

    #[test]
    fn a_run_on_a_commit_of_a_fork_deploys_nothing() {
        let run = with("head_repository", json!({ "id": 2 })).unwrap();
        assert_eq!((run.attempt, run.open), (None, false));
        assert!(with("head_repository", json!({ "id": null })).unwrap().attempt.is_some());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_counted_and_left_out() {
        let values = vec![full(), json!({ "id": "text" }), Value::Null, json!({})];
        let (records, unread) = each::<RunWire>(Some(values));
        assert_eq!((records.len(), unread), (2, 2));
        assert_eq!(each::<RunWire>(None).1, 0);
    }
}
