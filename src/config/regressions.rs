//! `[regressions]`, `[[quiet_periods]]`, `[[accepted]]` and `[[raised]]`.

use super::holidays::holidays;
use super::reader::{Once, Table, Value, quoted};
use super::roster::Roster;
use super::value::every;
use crate::model::day::Day;
use crate::model::measure::{Measure, Sensitivity};
use crate::model::name::TeamSlug;
use crate::model::regressions::{Accepted, QuietPeriod, Raised, RegressionSettings};
use crate::model::text::closest;

/// Characters of a reason: it is shown beside the number that it explains.
const REASON_CHARS_MAX: usize = 300;

/// A score that no history reaches: a larger threshold is a mistake.
const THRESHOLD_MAX: f64 = 100.0;

/// Reads all four; `today` is the organisation's.
pub(super) fn regressions(
    document: &mut Table<'_>,
    roster: Roster<'_>,
    today: Day,
) -> Option<RegressionSettings> {
    let settings = section(document, today);
    let quiet = document.tables("quiet_periods");
    let quiet = every(quiet.into_iter().map(|table| quiet_period(table, roster)));
    let mut once = Once::default();
    let accepted = document.tables("accepted");
    let accepted = every(accepted.into_iter().map(|table| self::accepted(table, roster, today, &mut once)));
    let raised = document.tables("raised");
    let mut once = Once::default();
    let raised = every(raised.into_iter().map(|table| self::raised(table, roster, &mut once)));
    Some(RegressionSettings { quiet: quiet?, accepted: accepted?, raised: raised?, ..settings? })
}

fn section(document: &mut Table<'_>, today: Day) -> Option<RegressionSettings> {
    let mut settings = RegressionSettings::default();
    let Some(mut table) = document.table("regressions") else {
        return (!document.has("regressions")).then_some(settings);
    };
    let choices = Sensitivity::ALL.map(|sensitivity| (sensitivity.label(), sensitivity));
    let sensitivity = match table.optional("sensitivity") {
        Some(value) => value.choice(&choices, &[]),
        None => Some(Sensitivity::default()),
    };
    let calendar = match table.optional("holidays") {
        Some(value) => holidays(&value, today),
        None => Some(Vec::new()),
    };
    table.finish();
    settings.sensitivity = sensitivity?;
    for (name, days) in calendar? {
        settings.holidays.push(name);
        settings.closed.extend(days);
    }
    Some(settings)
}

fn quiet_period(mut table: Table<'_>, roster: Roster<'_>) -> Option<QuietPeriod> {
    let from = table.required("from", "from = \"2026-08-01\"").and_then(|value| value.day());
    let until = table.required("to", "to = \"2026-08-31\"");
    let to = until.as_ref().and_then(Value::day);
    let factor = table.required("factor", "factor = 0.75").and_then(|value| share(&value));
    let teams = roster.patterns(table.optional("teams").as_ref());
    table.finish();
    let (from, to) = (from?, to?);
    if to < from {
        if let Some(until) = until {
            until.refuse_with(
                format!("{to} is before {from}"),
                "`from` is the first day and `to` the last one; both belong to it",
            );
        }
        return None;
    }
    Some(QuietPeriod { from, to, factor: factor?, teams: teams? })
}

/// What a day is worth.
fn share(value: &Value<'_>) -> Option<f64> {
    let Some(number) = value.number() else {
        value.refuse_type("a number such as 0.75");
        return None;
    };
    if number > 0.0 && number <= 1.0 {
        return Some(number);
    }
    value.refuse_with(
        "not above 0 and at most 1",
        "what a day is worth: 0.75 if a quarter less happens; days on which nobody works belong into `holidays`",
    );
    None
}

