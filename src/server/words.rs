//! Numbers in words, for people. What is unknown has no words: the page shows a dash.

use super::measure_page;
use crate::engine::interval::Interval;
use crate::engine::regression::machine::State;
use crate::engine::snapshot::{ComponentView, WindowValues};
use crate::model::measure::Measure;
use crate::model::time::{Span, Timestamp};

const SECONDS_PER_MINUTE: i64 = 60;
const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_DAY: i64 = 86_400;
const MILLIS_PER_SECOND: i64 = 1_000;
const DAYS_PER_WEEK: f64 = 7.0;

/// A number of a measure, in the unit of its metric.
pub(super) fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => rate(value),
        Measure::ChangeFailRatio | Measure::ReworkRatio => share(value),
        Measure::LeadTime | Measure::RecoveryTime => seconds(value),
    }
}

/// The ends of what such a number lies in, in the unit in which the number itself is written: `2.7` and `3.8`.
pub(super) fn range(measure: Measure, value: f64, interval: Interval) -> (String, String) {
    let Interval { lower, upper } = interval;
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => {
            let (factor, _) = rate_unit(value);
            (digits(lower * factor), digits(upper * factor))
        }
        Measure::ChangeFailRatio | Measure::ReworkRatio => (format!("{:.1}", lower * 100.0), share(upper)),
        Measure::LeadTime | Measure::RecoveryTime => (seconds(lower), seconds(upper)),
    }
}

/// What such a number rests on: so many deployments, changes, recoveries or incidents.
pub(super) fn sample(measure: Measure, values: &WindowValues) -> u64 {
    let WindowValues { delivery, incidents, coverage: _, complete: _, bounds: _ } = values;
    let delivery = delivery.as_ref();
    let found = match measure {
        Measure::DeploymentsPerDay | Measure::ChangeFailRatio | Measure::ReworkRatio => {
            delivery.map(|delivery| delivery.deployments)
        }
        Measure::LeadTime => delivery.map(|delivery| delivery.changes),
        Measure::RecoveryTime => delivery.map(|delivery| delivery.recovered_deployments),
        Measure::IncidentsPerDay => incidents.as_ref().map(|incidents| incidents.started.values().sum()),
    };
    found.unwrap_or_default()
}

/// A rate: `3.2 per day`, `1.5 per week`.
pub(super) fn rate(per_day: f64) -> String {
    let (factor, unit) = rate_unit(per_day);
    format!("{} {unit}", digits(per_day * factor))
}

/// What is less than one a day is counted by the week.
fn rate_unit(per_day: f64) -> (f64, &'static str) {
    if per_day >= 1.0 || per_day <= 0.0 { (1.0, "per day") } else { (DAYS_PER_WEEK, "per week") }
}

/// A digit behind the point, or two of less than one.
fn digits(number: f64) -> String {
    if number > 0.0 && number < 1.0 { format!("{number:.2}") } else { format!("{number:.1}") }
}

/// A share: `12.5 %`.
pub(super) fn share(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// An instant: `2026-11-22 19:34:45 UTC`.
pub(super) fn instant(at: Timestamp) -> String {
    at.datetime().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time: the two largest units.
pub(super) fn span(span: Span) -> String {
    let seconds = span.millis() / MILLIS_PER_SECOND;
    let (days, hours) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR);
    let (minutes, rest) = (seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE, seconds % SECONDS_PER_MINUTE);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{rest} s")
    }
}

/// A name as one part of a path.
pub(super) fn segment(name: &str) -> String {
    // A path has no other way to write a space.
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The label of a stored state, for people.
pub(super) fn state(label: &str) -> &str {
    let known = State::ALL.into_iter().find(|state| state.label() == label);
    known.map_or(label, |state| measure_page::state(state))
}

/// Whether an address may be followed from a page.
pub(super) fn is_of_the_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// What the rule of a component leaves out.
pub(super) fn seen_instead(component: &ComponentView) -> String {
    let choice = &component.choice;
    match (choice.left_out, choice.left_out_names.as_slice()) {
        (0, _) => "nothing else was seen".to_owned(),
        (count, []) => format!("{count} others were seen"),
        (count, names) => format!("seen instead: {count}, of {}", names.join(", ")),
    }
}

/// Seconds as metrics have them, with one digit while there are few.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { span(whole(seconds)) }
}

#[expect(clippy::cast_possible_truncation, reason = "such a cast saturates; parts of a second are not shown")]
fn whole(seconds: f64) -> Span {
    Span::from_seconds(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(span(Span::from_seconds(seconds)), words);
        }
    }

    #[test]
    fn an_instant_is_a_date_and_a_time_of_day() {
        assert_eq!(instant(Timestamp::from_millis(1_795_376_085_534)), "2026-11-22 19:34:45 UTC");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for (url, expected) in [
            ("https://example.com/1", true),
            ("http://example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("", false),
        ] {
            assert_eq!(is_of_the_web(url), expected, "{url}");
        }
        assert_eq!(segment("pay ments/é"), "pay%20ments%2F%C3%A9");
    }

    #[test]
    fn rates_below_one_a_day_are_per_week() {
        for (per_day, words) in
            [(3.21, "3.2 per day"), (0.0, "0.0 per day"), (0.5, "3.5 per week"), (0.05, "0.35 per week")]
        {
            assert_eq!(rate(per_day), words);
        }
    }

    #[test]
    fn a_range_is_in_the_unit_of_its_number() {
        for (measure, value, (lower, upper), words) in [
            (Measure::DeploymentsPerDay, 3.2, (0.9, 5.0), ("0.90", "5.0")),
            (Measure::IncidentsPerDay, 0.5, (0.1, 1.5), ("0.70", "10.5")),
            (Measure::ChangeFailRatio, 0.125, (0.0, 0.3), ("0.0", "30.0 %")),
            (Measure::LeadTime, 9_000.0, (3_600.0, 200_000.0), ("1 h 0 min", "2 d 7 h")),
        ] {
            let (from, to) = range(measure, value, Interval { lower, upper });
            assert_eq!((from.as_str(), to.as_str()), words, "{measure:?}");
        }
    }
}
