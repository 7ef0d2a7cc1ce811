//! What windows slide over: counts, dates and samples that things enter when they become known, and leave when their
//! spell is over. Instants never go back.

use crate::engine::quantile;
use crate::engine::regression::live::Times;
use crate::engine::series::rank::{Ranked, Ranks};
use crate::engine::series::spell::Spell;
use crate::engine::snapshot::Quantiles;
use crate::model::day::Day;
use crate::model::time::{Span, Timestamp};

/// Things that enter and leave a window as it slides. They are told by their place among the spells.
#[derive(Debug)]
struct Passing<'t> {
    spells: &'t [Spell],
    window: Span,
    /// The order in which they enter; `None` where it is that of the spells, as it is for what is known when it happens.
    enters: Option<Vec<usize>>,
    /// The same of leaving.
    leaves: Option<Vec<usize>>,
    entered: usize,
    left: usize,
}

impl<'t> Passing<'t> {
    fn new(spells: &'t [Spell], window: Span) -> Self {
        let all = spells.iter().all(|spell| spell.over(window).is_some());
        let order = |key: fn(Spell, Span) -> Timestamp| {
            let straight = all && spells.is_sorted_by_key(|spell| key(*spell, window));
            let things = || {
                let ever = spells.iter().enumerate().filter(|(_, spell)| spell.over(window).is_some());
                let mut things: Vec<_> = ever.map(|(thing, spell)| (key(*spell, window), thing)).collect();
                // Nearly always in order already, which a stable sort finds at once.
                things.sort_by_key(|(at, _)| *at);
                things.into_iter().map(|(_, thing)| thing).collect()
            };
            (!straight).then(things)
        };
        let (enters, leaves) = (order(|spell, _| spell.after), order(Spell::through));
        Self { spells, window, enters, leaves, entered: 0, left: 0 }
    }

    /// Those that have entered before `at`, one by one.
    fn next_entering(&mut self, at: Timestamp) -> Option<usize> {
        let thing = in_order(self.enters.as_deref(), self.entered)?;
        let spell = self.spells.get(thing).filter(|spell| spell.after < at);
        self.entered += usize::from(spell.is_some());
        spell.map(|_| thing)
    }

    /// Those that have left before `at`, one by one.
    fn next_leaving(&mut self, at: Timestamp) -> Option<usize> {
        let thing = in_order(self.leaves.as_deref(), self.left)?;
        let spell = self.spells.get(thing).filter(|spell| spell.through(self.window) < at);
        self.left += usize::from(spell.is_some());
        spell.map(|_| thing)
    }
}

/// Which thing is at a place of an order; every one is at its own if there is none.
fn in_order(order: Option<&[usize]>, place: usize) -> Option<usize> {
    order.map_or(Some(place), |order| order.get(place).copied())
}

/// How many things are in a window.
#[derive(Debug)]
pub(super) struct Count<'t>(Passing<'t>);

impl<'t> Count<'t> {
    pub(super) fn new(spells: &'t [Spell], window: Span) -> Self {
        Self(Passing::new(spells, window))
    }

    pub(super) fn at(&mut self, at: Timestamp) -> u64 {
        let Self(passing) = self;
        while passing.next_entering(at).is_some() {}
        while passing.next_leaving(at).is_some() {}
        u64::try_from(passing.entered - passing.left).unwrap_or(u64::MAX)
    }
}

/// How many sizes are in a window, and the sum of their squares.
#[derive(Debug)]
pub(super) struct Squared<'t> {
    passing: Passing<'t>,
    sizes: &'t [u64],
    count: u64,
    squares: u64,
}

