//! What a level did in the weeks before a window: as much of it as says how its numbers scatter. Sums only, so that
//! those of a team are the sums of its components'.

use crate::engine::dispersion::{
    CountScatter, GroupSums, Grouped, WeekCount, WeekLikeness, WeekShare, of_counts, of_shares,
};
use crate::engine::exposure::{Calendar, Chance, Chances, DAYS_MAX};
use crate::engine::history::{self, Deployment};
use crate::engine::link::LinkedComponent;
use crate::engine::regression::headline::{DISPERSION_WEEKS, DISPERSION_WEEKS_MIN};
use crate::engine::regression::series::{logarithm, middle};
use crate::model::day::{Day, WEEK};
use crate::model::settings::{MetricSettings, Window};
use crate::model::time::{Span, Timestamp};

const WEEK_LONG: Span = Span::from_days(WEEK);

/// How far before a window the past goes.
pub const PAST: Span = Span::from_days(182);

/// The days and calendar weeks of some time, of one calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Almanac {
    chances: Chances,
    /// When calendar weeks begin, from the first one on.
    mondays: Vec<Timestamp>,
}

impl Almanac {
    /// For windows of at most this length that end between two instants.
    pub fn new(calendar: &Calendar, longest: Span, (first, last): (Timestamp, Timestamp)) -> Self {
        let from = first.minus(longest).minus(PAST);
        let monday = Day::of(from, calendar.timezone).monday();
        let weeks = Day::of(last, calendar.timezone).since(monday).clamp(0, DAYS_MAX) / WEEK;
        let mondays = (-1..=weeks).map(|week| monday.plus(week * WEEK).begin(calendar.timezone));
        Self { chances: Chances::new(calendar, from, last), mondays: mondays.collect() }
    }
}

/// A window that ends at an instant, and the weeks before it: seven days each, from its begin backwards.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    almanac: &'a Almanac,
    /// Where the window begins and the past ends.
    pub end: Timestamp,
    /// The window's length in days.
    pub days: f64,
    /// The chance that the window gave.
    pub now: Chance,
    /// When calendar weeks begin, until the latest that begins by the end of the past.
    mondays: &'a [Timestamp],
}

impl<'a> Frame<'a> {
    /// Of a window that ends at `at`.
    pub fn new(window: &Window, almanac: &'a Almanac, at: Timestamp) -> Self {
        let end = at.minus(window.length);
        let begun = almanac.mondays.partition_point(|monday| *monday <= end);
        Self {
            almanac,
            end,
            days: window.length.days(),
            now: almanac.chances.between(end, at),
            mondays: almanac.mondays.get(..begun).unwrap_or_default(),
        }
    }

    /// Where the weeks before the window end and begin, from the end of the latest backwards.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Timestamp> + use<> {
        std::iter::successors(Some(self.end), |end| Some(end.minus(WEEK_LONG))).take(DISPERSION_WEEKS + 1)
    }

    /// Where the calendar weeks before the window end and begin, from the end of the latest backwards.
    pub(crate) fn mondays(&self) -> impl Iterator<Item = Timestamp> + use<'a> {
        self.mondays.iter().rev().copied().take(DISPERSION_WEEKS + 1)
    }

    /// The chance that each week before the window gave, from the latest backwards.
    fn weeks(&self) -> impl Iterator<Item = Chance> + use<'a> {
        self.almanac.chances.backwards(self.edges())
    }

    /// How many weeks before the window are complete, if history begins at `begin`.
    fn complete(&self, begin: Option<Timestamp>) -> usize {
        let whole = |begin: Timestamp| self.end.since(begin).millis() / WEEK_LONG.millis();
        let whole = begin.map_or(0, whole).max(0);
        usize::try_from(whole).map_or(DISPERSION_WEEKS, |whole| whole.min(DISPERSION_WEEKS))
    }

    /// Whether enough weeks before the window are complete, if history begins at `begin`.
    pub(crate) fn has_past(&self, begin: Option<Timestamp>) -> bool {
        self.complete(begin) >= DISPERSION_WEEKS_MIN
    }

    /// In which week before the window an instant lies.
    pub(crate) fn week_of(&self, at: Timestamp) -> Option<usize> {
        let before = self.end.since(at).millis();
        let week = before.checked_sub(1).filter(|before| *before >= 0)? / WEEK_LONG.millis();
        usize::try_from(week).ok().filter(|week| *week < DISPERSION_WEEKS)
    }

    /// In which calendar week, counted from the latest one that ends before the window does begin.
    pub(crate) fn calendar_week_of(&self, at: Timestamp) -> Option<usize> {
        let later = self.mondays.len() - self.mondays.partition_point(|monday| *monday <= at);
        later.checked_sub(1).filter(|week| *week < DISPERSION_WEEKS)
    }

    /// How many calendar weeks lie in the past, if history begins at `begin`.
    fn calendar_weeks(&self, begin: Timestamp) -> usize {
        let begin = begin.max(self.end.minus(PAST));
        let whole = self.mondays.len() - self.mondays.partition_point(|monday| *monday < begin);
        whole.saturating_sub(1)
    }
}

