//! How teams stood to the guardrails that they have today.

use crate::catalogue::{Metric, Sample};
use crate::engine::guardrail::{self, State};
use crate::engine::series::{History, Level, Parts, Past};
use crate::exposition::history::{Found, Series, Wanted};
use crate::model::guardrail::{InForce, in_force};
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;

/// Which metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// `dora_team_guardrail`.
    State,
    /// `dora_team_guardrail_limit`.
    Limit,
}

/// The guardrails of a team that are asked for.
pub(super) fn held<'a>(
    team: &TeamSlug,
    past: &'a Past,
    wanted: &Wanted<'_>,
) -> impl Iterator<Item = (&'a str, InForce<'a>)> {
    let in_force = in_force(&past.settings.guardrails, team).into_iter();
    in_force.filter(|(name, _)| (wanted.label)("guardrail", name))
}

/// The series of a team that are asked for, unless `go_on` fails.
pub(super) fn series<E>(
    metric: &'static Metric,
    told: Told,
    (history, team, past): (&History<'_>, &TeamSlug, &Past),
    wanted: &Wanted<'_>,
    go_on: &dyn Fn() -> Result<(), E>,
) -> Result<Vec<Series>, E> {
    let mut all = Vec::new();
    for (name, held) in held(team, past, wanted) {
        go_on()?;
        let (windows, parts) = (std::slice::from_ref(&held.guardrail.window), parts(held.guardrail.measure));
        let Some(timeline) = history.timeline(&Level::Team(team.clone()), wanted.instants, parts) else {
            continue;
        };
        let mut found = Found::new(metric, wanted);
        for (at, values) in timeline.sweep(windows, parts, wanted.instants) {
            go_on()?;
            let standing = guardrail::standing(held, team, windows, &values);
            let samples = match told {
                Told::State => State::ALL
                    .map(|state| {
                        let value = if standing.state == state { 1.0 } else { 0.0 };
                        Sample::new(metric, &[team.as_str(), name, state.label()], value)
                    })
                    .into(),
                Told::Limit => {
                    vec![Sample::new(metric, &[team.as_str(), name], standing.limit.value())]
                }
            };
            found.take(at, samples);
        }
        all.extend(found.series());
    }
    Ok(all)
}

/// What a standing is told by: the number, its n, and what it lies in.
const fn parts(measure: Measure) -> Parts {
    let bound = Parts::bound(measure);
    match measure {
        Measure::IncidentsPerDay => bound.and(Parts::SEVERITIES),
        Measure::DeploymentsPerDay
        | Measure::LeadTime
        | Measure::ChangeFailRatio
        | Measure::RecoveryTime
        | Measure::ReworkRatio => bound,
    }
}
