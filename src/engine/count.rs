//! Counts where formulas want real numbers.

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53")]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// How many items, as a count.
pub fn size<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
