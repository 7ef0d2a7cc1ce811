//! Calendar days of the organisation: reports, holidays and the detector count in them, numbers in instants.

use std::fmt;

use chrono::{Days, NaiveDate, NaiveTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use crate::model::time::Timestamp;

/// The days of a week.
pub const WEEK: i64 = 7;

/// A calendar day in the organisation's time zone, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day on which an instant falls.
    pub fn of(at: Timestamp, timezone: Tz) -> Self {
        let utc = at.datetime().naive_utc();
        // The first and the last day that there are have no other side of midnight.
        let local = utc.checked_add_offset(timezone.offset_from_utc_datetime(&utc).fix()).unwrap_or(utc);
        Self::from(local.date())
    }

    /// So many days later.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// So many days earlier.
    #[must_use]
    pub const fn minus(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Days since another one; negative if that is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From 0, Monday.
    pub const fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        self.0.wrapping_add(3).rem_euclid(WEEK)
    }

    /// Whether it is Saturday or Sunday.
    pub const fn is_weekend(self) -> bool {
        self.weekday() >= 5
    }

    /// The Monday of its week.
    #[must_use]
    pub const fn monday(self) -> Self {
        self.minus(self.weekday())
    }

    /// As chrono has it.
    pub fn date(self) -> NaiveDate {
        let (epoch, days) = (NaiveDate::default(), Days::new(self.0.unsigned_abs()));
        let found = if self.0 < 0 { epoch.checked_sub_days(days) } else { epoch.checked_add_days(days) };
        found.unwrap_or_default()
    }

    /// When it begins; where clocks skip midnight, when they go on.
    pub fn begin(self, timezone: Tz) -> Timestamp {
        let midnight = self.date().and_time(NaiveTime::MIN);
        let later = midnight + chrono::Duration::hours(1);
        let found = [midnight, later].into_iter().find_map(|at| timezone.from_local_datetime(&at).earliest());
        found.map_or_else(|| midnight.and_utc().into(), |at| at.to_utc().into())
    }
}

/// Reads an instant as people give it: a date, which begins in the time zone, or an instant of RFC 3339. `None` if it is
/// neither.
pub fn instant(text: &str, timezone: Tz) -> Option<Timestamp> {
    let date = text.parse::<NaiveDate>().ok();
    date.map(|date| Day::from(date).begin(timezone)).or_else(|| Timestamp::parse(text))
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date.signed_duration_since(NaiveDate::default()).num_days())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_1970_are_days_too() {
        for (text, count) in
            [("1969-12-31", -1), ("1970-01-01", 0), ("1969-01-01", -365), ("2026-11-22", 20_779)]
        {
            let day = Day::from(text.parse::<NaiveDate>().unwrap());
            assert_eq!((day.0, day.to_string().as_str()), (count, text));
            assert_eq!(Day::of(day.begin(Tz::Europe__Berlin), Tz::Europe__Berlin), day);
        }
    }
}
