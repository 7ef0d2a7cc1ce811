//! `GET /api/v1/series`: any measure of any level over a window, at one instant or at a row of them, as JSON. A value
//! that is not known is null, never 0.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::ServerState;
use super::computing::GoOn;
use super::parameters::{Given, Parameters};
use super::problem::Problem;
use crate::engine::interval::Interval;
use crate::engine::series::{History, Level, Parts, Past};
use crate::engine::snapshot::{Completeness, Delivery, Quantiles, WindowValues};
use crate::exposition::history::INTERVAL_WORTH;
use crate::model::measure::{Measure, Stat};
use crate::model::time::Span;

mod asked;

use self::asked::{Asked, Depth};

/// Values of one answer, nulls included: some megabytes of JSON.
const VALUES_MAX: usize = 500_000;

pub(super) async fn series(State(state): State<ServerState>, given: Given) -> Response {
    match answered(&state, given).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn answered(state: &ServerState, given: Given) -> Result<Value, Problem> {
    let parameters = Parameters::read(given, &asked::KNOWN, &asked::SEVERAL)?;
    let published = state.newest().ok_or(Problem::NotReady)?;
    let (past, _) = published.past.clone().ok_or(Problem::NotReady)?;
    let asked = Asked::read(&parameters, &past.settings, published.snapshot.at)?;
    state.computing.run(move |go_on| answer(&past, &asked, go_on)).await
}

fn answer(past: &Past, asked: &Asked, go_on: GoOn<'_>) -> Result<Value, Problem> {
    let history = past.history();
    let levels: Vec<_> = history.levels().filter(|level| is_asked(level, asked)).collect();
    if levels.is_empty() {
        let whose = [("team", &asked.team), ("component", &asked.component)].into_iter();
        let whose = whose.filter_map(|(what, name)| name.as_ref().map(|name| format!("{what} {name:?}")));
        let whose: Vec<_> = whose.collect();
        return Err(Problem::Unknown(match whose.as_slice() {
            [] => "there is nothing of that level".to_owned(),
            named => format!("there is no {}; / names those that there are", named.join(" with ")),
        }));
    }
    let values = levels.len().saturating_mul(asked.instants.len()).saturating_mul(asked.measures.len());
    let worth = if asked.interval { values.saturating_mul(INTERVAL_WORTH) } else { values };
    if worth > VALUES_MAX {
        let max = if asked.interval { VALUES_MAX / INTERVAL_WORTH } else { VALUES_MAX };
        let with = if asked.interval { " with intervals" } else { "" };
        return Err(Problem::TooMuch(format!(
            "{values} values{with} are more than {max}: ask for fewer measures, for one team, for a longer step or a \
             shorter range"
        )));
    }
    let mut series = Vec::new();
    for level in &levels {
        series.extend(of_level(&history, level, asked, go_on)?);
    }
    let Asked { window, stat, instants, .. } = asked;
    Ok(json!({
        "window": window.label,
        "stat": stat.label(),
        "instants": instants.iter().map(|at| at.to_string()).collect::<Vec<_>>(),
        "series": series,
    }))
}

fn is_asked(level: &Level, asked: &Asked) -> bool {
    let is = |asked: &Option<String>, name: &str| asked.as_ref().is_none_or(|asked| asked == name);
    match (level, asked.depth) {
        (Level::Organization, Depth::Organization) => true,
        (Level::Team(team), Depth::Team) => is(&asked.team, team.as_str()),
        (Level::Component(team, name), Depth::Component) => {
            is(&asked.team, team.as_str()) && is(&asked.component, name.as_str())
        }
        (Level::Organization | Level::Team(_) | Level::Component(..), _) => false,
    }
}

/// A measure at all instants, each as far as it is known.
#[derive(Debug, Clone, Default)]
struct Found {
    values: Vec<Option<f64>>,
    n: Vec<Option<u64>>,
    /// Whether the collected history covers the window.
    complete: Vec<Option<bool>>,
    /// Empty if nobody asks for them.
    intervals: Vec<Option<Interval>>,
}

fn of_level(
    history: &History<'_>,
    level: &Level,
    asked: &Asked,
    go_on: GoOn<'_>,
) -> Result<Vec<Value>, Problem> {
    let parts_of = |measure: Measure| {
        let parts = parts_of(measure);
        if asked.interval { parts.and(Parts::bound(measure)) } else { parts }
    };
    let parts = asked.measures.iter().fold(Parts::COUNTS, |parts, measure| parts.and(parts_of(*measure)));
    let Some(timeline) = history.timeline(level, &asked.instants, parts) else {
        return Ok(Vec::new());
    };
    let windows = [asked.window.clone()];
    let mut found = vec![Found::default(); asked.measures.len()];
    for (_, values) in timeline.sweep(&windows, parts, &asked.instants) {
        go_on()?;
        for (found, measure) in found.iter_mut().zip(&asked.measures) {
            let read = values.windows.first().map(|window| reading(window, *measure, asked.stat));
            let (value, count) = read.unwrap_or_default();
            found.values.push(value);
            found.n.push(count);
            found.complete.push(values.windows.first().and_then(|window| is_complete(level, window)));
            if asked.interval {
                let bounds = values.windows.first().map(|window| &window.bounds);
                found.intervals.push(bounds.and_then(|bounds| bounds.of(*measure, asked.stat)));
            }
        }
    }
    let series =
        asked.measures.iter().zip(found).map(|(measure, Found { values, n, complete, intervals })| {
            let mut series = Map::new();
            let whose = match level {
                Level::Organization => [None, None],
                Level::Team(team) => [Some(("team", team.as_str())), None],
                Level::Component(team, name) => {
                    [Some(("team", team.as_str())), Some(("component", name.as_str()))]
                }
            };
            series.extend(whose.into_iter().flatten().map(|(label, name)| (label.to_owned(), json!(name))));
            for (field, value) in [
                ("measure", json!(measure.label())),
                ("unit", json!(unit(*measure))),
                ("values", json!(values)),
                ("n", json!(n)),
                ("complete", json!(complete)),
            ] {
                series.insert(field.to_owned(), value);
            }
            if asked.interval {
                let ends = |end: fn(Interval) -> f64| -> Vec<Option<f64>> {
                    intervals.iter().map(|interval| interval.map(end)).collect()
                };
                series.insert("lower".to_owned(), json!(ends(|interval| interval.lower)));
                series.insert("upper".to_owned(), json!(ends(|interval| interval.upper)));
            }
            Value::Object(series)
        });
    Ok(series.collect())
}

/// As `dora_L_window_complete` has it: who never did anything has no history that could be complete; the organisation
/// always has one.
fn is_complete(level: &Level, window: &WindowValues) -> Option<bool> {
    let has_history = match level {
        Level::Organization => true,
        Level::Team(_) | Level::Component(..) => window.delivery.is_some() || window.incidents.is_some(),
    };
    has_history.then_some(window.complete == Completeness::Complete)
}

const fn parts_of(measure: Measure) -> Parts {
    match measure {
        Measure::LeadTime => Parts::LEAD_TIME,
        Measure::RecoveryTime => Parts::RECOVERY,
        Measure::IncidentsPerDay => Parts::SEVERITIES,
        Measure::DeploymentsPerDay | Measure::ChangeFailRatio | Measure::ReworkRatio => Parts::COUNTS,
    }
}

const fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => "per_day",
        Measure::ChangeFailRatio | Measure::ReworkRatio => "ratio",
        Measure::LeadTime | Measure::RecoveryTime => "seconds",
    }
}

