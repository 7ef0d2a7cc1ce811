//! Chance, repeatable: `SplitMix64`, in whole numbers only, so that every platform tells the same story.

use crate::model::time::Span;

/// How far from its median a heavy-tailed span lies, in thousandths: the quantiles of a log-normal distribution with
/// σ ≈ 0.9, which is about how delivery times scatter.
const TAIL_PER_MILLE: [i64; 17] =
    [160, 260, 350, 440, 540, 640, 750, 870, 1_000, 1_150, 1_340, 1_580, 1_880, 2_300, 2_900, 3_900, 5_900];

/// A stream of numbers that follows from its seed (`SplitMix64`: a counter in steps of the golden ratio, mixed).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, bound)`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let scaled = (self.bits() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of the items; `None` if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.get(usize::try_from(index).unwrap_or(0))
    }

    /// One of the words; empty if there are none.
    pub fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.pick(words).copied().unwrap_or_default()
    }

    /// A span in `[low, high)`, in whole seconds.
    pub fn between(&mut self, low: Span, high: Span) -> Span {
        let seconds = (high.millis() - low.millis()).max(0) / 1_000;
        let drawn = self.below(u32::try_from(seconds).unwrap_or(u32::MAX));
        Span::from_millis(low.millis() + i64::from(drawn) * 1_000)
    }

    /// A heavy-tailed span around this median, in whole seconds, at least one.
    pub fn around(&mut self, median: Span) -> Span {
        let step = u32::try_from(TAIL_PER_MILLE.len() - 1).unwrap_or(0);
        let slot = usize::try_from(self.below(step)).unwrap_or(0);
        let low = TAIL_PER_MILLE.get(slot).copied().unwrap_or(1_000);
        let high = TAIL_PER_MILLE.get(slot + 1).copied().unwrap_or(low);
        let factor = low + i64::from(self.below(u32::try_from(high - low).unwrap_or(0)));
        Span::from_seconds((median.millis() / 1_000_000 * factor + 1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn half_of_the_spans_around_a_median_are_shorter() {
        let mut random = Random::new(7);
        let median = Span::from_hours(10);
        let shorter = (0..2_000).filter(|_| random.around(median) < median).count();
        assert!((900..1_100).contains(&shorter), "{shorter}");
    }

    #[test]
    fn nothing_is_picked_from_nothing() {
        let mut random = Random::new(7);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.between(Span::from_hours(2), Span::from_hours(1)), Span::from_hours(2));
    }
}
