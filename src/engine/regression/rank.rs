//! Comparing two samples of times by ranks, which no single freak value moves (`regressions.md` 3.3). Values are
//! logarithms, so that differences are ratios.

use crate::engine::count::{real, size};

/// How the recent values of two samples stand against the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// In standard normal units, as if values were independent; above 0: the recent ones are larger.
    pub z: f64,
    /// The probability that a recent value is larger than another; ties count half.
    pub superiority: f64,
}

/// Of pairs counted: in how many the recent value is the larger one, ties as half, among `n1` × `n0`. `None` if
/// either is empty.
pub fn mann_whitney(larger: f64, n1: u64, n0: u64) -> Option<MannWhitney> {
    if n1 == 0 || n0 == 0 {
        return None;
    }
    let (n1, n0) = (real(n1), real(n0));
    let pairs = n1 * n0;
    let off = larger - pairs / 2.0;
    // The continuity correction moves towards the middle, never past it.
    let off = off.signum() * (off.abs() - 0.5).max(0.0);
    let deviation = (pairs * (n1 + n0 + 1.0) / 12.0).sqrt();
    Some(MannWhitney { z: off / deviation, superiority: larger / pairs })
}

/// In how many pairs the recent value is the larger one, ties as half. Both samples are sorted, so that one walk along
/// both suffices.
pub fn larger_pairs(recent: &[f64], others: &[f64]) -> f64 {
    let (mut below, mut up_to) = (0, 0);
    let further = |from: usize, is_before: &dyn Fn(f64) -> bool| {
        let rest = others.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|other| is_before(**other)).count()
    };
    let mut halves: u64 = 0;
    for value in recent {
        below = further(below, &|other| other < *value);
        up_to = further(up_to.max(below), &|other| other <= *value);
        halves += u64::try_from(below + up_to).unwrap_or(u64::MAX);
    }
    real(halves) / 2.0
}

/// All differences of two sorted samples, as a list in order that nobody writes down.
#[derive(Debug, Clone, Copy)]
pub struct Differences<'s> {
    recent: &'s [f64],
    others: &'s [f64],
}

impl<'s> Differences<'s> {
    /// Of two samples that are sorted and have no NaN.
    pub const fn new(recent: &'s [f64], others: &'s [f64]) -> Self {
        Self { recent, others }
    }

    /// How many.
    pub fn pairs(self) -> u64 {
        size(self.recent).saturating_mul(size(self.others))
    }

    /// How many are at most `bound`. Rounding keeps the order of differences, so one walk along the edge suffices.
    fn up_to(self, bound: f64) -> u64 {
        let mut begin = 0;
        let mut count = 0;
        for value in self.recent {
            let rest = self.others.get(begin..).unwrap_or_default();
            begin += rest.iter().take_while(|other| value - **other > bound).count();
            count += size(self.others) - u64::try_from(begin).unwrap_or(u64::MAX);
        }
        count
    }

    /// The one at this place, from 1; `None` if there is none. Found by halving the numbers that a difference could
    /// be, so exactly, in 64 walks.
    pub fn place(self, place: u64) -> Option<f64> {
        if place == 0 || place > self.pairs() {
            return None;
        }
        let least = self.recent.first()? - self.others.last()?;
        let most = self.recent.last()? - self.others.first()?;
        let (mut low, mut high) = (order(least), order(most));
        while low < high {
            // Downwards, so that it is always below `high`.
            let middle = (low & high) + ((low ^ high) >> 1);
            if self.up_to(number(middle)) >= place {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(number(low))
    }

    /// The median: the middle one, or between the two in the middle (Hodges and Lehmann's estimate of the shift).
    pub fn median(self) -> Option<f64> {
        let pairs = self.pairs();
        let upper = self.place(pairs / 2 + 1)?;
        if pairs % 2 == 1 {
            return Some(upper);
        }
        Some(f64::midpoint(self.place(pairs / 2)?, upper))
    }

    /// A 95 % interval of the shift, from the differences that far from the middle of their order; `None` where the
    /// samples are too small to bound it.
    pub fn interval(self, design_effect: f64) -> Option<(f64, f64)> {
        let pairs = real(self.pairs());
        let together = real(size(self.recent) + size(self.others));
        let deviation = (design_effect * pairs * (together + 1.0) / 12.0).sqrt();
        let below = 1.96f64.mul_add(-deviation, pairs / 2.0).floor();
        if below.is_nan() || below < 0.0 {
            return None;
        }
        let place = whole(below) + 1;
        Some((self.place(place)?, self.place(self.pairs() + 1 - place)?))
    }
}

/// A whole number that is not negative, as a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
pub const fn whole(number: f64) -> u64 {
    number as u64
}

const SIGN: u64 = 1 << 63;

/// Where a number stands among all numbers: an integer for each, in the same order.
const fn order(number: f64) -> i64 {
    let bits = number.to_bits();
    if bits & SIGN == 0 { bits.cast_signed() } else { (bits ^ SIGN).cast_signed().wrapping_neg() }
}

/// The number that stands there.
const fn number(order: i64) -> f64 {
    if order >= 0 {
        f64::from_bits(order.cast_unsigned())
    } else {
        f64::from_bits(order.wrapping_neg().cast_unsigned() | SIGN)
    }
}
