//! A team's history with its blocks of two weeks in another order (`regressions.md` 3.4): what changed is destroyed,
//! how the team's numbers scatter is kept.
//!
//! A block begins on a Monday, so that every event stays on its weekday and what is alike within a week stays together.
//! With a block moves all that belongs to its days: deployments with their lead times, failures and recoveries,
//! incidents, what nobody collected, and what the days were worth. A holiday moves with the few deployments that were
//! made on it; left where it was, it would make a dip of the week that they moved to and a burst of its own.

use std::collections::BTreeSet;

use crate::engine::exposure::{Calendar, QuietPeriod};
use crate::engine::regression::series::{Deployed, Failed, TeamSeries};
use crate::model::day::{Day, WEEK};
use crate::model::time::{Span, Timestamp};

/// How long a block is: what is alike for longer, as a change is, is destroyed.
pub(crate) const BLOCK: i64 = 2 * WEEK;

/// Numbers that look like chance and follow from their seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Shuffler(u64);

impl Shuffler {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is far below 2^32: the bias is less than one in four billion.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(((self.next() >> 32) * bound) >> 32).unwrap_or(0)
    }

    /// Each order of so many is as probable as any other (Fisher and Yates).
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

/// An event of a block: on which of its days, how long after midnight, and what.
#[derive(Debug, Clone)]
struct Piece<T> {
    day: usize,
    after_midnight: Span,
    at: Timestamp,
    what: T,
}

/// What belongs to the days of a block.
#[derive(Debug, Clone, Default)]
struct Block {
    deployments: Vec<Piece<Deployed>>,
    incidents: Vec<Piece<()>>,
    blind: Vec<usize>,
    closed: Vec<usize>,
    /// What each of its days is worth.
    worth: Vec<f64>,
}

/// A team's history in blocks.
#[derive(Debug)]
pub(crate) struct Blocks {
    start: Day,
    calendar: Calendar,
    parts: Vec<Block>,
    /// When each day begins, and after the last one when it ends.
    midnights: Vec<Timestamp>,
}

impl Blocks {
    /// Of the whole blocks between two days; what is left over at either end is left out.
    pub(crate) fn new(series: &TeamSeries, calendar: &Calendar, since: Day, end: Day) -> Self {
        let start = since.plus(WEEK - 1).monday();
        let count = usize::try_from(end.since(start).max(0) / BLOCK).unwrap_or(0);
        let mut blocks = vec![Block::default(); count];
        let timezone = calendar.timezone;
        let length = i64::try_from(count).unwrap_or(0) * BLOCK;
        let midnights: Vec<Timestamp> =
            (0..=length).map(|offset| start.plus(offset).begin(timezone)).collect();
        let known_at = midnights.last().copied().unwrap_or_default();
        for deployed in &series.deployments {
            let mut what = deployed.clone();
            // A failure that lasts is as old as it is, wherever it moves: earlier in time it would grow for years.
            if let Some(failed) = &mut what.failure {
                failed.recovered_at = failed.recovered_at.or(Some(known_at.max(failed.started_at)));
            }
            put(&mut blocks, &midnights, deployed.at, what, |block| &mut block.deployments);
        }
        for at in &series.incidents {
            put(&mut blocks, &midnights, *at, (), |block| &mut block.incidents);
        }
        for (index, block) in blocks.iter_mut().enumerate() {
            let first = start.plus(i64::try_from(index).unwrap_or(0) * BLOCK);
            for (place, offset) in (0..BLOCK).enumerate() {
                let day = first.plus(offset);
                block.blind.extend(series.blind.contains(&day).then_some(place));
                block.closed.extend(calendar.closed.contains(&day).then_some(place));
                block.worth.push(calendar.any(day));
            }
        }
        Self { start, calendar: calendar.clone(), parts: blocks, midnights }
    }

    pub(crate) fn count(&self) -> usize {
        self.parts.len()
    }

    /// The first day of them.
    pub(crate) fn start(&self) -> Day {
        self.start
    }

    /// The day after the last one.
    pub(crate) fn end(&self) -> Day {
        self.day(self.count(), 0)
    }

