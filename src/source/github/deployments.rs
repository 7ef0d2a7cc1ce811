//! Deployments into attempts: the outcome comes from the history of statuses (`definitions.md` 2.2).

use crate::model::fact::{Attempt, Corrections, Origin, Outcome};
use crate::model::name::{CommitId, Environment, ExternalId, RepositoryId};
use crate::model::time::Timestamp;

use super::open::Open;
use super::progress::Pending;
use super::wire::{DeploymentWire, StatusWire};

/// A deployment that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Deployed {
    /// GitHub's id of it for `nodes`.
    pub(super) node: String,
    pub(super) attempt: Attempt,
    /// That it is to be read again, if its end may still come or change.
    pub(super) open: Option<Open>,
    /// Its commit, with the time by which it is known whether it is worth reading; `None` if it is gone.
    pub(super) commit: Option<(Pending, Timestamp)>,
}

/// When it was created: what its list is ordered by.
pub(super) fn created_at(wire: &DeploymentWire) -> Option<Timestamp> {
    wire.created_at.as_deref().and_then(Timestamp::parse)
}

/// Reads a deployment; `None` if it lacks what makes it one.
pub(super) fn deployed(
    wire: DeploymentWire,
    repository: &RepositoryId,
    read_at: Timestamp,
) -> Option<Deployed> {
    let DeploymentWire { id: node, database_id, commit_oid, commit, environment, created_at, statuses } =
        wire;
    let node = node?;
    let oid = commit_oid?;
    let mut corrections = Corrections::NONE;
    let created_at = corrections.not_after(Timestamp::parse(&created_at?)?, read_at);
    let history = history(&statuses.unwrap_or_default().nodes, &mut corrections);
    let finished = history.finished.map(|(outcome, at)| (outcome, corrections.not_after(at, read_at)));
    let watch = match finished {
        Some((Outcome::Success, _)) => None,
        Some((Outcome::Failure, at)) => Some((at, true)),
        None if history.inactive => None,
        None => Some((created_at, false)),
    };
    let open = watch.map(|(since, failed)| Open {
        node: node.clone(),
        since: since.millis(),
        failed,
        read_at: Some(read_at),
    });
    let commit = commit.and_then(|commit| {
        let pending = Pending { node: commit.id?, oid: oid.to_ascii_lowercase() };
        Some((pending, Timestamp::parse(&commit.committed_date?)?))
    });
    let attempt = Attempt {
        repository: repository.clone(),
        id: database_id.map_or_else(|| ExternalId::new(node.as_str()), |id| ExternalId::new(id.to_string())),
        origin: Origin::Deployment,
        commit: CommitId::parse(&oid)?,
        environment: Environment::new(environment.unwrap_or_default()),
        created_at,
        finished,
        url: history.url,
        corrections,
    };
    Some(Deployed { node, attempt, open: open.filter(|open| !open.expired(read_at)), commit })
}

/// What the statuses say together.
#[derive(Debug, Default)]
struct History {
    finished: Option<(Outcome, Timestamp)>,
    /// Whether a newer deployment took over: then no end comes any more.
    inactive: bool,
    url: Option<String>,
}

