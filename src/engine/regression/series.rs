//! What the detector is told about a team, and the same laid out so that any range of days is a slice.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::engine::dispersion::WeekShare;
use crate::engine::exposure::{Calendar, DAYS_MAX, Exposure, SharedShift};
use crate::model::day::{Day, WEEK};
use crate::model::time::{Span, Timestamp};

/// No span is shorter than this: below, clocks and not teams are compared (`regressions.md` 3.1).
const SPAN_MIN: Span = Span::from_minutes(3);

/// One deployment of a team.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deployed {
    /// When.
    pub at: Timestamp,
    /// The lead times of the changes that it brought.
    pub lead_times: Vec<Span>,
    /// Whether it was unplanned work.
    pub unplanned: bool,
    /// If it failed.
    pub failure: Option<Failed>,
}

/// That a deployment failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failed {
    /// Since when: recovery is counted from here.
    pub started_at: Timestamp,
    /// From when on one could know: a rollback shows later that a deployment had failed. It is not failed at earlier
    /// instants.
    pub known_at: Timestamp,
    /// When it had recovered, if it has.
    pub recovered_at: Option<Timestamp>,
}

/// What happened to one team, in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamSeries {
    /// From when on its history is collected.
    pub since: Day,
    /// Its deployments.
    pub deployments: Vec<Deployed>,
    /// When its incidents started.
    pub incidents: Vec<Timestamp>,
    /// The days on which a source was not completely collected.
    pub blind: BTreeSet<Day>,
}

/// The first day on which something happened in one of two histories of a team and not, or otherwise, in the other:
/// looks until and with this day are the same. Both begin on the same day.
pub(crate) fn first_difference(one: &TeamSeries, other: &TeamSeries, calendar: &Calendar) -> Option<Day> {
    let deployments = differing(&one.deployments, &other.deployments, |deployed| {
        (deployed.at, &deployed.lead_times, deployed.unplanned)
    });
    let deployments = deployments.into_iter().map(|(deployed, also)| match also {
        None => deployed.at,
        // The same deployment but for its failure: until that shows there is no difference.
        Some(also) => deployed.at.max(shows_at(deployed.failure, also.failure).unwrap_or(deployed.at)),
    });
    let incidents = differing(&one.incidents, &other.incidents, |at| *at).into_iter().map(|(at, _)| *at);
    let happened = deployments.chain(incidents).map(|at| Day::of(at, calendar.timezone));
    happened.chain(one.blind.symmetric_difference(&other.blind).copied()).min()
}

/// When two fates of a deployment begin to differ.
fn shows_at(one: Option<Failed>, other: Option<Failed>) -> Option<Timestamp> {
    let known = |failed: Failed| (failed.started_at, failed.known_at);
    if one.map(known) == other.map(known) {
        one.into_iter().chain(other).filter_map(|failed| failed.recovered_at).min()
    } else {
        one.into_iter().chain(other).map(|failed| failed.known_at).min()
    }
}

/// The items of one list that the other lacks, and those that both have by their key but otherwise, in pairs.
fn differing<'a, T: Ord, K: Ord>(
    one: &'a [T],
    other: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> Vec<(&'a T, Option<&'a T>)> {
    let sorted = |items: &'a [T]| {
        let mut items: Vec<&T> = items.iter().collect();
        items.sort_unstable();
        items.into_iter().peekable()
    };
    let (mut one, mut other) = (sorted(one), sorted(other));
    let mut differing = Vec::new();
    loop {
        let order = match (one.peek(), other.peek()) {
            (None, None) => return differing,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => key(a).cmp(&key(b)),
        };
        match order {
            Ordering::Less => differing.extend(one.next().map(|item| (item, None))),
            Ordering::Greater => differing.extend(other.next().map(|item| (item, None))),
            Ordering::Equal => {
                let pair = one.next().zip(other.next()).filter(|(a, b)| a != b);
                differing.extend(pair.map(|(a, b)| (a, Some(b))));
            }
        }
    }
}