    /// The history in which at each place the block stands that `order` names there.
    pub(crate) fn ordered(&self, order: &[usize]) -> (TeamSeries, Calendar) {
        let mut series = TeamSeries {
            since: self.start,
            deployments: Vec::new(),
            incidents: Vec::new(),
            blind: BTreeSet::new(),
        };
        let mut calendar =
            Calendar { timezone: self.calendar.timezone, closed: BTreeSet::new(), quiet: Vec::new() };
        for (place, block) in order.iter().filter_map(|index| self.parts.get(*index)).enumerate() {
            series.deployments.extend(block.deployments.iter().map(|piece| {
                let at = self.instant(place, piece);
                moved(&piece.what, at, at.since(piece.at))
            }));
            series.incidents.extend(block.incidents.iter().map(|piece| self.instant(place, piece)));
            series.blind.extend(block.blind.iter().map(|day| self.day(place, *day)));
            calendar.closed.extend(block.closed.iter().map(|day| self.day(place, *day)));
            for (day, factor) in block.worth.iter().enumerate().filter(|(_, factor)| **factor < 1.0) {
                extend(&mut calendar.quiet, self.day(place, day), *factor);
            }
        }
        (series, calendar)
    }

    fn day(&self, place: usize, day: usize) -> Day {
        let days = place * usize::try_from(BLOCK).unwrap_or(0) + day;
        self.start.plus(i64::try_from(days).unwrap_or(0))
    }

    /// The same time of day on the day that it moves to. Where clocks are put forward that day ends sooner, and no
    /// event leaves its day.
    fn instant<T>(&self, place: usize, piece: &Piece<T>) -> Timestamp {
        let day = place * usize::try_from(BLOCK).unwrap_or(0) + piece.day;
        let begin = self.midnights.get(day).copied().unwrap_or_default();
        let end = self.midnights.get(day + 1).copied().unwrap_or_default();
        begin.plus(piece.after_midnight).min(end.minus(Span::from_millis(1)))
    }
}

/// Puts an event into its block; one outside of all blocks is left out.
fn put<T>(
    blocks: &mut [Block],
    midnights: &[Timestamp],
    at: Timestamp,
    what: T,
    list: impl Fn(&mut Block) -> &mut Vec<Piece<T>>,
) {
    let Some(day) = midnights.partition_point(|begin| *begin <= at).checked_sub(1) else { return };
    let Some(begin) = midnights.get(day) else { return };
    let length = usize::try_from(BLOCK).unwrap_or(1);
    if let Some(block) = blocks.get_mut(day / length) {
        list(block).push(Piece { day: day % length, after_midnight: at.since(*begin), at, what });
    }
}

/// A deployment at another time; its failure with it, so that nothing lasts longer or shorter than it did.
fn moved(deployed: &Deployed, at: Timestamp, by: Span) -> Deployed {
    let Deployed { at: _, lead_times, unplanned, failure } = deployed;
    let failure = failure.map(|Failed { started_at, known_at, recovered_at }| Failed {
        started_at: started_at.plus(by),
        known_at: known_at.plus(by),
        recovered_at: recovered_at.map(|recovered_at| recovered_at.plus(by)),
    });
    Deployed { at, lead_times: lead_times.clone(), unplanned: *unplanned, failure }
}

