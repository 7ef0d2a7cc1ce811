//! How often the detector alarms about a team that does not change (`regressions.md` 3.4): its own history with blocks
//! of two weeks in many other orders. Whatever is called a regression there is a false alarm. Where there are too many,
//! by how much the thresholds would have to be raised.
//!
//! What this cannot see: swings that last for longer than two weeks are destroyed like a change, so that the false
//! alarms that they cause are not counted. And a change in the history is destroyed but for its size: its blocks scatter
//! more in every other order. Therefore it is told when the history in its own order is called worse.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::engine::count::{real, size};
use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::interval::{self, Interval};
use crate::engine::regression::compare::{BASELINE, BASELINE_MIN, WINDOWS};
use crate::engine::regression::detect::{Course, Look, Settings, Surroundings};
use crate::engine::regression::machine::State;
use crate::engine::regression::rank::whole;
use crate::engine::regression::series::{TeamSeries, Timeline};
use crate::engine::regression::shuffle::{Blocks, Shuffler};
use crate::model::day::Day;
use crate::model::measure::Measure;

/// How many orders are tried by default. At twice the budget a history of two years makes about sixty false alarms in
/// them, so that their rate is known to about a quarter (95 %).
pub const PERMUTATIONS: u32 = 200;
/// And at most: more of them know the rate better than a history of a few years deserves.
pub const PERMUTATIONS_MAX: u32 = 10_000;
/// How much history it takes, in days: the longest window with its whole baseline. Of less there would be more of looks
/// that cannot be made than of others.
pub const HISTORY_MIN: i64 = 84 + BASELINE;
/// From how many times the budget on thresholds are raised.
const BUDGETS_MAX: f64 = 2.0;
const DAYS_PER_YEAR: f64 = 365.25;
/// Thresholds are raised by whole hundredths: what is read is what is meant.
const PER_THRESHOLD: f64 = 100.0;

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// In how many orders.
    pub permutations: u32,
    /// The same seed gives the same orders.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { permutations: PERMUTATIONS, seed: 0 }
    }
}

/// What came of a team's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// How many false alarms the team may have in a year, all measures together.
    pub budget: f64,
    /// How many it has with the thresholds of today, all measures together. Absent where nothing could be looked at.
    pub alarms: Option<Rate>,
    /// How many it would have with those that are raised; absent where none needs to be.
    pub raised: Option<Rate>,
    /// Each measure, in the order in which they are shown.
    pub measures: Vec<(Measure, Outcome)>,
}

/// What came of one measure.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There is too little history, or there are too few events in it for a single look.
    Insufficient,
    /// It could be looked at.
    Tested(Tested),
}

/// A measure that could be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// The days whose blocks were put in other orders.
    pub history: Range<Day>,
    /// The share of looks for which there was enough to look at.
    pub answered: f64,
    /// False alarms with the thresholds of today.
    pub alarms: Rate,
    /// From which score on it alarms.
    pub threshold: f64,
    /// From which one it should, if that is more.
    pub raise: Option<f64>,
    /// Since when the history in its own order was last called worse; absent if it never was. If that was true, the
    /// change scatters the blocks of every other order, and a raise would hide the next one: a new normal is to be
    /// declared instead.
    pub regressed: Option<Day>,
}

/// False alarms of a team in a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many there were, in all orders.
    pub episodes: u64,
    /// How many a year. Looks begin when a history is long enough for the first, and all days since then count.
    pub per_year: f64,
    /// Between which numbers that lies (95 %), were there infinitely many orders of the same history.
    pub interval: Interval,
}

/// Tries a team's history until before `end` in other orders. A new normal that was declared begins a history of its
/// own, as it does for the detector.
pub fn backtest(
    series: &TeamSeries,
    calendar: &Calendar,
    settings: &Settings,
    end: Day,
    plan: Plan,
) -> Backtest {
    let parts = parts(series, calendar, settings, end);
    let settings = Settings { accepted: Vec::new(), ..settings.clone() };
    let counts = Counts::of(&parts, &settings, plan);
    let budget = settings.sensitivity.budget();
    let alarms = counts.all();
    let excessive = alarms.is_some_and(|found| found.per_year > BUDGETS_MAX * budget);
    let higher = if excessive { raises(&parts, &settings, &counts, plan) } else { BTreeMap::new() };
    let raised = (!higher.is_empty()).then(|| {
        let mut settings = settings.clone();
        settings.raised.extend(higher.clone());
        Counts::of(&parts, &settings, plan).all()
    });
    let outcome = |measure: Measure| {
        let Some((part, counted)) = counts.0.get(&measure).filter(|(_, counted)| counted.answered > 0) else {
            return Outcome::Insufficient;
        };
        let Some(alarms) = counted.rate(part.years) else { return Outcome::Insufficient };
        Outcome::Tested(Tested {
            history: part.blocks.start()..part.blocks.end(),
            answered: real(counted.answered) / real(counted.looks.max(1)),
            alarms,
            threshold: settings.thresholds(measure).regressed,
            raise: higher.get(&measure).copied(),
            regressed: part.last_regression(&settings, measure),
        })
    };
    Backtest {
        budget,
        alarms,
        raised: raised.flatten(),
        measures: Measure::ALL.into_iter().map(|measure| (measure, outcome(measure))).collect(),
    }
}

