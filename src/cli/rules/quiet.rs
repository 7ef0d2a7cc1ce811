//! What of a team's silence was no time to deploy: days on which nobody works, and what declared slow times are not worth
//! (`regressions.md` 3.2). The engine counts them by the day, and a rule by the second.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::Datelike as _;

use super::quoted;
use crate::model::day::Day;
use crate::model::regressions::{QuietPeriod, TeamPatterns};
use crate::model::settings::MetricSettings;
use crate::model::time::{Span, Timestamp};

/// Since when a team is silent.
pub(super) const LAST: &str = "dora_team_last_deployment_timestamp_seconds";

/// Where times overlap there is a term more. So many are a mistake, and more than anybody reads in a rule.
const TERMS_MAX: usize = 500;

const MILLIS_PER_SECOND: i64 = 1_000;

/// A stretch of days of some teams, and what is taken off each of them.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    days: Range<Day>,
    /// 1 if a day is worth nothing; negative where two others have taken off too much.
    off: f64,
    /// As Prometheus matches them; none means all teams.
    teams: BTreeSet<String>,
}

/// What is to be taken off the time since [`LAST`]: a line for each term, none where nothing is declared. A window reaches
/// no further back than `window` before `now`.
pub(super) fn terms(settings: &MetricSettings, now: Timestamp, window: Span) -> anyhow::Result<String> {
    let year = |at: Timestamp| Day::of(at, settings.timezone).date().year();
    // The table of a country reaches many years back and ahead. Whole years, so that the same is written all year.
    let years = year(now.minus(window))..=year(now).saturating_add(1);
    let closed = settings.regressions.closed.iter().filter(|day| years.contains(&day.date().year()));
    let closed = stretches(closed).into_iter().map(|days| Term { days, off: 1.0, teams: BTreeSet::new() });
    let quiet = settings.regressions.quiet.iter().map(|QuietPeriod { from, to, factor, teams }| Term {
        days: *from..to.plus(1),
        off: 1.0 - factor,
        teams: matchers(teams),
    });
    let mut terms: Vec<Term> = Vec::new();
    for term in closed.chain(quiet).filter(|term| term.off > 0.0) {
        // Factors multiply: 1 - (1 - a)(1 - b) = a + b - ab.
        let overlaps: Vec<Term> = terms.iter().filter_map(|other| other.overlap(&term)).collect();
        terms.extend(overlaps);
        terms.push(term);
        anyhow::ensure!(
            terms.len() <= TERMS_MAX,
            "holidays and quiet periods overlap more than {TERMS_MAX} times; make one of those that overlap"
        );
    }
    terms.sort_by_key(|term| (term.days.start, term.days.end));
    Ok(terms.iter().map(|term| term.promql(settings)).collect())
}

/// The last day of which holidays are in the rules, if there are any.
pub(super) fn until(settings: &MetricSettings, now: Timestamp) -> Option<i32> {
    let year = Day::of(now, settings.timezone).date().year().saturating_add(1);
    (!settings.regressions.closed.is_empty()).then_some(year)
}

/// Days that follow each other, as one.
fn stretches<'a>(days: impl Iterator<Item = &'a Day>) -> Vec<Range<Day>> {
    let mut stretches: Vec<Range<Day>> = Vec::new();
    for day in days {
        match stretches.last_mut() {
            Some(stretch) if stretch.end == *day => stretch.end = day.plus(1),
            Some(_) | None => stretches.push(*day..day.plus(1)),
        }
    }
    stretches
}

/// What a label `team` must match, and what it must not.
fn matchers(teams: &TeamPatterns) -> BTreeSet<String> {
    let (include, exclude) = teams.expressions();
    let mut matchers = BTreeSet::new();
    if !include.iter().any(|expression| expression == ".*") {
        matchers.insert(format!("team=~{}", quoted(&include.join("|"))));
    }
    if !exclude.is_empty() {
        matchers.insert(format!("team!~{}", quoted(&exclude.join("|"))));
    }
    matchers
}

impl Term {
    /// What two terms have taken off twice.
    fn overlap(&self, other: &Self) -> Option<Self> {
        let days = self.days.start.max(other.days.start)..self.days.end.min(other.days.end);
        (days.start < days.end).then(|| Self {
            days,
            off: -(self.off * other.off),
            teams: self.teams.union(&other.teams).cloned().collect(),
        })
    }

