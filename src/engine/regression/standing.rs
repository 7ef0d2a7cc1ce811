//! How a team stands in a measure, in the numbers that are exposed (`regressions.md` 3.6).

use chrono_tz::Tz;

use crate::engine::count::real;
use crate::engine::interval::Interval;
use crate::engine::regression::compare::Comparison;
use crate::engine::regression::detect::Look;
use crate::engine::regression::machine::State;
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::time::{Span, Timestamp};

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// So long after midnight a day is looked on: what happened just before it has been read by then.
const LOOK_AFTER: Span = Span::from_minutes(15);

/// The day whose looks say at an instant how teams stand.
pub fn day_of(at: Timestamp, timezone: Tz) -> Day {
    Day::of(at.minus(LOOK_AFTER), timezone)
}

/// How a team stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Since when: the begin of a day.
    pub since: Timestamp,
    /// Recent to its own baseline, in the window that speaks most; 1 is unchanged. Of times, the median of all ratios
    /// of a recent to a former one. Absent where there was too little to compare.
    pub ratio: Option<f64>,
    /// What the ratio lies in with 95 % confidence; absent where that cannot be bounded.
    pub bounds: Option<Interval>,
    /// How surprising for the worse, in standard normal units; 0 where it does not matter.
    pub evidence: Option<f64>,
    /// The baseline, in the unit of the measure's metric: per calendar day, a share, or seconds.
    pub baseline: Option<f64>,
}

/// A look with the ratio that it is shown with: what it lies in, and for times by how much they shifted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Newest {
    pub(crate) look: Look,
    pub(crate) bounds: Option<Interval>,
    pub(crate) shift: Option<f64>,
}

impl Newest {
    pub(crate) fn standing(&self, since: Timestamp) -> Standing {
        let Self { look, bounds, shift } = self;
        let evidence = look.evidence.as_ref();
        Standing {
            state: look.state,
            since,
            ratio: evidence.map(|found| shift.unwrap_or(found.ratio)),
            bounds: *bounds,
            evidence: look.score.map(|score| score.worse),
            baseline: evidence.map(|found| baseline(look.measure, found)),
        }
    }
}

/// What the baseline lets one expect, in the unit of the measure's metric: rates per calendar day, with as many days of
/// work among them as the window had.
pub fn baseline(measure: Measure, found: &Comparison) -> f64 {
    let Comparison { recent, now, usual, .. } = found;
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => {
            usual * now.exposure / real(recent.end.since(recent.start).max(1).unsigned_abs())
        }
        Measure::ChangeFailRatio | Measure::ReworkRatio => *usual,
        Measure::LeadTime | Measure::RecoveryTime => usual * SECONDS_PER_HOUR,
    }
}