/// ln of a span's hours.
pub fn logarithm(span: Span) -> f64 {
    (span.max(SPAN_MIN).seconds() / 3_600.0).ln()
}

/// The middle of a sorted sample, or between the two in the middle.
pub fn middle(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(half.checked_sub(1)?)?, upper))
}

/// Items in order of time, and where each day begins among them.
#[derive(Debug, Clone)]
pub(crate) struct ByDay<T> {
    begin: Day,
    offsets: Vec<usize>,
    items: Vec<T>,
}

impl<T> ByDay<T> {
    /// Of items in order of time; those outside of the days are left out.
    fn new(days: &Range<Day>, items: impl Iterator<Item = (Day, T)>) -> Self {
        let length = days.end.since(days.start).clamp(0, DAYS_MAX);
        let mut items = items.filter(|(day, _)| days.contains(day)).peekable();
        let (mut offsets, mut kept) = (Vec::new(), Vec::new());
        for offset in 0..length {
            offsets.push(kept.len());
            while let Some((_, item)) = items.next_if(|(day, _)| day.since(days.start) <= offset) {
                kept.push(item);
            }
        }
        Self { begin: days.start, offsets, items: kept }
    }

    fn place(&self, day: Day) -> usize {
        match usize::try_from(day.since(self.begin)) {
            Err(_) => 0,
            Ok(offset) => self.offsets.get(offset).copied().unwrap_or(self.items.len()),
        }
    }

    /// Where those of a range of days lie.
    pub(crate) fn places(&self, days: &Range<Day>) -> Range<usize> {
        let begin = self.place(days.start);
        begin..self.place(days.end).max(begin)
    }

    /// Those of a range of days.
    pub(crate) fn of(&self, days: &Range<Day>) -> &[T] {
        self.items.get(self.places(days)).unwrap_or_default()
    }

    pub(crate) fn count(&self, days: &Range<Day>) -> u64 {
        u64::try_from(self.places(days).len()).unwrap_or(u64::MAX)
    }
}

/// A team's history, laid out.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) since: Day,
    pub(crate) exposure: Exposure,
    pub(crate) deployments: ByDay<Timestamp>,
    /// The failures, each with its deployment's time and by its day.
    failures: ByDay<(Timestamp, Failed)>,
    unplanned: ByDay<()>,
    pub(crate) incidents: ByDay<()>,
    /// For each deployment with changes, the middle of their lead times' logarithms.
    pub(crate) lead_times: ByDay<f64>,
    /// The places of `lead_times`, from the shortest to the longest.
    pub(crate) by_length: Vec<usize>,
    /// For each deployment with changes, all of their lead times' logarithms.
    pub(crate) changes: ByDay<Vec<f64>>,
}

