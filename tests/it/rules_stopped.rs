//! When the alert about a team that stopped fires, and when not: computed by hand, and asked of `promtool` with the rules
//! that `sextant rules` writes for several configurations. `promtool` begins in 1970, with the last deployment, and declared
//! days in 2000: so their instants are moved by those thirty years.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::fmt::Write as _;

use regex::{Captures, Regex};

use crate::rules::{sextant, tool};

const HOURS_PER_DAY: u32 = 24;
/// 2000-01-01.
const DECLARED_SECONDS: i64 = 946_684_800;
/// Longer than any window of these configurations.
const DAYS: u32 = 91;

/// A team, and from when to when the alert about it holds: it is told an hour later, and ends an hour later.
struct Team {
    name: &'static str,
    /// How many days apart its days with deployments are.
    every_days: f64,
    /// The first and the last hour at which it holds.
    stopped: Option<(u32, u32)>,
}

fn team(name: &'static str, every_days: f64, stopped: Option<(u32, u32)>) -> Team {
    Team { name, every_days, stopped }
}

/// How many of its days with deployments are in the window that ends at this hour.
fn dates(team: &Team, window_days: f64, hour: u32) -> u32 {
    let begin = window_days - f64::from(hour) / f64::from(HOURS_PER_DAY);
    (0..DAYS)
        .map(|index| f64::from(index) * team.every_days)
        .filter(|ago| *ago <= begin)
        .count()
        .try_into()
        .unwrap()
}

/// What Prometheus scrapes of these teams, and what it must say of them.
fn test(teams: &[Team], window: &str) -> String {
    let (hours, labels) = (DAYS * HOURS_PER_DAY, r#"job="sextant", instance="a""#);
    let mut out = "rule_files: [recording.yml, alerts.yml]\nevaluation_interval: 1h\n\
                   group_eval_order: [sextant, sextant-collector, sextant-delivery]\ntests:\n  - interval: 1h\n    input_series:\n"
        .to_owned();
    let mut series = |name: &str, more: &str, values: &str| {
        writeln!(out, "      - series: '{name}{{{labels}, {more}}}'\n        values: '{values}'").unwrap();
    };
    let source = r#"source="github""#;
    series("sextant_source_last_success_timestamp_seconds", source, &format!("0+3600x{hours}"));
    series("sextant_source_backfill_complete", source, &format!("1x{hours}"));
    series("sextant_snapshot_timestamp_seconds", "", &format!("0+3600x{hours}"));
    for team in teams {
        let name = format!("team=\"{}\"", team.name);
        series("dora_team_last_deployment_timestamp_seconds", &name, &format!("0x{hours}"));
        let days: f64 = window.trim_end_matches('d').parse().unwrap();
        let values: Vec<String> = (0..=hours).map(|hour| dates(team, days, hour).to_string()).collect();
        series("dora_team_deployment_dates", &format!("{name}, window=\"{window}\""), &values.join(" "));
    }
    out.push_str("    promql_expr_test:\n");
    for team in teams {
        let mut asked = |hour: u32, is_fired: bool| {
            let alert = format!(
                "ALERTS{{alertname=\"DoraDeploymentsStopped\", alertstate=\"firing\", team=\"{}\"}}",
                team.name
            );
            writeln!(out, "      - expr: count({alert})\n        eval_time: {hour}h").unwrap();
            let samples = if is_fired { "\n          - labels: '{}'\n            value: 1" } else { " []" };
            writeln!(out, "        exp_samples:{samples}").unwrap();
        };
        match team.stopped {
            Some((first, last)) => {
                for (hour, is_fired) in
                    [(0, false), (first, false), (first + 1, true), (last + 1, true), (last + 2, false)]
                {
                    asked(hour, is_fired);
                }
            }
            None => (0..hours).step_by(6).for_each(|hour| asked(hour, false)),
        }
    }
    out
}

/// Writes the rules of a configuration, and has its alerts tried.
fn tried(toml: &str, window: &str, teams: &[Team]) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("sextant.toml"), configured(toml)).unwrap();
    let output = sextant(&path("sextant.toml"), folder.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let declared = Regex::new(r"\b9[4-7][0-9]{7}\b").unwrap();
    let moved = |found: &Captures<'_>| (found[0].parse::<i64>().unwrap() - DECLARED_SECONDS).to_string();
    let recording = std::fs::read_to_string(path("recording.yml")).unwrap();
    std::fs::write(path("recording.yml"), declared.replace_all(&recording, moved).as_ref()).unwrap();
    std::fs::write(path("test.yml"), test(teams, window)).unwrap();
    let test = path("test.yml");
    tool(
        "promtool",
        &["check", "rules", "--lint=all", "--lint-fatal", path("recording.yml").to_str().unwrap()],
    );
    tool("promtool", &["test", "rules", test.to_str().unwrap()]);
}

