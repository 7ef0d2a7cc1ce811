//! Calendar files (RFC 5545), as far as holidays need them: which days the events of a calendar take.
//!
//! An event takes every day that it touches, in its own time zone: one from midnight to midnight in New York is that day
//! there, wherever it is read. Events that were cancelled take none. What would have to be guessed is refused with its
//! line. Lines are read here, since no library tells where a mistake is; recurrence is [`rrule`]'s.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

use super::reader::quoted;
use super::value::YEARS as KNOWN_YEARS;
use crate::model::day::Day;

/// Lines of a file; one of its bytes at the most has less.
const LINES_MAX: usize = 100_000;
/// Days of one event: nobody closes for longer, and whoever lists days one by one needs no more.
const EVENT_DAYS_MAX: u64 = 366;
/// Occurrences of one event: one a week for a hundred years.
const OCCURRENCES_MAX: u16 = 5_300;
/// Days of a file: a hundred a year for a hundred years.
const DAYS_MAX: usize = 10_000;
/// Calendars repeat what began long ago. What recurs for ever ends with the last of these years.
const YEARS: RangeInclusive<i32> = 1900..=2099;

/// What is wrong with a file, and on which line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Flaw {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// `NAME;PARAMETERS:value`, put together again where it was folded.
#[derive(Debug, Clone)]
struct Line {
    number: usize,
    name: String,
    value: String,
}

impl Line {
    fn flaw(&self, message: &str) -> Flaw {
        Flaw::new(self.number, format!("{} {message}: {}", self.name, quoted(&self.value)))
    }
}

/// An event while it is read.
#[derive(Debug, Default)]
struct Event {
    start: Option<Line>,
    end: Option<Line>,
    duration: Option<Line>,
    rules: Vec<Line>,
    more: Vec<Line>,
    without: Vec<Line>,
    is_cancelled: bool,
}

/// All days that the events of a calendar take.
pub(super) fn days(text: &str) -> Result<BTreeSet<Day>, Flaw> {
    let mut open: Vec<String> = Vec::new();
    let mut event = Event::default();
    let mut days = BTreeSet::new();
    let mut last = 0;
    for line in lines(text)? {
        last = line.number;
        let inside = open.last().map(String::as_str);
        match (line.name.as_str(), inside) {
            ("BEGIN", _) => {
                let what = line.value.trim().to_ascii_uppercase();
                if (what == "VCALENDAR") != open.is_empty() {
                    return Err(line.flaw("is not where it belongs"));
                }
                if what == "VEVENT" {
                    event = Event::default();
                }
                open.push(what);
            }
            ("END", Some(what)) if line.value.trim().eq_ignore_ascii_case(what) => {
                if what == "VEVENT" {
                    days.extend(std::mem::take(&mut event).days(&line)?);
                    if days.len() > DAYS_MAX {
                        return Err(Flaw::new(line.number, format!("more than {DAYS_MAX} days")));
                    }
                }
                open.pop();
            }
            ("END", _) => return Err(line.flaw("closes what is not open")),
            (_, None) => return Err(line.flaw("is not inside of BEGIN:VCALENDAR")),
            (_, Some("VEVENT")) => event.take(line)?,
            // Time zones, tasks, alarms, and what is said of the calendar itself.
            (_, Some(_)) => {}
        }
    }
    match open.last() {
        Some(what) => Err(Flaw::new(last, format!("the file ends inside of {}", quoted(what)))),
        None => Ok(days),
    }
}

/// The lines, unfolded: one that begins with a blank continues the one before it.
fn lines(text: &str) -> Result<Vec<Line>, Flaw> {
    let mut folded: Vec<(usize, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if number > LINES_MAX {
            return Err(Flaw::new(number, format!("more than {LINES_MAX} lines")));
        }
        match (line.strip_prefix([' ', '\t']), folded.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            (Some(_), None) => return Err(Flaw::new(number, "continues nothing")),
            (None, _) if line.trim().is_empty() => {}
            (None, _) => folded.push((number, line.to_owned())),
        }
    }
    folded.into_iter().map(|(number, line)| content(number, &line)).collect()
}

