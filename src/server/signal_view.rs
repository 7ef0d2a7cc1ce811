//! A north star or a signal as the page shows it: value, way, age, and its last 90 days as a line.

use super::words;
use crate::model::day::Day;
use crate::model::signal::{Format, SignalPoint, SignalState};
use crate::model::time::{Span, Timestamp};

/// How far back the line goes.
const SHOWN: Span = Span::from_days(90);
/// Points of the line: more than every fifth pixel shows nothing more.
const POINTS_MAX: i64 = 120;
/// The drawing, in its own units: its width and height, and the room around the line.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 90.0;
const MARGIN: f64 = 5.0;

/// What the page says of a signal.
pub(super) struct SignalView<'a> {
    pub(super) title: &'a str,
    /// The newest value.
    pub(super) value: Option<String>,
    /// How old it is: `read 40 s ago`.
    pub(super) age: Option<String>,
    /// `3.1 % → 4 %`.
    pub(super) start: String,
    pub(super) target: String,
    pub(super) by: Day,
    /// How much of the way it has come, and how long there is left.
    pub(super) progress: Option<String>,
    pub(super) left: String,
    /// What is wrong.
    pub(super) trouble: Option<&'a str>,
    pub(super) promql: Option<&'a str>,
    pub(super) line: Option<Line>,
}

/// A line of values over time.
pub(super) struct Line {
    /// `x,y` of its points.
    pub(super) points: String,
    /// Where it ends.
    pub(super) end: (f64, f64),
    /// How high the target is.
    pub(super) target: f64,
    /// How long it is: `90 days`.
    pub(super) length: String,
    /// The same in words, for those who do not see it.
    pub(super) words: String,
}

/// What is said of it at an instant, that of the snapshot.
pub(super) fn view(state: &SignalState, now: Timestamp) -> SignalView<'_> {
    let SignalState { rule, history, trouble } = state;
    let latest = history.latest();
    let write = |value| number(value, rule.format);
    SignalView {
        title: rule.title(),
        value: latest.map(|point| write(point.value())),
        age: latest.map(|point| age(now.since(point.at()), rule.promql.is_some(), trouble.is_some())),
        start: write(rule.start),
        target: write(rule.target),
        by: rule.by,
        progress: latest.map(|point| progress(rule.progress(point.value()))),
        left: left(rule.days_left(now)),
        trouble: trouble.as_deref(),
        promql: rule.promql.as_deref(),
        line: line(state, now),
    }
}

fn age(age: Span, is_read: bool, is_stale: bool) -> String {
    // A value may be read after the snapshot was made.
    let age = words::span(age.max(Span::ZERO));
    match (is_read, is_stale) {
        (true, false) => format!("read {age} ago"),
        (false, false) => format!("as of {age} ago"),
        (_, true) => format!("last value, {age} old"),
    }
}

/// A share of the way, to the whole percent.
fn progress(progress: f64) -> String {
    let percent = (progress * 100.0).floor();
    if progress >= 1.0 {
        "target reached".to_owned()
    } else if progress < 0.0 {
        format!("{:.0} % of the way in the other direction", (progress * -100.0).ceil())
    } else {
        format!("{percent:.0} % of the way")
    }
}

fn left(days: i64) -> String {
    match days {
        1 => "1 day left".to_owned(),
        0 => "today is the last day".to_owned(),
        days if days > 0 => format!("{days} days left"),
        days => format!("{} days over", days.saturating_neg()),
    }
}

/// A value for people.
fn number(value: f64, format: Format) -> String {
    match format {
        Format::Number => significant(value, 4),
        Format::Percent => format!("{} %", significant(value * 100.0, 3)),
        Format::Duration => words::seconds(value),
    }
}

/// A number with so many digits that mean something, without zeros at the end, and no whole digit lost.
fn significant(value: f64, digits: i32) -> String {
    /// Decimals of the smallest numbers: what is smaller is a matter of another unit.
    const DECIMALS_MAX: i32 = 9;
    if value.abs() < f64::MIN_POSITIVE {
        return "0".to_owned();
    }
    let decimals = (digits - 1 - exponent(value)).clamp(0, DECIMALS_MAX);
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or_default());
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[expect(clippy::cast_possible_truncation, reason = "the exponent of a number has three digits")]
fn exponent(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// The line of the last 90 days, from two values on: one of each of [`POINTS_MAX`] equal parts, the last one.
fn line(state: &SignalState, now: Timestamp) -> Option<Line> {
    let shown: Vec<SignalPoint> =
        state.history.points().filter(|point| point.at() > now.minus(SHOWN) && point.at() <= now).collect();
    let (first, last) = (shown.first()?, shown.last()?);
    let length = last.at().since(first.at()).millis();
    let part = |point: &SignalPoint| {
        point.at().since(first.at()).millis().saturating_mul(POINTS_MAX).checked_div(length)
    };
    let mut thinned: Vec<&SignalPoint> = Vec::new();
    for point in &shown {
        if thinned.len() > 1 && thinned.last().and_then(|other| part(other)) == part(point) {
            thinned.pop();
        }
        thinned.push(point);
    }
    if thinned.len() < 2 {
        return None;
    }
    let target = state.rule.target;
    let (low, high) = extent(shown.iter().map(|point| point.value()));
    let (bottom, top) = extent([low, high, target, state.rule.start].into_iter());
    let x = |at: Timestamp| {
        MARGIN + at.since(first.at()).seconds() / (length_seconds(length)) * (WIDTH - 2.0 * MARGIN)
    };
    // Top and bottom differ, since target and start do. Halves keep the largest numbers finite.
    let y = |value: f64| {
        let share = (value / 2.0 - bottom / 2.0) / (top / 2.0 - bottom / 2.0);
        HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)
    };
    let place = |point: &&SignalPoint| format!("{:.1},{:.1}", x(point.at()), y(point.value()));
    let write = |value| number(value, state.rule.format);
    let words = format!(
        "{} over {}: from {} to {}, between {} and {}; the dashed line is the target, {}",
        state.rule.title(),
        long(last.at().since(first.at())),
        write(first.value()),
        write(last.value()),
        write(low),
        write(high),
        write(target),
    );
    Some(Line {
        points: thinned.iter().map(place).collect::<Vec<_>>().join(" "),
        end: (x(last.at()), y(last.value())),
        target: y(target),
        length: long(last.at().since(first.at())),
        words,
    })
}

