//! What the declared limits mean today: how many false alarms are to be expected, which days are closed, and what each
//! guardrail would say, from the store if there is one.

use chrono::Datelike as _;

use crate::config::Config;
use crate::engine::guardrail::Standing;
use crate::engine::snapshot::Snapshot;
use crate::model::day::Day;
use crate::model::name::TeamSlug;
use crate::model::settings::TeamsFrom;
use crate::model::time::Timestamp;

/// Teams whose guardrails are written out; the page `/` has all of them.
const TEAMS_SHOWN_MAX: usize = 100;

/// A few lines of text; `snapshot` is what the store says, if there is one.
pub(super) fn today(config: &Config, snapshot: Option<&Snapshot>, now: Timestamp) -> String {
    let mut lines = vec![false_alarms(config, snapshot)];
    lines.extend(closed(config, now));
    if !config.metrics.guardrails.is_empty() {
        lines.push(guardrails(snapshot));
    }
    lines.join("\n")
}

/// How many false alarms a year this organisation is to expect.
fn false_alarms(config: &Config, snapshot: Option<&Snapshot>) -> String {
    let sensitivity = config.metrics.regressions.sensitivity;
    let named = config.ownership.teams.len();
    let found = snapshot.map(|snapshot| {
        let unowned = TeamSlug::unowned();
        snapshot.teams.keys().filter(|team| **team != unowned).count()
    });
    let teams = found.map_or(named, |found| found.max(named));
    let count = u64::try_from(teams).unwrap_or(u64::MAX);
    let expected = sensitivity.expected_false_alarms(count);
    let are = if teams == 1 { "team" } else { "teams" };
    let text = format!(
        "alarms       sensitivity {}: {expected:.1} false alarms a year are to be expected of {teams} {are}",
        sensitivity.label(),
    );
    let reads_teams = config.github.iter().any(|source| source.teams_from == TeamsFrom::GithubTeams);
    if found.is_none() && reads_teams {
        let each = sensitivity.expected_false_alarms(1);
        return format!("{text}, and {each} of each that the sources find");
    }
    text
}

/// The days of this year on which nobody works.
fn closed(config: &Config, now: Timestamp) -> Option<String> {
    let regressions = &config.metrics.regressions;
    if regressions.holidays.is_empty() {
        return None;
    }
    let year = Day::of(now, config.metrics.timezone).date().year();
    let days: Vec<&Day> = regressions.closed.iter().filter(|day| day.date().year() == year).collect();
    let at_work = days.iter().filter(|day| !day.is_weekend()).count();
    let names = regressions.holidays.join(", ");
    Some(format!(
        "closed       {names}: {} days in {year}, {at_work} of them from Monday to Friday",
        days.len()
    ))
}

/// What every guardrail says, team by team.
fn guardrails(snapshot: Option<&Snapshot>) -> String {
    let Some(snapshot) = snapshot else {
        return "guardrails   nothing collected yet".to_owned();
    };
    let mut lines = vec![format!("guardrails   as of {}; they inform and block nothing", snapshot.at)];
    let mut teams: Vec<&TeamSlug> = snapshot.guardrails.iter().map(|standing| &standing.team).collect();
    teams.dedup();
    for team in teams.iter().take(TEAMS_SHOWN_MAX) {
        for standing in snapshot.guardrails.iter().filter(|standing| standing.team == **team) {
            let Standing { guardrail, state, .. } = standing;
            let words = standing.words();
            lines.push(format!("  {team}: {guardrail} {}: {words}", state.label()));
        }
    }
    let left_out = teams.len().saturating_sub(TEAMS_SHOWN_MAX);
    if left_out > 0 {
        lines.push(format!("  and {left_out} more teams"));
    }
    if teams.is_empty() {
        lines.push("  no team has one yet".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::guardrail::standings;
    use crate::engine::interval::Interval;
    use crate::engine::snapshot::{Bounds, Completeness, Delivery, LevelValues, TeamValues, WindowValues};
    use crate::model::time::Span;

    const TOML: &str = r#"
[organization]
name = "acme"
timezone = "Europe/Berlin"

[[github]]
name = "acme-github"
token_env = "GITHUB_TOKEN"
organizations = ["acme"]

[[teams]]
name = "Payments"
repositories = ["acme/pay-*"]

[regressions]
sensitivity = "normal"
holidays = "DE"

[[guardrails]]
name = "change-fail"
measure = "change_fail_ratio"
max = 0.15
window = "30d"

[[guardrails]]
name = "lead-time"
measure = "lead_time"
max = "2d"
window = "30d"
teams = ["payments"]
"#;

    fn config(toml: &str) -> Config {
        Config::parse(toml, "t.toml", &|_| Some("token".to_owned())).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
    }

    #[test]
    fn without_a_store_it_says_what_the_configuration_alone_says() {
        let expected = "alarms       sensitivity normal: 0.2 false alarms a year are to be expected of 1 team\n\
                        closed       DE: 9 days in 2026, 7 of them from Monday to Friday\n\
                        guardrails   nothing collected yet";
        assert_eq!(today(&config(TOML), None, now()), expected);
        let toml = TOML.replace("[[teams]]", "teams_from = \"github_teams\"\n[[teams]]");
        let text = today(&config(toml.split("[[guardrails]]").next().unwrap()), None, now());
        assert!(text.contains(" of 1 team, and 0.25 of each that the sources find\n"), "{text}");
        assert!(!text.contains("guardrails"), "{text}");
    }

    #[test]
    fn with_a_store_every_guardrail_is_a_sentence() {
        let config = config(TOML);
        let delivery = Delivery {
            deployments: 34,
            change_fail_ratio: Some(6.0 / 34.0),
            changes: 5,
            lead_time: crate::engine::snapshot::Quantiles { p50: Some(Span::from_hours(5)), p90: None },
            ..Delivery::default()
        };
        let interval = Interval { lower: 0.09, upper: 0.29 };
        let known = WindowValues {
            delivery: Some(delivery),
            complete: Completeness::Complete,
            bounds: Bounds { change_fail_ratio: Some(interval), ..Bounds::default() },
            ..WindowValues::default()
        };
        let of = |window: WindowValues| TeamValues {
            values: LevelValues { windows: vec![WindowValues::default(), window], ..LevelValues::default() },
            ..TeamValues::default()
        };
        let partial = WindowValues { complete: Completeness::Partial, ..known.clone() };
        let mut snapshot = Snapshot {
            at: now(),
            windows: config.metrics.windows.clone(),
            teams: [("payments", of(known)), ("search", of(partial)), ("unowned", TeamValues::default())]
                .map(|(team, values)| (team.into(), values))
                .into(),
            ..Snapshot::default()
        };
        snapshot.guardrails = standings(&snapshot, &config.metrics.guardrails);
        let text = today(&config, Some(&snapshot), now());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "alarms       sensitivity normal: 0.5 false alarms a year are to be expected of 2 teams",
                "closed       DE: 9 days in 2026, 7 of them from Monday to Friday",
                "guardrails   as of 2026-11-22T12:00:00Z; they inform and block nothing",
                "  payments: change-fail near: change fail rate 17.6 % of 34 deployments in 30d (9–29 %): the limit \
                 of at most 15 % lies within what it could be",
                "  payments: lead-time unknown: median lead time: not enough data, 5 of 6 changes in 30d",
                "  search: change-fail unknown: change fail rate: the collected history does not cover 30d yet",
                "  unowned: change-fail unknown: change fail rate: the collected history does not cover 30d yet",
            ]
        );
    }
}
