//! Things in the order of time, as far as it matters: what happens between two of the instants that are ever asked about
//! is the same to every number. So nothing is sorted; each thing is put between two instants, and counted there.

use crate::model::time::{Span, Timestamp};

/// The instants that tell things apart: those at which one looks, and those at which windows that end there begin.
#[derive(Debug)]
pub(super) struct Cuts {
    at: Vec<Timestamp>,
    /// The time between each two neighbours, if it is always the same.
    step: Option<Span>,
}

impl Cuts {
    /// Of windows of these lengths that end at these instants.
    pub(super) fn new(instants: &[Timestamp], windows: &[Span]) -> Self {
        let begins = windows.iter().flat_map(|window| instants.iter().map(|at| at.minus(*window)));
        let mut at: Vec<_> = instants.iter().copied().chain(begins).collect();
        // A few rows one after the other, each in order, which a stable sort only has to merge.
        at.sort();
        at.dedup();
        let mut steps = at.windows(2).filter_map(|pair| Some(pair.last()?.since(*pair.first()?)));
        let step = steps.next().filter(|step| steps.all(|other| other == *step));
        Self { at, step }
    }

    /// How many cuts something does not lie before: the first one that it lies before is the one at this place.
    pub(super) fn place(&self, at: Timestamp) -> usize {
        let passed = || {
            let since = at.since(*self.at.first()?).millis();
            let steps = usize::try_from(since / self.step?.millis()).unwrap_or(usize::MAX);
            Some(if since < 0 { 0 } else { steps.saturating_add(1).min(self.at.len()) })
        };
        passed().unwrap_or_else(|| self.at.partition_point(|cut| *cut <= at))
    }
}

/// How many things happened before each cut.
#[derive(Debug, Clone)]
pub(super) struct Passed(Vec<u32>);

impl Passed {
    /// Of nothing so far; to be [summed](Self::summed) when everything was taken in.
    pub(super) fn new(cuts: &Cuts) -> Self {
        // One more, for what is before no cut.
        Self(vec![0; cuts.at.len() + 1])
    }

    /// Takes in a thing at this place.
    pub(super) fn add(&mut self, place: usize) {
        if let Some(passed) = self.0.get_mut(place) {
            *passed += 1;
        }
    }

    /// Ready to be asked.
    pub(super) fn summed(mut self) -> Self {
        let mut sum = 0;
        for passed in &mut self.0 {
            sum += *passed;
            *passed = sum;
        }
        self
    }

    /// How many before this one.
    pub(super) fn before(&self, cut: usize) -> usize {
        self.0.get(cut).map_or(0, |passed| wide(*passed))
    }

    /// The things in order: those before a cut are the first ones, as many as they are. They must be the same ones.
    pub(super) fn ordered(&self, cuts: &Cuts, things: impl Iterator<Item = (u32, Timestamp)>) -> Vec<u32> {
        let mut next: Vec<u32> = std::iter::once(0).chain(self.0.iter().copied()).collect();
        let mut ordered = vec![0; self.0.last().map_or(0, |all| wide(*all))];
        for (thing, at) in things {
            let Some(next) = next.get_mut(cuts.place(at)) else { continue };
            if let Some(place) = ordered.get_mut(wide(*next)) {
                *place = thing;
            }
            *next += 1;
        }
        ordered
    }
}

fn wide(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_a_cut_is_counted_there_and_stands_before_all_others() {
        let at = Timestamp::from_seconds;
        let even: Vec<_> = (0..20).map(|step| at(100 + 5 * step)).collect();
        let uneven: Vec<_> = [3, 50, 51, 99, 100, 180].map(at).into();
        let windows = [Span::from_seconds(10), Span::from_seconds(7)];
        let things: Vec<_> = (0..400_i64).map(|thing| at(thing * 7_919 % 211)).collect();
        for (instants, windows, step) in [
            (&even, windows.get(..1).unwrap(), Some(Span::from_seconds(5))),
            (&even, &windows, None),
            (&uneven, &windows, None),
        ] {
            let cuts = Cuts::new(instants, windows);
            assert_eq!(cuts.step, step);
            let mut passed = Passed::new(&cuts);
            for thing in &things {
                passed.add(cuts.place(*thing));
            }
            let passed = passed.summed();
            let ordered = passed.ordered(&cuts, (0..).zip(things.iter().copied()));
            for (place, cut) in cuts.at.iter().enumerate() {
                let (before, after) = ordered.split_at(passed.before(place));
                assert!(before.iter().all(|thing| things[wide(*thing)] < *cut));
                assert!(after.iter().all(|thing| things[wide(*thing)] >= *cut));
                assert_eq!(cuts.place(*cut), place + 1);
            }
            assert_eq!(ordered.len(), things.len());
        }
        assert_eq!(Cuts::new(&[], &[]).place(at(5)), 0);
    }
}