/// A day that is worth less, as part of the time before it if that is worth as much.
fn extend(quiet: &mut Vec<QuietPeriod>, day: Day, factor: f64) {
    match quiet.last_mut() {
        Some(last) if last.to.plus(1) == day && last.factor.to_bits() == factor.to_bits() => last.to = day,
        Some(_) | None => quiet.push(QuietPeriod { from: day, to: day, factor }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;

    const TIMEZONE: Tz = Tz::Europe__Berlin;

    /// A Monday; clocks change in its twelfth and its forty-second week.
    fn begin() -> Day {
        Day::of(Timestamp::parse("2025-01-06T12:00:00Z").unwrap(), TIMEZONE)
    }

    fn history(weeks: i64) -> (TeamSeries, Calendar) {
        let day = |offset: i64| begin().plus(offset);
        let at = |offset: i64, minutes: i64| day(offset).begin(TIMEZONE).plus(Span::from_minutes(minutes));
        let deployments = (0..weeks * WEEK).map(|offset| {
            // Also in the hour that is not there on the day on which clocks are put forward, and just before midnight.
            let at = at(offset, [150, 720, 1_439][usize::try_from(offset % 3).unwrap()]);
            let failure = (offset % 5 == 0).then(|| Failed {
                started_at: at,
                known_at: at.plus(Span::from_hours(3)),
                recovered_at: (offset % 2 == 0).then(|| at.plus(Span::from_hours(offset))),
            });
            // The lead time tells which one it was.
            Deployed { at, lead_times: vec![Span::from_minutes(offset)], unplanned: offset % 4 == 0, failure }
        });
        let series = TeamSeries {
            since: begin(),
            deployments: deployments.collect(),
            incidents: (0..weeks).map(|week| at(week * WEEK + week % 6, week)).collect(),
            blind: [3, 4, 40].into_iter().map(day).collect(),
        };
        let quiet = vec![
            QuietPeriod { from: day(20), to: day(33), factor: 0.5 },
            QuietPeriod { from: day(30), to: day(31), factor: 0.0 },
        ];
        let closed = [0, 25, 26, 60].into_iter().map(day).collect();
        (series, Calendar { timezone: TIMEZONE, closed, quiet })
    }

    fn local(at: Timestamp) -> (Day, String) {
        let at_home = at.datetime().with_timezone(&TIMEZONE);
        (Day::of(at, TIMEZONE), at_home.format("%a %H:%M").to_string())
    }

    #[test]
    fn each_order_is_as_probable_as_any_other() {
        let mut shuffler = Shuffler::new(42);
        let mut found: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        for _ in 0..6_000 {
            *found.entry(shuffler.order(3)).or_default() += 1;
        }
        assert_eq!(found.len(), 6);
        // Of six thousand draws, four standard deviations around a sixth.
        assert!(found.values().all(|times| (885..=1_115).contains(times)), "{found:?}");
    }

    #[test]
    fn blocks_in_their_own_order_are_the_history_itself() {
        let (mut series, calendar) = history(54);
        for deployed in &mut series.deployments {
            deployed.failure = deployed.failure.filter(|failed| failed.recovered_at.is_some());
        }
        let blocks = Blocks::new(&series, &calendar, begin(), begin().plus(54 * WEEK));
        let (same, days) = blocks.ordered(&(0..blocks.count()).collect::<Vec<_>>());
        assert_eq!(same, series);
        for offset in 0..54 * WEEK {
            let day = begin().plus(offset);
            assert!((days.working(day) - calendar.working(day)).abs() < 1e-12, "{day}");
            assert!((days.any(day) - calendar.any(day)).abs() < 1e-12, "{day}");
        }
    }

    #[test]
    fn a_failure_that_lasts_keeps_its_age() {
        let (series, calendar) = history(54);
        let end = begin().plus(54 * WEEK);
        let blocks = Blocks::new(&series, &calendar, begin(), end);
        let reversed: Vec<usize> = (0..blocks.count()).rev().collect();
        let ages = |series: &TeamSeries| {
            let failures = series.deployments.iter().filter_map(|deployed| deployed.failure);
            let mut ages: Vec<Span> = failures
                .map(|failed| failed.recovered_at.unwrap_or(end.begin(TIMEZONE)).since(failed.started_at))
                .collect();
            ages.sort();
            ages
        };
        assert_eq!(ages(&blocks.ordered(&reversed).0), ages(&series));
    }

    proptest! {
        #[test]
        fn all_that_belongs_to_a_day_moves_by_whole_blocks_with_it(seed: u64) {
            let (series, calendar) = history(54);
            let blocks = Blocks::new(&series, &calendar, begin(), begin().plus(54 * WEEK));
            prop_assert_eq!(blocks.count(), 27);
            let order = Shuffler::new(seed).order(blocks.count());
            let (moved, days) = blocks.ordered(&order);
            let place = |offset: i64| {
                let from = usize::try_from(offset / BLOCK).unwrap();
                let to = order.iter().position(|block| *block == from).unwrap();
                begin().plus(i64::try_from(to).unwrap() * BLOCK + offset % BLOCK)
            };
            prop_assert_eq!(moved.deployments.len(), series.deployments.len());
            for deployed in &moved.deployments {
                let before = series.deployments.iter().find(|one| one.lead_times == deployed.lead_times).unwrap();
                let ((day, time), (from, was)) = (local(deployed.at), local(before.at));
                prop_assert_eq!(day, place(from.since(begin())));
                // On the two days on which clocks change, times of day are by an hour others.
                let changes = [83, 293].map(|offset| begin().plus(offset));
                if !changes.contains(&day) && !changes.contains(&from) {
                    prop_assert_eq!(time, was);
                }
                prop_assert_eq!(deployed.unplanned, before.unplanned);
                prop_assert_eq!(deployed.failure.is_some(), before.failure.is_some());
            }
            for offset in 0..54 * WEEK {
                let (was, is) = (begin().plus(offset), place(offset));
                prop_assert_eq!(moved.blind.contains(&is), series.blind.contains(&was));
                prop_assert!((days.working(is) - calendar.working(was)).abs() < 1e-12);
                prop_assert!((days.any(is) - calendar.any(was)).abs() < 1e-12);
                let incidents = |series: &TeamSeries, day: Day| {
                    series.incidents.iter().filter(|at| Day::of(**at, TIMEZONE) == day).count()
                };
                prop_assert_eq!(incidents(&moved, is), incidents(&series, was));
            }
        }
    }
}
