//! 95 % intervals that hold for real delivery data (`regressions.md` 3.5): counts are divided by their dispersion, and
//! ranks spread by how alike neighbours are, before a textbook interval is taken.

use statrs::distribution::{Beta, ContinuousCDF as _, Gamma};

use crate::engine::count::real;
use crate::engine::regression::rank::whole;
use crate::model::day::WEEK;
use crate::model::measure::Stat;

/// The quantiles that a 95 % interval lies between.
const TAIL: f64 = 0.025;
/// Half of the width of a 95 % interval, in standard deviations.
const HALF_WIDTH: f64 = 1.96;
/// Beyond which quantiles are taken from the normal distribution, which they equal to six digits there, and which has
/// no loops.
const SHAPE_MAX: f64 = 1e6;
/// What an interval around a proportion adds to either side: Jeffreys' prior.
const JEFFREYS: f64 = 0.5;
/// By how much more than week by week deployments scatter over a window, since neighbouring weeks are alike.
pub const NEIGHBOURS: f64 = 1.25;

/// What a number lies in, in its own unit, with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
}

impl Interval {
    fn finite(lower: f64, upper: f64) -> Option<Self> {
        (lower.is_finite() && upper.is_finite() && lower <= upper).then_some(Self { lower, upper })
    }

    /// In another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { lower: self.lower * factor, upper: self.upper * factor }
    }
}

/// The dispersion of a window's count, where neighbouring weeks are alike: φ′ = 1 + 1.25 (φ − 1).
pub fn over_weeks(dispersion: f64) -> f64 {
    NEIGHBOURS.mul_add(dispersion - 1.0, 1.0)
}

/// What a number of events could have been (Garwood, of the number divided by the dispersion).
pub fn events(events: u64, dispersion: f64) -> Option<Interval> {
    let dispersion = dispersion.max(1.0);
    let events = real(events) / dispersion;
    let lower = if events > 0.0 { gamma(TAIL, events) } else { 0.0 };
    Interval::finite(lower * dispersion, gamma(1.0 - TAIL, events + 1.0) * dispersion)
}

/// Of a rate per day of exposure: `events` in `exposure` days. `None` without exposure.
pub fn rate(events: u64, exposure: f64, dispersion: f64) -> Option<Interval> {
    if exposure.is_nan() || exposure <= 0.0 {
        return None;
    }
    let Interval { lower, upper } = self::events(events, dispersion)?;
    Interval::finite(lower / exposure, upper / exposure)
}

/// Of a rate per calendar day: `events` in a window of so many `days`, of which some gave a chance, where weeks scatter
/// with this dispersion. It is one of the days that gave a chance, in the unit of the value: how many they were does
/// not matter, but that there were some.
pub fn calendar_rate(events: u64, days: f64, dispersion: f64) -> Option<Interval> {
    rate(events, days, over_weeks(dispersion))
}

/// Of a proportion: `part` of `whole` (Jeffreys, of both divided by the dispersion). `None` of nothing.
pub fn proportion(part: u64, whole: u64, dispersion: f64) -> Option<Interval> {
    if whole == 0 {
        return None;
    }
    let dispersion = dispersion.max(1.0);
    let part = part.min(whole);
    let (yes, no) = (real(part) / dispersion, real(whole - part) / dispersion);
    let lower = if part == 0 { 0.0 } else { beta(TAIL, yes + JEFFREYS, no + JEFFREYS) };
    let upper = if part == whole { 1.0 } else { beta(1.0 - TAIL, yes + JEFFREYS, no + JEFFREYS) };
    // Where next to all or next to none are, the prior may leave what was seen outside of its own interval.
    let seen = real(part) / real(whole);
    Interval::finite(lower.min(seen), upper.max(seen))
}

/// Of a median: two of the sorted values, as far from the middle as a sample of `effective` independent ones asks
/// for. `None` where the sample does not reach as far.
pub fn median(sorted: &[f64], effective: f64) -> Option<Interval> {
    let (below, above) = places(sorted.len(), effective, Stat::P50)?;
    Interval::finite(*sorted.get(below)?, *sorted.get(above)?)
}

/// Where the two values that a quantile lies between stand among `count` sorted ones, from 0: the order statistics
/// `n·q ∓ 1.96·√(q (1 − q))·n / √n_eff`, for the median `n/2 ∓ 0.98·n / √n_eff`. `None` where the sample does not reach as
/// far: of a 90th percentile it takes 35 independent ones.
pub fn places(count: usize, effective: f64, stat: Stat) -> Option<(usize, usize)> {
    let n = real(u64::try_from(count).ok()?);
    if effective.is_nan() || effective <= 0.0 {
        return None;
    }
    let (below, above) = match stat {
        Stat::P50 => (n / 2.0, n / 2.0),
        Stat::P90 => (n * 9.0 / 10.0, n / 10.0),
    };
    let far = HALF_WIDTH * (below / n * (above / n)).sqrt() * n / effective.min(n).sqrt();
    let place = |ranks: f64| {
        let place = (ranks - far).floor();
        (place >= 0.0).then(|| usize::try_from(whole(place)).ok()).flatten()
    };
    Some((place(below)?, count.checked_sub(place(above)? + 1)?))
}

