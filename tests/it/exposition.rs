//! The exposition: names, labels, formats, absence, limits.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use sextant::catalogue::{self, FAILURE_REASONS, Family, Kind, Unit};
use sextant::engine::snapshot::Snapshot;
use sextant::exposition::{Limits, Rendered, render, signal_families};
use sextant::http::Reason;
use sextant::telemetry::Telemetry;

use crate::exposition_fixture::{
    Line, Read, counters, idle, key, read, reproducible, signals, snapshot, telemetry,
};

/// The families that are not of the snapshot.
fn own() -> Vec<Family<'static>> {
    [telemetry().gather(), signal_families(&signals())].concat()
}

fn full() -> Rendered {
    render(&snapshot(), &counters(), &own(), Limits::default()).unwrap()
}

fn families(rendered: &Rendered) -> Vec<Read> {
    read(std::str::from_utf8(&rendered.text).unwrap())
}

/// The values of a metric's series by their labels, written as in a query.
fn values(rendered: &Rendered, name: &str) -> Vec<String> {
    let families = families(rendered);
    let lines = families.iter().flat_map(|family| &family.samples).filter(|line| line.name == name);
    lines
        .map(|Line { labels, value, .. }| {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {value}", labels.join(","))
        })
        .collect()
}

#[test]
fn the_whole_scrape_reads_like_this() {
    let own = reproducible(own());
    let rendered = render(&snapshot(), &counters(), &own, Limits::default()).unwrap();
    insta::assert_snapshot!("metrics", std::str::from_utf8(&rendered.text).unwrap());
    insta::assert_snapshot!("openmetrics", std::str::from_utf8(&rendered.openmetrics).unwrap());
}

/// `interfaces.md` §4, what exists now: name and labels; `L` stands for the three levels.
const INTERFACES: &[(&str, &str)] = &[
    ("dora_L_deployments", "window"),
    ("dora_L_deployments_per_day", "window"),
    ("dora_L_deployments_per_day_bound", "window bound"),
    ("dora_L_deployment_dates", "window"),
    ("dora_L_deployment_attempts", "window outcome"),
    ("dora_L_last_deployment_timestamp_seconds", ""),
    ("dora_L_changes", "window"),
    ("dora_L_unreviewed_changes", "window"),
    ("dora_L_bot_changes", "window"),
    ("dora_L_lead_time_seconds", "window stat"),
    ("dora_L_lead_time_seconds_bound", "window bound"),
    ("dora_L_lead_time_phase_seconds", "window phase stat"),
    ("dora_L_failed_deployments", "window"),
    ("dora_L_change_fail_ratio", "window"),
    ("dora_L_change_fail_ratio_bound", "window bound"),
    ("dora_L_rework_deployments", "window"),
    ("dora_L_rework_ratio", "window"),
    ("dora_L_rework_ratio_bound", "window bound"),
    ("dora_L_recovered_deployments", "window"),
    ("dora_L_recovery_time_seconds", "window stat"),
    ("dora_L_recovery_time_seconds_bound", "window bound"),
    ("dora_L_unrecovered_deployments", ""),
    ("dora_L_incidents", "window severity"),
    ("dora_L_incidents_per_day", "window"),
    ("dora_L_incidents_per_day_bound", "window bound"),
    ("dora_L_open_incidents", "severity"),
    ("dora_L_resolved_incidents", "window"),
    ("dora_L_incident_resolution_seconds", "window stat"),
    ("dora_L_coverage_ratio", "window kind"),
    ("dora_L_window_complete", "window"),
    ("dora_regression_threshold", "measure tier"),
    ("dora_team_state", "team measure state"),
    ("dora_team_state_since_timestamp_seconds", "team measure"),
    ("dora_team_evidence", "team measure"),
    ("dora_team_change_ratio", "team measure"),
    ("dora_team_change_ratio_bound", "team measure bound"),
    ("dora_team_baseline", "team measure"),
    ("dora_team_state_transitions_total", "team measure to"),
    ("dora_north_star_value", "name"),
    ("dora_north_star_target", "name"),
    ("dora_north_star_progress_ratio", "name"),
    ("dora_north_star_timestamp_seconds", "name"),
    ("dora_organization_signal_value", "name"),
    ("dora_organization_signal_target", "name"),
    ("dora_organization_signal_progress_ratio", "name"),
    ("dora_organization_signal_timestamp_seconds", "name"),
    ("dora_team_signal_value", "team name"),
    ("dora_team_signal_target", "team name"),
    ("dora_team_signal_progress_ratio", "team name"),
    ("dora_team_signal_timestamp_seconds", "team name"),
    ("dora_team_info", "team"),
    ("dora_team_guardrail", "team guardrail state"),
    ("dora_team_guardrail_limit", "team guardrail"),
    ("dora_deployments_total", "team component outcome"),
    ("dora_incidents_total", "team severity"),
    ("dora_change_lead_time_seconds", "team"),
    ("dora_deployment_recovery_time_seconds", "team"),
    ("sextant_build_info", "version revision"),
    ("sextant_source_up", "source kind"),
    ("sextant_source_last_success_timestamp_seconds", "source kind"),
    ("sextant_source_newest_fact_timestamp_seconds", "source kind"),
    ("sextant_source_poll_duration_seconds", "source kind"),
    ("sextant_source_requests_total", "source kind"),
    ("sextant_source_request_failures_total", "source kind reason"),
    ("sextant_source_rate_limit", "source resource"),
    ("sextant_source_rate_limit_remaining", "source resource"),
    ("sextant_source_rate_limit_reset_timestamp_seconds", "source resource"),
    ("sextant_source_throttled_seconds_total", "source"),
    ("sextant_source_backfill_complete", "source"),
    ("sextant_source_backfill_progress_ratio", "source"),
    ("sextant_source_excluded", "source reason"),
    ("sextant_webhooks_total", "source event outcome"),
    ("sextant_repositories", "source state"),
    ("sextant_facts", "fact"),
    ("sextant_suspect_facts", "reason"),
    ("sextant_snapshot_timestamp_seconds", ""),
    ("sextant_snapshot_duration_seconds", ""),
    ("sextant_series", ""),
    ("sextant_series_dropped", ""),
    ("sextant_config_last_reload_successful", ""),
    ("sextant_config_last_reload_success_timestamp_seconds", ""),
];

