//! One measure of one team in one window against its baseline (`regressions.md` 3.3).

use std::ops::Range;

use crate::engine::count::{real, size};
use crate::engine::dispersion::{
    CountScatter, WeekCount, WeekLikeness, WeekShare, design_effect, of_counts, of_shares,
};
use crate::engine::exposure::weekdays;
use crate::engine::interval::{over_weeks, smoothed_ratio};
use crate::engine::regression::rank::{MannWhitney, larger_pairs, mann_whitney};
use crate::engine::regression::score::{binomial, hypergeometric};
use crate::engine::regression::series::{Timeline, calendar_weeks, middle, weeks};
use crate::model::day::{Day, WEEK};
use crate::model::measure::Measure;
use crate::model::time::Timestamp;

/// The windows that are compared, in days.
pub const WINDOWS: [i64; 3] = [28, 56, 84];
/// How long the baseline before a window is.
pub const BASELINE: i64 = 182;
/// How many days of it must have been completely collected.
pub const BASELINE_MIN: i64 = 84;

/// How many deployments the baseline must let one expect.
const EXPECTED_MIN: f64 = 4.0;
/// How many bad ones it takes to speak of many.
const BAD_MIN: u64 = 3;
/// How many deployments or lead times: recent, and before.
const SAMPLES_MIN: (u64, u64) = (8, 20);
/// How many recoveries: recent, and before.
const RECOVERIES_MIN: (u64, u64) = (4, 8);

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Deployments, incidents or times.
    pub n: u64,
    /// Of which failed or unplanned.
    pub part: u64,
    /// In days: working days, for incidents calendar days.
    pub exposure: f64,
}

/// A window against its baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The window: up to yesterday.
    pub recent: Range<Day>,
    /// What it is compared with.
    pub baseline: Range<Day>,
    /// What happened in the window.
    pub now: Sample,
    /// What happened in the baseline.
    pub before: Sample,
    /// Recent to baseline.
    pub ratio: f64,
    /// The measure's value in the baseline, in its own unit: per day of exposure, a share, or hours.
    pub usual: f64,
    /// How surprising, in standard normal units; above 0 is worse.
    pub z: f64,
    /// How much more than independent events these scatter: φ, or for times the design effect.
    pub dispersion: f64,
    /// Whether it is worse by enough to matter.
    pub worse: bool,
    /// Whether it is better by as much.
    pub better: bool,
}

/// Where and when a comparison is made.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) recent: Range<Day>,
    pub(crate) baseline: Range<Day>,
    /// The day of the look, for what is known only later.
    pub(crate) day: Day,
    /// Its begin.
    pub(crate) at: Timestamp,
    /// Deployments after this may yet turn out to have failed.
    pub(crate) mature_until: Timestamp,
}

/// What comparing gave, before its size is judged.
struct Found {
    now: Sample,
    before: Sample,
    ratio: f64,
    usual: f64,
    z: f64,
    dispersion: f64,
    /// Whether there is enough to speak of worse, and of better.
    tells: (bool, bool),
}

/// Compares. `None` where there is too little to compare.
pub(crate) fn compare(timeline: &Timeline, measure: Measure, scope: &Scope) -> Option<Comparison> {
    let found = match measure {
        Measure::DeploymentsPerDay => deployments(timeline, scope),
        Measure::IncidentsPerDay => incidents(timeline, scope),
        Measure::ChangeFailRatio => {
            shares(timeline, scope, |days| timeline.failed(days, scope.mature_until, scope.at))
        }
        Measure::ReworkRatio => shares(timeline, scope, |days| timeline.reworked(days)),
        Measure::LeadTime => lead_times(timeline, scope),
        Measure::RecoveryTime => recoveries(timeline, scope),
    }?;
    let Found { now, before, ratio, usual, z, dispersion, tells: (tells_worse, tells_better) } = found;
    Some(Comparison {
        recent: scope.recent.clone(),
        baseline: scope.baseline.clone(),
        now,
        before,
        ratio,
        usual,
        z,
        dispersion,
        worse: tells_worse && measure.matters(ratio),
        better: tells_better && measure.matters_for_the_better(ratio),
    })
}