/// The changes of a window, by what they share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedChanges {
    /// How many there are.
    pub changes: u64,
    /// The deployments that brought them.
    pub deployments: u64,
    /// The sum of the squares of how many each of those brought.
    pub squares: u64,
    /// How long the window is.
    pub days: f64,
}

impl SharedChanges {
    /// Of how many independent changes they are worth, when those of one deployment and deployments of one week are
    /// so much alike. A deployment of many changes tells less than its share of them: its size counts as often as it
    /// has changes.
    pub fn effective_size(&self, in_deployment: f64, in_week: f64) -> f64 {
        let per_deployment = real(self.squares) / real(self.changes);
        let per_week = real(self.deployments * WEEK.unsigned_abs()) / self.days;
        effective_size(self.changes, (per_deployment, in_deployment), (per_week, in_week))
    }
}

/// Of how many independent changes a sample of `n` is worth, when `per_deployment` of them share a deployment and
/// `per_week` deployments a week, with these correlations.
pub fn effective_size(
    n: u64,
    (per_deployment, in_deployment): (f64, f64),
    (per_week, in_week): (f64, f64),
) -> f64 {
    let inflation = |size: f64, correlation: f64| (size - 1.0).max(0.0).mul_add(correlation, 1.0);
    real(n) / (inflation(per_deployment, in_deployment) * inflation(per_week, in_week))
}

/// Of the ratio of two rates, recent to baseline: `x1` events in `e1` days against `x0` in `e0`.
pub fn ratio_of_rates((x1, e1): (u64, f64), (x0, e0): (u64, f64), dispersion: f64) -> Option<Interval> {
    let dispersion = dispersion.max(1.0);
    let (x1, x0) = (real(x1) / dispersion + JEFFREYS, real(x0) / dispersion + JEFFREYS);
    let odds = |tail: f64| {
        let share = beta(tail, x1, x0);
        share / (1.0 - share) * e0 / e1
    };
    Interval::finite(odds(TAIL), odds(1.0 - TAIL))
}

/// Of the ratio of two proportions, recent to baseline.
pub fn ratio_of_shares((f1, n1): (u64, u64), (f0, n0): (u64, u64), dispersion: f64) -> Option<Interval> {
    if n1 == 0 || n0 == 0 {
        return None;
    }
    let ratio = smoothed_ratio((f1, n1), (f0, n0));
    let part = |f: u64, n: u64| 1.0 / (real(f.min(n)) + 0.5) - 1.0 / (real(n) + 0.5);
    let deviation = (dispersion.max(1.0) * (part(f1, n1) + part(f0, n0))).max(0.0).sqrt();
    let factor = (HALF_WIDTH * deviation).exp();
    Interval::finite(ratio / factor, ratio * factor)
}

/// The ratio of two proportions, defined and modest also where one is zero.
pub fn smoothed_ratio((f1, n1): (u64, u64), (f0, n0): (u64, u64)) -> f64 {
    let smoothed = |f: u64, n: u64| (real(f) + 0.5) / (real(n) + 1.0);
    smoothed(f1, n1) / smoothed(f0, n0)
}

/// Γ⁻¹(tail; shape).
fn gamma(tail: f64, shape: f64) -> f64 {
    if shape > SHAPE_MAX {
        return shape + sign(tail) * shape.sqrt();
    }
    Gamma::new(shape, 1.0).map_or(f64::NAN, |gamma| gamma.inverse_cdf(tail))
}

/// Beta⁻¹(tail; a, b).
fn beta(tail: f64, a: f64, b: f64) -> f64 {
    if a + b > SHAPE_MAX {
        // A ratio of two gammas, whose quotient is log-normal to the digits that anybody reads.
        let (a_or_more, b_or_more) = (a.max(1.0), b.max(1.0));
        let log_odds = (a / b).ln() + sign(tail) * (1.0 / a_or_more + 1.0 / b_or_more).sqrt();
        return 1.0 / (1.0 + (-log_odds).exp());
    }
    Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(tail))
}

/// So many standard deviations from the middle is this end of an interval.
fn sign(tail: f64) -> f64 {
    if tail < 0.5 { -HALF_WIDTH } else { HALF_WIDTH }
}