/// What happened in a week.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Week {
    pub(crate) deployments: u64,
    pub(crate) failed: u64,
    pub(crate) unplanned: u64,
    pub(crate) incidents: u64,
    /// Lead times, as logarithms, by deployment.
    pub(crate) lead_times: Grouped,
}

/// What happened in the weeks before a window, from the latest backwards.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Empty, or all of them.
    pub(crate) weeks: Vec<Week>,
    /// For calendar weeks, the middles of each deployment's lead times. Empty, or all of them.
    pub(crate) middles: Vec<GroupSums>,
}

impl Past {
    /// The pasts of a component before all windows. `failed` are the indices of its failed deployments, sorted.
    pub fn of(
        component: &LinkedComponent,
        failed: &[usize],
        settings: &MetricSettings,
        frames: &[Frame<'_>],
        at: Timestamp,
    ) -> Vec<Self> {
        let mut pasts = vec![Self::default(); frames.len()];
        let ends = frames.iter().map(|frame| frame.end);
        let (Some(first), Some(last)) = (ends.clone().min(), ends.max()) else {
            return pasts;
        };
        let first = component.history.before(first.minus(PAST)).len();
        let before = component.history.before(last.min(at)).iter().enumerate().skip(first);
        let mut values = Vec::new();
        for (index, deployment) in before {
            let lengths = Lengths::of(deployment, settings, at, &mut values);
            let (failed, unplanned) = (failed.binary_search(&index).is_ok(), component.is_unplanned(index));
            for (frame, past) in frames.iter().zip(&mut pasts) {
                let week = frame.week_of(deployment.deployed_at);
                if let Some(week) = week.and_then(|week| past.week(week)) {
                    week.deployments += 1;
                    week.failed += u64::from(failed);
                    week.unplanned += u64::from(unplanned);
                    week.lead_times.add(&lengths.all);
                }
                let week = week.and_then(|_| frame.calendar_week_of(deployment.deployed_at));
                if let Some(week) = week {
                    past.middles.resize(DISPERSION_WEEKS, GroupSums::default());
                    past.middles.get_mut(week).into_iter().for_each(|sums| sums.absorb(&lengths.middle));
                }
            }
        }
        pasts
    }

    fn week(&mut self, week: usize) -> Option<&mut Week> {
        self.weeks.resize(DISPERSION_WEEKS, Week::default());
        self.weeks.get_mut(week)
    }

    /// Takes in an incident.
    pub fn count_incident(&mut self, frame: &Frame<'_>, started_at: Timestamp) {
        if let Some(week) = frame.week_of(started_at).and_then(|week| self.week(week)) {
            week.incidents += 1;
        }
    }

    /// Takes in another component's.
    pub fn absorb(&mut self, other: &Self) {
        self.weeks.resize(self.weeks.len().max(other.weeks.len()), Week::default());
        for (own, other) in self.weeks.iter_mut().zip(&other.weeks) {
            let Week { deployments, failed, unplanned, incidents, lead_times } = other;
            own.deployments += deployments;
            own.failed += failed;
            own.unplanned += unplanned;
            own.incidents += incidents;
            own.lead_times.absorb(lead_times);
        }
        self.middles.resize(self.middles.len().max(other.middles.len()), GroupSums::default());
        for (own, other) in self.middles.iter_mut().zip(&other.middles) {
            own.absorb(other);
        }
    }

    /// How what happened scatters, if history begins at `begin`: of the complete weeks. `None` if there are too few.
    pub fn scatter<'p>(&'p self, frame: &'p Frame<'p>, begin: Option<Timestamp>) -> Option<Scatter<'p>> {
        let complete = frame.complete(begin);
        let calendar = frame.calendar_weeks(begin?);
        frame.has_past(begin).then_some(Scatter { past: self, frame, complete, calendar })
    }
}