impl Timeline {
    /// Of the days until `end`. What happened on a blind day is dropped with it.
    pub(crate) fn new(series: &TeamSeries, calendar: &Calendar, shared: &SharedShift, end: Day) -> Self {
        let days = series.since..end.max(series.since);
        let seen = |at: Timestamp| {
            let day = Day::of(at, calendar.timezone);
            (!series.blind.contains(&day)).then_some(day)
        };
        let mut deployments: Vec<&Deployed> = series.deployments.iter().collect();
        // By everything: sums of floats depend on the order, also of those at the same instant.
        deployments.sort_unstable();
        let mut incidents = series.incidents.clone();
        incidents.sort_unstable();
        let dated = || deployments.iter().filter_map(|deployment| Some((seen(deployment.at)?, *deployment)));
        let changes = || {
            dated().filter(|(_, deployment)| !deployment.lead_times.is_empty()).map(|(day, deployment)| {
                let mut values: Vec<f64> = deployment.lead_times.iter().copied().map(logarithm).collect();
                values.sort_by(f64::total_cmp);
                (day, values)
            })
        };
        let medians = changes().filter_map(|(day, values)| Some((day, middle(&values)?)));
        let lead_times = ByDay::new(&days, medians);
        let mut by_length: Vec<usize> = (0..lead_times.items.len()).collect();
        by_length.sort_by(|a, b| {
            let of = |place: &usize| lead_times.items.get(*place).copied().unwrap_or(0.0);
            of(a).total_cmp(&of(b))
        });
        let failures =
            dated().filter_map(|(day, deployment)| Some((day, (deployment.at, deployment.failure?))));
        let unplanned = dated().filter(|(_, deployment)| deployment.unplanned).map(|(day, _)| (day, ()));
        Self {
            since: series.since,
            exposure: Exposure::new(calendar, &days, &series.blind, shared),
            deployments: ByDay::new(&days, dated().map(|(day, deployment)| (day, deployment.at))),
            failures: ByDay::new(&days, failures),
            unplanned: ByDay::new(&days, unplanned),
            incidents: ByDay::new(&days, incidents.iter().filter_map(|at| Some((seen(*at)?, ())))),
            changes: ByDay::new(&days, changes()),
            lead_times,
            by_length,
        }
    }

    /// The lengths in order of time: with `by_length`, what a walk over all of them needs.
    pub(crate) fn length(&self, place: usize) -> Option<f64> {
        self.lead_times.items.get(place).copied()
    }

    /// How many deployments of a range had failed at `at`, of those until `mature`: of later ones it may yet show.
    pub(crate) fn failed(&self, days: &Range<Day>, mature: Timestamp, at: Timestamp) -> WeekShare {
        let is_failed =
            |(deployed_at, failure): &&(Timestamp, Failed)| *deployed_at <= mature && failure.known_at < at;
        let part = self.failures.of(days).iter().filter(is_failed).count();
        let whole = self.deployments.of(days).partition_point(|deployed_at| *deployed_at <= mature);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        WeekShare { part: count(part), whole: count(whole) }
    }

    /// How many deployments of a range were unplanned.
    pub(crate) fn reworked(&self, days: &Range<Day>) -> WeekShare {
        WeekShare { part: self.unplanned.count(days), whole: self.deployments.count(days) }
    }

    /// All failures of a range.
    pub(crate) fn failures(&self, days: &Range<Day>) -> impl Iterator<Item = Failed> {
        self.failures.of(days).iter().map(|(_, failure)| *failure)
    }

    /// How long the failed deployments of a range took to recover, as logarithms in order of time. Those that have not,
    /// with their age at `at`: it can only grow.
    pub(crate) fn recoveries(&self, days: &Range<Day>, at: Timestamp) -> Vec<f64> {
        let known = self.failures(days).filter(|failure| failure.known_at < at);
        known.map(|failure| logarithm(recovered_or_age(failure, at))).collect()
    }
}

/// How long a failure lasted, or has lasted at `at`.
fn recovered_or_age(failure: Failed, at: Timestamp) -> Span {
    let recovered_at = failure.recovered_at.filter(|recovered_at| *recovered_at < at);
    recovered_at.unwrap_or(at).since(failure.started_at)
}

/// Seven days each, from the end of a range backwards: for counts, which need all of its weeks.
pub(crate) fn weeks(days: &Range<Day>) -> impl Iterator<Item = Range<Day>> + use<> {
    let (start, end) = (days.start, days.end);
    let count = (end.since(start) / WEEK).clamp(0, DAYS_MAX);
    (0..count).map(move |back| {
        let end = end.minus(back * WEEK);
        end.minus(WEEK)..end
    })
}

/// The whole weeks of a range, each from its Monday: for what is alike within a week, which a week that is cut in two
/// would hide.
pub(crate) fn calendar_weeks(days: &Range<Day>) -> impl Iterator<Item = Range<Day>> + use<> {
    let first = days.start.plus(WEEK - 1).monday();
    weeks(&(first..days.end.monday().max(first)))
}
