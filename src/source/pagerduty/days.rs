//! Which days are asked for. Pure.
//!
//! Whether PagerDuty looks at the time of day of `since` and `until`, and whether it includes them, is not
//! documented; nor is it sure that `time_zone` is heeded. So whole days are asked for, one more at either end.

use crate::model::time::{Span, Timestamp};

/// A list of so many days is far below the six months that PagerDuty allows, and rarely above ten thousand.
pub(super) const DAYS_MAX: i64 = 30;
/// Asked for beyond either end: more than any offset from UTC, and than any way to read an end.
const OVERLAP_DAYS: i64 = 1;
const DAY: Span = Span::from_days(1);

/// A day of UTC, counted from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Day(i64);

impl Day {
    /// The day of an instant.
    pub(super) const fn of(at: Timestamp) -> Self {
        Self(at.millis().div_euclid(DAY.millis()))
    }

    /// Its first instant.
    pub(super) const fn start(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(DAY.millis()))
    }

    /// So many days later, or earlier.
    pub(super) const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }
}

/// Days from the first to the last, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    first: Day,
    last: Day,
}

impl Days {
    /// `None` if the last is before the first.
    pub(super) fn new(first: Day, last: Day) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The first of them.
    pub(super) const fn first(self) -> Day {
        self.first
    }

    /// The last [`DAYS_MAX`] of them.
    pub(super) fn newest(self) -> Self {
        Self { first: self.first.max(self.last.plus(1 - DAYS_MAX)), last: self.last }
    }

    /// The newer half, the larger one if they are odd; a day cannot be halved.
    pub(super) fn newer_half(self) -> Option<Self> {
        let Self { first, last } = self;
        let count = last.0 - first.0 + 1;
        (count > 1).then(|| Self { first: last.plus(1 - (count + 1) / 2).max(first.plus(1)), last })
    }

    /// What is left of them before `later`, one that was cut off their end.
    pub(super) fn before(self, later: Self) -> Option<Self> {
        Self::new(self.first, later.first.plus(-1))
    }

    /// The values of `since` and `until`. A day that was too much with its neighbours is asked for alone.
    pub(super) fn bounds(self) -> (String, String) {
        let overlap = if self.first == self.last { 0 } else { OVERLAP_DAYS };
        let text = |day: Day| day.start().to_string();
        (text(self.first.plus(-overlap)), text(self.last.plus(1 + overlap)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(first: i64, last: i64) -> Days {
        Days::new(Day(first), Day(last)).unwrap()
    }

    #[test]
    fn a_day_is_one_of_utc() {
        for (text, day) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T23:59:59.999Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("1970-01-02T00:30:00+01:00", 0),
        ] {
            assert_eq!(Day::of(Timestamp::parse(text).unwrap()), Day(day), "{text}");
        }
    }

    #[test]
    fn both_ends_are_asked_for_whole_with_a_day_to_spare() {
        let day = Day::of(Timestamp::parse("2026-11-22T17:00:00Z").unwrap());
        let bounds = |first, last| Days::new(day.plus(first), day.plus(last)).unwrap().bounds();
        let text = |since: &str, until: &str| (since.to_owned(), until.to_owned());
        assert_eq!(bounds(-3, 0), text("2026-11-18T00:00:00Z", "2026-11-24T00:00:00Z"));
        assert_eq!(bounds(0, 0), text("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"));
    }

    #[test]
    fn windows_are_halved_down_to_a_day() {
        for (window, half) in [
            (days(1, 30), Some(days(16, 30))),
            (days(1, 3), Some(days(2, 3))),
            (days(1, 2), Some(days(2, 2))),
            (days(2, 2), None),
        ] {
            assert_eq!(window.newer_half(), half, "{window:?}");
        }
        assert_eq!(days(1, 180).newest(), days(151, 180));
        assert_eq!(days(1, 7).newest(), days(1, 7));
    }

    proptest! {
        #[test]
        fn pieces_cover_every_day_once_however_they_are_halved(
            first in -1_000_i64..1_000,
            count in 1_i64..400,
            halvings in proptest::collection::vec(0_usize..7, 1..50),
        ) {
            let whole = days(first, first + count - 1);
            let mut rest = Some(whole);
            let mut covered = 0;
            let mut halvings = halvings.iter().cycle();
            while let Some(days) = rest {
                let mut piece = days.newest();
                for _ in 0..*halvings.next().unwrap() {
                    piece = piece.newer_half().unwrap_or(piece);
                }
                prop_assert_eq!(piece.last, days.last);
                prop_assert!(piece.first >= days.first);
                covered += piece.last.0 - piece.first.0 + 1;
                rest = days.before(piece);
            }
            prop_assert_eq!(covered, count);
        }
    }
}
