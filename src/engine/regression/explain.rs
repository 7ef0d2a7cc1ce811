//! Why a look says what it says (`regressions.md` 3.6): both samples, the ratio with its interval, the weeks that
//! contribute most, and what would clear it.

use std::ops::Range;

use crate::engine::count::{real, size};
use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::interval::{Interval, over_weeks, ratio_of_rates, ratio_of_shares};
use crate::engine::regression::compare::Comparison;
use crate::engine::regression::detect::{Look, Settings};
use crate::engine::regression::machine::LOOKS_TO_LEAVE;
use crate::engine::regression::rank::{Differences, larger_pairs};
use crate::engine::regression::series::{TeamSeries, Timeline, weeks};
use crate::engine::regression::threshold::Thresholds;
use crate::model::day::Day;
use crate::model::measure::Measure;

/// How many weeks are named.
const WEEKS_NAMED: usize = 3;

/// A look in full. Everything that it names can be looked up in the facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The comparison that speaks most: window, baseline, both samples, ratio, z and dispersion.
    pub comparison: Comparison,
    /// What the ratio lies in. Absent where the samples are too small to bound it.
    pub ratio: Option<Interval>,
    /// For times, by how much they shifted: the median of all ratios of a recent to a former one (Hodges and Lehmann).
    pub shift: Option<f64>,
    /// What the score is held against.
    pub thresholds: Thresholds,
    /// The weeks of the window that contribute most, the first one most.
    pub weeks: Vec<WeekPull>,
    /// What would clear it.
    pub clears: Clears,
}

/// A week's part in what is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct WeekPull {
    /// Its days.
    pub days: Range<Day>,
    /// How many deployments, incidents or times it has.
    pub n: u64,
    /// By how many events (for times: by how many places in the order of all) it is worse than the baseline lets one
    /// expect.
    pub pull: f64,
}

/// What ends a regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clears {
    /// The score must stay below this.
    pub score_below: f64,
    /// For so many looks on end.
    pub looks: u32,
    /// Which is certain when the measure comes back to this side of this value, in every window: then the difference
    /// does not matter any more. Per day of exposure, a share, or hours.
    pub value: f64,
}

/// What the ratio of a look lies in, and for times by how much they shifted.
pub(crate) fn ratio(
    timeline: &Timeline,
    calendar: &Calendar,
    settings: &Settings,
    look: &Look,
) -> (Option<Interval>, Option<f64>) {
    let found = look
        .evidence
        .as_ref()
        .map(|comparison| Sight { timeline, calendar, settings, measure: look.measure, comparison }.ratio());
    found.unwrap_or_default()
}

/// Explains a look of [`crate::engine::regression::detect::looks`]. `None` where there was too little to look at.
pub fn explain(
    series: &TeamSeries,
    calendar: &Calendar,
    settings: &Settings,
    look: &Look,
) -> Option<Explanation> {
    let comparison = look.evidence.clone()?;
    let measure = look.measure;
    let timeline = Timeline::new(series, calendar, &SharedShift::new(), look.day);
    let sight = Sight { timeline: &timeline, calendar, settings, measure, comparison: &comparison };
    let (ratio, shift) = sight.ratio();
    let mut pulls: Vec<WeekPull> = weeks(&comparison.recent).map(|week| sight.pull(week)).collect();
    // Of equal weeks the later one comes first: it is the one that people remember.
    pulls.sort_by(|a, b| b.pull.total_cmp(&a.pull).then(b.days.start.cmp(&a.days.start)));
    pulls.truncate(WEEKS_NAMED);
    let thresholds = settings.thresholds(measure);
    let effect = measure.minimum_effect();
    let value = if measure.less_is_worse() { comparison.usual / effect } else { comparison.usual * effect };
    Some(Explanation {
        ratio,
        shift,
        thresholds,
        weeks: pulls,
        clears: Clears { score_below: thresholds.clear, looks: LOOKS_TO_LEAVE, value },
        comparison,
    })
}

struct Sight<'s> {
    timeline: &'s Timeline,
    calendar: &'s Calendar,
    settings: &'s Settings,
    measure: Measure,
    comparison: &'s Comparison,
}

impl Sight<'_> {
    fn ratio(&self) -> (Option<Interval>, Option<f64>) {
        let Comparison {
            now,
            before,
            dispersion,
            recent: _,
            baseline: _,
            ratio: _,
            usual: _,
            z: _,
            worse: _,
            better: _,
        } = self.comparison;
        let rates =
            |dispersion: f64| ratio_of_rates((now.n, now.exposure), (before.n, before.exposure), dispersion);
        match self.measure {
            Measure::DeploymentsPerDay => (rates(over_weeks(*dispersion)), None),
            Measure::IncidentsPerDay => (rates(*dispersion), None),
            Measure::ChangeFailRatio | Measure::ReworkRatio => {
                (ratio_of_shares((now.part, now.n), (before.part, before.n), *dispersion), None)
            }
            Measure::LeadTime | Measure::RecoveryTime => {
                let (recent, others) =
                    (self.times(&self.comparison.recent), self.times(&self.comparison.baseline));
                let differences = Differences::new(&recent, &others);
                let interval = differences.interval(*dispersion);
                let interval =
                    interval.map(|(lower, upper)| Interval { lower: lower.exp(), upper: upper.exp() });
                (interval, differences.median().map(f64::exp))
            }
        }
    }

    /// The times of a range, sorted.
    fn times(&self, days: &Range<Day>) -> Vec<f64> {
        let mut times = if self.measure == Measure::LeadTime {
            self.timeline.lead_times.of(days).to_vec()
        } else {
            // As they stood on the day of the look.
            self.timeline.recoveries(days, self.comparison.recent.end.begin(self.calendar.timezone))
        };
        times.sort_by(f64::total_cmp);
        times
    }

    fn pull(&self, week: Range<Day>) -> WeekPull {
        let usual = self.comparison.usual;
        let (n, pull) = match self.measure {
            Measure::DeploymentsPerDay => {
                let n = self.timeline.deployments.count(&week);
                let exposure = self.timeline.exposure.working(&week, self.comparison.recent.end);
                (n, usual.mul_add(exposure, -real(n)))
            }
            Measure::IncidentsPerDay => {
                let n = self.timeline.incidents.count(&week);
                (n, usual.mul_add(-self.timeline.exposure.any(&week), real(n)))
            }
            Measure::ChangeFailRatio => {
                let at = self.comparison.recent.end.begin(self.calendar.timezone);
                let failed = self.timeline.failed(&week, at.minus(self.settings.attribution_window), at);
                (failed.whole, usual.mul_add(-real(failed.whole), real(failed.part)))
            }
            Measure::ReworkRatio => {
                let reworked = self.timeline.reworked(&week);
                (reworked.whole, usual.mul_add(-real(reworked.whole), real(reworked.part)))
            }
            Measure::LeadTime | Measure::RecoveryTime => {
                let (times, others) = (self.times(&week), self.times(&self.comparison.baseline));
                let above = larger_pairs(&times, &others);
                let n = size(&times);
                (n, above - real(n) * real(size(&others)) / 2.0)
            }
        };
        WeekPull { days: week, n, pull }
    }
}
