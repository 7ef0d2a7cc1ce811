//! `[[guardrails]]`: limits that inform. What has one name is one guardrail: the organisation's, which names teams by
//! patterns, and teams' own, which name them and may only be tighter (`definitions.md` §7).

use super::reader::{Table, Value, quoted};
use super::regressions::measure;
use super::roster::Roster;
use super::value::every;
use crate::model::guardrail::{Guardrail, Limit};
use crate::model::measure::{Measure, Stat};
use crate::model::name::TeamSlug;
use crate::model::settings::Window;
use crate::model::text::closest;
use crate::model::time::Span;

/// Every one of them has five series for each of its teams.
const GUARDRAILS_MAX: usize = 100;
/// A rate is a number of deployments or incidents a day, and nobody has more.
const PER_DAY_MAX: f64 = 1_000_000.0;
/// The longest time that a window can show.
const TIME_MAX: Span = Span::from_days(731);
/// No window has more of anything.
const SAMPLES_MAX: u64 = 1_000_000;

/// The smallest n with which something is said, if it is not configured: that of `regressions.md` 3.5. A rate counts
/// even if nothing happened; of fewer than 35 times nobody knows how long the longest tenth could be.
const fn samples_min(measure: Measure, stat: Stat) -> u64 {
    match (measure, stat) {
        (Measure::DeploymentsPerDay | Measure::IncidentsPerDay, _) => 0,
        (Measure::ChangeFailRatio | Measure::ReworkRatio, _) => 10,
        (Measure::LeadTime | Measure::RecoveryTime, Stat::P50) => 6,
        (Measure::LeadTime | Measure::RecoveryTime, Stat::P90) => 35,
    }
}

/// A guardrail, and where it says what.
struct Written<'a> {
    guardrail: Guardrail,
    /// The teams that it names; `None` if it has patterns: then it is the organisation's.
    names: Option<Vec<TeamSlug>>,
    name: Value<'a>,
    limit: Value<'a>,
    min_samples: Option<Value<'a>>,
}

/// Reads all of `[[guardrails]]`.
pub(super) fn guardrails(
    document: &mut Table<'_>,
    roster: Roster<'_>,
    windows: &[Window],
) -> Option<Vec<Guardrail>> {
    let tables = document.tables("guardrails");
    if tables.len() > GUARDRAILS_MAX {
        document.refuse(&format!("more than {GUARDRAILS_MAX} guardrails"), None);
        return None;
    }
    let read = every(tables.into_iter().map(|table| guardrail(table, roster, windows)))?;
    // What is wrong with one is told once, and with all of them.
    let agrees = |(index, later): (usize, &Written<'_>)| {
        let same = |earlier: &&Written<'_>| earlier.guardrail.name == later.guardrail.name;
        read.iter().take(index).filter(same).all(|earlier| agree(earlier, later))
    };
    let agree: Vec<bool> = read.iter().enumerate().map(agrees).collect();
    agree
        .into_iter()
        .all(|agrees| agrees)
        .then(|| read.into_iter().map(|written| written.guardrail).collect())
}

fn guardrail<'a>(mut table: Table<'a>, roster: Roster<'_>, windows: &[Window]) -> Option<Written<'a>> {
    let name = table.required("name", "name = \"change-fail\"");
    let named = name.as_ref().and_then(Value::name);
    let measure =
        table.required("measure", "measure = \"change_fail_ratio\"").and_then(|value| measure(&value));
    let stat = match table.optional("stat") {
        Some(value) => quantile(&value, measure),
        None => Some(Stat::default()),
    };
    let limit = limit(&mut table, measure);
    let window = table.required("window", "window = \"30d\"").and_then(|value| window(&value, windows));
    let written_samples = table.optional("min_samples");
    let min_samples = match &written_samples {
        Some(value) => samples(value),
        None => measure.zip(stat).map(|(measure, stat)| samples_min(measure, stat)),
    };
    let teams = roster.patterns(table.optional("teams").as_ref());
    table.finish();
    let ((limit, limit_value), teams) = (limit?, teams?);
    Some(Written {
        names: teams.names(),
        guardrail: Guardrail {
            name: named?.into(),
            measure: measure?,
            stat: stat?,
            limit,
            window: window?,
            min_samples: min_samples?,
            teams,
        },
        name: name?,
        limit: limit_value,
        min_samples: written_samples,
    })
}

/// Only of times there are several numbers.
fn quantile(value: &Value<'_>, measure: Option<Measure>) -> Option<Stat> {
    let stat = value.choice(&Stat::ALL.map(|stat| (stat.label(), stat)), &[]);
    if let Some(measure) = measure.filter(|measure| !measure.is_time()) {
        value.refuse_with(
            format!("{} has no quantiles", measure.label()),
            "leave this out; only lead_time and recovery_time have them",
        );
        return None;
    }
    stat
}

/// One of `max` and `min`, and where it is said.
fn limit<'a>(table: &mut Table<'a>, measure: Option<Measure>) -> Option<(Limit, Value<'a>)> {
    let (value, limit): (_, fn(f64) -> Limit) = match (table.optional("max"), table.optional("min")) {
        (Some(max), None) => (max, Limit::Max),
        (None, Some(min)) => (min, Limit::Min),
        (Some(_), Some(min)) => {
            min.refuse_with(
                "a second limit, besides max",
                "keep one; a guardrail of another name may have the other",
            );
            return None;
        }
        (None, None) => {
            table.refuse(
                "there is no limit: the key `max` or `min` is missing",
                Some("add `max = 0.15` for a share, `max = \"24h\"` for a time, or `min = 0.5` for a rate per day"),
            );
            return None;
        }
    };
    let amount = amount(&value, measure?)?;
    Some((limit(amount), value))
}