    fn promql(&self, settings: &MetricSettings) -> String {
        let seconds = |day: Day| day.begin(settings.timezone).millis() / MILLIS_PER_SECOND;
        let (begin, end) = (seconds(self.days.start), seconds(self.days.end));
        let sign = if self.off < 0.0 { '+' } else { '-' };
        // 1 - 0.9 is not quite 0.1.
        let off = (self.off.abs() * 1e6).round() / 1e6;
        let matchers = self.teams.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let passed = |last: &str| {
            format!("{off} * (scalar(clamp(vector(time()), {begin}, {end})) - clamp({last}, {begin}, {end}))")
        };
        let all = if matchers.is_empty() {
            passed(LAST)
        } else {
            format!("({} or 0 * {LAST})", passed(&format!("{LAST}{{{matchers}}}")))
        };
        format!("{sign} {all} # {} to {}\n", self.days.start, self.days.end.minus(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const TOML: &str = r#"
[organization]
name = "acme"
timezone = "Europe/Berlin"

[[github]]
name = "acme-github"
token_env = "GITHUB_TOKEN"
organizations = ["acme"]

[[teams]]
name = "web"

[[teams]]
name = "payroll"
"#;

    fn lines(toml: &str) -> Vec<String> {
        let config =
            Config::parse(&format!("{TOML}{toml}"), "t.toml", &|_| Some("token".to_owned())).unwrap();
        let now = Timestamp::parse("2026-02-01T12:00:00Z").unwrap();
        let terms = terms(&config.metrics, now, Span::from_days(90)).unwrap();
        terms.lines().map(str::to_owned).collect()
    }

    fn passed(team: &str, (begin, end): (i64, i64)) -> String {
        format!("(scalar(clamp(vector(time()), {begin}, {end})) - clamp({LAST}{team}, {begin}, {end}))")
    }

    #[test]
    fn without_declared_times_nothing_is_taken_off() {
        assert_eq!(lines(""), Vec::<String>::new());
        let worth = "[[quiet_periods]]\nfrom = \"2026-08-01\"\nto = \"2026-08-31\"\nfactor = 1.0\n";
        assert_eq!(lines(worth), Vec::<String>::new());
    }

    #[test]
    fn a_quiet_time_begins_and_ends_at_midnight_of_the_organisation_and_is_of_the_teams_that_it_names() {
        let toml = "[[quiet_periods]]\nfrom = \"2026-08-01\"\nto = \"2026-08-31\"\nfactor = 0.9\n\
                    [[quiet_periods]]\nfrom = \"2026-10-19\"\nto = \"2026-10-31\"\nfactor = 0.25\n\
                    teams = [\"pay*\", \"web\", \"!payroll\"]\n";
        let (august, october) = ((1_785_535_200, 1_788_213_600), (1_792_360_800, 1_793_487_600));
        let team = "{team!~\"payroll\", team=~\"pay.*|web\"}";
        assert_eq!(
            lines(toml),
            [
                format!("- 0.1 * {} # 2026-08-01 to 2026-08-31", passed("", august)),
                format!("- (0.75 * {} or 0 * {LAST}) # 2026-10-19 to 2026-10-31", passed(team, october)),
            ]
        );
    }

    #[test]
    fn where_quiet_times_overlap_their_factors_multiply() {
        let toml = "[[quiet_periods]]\nfrom = \"2026-08-01\"\nto = \"2026-08-31\"\nfactor = 0.5\n\
                    [[quiet_periods]]\nfrom = \"2026-08-15\"\nto = \"2026-09-15\"\nfactor = 0.25\nteams = [\"web\"]\n";
        let lines = lines(toml);
        let heads: Vec<&str> = lines.iter().map(|line| line.split(" * ").next().unwrap()).collect();
        assert_eq!(heads, ["- 0.5", "+ (0.375", "- (0.75"]);
        assert!(lines[1].contains("{team=~\"web\"}") && lines[1].ends_with("# 2026-08-15 to 2026-08-31"));
    }

    #[test]
    fn holidays_are_those_of_the_years_that_matter() {
        let lines = lines("[regressions]\nholidays = \"DE\"\n");
        let days: Vec<&str> = lines.iter().map(|line| line.split("# ").nth(1).unwrap()).collect();
        assert_eq!(days.first(), Some(&"2025-01-01 to 2025-01-01"));
        assert_eq!(days.last(), Some(&"2027-12-25 to 2027-12-26"));
        assert!(days.contains(&"2026-12-25 to 2026-12-26"));
    }

    #[test]
    fn what_overlaps_without_end_is_refused() {
        let period = "[[quiet_periods]]\nfrom = \"2026-08-01\"\nto = \"2026-08-31\"\nfactor = 0.5\n";
        let toml = format!("{TOML}{}", period.repeat(9));
        let config = Config::parse(&toml, "t.toml", &|_| Some("token".to_owned())).unwrap();
        let now = Timestamp::parse("2026-02-01T12:00:00Z").unwrap();
        let error = terms(&config.metrics, now, Span::from_days(90)).unwrap_err();
        assert!(error.to_string().contains("make one of those that overlap"), "{error}");
    }
}
