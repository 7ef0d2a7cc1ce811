//! Instants and spans. All instants are UTC; windows are half-open, `[t − w, t)`.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};

const MILLIS_PER_SECOND: i64 = 1_000;
const MILLIS_PER_DAY: i64 = 86_400 * MILLIS_PER_SECOND;

/// An instant in UTC, in milliseconds since the Unix epoch: finer than the second that sources report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MILLIS_PER_SECOND))
    }

    /// Reads RFC 3339 (`2026-11-22T17:00:00Z`, with any offset). `None` if it is not a date.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|at| Self(at.timestamp_millis()))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, as metrics show instants.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any real date fit 53 bits")]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The same instant as chrono has it, for calendars and for text.
    pub fn datetime(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0).single().unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// `self + span`, saturating.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// `self − span`, saturating.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// `self − earlier`; negative if `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A signed length of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MILLIS_PER_SECOND))
    }

    /// From minutes.
    pub const fn from_minutes(minutes: i64) -> Self {
        Self::from_seconds(minutes.saturating_mul(60))
    }

    /// From hours.
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_seconds(hours.saturating_mul(3_600))
    }

    /// From days of 24 hours.
    pub const fn from_days(days: i64) -> Self {
        Self(days.saturating_mul(MILLIS_PER_DAY))
    }

    /// Reads a duration as the configuration has it: a whole number and one of `s`, `m`, `h`, `d`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
        let seconds_each = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        count.checked_mul(seconds_each)?.checked_mul(MILLIS_PER_SECOND).map(Self)
    }

    /// Milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds, as metrics show spans.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any real span fit 53 bits")]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// Days of 24 hours, as rates are given per day.
    pub fn days(self) -> f64 {
        self.seconds() / 86_400.0
    }

    /// As the standard library has it; a negative span is zero.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, expected) in [
            ("60s", Some(Span::from_seconds(60))),
            ("15m", Some(Span::from_minutes(15))),
            ("24h", Some(Span::from_hours(24))),
            ("180d", Some(Span::from_days(180))),
            ("0s", Some(Span::ZERO)),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("1.5h", None),
            ("10", None),
            ("10é", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(Span::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn instants_keep_milliseconds_and_drop_the_offset() {
        let at = Timestamp::parse("2026-11-22T18:00:00.250+01:00").unwrap();
        assert_eq!(at, Timestamp::parse("2026-11-22T17:00:00.250Z").unwrap());
        assert_eq!(at.to_string(), "2026-11-22T17:00:00.250Z");
        assert_eq!(Timestamp::parse("2026-11-22T17:00:00Z").unwrap().to_string(), "2026-11-22T17:00:00Z");
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
