//! What `/api/v1/series` is asked for, read from its parameters: everything that is wrong is told, nothing is ignored.

use chrono_tz::Tz;

use crate::engine::series::Instants;
use crate::model::day::{self, Day};
use crate::model::measure::{Measure, Stat};
use crate::model::settings::{MetricSettings, Window};
use crate::model::time::{Span, Timestamp};
use crate::server::parameters::Parameters;
use crate::server::problem::Problem;

/// Instants of one series: what Prometheus allows, too, and more than any screen has points.
const INSTANTS_MAX: usize = 11_000;
/// The finest step: what Prometheus scrapes at.
const STEP_MIN: Span = Span::from_seconds(15);
/// How far back a series goes that says nothing of its beginning.
const DEFAULT_RANGE: Span = Span::from_days(90);
const DEFAULT_STEP: Span = Span::from_days(1);
/// The window of which people speak.
const DEFAULT_WINDOW: &str = "30d";

/// All parameters.
pub(super) const KNOWN: [&str; 11] =
    ["level", "team", "component", "measure", "window", "stat", "interval", "from", "to", "step", "at"];
/// Those that may be given several times.
pub(super) const SEVERAL: [&str; 1] = ["measure"];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) depth: Depth,
    pub(super) team: Option<String>,
    pub(super) component: Option<String>,
    /// All six if none is named.
    pub(super) measures: Vec<Measure>,
    pub(super) window: Window,
    pub(super) stat: Stat,
    /// Whether it is told what values lie in.
    pub(super) interval: bool,
    pub(super) instants: Instants,
}

/// The parameter `level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Organization,
    Team,
    Component,
}

impl Asked {
    /// Reads the parameters; history ends at `now`.
    pub(super) fn read(
        parameters: &Parameters,
        settings: &MetricSettings,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let one = |name: &str| parameters.one(name);
        let (team, component) = (one("team"), one("component"));
        let depth = match (one("level"), team, component) {
            (Some("organization") | None, None, None) => Depth::Organization,
            (Some("team"), _, None) | (None, Some(_), None) => Depth::Team,
            (Some("component"), _, _) | (None, _, Some(_)) => Depth::Component,
            (Some("organization" | "team"), _, _) => {
                return Err(malformed("`level` does not go as deep as `team` or `component` do".to_owned()));
            }
            (Some(other), _, _) => return Err(choice("level", other, "organization, team, component")),
        };
        Ok(Self {
            depth,
            team: team.map(str::to_owned),
            component: component.map(str::to_owned),
            measures: measures(parameters)?,
            window: window(one("window"), settings)?,
            stat: match one("stat") {
                None | Some("p50") => Stat::P50,
                Some("p90") => Stat::P90,
                Some(other) => return Err(choice("stat", other, "p50, p90")),
            },
            interval: match one("interval") {
                None | Some("false") => false,
                Some("true") => true,
                Some(other) => return Err(choice("interval", other, "true, false")),
            },
            instants: instants(one, settings, now)?,
        })
    }
}

fn malformed(detail: String) -> Problem {
    Problem::Malformed(detail)
}

fn choice(name: &str, value: &str, allowed: &str) -> Problem {
    malformed(format!("`{name}` is {value:?}; allowed: {allowed}"))
}

fn measures(parameters: &Parameters) -> Result<Vec<Measure>, Problem> {
    let mut measures = Vec::new();
    for value in parameters.all("measure") {
        let all = || Measure::ALL.map(Measure::label).join(", ");
        let measure = Measure::named(value).ok_or_else(|| choice("measure", value, &all()))?;
        if measures.contains(&measure) {
            return Err(malformed(format!("the measure {value:?} is given more than once")));
        }
        measures.push(measure);
    }
    Ok(if measures.is_empty() { Measure::ALL.to_vec() } else { measures })
}

fn window(label: Option<&str>, settings: &MetricSettings) -> Result<Window, Problem> {
    let labels =
        || settings.windows.iter().map(|window| window.label.as_str()).collect::<Vec<_>>().join(", ");
    let labelled = |label: &str| settings.windows.iter().find(|window| window.label == label);
    let found = match label {
        Some(label) => labelled(label),
        None => labelled(DEFAULT_WINDOW).or(settings.windows.first()),
    };
    let label = label.unwrap_or(DEFAULT_WINDOW);
    found.cloned().ok_or_else(|| choice("window", label, &format!("{} (metrics.windows)", labels())))
}