fn accepted(mut table: Table<'_>, roster: Roster<'_>, today: Day, once: &mut Once) -> Option<Accepted> {
    let written = table.required("team", "team = \"payments\"");
    let team = written.as_ref().and_then(|value| roster.slug(value, value.name()?));
    let measure = table.required("measure", "measure = \"lead_time\"").and_then(|value| measure(&value));
    let from = table.required("from", "from = \"2026-05-01\"").and_then(|value| {
        let day = value.day()?;
        if day > today {
            value.refuse_with(
                format!("{day} is in the future"),
                "a new normal can be accepted once it is there",
            );
            return None;
        }
        Some(day)
    });
    let reason = table.required("reason", "reason = \"why it is so now\"").and_then(|value| reason(&value));
    let link = match table.optional("link") {
        Some(value) => value.url().map(|url| Some(url.to_string())),
        None => Some(None),
    };
    table.finish();
    let (team, measure, from) = (team?, measure?, from?);
    if let Some(value) = written
        && !is_first(&value, once, &team, measure, from)
    {
        return None;
    }
    Some(Accepted { team, measure, from, reason: reason?, link: link? })
}

/// Whether nothing has been accepted for the same team, measure and day; says so otherwise.
fn is_first(value: &Value<'_>, once: &mut Once, team: &TeamSlug, measure: Measure, from: Day) -> bool {
    let former = once.former(value, &format!("{team} {} {from}", measure.label()));
    if let Some((line, path)) = &former {
        let other = path.trim_end_matches(".team");
        value.refuse(format!("the same as {other} at line {line}: {} from {from}", measure.label()));
    }
    former.is_none()
}

fn raised(mut table: Table<'_>, roster: Roster<'_>, once: &mut Once) -> Option<Raised> {
    let written = table.required("team", "team = \"payments\"");
    let team = written.as_ref().and_then(|value| roster.slug(value, value.name()?));
    let measure = table.required("measure", "measure = \"lead_time\"").and_then(|value| measure(&value));
    let threshold = table.required("threshold", "threshold = 4.2").and_then(|value| threshold(&value));
    table.finish();
    let (team, measure) = (team?, measure?);
    if let Some(value) = written
        && let Some((line, path)) = once.former(&value, &format!("{team} {}", measure.label()))
    {
        let other = path.trim_end_matches(".team");
        value.refuse(format!("the same as {other} at line {line}: {}", measure.label()));
        return None;
    }
    Some(Raised { team, measure, threshold: threshold? })
}

fn threshold(value: &Value<'_>) -> Option<f64> {
    let Some(number) = value.number() else {
        value.refuse_type("a number such as 4.2");
        return None;
    };
    if number > 0.0 && number <= THRESHOLD_MAX {
        return Some(number);
    }
    value.refuse_with(
        format!("not above 0 and at most {THRESHOLD_MAX}"),
        "a score in standard deviations, as `sextant backtest` says it",
    );
    None
}

/// One of the six.
pub(super) fn measure(value: &Value<'_>) -> Option<Measure> {
    let listed = || Measure::ALL.map(Measure::label).join(", ");
    let name = value.text(&format!("one of {}", listed()))?;
    let measure = Measure::named(name);
    if measure.is_none() {
        let meant = closest(name, Measure::ALL.into_iter().map(Measure::label));
        let meant = meant.map_or(String::new(), |label| format!("did you mean {label:?}? "));
        value.refuse_with(
            format!("unknown measure {}", quoted(name)),
            format!("{meant}measures: {}", listed()),
        );
    }
    measure
}

/// Why, on one line.
fn reason(value: &Value<'_>) -> Option<String> {
    let text = value.text("a sentence that says why")?;
    if text.trim().is_empty() {
        value.refuse("a reason is empty");
    } else if text.chars().any(char::is_control) {
        value.refuse_with("a reason has line breaks or other control characters", "say it on one line");
    } else if text.chars().count() > REASON_CHARS_MAX {
        value.refuse_with(
            format!("a reason is longer than {REASON_CHARS_MAX} characters"),
            "give a `link` to more",
        );
    } else {
        return Some(text.trim().to_owned());
    }
    None
}
