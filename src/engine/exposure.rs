//! How much chance a day gave (`regressions.md` 3.1, 3.2): a working day is 1, a weekend, a holiday and a day that
//! was not seen are 0, and a declared quiet time is between. A team that deploys less in August has not become worse.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono_tz::Tz;

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

/// The chance that any stretch of time gave, where windows begin and end in the middle of a day: a part of a day gave
/// that part of its chance.
#[derive(Debug, Clone, PartialEq)]
pub struct Chances {
    /// When each day begins, and the last one ends.
    begins: Vec<Timestamp>,
    /// Up to each of these.
    sums: Vec<Chance>,
}

impl Chances {
    /// Of the days from that of `from` until that of `to`; before and after them there is none.
    pub fn new(calendar: &Calendar, from: Timestamp, to: Timestamp) -> Self {
        let first = Day::of(from, calendar.timezone);
        let length = Day::of(to, calendar.timezone).since(first).saturating_add(1).clamp(0, DAYS_MAX);
        let mut sum = Chance { working: 0.0, any: 0.0 };
        let (mut begins, mut sums) = (vec![first.begin(calendar.timezone)], vec![sum]);
        for day in (0..length).map(|offset| first.plus(offset)) {
            sum = Chance { working: sum.working + calendar.working(day), any: sum.any + calendar.any(day) };
            begins.push(day.plus(1).begin(calendar.timezone));
            sums.push(sum);
        }
        Self { begins, sums }
    }

    /// Between two instants.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Chance {
        let (before, until) = (self.before(from), self.before(to));
        Chance { working: until.working - before.working, any: until.any - before.any }
    }

    fn before(&self, at: Timestamp) -> Chance {
        let next = self.begins.partition_point(|begin| *begin <= at);
        let place = |index: usize| Some((*self.begins.get(index)?, *self.sums.get(index)?));
        let here = next.checked_sub(1).and_then(place);
        match (here, place(next)) {
            (None, Some((_, sum))) | (Some((_, sum)), None) => sum,
            (None, None) => Chance { working: 0.0, any: 0.0 },
            (Some((begin, sum)), Some((end, whole))) => {
                let part = at.since(begin).seconds() / end.since(begin).seconds();
                let grown = |from: f64, to: f64| (to - from).mul_add(part, from);
                Chance { working: grown(sum.working, whole.working), any: grown(sum.any, whole.any) }
            }
        }
    }
}

/// Mondays to Fridays in a range, whatever happened on them.
pub fn weekdays(days: &Range<Day>) -> f64 {
    let length = days.end.since(days.start).clamp(0, DAYS_MAX);
    let at_work = (0..length).filter(|offset| !days.start.plus(*offset).is_weekend());
    at_work.map(|_| 1.0).sum()
}
