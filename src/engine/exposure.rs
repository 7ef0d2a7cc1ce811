//! How much chance a day gave (`regressions.md` 3.1, 3.2): a working day is 1, a weekend, a holiday and a day that
//! was not seen are 0, and a declared quiet time is between. A team that deploys less in August has not become worse.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono_tz::Tz;

use crate::engine::exact::Exact;
use crate::model::day::Day;
use crate::model::time::Timestamp;

/// How many days a history may have: a hundred years, far more than any source keeps.
pub const DAYS_MAX: i64 = 36_525;
/// A declared slow time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuietPeriod {
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
    /// What a day in it is worth.
    pub factor: f64,
}

/// The organisation's days.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// In which days begin and end.
    pub timezone: Tz,
    /// Holidays, freezes, shutdowns.
    pub closed: BTreeSet<Day>,
    /// Declared slow times; where they overlap, their factors multiply.
    pub quiet: Vec<QuietPeriod>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { timezone: Tz::UTC, closed: BTreeSet::new(), quiet: Vec::new() }
    }
}

impl Calendar {
    /// What a quiet time makes of a day.
    fn factor(&self, day: Day) -> f64 {
        let quiet = self.quiet.iter().filter(|quiet| (quiet.from..=quiet.to).contains(&day));
        quiet.map(|quiet| quiet.factor.clamp(0.0, 1.0)).product()
    }

    /// What a day is worth for what people do at work.
    pub fn working(&self, day: Day) -> f64 {
        if day.is_weekend() || self.closed.contains(&day) { 0.0 } else { self.factor(day) }
    }

    /// What it is worth for what happens at any time.
    pub fn any(&self, day: Day) -> f64 {
        self.factor(day)
    }
}

/// A sum over days, for any range of them in one step.
#[derive(Debug, Clone, PartialEq)]
struct Sums(Vec<f64>);

impl Sums {
    fn of(days: impl Iterator<Item = f64>) -> Self {
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for day in days {
            sum += day;
            sums.push(sum);
        }
        Self(sums)
    }

    /// Up to the day at this place.
    fn before(&self, place: i64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let place = usize::try_from(place.max(0)).unwrap_or(last).min(last);
        self.0.get(place).copied().unwrap_or(0.0)
    }

    fn over(&self, begin: Day, days: &Range<Day>) -> f64 {
        (self.before(days.end.since(begin)) - self.before(days.start.since(begin))).max(0.0)
    }
}

/// What each week was worth to all the other teams: a factor from its Monday on (`regressions.md` 3.2, 4).
pub type SharedShift = std::collections::BTreeMap<Day, f64>;

/// The chance that each day gave one team.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    begin: Day,
    working: Sums,
    shifted: Sums,
    any: Sums,
    seen: Sums,
}

impl Exposure {
    /// Of a team of which nothing is known before `days`, nor on its `blind` days.
    pub fn new(calendar: &Calendar, days: &Range<Day>, blind: &BTreeSet<Day>, shared: &SharedShift) -> Self {
        let length = days.end.since(days.start).clamp(0, DAYS_MAX);
        let each = || (0..length).map(|offset| days.start.plus(offset));
        let seen = |day: Day| if blind.contains(&day) { 0.0 } else { 1.0 };
        let shift = |day: Day| shared.get(&day.monday()).copied().unwrap_or(1.0);
        Self {
            begin: days.start,
            working: Sums::of(each().map(|day| seen(day) * calendar.working(day))),
            shifted: Sums::of(each().map(|day| seen(day) * calendar.working(day) * shift(day))),
            any: Sums::of(each().map(|day| seen(day) * calendar.any(day))),
            seen: Sums::of(each().map(seen)),
        }
    }

    /// Working days in a range, as one knows them on the day `at`: what a week was worth to others is known after it.
    pub fn working(&self, days: &Range<Day>, at: Day) -> f64 {
        let known = at.monday().clamp(days.start, days.end.max(days.start));
        self.shifted.over(self.begin, &(days.start..known))
            + self.working.over(self.begin, &(known..days.end))
    }

    /// Calendar days in a range.
    pub fn any(&self, days: &Range<Day>) -> f64 {
        self.any.over(self.begin, days)
    }

    /// Days of a range that were completely collected.
    pub fn seen(&self, days: &Range<Day>) -> f64 {
        self.seen.over(self.begin, days)
    }
}

/// How much chance a stretch of time gave, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// For what people do at work.
    pub working: f64,
    /// For what happens at any time.
    pub any: f64,
}

/// A sum of [`Chance`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    working: Exact,
    any: Exact,
}

/// The chance that any stretch of time gave, where windows begin and end in the middle of a day: a part of a day gave
/// that part of its chance. It is the same bit for bit, however much time before and after it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chances {
    /// When each day begins, and the last one ends.
    begins: Vec<Timestamp>,
    /// Up to each of these.
    sums: Vec<Sum>,
}

impl Chances {
    /// Of the days from that of `from` until that of `to`; before and after them there is none.
    pub fn new(calendar: &Calendar, from: Timestamp, to: Timestamp) -> Self {
        let first = Day::of(from, calendar.timezone);
        let length = Day::of(to, calendar.timezone).since(first).saturating_add(1).clamp(0, DAYS_MAX);
        let mut sum = Sum::default();
        let (mut begins, mut sums) = (vec![first.begin(calendar.timezone)], vec![sum]);
        for day in (0..length).map(|offset| first.plus(offset)) {
            sum.working += Exact::of(calendar.working(day));
            sum.any += Exact::of(calendar.any(day));
            begins.push(day.plus(1).begin(calendar.timezone));
            sums.push(sum);
        }
        Self { begins, sums }
    }

    /// Between two instants.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Chance {
        difference(self.before(from), self.before(to))
    }

    /// Between each of some instants and the one before it in the list, which is the later one.
    pub fn backwards(&self, instants: impl Iterator<Item = Timestamp>) -> impl Iterator<Item = Chance> {
        let mut sums = instants.map(|at| self.before(at));
        let mut until = sums.next().unwrap_or_default();
        sums.map(move |before| difference(before, std::mem::replace(&mut until, before)))
    }

    fn before(&self, at: Timestamp) -> Sum {
        let next = self.begins.partition_point(|begin| *begin <= at);
        let place = |index: usize| Some((*self.begins.get(index)?, *self.sums.get(index)?));
        let here = next.checked_sub(1).and_then(place);
        match (here, place(next)) {
            (None, Some((_, sum))) | (Some((_, sum)), None) => sum,
            (None, None) => Sum::default(),
            (Some((begin, sum)), Some((end, whole))) => {
                let part = at.since(begin).seconds() / end.since(begin).seconds();
                let grown = |from: Exact, to: Exact| from + Exact::of((to - from).real() * part);
                Sum { working: grown(sum.working, whole.working), any: grown(sum.any, whole.any) }
            }
        }
    }
}

fn difference(before: Sum, until: Sum) -> Chance {
    Chance { working: (until.working - before.working).real(), any: (until.any - before.any).real() }
}

/// Mondays to Fridays in a range, whatever happened on them.
pub fn weekdays(days: &Range<Day>) -> f64 {
    let length = days.end.since(days.start).clamp(0, DAYS_MAX);
    let at_work = (0..length).filter(|offset| !days.start.plus(*offset).is_weekend());
    at_work.map(|_| 1.0).sum()
}
