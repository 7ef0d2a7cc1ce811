//! How much more a team's numbers scatter than independent events would (`regressions.md` 3.3).
//!
//! Deployments come in bursts, and a slow week is slow for all of its changes. A test or an interval that takes them
//! for independent is far too sure of itself, so everything here is estimated from the team's own weeks and, as a few
//! weeks say little, shrunk towards what is usual.

use crate::engine::count::{real, size};
use crate::engine::exact::Exact;

/// For how many weeks of evidence the usual dispersion counts.
const PRIOR_WEEKS: f64 = 12.0;
/// How much a week's proportion may scatter: one freak week is not the team's nature.
const SHARE_SCATTER_MAX: f64 = 6.0;
/// What proportions usually scatter.
const SHARE_SCATTER_USUAL: f64 = 1.15;
/// With fewer weeks that have values, their likeness cannot be told from chance.
const LIKENESS_GROUPS_MIN: u64 = 5;
/// Nor with fewer values.
const LIKENESS_VALUES_MIN: u64 = 12;
/// To how much of themselves sums of squares are exact, with room for the rounding of a million values.
const SUMS_EXACT: f64 = 1e-10;
/// What squares differ by, one by one, that is no difference: logarithms of times that no clock tells apart.
const SQUARES_EXACT: f64 = 1e-15;

/// A week's events, and for how many days of work they had a chance to happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeekCount {
    /// How many.
    pub events: u64,
    /// In days.
    pub exposure: f64,
}

/// A week's part and whole: failed of all deployments, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekShare {
    /// How many of them.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
}

/// What counts of one kind usually do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountScatter {
    /// How much the usual dispersion grows with the mean of a week.
    pub slope: f64,
    /// Below which the dispersion is not believed.
    pub floor: f64,
}

impl CountScatter {
    /// Deployments.
    pub const DEPLOYMENTS: Self = Self { slope: 0.08, floor: 1.0 };
    /// Incidents.
    pub const INCIDENTS: Self = Self { slope: 0.05, floor: 1.2 };
}

/// The dispersion φ of weekly counts: their variance as a multiple of what independent events would have, at least
/// the floor. Weeks without exposure are left out.
pub fn of_counts(weeks: &[WeekCount], scatter: CountScatter) -> f64 {
    let exposed = || weeks.iter().filter(|week| week.exposure > 0.0);
    let events: u64 = exposed().map(|week| week.events).sum();
    let exposure: f64 = exposed().map(|week| week.exposure).sum();
    if events == 0 {
        return scatter.floor;
    }
    let rate = real(events) / exposure;
    let mut groups = 0.0;
    let mut deviation = 0.0;
    for week in exposed() {
        let expected = rate * week.exposure;
        deviation += (real(week.events) - expected).powi(2) / expected;
        groups += 1.0;
    }
    let usual = scatter.slope.mul_add(real(events) / groups, 1.0);
    // Weight times estimate is the sum of deviations itself, which needs no division by K − 1.
    let shrunk = PRIOR_WEEKS.mul_add(usual, deviation) / (PRIOR_WEEKS + groups - 1.0);
    shrunk.max(scatter.floor)
}

/// The dispersion φ of weekly proportions, at least 1. Weeks without any are left out.
pub fn of_shares(weeks: &[WeekShare]) -> f64 {
    let known = || weeks.iter().filter(|week| week.whole > 0);
    let part: u64 = known().map(|week| week.part).sum();
    let whole: u64 = known().map(|week| week.whole).sum();
    if part == 0 || part >= whole {
        return SHARE_SCATTER_USUAL;
    }
    let share = real(part) / real(whole);
    let mut groups = 0.0;
    let mut deviation = 0.0;
    for week in known() {
        let expected = real(week.whole) * share;
        deviation += (real(week.part) - expected).powi(2) / (expected * (1.0 - share));
        groups += 1.0;
    }
    let weight = f64::max(groups - 1.0, 0.0);
    let found = deviation.min(SHARE_SCATTER_MAX * weight);
    let shrunk = PRIOR_WEEKS.mul_add(SHARE_SCATTER_USUAL, found) / (PRIOR_WEEKS + weight);
    shrunk.max(1.0)
}

/// How alike the values of one group are: the intraclass correlation, by a one-way analysis of variance, in `[0, 1]`.
/// `None` where there are too few groups or values to say.
pub fn likeness<G: AsRef<[f64]>>(groups: &[G]) -> Option<f64> {
    let filled: Vec<&[f64]> = groups.iter().map(AsRef::as_ref).filter(|group| !group.is_empty()).collect();
    let values: u64 = filled.iter().map(|group| size(group)).sum();
    let mean = filled.iter().copied().flatten().sum::<f64>() / real(values);
    let mut variance = Variance { groups: size(&filled), values, between: 0.0, within: 0.0, squares: 0.0 };
    for group in filled {
        let length = real(size(group));
        let own = group.iter().sum::<f64>() / length;
        variance.between += length * (own - mean).powi(2);
        variance.within += group.iter().map(|value| (value - own).powi(2)).sum::<f64>();
        variance.squares += length * length;
    }
    variance.likeness()
}

/// An analysis of variance: what groups differ by, and what values differ by within them.
struct Variance {
    groups: u64,
    values: u64,
    /// The sums of squares.
    between: f64,
    within: f64,
    /// Of the groups' sizes.
    squares: f64,
}

