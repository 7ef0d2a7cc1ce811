//! What `[regressions]`, `[[quiet_periods]]`, `[[accepted]]` and `[[raised]]` mean.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what they need this way")]

use sextant::config::{Config, ConfigErrors};
use sextant::model::day::Day;
use sextant::model::measure::{Measure, Sensitivity};
use sextant::model::name::TeamSlug;
use sextant::model::regressions::RegressionSettings;
use sextant::model::time::Timestamp;

use crate::config_errors::environment;

const BASE: &str = "[organization]\nname = \"acme\"\ntimezone = \"Europe/Berlin\"\n[[github]]\nname = \"rest\"\n\
                    token_env = \"GITHUB_TOKEN\"\norganizations = [\"acme\"]\n[[teams]]\nname = \"Ship It!\"\n\
                    repositories = [\"acme/a\"]\n";

fn parse(text: &str, now: &str) -> Result<Config, ConfigErrors> {
    let now = Timestamp::parse(now).unwrap();
    Config::parse_at(&format!("{BASE}{text}"), "sextant.toml", &environment, now)
}

fn read(text: &str) -> RegressionSettings {
    let config = parse(text, "2026-11-22T12:00:00Z").unwrap_or_else(|errors| panic!("{errors}"));
    config.metrics.regressions
}

fn day(text: &str) -> Day {
    Day::from(text.parse::<chrono::NaiveDate>().unwrap())
}

fn days_of(settings: &RegressionSettings, from: &str, to: &str) -> Vec<String> {
    settings.closed.range(day(from)..=day(to)).map(ToString::to_string).collect()
}

#[test]
fn nothing_said_is_quiet_and_open() {
    let settings = read("");
    assert_eq!(settings.sensitivity, Sensitivity::Quiet);
    assert!(settings.closed.is_empty() && settings.quiet.is_empty() && settings.accepted.is_empty());
}

#[test]
fn the_holidays_of_a_country_are_known_for_every_year_that_is_looked_at() {
    let settings = read("[regressions]\nholidays = \"DE\"\nsensitivity = \"eager\"");
    assert_eq!(settings.sensitivity, Sensitivity::Eager);
    assert_eq!(settings.holidays, ["DE"]);
    let expected = [
        "2026-01-01",
        "2026-04-03",
        "2026-04-06",
        "2026-05-01",
        "2026-05-14",
        "2026-05-25",
        "2026-10-03",
        "2026-12-25",
        "2026-12-26",
    ];
    assert_eq!(days_of(&settings, "2026-01-01", "2026-12-31"), expected);
    for year in 2016..=2036 {
        let days = days_of(&settings, &format!("{year}-01-01"), &format!("{year}-12-31"));
        assert!(days.len() >= 9, "{year}: {days:?}");
    }
    let several = read("[regressions]\nholidays = [\"DE\", \"FR\"]");
    assert!(several.closed.is_superset(&settings.closed));
    assert!(several.closed.contains(&day("2026-07-14")));
}

