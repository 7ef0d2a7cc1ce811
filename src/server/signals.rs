//! `PUT /api/v1/signals/{name}`: a value of a north star or a signal that is pushed. The same value of the same
//! instant sent again changes nothing.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::deployments::{answered, instant};
use super::inbound::{PushedValue, ToldSignal};
use super::problem::Problem;
use super::{ServerState, signature};
use crate::model::name::TeamSlug;
use crate::model::signal::{SignalKey, SignalRule, Standing};
use crate::model::text::closest;

/// A value takes some dozens of bytes.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// Characters of what a client wrote that an answer repeats.
const REPEATED_CHARS_MAX: usize = 100;
/// Teams that an answer names.
const TEAMS_NAMED_MAX: usize = 20;

/// The body; a field that it does not know is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pushed {
    value: f64,
    at: Option<String>,
    team: Option<String>,
}

pub(super) async fn put(
    State(state): State<ServerState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match stored(&state, path, &headers, body).await {
        Ok(()) => "stored\n".into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn stored(
    state: &ServerState,
    path: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Problem> {
    let inbound = state.inbound().ok_or(Problem::NoPush)?;
    signature::admit(&inbound.token, headers)?;
    let Path(name) = path.map_err(|error| Problem::Malformed(error.body_text()))?;
    let body = state.bodies.read(headers, body, BODY_BYTES_MAX).await?;
    let Pushed { value, at, team } = serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::Malformed(format!("the body is no value of a signal: {error}")))?;
    let key = key(&inbound.signals.rules, &name, team.as_deref())?;
    // JSON has no infinities, but a number can be too large for one of ours.
    if !value.is_finite() {
        return Err(Problem::Unprocessable("`value` is no finite number".to_owned()));
    }
    let at = at.map(|at| instant("at", &at)).transpose()?;
    let (answer, outcome) = oneshot::channel();
    let told = ToldSignal { key, pushed: PushedValue { value, at }, answer };
    inbound.signals.told.try_send(told).map_err(|_| Problem::TooMany)?;
    answered(outcome).await
}

/// The signal that is meant: that of the team, or without one the organisation's.
fn key(rules: &[SignalRule], name: &str, team: Option<&str>) -> Result<SignalKey, Problem> {
    let called = || rules.iter().filter(|rule| rule.name.as_str() == name);
    if called().next().is_none() {
        let meant = closest(name, rules.iter().map(|rule| rule.name.as_str()));
        let help = meant
            .map_or("add it to the configuration".to_owned(), |meant| format!("did you mean {meant:?}?"));
        return Err(Problem::Unknown(format!("there is no signal {}; {help}", repeated(name))));
    }
    let Some(rule) = called().find(|rule| rule.standing.team().map(TeamSlug::as_str) == team) else {
        let of_teams = called().filter_map(|rule| rule.standing.team().map(TeamSlug::as_str));
        let teams = of_teams.take(TEAMS_NAMED_MAX).collect::<Vec<_>>().join(", ");
        let of_organization = called().any(|rule| rule.standing.team().is_none());
        return Err(Problem::Unprocessable(match (team, teams.as_str()) {
            (None, teams) => format!("this is a signal of teams: say of which in `team`, one of {teams}"),
            (Some(team), "") => {
                format!("this is the organisation's, and of no team {}: leave `team` out", repeated(team))
            }
            (Some(team), teams) => {
                let or = if of_organization { ", and the organisation's without `team`" } else { "" };
                format!("this is no signal of the team {}; it is one of {teams}{or}", repeated(team))
            }
        }));
    };
    if rule.promql.is_some() {
        let what = match rule.standing {
            Standing::NorthStar => "north star",
            Standing::Organization | Standing::Team(_) => "signal",
        };
        return Err(Problem::Conflict(format!(
            "this {what} is read from Prometheus; without `promql` in the configuration it can be pushed"
        )));
    }
    Ok(rule.key())
}

/// What a client wrote, as an answer repeats it: escaped and short.
fn repeated(text: &str) -> String {
    let short: String = text.chars().take(REPEATED_CHARS_MAX).collect();
    format!("{short:?}")
}
