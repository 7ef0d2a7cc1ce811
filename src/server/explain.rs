//! Why a team stands as it does in a measure: as JSON and as a page. Everything that counts is named, down to the
//! deployments and incidents of the weeks that contribute most (`regressions.md` 3.6).

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::NaiveDate;
use serde::Deserialize;

use super::evidence::{self, Evidence};
use super::problem::Problem;
use super::{ServerState, shown};
use crate::exposition::Published;
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::time::Timestamp;

/// Comparing all times with all others takes milliseconds: so many at once leave scrapes room.
pub(super) const EXPLAINED_AT_ONCE: usize = 2;

/// What may be asked.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// A date, or an instant on it; today without.
    at: Option<String>,
}

type Which = Result<Path<(String, String)>, PathRejection>;
type How = Result<Query<Asked>, QueryRejection>;

pub(super) async fn json(State(state): State<ServerState>, which: Which, how: How) -> Response {
    match found(&state, which, how).await {
        Ok((_, evidence)) => {
            let body = format!("{}\n", evidence::json(&evidence));
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn page(State(state): State<ServerState>, which: Which, how: How) -> Response {
    match found(&state, which, how).await {
        Ok((published, evidence)) => shown(super::measure_page::measure(&published.organization, &evidence)),
        Err(problem) => problem.into_response(),
    }
}

async fn found(state: &ServerState, which: Which, how: How) -> Result<(Arc<Published>, Evidence), Problem> {
    let published = state.newest().ok_or(Problem::NotReady)?;
    let Path((team, measure)) = which.map_err(|_| Problem::NotFound)?;
    let Query(Asked { at }) = how.map_err(|error| Problem::Malformed(error.body_text()))?;
    let team = TeamSlug::new(team);
    let measure = Measure::named(&measure).ok_or_else(|| unknown_measure(&measure))?;
    let tracker = &published.background.tracker;
    let watched = tracker.watched(&team).ok_or_else(|| unknown_team(&team))?;
    let newest = tracker.newest_day().ok_or(Problem::NotReady)?;
    let day = match at {
        None => newest,
        Some(at) => day(&at, watched.calendar.timezone).ok_or_else(|| no_day(&at))?,
    };
    if day > newest || day < watched.series.since {
        return Err(not_looked_at(&team, day, (watched.series.since, newest)));
    }
    let Ok(_place) = state.explaining.acquire().await else {
        return Err(Problem::Unanswered);
    };
    let explained = {
        let published = Arc::clone(&published);
        tokio::task::spawn_blocking(move || evidence::of(&published.background, &team, measure, day)).await
    };
    match explained {
        Ok(Some(evidence)) => Ok((published, evidence)),
        // The day was looked on, as was checked above.
        Ok(None) => Err(Problem::NotFound),
        Err(error) => {
            tracing::error!(%error, "a look was not explained");
            Err(Problem::Failed)
        }
    }
}

/// The day of a date or an instant.
fn day(text: &str, timezone: chrono_tz::Tz) -> Option<Day> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Day::from);
    date.or_else(|| Timestamp::parse(text).map(|at| Day::of(at, timezone)))
}

fn unknown_team(team: &TeamSlug) -> Problem {
    Problem::Unknown(format!("there is no team `{team}` that deployed or had an incident; / lists the teams"))
}

fn unknown_measure(measure: &str) -> Problem {
    let all = Measure::ALL.map(Measure::label).join(", ");
    Problem::Unknown(format!("there is no measure `{measure}`; ask for one of {all}"))
}

fn no_day(at: &str) -> Problem {
    let mend = "write a date, as 2026-11-22, or an instant, as 2026-11-22T17:00:00Z";
    Problem::Malformed(format!("at is `{at}`, which is neither; {mend}"))
}

fn not_looked_at(team: &TeamSlug, day: Day, (since, newest): (Day, Day)) -> Problem {
    Problem::Unknown(format!("`{team}` was not looked at on {day}; ask for a day from {since} to {newest}"))
}