fn content(number: usize, line: &str) -> Result<Line, Flaw> {
    let mut is_quoted = false;
    let colon = line.find(|c| {
        is_quoted ^= c == '"';
        c == ':' && !is_quoted
    });
    let parts = colon.and_then(|colon| Some((line.get(..colon)?, line.get(colon + 1..)?)));
    let Some((name, value)) = parts else {
        return Err(Flaw::new(number, format!("no `NAME:value`: {}", quoted(line))));
    };
    let name = name.split(';').next().unwrap_or(name).trim().to_ascii_uppercase();
    Ok(Line { number, name, value: value.trim().to_owned() })
}

impl Event {
    fn take(&mut self, line: Line) -> Result<(), Flaw> {
        let place = match line.name.as_str() {
            "DTSTART" => &mut self.start,
            "DTEND" => &mut self.end,
            "DURATION" => &mut self.duration,
            "RRULE" => {
                self.rules.push(line);
                return Ok(());
            }
            "RDATE" => {
                self.more.push(line);
                return Ok(());
            }
            "EXDATE" => {
                self.without.push(line);
                return Ok(());
            }
            "RECURRENCE-ID" | "EXRULE" => return Err(line.flaw("is not understood")),
            "STATUS" => {
                self.is_cancelled = line.value.eq_ignore_ascii_case("CANCELLED");
                return Ok(());
            }
            _ => return Ok(()),
        };
        if place.is_some() {
            return Err(line.flaw("is there twice"));
        }
        *place = Some(line);
        Ok(())
    }

    /// The days that it takes; `end` is the line on which it ends.
    fn days(self, end: &Line) -> Result<Vec<Day>, Flaw> {
        if self.is_cancelled {
            return Ok(Vec::new());
        }
        let Some(start) = &self.start else {
            return Err(Flaw::new(end.number, "an event without DTSTART"));
        };
        let (first, length_days) = self.span(start)?;
        let mut begins: BTreeSet<NaiveDate> = BTreeSet::from([first]);
        for rule in &self.rules {
            begins.extend(occurrences(rule, first)?);
        }
        for line in &self.more {
            begins.extend(dates(line)?);
        }
        for line in &self.without {
            for date in dates(line)? {
                begins.remove(&date);
            }
        }
        let each =
            |begin: NaiveDate| (0..length_days).filter_map(move |day| begin.checked_add_days(Days::new(day)));
        let days = begins.into_iter().flat_map(each).filter(|date| KNOWN_YEARS.contains(&date.year()));
        Ok(days.map(Day::from).collect())
    }

    /// Its first day, and how many days it touches.
    fn span(&self, start: &Line) -> Result<(NaiveDate, u64), Flaw> {
        let (begin, is_whole_day) = instant(start)?;
        let (line, end) = match (&self.end, &self.duration) {
            (Some(line), _) => (line, instant(line)?.0),
            (None, Some(line)) => (line, begin + duration(line)?),
            (None, None) if is_whole_day => (start, begin + TimeDelta::days(1)),
            (None, None) => (start, begin),
        };
        if end < begin {
            return Err(line.flaw("is before the event begins"));
        }
        // The end is the first moment that is not part of it; some write whole days that end where they begin.
        let last = (end - TimeDelta::nanoseconds(1)).max(begin).date();
        let days = last.signed_duration_since(begin.date()).num_days();
        let days = u64::try_from(days).unwrap_or(0) + 1;
        if days > EVENT_DAYS_MAX {
            return Err(line.flaw(&format!("makes it longer than {EVENT_DAYS_MAX} days")));
        }
        Ok((begin.date(), days))
    }
}

/// `20261224` or `20261224T120000`, with whatever zone; and whether it is a whole day.
fn instant(line: &Line) -> Result<(NaiveDateTime, bool), Flaw> {
    let wrong = || line.flaw("is no date such as 20261224 or 20261224T120000");
    let text = line.value.trim_end_matches(['Z', 'z']);
    let (instant, is_whole_day) = match NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S") {
        Ok(instant) => (instant, false),
        Err(_) => (date(text).ok_or_else(wrong)?.and_time(NaiveTime::MIN), true),
    };
    if YEARS.contains(&instant.year()) {
        return Ok((instant, is_whole_day));
    }
    Err(line.flaw(&format!("is not between the years {} and {}", YEARS.start(), YEARS.end())))
}