impl Variance {
    /// The intraclass correlation; `None` where there are too few groups or values to say.
    fn likeness(&self) -> Option<f64> {
        let few = self.groups < LIKENESS_GROUPS_MIN || self.values < LIKENESS_VALUES_MIN;
        if few || self.values <= self.groups {
            return None;
        }
        let (groups, values) = (real(self.groups), real(self.values));
        let between = self.between / (groups - 1.0);
        let within = self.within / (values - groups);
        let typical = (values - self.squares / values) / (groups - 1.0);
        let likeness = (between - within) / (typical - 1.0).mul_add(within, between);
        likeness.is_finite().then(|| likeness.clamp(0.0, 1.0))
    }
}

/// The sums of a group's values: all that [`likeness`] needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GroupSums {
    count: u64,
    sum: Exact,
    squares: Exact,
}

impl GroupSums {
    /// Takes in a value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += Exact::of(value);
        self.squares += Exact::of(value * value);
    }

    /// Takes in the same group's values elsewhere.
    pub fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Without what was taken in before.
    #[must_use]
    pub fn without(&self, before: &Self) -> Self {
        Self {
            count: self.count.saturating_sub(before.count),
            sum: self.sum - before.sum,
            squares: self.squares - before.squares,
        }
    }

    /// How many values.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// The sums of many groups, which can be added up where their values cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grouped {
    groups: u64,
    all: GroupSums,
    /// Σ (a group's sum)² / its size.
    between: Exact,
    /// Σ (a group's size)².
    sizes: u64,
}

impl Grouped {
    /// None.
    pub const EMPTY: Self = Self {
        groups: 0,
        all: GroupSums { count: 0, sum: Exact::ZERO, squares: Exact::ZERO },
        between: Exact::ZERO,
        sizes: 0,
    };

    /// Takes in a group; an empty one is none.
    pub fn add(&mut self, group: &GroupSums) {
        if group.count > 0 {
            self.groups += 1;
            self.all.absorb(group);
            self.between += Exact::of(group.sum.real().powi(2) / real(group.count));
            self.sizes += group.count.pow(2);
        }
    }

    /// Takes in other groups.
    pub fn absorb(&mut self, other: &Self) {
        self.groups += other.groups;
        self.all.absorb(&other.all);
        self.between += other.between;
        self.sizes += other.sizes;
    }

    /// Without what was taken in before.
    #[must_use]
    pub fn without(&self, before: &Self) -> Self {
        Self {
            groups: self.groups.saturating_sub(before.groups),
            all: self.all.without(&before.all),
            between: self.between - before.between,
            sizes: self.sizes.saturating_sub(before.sizes),
        }
    }

    /// As [`likeness`].
    pub fn likeness(&self) -> Option<f64> {
        if self.groups == 0 {
            return None;
        }
        let (count, squares) = (real(self.all.count), self.all.squares.real());
        let between = self.between.real();
        // What is left when large sums cancel out is noise, and not how values differ.
        let difference = |of: f64, from: f64| {
            let left = from - of;
            if left > SUMS_EXACT * from && left > SQUARES_EXACT * count { left } else { 0.0 }
        };
        Variance {
            groups: self.groups,
            values: self.all.count,
            between: difference(self.all.sum.real().powi(2) / count, between),
            within: difference(between, squares),
            squares: real(self.sizes),
        }
        .likeness()
    }
}

/// How alike the values of one week are, for a measure of times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeekLikeness {
    /// What is usual.
    pub usual: f64,
    /// How much of what is found is believed.
    pub trust: f64,
}

impl WeekLikeness {
    /// Lead times.
    pub const LEAD_TIME: Self = Self { usual: 0.05, trust: 1.0 };
    /// Recovery times.
    pub const RECOVERY_TIME: Self = Self { usual: 0.02, trust: 0.5 };
    /// Lead times in an interval, where the likeness within a deployment has a factor of its own.
    pub const INTERVAL: Self = Self { usual: 0.02, trust: 1.0 };

    /// The correlation ρ within a week: what is found over `weeks`, shrunk towards what is usual.
    pub fn shrunk<G: AsRef<[f64]>>(self, weeks: &[G]) -> f64 {
        let filled = weeks.iter().map(|week| u64::from(!week.as_ref().is_empty())).sum();
        self.drawn(likeness(weeks), filled)
    }

    /// The same of sums.
    pub fn of(self, weeks: &Grouped) -> f64 {
        self.drawn(weeks.likeness(), weeks.groups)
    }

    fn drawn(self, found: Option<f64>, weeks: u64) -> f64 {
        let weeks = real(weeks);
        found.map_or(self.usual, |found| {
            PRIOR_WEEKS.mul_add(self.usual, weeks * found * self.trust) / (PRIOR_WEEKS + weeks)
        })
    }
}

/// By how much the variance of a comparison of two samples exceeds that of independent values, at least 1: `n` values
/// each, of which `per_week` fall into one week, with a correlation ρ within it.
pub fn design_effect((n1, per_week1): (u64, f64), (n0, per_week0): (u64, f64), correlation: f64) -> f64 {
    if n1 == 0 || n0 == 0 {
        return 1.0;
    }
    let inflation = |per_week: f64| (per_week - 1.0).max(0.0).mul_add(correlation, 1.0);
    let (n1, n0) = (real(n1), real(n0));
    let effect = (inflation(per_week1) / n1 + inflation(per_week0) / n0) / (1.0 / n1 + 1.0 / n0);
    effect.max(1.0)
}
