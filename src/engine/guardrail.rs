//! How each team stands to its guardrails (`definitions.md` §7): judged by what a number could be, never by the number
//! alone. It informs; nothing is blocked by it.
//!
//! What is not said there: an interval that ends at the limit is within it; one that begins there is near. Of a window
//! that the collected history does not cover nothing is said, since part of it is missing.

use std::sync::Arc;

use crate::engine::interval::Interval;
use crate::engine::snapshot::{Completeness, LevelValues, Quantiles, Snapshot, WindowValues};
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
    let teams = snapshot.teams.iter().flat_map(|(team, values)| {
        let held = in_force(guardrails, team).into_values();
        held.map(|held| standing(held, team, &snapshot.windows, &values.values))
    });
    teams.collect()
}

/// How a team with these numbers over these windows stands to a guardrail that it has.
pub fn standing(held: InForce<'_>, team: &TeamSlug, windows: &[Window], values: &LevelValues) -> Standing {
    let InForce { guardrail, min_samples } = held;
    let index = windows.iter().position(|window| window.length == guardrail.window.length);
    let values = index.and_then(|index| values.windows.get(index));
    let known = values.map(|values| known(guardrail.measure, guardrail.stat, values)).unwrap_or_default();
    Standing {
        team: team.clone(),
        guardrail: Arc::clone(&guardrail.name),
        measure: guardrail.measure,
        stat: guardrail.stat,
        window: guardrail.window.clone(),
        limit: guardrail.limit,
        min_samples,
        known,
        state: state(&known, guardrail.limit, min_samples),
    }
}

/// What a window says of a measure.
fn known(measure: Measure, stat: Stat, values: &WindowValues) -> Known {
    let WindowValues { delivery, incidents, coverage: _, complete, bounds } = values;
    let delivery = delivery.as_ref();
    let incidents = incidents.as_ref();
    let deployments = delivery.map(|delivery| delivery.deployments);
    let quantile = |Quantiles { p50, p90 }: Quantiles| {
        let span = match stat {
            Stat::P50 => p50,
            Stat::P90 => p90,
        };
        span.map(Span::seconds)
    };
    let (n, value) = match measure {
        Measure::DeploymentsPerDay => (deployments, delivery.map(|delivery| delivery.deployments_per_day)),
        Measure::LeadTime => (
            delivery.map(|delivery| delivery.changes),
            delivery.and_then(|delivery| quantile(delivery.lead_time)),
        ),
        Measure::ChangeFailRatio => (deployments, delivery.and_then(|delivery| delivery.change_fail_ratio)),
        Measure::IncidentsPerDay => (
            incidents.map(|incidents| incidents.started.values().sum()),
            incidents.map(|incidents| incidents.per_day),
        ),
        Measure::RecoveryTime => (
            delivery.map(|delivery| delivery.recovered_deployments),
            delivery.and_then(|delivery| quantile(delivery.recovery_time)),
        ),
        Measure::ReworkRatio => (deployments, delivery.and_then(|delivery| delivery.rework_ratio)),
    };
    Known { n, value, interval: bounds.of(measure, stat), complete: *complete }
}
