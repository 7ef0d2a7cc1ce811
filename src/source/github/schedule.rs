//! Which repositories are looked at in a poll: active ones in every poll, quiet ones and archived ones less often, and
//! if the budget does not allow all of it, those first that have waited longest.

use crate::model::time::{Span, Timestamp};

/// A repository in which something happened since then is active.
const ACTIVE_FOR: Span = Span::from_days(30);
/// A quiet repository is looked at so often …
const QUIET_EVERY: Span = Span::from_minutes(15);
/// … and an archived one, to which nothing can happen, so often.
const ARCHIVED_EVERY: Span = Span::from_hours(24);

/// How often a repository is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// In every poll.
    Active,
    /// Every quarter of an hour.
    Quiet,
    /// Every day.
    Archived,
}

impl Tier {
    /// The tier of a repository, by the newest instant that is known of anything in it.
    pub(super) fn of(newest: Option<Timestamp>, archived: bool, now: Timestamp) -> Self {
        match newest {
            _ if archived => Self::Archived,
            Some(newest) if now.since(newest) <= ACTIVE_FOR => Self::Active,
            Some(_) | None => Self::Quiet,
        }
    }

    fn every(self) -> Span {
        match self {
            Self::Active => Span::ZERO,
            Self::Quiet => QUIET_EVERY,
            Self::Archived => ARCHIVED_EVERY,
        }
    }
}

/// A repository that may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) number: u64,
    pub(super) tier: Tier,
    /// When it was last looked at, by this process.
    pub(super) looked_at: Option<Timestamp>,
}

impl Candidate {
    /// Each has slots of its own, so that those of a tier do not all come at once; it is due in a poll in which a new
    /// slot has begun since the last look.
    fn due(&self, now: Timestamp) -> bool {
        let every = self.tier.every().millis();
        let Some(looked_at) = self.looked_at else {
            return true;
        };
        if every == 0 {
            return true;
        }
        let phase = i64::try_from(spread(self.number) % every.unsigned_abs()).unwrap_or_default();
        let slot = |at: Timestamp| (at.millis() + phase).div_euclid(every);
        slot(now) > slot(looked_at) || now.since(looked_at).millis() >= every
    }
}

/// A number that has nothing to do with its neighbours (Fibonacci hashing).
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24
}

/// Those to look at now, the longest waiting first: at most `allowed`. Requests are filled up to multiples of
/// `at_once` with quiet ones that are not due yet, since a request costs the same whether it is full or not.
pub(super) fn due(candidates: &[Candidate], now: Timestamp, at_once: usize, allowed: usize) -> Vec<u64> {
    let (mut due, mut others): (Vec<Candidate>, Vec<Candidate>) =
        candidates.iter().partition(|candidate| candidate.due(now));
    let waiting = |candidate: &Candidate| (candidate.looked_at, candidate.number);
    due.sort_by_key(waiting);
    others.retain(|candidate| candidate.tier == Tier::Quiet);
    others.sort_by_key(waiting);
    let free = due.len().next_multiple_of(at_once.max(1)) - due.len();
    due.iter().chain(others.iter().take(free)).take(allowed).map(|candidate| candidate.number).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + minutes * 60)
    }

    #[test]
    fn what_moved_within_thirty_days_is_active() {
        let days = |days: i64| Some(at(-days * 24 * 60));
        for (newest, archived, expected) in [
            (days(0), false, Tier::Active),
            (days(30), false, Tier::Active),
            (days(31), false, Tier::Quiet),
            (days(-1), false, Tier::Active),
            (None, false, Tier::Quiet),
            (days(0), true, Tier::Archived),
        ] {
            assert_eq!(Tier::of(newest, archived, at(0)), expected, "{newest:?}");
        }
    }

    /// Looks in a day of polls, by tier, and requests of the busiest poll after the first one.
    fn a_day(tiers: &[Tier], allowed: usize) -> (Vec<Vec<i64>>, usize) {
        let mut candidates: Vec<Candidate> = tiers
            .iter()
            .zip(0..)
            .map(|(tier, number)| Candidate { number, tier: *tier, looked_at: None })
            .collect();
        let mut looks = vec![Vec::new(); tiers.len()];
        let mut busiest = 0;
        for minute in 0..24 * 60 {
            let numbers = due(&candidates, at(minute), 25, allowed);
            if minute > 0 {
                busiest = busiest.max(numbers.len().div_ceil(25));
            }
            for number in numbers {
                let index = usize::try_from(number).unwrap();
                candidates[index].looked_at = Some(at(minute));
                looks[index].push(minute);
            }
        }
        (looks, busiest)
    }

    fn longest_gap(minutes: &[i64]) -> i64 {
        minutes.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    #[test]
    fn a_thousand_active_ones_cost_forty_requests_and_mostly_quiet_ones_much_less() {
        let (looks, busiest) = a_day(&[Tier::Active; 1_000], usize::MAX);
        assert_eq!((looks.iter().map(|minutes| longest_gap(minutes)).max(), busiest), (Some(1), 40));

        let tiers: Vec<Tier> =
            (0..1_000).map(|n| if n % 5 == 0 { Tier::Active } else { Tier::Quiet }).collect();
        let (looks, busiest) = a_day(&tiers, usize::MAX);
        assert!(
            busiest <= 12,
            "{busiest} requests: 8 for the active ones, about 2 for a fifteenth of the rest"
        );
        for (tier, minutes) in tiers.iter().zip(&looks) {
            let expected = if *tier == Tier::Active { 1 } else { 15 };
            assert!(longest_gap(minutes) <= expected);
        }
    }

    #[test]
    fn archived_ones_are_looked_at_daily() {
        let (looks, _) = a_day(&[Tier::Archived; 50], usize::MAX);
        assert!(looks.iter().all(|minutes| (1..=2).contains(&minutes.len())));
    }

    proptest! {
        #[test]
        fn none_starves_however_little_is_allowed(
            tiers in proptest::collection::vec(
                prop_oneof![Just(Tier::Active), Just(Tier::Quiet), Just(Tier::Archived)], 1..60,
            ),
            allowed in 1_usize..20,
        ) {
            let (looks, _) = a_day(&tiers, allowed);
            // Everybody's turn comes after everybody else's at the latest.
            let round = i64::try_from(tiers.len().div_ceil(allowed)).unwrap();
            for (tier, minutes) in tiers.iter().zip(&looks) {
                prop_assert!(!minutes.is_empty());
                let every = tier.every().millis() / 60_000;
                prop_assert!(longest_gap(minutes) <= every.max(1) + round, "{tier:?} {minutes:?}");
            }
        }

        #[test]
        fn nobody_is_looked_at_twice_in_a_poll(numbers in proptest::collection::btree_map(0_u64..500, 0_i64..40, 0..80)) {
            let candidates: Vec<Candidate> = numbers
                .iter()
                .map(|(number, minute)| Candidate { number: *number, tier: Tier::Quiet, looked_at: Some(at(*minute)) })
                .collect();
            let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
            for number in due(&candidates, at(40), 25, usize::MAX) {
                *counts.entry(number).or_default() += 1;
            }
            prop_assert!(counts.values().all(|count| *count == 1));
        }
    }
}
