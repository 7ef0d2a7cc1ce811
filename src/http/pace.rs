//! How fast requests may follow each other, whatever the budget says: a bucket of tokens that fills evenly.

use std::time::Duration;

/// A bucket. A full one lets a minute's requests through at once; in no minute can there be more than twice as many.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    burst: Duration,
    /// When the bucket would be full again, since its beginning.
    full_at: Duration,
}

impl Pace {
    /// So many requests a minute, and as many at once.
    pub(super) fn per_minute(requests: u32) -> Self {
        let minute = Duration::from_mins(1);
        Self { each: minute / requests.max(1), burst: minute, full_at: Duration::ZERO }
    }

    /// Takes a token at `now` (since the beginning), and says how long to wait before it may be used.
    pub(super) fn take(&mut self, now: Duration) -> Duration {
        self.full_at = self.full_at.max(now) + self.each;
        self.full_at.saturating_sub(now + self.burst)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minute_s_requests_pass_at_once_and_then_one_after_the_other() {
        let mut pace = Pace::per_minute(60);
        let now = Duration::from_secs(1_000);
        for n in 0..60 {
            assert_eq!(pace.take(now), Duration::ZERO, "{n}");
        }
        assert_eq!(pace.take(now), Duration::from_secs(1));
        assert_eq!(pace.take(now), Duration::from_secs(2));
        assert_eq!(pace.take(now + Duration::from_secs(3)), Duration::ZERO);
        assert_eq!(pace.take(now + Duration::from_secs(3)), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_twice_as_many(gaps in prop::collection::vec(0_u64..5_000, 1..300)) {
            const PER_MINUTE: u32 = 20;
            let mut pace = Pace::per_minute(PER_MINUTE);
            let mut now = Duration::ZERO;
            let sent: Vec<Duration> = gaps
                .iter()
                .map(|gap| {
                    now += Duration::from_millis(*gap);
                    now + pace.take(now)
                })
                .collect();
            for from in &sent {
                let minute = *from..*from + Duration::from_mins(1);
                let count = sent.iter().filter(|at| minute.contains(*at)).count();
                prop_assert!(count <= 2 * usize::try_from(PER_MINUTE).unwrap(), "{count}");
            }
        }
    }
}