/// A history that is long enough, and the measures that it is the history of.
struct Part {
    blocks: Blocks,
    measures: Vec<Measure>,
    /// The first day on which there may be a look.
    first: Day,
    /// For how long there may be.
    years: f64,
}

fn parts(series: &TeamSeries, calendar: &Calendar, settings: &Settings, end: Day) -> Vec<Part> {
    let mut measures: BTreeMap<Day, Vec<Measure>> = BTreeMap::new();
    for measure in Measure::ALL {
        let accepted = settings.accepted.iter().filter(|accepted| accepted.measure == measure);
        let since = accepted.map(|accepted| accepted.from).filter(|from| *from <= end).max();
        let since = since.map_or(series.since, |from| from.max(series.since));
        measures.entry(since).or_default().push(measure);
    }
    let parts = measures.into_iter().filter_map(|(since, measures)| {
        let blocks = Blocks::new(series, calendar, since, end);
        if blocks.end().since(blocks.start()) < HISTORY_MIN {
            return None;
        }
        let shortest = WINDOWS.into_iter().min().unwrap_or_default();
        let first = blocks.start().plus(shortest + BASELINE_MIN);
        let days = blocks.end().since(first) + 1;
        Some(Part { blocks, measures, first, years: real(days.unsigned_abs()) / DAYS_PER_YEAR })
    });
    parts.collect()
}

impl Part {
    /// When the history in its own order was last called worse.
    fn last_regression(&self, settings: &Settings, measure: Measure) -> Option<Day> {
        let (series, calendar) = self.blocks.ordered(&(0..self.blocks.count()).collect::<Vec<_>>());
        let timeline = Timeline::new(&series, &calendar, &SharedShift::new(), self.blocks.end().plus(1));
        let mut last = None;
        self.looks(&timeline, (&calendar, settings), measure, |look| {
            if is_alarmed(look.state) && !is_alarmed(look.previous) {
                last = Some(look.day);
            }
        });
        last
    }

    /// Calls with each order's history.
    fn each_order(&self, plan: Plan, mut with: impl FnMut(&Timeline, &Calendar)) {
        let mut shuffler = Shuffler::new(plan.seed);
        for _ in 0..plan.permutations.min(PERMUTATIONS_MAX) {
            let order = shuffler.order(self.blocks.count());
            let (series, calendar) = self.blocks.ordered(&order);
            let end = self.blocks.end().plus(1);
            with(&Timeline::new(&series, &calendar, &SharedShift::new(), end), &calendar);
        }
    }

    /// All looks at a measure, in their order. They begin as early as one may be answered: before that, a state has
    /// no past.
    fn looks(
        &self,
        timeline: &Timeline,
        (calendar, settings): (&Calendar, &Settings),
        measure: Measure,
        mut with: impl FnMut(&Look),
    ) {
        let nobody = BTreeSet::new();
        let around = Surroundings { calendar, settings, witness: None, together: &nobody };
        let mut course = Course::new(timeline, measure, around);
        for offset in 0..=self.blocks.end().since(self.first) {
            with(&course.look(self.first.plus(offset)).0);
        }
    }
}

/// What was counted of a measure.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// In each order.
    episodes: Vec<u64>,
    looks: u64,
    answered: u64,
}

impl Counted {
    /// Orders are independent, but within one of them alarms may come together: then the number is known less well.
    fn rate(&self, years: f64) -> Option<Rate> {
        rate(&self.episodes, years)
    }
}

