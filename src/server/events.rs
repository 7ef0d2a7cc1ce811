//! GitHub's events: which part of which repository each makes worth reading. What the payload says besides is not
//! believed: events come late, twice and in any order, so the state is read and never taken from them.

use serde::Deserialize;

use crate::model::dirty::{Dirty, Stream};

/// The events that mean something here: values of the label `event`, the rest being [`OTHER`].
pub(super) const EVENTS: &[&str] = &[
    "create",
    "custom_property_values",
    "delete",
    "deployment",
    "deployment_status",
    "installation",
    "installation_repositories",
    "issues",
    "ping",
    "public",
    "pull_request",
    "pull_request_review",
    "push",
    "release",
    "repository",
    "team",
    "team_add",
    "workflow_run",
];

/// Every other event.
pub(super) const OTHER: &str = "other";

/// The value of the label `event`.
pub(super) fn label(event: &str) -> &'static str {
    EVENTS.iter().find(|known| **known == event).copied().unwrap_or(OTHER)
}

/// The few parts of a payload that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    ref_type: Option<String>,
    repository: Option<Repository>,
    pull_request: Option<PullRequest>,
    workflow_run: Option<WorkflowRun>,
}

#[derive(Debug, Deserialize)]
struct WorkflowRun {
    id: Option<u64>,
    run_attempt: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    id: u64,
    default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PullRequest {
    merged_at: Option<String>,
}

/// What an event makes worth reading; nothing for an event or a payload that means nothing here. The error says why
/// the payload is no JSON.
pub(super) fn dirty(event: &str, payload: &[u8]) -> Result<Vec<Dirty>, serde_json::Error> {
    let payload: Payload = match serde_json::from_slice(payload) {
        Ok(payload) => payload,
        // JSON of a shape that GitHub has never sent: polling finds what it was about.
        Err(error) if error.is_data() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(parts(event, &payload))
}

fn parts(event: &str, payload: &Payload) -> Vec<Dirty> {
    let of_repository = |streams: &[Stream]| -> Vec<Dirty> {
        let repository = payload.repository.as_ref().map(|repository| repository.id);
        let dirty = streams.iter().map(|stream| Dirty { repository, stream: *stream });
        dirty.filter(|dirty| dirty.repository.is_some()).collect()
    };
    let list = Dirty { repository: None, stream: Stream::Repository };
    let teams = Dirty { repository: None, stream: Stream::Teams };
    match event {
        "push" => of_repository(pushed(payload)),
        // A branch says itself by a push.
        "create" | "delete" => match payload.ref_type.as_deref() {
            Some("tag") => of_repository(&[Stream::Tags]),
            Some(_) | None => Vec::new(),
        },
        // Only merged ones are facts, also when they are labelled or reviewed afterwards.
        "pull_request" | "pull_request_review" => {
            let pull_request = payload.pull_request.as_ref();
            let is_merged = pull_request.is_some_and(|pull_request| pull_request.merged_at.is_some());
            if is_merged { of_repository(&[Stream::Changes]) } else { Vec::new() }
        }
        "deployment" | "deployment_status" => of_repository(&[Stream::Deployments]),
        "release" => of_repository(&[Stream::Releases, Stream::Tags]),
        // What runs is not an outcome yet.
        "workflow_run" => match payload.action.as_deref() {
            Some("completed") => of_repository(&completed(payload.workflow_run.as_ref())),
            Some(_) | None => Vec::new(),
        },
        "issues" => of_repository(&[Stream::Issues]),
        "repository" | "public" => {
            let mut dirty = of_repository(&[Stream::Repository]);
            dirty.push(list);
            dirty
        }
        "custom_property_values" => of_repository(&[Stream::Repository]),
        "installation" | "installation_repositories" => vec![list],
        "team" | "team_add" => vec![teams],
        _ => Vec::new(),
    }
}

/// The newest runs, and a run by itself if it is not new.
fn completed(run: Option<&WorkflowRun>) -> Vec<Stream> {
    let again = run.filter(|run| run.run_attempt.is_some_and(|attempt| attempt > 1));
    let again = again.and_then(|run| run.id).map(Stream::Run);
    std::iter::once(Stream::Runs).chain(again).collect()
}

/// A tag, or the default branch; other branches are nobody's history.
fn pushed(payload: &Payload) -> &'static [Stream] {
    let reference = payload.reference.as_deref().unwrap_or_default();
    if reference.starts_with("refs/tags/") {
        return &[Stream::Tags];
    }
    let default_branch =
        payload.repository.as_ref().and_then(|repository| repository.default_branch.as_deref());
    let branch = reference.strip_prefix("refs/heads/");
    if branch.is_some() && default_branch.is_none_or(|default_branch| branch == Some(default_branch)) {
        &[Stream::Commits]
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(event: &str, payload: &str) -> Vec<Dirty> {
        dirty(event, payload.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_names_a_part_of_a_repository() {
        let with = |more: &str| format!(r#"{{"repository": {{"id": 7, "default_branch": "main"}}{more}}}"#);
        let merged = r#", "action": "closed", "pull_request": {"merged_at": "2026-11-20T12:00:00Z"}"#;
        let again = r#", "action": "completed", "workflow_run": {"id": 5, "run_attempt": 2}"#;
        let rows: [(&str, &str, &[Stream]); 22] = [
            ("push", r#", "ref": "refs/heads/main""#, &[Stream::Commits]),
            ("push", r#", "ref": "refs/heads/topic""#, &[]),
            ("push", r#", "ref": "refs/tags/v1""#, &[Stream::Tags]),
            ("push", "", &[]),
            ("create", r#", "ref_type": "tag""#, &[Stream::Tags]),
            ("create", r#", "ref_type": "branch""#, &[]),
            ("delete", r#", "ref_type": "tag""#, &[Stream::Tags]),
            ("pull_request", merged, &[Stream::Changes]),
            ("pull_request", r#", "pull_request": {"merged_at": null}"#, &[]),
            ("pull_request_review", merged, &[Stream::Changes]),
            ("deployment", "", &[Stream::Deployments]),
            ("deployment_status", "", &[Stream::Deployments]),
            ("release", "", &[Stream::Releases, Stream::Tags]),
            ("workflow_run", r#", "action": "completed""#, &[Stream::Runs]),
            ("workflow_run", again, &[Stream::Runs, Stream::Run(5)]),
            ("workflow_run", r#", "action": "requested""#, &[]),
            ("issues", "", &[Stream::Issues]),
            ("custom_property_values", "", &[Stream::Repository]),
            ("star", "", &[]),
            ("member", "", &[]),
            ("membership", "", &[]),
            ("", "", &[]),
        ];
        for (event, more, streams) in rows {
            let expected: Vec<_> =
                streams.iter().map(|stream| Dirty { repository: Some(7), stream: *stream }).collect();
            assert_eq!(said(event, &with(more)), expected, "{event} {more}");
        }
    }

    #[test]
    fn an_event_may_be_about_which_repositories_or_teams_there_are() {
        let list = Dirty { repository: None, stream: Stream::Repository };
        let one = Dirty { repository: Some(7), stream: Stream::Repository };
        for (event, expected) in [
            ("repository", vec![one, list]),
            ("installation", vec![list]),
            ("installation_repositories", vec![list]),
            ("team", vec![Dirty { repository: None, stream: Stream::Teams }]),
        ] {
            assert_eq!(said(event, r#"{"action": "renamed", "repository": {"id": 7}}"#), expected, "{event}");
        }
    }

    #[test]
    fn json_of_another_shape_means_nothing_and_what_is_no_json_is_an_error() {
        for payload in
            ["{}", "[]", "1", r#"{"repository": 5}"#, r#"{"repository": {"id": -1}}"#, r#"{"ref": []}"#]
        {
            assert_eq!(said("push", payload), [], "{payload}");
        }
        for payload in ["", "{", "nothing", r#"{"repository": {"id": 7}} and more"#] {
            assert!(dirty("push", payload.as_bytes()).is_err(), "{payload}");
        }
    }
}