/// A length of time, in whole days from two of them on.
fn long(span: Span) -> String {
    match span.millis().saturating_add(Span::from_hours(12).millis()) / Span::from_days(1).millis() {
        days if days >= 2 => format!("{days} days"),
        _ => words::span(span),
    }
}

fn length_seconds(millis: i64) -> f64 {
    Span::from_millis(millis).seconds()
}

fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono_tz::Tz;

    use super::*;
    use crate::model::signal::{SignalRule, Standing};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn state(points: &[(i64, f64)], trouble: Option<&str>) -> SignalState {
        let point =
            |(days, value): &(i64, f64)| SignalPoint::new(NOW.minus(Span::from_days(*days)), *value).unwrap();
        let rule = SignalRule {
            standing: Standing::NorthStar,
            name: "conversion".into(),
            title: None,
            promql: Some(Arc::from("a")),
            start: 0.031,
            target: 0.04,
            by: Day::of(NOW, Tz::UTC),
            deadline: NOW.plus(Span::from_days(3)),
            format: Format::Percent,
        };
        SignalState {
            rule: Arc::new(rule),
            history: points.iter().map(point).collect(),
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn numbers_keep_their_digits_that_mean_something() {
        for (value, format, words) in [
            (0.0, Format::Number, "0"),
            (1_234_567.8, Format::Number, "1234568"),
            (12.0, Format::Number, "12"),
            (12.346, Format::Number, "12.35"),
            (-0.001_234_56, Format::Number, "-0.001235"),
            (100.0, Format::Number, "100"),
            (0.031, Format::Percent, "3.1 %"),
            (0.031_26, Format::Percent, "3.13 %"),
            (1.0, Format::Percent, "100 %"),
            (0.25, Format::Duration, "0.2 s"),
            (7_260.0, Format::Duration, "2 h 1 min"),
        ] {
            assert_eq!(number(value, format), words, "{value}");
        }
    }

    #[test]
    fn the_way_and_the_time_are_told_in_words() {
        for (share, words) in [
            (0.0, "0 % of the way"),
            (0.999, "99 % of the way"),
            (1.0, "target reached"),
            (1.7, "target reached"),
            (-0.005, "1 % of the way in the other direction"),
        ] {
            assert_eq!(progress(share), words);
        }
        for (days, words) in
            [(2, "2 days left"), (1, "1 day left"), (0, "today is the last day"), (-3, "3 days over")]
        {
            assert_eq!(left(days), words);
        }
    }

    #[test]
    fn a_value_has_its_age_and_a_stale_one_says_so() {
        let state_ok = state(&[(1, 0.034)], None);
        let shown = view(&state_ok, NOW);
        assert_eq!((shown.value.as_deref(), shown.age.as_deref()), (Some("3.4 %"), Some("read 1 d 0 h ago")));
        assert_eq!(
            (shown.progress.as_deref(), shown.left.as_str()),
            (Some("33 % of the way"), "3 days left")
        );
        assert!(shown.line.is_none(), "one value is no line");
        let stale = state(&[(1, 0.034)], Some("no answer"));
        assert_eq!(view(&stale, NOW).age.as_deref(), Some("last value, 1 d 0 h old"));
        let unknown = state(&[], None);
        let shown = view(&unknown, NOW);
        assert_eq!((shown.value, shown.age, shown.progress), (None, None, None));
    }

    #[test]
    fn a_line_goes_from_the_first_value_to_the_last_and_knows_the_target() {
        let state = state(&[(100, 0.9), (80, 0.031), (40, 0.03), (0, 0.04)], None);
        let line = line(&state, NOW).unwrap();
        assert_eq!(line.points, "5.0,77.0 300.0,85.0 595.0,5.0");
        assert!((line.target - 5.0).abs() < 1e-9 && (line.end.0 - 595.0).abs() < 1e-9);
        assert_eq!(
            line.words,
            "conversion over 80 days: from 3.1 % to 4 %, between 3 % and 4 %; the dashed line is the target, 4 %"
        );
    }

    #[test]
    fn many_values_make_a_line_of_few_points() {
        let hours = |hour| SignalPoint::new(NOW.minus(Span::from_hours(hour)), 0.03).unwrap();
        let mut many = state(&[], None);
        many.history = (0..2_000).map(hours).collect();
        let points = line(&many, NOW).unwrap().points;
        let count = i64::try_from(points.split(' ').count()).unwrap();
        assert!((POINTS_MAX..=POINTS_MAX + 2).contains(&count), "{count}");
    }
}
