//! The rules that are shipped: those that `sextant rules` writes, sound to `promtool` and `amtool`, of metrics that exist,
//! each with a runbook.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The tool's answer; the test fails, and says how to mend it, if it is not installed.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).current_dir(root().join("config")).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run {name}: {error}; scripts/test installs what the tests need")
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}\n{out}\n{err}");
    out.into_owned()
}

pub(crate) fn sextant(config: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.arg("rules").arg("--config").arg(config).arg("--out").arg(out).args(more);
    command.env("PAGERDUTY_TOKEN", "not-a-token").output().unwrap()
}

fn fixture() -> PathBuf {
    root().join("tests/fixtures/rules/sextant.toml")
}

/// Each alert's name with its text.
fn alerts() -> Vec<(String, String)> {
    let text = read("config/prometheus/alerts.yml");
    let blocks = text.split("      - alert: ").skip(1);
    blocks.map(|block| (block.lines().next().unwrap().to_owned(), block.to_owned())).collect()
}

#[test]
fn the_rules_that_are_shipped_are_those_that_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("made/on/the/way");
    let output = sextant(&fixture(), &out, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (written, shipped) in [
        ("recording.yml", "config/prometheus/recording.yml"),
        ("alerts.yml", "config/prometheus/alerts.yml"),
        ("alertmanager.example.yml", "config/alertmanager.example.yml"),
    ] {
        let written = std::fs::read_to_string(out.join(written)).unwrap();
        assert_eq!(
            written,
            read(shipped),
            "run `sextant rules` with tests/fixtures/rules/sextant.toml again"
        );
    }
}

#[test]
fn promtool_finds_nothing_wrong_and_every_rule_does_what_its_test_says() {
    let rules =
        ["check", "rules", "--lint=all", "--lint-fatal", "prometheus/recording.yml", "prometheus/alerts.yml"];
    tool("promtool", &rules);
    tool("promtool", &["test", "rules", "prometheus/tests/collector.yml", "prometheus/tests/delivery.yml"]);
}

#[test]
fn every_alert_is_tested_to_fire_and_not_to_fire() {
    let tests = read("config/prometheus/tests/collector.yml") + &read("config/prometheus/tests/delivery.yml");
    for (alert, _) in alerts() {
        let asked = format!("alertname: {alert}\n");
        let after = || tests.split(&asked).skip(1);
        assert!(
            after().any(|rest| rest.trim_start().starts_with("exp_alerts:\n")),
            "{alert} fires in no test"
        );
        assert!(
            after().any(|rest| rest.trim_start().starts_with("exp_alerts: []")),
            "{alert} is calm in no test"
        );
    }
}

#[test]
fn every_alert_leads_to_a_runbook_and_keeps_the_team_that_it_is_about() {
    let runbooks = read("docs/runbooks/collector.md") + &read("docs/runbooks/delivery.md");
    let alerts = alerts();
    assert_eq!(alerts.len(), 16);
    let headings: BTreeSet<&str> = runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: BTreeSet<&str> = alerts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headings, names);
    let of_teams = Regex::new(r"max by \((team|team, [a-z]+)\)").unwrap();
    for (name, text) in &alerts {
        assert!(text.contains(&format!("runbook_url: \"https://sextant.acme.example/runbooks/{name}\"")));
        for key in
            ["summary: \"", "description: \"", "dashboard_url: \"https://sextant.acme.example/", "for: "]
        {
            assert!(text.contains(key), "{name} lacks {key}");
        }
        let about_teams = text.contains("dora_");
        let keeps_team = of_teams.is_match(text);
        assert_eq!(about_teams, keeps_team, "{name}");
        assert_eq!(about_teams, text.contains("sextant:trusted:bool == 1"), "{name} is not gated");
        let summary = text.lines().find(|line| line.trim().starts_with("summary:")).unwrap();
        assert!(!summary.contains("{{"), "{name}: a summary is the same for all");
    }
}

#[test]
fn rules_ask_for_metrics_that_exist_by_labels_that_they_have() {
    let known = |name: &str| {
        let metric = sextant::catalogue::metrics().find(|metric| metric.name == name);
        metric.map(|metric| metric.labels)
    };
    let text = read("config/prometheus/alerts.yml") + &read("config/prometheus/recording.yml");
    let metric = Regex::new(r"\b((?:dora|sextant)_[a-z_]+)(\{[^}]*\})?").unwrap();
    let label = Regex::new(r#"([a-z_]+)=~?""#).unwrap();
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.contains("description") && !line.contains("summary")) {
        for found in metric.captures_iter(line) {
            let name = &found[1];
            let labels = known(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
            let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
            for asked in label.captures_iter(matchers) {
                assert!(labels.contains(&&asked[1]), "{name} has no label {}", &asked[1]);
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn alerts_reach_their_team_and_the_rest_the_platform() {
    tool("amtool", &["check-config", "alertmanager.example.yml"]);
    for (labels, receiver) in [
        (["audience=team", "team=payments", "alertname=DoraRegressed"], "team-payments"),
        (["audience=team", "team=web", "alertname=DoraGuardrailOutside"], "team-web"),
        (["audience=team", "team=search", "alertname=DoraRegressed"], "platform"),
        (["audience=platform", "team=payments", "alertname=DoraDataSuspect"], "platform"),
        (["audience=platform", "source=acme", "alertname=SextantSourceDown"], "platform"),
    ] {
        let mut arguments = vec!["config", "routes", "test", "--config.file=alertmanager.example.yml"];
        arguments.extend(labels);
        assert_eq!(tool("amtool", &arguments).trim(), receiver, "{labels:?}");
    }
}

#[test]
fn with_grafana_alerts_lead_to_its_boards() {
    let folder = tempfile::tempdir().unwrap();
    let output = sextant(&fixture(), folder.path(), &["--grafana", "https://grafana.acme.example/"]);
    assert!(output.status.success());
    let alerts = std::fs::read_to_string(folder.path().join("alerts.yml")).unwrap();
    let board = "dashboard_url: \"https://grafana.acme.example/d/sextant-team?var-team={{ $labels.team }}\"";
    assert!(alerts.contains(board));
    assert!(!alerts.contains("dashboard_url: \"https://sextant"));
}

#[test]
fn what_cannot_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = sextant(&fixture(), folder.path(), &["--grafana", "grafana.acme.example"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("give http:// or https://"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = sextant(&fixture(), &file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot make"));
    let output = sextant(&folder.path().join("absent.toml"), folder.path(), &[]);
    assert_eq!(output.status.code(), Some(64));
}
