//! Sums of real numbers that are the same in whatever order they are added, and from which what was added can be taken
//! away again: a sum over a part of a history is the difference of two sums, bit for bit.

use std::ops::{Add, AddAssign, Sub};

/// Into how many parts a number is divided of which whole ones are added: 2⁶⁴, so that next to nothing is lost of
/// numbers such as logarithms and days, of which a sum may have 2³⁰.
const PARTS: f64 = 18_446_744_073_709_551_616.0;

/// A sum, or what is added to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(i128);

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A number to be added.
    #[expect(clippy::cast_possible_truncation, reason = "what is added is below 2^32, and as saturates")]
    pub fn of(number: f64) -> Self {
        Self((number * PARTS).round() as i128)
    }

    /// The sum.
    #[expect(clippy::cast_precision_loss, reason = "what is lost is what any real number has not")]
    pub fn real(self) -> f64 {
        self.0 as f64 / PARTS
    }
}

impl Add for Exact {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Exact {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_has_no_order_and_its_parts_can_be_taken_away(
            numbers in prop::collection::vec(-200.0..200.0_f64, 1..60), split in 0_usize..60
        ) {
            let sum = |numbers: &mut dyn Iterator<Item = &f64>| {
                numbers.fold(Exact::ZERO, |sum, number| sum + Exact::of(*number))
            };
            let all = sum(&mut numbers.iter());
            prop_assert_eq!(sum(&mut numbers.iter().rev()), all);
            let (first, rest) = numbers.split_at(split.min(numbers.len()));
            prop_assert_eq!(all - sum(&mut first.iter()), sum(&mut rest.iter()));
            prop_assert!((all.real() - numbers.iter().sum::<f64>()).abs() < 1e-11);
            prop_assert!(numbers.iter().all(|number| (Exact::of(*number).real() - number).abs() < 1e-15));
        }
    }

    #[test]
    fn whole_numbers_and_halves_are_what_they_are() {
        for number in [0.0, 1.0, -3.0, 182.0, 0.5, 36_525.0] {
            assert!(Exact::of(number).real().total_cmp(&number).is_eq(), "{number}");
        }
    }
}