/// The first success is the end; without one the first failure or error. What came after changes nothing, and the
/// order of the page means nothing.
fn history(statuses: &[StatusWire], corrections: &mut Corrections) -> History {
    let mut history = History::default();
    let (mut success, mut failure): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for StatusWire { state, created_at, log_url } in statuses {
        let url = log_url.as_ref().filter(|url| !url.is_empty());
        history.url = history.url.or_else(|| url.cloned());
        let at = created_at.as_deref().and_then(Timestamp::parse);
        let end = match state.as_deref().unwrap_or_default() {
            "SUCCESS" => &mut success,
            "FAILURE" | "ERROR" => &mut failure,
            "INACTIVE" => {
                history.inactive = true;
                continue;
            }
            "PENDING" | "QUEUED" | "IN_PROGRESS" | "WAITING" => continue,
            _ => {
                *corrections = corrections.and(Corrections::UNKNOWN_VALUE);
                continue;
            }
        };
        if let Some(at) = at {
            *end = Some(end.map_or(at, |earlier| earlier.min(at)));
        }
    }
    history.finished = success.map(|at| (Outcome::Success, at)).or(failure.map(|at| (Outcome::Failure, at)));
    history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;

    fn read(text: &str) -> Option<Deployed> {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let read_at = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        deployed(serde_json::from_str(text).unwrap(), &repository, read_at)
    }

    fn with(statuses: &[(&str, &str)]) -> Deployed {
        let statuses: Vec<_> = statuses
            .iter()
            .map(|(state, time)| format!(r#"{{"state":"{state}","createdAt":"2026-11-22T{time}Z","new":1}}"#))
            .collect();
        read(&format!(
            r#"{{"id":"D_1","databaseId":7,"commitOid":"{}","environment":"production","createdAt":"2026-11-22T10:00:00Z",
                "commit":null,"statuses":{{"totalCount":1,"nodes":[{}]}}}}"#,
            "a".repeat(40),
            statuses.join(",")
        ))
        .unwrap()
    }

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-22T{time}Z")).unwrap()
    }

    #[test]
    fn the_first_success_is_the_end_else_the_first_failure() {
        let success = |time| Some((Outcome::Success, at(time)));
        let failure = |time| Some((Outcome::Failure, at(time)));
        for (statuses, finished, open) in [
            (vec![], None, true),
            (vec![("QUEUED", "10:00:01"), ("IN_PROGRESS", "10:01:00"), ("WAITING", "10:02:00")], None, true),
            (vec![("PENDING", "10:00:00"), ("SUCCESS", "10:05:00")], success("10:05:00"), false),
            (vec![("INACTIVE", "11:00:00"), ("SUCCESS", "10:05:00")], success("10:05:00"), false),
            (vec![("SUCCESS", "10:09:00"), ("SUCCESS", "10:05:00")], success("10:05:00"), false),
            (vec![("FAILURE", "10:05:00"), ("SUCCESS", "10:09:00")], success("10:09:00"), false),
            (vec![("SUCCESS", "10:05:00"), ("FAILURE", "10:09:00")], success("10:05:00"), false),
            (vec![("ERROR", "10:09:00"), ("FAILURE", "10:05:00")], failure("10:05:00"), true),
            (vec![("FAILURE", "10:05:00"), ("INACTIVE", "10:09:00")], failure("10:05:00"), true),
            (vec![("INACTIVE", "10:09:00")], None, false),
        ] {
            let read = with(&statuses);
            assert_eq!(read.attempt.finished, finished, "{statuses:?}");
            assert_eq!(read.open.is_some(), open, "{statuses:?}");
            assert_eq!(read.attempt.corrections, Corrections::NONE);
        }
    }

    #[test]
    fn what_is_unknown_or_in_the_future_is_corrected() {
        let read = with(&[("LAUNCHED", "10:05:00"), ("SUCCESS", "13:00:00")]);
        assert_eq!(read.attempt.finished, Some((Outcome::Success, at("12:00:00"))));
        assert!(read.attempt.corrections.contains(Corrections::FUTURE.and(Corrections::UNKNOWN_VALUE)));
    }

    #[test]
    fn what_lacks_its_identity_is_no_deployment_and_the_rest_may_be_absent() {
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"id":"D","commitOid":"short","createdAt":"2026-11-22T10:00:00Z"}"#), None);
        let sha = "a".repeat(40);
        let bare = read(&format!(
            r#"{{"id":"D","commitOid":"{sha}","createdAt":"2026-11-22T10:00:00Z","environment":null,"statuses":null,
                "commit":{{"id":"C","committedDate":"2026-11-01T00:00:00Z"}}}}"#
        ))
        .unwrap();
        assert_eq!(bare.attempt.id.as_str(), "D", "an id too large for GraphQL is null");
        assert_eq!(bare.commit.unwrap().0.oid, sha);
    }

    #[test]
    fn an_old_unfinished_deployment_is_not_watched() {
        let text =
            format!(r#"{{"id":"D","commitOid":"{}","createdAt":"2026-10-01T10:00:00Z"}}"#, "a".repeat(40));
        assert_eq!(read(&text).unwrap().open, None);
    }
}