impl<'t> Squared<'t> {
    /// Things, each with its size.
    pub(super) fn new(spells: &'t [Spell], sizes: &'t [u64], window: Span) -> Self {
        Self { passing: Passing::new(spells, window), sizes, count: 0, squares: 0 }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> (u64, u64) {
        let size = |thing: usize| self.sizes.get(thing).copied().unwrap_or(0);
        while let Some(thing) = self.passing.next_entering(at) {
            self.count += 1;
            self.squares += size(thing).pow(2);
        }
        while let Some(thing) = self.passing.next_leaving(at) {
            self.count -= 1;
            self.squares -= size(thing).pow(2);
        }
        (self.count, self.squares)
    }
}

/// On how many dates something happened in a window.
#[derive(Debug)]
pub(super) struct Dates<'t> {
    passing: Passing<'t>,
    days: &'t [Day],
    first: Option<Day>,
    /// By date, from the first one on: how many things of it are in the window.
    things: Vec<u32>,
    distinct: u64,
}

impl<'t> Dates<'t> {
    /// Things, each with its date.
    pub(super) fn new(spells: &'t [Spell], days: &'t [Day], window: Span) -> Self {
        let first = days.iter().min().copied();
        let last = days.iter().max().and_then(|last| place(first, *last));
        let things = vec![0; last.map_or(0, |last| last + 1)];
        Self { passing: Passing::new(spells, window), days, first, things, distinct: 0 }
    }

    pub(super) fn at(&mut self, at: Timestamp) -> u64 {
        let date = |thing: usize| place(self.first, *self.days.get(thing)?);
        while let Some(thing) = self.passing.next_entering(at) {
            if let Some(things) = date(thing).and_then(|date| self.things.get_mut(date)) {
                self.distinct += u64::from(*things == 0);
                *things += 1;
            }
        }
        while let Some(thing) = self.passing.next_leaving(at) {
            if let Some(things) = date(thing).and_then(|date| self.things.get_mut(date)) {
                *things -= 1;
                self.distinct -= u64::from(*things == 0);
            }
        }
        self.distinct
    }
}

/// The place of a day, from the first one on.
fn place(first: Option<Day>, day: Day) -> Option<usize> {
    first.and_then(|first| usize::try_from(day.since(first)).ok())
}

/// Values of `KINDS` kinds that things have, ranked once for all windows.
#[derive(Debug)]
pub(super) struct Values<'t, const KINDS: usize> {
    spells: &'t [Spell],
    kinds: [Ranked; KINDS],
}

impl<'t, const KINDS: usize> Values<'t, KINDS> {
    /// Things, each with its spell.
    pub(super) fn new<T>(things: &[T], spells: &'t [Spell], values: [fn(&T) -> Option<Span>; KINDS]) -> Self {
        Self { spells, kinds: values.map(|value| Ranked::new(things.iter().map(value))) }
    }

    /// An empty window that slides over them.
    pub(super) fn over(&self, window: Span) -> Samples<'t, KINDS> {
        let kinds = std::array::from_fn(|kind| self.kinds.get(kind).map(Ranked::none));
        Samples { passing: Passing::new(self.spells, window), kinds }
    }
}

/// The samples of a window, one for each kind.
#[derive(Debug)]
pub(super) struct Samples<'t, const KINDS: usize> {
    passing: Passing<'t>,
    kinds: [Option<Ranks>; KINDS],
}

impl<const KINDS: usize> Samples<'_, KINDS> {
    pub(super) fn at(&mut self, values: &Values<'_, KINDS>, at: Timestamp) -> [Quantiles; KINDS] {
        let ranks_of = |thing: usize| values.kinds.iter().map(move |ranked| ranked.rank(thing));
        while let Some(thing) = self.passing.next_entering(at) {
            for (kind, rank) in self.kinds.iter_mut().flatten().zip(ranks_of(thing)) {
                if let Some(rank) = rank {
                    kind.enter(rank);
                }
            }
        }
        while let Some(thing) = self.passing.next_leaving(at) {
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

impl Samples<'_, 1> {
    /// All of the sample, as it was at the last instant.
    pub(super) fn times<'s>(&'s self, values: &'s Values<'_, 1>) -> Times<'s> {
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