fn deployments(timeline: &Timeline, scope: &Scope) -> Option<Found> {
    let sample = |days: &Range<Day>| Sample {
        n: timeline.deployments.count(days),
        part: 0,
        exposure: timeline.exposure.working(days, scope.day),
    };
    let (now, before) = (sample(&scope.recent), sample(&scope.baseline));
    let expected = real(before.n) * now.exposure / before.exposure;
    let exposed = now.exposure >= weekdays(&scope.recent) / 2.0;
    if !exposed || expected.is_nan() || expected < EXPECTED_MIN {
        return None;
    }
    let dispersion =
        of_counts(&deployment_weeks(timeline, &scope.baseline, scope.day), CountScatter::DEPLOYMENTS);
    let share = before.exposure / (before.exposure + now.exposure);
    let tails = binomial(before.n, before.n + now.n, share);
    Some(Found {
        now,
        before,
        ratio: (real(now.n) + 0.5) / (expected + 0.5),
        usual: real(before.n) / before.exposure,
        z: tails.z() / over_weeks(dispersion).sqrt(),
        dispersion,
        tells: (true, true),
    })
}

/// The weekly deployments of a range, against its working days.
pub(crate) fn deployment_weeks(timeline: &Timeline, days: &Range<Day>, at: Day) -> Vec<WeekCount> {
    let weeks = weeks(days).map(|week| WeekCount {
        events: timeline.deployments.count(&week),
        exposure: timeline.exposure.working(&week, at),
    });
    weeks.collect()
}

/// The weekly incidents of a range, against its days.
pub(crate) fn incident_weeks(timeline: &Timeline, days: &Range<Day>) -> Vec<WeekCount> {
    let weeks = weeks(days).map(|week| WeekCount {
        events: timeline.incidents.count(&week),
        exposure: timeline.exposure.any(&week),
    });
    weeks.collect()
}

fn incidents(timeline: &Timeline, scope: &Scope) -> Option<Found> {
    let sample = |days: &Range<Day>| Sample {
        n: timeline.incidents.count(days),
        part: 0,
        exposure: timeline.exposure.any(days),
    };
    let (now, before) = (sample(&scope.recent), sample(&scope.baseline));
    if now.exposure <= 0.0 || before.exposure <= 0.0 {
        return None;
    }
    let expected = real(before.n) * now.exposure / before.exposure;
    let dispersion = of_counts(&incident_weeks(timeline, &scope.baseline), CountScatter::INCIDENTS);
    let tails = binomial(now.n, now.n + before.n, now.exposure / (now.exposure + before.exposure));
    Some(Found {
        now,
        before,
        ratio: (real(now.n) + 0.5) / (expected + 0.5),
        usual: real(before.n) / before.exposure,
        z: tails.z() / dispersion.sqrt(),
        dispersion,
        tells: (now.n >= BAD_MIN, before.n >= BAD_MIN),
    })
}

fn shares(timeline: &Timeline, scope: &Scope, of: impl Fn(&Range<Day>) -> WeekShare) -> Option<Found> {
    let sample = |days: &Range<Day>| {
        let WeekShare { part, whole } = of(days);
        Sample { n: whole, part, exposure: timeline.exposure.working(days, scope.day) }
    };
    let (now, before) = (sample(&scope.recent), sample(&scope.baseline));
    if now.n < SAMPLES_MIN.0 || before.n < SAMPLES_MIN.1 {
        return None;
    }
    let weeks: Vec<_> = weeks(&scope.baseline).map(|week| of(&week)).collect();
    let dispersion = of_shares(&weeks);
    let tails = hypergeometric((now.part, now.n), (before.part, before.n));
    Some(Found {
        now,
        before,
        ratio: smoothed_ratio((now.part, now.n), (before.part, before.n)),
        usual: real(before.part) / real(before.n),
        z: tails.z() / dispersion.sqrt(),
        dispersion,
        tells: (now.part >= BAD_MIN, before.part >= BAD_MIN),
    })
}

