//! What windows slide over besides counts: dates, sums and samples that things come to, and go from when their spell is
//! over. Instants never go back.

use crate::engine::quantile;
use crate::engine::regression::live::Times;
use crate::engine::series::flow::{Look, Passing, Queue};
use crate::engine::series::rank::{Ranked, Ranks};
use crate::engine::snapshot::Quantiles;
use crate::model::day::Day;
use crate::model::time::Span;

/// How many sizes are in a window, and the sum of their squares.
#[derive(Debug, Default)]
pub(super) struct Squared {
    passing: Passing,
    count: u64,
    squares: u64,
}

impl Squared {
    /// Of things with these sizes.
    pub(super) fn at(&mut self, queue: &Queue, sizes: &[u64], look: Look) -> (u64, u64) {
        let size = |thing: usize| sizes.get(thing).copied().unwrap_or(0);
        for thing in queue.coming(&mut self.passing, look) {
            self.count += 1;
            self.squares += size(thing).pow(2);
        }
        for thing in queue.going(&mut self.passing, look) {
            self.count -= 1;
            self.squares -= size(thing).pow(2);
        }
        (self.count, self.squares)
    }
}

/// On how many dates something happened in a window.
#[derive(Debug)]
pub(super) struct Dates {
    passing: Passing,
    first: Option<Day>,
    /// By date, from the first one on: how many things of it are in the window.
    things: Vec<u32>,
    distinct: u64,
}

impl Dates {
    /// Of things with these dates.
    pub(super) fn new(days: &[Day]) -> Self {
        let first = days.iter().min().copied();
        let last = days.iter().max().and_then(|last| place(first, *last));
        let things = vec![0; last.map_or(0, |last| last + 1)];
        Self { passing: Passing::default(), first, things, distinct: 0 }
    }

    pub(super) fn at(&mut self, queue: &Queue, days: &[Day], look: Look) -> u64 {
        let date = |thing: usize| place(self.first, *days.get(thing)?);
        for thing in queue.coming(&mut self.passing, look) {
            if let Some(things) = date(thing).and_then(|date| self.things.get_mut(date)) {
                self.distinct += u64::from(*things == 0);
                *things += 1;
            }
        }
        for thing in queue.going(&mut self.passing, look) {
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
pub(super) struct Values<const KINDS: usize> {
    queue: Queue,
    kinds: [Ranked; KINDS],
}

impl<const KINDS: usize> Values<KINDS> {
    /// Of things that come and go like this.
    pub(super) fn new<T>(queue: Queue, things: &[T], values: [fn(&T) -> Option<Span>; KINDS]) -> Self {
        Self { queue, kinds: values.map(|value| Ranked::new(things.iter().map(value))) }
    }

    /// An empty window that slides over them.
    pub(super) fn empty(&self) -> Samples<KINDS> {
        let kinds = std::array::from_fn(|kind| self.kinds.get(kind).map(Ranked::none));
        Samples { passing: Passing::default(), kinds }
    }
}

/// The samples of a window, one for each kind.
#[derive(Debug)]
pub(super) struct Samples<const KINDS: usize> {
    passing: Passing,
    kinds: [Option<Ranks>; KINDS],
}

impl<const KINDS: usize> Samples<KINDS> {
    pub(super) fn at(&mut self, values: &Values<KINDS>, look: Look) -> [Quantiles; KINDS] {
        let ranks_of = |thing: usize| values.kinds.iter().map(move |ranked| ranked.rank(thing));
        for thing in values.queue.coming(&mut self.passing, look) {
            for (kind, rank) in self.kinds.iter_mut().flatten().zip(ranks_of(thing)) {
                if let Some(rank) = rank {
                    kind.enter(rank);
                }
            }
        }
        for thing in values.queue.going(&mut self.passing, look) {
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