fn date(text: &str) -> Option<NaiveDate> {
    let date = text.get(..8).filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()))?;
    NaiveDate::parse_from_str(date, "%Y%m%d").ok().filter(|_| text.len() == 8)
}

/// The dates of a list.
fn dates(line: &Line) -> Result<Vec<NaiveDate>, Flaw> {
    let each = line.value.split(',').map(|text| {
        let part = Line { value: text.trim().to_owned(), ..line.clone() };
        instant(&part).map(|(at, _)| at.date())
    });
    each.collect()
}

/// `P1D`, `P2W`.
fn duration(line: &Line) -> Result<TimeDelta, Flaw> {
    let wrong = || line.flaw("is not understood; whole days such as P1D and weeks such as P2W are");
    let text = line.value.strip_prefix('P').ok_or_else(wrong)?;
    let (text, each) = match (text.strip_suffix('D'), text.strip_suffix('W')) {
        (Some(days), _) => (days, 1),
        (None, Some(weeks)) => (weeks, 7),
        (None, None) => return Err(wrong()),
    };
    let count: u16 = text.parse().map_err(|_| wrong())?;
    Ok(TimeDelta::days(i64::from(count) * each))
}

/// The days on which a rule begins the event again, until the last of [`YEARS`].
fn occurrences(line: &Line, first: NaiveDate) -> Result<Vec<NaiveDate>, Flaw> {
    let refused = |error: rrule::RRuleError| line.flaw(&format!("is no rule ({error})"));
    // Where the event ends as a date, the rule may not end as an instant: only its date counts here.
    let is_until = |part: &&str| part.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("UNTIL="));
    let parts: Vec<&str> = line.value.split(';').collect();
    let rest = parts.iter().filter(|part| !is_until(part)).copied().collect::<Vec<_>>().join(";");
    let until = match parts.iter().find(|part| is_until(part)).and_then(|part| part.get(6..)) {
        Some(text) => {
            let text = text.get(..8).unwrap_or(text);
            date(text).ok_or_else(|| line.flaw("ends on no date"))?
        }
        None => NaiveDate::from_ymd_opt(*YEARS.end(), 12, 31).unwrap_or(NaiveDate::MAX),
    };
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc().with_timezone(&Tz::UTC);
    let mut rule: RRule<Unvalidated> = rest.parse().map_err(refused)?;
    if rule.get_count().is_none() {
        rule = rule.until(midnight(until.max(first)));
    }
    let rule = rule.validate(midnight(first)).map_err(refused)?;
    let result = RRuleSet::new(midnight(first)).rrule(rule).all(OCCURRENCES_MAX);
    if result.limited {
        return Err(line.flaw(&format!("recurs more than {OCCURRENCES_MAX} times, or hardly ever")));
    }
    Ok(result.dates.into_iter().map(|at| at.date_naive()).filter(|date| *date <= until).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(event: &str) -> String {
        format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n")
    }

    #[test]
    fn an_event_takes_the_days_that_it_touches() {
        for (event, expected) in [
            ("DTSTART;VALUE=DATE:20261224", "2026-12-24"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261224", "2026-12-24"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261226", "2026-12-24 2026-12-25"),
            ("DTSTART:20261224T120000Z\nDTEND:20261225T000000Z", "2026-12-24"),
            ("DTSTART:20261224T120000\nDTEND:20261225T000001", "2026-12-24 2026-12-25"),
            ("DTSTART;TZID=\"a:b\":20261224T235900", "2026-12-24"),
            ("DTSTART:20261224\nDURATION:P1W\nEXDATE:20261224", ""),
            ("dtstart:20240229\nrrule:freq=yearly;until=20320101", "2024-02-29 2028-02-29"),
            ("DTSTART:20260101\nRRULE:FREQ=YEARLY;COUNT=2", "2026-01-01 2027-01-01"),
            ("DTSTART:20260101\nRRULE:FREQ=YEARLY;UNTIL=20250101", "2026-01-01"),
            ("DTSTART:20980101\nRRULE:FREQ=YEARLY", "2098-01-01 2099-01-01"),
            ("DTSTART:20260101\nSTATUS:cancelled", ""),
            ("DTSTART:19990101", ""),
            ("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01"),
        ] {
            let days = days(&calendar(event)).unwrap_or_else(|flaw| panic!("{event}: {flaw:?}"));
            let days: Vec<_> = days.iter().map(ToString::to_string).collect();
            assert_eq!(days.join(" "), expected, "{event}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let folded = "BEGIN:VCALENDAR\r\nX-A:1\r\n 2\r\n\r\nBEGIN:VEVENT\r\nDTSTART:today\r\nEND:VEVENT\r\n\
                      END:VCALENDAR";
        for (text, line, message) in [
            ("", 0, ""),
            (" folded", 1, "continues nothing"),
            ("hello", 1, "no `NAME:value`: \"hello\""),
            ("VERSION:2.0", 1, "VERSION is not inside of BEGIN:VCALENDAR: \"2.0\""),
            ("BEGIN:VEVENT", 1, "BEGIN is not where it belongs: \"VEVENT\""),
            ("BEGIN:VCALENDAR\nEND:VEVENT", 2, "END closes what is not open: \"VEVENT\""),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", 2, "the file ends inside of \"VEVENT\""),
            (folded, 6, "DTSTART is no date such as 20261224 or 20261224T120000: \"today\""),
            (&calendar("SUMMARY:x"), 4, "an event without DTSTART"),
            (
                &calendar("DTSTART:20260230"),
                3,
                "DTSTART is no date such as 20261224 or 20261224T120000: \"20260230\"",
            ),
            (
                &calendar("DTSTART:99990101"),
                3,
                "DTSTART is not between the years 1900 and 2099: \"99990101\"",
            ),
            (&calendar("DTSTART:20260101\nDTSTART:20260102"), 4, "DTSTART is there twice: \"20260102\""),
            (
                &calendar("DTSTART:20260102\nDTEND:20260101"),
                4,
                "DTEND is before the event begins: \"20260101\"",
            ),
            (
                &calendar("DTSTART:20260102\nDTEND:20280101"),
                4,
                "DTEND makes it longer than 366 days: \"20280101\"",
            ),
            (
                &calendar("DTSTART:20260102\nDURATION:PT8H"),
                4,
                "DURATION is not understood; whole days such as P1D and weeks such as P2W are: \"PT8H\"",
            ),
            (
                &calendar("DTSTART:20260102\nRRULE:FREQ=DAILY"),
                4,
                "RRULE recurs more than 5300 times, or hardly ever: \"FREQ=DAILY\"",
            ),
            (
                &calendar("DTSTART:20260102\nRRULE:FREQ=YEARLY;UNTIL=soon"),
                4,
                "RRULE ends on no date: \"FREQ=YEARLY;UNTIL=soon\"",
            ),
            (
                &calendar("DTSTART:20260102\nRECURRENCE-ID:20260102"),
                4,
                "RECURRENCE-ID is not understood: \"20260102\"",
            ),
        ] {
            let told = days(text).err().unwrap_or(Flaw::new(0, ""));
            assert_eq!(told, Flaw::new(line, message), "{text}");
        }
        let flaw = days(&calendar("DTSTART:20260102\nRRULE:FREQ=OFTEN")).unwrap_err();
        assert!(flaw.line == 4 && flaw.message.starts_with("RRULE is no rule ("), "{flaw:?}");
    }

    #[test]
    fn a_calendar_of_meetings_is_refused() {
        let event = |day: usize| {
            format!(
                "BEGIN:VEVENT\nDTSTART:{}0101\nRRULE:FREQ=WEEKLY;COUNT=5200;BYDAY={}\nEND:VEVENT\n",
                2000,
                ["MO", "TU", "WE"][day]
            )
        };
        let text: String = (0..3).map(event).collect();
        let flaw = days(&format!("BEGIN:VCALENDAR\n{text}END:VCALENDAR\n")).unwrap_err();
        assert_eq!(flaw.message, "more than 10000 days");
    }
}