/// Two samples of times, compared.
struct Ranked {
    compared: MannWhitney,
    now: f64,
    before: f64,
}

fn times(
    timeline: &Timeline,
    scope: &Scope,
    (n1, n0): (u64, u64),
    correlation: f64,
    ranked: &Ranked,
) -> Found {
    let per_week = |n: u64, days: &Range<Day>| {
        real(n * WEEK.unsigned_abs()) / real(days.end.since(days.start).max(1).unsigned_abs())
    };
    let dispersion =
        design_effect((n1, per_week(n1, &scope.recent)), (n0, per_week(n0, &scope.baseline)), correlation);
    let exposure = |days: &Range<Day>| timeline.exposure.working(days, scope.day);
    Found {
        now: Sample { n: n1, part: 0, exposure: exposure(&scope.recent) },
        before: Sample { n: n0, part: 0, exposure: exposure(&scope.baseline) },
        ratio: (ranked.now - ranked.before).exp(),
        usual: ranked.before.exp(),
        z: ranked.compared.z / dispersion.sqrt(),
        dispersion,
        tells: (true, true),
    }
}

fn lead_times(timeline: &Timeline, scope: &Scope) -> Option<Found> {
    let (n1, n0) = (timeline.lead_times.count(&scope.recent), timeline.lead_times.count(&scope.baseline));
    if n1 < SAMPLES_MIN.0 || n0 < SAMPLES_MIN.1 {
        return None;
    }
    let ranked = walk(timeline, scope)?;
    let weeks: Vec<&[f64]> =
        calendar_weeks(&scope.baseline).map(|week| timeline.lead_times.of(&week)).collect();
    let correlation = WeekLikeness::LEAD_TIME.shrunk(&weeks);
    Some(times(timeline, scope, (n1, n0), correlation, &ranked))
}

/// Ranks and medians of both samples in one walk over all lead times, which are sorted once for all looks.
fn walk(timeline: &Timeline, scope: &Scope) -> Option<Ranked> {
    let recent = timeline.lead_times.places(&scope.recent);
    let baseline = timeline.lead_times.places(&scope.baseline);
    let (mut now, mut before) = (Vec::with_capacity(recent.len()), Vec::with_capacity(baseline.len()));
    for place in &timeline.by_length {
        if recent.contains(place) {
            now.extend(timeline.length(*place));
        } else if baseline.contains(place) {
            before.extend(timeline.length(*place));
        }
    }
    ranked(&now, &before)
}

/// Both samples are sorted.
fn ranked(now: &[f64], before: &[f64]) -> Option<Ranked> {
    Some(Ranked {
        compared: mann_whitney(larger_pairs(now, before), size(now), size(before))?,
        now: middle(now)?,
        before: middle(before)?,
    })
}

fn recoveries(timeline: &Timeline, scope: &Scope) -> Option<Found> {
    let mut now = timeline.recoveries(&scope.recent, scope.at);
    let mut before = timeline.recoveries(&scope.baseline, scope.at);
    let (n1, n0) = (size(&now), size(&before));
    if n1 < RECOVERIES_MIN.0 || n0 < RECOVERIES_MIN.1 {
        return None;
    }
    now.sort_by(f64::total_cmp);
    before.sort_by(f64::total_cmp);
    let weeks: Vec<_> =
        calendar_weeks(&scope.baseline).map(|week| timeline.recoveries(&week, scope.at)).collect();
    let correlation = WeekLikeness::RECOVERY_TIME.shrunk(&weeks);
    Some(times(timeline, scope, (n1, n0), correlation, &ranked(&now, &before)?))
}
