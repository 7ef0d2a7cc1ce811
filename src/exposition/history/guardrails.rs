//! How teams stood to the guardrails that they have today.

use crate::catalogue::{Metric, Sample};
use crate::engine::guardrail::{self, State};
use crate::engine::series::{History, Level, Parts, Past};
use crate::exposition::history::{Found, Series, Wanted};
use crate::model::guardrail::in_force;
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

/// The series of a team that are asked for.
pub(super) fn series(
    metric: &'static Metric,
    told: Told,
    history: &History<'_>,
    team: &TeamSlug,
    past: &Past,
    wanted: &Wanted<'_>,
) -> Vec<Series> {
    let mut all = Vec::new();
    for (name, held) in in_force(&past.settings.guardrails, team) {
        if !(wanted.label)("guardrail", name) {
            continue;
        }
        let (windows, parts) = (std::slice::from_ref(&held.guardrail.window), parts(held.guardrail.measure));
        let Some(timeline) = history.timeline(&Level::Team(team.clone()), wanted.instants, parts) else {
            continue;
        };
        let mut found = Found::new(metric, wanted);
        for (at, values) in timeline.sweep(windows, parts, wanted.instants) {
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
    all
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