fn instants<'p>(
    one: impl Fn(&str) -> Option<&'p str>,
    settings: &MetricSettings,
    now: Timestamp,
) -> Result<Instants, Problem> {
    let instant = |name: &str| {
        let read = one(name).map(|text| day::instant(text, settings.timezone).ok_or((name, text)));
        read.transpose().map_err(|(name, text)| {
            malformed(format!(
                "`{name}` is {text:?}, which is no date such as 2026-08-24 and no instant such as 2026-08-24T12:00:00Z \
                 (a + of its offset is written %2B)"
            ))
        })
    };
    let (at, from, to) = (instant("at")?, instant("from")?, instant("to")?);
    for (name, at) in [("at", at), ("from", from), ("to", to)] {
        if at.is_some_and(|at| Day::of(at, settings.timezone) < Day::of(Timestamp::default(), Tz::UTC)) {
            return Err(malformed(format!(
                "`{name}` lies before 1970, when nobody had anything to collect from"
            )));
        }
    }
    if let Some(at) = at {
        if from.is_some() || to.is_some() || one("step").is_some() {
            return Err(malformed("`at` is one instant; leave `from`, `to` and `step` out".to_owned()));
        }
        if at > now {
            return Err(malformed(format!("`at` lies ahead; history ends at {now}")));
        }
        return Ok(Instants::at(at));
    }
    let to = to.unwrap_or(now).min(now);
    let from = from.unwrap_or_else(|| to.minus(DEFAULT_RANGE));
    if from > to {
        return Err(malformed(format!("`from` is after `to`, or after {now}, where history ends")));
    }
    let step = match one("step") {
        None => DEFAULT_STEP,
        Some(text) => Span::parse(text).filter(|step| *step >= STEP_MIN).ok_or_else(|| {
            malformed(format!("`step` is {text:?}, which is no duration of at least 15s such as 1h or 1d"))
        })?,
    };
    let count = Instants::count(from, to, step);
    if count > INSTANTS_MAX {
        return Err(Problem::TooMuch(format!(
            "{count} instants are more than {INSTANTS_MAX}: make `step` longer, or the range shorter"
        )));
    }
    Ok(Instants::range(from, to, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, Problem> {
        let given = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let parameters = Parameters::read(Ok(axum::extract::Query(given)), &KNOWN, &SEVERAL)?;
        Asked::read(&parameters, &MetricSettings::new(), Timestamp::parse("2026-11-22T17:00:00Z").unwrap())
    }

    #[test]
    fn what_is_not_said_is_what_people_mean() {
        let asked = asked("").unwrap();
        assert_eq!((asked.depth, asked.stat, asked.measures.len()), (Depth::Organization, Stat::P50, 6));
        assert_eq!((asked.window.label.as_str(), asked.instants.len()), ("30d", 91));
        for (query, depth) in [
            ("team=web", Depth::Team),
            ("level=team", Depth::Team),
            ("component=shop", Depth::Component),
            ("team=web&component=shop", Depth::Component),
            ("level=component&team=web", Depth::Component),
        ] {
            assert_eq!(super::tests::asked(query).unwrap().depth, depth, "{query}");
        }
        let asked =
            super::tests::asked("from=2026-11-20&to=2027-01-01&step=12h&stat=p90&measure=lead_time").unwrap();
        assert_eq!((asked.instants.len(), asked.measures), (6, vec![Measure::LeadTime]));
        let one = super::tests::asked("at=2026-08-24T12:00:00%2B02:00").unwrap().instants;
        assert_eq!(one.first(), Timestamp::parse("2026-08-24T10:00:00Z"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (query, said) in [
            ("windows=7d", "unknown parameter \"windows\"; known: level, team"),
            ("window=7d&window=30d", "`window` is given more than once"),
            ("window=8d", "`window` is \"8d\"; allowed: 7d, 30d, 90d"),
            ("measure=cfr", "`measure` is \"cfr\"; allowed: deployments_per_day"),
            ("measure=lead_time&measure=lead_time", "is given more than once"),
            ("stat=p99", "allowed: p50, p90"),
            ("interval=yes", "allowed: true, false"),
            ("level=person", "allowed: organization, team, component"),
            ("level=organization&team=web", "does not go as deep"),
            ("level=team&component=x", "does not go as deep"),
            ("from=1969-12-31", "`from` lies before 1970"),
            ("at=0001-01-01T00:00:00Z", "`at` lies before 1970"),
            ("from=yesterday", "`from` is \"yesterday\""),
            ("at=2026-11-23", "lies ahead"),
            ("at=2026-11-21&step=1d", "`at` is one instant"),
            ("from=2026-11-22T18:00:00Z", "where history ends"),
            ("step=1s", "at least 15s"),
        ] {
            let Err(Problem::Malformed(detail)) = asked(query) else { panic!("{query}") };
            assert!(detail.contains(said), "{query}: {detail}");
        }
        let too_much = asked("from=1970-01-01&step=1h").unwrap_err();
        assert!(matches!(too_much, Problem::TooMuch(_)), "{too_much:?}");
    }
}
