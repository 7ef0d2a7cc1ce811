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
        let size = |thing: u32| of(sizes, thing).copied().unwrap_or(0);
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
        let date = |thing: u32| place(self.first, *of(days, thing)?);
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

fn of<T>(all: &[T], thing: u32) -> Option<&T> {
    all.get(usize::try_from(thing).ok()?)
}

/// The place of a day, from the first one on.
fn place(first: Option<Day>, day: Day) -> Option<usize> {
    first.and_then(|first| usize::try_from(day.since(first)).ok())
}

/// Values that things have, ranked once for all windows.
#[derive(Debug)]
pub(super) struct Values {
    /// Of their ranks.
    queue: Queue,
    ranked: Ranked,
}

impl Values {
    /// Of things that come and go like this.
    pub(super) fn new(queue: &Queue, values: impl Iterator<Item = Option<Span>>) -> Self {
        let ranked = Ranked::new(values);
        Self { queue: queue.called(|thing| ranked.rank(thing)), ranked }
    }

    /// An empty window that slides over them.
    pub(super) fn empty(&self) -> Sample {
        Sample { passing: Passing::default(), ranks: self.ranked.none(), quantiles: Quantiles::default() }
    }
}

/// The values in a window.
#[derive(Debug)]
pub(super) struct Sample {
    passing: Passing,
    ranks: Ranks,
    /// Of these ranks.
    quantiles: Quantiles,
}

impl Sample {
    pub(super) fn at(&mut self, values: &Values, look: Look) -> Quantiles {
        let Self { passing, ranks, quantiles } = self;
        let mut moved = false;
        for rank in values.queue.coming(passing, look) {
            ranks.enter(rank);
            moved = true;
        }
        for rank in values.queue.going(passing, look) {
            ranks.leave(rank);
            moved = true;
        }
        if moved {
            let at = |percent| values.ranked.value(ranks.nth(quantile::place(ranks.len(), percent)?)?);
            *quantiles = Quantiles { p50: at(50), p90: at(90) };
        }
        *quantiles
    }

    /// All of them, as they were at the last instant.
    pub(super) fn times<'s>(&'s self, values: &'s Values) -> Times<'s> {
        Times::new(self.ranks.len(), |place| values.ranked.value(self.ranks.nth(place)?))
    }
}
