//! The intervals of a level's numbers over a window that ends at any instant, of the same sample as the numbers
//! themselves (`regressions.md` 3.5).

use std::collections::BTreeSet;
use std::fmt;

use crate::engine::count::{real, size};
use crate::engine::interval::{self, Interval, SharedChanges};
use crate::engine::regression::headline::{DEPLOYMENTS_MIN, TIMES_MIN};
use crate::engine::regression::past::{Frame, Past, Scatter};
use crate::engine::snapshot::Bounds;
use crate::model::measure::{Measure, Stat};
use crate::model::time::{Span, Timestamp};

/// How many days there must be in which something could happen.
const EXPOSURE_MIN: f64 = 4.0;
/// How exactly days are summed up.
const EXPOSURE_EXACT: f64 = 1e-6;

/// What a level did in a window.
#[derive(Debug)]
pub struct Sample<'s> {
    /// Its deployments, failed and unplanned ones; `None` if it never deployed.
    pub deployments: Option<[u64; 3]>,
    /// Its incidents; `None` where they are not counted.
    pub incidents: Option<u64>,
    /// The lead times of counted changes.
    pub lead_times: Times<'s>,
    /// How many deployments brought them.
    pub bringing: u64,
    /// The sum of the squares of how many each of those brought.
    pub squares: u64,
    /// Recovery times.
    pub recoveries: Times<'s>,
}

/// Times, each to be asked for by its place among them in order, from 0.
pub struct Times<'s> {
    count: u64,
    at: Box<dyn FnMut(usize) -> Option<Span> + 's>,
}

impl<'s> Times<'s> {
    /// So many, of which `at` knows each place.
    pub fn new(count: usize, at: impl FnMut(usize) -> Option<Span> + 's) -> Self {
        Self { count: u64::try_from(count).unwrap_or(u64::MAX), at: Box::new(at) }
    }

    /// A sample, whose order is lost.
    pub fn of(sample: &'s mut [Span]) -> Self {
        Self {
            count: size(sample),
            at: Box::new(|place| (place < sample.len()).then(|| *sample.select_nth_unstable(place).1)),
        }
    }

    /// What a quantile of them lies in, in seconds.
    fn interval(&mut self, effective: f64, stat: Stat) -> Option<Interval> {
        let count = usize::try_from(self.count).ok()?;
        let (below, above) = interval::places(count, effective, stat)?;
        Some(Interval { lower: (self.at)(below)?.seconds(), upper: (self.at)(above)?.seconds() })
    }
}

impl fmt::Debug for Times<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The intervals of some measures. It remembers its last answers, since the next instant mostly asks for the same.
#[derive(Debug, Clone, Default)]
pub struct Bounding {
    measures: BTreeSet<Measure>,
    deployments: Last,
    failed: Last,
    unplanned: Last,
    incidents: Last,
}

/// What was asked for last, and the answer.
type Last = Option<([u64; 3], Option<Interval>)>;

impl Bounding {
    /// Of these measures; those of others are absent.
    pub fn new(measures: impl IntoIterator<Item = Measure>) -> Self {
        Self { measures: measures.into_iter().collect(), ..Self::default() }
    }

    /// Whether that of a measure is asked for.
    pub fn has(&self, measure: Measure) -> bool {
        self.measures.contains(&measure)
    }

    /// The intervals; all absent if fewer than eight weeks before the window are collected, each below its minimum
    /// sample. History begins at `begin`.
    pub fn bounds(
        &mut self,
        sample: Sample<'_>,
        past: &Past,
        frame: &Frame<'_>,
        begin: Option<Timestamp>,
    ) -> Bounds {
        let Some(scatter) = past.scatter(frame, begin) else {
            return Bounds::default();
        };
        let Sample { deployments, incidents, mut lead_times, bringing, squares, mut recoveries } = sample;
        let of = |measure: Measure| self.measures.contains(&measure);
        let (working, any) = (frame.now.working, frame.now.any);
        let deployed = |measure: Measure| deployments.filter(|_| of(measure));
        let (frequency, failures, rework) = (
            deployed(Measure::DeploymentsPerDay),
            deployed(Measure::ChangeFailRatio),
            deployed(Measure::ReworkRatio),
        );
        let started = incidents.filter(|_| of(Measure::IncidentsPerDay));
        let effective = of(Measure::LeadTime)
            .then(|| worth(lead_times.count, (bringing, squares), &scatter, frame.days))
            .flatten();
        // Recoveries are few and far between: each tells as much as any other.
        let recovered =
            Some(recoveries.count).filter(|count| of(Measure::RecoveryTime) && *count >= TIMES_MIN);
        let recovered = recovered.map(real);
        // Below the minimum the dispersion is not even looked at.
        Bounds {
            deployments_per_day: frequency.filter(|_| is_exposed(working)).and_then(|[deployed, ..]| {
                rate(&mut self.deployments, deployed, frame.days, scatter.deployments())
            }),
            change_fail_ratio: failures.filter(is_enough).and_then(|[deployed, failed, _]| {
                share(&mut self.failed, failed, deployed, scatter.failed())
            }),
            rework_ratio: rework.filter(is_enough).and_then(|[deployed, _, unplanned]| {
                share(&mut self.unplanned, unplanned, deployed, scatter.unplanned())
            }),
            incidents_per_day: started
                .filter(|_| is_exposed(any))
                .and_then(|started| rate(&mut self.incidents, started, frame.days, scatter.incidents())),
            lead_time: effective.and_then(|effective| lead_times.interval(effective, Stat::P50)),
            lead_time_p90: effective.and_then(|effective| lead_times.interval(effective, Stat::P90)),
            recovery_time: recovered.and_then(|effective| recoveries.interval(effective, Stat::P50)),
            recovery_time_p90: recovered.and_then(|effective| recoveries.interval(effective, Stat::P90)),
        }
    }
}

fn is_exposed(days: f64) -> bool {
    days > EXPOSURE_MIN - EXPOSURE_EXACT
}

fn is_enough([deployed, ..]: &[u64; 3]) -> bool {
    *deployed >= DEPLOYMENTS_MIN
}

/// Of how many independent changes those of a window are worth; `None` of too few.
fn worth(changes: u64, (bringing, squares): (u64, u64), scatter: &Scatter<'_>, days: f64) -> Option<f64> {
    (changes >= TIMES_MIN).then(|| {
        let (in_deployment, in_week) = scatter.lead_times();
        let shared = SharedChanges { changes, deployments: bringing, squares, days };
        shared.effective_size(in_deployment, in_week)
    })
}

fn rate(last: &mut Last, events: u64, days: f64, dispersion: f64) -> Option<Interval> {
    remembered(last, [events, days.to_bits(), dispersion.to_bits()], || {
        interval::calendar_rate(events, days, dispersion)
    })
}

fn share(last: &mut Last, part: u64, whole: u64, dispersion: f64) -> Option<Interval> {
    remembered(last, [part, whole, dispersion.to_bits()], || interval::proportion(part, whole, dispersion))
}

fn remembered(last: &mut Last, asked: [u64; 3], find: impl FnOnce() -> Option<Interval>) -> Option<Interval> {
    match last {
        Some((before, answer)) if *before == asked => *answer,
        Some(_) | None => {
            let answer = find();
            *last = Some((asked, answer));
            answer
        }
    }
}
