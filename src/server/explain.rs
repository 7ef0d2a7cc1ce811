//! Why a team stands as it does in a measure: as JSON and as a page. Everything that counts is named, down to the
//! deployments and incidents of the weeks that contribute most (`regressions.md` 3.6).

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::NaiveDate;

use super::evidence::{self, Evidence};
use super::parameters::{Given, Parameters};
use super::problem::Problem;
use super::{ServerState, shown};
use crate::exposition::Published;
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::time::Timestamp;

/// The parameter that there is: a date, or an instant on it; today without.
const AT: &str = "at";

type Which = Result<Path<(String, String)>, PathRejection>;

pub(super) async fn json(State(state): State<ServerState>, which: Which, given: Given) -> Response {
    match found(&state, which, given).await {
        Ok((_, evidence)) => {
            let body = format!("{}\n", evidence::json(&evidence));
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn page(State(state): State<ServerState>, which: Which, given: Given) -> Response {
    match found(&state, which, given).await {
        Ok((published, evidence)) => shown(super::measure_page::measure(&published.organization, &evidence)),
        Err(problem) => problem.into_response(),
    }
}

async fn found(
    state: &ServerState,
    which: Which,
    given: Given,
) -> Result<(Arc<Published>, Evidence), Problem> {
    let published = state.newest().ok_or(Problem::NotReady)?;
    let Path((team, measure)) = which.map_err(|_| Problem::NotFound)?;
    let parameters = Parameters::read(given, &[AT], &[])?;
    let team = TeamSlug::new(team);
    let measure = Measure::named(&measure).ok_or_else(|| unknown_measure(&measure))?;
    let tracker = &published.background.tracker;
    let watched = tracker.watched(&team).ok_or_else(|| unknown_team(&team))?;
    let newest = tracker.newest_day().ok_or(Problem::NotReady)?;
    let day = match parameters.one(AT) {
        None => newest,
        Some(at) => day(at, watched.calendar.timezone).ok_or_else(|| no_day(at))?,
    };
    if day > newest || day < watched.series.since {
        return Err(not_looked_at(&team, day, (watched.series.since, newest)));
    }
    // Comparing all times with all others takes milliseconds.
    let explaining = state.explaining.run(move |_| {
        let found = evidence::of(&published.background, &team, measure, day);
        // The day was looked on, as was checked above.
        found.map(|evidence| (published, evidence)).ok_or(Problem::NotFound)
    });
    explaining.await
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
