//! A rate limit: so much in a period, which begins with its first request.

use crate::model::time::{Span, Timestamp};

/// What is left of a period's allowance.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    pub(super) limit: u64,
    pub(super) used: u64,
    pub(super) resets_at: Timestamp,
    period: Span,
}

impl Budget {
    pub(super) fn new(limit: u64, period: Span) -> Self {
        Self { limit, used: 0, resets_at: Timestamp::from_millis(i64::MIN), period }
    }

    /// Begins a new period if the last one is over.
    pub(super) fn renew(&mut self, now: Timestamp) {
        if now >= self.resets_at {
            self.used = 0;
            self.resets_at = now.plus(self.period);
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.used >= self.limit
    }

    pub(super) fn spend(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }

    pub(super) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// When it begins anew, in seconds since the Unix epoch.
    pub(super) fn resets_at_seconds(&self) -> i64 {
        self.resets_at.millis().div_euclid(1_000)
    }
}
