//! The intervals of a level's numbers over a window that ends at any instant, of the same sample as the numbers
//! themselves (`regressions.md` 3.5).

use crate::engine::count::{real, size};
use crate::engine::interval::{self, Interval, SharedChanges};
use crate::engine::regression::headline::{DEPLOYMENTS_MIN, TIMES_MIN};
use crate::engine::regression::past::{Frame, Past};
use crate::engine::snapshot::Bounds;
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
    /// The lead times of counted changes; their order is lost.
    pub lead_times: &'s mut [Span],
    /// How many deployments brought them.
    pub bringing: u64,
    /// The sum of the squares of how many each of those brought.
    pub squares: u64,
    /// Recovery times; their order is lost.
    pub recoveries: &'s mut [Span],
}

/// The intervals; all absent if fewer than eight weeks before the window are collected, each below its minimum
/// sample. History begins at `begin`.
pub fn bounds(sample: Sample<'_>, past: &Past, frame: &Frame, begin: Option<Timestamp>) -> Bounds {
    let Some(scatter) = past.scatter(frame, begin) else {
        return Bounds::default();
    };
    let Sample { deployments, incidents, lead_times, bringing, squares, recoveries } = sample;
    // Below the minimum the dispersion is not even looked at.
    let share = |part: u64, whole: u64, dispersion: &dyn Fn() -> f64| {
        let enough = (whole >= DEPLOYMENTS_MIN).then(dispersion);
        enough.and_then(|dispersion| interval::proportion(part, whole, dispersion))
    };
    let rate = |events: u64, exposure: f64, dispersion: &dyn Fn() -> f64| {
        let enough = (exposure > EXPOSURE_MIN - EXPOSURE_EXACT).then(dispersion);
        enough.and_then(|dispersion| interval::calendar_rate(events, exposure, frame.days, dispersion))
    };
    let (working, any) = (frame.now.working, frame.now.any);
    let (changes, recovered) = (size(lead_times), size(recoveries));
    Bounds {
        deployments_per_day: deployments
            .and_then(|[deployed, ..]| rate(deployed, working, &|| scatter.deployments())),
        change_fail_ratio: deployments
            .and_then(|[deployed, failed, _]| share(failed, deployed, &|| scatter.failed())),
        rework_ratio: deployments
            .and_then(|[deployed, _, unplanned]| share(unplanned, deployed, &|| scatter.unplanned())),
        incidents_per_day: incidents.and_then(|started| rate(started, any, &|| scatter.incidents())),
        lead_time: (changes >= TIMES_MIN).then(|| scatter.lead_times()).and_then(
            |(in_deployment, in_week)| {
                let shared = SharedChanges { changes, deployments: bringing, squares, days: frame.days };
                median(lead_times, shared.effective_size(in_deployment, in_week))
            },
        ),
        // Recoveries are few and far between: each tells as much as any other.
        recovery_time: (recovered >= TIMES_MIN).then(|| median(recoveries, real(recovered))).flatten(),
    }
}

/// Of the median of a sample, in seconds.
fn median(sample: &mut [Span], effective: f64) -> Option<Interval> {
    let (below, above) = interval::median_places(sample.len(), effective)?;
    let (shorter, upper, _) = sample.select_nth_unstable(above);
    let upper = upper.seconds();
    let lower = if below < above { shorter.select_nth_unstable(below).1.seconds() } else { upper };
    Some(Interval { lower, upper })
}