fn labels(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn names_and_labels_are_those_of_the_interface() {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, words) in INTERFACES {
        if name.contains("_L_") {
            for (level, more) in [("organization", ""), ("team", "team "), ("component", "team component ")] {
                let name = name.replace("_L_", &format!("_{level}_"));
                expected.insert(name, labels(&format!("{more}{words}")));
            }
        } else {
            expected.insert((*name).into(), labels(words));
        }
    }
    let metrics = catalogue::metrics().filter(|metric| !metric.name.starts_with("process_"));
    let found: BTreeMap<String, BTreeSet<String>> = metrics
        .map(|metric| (metric.name.into(), metric.labels.iter().map(|&label| label.into()).collect()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_full_scrape_has_every_metric_of_the_catalogue_with_exactly_its_labels_and_no_other() {
    let rendered = full();
    let found = families(&rendered);
    let names: Vec<&str> = found.iter().map(|family| family.name.as_str()).collect();
    // A machine without a limit of open files exposes none.
    let expected: Vec<&str> = catalogue::metrics()
        .map(|metric| metric.name)
        .filter(|name| *name != "process_max_fds" || names.contains(name))
        .collect();
    assert_eq!(names, expected);
    for family in &found {
        let metric = catalogue::metrics().find(|metric| metric.name == family.name).unwrap();
        assert_eq!(family.kind, metric.kind.as_str(), "{}", family.name);
        for line in &family.samples {
            let mut expected: BTreeSet<&str> = metric.labels.iter().copied().collect();
            if line.name.ends_with("_bucket") {
                expected.insert("le");
            }
            let labels: BTreeSet<&str> = line.labels.keys().map(String::as_str).collect();
            if metric.takes_more_labels() {
                assert!(labels.is_superset(&expected), "{line:?}");
            } else {
                assert_eq!(labels, expected, "{line:?}");
            }
        }
    }
    assert_eq!(rendered.series, found.iter().map(|family| family.samples.len()).sum::<usize>());
    assert_eq!(values(&rendered, "sextant_series"), [format!(" {}", rendered.series)]);
    assert_eq!(values(&rendered, "sextant_series_dropped"), [" 0"]);
}

#[test]
fn the_catalogue_follows_the_naming_rules() {
    for metric in catalogue::metrics() {
        let name = metric.name;
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        let base = name.strip_suffix("_total").unwrap_or(name);
        let unit = [Unit::Seconds, Unit::Ratio, Unit::Bytes]
            .into_iter()
            .find(|unit| base.ends_with(&format!("_{}", unit.as_str().unwrap())));
        assert_eq!(unit.unwrap_or(Unit::One), metric.unit, "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains("  "), "{name}: {}", metric.help);
        if name.starts_with("dora_") && name != "dora_team_info" {
            let rules = ["definitions.md", "regressions.md"];
            assert!(rules.iter().any(|rules| metric.help.contains(rules)), "{name}");
        }
        if name.ends_with("_timestamp_seconds") {
            assert!(metric.help.contains("Unix epoch"), "{name}");
        }
    }
    assert_eq!(FAILURE_REASONS, Reason::ALL.map(Reason::as_str));
}

#[test]
fn no_series_occurs_twice_even_if_a_window_does() {
    let mut snapshot = snapshot();
    let window = snapshot.windows[0].clone();
    snapshot.windows[1] = window;
    let twice = [counters(), counters()].concat();
    let rendered = render(&snapshot, &twice, &telemetry().gather(), Limits::default()).unwrap();
    let mut seen = BTreeSet::new();
    for line in families(&rendered).into_iter().flat_map(|family| family.samples) {
        assert!(seen.insert((line.name.clone(), line.labels.clone())), "{line:?}");
    }
    assert_eq!(values(&rendered, "dora_organization_changes"), ["window=7d 11"]);
}

#[test]
fn unknown_is_absent_and_none_is_zero() {
    let rendered = full();
    let of_team = |name: &str, team: &str| -> Vec<String> {
        let mut lines = values(&rendered, name);
        lines.retain(|line| line.contains(&format!("team={team}")));
        lines
    };
    // Never deployed, never an incident: nothing but that it is there.
    let text = std::str::from_utf8(&rendered.text).unwrap();
    let search: Vec<&str> = text.lines().filter(|line| line.contains("team=\"search\"")).collect();
    assert_eq!(search, ["dora_team_info{team=\"search\"} 1"]);
    let organization = Snapshot { windows: snapshot().windows, organization: idle(), ..Snapshot::default() };
    let alone = render(&organization, &[], &[], Limits::default()).unwrap();
    assert_eq!(
        values(&alone, "dora_organization_window_complete"),
        ["window=7d 0", "window=30d 0"],
        "of the organisation it is always known"
    );
    // Deployed before the windows: counts are 0, shares and medians unknown.
    for (name, expected) in [
        ("dora_team_deployments", 2),
        ("dora_team_deployments_per_day", 2),
        ("dora_team_deployment_attempts", 4),
        ("dora_team_incidents", 2),
        ("dora_team_change_fail_ratio", 0),
        ("dora_team_rework_ratio", 0),
        ("dora_team_lead_time_seconds", 0),
        ("dora_team_lead_time_phase_seconds", 0),
        ("dora_team_recovery_time_seconds", 0),
        ("dora_team_incident_resolution_seconds", 0),
        ("dora_team_coverage_ratio", 0),
    ] {
        let lines = of_team(name, "platform");
        assert_eq!(lines.len(), expected, "{name}: {lines:?}");
        assert!(lines.iter().all(|line| line.ends_with(" 0")), "{name}: {lines:?}");
    }
}

#[test]
fn an_empty_snapshot_has_no_family_without_series() {
    let rendered = render(&Snapshot::default(), &counters(), &[], Limits::default()).unwrap();
    let names: Vec<String> = families(&rendered).into_iter().map(|family| family.name).collect();
    assert_eq!(
        names,
        [
            "sextant_suspect_facts",
            "sextant_snapshot_timestamp_seconds",
            "sextant_series",
            "sextant_series_dropped",
        ]
    );
}

#[test]
fn counters_begin_at_zero_and_leave_with_their_team_or_component() {
    let rendered = full();
    assert_eq!(
        values(&rendered, "dora_deployments_total"),
        [
            "component=checkout,outcome=failure,team=payments 0",
            "component=checkout,outcome=success,team=payments 9",
        ]
    );
    let incidents = values(&rendered, "dora_incidents_total");
    assert_eq!(incidents.len(), 6, "two teams, three severities: {incidents:?}");
    assert!(incidents.contains(&"severity=sev1,team=payments 2".into()));
    assert!(incidents.contains(&"severity=sev3,team=platform 0".into()));
    assert!(!std::str::from_utf8(&rendered.text).unwrap().contains("dissolved"));
}

#[test]
fn without_component_detail_counters_are_the_same() {
    let mut snapshot = snapshot();
    snapshot.components.clear();
    let rendered = render(&snapshot, &counters(), &[], Limits::default()).unwrap();
    assert_eq!(values(&rendered, "dora_deployments_total"), values(&full(), "dora_deployments_total"));
}

#[test]
fn a_histogram_is_cumulative_and_complete_for_every_team_that_has_deployed() {
    let rendered = full();
    let mut buckets = values(&rendered, "dora_change_lead_time_seconds_bucket");
    assert_eq!(buckets.len(), 2 * 13);
    buckets.retain(|line| line.contains("payments"));
    let counts: Vec<&str> = buckets.iter().map(|line| line.rsplit_once(' ').unwrap().1).collect();
    assert_eq!(counts, ["0", "1", "1", "1", "3", "3", "3", "3", "3", "3", "3", "3", "4"]);
    assert_eq!(
        values(&rendered, "dora_change_lead_time_seconds_sum"),
        ["team=payments 9000000.5", "team=platform 0"]
    );
    assert_eq!(
        values(&rendered, "dora_change_lead_time_seconds_count"),
        ["team=payments 4", "team=platform 0"]
    );
}

#[test]
fn too_many_series_cost_components_first_and_are_counted() {
    let everything = full();
    let by_prefix = |rendered: &Rendered, prefix: &str| {
        let found = families(rendered);
        found.iter().filter(|family| family.name.starts_with(prefix)).count()
    };
    let series_max = everything.series - 1;
    let limited = |series_max| render(&snapshot(), &counters(), &own(), Limits { series_max }).unwrap();
    let tight = limited(series_max);
    assert!(tight.series <= series_max);
    assert_eq!(tight.series + tight.dropped, everything.series);
    assert_eq!(values(&tight, "sextant_series_dropped"), [format!(" {}", tight.dropped)]);
    assert_eq!(by_prefix(&tight, "dora_deployments_total"), 0, "the last family goes first");
    assert_eq!(by_prefix(&tight, "dora_team_"), by_prefix(&everything, "dora_team_"));
    let none = limited(0);
    assert_eq!(by_prefix(&none, "dora_component_") + by_prefix(&none, "dora_team_"), 0);
    for prefix in ["dora_organization_", "dora_north_star_", "sextant_", "process_"] {
        assert_eq!(by_prefix(&none, prefix), by_prefix(&everything, prefix), "{prefix} stays");
    }
    assert_eq!(none.series + none.dropped, everything.series);
}

#[test]
fn both_formats_have_the_same_series_and_openmetrics_keeps_its_grammar() {
    let rendered = full();
    let openmetrics = std::str::from_utf8(&rendered.openmetrics).unwrap();
    assert_eq!(openmetrics.matches("# EOF\n").count(), 1);
    assert!(openmetrics.ends_with("\n# EOF\n"));
    let (text, openmetrics) = (families(&rendered), read(openmetrics));
    assert_eq!(text.len(), openmetrics.len());
    let mut names = BTreeSet::new();
    for (text, open) in text.iter().zip(&openmetrics) {
        assert_eq!(text.samples, open.samples);
        assert!(names.insert(&open.name), "{} comes twice", open.name);
        if let Some(unit) = &open.unit {
            assert!(open.name.ends_with(&format!("_{unit}")), "{}", open.name);
        }
        assert!(!open.kind.is_empty() && !open.help.is_empty(), "{}", open.name);
        let suffixes: &[&str] = match open.kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        for line in &open.samples {
            let suffix = line.name.strip_prefix(&open.name).unwrap();
            assert!(suffixes.contains(&suffix), "{}", line.name);
        }
    }
}

#[test]
fn compressed_bodies_are_the_plain_ones() {
    let rendered = full();
    for (plain, compressed) in
        [(&rendered.text, &rendered.text_gzip), (&rendered.openmetrics, &rendered.openmetrics_gzip)]
    {
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, plain[..]);
        assert!(compressed.len() * 4 < plain.len());
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool is missing: scripts/test installs it (Debian: prometheus)");
    promtool.stdin.take().unwrap().write_all(&full().text).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn what_is_not_known_yet_of_a_source_is_absent_and_failures_begin_at_zero() {
    let telemetry = Telemetry::new();
    let source = telemetry.source("acme", "github");
    let rendered = || render(&Snapshot::default(), &[], &telemetry.gather(), Limits::default()).unwrap();
    let before = rendered();
    for name in [
        "sextant_source_up",
        "sextant_source_last_success_timestamp_seconds",
        "sextant_source_newest_fact_timestamp_seconds",
        "sextant_source_backfill_complete",
        "sextant_source_backfill_progress_ratio",
        "sextant_source_rate_limit",
        "sextant_config_last_reload_successful",
        "sextant_snapshot_duration_seconds",
    ] {
        assert!(values(&before, name).is_empty(), "{name}");
    }
    assert_eq!(values(&before, "sextant_source_requests_total"), ["kind=github,source=acme 0"]);
    let failures = values(&before, "sextant_source_request_failures_total");
    let expected = Reason::ALL.map(|reason| format!("kind=github,reason={},source=acme 0", reason.as_str()));
    assert_eq!(BTreeSet::from_iter(failures), BTreeSet::from(expected));

    source.polled(false, 5.0, 1.0);
    let after = rendered();
    assert_eq!(values(&after, "sextant_source_up"), ["kind=github,source=acme 0"]);
    assert!(values(&after, "sextant_source_last_success_timestamp_seconds").is_empty());
}

#[test]
fn a_source_that_names_ever_new_resources_gets_no_more_series() {
    let telemetry = Telemetry::new();
    let source = telemetry.source("acme", "github");
    for number in 0..100 {
        source.rate_limit(&format!("resource{number}"), 1.0, 1.0, 1.0);
    }
    source.rate_limit("resource3", 1.0, 7.0, 1.0);
    let rendered = render(&Snapshot::default(), &[], &telemetry.gather(), Limits::default()).unwrap();
    let remaining = values(&rendered, "sextant_source_rate_limit_remaining");
    assert_eq!(remaining.len(), 17);
    assert!(remaining.contains(&"resource=other,source=acme 1".into()));
    assert!(remaining.contains(&"resource=resource3,source=acme 7".into()));
}

#[test]
fn a_source_that_left_the_configuration_leaves_no_series() {
    let telemetry = telemetry();
    telemetry.source("acme-github", "github").retire();
    let rendered = render(&Snapshot::default(), &[], &telemetry.gather(), Limits::default()).unwrap();
    let text = std::str::from_utf8(&rendered.text).unwrap();
    assert!(!text.contains("acme-github"));
    assert_eq!(values(&rendered, "sextant_source_up"), ["kind=pagerduty,source=acme-pagerduty 0"]);
}

proptest! {
    #[test]
    fn whatever_people_write_is_read_back_as_it_was(team in "\\PC{1,12}|[\"\\\\\n{},= ]{1,8}", value in any::<String>()) {
        let mut snapshot = snapshot();
        let mut values = snapshot.teams.values().next().cloned().unwrap();
        values.info = [("note".to_owned(), value.clone())].into();
        snapshot.teams = [(team.as_str().into(), values)].into();
        let counted = [(key("dora_incidents_total", &[&team, "sev1"]), 3.0)];
        let rendered = render(&snapshot, &counted, &[], Limits::default()).unwrap();
        // A reader that splits lines at \n alone, as Prometheus does.
        prop_assume!(!value.contains('\r') && !team.contains('\r'));
        let families = families(&rendered);
        let info = families.iter().find(|family| family.name == "dora_team_info").unwrap();
        prop_assert_eq!(&info.samples[0].labels["team"], &team);
        prop_assert_eq!(&info.samples[0].labels["note"], &value);
    }
}
