//! Whether the numbers moved because what they are made of did (`regressions.md` 3.4, `data_suspect`): a source was not
//! read, deployments are not found any more, or they are not related to their changes as they were.
//!
//! Definitions that change (teams, environments, what a failure is) raise no doubt: all of history is computed anew
//! with them, so that both sides of a comparison mean the same.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::engine::count::real;
use crate::engine::dispersion::WeekShare;
use crate::engine::regression::compare::Comparison;
use crate::engine::regression::series::Timeline;
use crate::model::day::Day;
use crate::model::measure::Measure;

/// More of a window than this was not read.
pub(crate) const BLIND_MAX: f64 = 0.1;
/// Of what there was before, deployments are at most this, and merges more.
const FALL: f64 = 0.5;
/// How many merges the baseline must let one expect to say that they went on.
const MERGES_MIN: f64 = 4.0;
/// By how much the share of related deployments moved.
const LINKAGE_SHIFT: f64 = 0.15;
/// Of how many deployments such a share is taken: recent, and before.
const LINKAGE_MIN: (u64, u64) = (8, 20);

/// What else is known of a team's days, to hold its numbers against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// Pull requests merged into the default branch.
    pub merges: BTreeMap<Day, u64>,
    /// Deployments that follow another one: of how many it is known what they brought (`definitions.md` §5).
    pub linkage: BTreeMap<Day, WeekShare>,
    /// The first day that some source was not read to its end, if there is one.
    pub unread_from: Option<Day>,
}

/// Why a number is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// A source was not read on so many days of so many.
    Blind {
        /// Days of the window.
        days: f64,
        /// All of its days.
        of: f64,
    },
    /// Deployments fell and merges did not: they are probably not found any more.
    Discovery {
        /// Deployments, recent to baseline.
        deployments: f64,
        /// Merges, recent to baseline.
        merges: f64,
    },
    /// Deployments are related to their changes more, or less, than they were.
    Linkage {
        /// The share that is, in the window.
        now: f64,
        /// The same in the baseline.
        before: f64,
    },
}

impl Doubt {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Blind { .. } => "blind",
            Self::Discovery { .. } => "discovery",
            Self::Linkage { .. } => "linkage",
        }
    }
}

impl Witness {
    /// What speaks against a comparison: the first doubt that applies.
    pub(crate) fn doubt(&self, measure: Measure, timeline: &Timeline, found: &Comparison) -> Option<Doubt> {
        let both = (&found.recent, &found.baseline);
        let linkage = || if depends_on_changes(measure) { self.linkage(both) } else { None };
        let discovery = || self.discovery(timeline, both);
        self.blind(timeline, &found.recent).or_else(discovery).or_else(linkage)
    }

    /// (a): a source was blind for more than a tenth of the window.
    fn blind(&self, timeline: &Timeline, recent: &Range<Day>) -> Option<Doubt> {
        let length = |days: &Range<Day>| real(days.end.since(days.start).max(0).unsigned_abs());
        let unread_from = self.unread_from.unwrap_or(recent.end).clamp(recent.start, recent.end);
        let read = recent.start..unread_from;
        let of = length(recent);
        let days = of - timeline.exposure.seen(&read);
        (days > of * BLIND_MAX).then_some(Doubt::Blind { days, of })
    }

    /// (b): deployments fell by half, and merges into the default branch did not.
    fn discovery(
        &self,
        timeline: &Timeline,
        (recent, baseline): (&Range<Day>, &Range<Day>),
    ) -> Option<Doubt> {
        let exposure = |days: &Range<Day>| timeline.exposure.working(days, recent.end);
        let fell = |now: u64, before: u64| {
            let expected = real(before) * exposure(recent) / exposure(baseline);
            (expected > 0.0).then(|| (real(now) / expected, expected))
        };
        let merges = |days: &Range<Day>| self.merges.range(days.clone()).map(|(_, merges)| merges).sum();
        let deployed = |days: &Range<Day>| timeline.deployments.count(days);
        let (deployments, _) = fell(deployed(recent), deployed(baseline))?;
        let (merges, expected) = fell(merges(recent), merges(baseline))?;
        let suspect = deployments <= FALL && merges > FALL && expected >= MERGES_MIN;
        suspect.then_some(Doubt::Discovery { deployments, merges })
    }

    /// (d): the share of deployments of which it is known what they brought moved by more than 15 points.
    fn linkage(&self, (recent, baseline): (&Range<Day>, &Range<Day>)) -> Option<Doubt> {
        let share = |days: &Range<Day>, least: u64| {
            let (mut part, mut whole) = (0, 0);
            for (_, of_day) in self.linkage.range(days.clone()) {
                part += of_day.part;
                whole += of_day.whole;
            }
            (whole >= least).then(|| real(part) / real(whole))
        };
        let (now, before) = (share(recent, LINKAGE_MIN.0)?, share(baseline, LINKAGE_MIN.1)?);
        ((now - before).abs() > LINKAGE_SHIFT).then_some(Doubt::Linkage { now, before })
    }

    /// The first day of which the two say something else.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<Day> {
        let Self { merges, linkage, unread_from } = self;
        let unread = (*unread_from != other.unread_from)
            .then(|| unread_from.iter().chain(&other.unread_from).min().copied())
            .flatten();
        [first_difference(merges, &other.merges), first_difference(linkage, &other.linkage), unread]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Whether a measure is made of the changes that deployments brought.
const fn depends_on_changes(measure: Measure) -> bool {
    match measure {
        Measure::LeadTime | Measure::ChangeFailRatio | Measure::RecoveryTime | Measure::ReworkRatio => true,
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => false,
    }
}

/// The first key that only one of two maps has, or that they have with another value.
fn first_difference<V: PartialEq>(one: &BTreeMap<Day, V>, other: &BTreeMap<Day, V>) -> Option<Day> {
    let missing = |these: &BTreeMap<Day, V>, from: &BTreeMap<Day, V>| {
        these.iter().find(|(day, value)| from.get(day) != Some(value)).map(|(day, _)| *day)
    };
    [missing(one, other), missing(other, one)].into_iter().flatten().min()
}
