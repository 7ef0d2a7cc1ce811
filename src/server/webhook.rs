//! `POST /webhooks/github`: a signed word that something changed. It is answered before anything is read, and makes
//! the next read happen now; polling stays the truth.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use tokio::sync::mpsc::error::TrySendError;

use super::ServerState;
use super::body::Received;
use super::events;
use super::inbound::Inbound;
use super::problem::Problem;
use super::signature;
use crate::model::dirty::Dirty;

/// GitHub's own limit of a payload: 25 MB; larger events are not delivered at all.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

/// What became of a webhook: the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It will be read.
    Accepted,
    /// It had come before.
    Duplicate,
    /// It means nothing here.
    Ignored,
    /// The queue is full, or the configuration is being read again; the next poll finds it.
    Dropped,
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Dropped => "dropped",
        }
    }

    const fn answer(self) -> &'static str {
        match self {
            Self::Accepted => "it will be read\n",
            Self::Duplicate => "it has come before\n",
            Self::Ignored => "it means nothing here\n",
            Self::Dropped => "there is too much to read; the next poll finds it\n",
        }
    }
}

/// The outcome of a webhook that is refused.
const fn refusal(problem: &Problem) -> &'static str {
    match problem {
        Problem::NotSigned => "rejected",
        Problem::Malformed(_) => "malformed",
        Problem::NotFound
        | Problem::MethodNotAllowed
        | Problem::NotReady
        | Problem::NoPush
        | Problem::NoWebhooks
        | Problem::NoToken
        | Problem::SecretUnreadable
        | Problem::TooLarge(_)
        | Problem::TooSlow
        | Problem::TooMany
        | Problem::Busy
        | Problem::TooMuch(_)
        | Problem::Unprocessable(_)
        | Problem::Conflict(_)
        | Problem::Unknown(_)
        | Problem::Unanswered
        | Problem::Failed => "refused",
    }
}

/// The outcomes that are counted from 0 for every event, so that `increase()` sees the first.
pub(super) const EXPECTED: &[&str] = &["accepted", "rejected"];

pub(super) async fn github(State(state): State<ServerState>, headers: HeaderMap, body: Body) -> Response {
    let Some(inbound) = state.inbound() else {
        return Problem::NoPush.into_response();
    };
    let Some(secret) = &inbound.github_webhook_secret else {
        return Problem::NoWebhooks.into_response();
    };
    let event = events::label(&text(&headers, EVENT));
    let outcome = match signature::readable(secret) {
        Ok(secret) => receive(&state, &inbound, secret, &headers, body).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(outcome) => {
            state.telemetry.webhook(event, outcome.label());
            let status = if event == "ping" { StatusCode::OK } else { StatusCode::ACCEPTED };
            (status, outcome.answer()).into_response()
        }
        Err(problem) => {
            state.telemetry.webhook(event, refusal(&problem));
            tracing::debug!(event, ?problem, "a webhook was refused");
            problem.into_response()
        }
    }
}

async fn receive(
    state: &ServerState,
    inbound: &Inbound,
    secret: SecretString,
    headers: &HeaderMap,
    body: Body,
) -> Result<Outcome, Problem> {
    let body = state.bodies.read(headers, body, BODY_BYTES_MAX).await?;
    let signed = signature::stated(headers).ok_or(Problem::NotSigned)?;
    let event = text(headers, EVENT);
    let is_form = text(headers, &CONTENT_TYPE).trim_start().starts_with("application/x-www-form-urlencoded");
    // A large body takes a tenth of a second, and scrapes are served by this thread.
    let judged = tokio::task::spawn_blocking(move || judge(&secret, &body, &signed, &event, is_form)).await;
    let dirty = judged.map_err(|error| {
        tracing::error!(%error, "a webhook was not read");
        Problem::Failed
    })??;
    if dirty.is_empty() {
        return Ok(Outcome::Ignored);
    }
    let delivery = text(headers, DELIVERY);
    if !state.deliveries.is_new(&delivery) {
        return Ok(Outcome::Duplicate);
    }
    let outcome = wake(inbound, &dirty);
    if outcome == Outcome::Dropped {
        state.deliveries.forget(&delivery);
    }
    Ok(outcome)
}

/// What a body says, once it is known to be GitHub's.
fn judge(
    secret: &SecretString,
    body: &Received,
    signed: &[u8; 32],
    event: &str,
    is_form: bool,
) -> Result<Vec<Dirty>, Problem> {
    if !signature::signs(secret, &body.bytes, signed) {
        return Err(Problem::NotSigned);
    }
    if event.is_empty() {
        return Err(Problem::Malformed("the header X-GitHub-Event is missing".to_owned()));
    }
    let payload = if is_form { form(&body.bytes)? } else { Cow::Borrowed(body.bytes.as_slice()) };
    events::dirty(event, &payload)
        .map_err(|error| Problem::Malformed(format!("the payload is no JSON: {error}")))
}

/// The payload of a webhook that is sent as a form.
fn form(body: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    let mut fields = form_urlencoded::parse(body);
    let payload = fields.find(|(name, _)| name == "payload").map(|(_, payload)| payload);
    let payload = payload.ok_or_else(|| Problem::Malformed("the form has no field `payload`".to_owned()))?;
    Ok(match payload {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// Tells every GitHub source; each knows its own repositories.
fn wake(inbound: &Inbound, dirty: &[Dirty]) -> Outcome {
    let mut outcome = if inbound.github.is_empty() { Outcome::Ignored } else { Outcome::Accepted };
    for source in &inbound.github {
        match source.try_send(dirty.to_vec()) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => outcome = Outcome::Dropped,
        }
    }
    outcome
}

/// A header's text; empty if there is none that can be read.
fn text(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