fn rate(episodes: &[u64], years: f64) -> Option<Rate> {
    let count = size(episodes);
    let all: u64 = episodes.iter().sum();
    let mean = real(all) / real(count.max(1));
    let squares: f64 = episodes.iter().map(|found| (real(*found) - mean).powi(2)).sum();
    let dispersion = if all == 0 { 1.0 } else { squares / real(count.saturating_sub(1).max(1)) / mean };
    let exposure = years * real(count);
    let interval = interval::rate(all, exposure, dispersion)?;
    Some(Rate { episodes: all, per_year: real(all) / exposure, interval })
}

struct Counts<'p>(BTreeMap<Measure, (&'p Part, Counted)>);

impl<'p> Counts<'p> {
    fn of(parts: &'p [Part], settings: &Settings, plan: Plan) -> Self {
        let mut counts: BTreeMap<Measure, (&Part, Counted)> = BTreeMap::new();
        for part in parts {
            part.each_order(plan, |timeline, calendar| {
                for measure in &part.measures {
                    let counted = &mut counts.entry(*measure).or_insert((part, Counted::default())).1;
                    let mut episodes = 0;
                    part.looks(timeline, (calendar, settings), *measure, |look| {
                        counted.looks += 1;
                        counted.answered += u64::from(look.score.is_some());
                        episodes += u64::from(is_alarmed(look.state) && !is_alarmed(look.previous));
                    });
                    counted.episodes.push(episodes);
                }
            });
        }
        Self(counts)
    }

    /// All measures together. Their histories may be of different lengths: each order's alarms are counted as if it
    /// were as long as the longest.
    fn all(&self) -> Option<Rate> {
        let tested = || self.0.values().filter(|(_, counted)| counted.answered > 0);
        let years = tested().map(|(part, _)| part.years).max_by(f64::total_cmp)?;
        let rates: Vec<Rate> = tested().filter_map(|(part, counted)| counted.rate(part.years)).collect();
        let per_year: f64 = rates.iter().map(|rate| rate.per_year).sum();
        let orders = tested().map(|(_, counted)| counted.episodes.len()).max().unwrap_or(0);
        let together: Vec<u64> = (0..orders)
            .map(|order| tested().filter_map(|(_, counted)| counted.episodes.get(order)).sum())
            .collect();
        let found = rate(&together, years)?;
        // Of equal lengths this is one.
        let scale = if found.per_year > 0.0 { per_year / found.per_year } else { 1.0 };
        Some(Rate { per_year, interval: found.interval.times(scale), ..found })
    }
}

const fn is_alarmed(state: State) -> bool {
    matches!(state, State::Regressed | State::Recovering)
}

/// For each measure with more than its share of the budget the smallest threshold with which it has no more: just
/// above one of the orders' maxima.
fn raises(parts: &[Part], settings: &Settings, counts: &Counts<'_>, plan: Plan) -> BTreeMap<Measure, f64> {
    let share = settings.sensitivity.budget() / real(size(&Measure::ALL));
    let too_many = |measure: Measure| {
        let (part, counted) = counts.0.get(&measure)?;
        let alarms = counted.rate(part.years)?;
        (alarms.per_year > share).then_some(())
    };
    // Without a threshold no baseline is frozen, so that every look's score is the one up to its first alarm.
    let unbounded = Settings {
        raised: Measure::ALL.into_iter().map(|measure| (measure, f64::INFINITY)).collect(),
        ..settings.clone()
    };
    let mut raises = BTreeMap::new();
    for part in parts {
        let wanted: Vec<Measure> =
            part.measures.iter().copied().filter(|measure| too_many(*measure).is_some()).collect();
        let mut maxima: BTreeMap<Measure, Vec<f64>> = BTreeMap::new();
        part.each_order(plan, |timeline, calendar| {
            for measure in &wanted {
                let mut before = 0.0;
                let mut most = 0.0;
                part.looks(timeline, (calendar, &unbounded), *measure, |look| {
                    let now = look.score.map_or(0.0, |score| score.worse);
                    // It takes two looks on end to alarm.
                    most = f64::max(most, f64::min(before, now));
                    before = now;
                });
                maxima.entry(*measure).or_default().push(most);
            }
        });
        let allowed = share * part.years * f64::from(plan.permutations.min(PERMUTATIONS_MAX));
        for (measure, mut maxima) in maxima {
            maxima.sort_by(|a, b| b.total_cmp(a));
            let first = usize::try_from(whole(allowed)).unwrap_or(usize::MAX);
            let usual = settings.thresholds(measure).regressed;
            let above = maxima.get(first).map(|most| ((most * PER_THRESHOLD).floor() + 1.0) / PER_THRESHOLD);
            raises.extend(above.filter(|above| *above > usual).map(|above| (measure, above)));
        }
    }
    raises
}