/// A measure and its n, each as far as it is known.
fn reading(window: &WindowValues, measure: Measure, stat: Stat) -> (Option<f64>, Option<u64>) {
    let time = |quantiles: Quantiles| {
        let Quantiles { p50, p90 } = quantiles;
        let span = match stat {
            Stat::P50 => p50,
            Stat::P90 => p90,
        };
        span.map(Span::seconds)
    };
    let delivered = |read: &dyn Fn(&Delivery) -> (Option<f64>, u64)| {
        let (value, n) = window.delivery.as_ref().map(read)?;
        Some((value, Some(n)))
    };
    let read = match measure {
        Measure::DeploymentsPerDay => delivered(&|one| (Some(one.deployments_per_day), one.deployments)),
        Measure::LeadTime => delivered(&|one| (time(one.lead_time), one.changes)),
        Measure::ChangeFailRatio => delivered(&|one| (one.change_fail_ratio, one.deployments)),
        Measure::RecoveryTime => delivered(&|one| (time(one.recovery_time), one.recovered_deployments)),
        Measure::ReworkRatio => delivered(&|one| (one.rework_ratio, one.deployments)),
        Measure::IncidentsPerDay => {
            let incidents = window.incidents.as_ref();
            incidents.map(|incidents| (Some(incidents.per_day), Some(incidents.started.values().sum())))
        }
    };
    read.unwrap_or_default()
}
