//! Nearest-rank quantiles (`definitions.md` §3): element ⌈q·n⌉ of the sorted sample, 1-based. No interpolation.

use crate::engine::snapshot::Quantiles;
use crate::model::time::Span;

/// Median and 90th percentile of a sample, whose order is lost.
pub fn quantiles(sample: &mut [Span]) -> Quantiles {
    let (Some(median), Some(high)) = (place(sample.len(), 50), place(sample.len(), 90)) else {
        return Quantiles::default();
    };
    let (lower, p90, _) = sample.select_nth_unstable(high);
    let p90 = *p90;
    let p50 = if median < high { *lower.select_nth_unstable(median).1 } else { p90 };
    Quantiles { p50: Some(p50), p90: Some(p90) }
}

/// Where the quantile stands in a sorted sample of this size, from 0; nowhere in an empty one.
pub fn place(size: usize, percent: usize) -> Option<usize> {
    let rank = size.saturating_mul(percent).div_ceil(100);
    rank.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_an_element_of_the_sample() {
        for (sample, p50, p90) in [
            (vec![], None, None),
            (vec![7], Some(7), Some(7)),
            (vec![2, 1], Some(1), Some(2)),
            (vec![3, 1, 2], Some(2), Some(3)),
            (vec![4, 2, 1, 3], Some(2), Some(4)),
            ((1..=10).rev().collect(), Some(5), Some(9)),
            ((1..=11).collect(), Some(6), Some(10)),
            (vec![5, 5, 5, 9], Some(5), Some(9)),
        ] {
            let mut spans: Vec<_> = sample.iter().copied().map(Span::from_seconds).collect();
            let expected = Quantiles { p50: p50.map(Span::from_seconds), p90: p90.map(Span::from_seconds) };
            assert_eq!(quantiles(&mut spans), expected, "{sample:?}");
        }
    }
}