#[test]
fn a_year_that_the_table_does_not_know_is_told() {
    let errors = parse("[regressions]\nholidays = \"DE\"", "2080-06-01T00:00:00Z").unwrap_err();
    let expected = "sextant.toml:12:12: regressions.holidays: no holidays of DE are known in 2077\n  \
                    help: name a calendar file that has those of 2070 to 2081";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn the_events_of_a_calendar_file_take_the_days_that_they_touch() {
    let settings = read("[regressions]\nholidays = \"tests/fixtures/calendars/company.ics\"");
    assert_eq!(
        days_of(&settings, "2025-11-01", "2027-04-01"),
        [
            // The fourth Thursday of November and the day after it.
            "2025-11-27",
            "2025-11-28",
            // The end is the first day that is not part of it.
            "2025-12-24",
            "2025-12-25",
            "2025-12-26",
            "2025-12-27",
            "2025-12-28",
            "2025-12-29",
            "2025-12-30",
            "2025-12-31",
            "2026-01-01",
            // Every year but 2025.
            "2026-02-14",
            // Until 2027, and twice besides.
            "2026-03-09",
            "2026-03-11",
            "2026-03-13",
            // From midnight to midnight in New York, which is no midnight in Berlin.
            "2026-07-04",
            "2026-11-26",
            "2026-11-27",
            "2027-02-14",
            "2027-03-09",
        ]
    );
    assert_eq!(days_of(&settings, "2025-02-01", "2025-03-31"), Vec::<String>::new());
    assert_eq!(days_of(&settings, "1900-01-01", "2000-11-01"), Vec::<String>::new());
    assert_eq!(days_of(&settings, "2099-02-01", "2199-10-31"), ["2099-02-14", "2099-11-26", "2099-11-27"]);
}

#[test]
fn slow_times_are_of_the_teams_that_they_name() {
    let text = "[[quiet_periods]]\nfrom = 2026-08-01\nto = \"2026-08-31\"\nfactor = 0.75\n\
                [[quiet_periods]]\nfrom = \"2026-08-10\"\nto = \"2026-08-10\"\nfactor = 1\n\
                teams = [\"Ship*\", \"!Ship It!\"]\n";
    let quiet = read(text).quiet;
    let [everybody, some] = quiet.as_slice() else { panic!("{quiet:?}") };
    assert_eq!((everybody.from, everybody.to), (day("2026-08-01"), day("2026-08-31")));
    assert!((everybody.factor - 0.75).abs() < 1e-9 && (some.factor - 1.0).abs() < 1e-9);
    for (team, of_everybody, of_some) in
        [("ship-it", true, false), ("shipping", true, true), ("payments", true, false)]
    {
        let team = TeamSlug::from(team);
        assert_eq!(
            (everybody.teams.matches(&team), some.teams.matches(&team)),
            (of_everybody, of_some),
            "{team}"
        );
    }
    assert_eq!(some.teams.to_string(), "ship*, !ship-it");
}

#[test]
fn a_new_normal_has_a_team_a_measure_a_day_and_a_reason() {
    let text = "[[accepted]]\nteam = \"Ship It!\"\nmeasure = \"lead_time\"\nfrom = \"2026-11-22\"\n\
                reason = \"audit gate\"\nlink = \"https://wiki.acme.example/audit\"\n\
                [[accepted]]\nteam = \"ship-it\"\nmeasure = \"lead_time\"\nfrom = \"2026-05-01\"\nreason = \"x\"\n";
    let accepted = read(text).accepted;
    assert_eq!(accepted.len(), 2);
    assert_eq!(accepted[0].team.as_str(), "ship-it");
    assert_eq!((accepted[0].measure, accepted[0].from), (Measure::LeadTime, day("2026-11-22")));
    assert_eq!(accepted[0].link.as_deref(), Some("https://wiki.acme.example/audit"));
    // Today is the organisation's: in Berlin the 23rd has begun at 23:30 UTC of the 22nd.
    let tomorrow = text.replace("2026-11-22", "2026-11-23");
    assert!(parse(&tomorrow, "2026-11-22T22:30:00Z").is_err());
    assert!(parse(&tomorrow, "2026-11-22T23:30:00Z").is_ok());
}

#[test]
fn teams_that_github_names_cannot_be_unknown() {
    let accepted =
        "[[accepted]]\nteam = \"elsewhere\"\nmeasure = \"lead_time\"\nfrom = \"2026-05-01\"\nreason = \"x\"";
    let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
    let base = BASE.replace("[[teams]]", "teams_from = \"github_teams\"\n[[teams]]");
    assert!(Config::parse_at(&format!("{base}{accepted}"), "f", &environment, now).is_ok());
    assert!(Config::parse_at(&format!("{BASE}{accepted}"), "f", &environment, now).is_err());
}

#[test]
fn a_raised_threshold_is_of_one_measure_of_one_team() {
    let one = "[[raised]]\nteam = \"Ship It!\"\nmeasure = \"lead_time\"\nthreshold = 4.2\n";
    let other = "[[raised]]\nteam = \"ship-it\"\nmeasure = \"rework_ratio\"\nthreshold = 5\n";
    let raised = read(&format!("{one}{other}")).raised;
    let [first, second] = raised.as_slice() else { panic!("{raised:?}") };
    assert_eq!((first.team.as_str(), first.measure), ("ship-it", Measure::LeadTime));
    assert_eq!((second.team.as_str(), second.measure), ("ship-it", Measure::ReworkRatio));
    assert!((first.threshold - 4.2).abs() < 1e-9 && (second.threshold - 5.0).abs() < 1e-9);
    for (text, said) in [
        (format!("{one}{one}"), "raised[1].team: the same as raised[0] at line 12: lead_time"),
        (one.replace("4.2", "0"), "raised[0].threshold: not above 0 and at most 100"),
        (one.replace("4.2", "100.5"), "raised[0].threshold: not above 0 and at most 100"),
        (one.replace("4.2", "\"4.2\""), "raised[0].threshold: expected a number such as 4.2, found a string"),
        (one.replace("lead_time", "lead_tim"), "did you mean \"lead_time\"?"),
        (one.replace("Ship It!", "Sink It!"), "raised[0].team: unknown team \"Sink It!\""),
    ] {
        let errors = parse(&text, "2026-11-22T12:00:00Z").unwrap_err().to_string();
        assert!(errors.contains(said), "{said} is not in\n{errors}");
    }
}
