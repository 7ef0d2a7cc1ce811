//! What windows slide over: counts, dates and samples that things enter when they become known, and leave when their
//! spell is over. Instants never go back.

use crate::engine::quantile;
use crate::engine::regression::live::Times;
use crate::engine::series::rank::{Ranked, Ranks};
use crate::engine::series::spell::Spell;
use crate::engine::snapshot::Quantiles;
use crate::model::day::Day;
use crate::model::time::{Span, Timestamp};

/// Instants in order, and how many of them have passed.
#[derive(Debug)]
struct Passing<T> {
    events: Vec<(Timestamp, T)>,
    passed: usize,
}

impl<T: Copy> Passing<T> {
    fn new(mut events: Vec<(Timestamp, T)>) -> Self {
        // Nearly always in order already, which a stable sort finds at once.
        events.sort_by_key(|(at, _)| *at);
        Self { events, passed: 0 }
    }

    /// Those before `at` that have not passed yet, one by one.
    fn next_before(&mut self, at: Timestamp) -> Option<T> {
        let (event_at, event) = self.events.get(self.passed)?;
        if *event_at >= at {
            return None;
        }
        self.passed += 1;
        Some(*event)
    }
}

/// What enters and what leaves a window, by thing.
fn passing<T: Copy>(things: impl Iterator<Item = (Spell, T)>, window: Span) -> (Passing<T>, Passing<T>) {
    let (mut enters, mut leaves) = (Vec::new(), Vec::new());
    for (spell, thing) in things {
        if let Some((after, through)) = spell.over(window) {
            enters.push((after, thing));
            leaves.push((through, thing));
        }
    }
    (Passing::new(enters), Passing::new(leaves))
}

/// How many things are in a window.
#[derive(Debug)]
pub(super) struct Count {
    enters: Passing<()>,
    leaves: Passing<()>,
}

impl Count {
    pub(super) fn new(spells: &[Spell], window: Span) -> Self {
        let (enters, leaves) = passing(spells.iter().map(|spell| (*spell, ())), window);
        Self { enters, leaves }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> u64 {
        while self.enters.next_before(at).is_some() {}
        while self.leaves.next_before(at).is_some() {}
        u64::try_from(self.enters.passed - self.leaves.passed).unwrap_or(u64::MAX)
    }
}

/// How many sizes are in a window, and the sum of their squares.
#[derive(Debug)]
pub(super) struct Sizes {
    enters: Passing<u64>,
    leaves: Passing<u64>,
    count: u64,
    squares: u64,
}

impl Sizes {
    pub(super) fn new(things: &[(Spell, u64)], window: Span) -> Self {
        let (enters, leaves) = passing(things.iter().copied(), window);
        Self { enters, leaves, count: 0, squares: 0 }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> (u64, u64) {
        while let Some(size) = self.enters.next_before(at) {
            self.count += 1;
            self.squares += size.pow(2);
        }
        while let Some(size) = self.leaves.next_before(at) {
            self.count -= 1;
            self.squares -= size.pow(2);
        }
        (self.count, self.squares)
    }
}

/// On how many dates something happened in a window.
#[derive(Debug)]
pub(super) struct Dates {
    enters: Passing<usize>,
    leaves: Passing<usize>,
    /// By date, from the first one on: how many things of it are in the window.
    things: Vec<u32>,
    distinct: u64,
}

impl Dates {
    /// Things, each with its date.
    pub(super) fn new(things: &[(Spell, Day)], window: Span) -> Self {
        let days = || things.iter().map(|(_, day)| *day);
        let first = days().min();
        let place = |day: Day| first.and_then(|first| usize::try_from(day.since(first)).ok()).unwrap_or(0);
        let length = days().max().map_or(0, |last| place(last) + 1);
        let (enters, leaves) = passing(things.iter().map(|(spell, day)| (*spell, place(*day))), window);
        Self { enters, leaves, things: vec![0; length], distinct: 0 }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> u64 {
        while let Some(date) = self.enters.next_before(at) {
            if let Some(things) = self.things.get_mut(date) {
                self.distinct += u64::from(*things == 0);
                *things += 1;
            }
        }
        while let Some(date) = self.leaves.next_before(at) {
            if let Some(things) = self.things.get_mut(date) {
                *things -= 1;
                self.distinct -= u64::from(*things == 0);
            }
        }
        self.distinct
    }
}

/// Values of `KINDS` kinds that things have, ranked once for all windows.
#[derive(Debug)]
pub(super) struct Values<const KINDS: usize> {
    spells: Vec<Spell>,
    kinds: [Ranked; KINDS],
}

impl<const KINDS: usize> Values<KINDS> {
    pub(super) fn new<T>(
        things: &[T],
        spell: fn(&T) -> Spell,
        values: [fn(&T) -> Option<Span>; KINDS],
    ) -> Self {
        Self {
            spells: things.iter().map(spell).collect(),
            kinds: values.map(|value| Ranked::new(things.iter().map(value))),
        }
    }

    /// An empty window that slides over them.
    pub(super) fn over(&self, window: Span) -> Samples<KINDS> {
        let (enters, leaves) = passing(self.spells.iter().copied().zip(0_usize..), window);
        Samples { enters, leaves, kinds: std::array::from_fn(|kind| self.kinds.get(kind).map(Ranked::none)) }
    }
}

/// The samples of a window, one for each kind.
#[derive(Debug)]
pub(super) struct Samples<const KINDS: usize> {
    enters: Passing<usize>,
    leaves: Passing<usize>,
    kinds: [Option<Ranks>; KINDS],
}

impl<const KINDS: usize> Samples<KINDS> {
    pub(super) fn at(&mut self, values: &Values<KINDS>, at: Timestamp) -> [Quantiles; KINDS] {
        let ranks_of = |thing: usize| values.kinds.iter().map(move |ranked| ranked.rank(thing));
        while let Some(thing) = self.enters.next_before(at) {
            for (kind, rank) in self.kinds.iter_mut().flatten().zip(ranks_of(thing)) {
                if let Some(rank) = rank {
                    kind.enter(rank);
                }
            }
        }
        while let Some(thing) = self.leaves.next_before(at) {
            for (kind, rank) in self.kinds.iter_mut().flatten().zip(ranks_of(thing)) {
                if let Some(rank) = rank {
                    kind.leave(rank);
                }
            }
        }
        std::array::from_fn(|kind| {
            let (ranked, ranks) = (values.kinds.get(kind), self.kinds.get(kind));
            let found = ranked.zip(ranks.and_then(Option::as_ref));
            found.map(|(ranked, ranks)| quantiles(ranked, ranks)).unwrap_or_default()
        })
    }
}

impl Samples<1> {
    /// All of the sample, as it was at the last instant.
    pub(super) fn times<'s>(&'s self, values: &'s Values<1>) -> Times<'s> {
        let ([ranked], [ranks]) = (&values.kinds, &self.kinds);
        match ranks {
            Some(ranks) => Times::new(ranks.len(), |place| ranked.value(ranks.nth(place)?)),
            None => Times::new(0, |_| None),
        }
    }
}

fn quantiles(ranked: &Ranked, ranks: &Ranks) -> Quantiles {
    let at = |percent| ranked.value(ranks.nth(quantile::place(ranks.len(), percent)?)?);
    Quantiles { p50: at(50), p90: at(90) }
}