fn configured(toml: &str) -> String {
    let source = "[[pagerduty]]\nname = \"acme-pagerduty\"\ntoken_env = \"PAGERDUTY_TOKEN\"\n";
    format!("[organization]\nname = \"acme\"\n{source}{toml}")
}

#[test]
fn a_team_that_stops_is_told_when_more_than_six_of_its_days_are_missing_and_after_a_week_at_the_earliest() {
    tried(
        "",
        "90d",
        &[
            // 83 days are left at 169 hours, in as many days: 7 are missing. From 86 days on fewer than 5 are left.
            team("daily", 1.0, Some((169, 2064))),
            // 13 per 90 days: 7 are left from 37.5 days on, and 7 s / (90 - s) > 6 from 41.54 days on; 5 until 60 days.
            team("weekly", 7.5, Some((997, 1440))),
            // 8 per 90 days: 5 are left until 45 days, when 5 are missing.
            team("rare", 11.25, None),
            // Every fortnight a train, with however many components: 5 are left until 34 days, when 3 are missing.
            team("train", 14.0, None),
        ],
    );
}

#[test]
fn a_month_is_window_enough() {
    // 23 days are left at 169 hours, in as many days; from 26 days on fewer than 5.
    let daily = team("daily", 1.0, Some((169, 624)));
    tried("[metrics]\nwindows = [\"7d\", \"30d\"]\n", "30d", &[daily]);
}

#[test]
fn quiet_days_are_no_silence_and_silence_goes_on_after_them() {
    let toml = "[[quiet_periods]]\nfrom = \"2000-01-05\"\nto = \"2000-01-14\"\nfactor = 0.01\nteams = [\"*\", \"!we*\"]\n\
                [[quiet_periods]]\nfrom = \"2000-01-10\"\nto = \"2000-01-19\"\nfactor = 0.5\nteams = [\"pay*\"]\n";
    tried(
        toml,
        "90d",
        &[
            team("web", 1.0, Some((169, 2064))),
            // Four days, ten that are worth 0.1 together, and then 2.9: 16.9 days.
            team("search", 1.0, Some((406, 2064))),
            // Four days, five worth 0.05, five worth 0.025, five worth 2.5, and then 0.425: 19.425 days.
            team("payments", 1.0, Some((467, 2064))),
        ],
    );
}

#[test]
fn short_windows_leave_it_out_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sextant.toml");
    let stored = format!("[store]\nurl = \"sqlite:{}\"\n", folder.path().join("sextant.db").display());
    std::fs::write(&config, configured(&format!("{stored}[metrics]\nwindows = [\"1d\", \"7d\"]\n"))).unwrap();
    let sentence = "DoraDeploymentsStopped is left out: it takes a window of at least 28 days, and the longest is 7d; add \
                    \"90d\" to `windows` in [metrics]";
    let output = sextant(&config, folder.path(), &[]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("warning: {sentence}\n"));
    let alerts = folder.path().join("alerts.yml");
    let text = std::fs::read_to_string(&alerts).unwrap();
    assert!(text.contains(&format!("\n      # {sentence}.\n")), "{text}");
    assert!(!text.contains("alert: DoraDeploymentsStopped"));
    tool("promtool", &["check", "rules", "--lint=all", "--lint-fatal", alerts.to_str().unwrap()]);

    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_sextant"));
    let check = check.arg("check").arg("--config").arg(&config).env("PAGERDUTY_TOKEN", "not-a-token");
    let answer = check.output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert!(String::from_utf8_lossy(&answer.stdout).contains(&format!("\nrules        {sentence}\n")));
}

#[test]
fn rules_for_sources_of_different_pace_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sextant.toml");
    let more = "poll_interval = \"1h\"\n[prometheus]\nurl = \"http://127.0.0.1:9090\"\n";
    std::fs::write(&config, configured(more)).unwrap();
    assert!(sextant(&config, folder.path(), &[]).status.success());
    for name in ["alerts.yml", "recording.yml"] {
        let file = folder.path().join(name);
        tool("promtool", &["check", "rules", "--lint=all", "--lint-fatal", file.to_str().unwrap()]);
    }
}
