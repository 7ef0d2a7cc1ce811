//! Guardrails from the configuration to the scrape, the page and `sextant check`, with the real daemon.

use std::collections::BTreeMap;

use crate::daemon::Stage;
use crate::process::{Process, get, until, value};

const GUARDRAILS: &str = r#"
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
max = "7d"
window = "90d"
teams = ["*", "!unowned"]

[[guardrails]]
name = "lead-time"
measure = "lead_time"
max = "12h"
window = "90d"
teams = ["payments"]
"#;

const STATES: [&str; 4] = ["inside", "near", "outside", "unknown"];

/// What `check` prints.
async fn check(stage: &Stage, name: &str) -> String {
    let mut process = Process::sextant(&["check", "--config", &stage.config()], stage.directory.path(), name);
    assert!(process.ended().await.success(), "{}", process.output());
    process.output()
}

/// The one state that is 1, of every team and guardrail.
fn states(metrics: &str) -> BTreeMap<(String, String), &'static str> {
    let mut found = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("dora_team_guardrail{")) {
        let label = |name: &str| {
            let rest = line.split_once(&format!("{name}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        let state = STATES.into_iter().find(|state| *state == label("state")).unwrap();
        let is_so = line.ends_with(" 1");
        assert!(is_so || line.ends_with(" 0"), "{line}");
        if is_so {
            assert_eq!(found.insert((label("team"), label("guardrail")), state), None, "{line}");
        }
    }
    found
}

/// The state that the scraped numbers themselves imply: without bounds nothing is known.
fn implied(
    metrics: &str,
    team: &str,
    (metric, window, n): (&str, &str, &str),
    min: f64,
    max: f64,
) -> &'static str {
    let of = |name: &str, more: &str| {
        value(metrics, &format!("dora_team_{name}{{team=\"{team}\",window=\"{window}\"{more}}}"))
    };
    let bound = |bound: &str| of(&format!("{metric}_bound"), &format!(",bound=\"{bound}\""));
    let is_enough = of("window_complete", "") == Some(1.0) && of(n, "").is_some_and(|n| n >= min);
    match (bound("lower"), bound("upper")) {
        (Some(lower), Some(_)) if is_enough && lower > max => "outside",
        (Some(_), Some(upper)) if is_enough && upper <= max => "inside",
        (Some(_), Some(_)) if is_enough => "near",
        _ => "unknown",
    }
}

#[tokio::test]
async fn guardrails_are_scraped_shown_and_explained_while_the_daemon_runs() {
    let stage = Stage::new().await;
    stage.edit(|toml| format!("{toml}{GUARDRAILS}"));
    let before = check(&stage, "check-before").await;
    assert!(before.contains("\nguardrails   nothing collected yet\n"), "{before}");
    assert!(
        before.contains("sensitivity normal: 1.5 false alarms a year are to be expected of 6 teams"),
        "{before}"
    );

    let _daemon = Process::sextant(&["run", "--config", &stage.config()], stage.directory.path(), "sextant");
    stage.read().await;
    let mut metrics = String::new();
    until("every team has its guardrails", async || {
        metrics = stage.metrics().await.unwrap_or_default();
        states(&metrics).len() >= 2 * 6
    })
    .await;
    let scraped = states(&metrics);
    for ((team, guardrail), state) in &scraped {
        let limit = value(
            &metrics,
            &format!("dora_team_guardrail_limit{{team=\"{team}\",guardrail=\"{guardrail}\"}}"),
        );
        let expected = match (guardrail.as_str(), team.as_str()) {
            ("change-fail", _) => 0.15,
            ("lead-time", "payments") => 43_200.0,
            ("lead-time", _) => 604_800.0,
            _ => panic!("{guardrail}"),
        };
        assert_eq!(limit, Some(expected), "{team} {guardrail}");
        let measure = if guardrail == "change-fail" {
            (("change_fail_ratio", "30d", "deployments"), 10.0)
        } else {
            (("lead_time_seconds", "90d", "changes"), 6.0)
        };
        assert_eq!(*state, implied(&metrics, team, measure.0, measure.1, expected), "{team} {guardrail}");
    }

    // The daemon has the store open, and goes on; the command says the same as it.
    let after = check(&stage, "check-after").await;
    for ((team, guardrail), state) in &scraped {
        assert!(
            after.contains(&format!("\n  {team}: {guardrail} {state}: ")),
            "{team} {guardrail} {state}\n{after}"
        );
    }
    assert!(after.contains("; they inform and block nothing\n"), "{after}");
    let (status, page) = get(&stage.url).await.unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("<strong>change-fail</strong>"), "{page}");
    assert!(page.contains("A guardrail is a limit that informs and blocks nothing"), "{page}");
    assert!(states(&stage.metrics().await.unwrap()).len() >= scraped.len());
}
