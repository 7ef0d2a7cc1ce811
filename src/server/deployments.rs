//! `PUT` and `DELETE /api/v1/deployments/{source}/{id}`: deployments of components with `from = "push"`, each time
//! with its whole state, so that sending it again changes nothing.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::inbound::{Inbound, PushedDeployment, Refused, Told};
use super::problem::Problem;
use super::{ServerState, signature};
use crate::model::fact::Outcome;
use crate::model::name::{CommitId, ComponentName, Environment, ExternalId};
use crate::model::time::Timestamp;

/// A deployment takes some hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Names and ids; GitHub's names are at most 100 characters.
const NAME_BYTES_MAX: usize = 200;
/// What browsers take.
const URL_BYTES_MAX: usize = 2_048;
/// Storing takes milliseconds; it waits for a batch that is being stored.
const STORING_MAX: Duration = Duration::from_secs(30);

/// The body; a field that it does not know is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    component: String,
    environment: String,
    commit: Option<String>,
    status: Status,
    created_at: Option<String>,
    finished_at: String,
    url: Option<String>,
    incident: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Success,
    Failure,
}

pub(super) async fn put(
    State(state): State<ServerState>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(stored(&state, path, &headers, body).await, "stored\n")
}

pub(super) async fn delete(
    State(state): State<ServerState>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    answer(withdrawn(&state, path, &headers).await, "withdrawn: it is not counted any more\n")
}

fn answer(outcome: Result<(), Problem>, done: &'static str) -> Response {
    match outcome {
        Ok(()) => done.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn stored(
    state: &ServerState,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Problem> {
    let inbound = state.inbound().ok_or(Problem::NoPush)?;
    signature::admit(&inbound.token, headers)?;
    let id = id(path)?;
    let body = state.bodies.read(headers, body, BODY_BYTES_MAX).await?;
    let deployment = serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::Malformed(format!("the body is no deployment: {error}")))?;
    tell(&inbound, id, Some(checked(deployment)?)).await
}

async fn withdrawn(
    state: &ServerState,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let inbound = state.inbound().ok_or(Problem::NoPush)?;
    signature::admit(&inbound.token, headers)?;
    tell(&inbound, id(path)?, None).await
}

/// The id in the store. The first part has no colon, so that two paths never give the same.
fn id(path: Result<Path<(String, String)>, PathRejection>) -> Result<ExternalId, Problem> {
    let Path((source, id)) = path.map_err(|error| Problem::Malformed(error.body_text()))?;
    let is_short = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !is_short(&source) || !source.chars().all(of_name) {
        return Err(Problem::Unprocessable(format!(
            "the source in the path is not made of letters, digits, `-`, `_` and `.`, at most {NAME_BYTES_MAX}"
        )));
    }
    if !is_short(&id) || !id.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(Problem::Unprocessable(format!(
            "the id in the path is not made of printable ASCII without blanks, at most {NAME_BYTES_MAX} bytes"
        )));
    }
    Ok(ExternalId::new(format!("push:{source}:{id}")))
}

fn checked(deployment: Deployment) -> Result<PushedDeployment, Problem> {
    let Deployment { component, environment, commit, status, created_at, finished_at, url, incident } =
        deployment;
    let refuse = |detail: &str| Err(Problem::Unprocessable(detail.to_owned()));
    for (name, text) in [("component", &component), ("environment", &environment)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return refuse(&format!("`{name}` is empty or longer than {NAME_BYTES_MAX} bytes"));
        }
    }
    if incident.is_some() {
        return refuse("`incident` is not yet supported; leave it out");
    }
    let Some(commit) = commit else {
        return refuse("`commit` is missing: without it no change is known to be in the deployment");
    };
    let Some(commit) = CommitId::parse(&commit) else {
        return refuse("`commit` is not the 40 hexadecimal digits of a commit");
    };
    let is_link = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    if url.as_deref().is_some_and(|url| !is_link(url) || url.len() > URL_BYTES_MAX) {
        return refuse(&format!("`url` is no http or https URL of at most {URL_BYTES_MAX} bytes"));
    }
    let finished_at = instant("finished_at", &finished_at)?;
    let created_at = created_at.map_or(Ok(finished_at), |at| instant("created_at", &at))?;
    if created_at > finished_at {
        return refuse("`created_at` is after `finished_at`");
    }
    let outcome = match status {
        Status::Success => Outcome::Success,
        Status::Failure => Outcome::Failure,
    };
    let (component, environment) = (ComponentName::new(component), Environment::new(environment));
    Ok(PushedDeployment { component, environment, commit, outcome, created_at, finished_at, url })
}

/// An instant of a body.
pub(super) fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).ok_or_else(|| {
        Problem::Unprocessable(format!(
            "`{name}` is no instant of RFC 3339, such as \"2026-11-22T19:34:45Z\""
        ))
    })
}

async fn tell(
    inbound: &Inbound,
    id: ExternalId,
    deployment: Option<PushedDeployment>,
) -> Result<(), Problem> {
    let (answer, outcome) = oneshot::channel();
    let told = Told { id, deployment, answer };
    inbound.deployments.try_send(told).map_err(|_| Problem::TooMany)?;
    answered(outcome).await
}

/// Waits until what was told is stored, or is not.
pub(super) async fn answered(outcome: oneshot::Receiver<Result<(), Refused>>) -> Result<(), Problem> {
    let outcome = timeout(STORING_MAX, outcome).await.map_err(|_| Problem::Unanswered)?;
    let outcome = outcome.map_err(|_| Problem::Unanswered)?;
    outcome.map_err(|refused| match refused {
        Refused::Impossible(detail) => Problem::Unprocessable(detail),
        Refused::Taken(detail) => Problem::Conflict(detail),
        Refused::Unknown => Problem::Unknown("nothing was pushed with this id".to_owned()),
        Refused::NotStored => Problem::Unanswered,
    })
}
