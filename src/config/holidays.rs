//! `regressions.holidays`: days on which nobody works, from a table of countries or a calendar file.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::Datelike as _;
use opening_hours::localization::Country;

use super::ics;
use super::reader::{Once, Value, quoted};
use super::secret::read_limited;
use super::value::every;
use crate::model::day::Day;

/// How a calendar file's name ends; everything else is a country.
const CALENDAR_ENDING: &str = ".ics";
/// Public holidays of a country for a hundred years have a tenth of this; a larger file is a calendar of meetings.
const CALENDAR_BYTES_MAX: u64 = 1024 * 1024;
/// The longest `history` in years: so far back the table must know the country's holidays.
const YEARS_BEFORE: i32 = 10;
/// And so far ahead: whoever reloads once a year is never without.
const YEARS_AFTER: i32 = 1;
/// Codes of countries as people write them, where they are not those of ISO 3166.
const OTHER_CODES: [(&str, &str); 2] = [("UK", "GB"), ("EL", "GR")];

/// What it was called, and its days.
type Named = (String, BTreeSet<Day>);

/// One source of holidays or several.
pub(super) fn holidays(value: &Value<'_>, today: Day) -> Option<Vec<Named>> {
    if let Some(name) = value.as_text() {
        return one(value, name, today).map(|days| vec![(name.to_owned(), days)]);
    }
    let mut once = Once::default();
    every(value.some_items("countries and calendar files")?.iter().map(|item| {
        let name = item.text("a country such as \"DE\", or a calendar file: \"holidays.ics\"")?;
        let days = one(item, name, today)?;
        once.claim(item, name).then(|| (name.to_owned(), days))
    }))
}

fn one(value: &Value<'_>, name: &str, today: Day) -> Option<BTreeSet<Day>> {
    if name.to_ascii_lowercase().ends_with(CALENDAR_ENDING) {
        file(value, name)
    } else {
        country(value, name, today)
    }
}

/// The days that are public holidays in all of a country.
fn country(value: &Value<'_>, code: &str, today: Day) -> Option<BTreeSet<Day>> {
    let Ok(country) = code.parse::<Country>() else {
        let help = if let Some((_, iso)) = OTHER_CODES.iter().find(|(other, _)| *other == code) {
            format!("did you mean {iso:?}?")
        } else if code.to_ascii_uppercase().parse::<Country>().is_ok() {
            format!("did you mean {:?}?", code.to_ascii_uppercase())
        } else if code.split_once('-').is_some_and(|(country, _)| country.parse::<Country>().is_ok()) {
            "the table has what is a holiday in the whole country; name a calendar file for a region"
                .to_owned()
        } else {
            "two letters of ISO 3166 such as \"DE\", or the path of a calendar file that ends in .ics"
                .to_owned()
        };
        value.refuse_with(format!("no holidays are known of {}", quoted(code)), help);
        return None;
    };
    let calendar = country.holidays();
    let days: BTreeSet<Day> = calendar.get_public().iter().map(Day::from).collect();
    let known: BTreeSet<i32> = days.iter().map(|day| day.date().year()).collect();
    let year = today.date().year();
    let needed = year - YEARS_BEFORE..=year + YEARS_AFTER;
    if let Some(unknown) = needed.clone().find(|year| !known.contains(year)) {
        value.refuse_with(
            format!("no holidays of {code} are known in {unknown}"),
            format!("name a calendar file that has those of {} to {}", needed.start(), needed.end()),
        );
        return None;
    }
    Some(days)
}

/// The days of a calendar file.
fn file(value: &Value<'_>, path: &str) -> Option<BTreeSet<Day>> {
    let text = match read_limited(Path::new(path), CALENDAR_BYTES_MAX) {
        Ok(text) => text,
        Err(error) => {
            value.refuse_with(
                format!("the calendar file cannot be read: {}", error.kind()),
                "its path is relative to the working directory",
            );
            return None;
        }
    };
    match ics::days(&text) {
        Ok(days) if days.is_empty() => {
            value.refuse("the calendar file has no events");
            None
        }
        Ok(days) => Some(days),
        Err(flaw) => {
            value.refuse(format!("line {} of the calendar file: {}", flaw.line, flaw.message));
            None
        }
    }
}