/// A limit in the unit of the measure.
fn amount(value: &Value<'_>, measure: Measure) -> Option<f64> {
    let name = measure.label();
    match measure {
        Measure::LeadTime | Measure::RecoveryTime => {
            let why = format!("the limit of {name} is a time");
            if value.number().is_some() {
                value.refuse_with(format!("{why}, found a number"), "write a duration: \"24h\" or \"7d\"");
                return None;
            }
            value.duration(Span::from_seconds(1)..=TIME_MAX, &why).map(Span::seconds)
        }
        Measure::ChangeFailRatio | Measure::ReworkRatio => {
            let Some(share) = value.number() else {
                value.refuse_type(&format!("a share such as 0.15 as the limit of {name}"));
                return None;
            };
            let is_share = share > 0.0 && share <= 1.0;
            if !is_share {
                value.refuse_with(
                    format!("the limit of {name} is not above 0 and at most 1"),
                    "a share: 0.15 is 15 %",
                );
            }
            is_share.then_some(share)
        }
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => {
            let Some(per_day) = value.number() else {
                value.refuse_type(&format!("a number per day such as 0.5 as the limit of {name}"));
                return None;
            };
            let is_rate = per_day > 0.0 && per_day <= PER_DAY_MAX;
            if !is_rate {
                value.refuse_with(
                    format!("the limit of {name} is not above 0"),
                    "how many a day: 0.5 is one in two days",
                );
            }
            is_rate.then_some(per_day)
        }
    }
}

/// One of the windows that everything is computed for, however it is written.
fn window(value: &Value<'_>, windows: &[Window]) -> Option<Window> {
    let text = value.text("one of the windows")?;
    let length = Window::parse(text).map(|window| window.length);
    let found = windows.iter().find(|window| Some(window.length) == length);
    if found.is_none() {
        let listed: Vec<_> = windows.iter().map(|window| format!("{:?}", window.label)).collect();
        let meant = closest(text, windows.iter().map(|window| window.label.as_str()));
        let meant = meant.map_or(String::new(), |window| format!("did you mean {window:?}? "));
        value.refuse_with(
            format!("{} is none of the windows", quoted(text)),
            format!("{meant}`metrics.windows` has {}; add it there, or choose one", listed.join(", ")),
        );
    }
    found.cloned()
}

fn samples(value: &Value<'_>) -> Option<u64> {
    let count = value.integer().filter(|count| *count <= SAMPLES_MAX);
    if count.is_none() {
        value.refuse(format!("expected a whole number between 0 and {SAMPLES_MAX}"));
    }
    count
}

/// Whether two of the same name can be one guardrail; says so if not.
fn agree(earlier: &Written<'_>, later: &Written<'_>) -> bool {
    let place = format!("{} at line {}", earlier.name.table_path(), earlier.name.line());
    let (before, now) = (&earlier.guardrail, &later.guardrail);
    let differs = |what: &str, own: &str, other: &str| {
        later.name.refuse_with(
            format!("{own}, but {other} in {place}, which has the same name"),
            format!("what has one name is of one {what}; give this one another name"),
        );
        false
    };
    if now.measure != before.measure {
        return differs("measure", now.measure.label(), before.measure.label());
    }
    if now.stat != before.stat {
        return differs("stat", now.stat.label(), before.stat.label());
    }
    if now.window.length != before.window.length {
        return differs("window", &now.window.label, &before.window.label);
    }
    match (now.limit, before.limit) {
        (Limit::Max(_), Limit::Min(_)) => return differs("direction", "max", "min"),
        (Limit::Min(_), Limit::Max(_)) => return differs("direction", "min", "max"),
        (Limit::Max(_), Limit::Max(_)) | (Limit::Min(_), Limit::Min(_)) => {}
    }
    match (&earlier.names, &later.names) {
        (None, Some(names)) => is_within(later, names, earlier),
        (Some(names), None) => is_within(earlier, names, later),
        (Some(others), Some(names)) => {
            let twice = names.iter().find(|name| others.contains(name));
            if let Some(team) = twice {
                later.name.refuse(format!("{team} has a guardrail of this name of its own already: {place}"));
            }
            twice.is_none()
        }
        (None, None) => {
            let is_other = before.teams.to_string() != now.teams.to_string();
            if !is_other {
                later.name.refuse(format!(
                    "a guardrail of this name and for these teams is there already: {place}"
                ));
            }
            is_other
        }
    }
}

/// Whether a team's own guardrail is not looser than the organisation's.
fn is_within(own: &Written<'_>, names: &[TeamSlug], organization: &Written<'_>) -> bool {
    let Some(team) = names.iter().find(|name| organization.guardrail.teams.matches(name)) else {
        return true;
    };
    let place = format!("{} at line {}", organization.name.table_path(), organization.name.line());
    let help = "a team may tighten, never loosen";
    let (tight, loose) = (&organization.guardrail, &own.guardrail);
    if loose.limit.is_looser_than(tight.limit) {
        own.limit.refuse_with(format!("looser than that of {place}, which holds for {team} too"), help);
        return false;
    }
    if let Some(value) = own.min_samples.as_ref().filter(|_| loose.min_samples > tight.min_samples) {
        let message = format!("more than the {} of {place}, which holds for {team} too", tight.min_samples);
        value.refuse_with(message, help);
        return false;
    }
    true
}
