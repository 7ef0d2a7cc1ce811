//! How each team stands to its guardrails (`definitions.md` §7): judged by what a number could be, never by the number
//! alone. It informs; nothing is blocked by it.
//!
//! What is not said there: an interval that ends at the limit is within it; one that begins there is near. Of a window
//! that the collected history does not cover nothing is said, since part of it is missing.

use std::sync::Arc;

use crate::engine::interval::Interval;
use crate::engine::snapshot::{Completeness, Quantiles, Snapshot, WindowValues};
use crate::model::guardrail::{Guardrail, InForce, Limit, in_force};
use crate::model::measure::{Measure, Stat};
use crate::model::name::TeamSlug;
use crate::model::settings::Window;
use crate::model::time::Span;

mod words;

/// How a team stands to a guardrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// All that the number could be is within the limit.
    Inside,
    /// The limit lies within what the number could be.
    Near,
    /// All that the number could be is past the limit.
    Outside,
    /// There is too little to say.
    Unknown,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inside, Self::Near, Self::Outside, Self::Unknown];

    /// The value of the label `state`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Near => "near",
            Self::Outside => "outside",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a measure over a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    /// How many deployments, changes, incidents or recoveries it rests on.
    pub n: Option<u64>,
    /// The number itself, of times the quantile that is limited: per day, a share, or seconds.
    pub value: Option<f64>,
    /// What it lies in with 95 % confidence.
    pub interval: Option<Interval>,
    /// Whether the collected history covers the window.
    pub complete: Completeness,
}

/// A team, a guardrail that it has, and how it stands to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whose.
    pub team: TeamSlug,
    /// The guardrail's name.
    pub guardrail: Arc<str>,
    /// What it limits.
    pub measure: Measure,
    /// Which number of it, of times.
    pub stat: Stat,
    /// Over which window.
    pub window: Window,
    /// The tightest limit that holds for the team, in the unit of the measure's metric.
    pub limit: Limit,
    /// With less than so many of [`Known::n`] nothing is said.
    pub min_samples: u64,
    /// What is known.
    pub known: Known,
    /// How it stands.
    pub state: State,
}

/// How what is known stands to a limit.
pub fn state(known: &Known, limit: Limit, min_samples: u64) -> State {
    let Known { n, value, interval, complete } = *known;
    let is_complete = complete == Completeness::Complete;
    let is_enough = is_complete && value.is_some() && n.is_some_and(|n| n >= min_samples);
    let Some(Interval { lower, upper }) = interval.filter(|_| is_enough) else {
        return State::Unknown;
    };
    let (all_within, none_within) = match limit {
        Limit::Max(max) => (upper <= max, lower > max),
        Limit::Min(min) => (lower >= min, upper < min),
    };
    if all_within {
        State::Inside
    } else if none_within {
        State::Outside
    } else {
        State::Near
    }
}

/// All teams of a snapshot with all guardrails that they have, by team and name.
pub fn standings(snapshot: &Snapshot, guardrails: &[Guardrail]) -> Vec<Standing> {
    let mut standings = Vec::new();
    for (team, values) in &snapshot.teams {
        for (_, InForce { guardrail, min_samples }) in in_force(guardrails, team) {
            let of_window = |window: &Window| window.length == guardrail.window.length;
            let index = snapshot.windows.iter().position(of_window);
            let values = index.and_then(|index| values.values.windows.get(index));
            let known =
                values.map(|values| known(guardrail.measure, guardrail.stat, values)).unwrap_or_default();
            standings.push(Standing {
                team: team.clone(),
                guardrail: Arc::clone(&guardrail.name),
                measure: guardrail.measure,
                stat: guardrail.stat,
                window: guardrail.window.clone(),
                limit: guardrail.limit,
                min_samples,
                known,
                state: state(&known, guardrail.limit, min_samples),
            });
        }
    }
    standings
}

/// What a window says of a measure.
fn known(measure: Measure, stat: Stat, values: &WindowValues) -> Known {
    let WindowValues { delivery, incidents, coverage: _, complete, bounds } = values;
    let delivery = delivery.as_ref();
    let incidents = incidents.as_ref();
    let deployments = delivery.map(|delivery| delivery.deployments);
    let (n, value, interval) = match measure {
        Measure::DeploymentsPerDay => {
            (deployments, delivery.map(|delivery| delivery.deployments_per_day), bounds.deployments_per_day)
        }
        Measure::LeadTime => {
            let (value, interval) = quantile(
                stat,
                delivery.map(|delivery| delivery.lead_time),
                [bounds.lead_time, bounds.lead_time_p90],
            );
            (delivery.map(|delivery| delivery.changes), value, interval)
        }
        Measure::ChangeFailRatio => {
            (deployments, delivery.and_then(|delivery| delivery.change_fail_ratio), bounds.change_fail_ratio)
        }
        Measure::IncidentsPerDay => (
            incidents.map(|incidents| incidents.started.values().sum()),
            incidents.map(|incidents| incidents.per_day),
            bounds.incidents_per_day,
        ),
        Measure::RecoveryTime => {
            let (value, interval) = quantile(
                stat,
                delivery.map(|delivery| delivery.recovery_time),
                [bounds.recovery_time, bounds.recovery_time_p90],
            );
            (delivery.map(|delivery| delivery.recovered_deployments), value, interval)
        }
        Measure::ReworkRatio => {
            (deployments, delivery.and_then(|delivery| delivery.rework_ratio), bounds.rework_ratio)
        }
    };
    Known { n, value, interval, complete: *complete }
}

/// A quantile in seconds, with what it lies in, of those of the median and the 90th percentile.
fn quantile(
    stat: Stat,
    quantiles: Option<Quantiles>,
    [median, high]: [Option<Interval>; 2],
) -> (Option<f64>, Option<Interval>) {
    let Quantiles { p50, p90 } = quantiles.unwrap_or_default();
    let (span, interval) = match stat {
        Stat::P50 => (p50, median),
        Stat::P90 => (p90, high),
    };
    (span.map(Span::seconds), interval)
}