/// How a level's numbers scattered in the complete weeks before a window.
#[derive(Debug, Clone, Copy)]
pub struct Scatter<'p> {
    past: &'p Past,
    frame: &'p Frame<'p>,
    complete: usize,
    calendar: usize,
}

impl Scatter<'_> {
    /// φ of deployments.
    pub fn deployments(&self) -> f64 {
        let weeks = self.counts(|week| week.deployments, |chance| chance.working);
        of_counts(&weeks, CountScatter::DEPLOYMENTS)
    }

    /// φ of incidents.
    pub fn incidents(&self) -> f64 {
        of_counts(&self.counts(|week| week.incidents, |chance| chance.any), CountScatter::INCIDENTS)
    }

    /// φ of failed deployments.
    pub fn failed(&self) -> f64 {
        self.shares(|week| week.failed)
    }

    /// φ of unplanned deployments.
    pub fn unplanned(&self) -> f64 {
        self.shares(|week| week.unplanned)
    }

    /// How alike the lead times of one deployment are, and those of one week.
    pub fn lead_times(&self) -> (f64, f64) {
        let mut in_deployments = Grouped::default();
        for week in self.past.weeks.iter().take(self.complete) {
            in_deployments.absorb(&week.lead_times);
        }
        let mut in_weeks = Grouped::default();
        for week in self.past.middles.iter().take(self.calendar) {
            in_weeks.add(week);
        }
        (in_deployments.likeness().unwrap_or(1.0), WeekLikeness::INTERVAL.of(&in_weeks))
    }

    fn counts(&self, of: impl Fn(&Week) -> u64, chance: impl Fn(&Chance) -> f64) -> Vec<WeekCount> {
        let quiet = std::iter::repeat(&QUIET);
        let weeks = self.past.weeks.iter().chain(quiet).zip(self.frame.weeks()).take(self.complete);
        weeks.map(|(week, given)| WeekCount { events: of(week), exposure: chance(&given) }).collect()
    }

    fn shares(&self, of: impl Fn(&Week) -> u64) -> f64 {
        let weeks = self.past.weeks.iter().take(self.complete);
        let weeks: Vec<_> = weeks.map(|week| WeekShare { part: of(week), whole: week.deployments }).collect();
        of_shares(&weeks)
    }
}

/// A week in which nothing happened.
const QUIET: Week =
    Week { deployments: 0, failed: 0, unplanned: 0, incidents: 0, lead_times: Grouped::EMPTY };

/// The lead times of one deployment, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lengths {
    pub(crate) all: GroupSums,
    /// The middle one alone; nothing of nothing.
    pub(crate) middle: GroupSums,
}

impl Lengths {
    /// Of the changes that were known at `at`; `values` is room to work in.
    pub(crate) fn of(
        deployment: &Deployment,
        settings: &MetricSettings,
        at: Timestamp,
        values: &mut Vec<f64>,
    ) -> Self {
        let known = deployment.changes.iter().filter(|change| change.merged_at < at);
        let counted = known.filter(|change| history::counts(change, settings));
        values.clear();
        values.extend(counted.map(|change| logarithm(change.lead_time)));
        values.sort_by(f64::total_cmp);
        let mut all = GroupSums::default();
        for value in &*values {
            all.add(*value);
        }
        let mut alone = GroupSums::default();
        if let Some(middle) = middle(values) {
            alone.add(middle);
        }
        Self { all, middle: alone }
    }
}
