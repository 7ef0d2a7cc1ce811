//! A sample that things enter and leave, with exact quantiles: one bit for each value that there ever is, by rank, and
//! counts of the bits in blocks, in blocks of blocks, and in blocks of those. To enter and to leave is a bit and three
//! counts; a quantile passes by large blocks, then looks once at eight of each smaller kind.

use crate::model::time::Span;

/// Bits in a word.
const WORD: usize = 64;
/// As many of a kind make one of the next larger kind.
const FAN: usize = 8;
/// Bits in the blocks: eight words, one cache line, in the smallest; so that ten million ranks have three hundred of the
/// largest.
const BLOCKS: [usize; 3] = [WORD * FAN, WORD * FAN * FAN, WORD * FAN * FAN * FAN];
/// The rank of what has no value: no set has so many.
pub(super) const NONE: u32 = u32::MAX;

/// Values in order, and which place each thing has among them.
#[derive(Debug)]
pub(super) struct Ranked {
    values: Vec<Span>,
    /// By thing.
    ranks: Vec<u32>,
}

impl Ranked {
    /// Ranks the values of things.
    pub(super) fn new(values: impl Iterator<Item = Option<Span>>) -> Self {
        let mut ranks = Vec::new();
        let mut sorted: Vec<(Span, u32)> = Vec::new();
        for (thing, value) in (0_u32..).zip(values) {
            ranks.push(NONE);
            sorted.extend(value.map(|value| (value, thing)));
        }
        sorted.sort_unstable();
        for (rank, (_, thing)) in (0_u32..).zip(&sorted) {
            if let Some(place) = usize::try_from(*thing).ok().and_then(|thing| ranks.get_mut(thing)) {
                *place = rank;
            }
        }
        Self { values: sorted.into_iter().map(|(value, _)| value).collect(), ranks }
    }

    /// The place of a thing's value; [`NONE`] if it has none.
    pub(super) fn rank(&self, thing: u32) -> u32 {
        let thing = usize::try_from(thing).ok();
        thing.and_then(|thing| self.ranks.get(thing)).copied().unwrap_or(NONE)
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
            blocks: BLOCKS.map(|bits| vec![0; ranks.div_ceil(bits)]),
            len: 0,
        }
    }
}

/// A set of ranks.
#[derive(Debug)]
pub(super) struct Ranks {
    words: Vec<u64>,
    /// How many there are in each block, of each size.
    blocks: [Vec<u16>; 3],
    len: usize,
}

impl Ranks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes in a rank that is not there; not [`NONE`].
    pub(super) fn enter(&mut self, rank: u32) {
        if let Some(rank) = self.flip(rank) {
            self.len += 1;
            self.count(rank, |count| *count += 1);
        }
    }

    /// Drops a rank that is there; not [`NONE`].
    pub(super) fn leave(&mut self, rank: u32) {
        if let Some(rank) = self.flip(rank) {
            self.len -= 1;
            self.count(rank, |count| *count -= 1);
        }
    }

    fn flip(&mut self, rank: u32) -> Option<usize> {
        let rank = usize::try_from(rank).ok()?;
        *self.words.get_mut(rank / WORD)? ^= 1 << (rank % WORD);
        Some(rank)
    }

    fn count(&mut self, rank: usize, change: impl Fn(&mut u16)) {
        for (blocks, bits) in self.blocks.iter_mut().zip(BLOCKS) {
            if let Some(count) = blocks.get_mut(rank / bits) {
                change(count);
            }
        }
    }

    /// The rank at this place, from 0, of those that are there.
    pub(super) fn nth(&self, place: usize) -> Option<usize> {
        let mut left = u32::try_from(place).ok().filter(|_| place < self.len)?;
        let [small, middle, large] = &self.blocks;
        let mut found = 0;
        for (passed, count) in large.iter().enumerate() {
            found = passed;
            if left < u32::from(*count) {
                break;
            }
            left -= u32::from(*count);
        }
        for blocks in [middle, small] {
            let eight = blocks.iter().skip(found * FAN).take(FAN);
            found = found * FAN + pass(&mut left, eight.map(|count| u32::from(*count)));
        }
        let eight = self.words.iter().skip(found * FAN).take(FAN);
        found = found * FAN + pass(&mut left, eight.map(|word| word.count_ones()));
        Some(found * WORD + bit(*self.words.get(found)?, left)?)
    }
}

/// How many of a few counts lie wholly before the place that is `left`, which they are taken from. It looks at all of
/// them, so that no branch depends on what they are.
fn pass(left: &mut u32, counts: impl Iterator<Item = u32>) -> usize {
    let (mut sum, mut before, mut passed) = (0, 0, 0);
    for count in counts {
        sum += count;
        let is_passed = sum <= *left;
        passed += usize::from(is_passed);
        before = if is_passed { sum } else { before };
    }
    *left -= before;
    passed
}

/// Which bit of a word is the one at this place, from 0, of those that are set: which byte, then which of its bits.
fn bit(word: u64, place: u32) -> Option<usize> {
    // How many are set in each two, each four, each eight bits; then in each byte and all below it, of which none is 64 but
    // the last, which a byte has room for.
    let twos = word - ((word >> 1) & 0x5555_5555_5555_5555);
    let fours = (twos & 0x3333_3333_3333_3333) + ((twos >> 2) & 0x3333_3333_3333_3333);
    let bytes = (fours + (fours >> 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    let upto = bytes.wrapping_mul(0x0101_0101_0101_0101).to_le_bytes();
    let byte = upto.iter().map(|upto| usize::from(u32::from(*upto) <= place)).sum::<usize>();
    let before = byte.checked_sub(1).and_then(|before| upto.get(before)).copied().unwrap_or_default();
    let mut rest = *word.to_le_bytes().get(byte)?;
    for _ in u32::from(before)..place {
        rest &= rest.wrapping_sub(1);
    }
    Some(byte * 8 + usize::try_from(rest.trailing_zeros()).ok()?)
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
            let rank = ranked.rank(thing);
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
            assert_eq!(ranks.nth(place), usize::try_from(*rank).ok());
        }
        assert_eq!(ranks.nth(stay.len()), None);
        let value = |place: usize| ranked.value(ranks.nth(place).unwrap());
        assert!(value(0) < value(1));
    }

    #[test]
    fn things_without_a_value_have_no_rank() {
        let span = Span::from_seconds;
        let ranked = Ranked::new([Some(span(3)), None, Some(span(1)), Some(span(3))].into_iter());
        assert_eq!([0, 1, 2, 3].map(|thing| ranked.rank(thing)), [1, NONE, 0, 2]);
        let mut ranks = ranked.none();
        ranks.enter(NONE);
        assert_eq!((ranks.len(), ranks.nth(0)), (0, None));
    }
}
