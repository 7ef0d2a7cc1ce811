//! A sample that things enter and leave, with exact quantiles: one bit for each value that there ever is, by rank, and
//! counts of the bits in blocks. To enter and to leave is a bit and two counts; a quantile skips blocks, then words.

use crate::model::time::Span;

/// Bits in a word.
const WORD: usize = 64;
/// Bits in a block: what eight words have, one cache line.
const BLOCK: usize = 512;
/// Bits in a large block: sixty-four blocks, so that ten million ranks have three hundred of them.
const LARGE: usize = 32_768;

/// Values in order, and which place each thing has among them.
#[derive(Debug)]
pub(super) struct Ranked {
    values: Vec<Span>,
    /// By thing; `None` if it has no value.
    ranks: Vec<Option<u32>>,
}

impl Ranked {
    /// Ranks the values of things.
    pub(super) fn new(values: impl Iterator<Item = Option<Span>>) -> Self {
        let mut ranks: Vec<Option<u32>> = Vec::new();
        let mut sorted: Vec<(Span, u32)> = Vec::new();
        for (thing, value) in (0_u32..).zip(values) {
            ranks.push(None);
            sorted.extend(value.map(|value| (value, thing)));
        }
        sorted.sort_unstable();
        for (rank, (_, thing)) in (0_u32..).zip(&sorted) {
            if let Some(place) = usize::try_from(*thing).ok().and_then(|thing| ranks.get_mut(thing)) {
                *place = Some(rank);
            }
        }
        Self { values: sorted.into_iter().map(|(value, _)| value).collect(), ranks }
    }

    /// The place of a thing's value.
    pub(super) fn rank(&self, thing: usize) -> Option<usize> {
        self.ranks.get(thing).copied().flatten().and_then(|rank| usize::try_from(rank).ok())
    }

    /// The value of this rank.
    pub(super) fn value(&self, rank: usize) -> Option<Span> {
        self.values.get(rank).copied()
    }

    /// A set of ranks with none in it.
    pub(super) fn none(&self) -> Ranks {
        let ranks = self.values.len();
        Ranks {
            words: vec![0; ranks.div_ceil(WORD)],
            blocks: vec![0; ranks.div_ceil(BLOCK)],
            large: vec![0; ranks.div_ceil(LARGE)],
            len: 0,
        }
    }
}

/// A set of ranks.
#[derive(Debug)]
pub(super) struct Ranks {
    words: Vec<u64>,
    blocks: Vec<u16>,
    large: Vec<u32>,
    len: usize,
}

impl Ranks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes in a rank that is not there.
    pub(super) fn enter(&mut self, rank: usize) {
        self.flip(rank);
        self.len += 1;
        if let Some(count) = self.blocks.get_mut(rank / BLOCK) {
            *count += 1;
        }
        if let Some(count) = self.large.get_mut(rank / LARGE) {
            *count += 1;
        }
    }

    /// Drops a rank that is there.
    pub(super) fn leave(&mut self, rank: usize) {
        self.flip(rank);
        self.len -= 1;
        if let Some(count) = self.blocks.get_mut(rank / BLOCK) {
            *count -= 1;
        }
        if let Some(count) = self.large.get_mut(rank / LARGE) {
            *count -= 1;
        }
    }

    fn flip(&mut self, rank: usize) {
        if let Some(word) = self.words.get_mut(rank / WORD) {
            *word ^= 1 << (rank % WORD);
        }
    }

    /// The rank at this place, from 0, of those that are there.
    pub(super) fn nth(&self, place: usize) -> Option<usize> {
        let mut left = u32::try_from(place).ok()?;
        let large = skip(&mut left, self.large.iter().copied())?;
        let blocks = self.blocks.iter().skip(large * (LARGE / BLOCK));
        let block = large * (LARGE / BLOCK) + skip(&mut left, blocks.map(|count| u32::from(*count)))?;
        let words = self.words.iter().skip(block * (BLOCK / WORD));
        let word = block * (BLOCK / WORD) + skip(&mut left, words.map(|word| word.count_ones()))?;
        Some(word * WORD + bit(*self.words.get(word)?, left))
    }
}

/// Passes by what lies wholly before the place that is `left`; says how many that are.
fn skip(left: &mut u32, counts: impl Iterator<Item = u32>) -> Option<usize> {
    for (passed, count) in counts.enumerate() {
        if *left < count {
            return Some(passed);
        }
        *left -= count;
    }
    None
}

/// Which bit of a word is the one at this place, from 0, of those that are set: by halves.
fn bit(mut word: u64, mut place: u32) -> usize {
    let mut found = 0;
    for width in [32, 16, 8, 4, 2, 1] {
        let lower = (word & ((1 << width) - 1)).count_ones();
        if place >= lower {
            place -= lower;
            word >>= width;
            found += width;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_set_is_found() {
        let values = (0..100_000_i64).map(|value| Some(Span::from_millis(value * 7_919 % 100_003)));
        let ranked = Ranked::new(values);
        let mut ranks = ranked.none();
        let mut expected = Vec::new();
        for thing in (0..100_000).filter(|thing| thing % 3 == 0 || thing % 7 == 1) {
            let rank = ranked.rank(thing).unwrap();
            ranks.enter(rank);
            expected.push(rank);
        }
        let (gone, stay) = expected.split_at(expected.len() / 3);
        for rank in gone {
            ranks.leave(*rank);
        }
        let mut stay = stay.to_vec();
        stay.sort_unstable();
        assert_eq!(ranks.len(), stay.len());
        for (place, rank) in stay.iter().enumerate() {
            assert_eq!(ranks.nth(place), Some(*rank));
        }
        assert_eq!(ranks.nth(stay.len()), None);
        assert!(ranked.value(stay[0]) < ranked.value(stay[1]));
    }

    #[test]
    fn things_without_a_value_have_no_rank() {
        let span = Span::from_seconds;
        let ranked = Ranked::new([Some(span(3)), None, Some(span(1)), Some(span(3))].into_iter());
        assert_eq!([0, 1, 2, 3].map(|thing| ranked.rank(thing)), [Some(1), None, Some(0), Some(2)]);
        assert_eq!(ranked.none().nth(0), None);
    }
}
