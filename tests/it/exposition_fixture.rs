//! A snapshot made by hand that has every metric, teams that know nothing, and a reader for both text formats.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test helpers fail by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use sextant::catalogue::Family;
use sextant::engine::guardrail::{self, Known};
use sextant::engine::interval::Interval;
use sextant::engine::regression::machine::State;
use sextant::engine::regression::standing;
use sextant::engine::snapshot::{
    Bounds, Completeness, Coverage, Delivery, Incidents, LevelValues, Quantiles, RepositoryState, Snapshot,
    Suspects, TeamValues, WindowValues,
};
use sextant::model::batch::CounterKey;
use sextant::model::day::Day;
use sextant::model::fact::Exclusion;
use sextant::model::guardrail::Limit;
use sextant::model::measure::{Measure, Sensitivity, Stat};
use sextant::model::name::{Severity, TeamSlug};
use sextant::model::settings::Window;
use sextant::model::signal::{Format, SignalPoint, SignalRule, SignalState, Signals, Standing};
use sextant::model::time::{Span, Timestamp};
use sextant::telemetry::Telemetry;

pub(crate) const AT: Timestamp = Timestamp::from_seconds(1_763_830_800);

fn quantiles(p50: i64, p90: i64) -> Quantiles {
    Quantiles { p50: Some(Span::from_minutes(p50)), p90: Some(Span::from_minutes(p90)) }
}

/// A level that has deployed and had incidents.
pub(crate) fn busy() -> LevelValues {
    let window = |deployments: u32, complete| WindowValues {
        delivery: Some(Delivery {
            deployments: deployments.into(),
            deployments_per_day: f64::from(deployments) / 7.0,
            deployment_dates: 3,
            attempts_succeeded: 9,
            attempts_failed: 2,
            changes: 11,
            unreviewed_changes: 1,
            bot_changes: 4,
            lead_time: quantiles(90, 2_880),
            phases: [quantiles(30, 40), quantiles(5, 50), quantiles(15, 60), quantiles(40, 70)],
            failed_deployments: 1,
            change_fail_ratio: Some(0.125),
            rework_deployments: 2,
            rework_ratio: Some(0.25),
            recovered_deployments: 1,
            recovery_time: quantiles(75, 75),
        }),
        incidents: Some(Incidents {
            started: BTreeMap::from([(Severity::new("sev1"), 1), (Severity::none(), 0)]),
            per_day: 0.142_857,
            resolved: 1,
            resolution_time: quantiles(60, 60),
        }),
        coverage: Coverage {
            deployments_with_changes: Some(1.0),
            changes_deployed: Some(0.5),
            incidents_attributed: Some(0.0),
        },
        complete,
        bounds: Bounds {
            deployments_per_day: Some(Interval { lower: 0.5, upper: 2.25 }),
            lead_time: Some(Interval { lower: 3_600.0, upper: 9_000.5 }),
            lead_time_p90: Some(Interval { lower: 7_200.0, upper: 99_000.0 }),
            change_fail_ratio: Some(Interval { lower: 0.0, upper: 0.375 }),
            incidents_per_day: Some(Interval { lower: 0.0, upper: 0.5 }),
            recovery_time: Some(Interval { lower: 60.0, upper: 4_500.0 }),
            recovery_time_p90: None,
            rework_ratio: Some(Interval { lower: 0.0625, upper: 0.5 }),
        },
    };
    LevelValues {
        windows: vec![window(8, Completeness::Complete), window(21, Completeness::Partial)],
        last_deployment_at: Some(Timestamp::from_millis(AT.millis() - 1_500)),
        unrecovered_deployments: Some(0),
        open_incidents: Some(BTreeMap::from([(Severity::new("sev1"), 2), (Severity::none(), 0)])),
    }
}

/// A level that has deployed, but not in any window, and never had an incident but could.
pub(crate) fn quiet() -> LevelValues {
    let window = WindowValues {
        delivery: Some(Delivery::default()),
        incidents: Some(Incidents {
            started: BTreeMap::from([(Severity::new("sev1"), 0)]),
            ..Incidents::default()
        }),
        coverage: Coverage::default(),
        complete: Completeness::Complete,
        bounds: Bounds::default(),
    };
    LevelValues {
        windows: vec![window.clone(), window],
        last_deployment_at: Some(Timestamp::from_seconds(1_750_000_000)),
        unrecovered_deployments: Some(0),
        open_incidents: Some(BTreeMap::from([(Severity::new("sev1"), 0)])),
    }
}

/// A level that never did anything.
pub(crate) fn idle() -> LevelValues {
    LevelValues { windows: vec![WindowValues::default(); 2], ..LevelValues::default() }
}

/// A team that is slower, and one of which nothing can be said.
fn standings() -> BTreeMap<(TeamSlug, Measure), standing::Standing> {
    let slower = standing::Standing {
        state: State::Regressed,
        since: Timestamp::from_seconds(1_795_000_000),
        ratio: Some(2.5),
        bounds: Some(Interval { lower: 1.75, upper: 3.25 }),
        evidence: Some(4.5),
        baseline: Some(36_000.0),
    };
    let unknown = standing::Standing {
        state: State::Insufficient,
        since: Timestamp::from_seconds(1_790_000_000),
        ratio: None,
        bounds: None,
        evidence: None,
        baseline: None,
    };
    let of = |team: &str, standing| ((TeamSlug::from(team), Measure::LeadTime), standing);
    [of("payments", slower), of("platform", unknown)].into()
}

pub(crate) fn snapshot() -> Snapshot {
    let team = |values, info: &[(&str, &str)]| TeamValues {
        values,
        info: info.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    };
    Snapshot {
        at: AT,
        windows: ["7d", "30d"].map(|label| Window::parse(label).unwrap()).into(),
        organization: busy(),
        teams: [
            ("payments", team(busy(), &[("name", "Payments \"EU\""), ("slack", "#pay\\ments\n")])),
            ("platform", team(quiet(), &[])),
            ("search", team(idle(), &[])),
        ]
        .map(|(slug, values)| (slug.into(), values))
        .into(),
        components: [(("payments", "checkout"), busy()), (("search", "indexer"), idle())]
            .map(|((team, component), values)| ((team.into(), component.into()), values))
            .into(),
        deployed: [("payments".into(), "checkout".into())].into(),
        excluded: [(("acme-pagerduty".into(), Exclusion::Merged), 3)].into(),
        repositories: [
            (("acme-github".into(), RepositoryState::Ok), 2),
            (("acme-github".into(), RepositoryState::Unowned), 1),
        ]
        .into(),
        views: Vec::new(),
        suspects: Suspects { clock_skew: 1, future: 0, unknown_value: 2 },
        guardrails: vec![
            guardrail("payments", Some(Interval { lower: 0.05, upper: 0.25 })),
            guardrail("platform", None),
        ],
        standings: standings(),
        thresholds: [(Measure::LeadTime, Measure::LeadTime.thresholds(Sensitivity::Quiet))].into(),
    }
}

/// At most 15 % of the deployments of 30 days may fail, and of 21 12.5 % did.
fn guardrail(team: &str, interval: Option<Interval>) -> guardrail::Standing {
    let complete = Completeness::Complete;
    let known = Known { n: Some(21), value: Some(0.125), interval, complete };
    guardrail::Standing {
        team: team.into(),
        guardrail: "change-fail".into(),
        measure: Measure::ChangeFailRatio,
        stat: Stat::P50,
        window: Window::parse("30d").unwrap(),
        limit: Limit::Max(0.15),
        min_samples: 10,
        known,
        state: guardrail::state(&known, Limit::Max(0.15), 10),
    }
}

pub(crate) fn key(name: &str, labels: &[&str]) -> CounterKey {
    CounterKey { name: name.into(), labels: labels.iter().map(|&label| label.into()).collect() }
}

pub(crate) fn counters() -> Vec<(CounterKey, f64)> {
    let lead_time = "dora_change_lead_time_seconds";
    vec![
        (key("dora_deployments_total", &["payments", "checkout", "success"]), 9.0),
        (key("dora_deployments_total", &["payments", "gone", "success"]), 4.0),
        (key("dora_deployments_total", &["dissolved", "checkout", "success"]), 4.0),
        (key("dora_team_state_transitions_total", &["payments", "lead_time", "regressed"]), 3.0),
        (key("dora_team_state_transitions_total", &["dissolved", "lead_time", "ok"]), 2.0),
        (key("dora_incidents_total", &["payments", "sev1"]), 2.0),
        (key("dora_incidents_total", &["payments", "sev3"]), 1.0),
        (key("dora_incidents_total", &["dissolved", "sev9"]), 7.0),
        (key(&format!("{lead_time}_bucket"), &["payments", "3600"]), 1.0),
        (key(&format!("{lead_time}_bucket"), &["payments", "86400"]), 3.0),
        (key(&format!("{lead_time}_bucket"), &["payments", "+Inf"]), 4.0),
        (key(&format!("{lead_time}_sum"), &["payments"]), 9_000_000.5),
        (key(&format!("{lead_time}_count"), &["payments"]), 4.0),
        (key(&format!("{lead_time}_count"), &["dissolved"]), 4.0),
    ]
}

/// What a daemon says of itself after its first polls.
pub(crate) fn telemetry() -> Telemetry {
    let telemetry = Telemetry::new();
    let github = telemetry.source("acme-github", "github");
    github.request();
    github.request();
    github.failure("timeout");
    github.rate_limit("graphql", 5_000.0, 4_990.0, AT.seconds() + 60.0);
    github.throttled(1.5);
    github.polled(true, AT.seconds() - 30.0, 0.25);
    github.newest_fact(AT.seconds() - 90.0);
    github.newest_fact(AT.seconds() - 9_000.0);
    github.backfill(true);
    github.backfill_progress(1.0);
    let pagerduty = telemetry.source("acme-pagerduty", "pagerduty");
    pagerduty.request();
    pagerduty.failure("auth");
    pagerduty.polled(false, AT.seconds() - 20.0, 0.125);
    telemetry.webhook("push", "accepted");
    telemetry.config_reloaded(true, AT.seconds() - 3_600.0);
    telemetry.config_reloaded(false, AT.seconds() - 60.0);
    telemetry.snapshot(0.0625);
    telemetry.facts(&[("attempt", 120), ("change", 340)]);
    telemetry
}

/// A north star that is on its way, a signal of the organisation that got worse, one of a team without a value.
pub(crate) fn signals() -> Signals {
    let state = |standing, name: &str, start, target, value: Option<f64>, trouble: Option<&str>| {
        let rule = SignalRule {
            standing,
            name: name.into(),
            title: Some(format!("The {name} <of> acme")),
            promql: trouble.map(|_| "sum(acme_<orders>)".into()),
            start,
            target,
            by: Day::of(AT, Tz::UTC).plus(30),
            deadline: AT.plus(Span::from_days(31)),
            format: Format::Percent,
        };
        let point =
            |(minute, value): (i64, f64)| SignalPoint::new(AT.minus(Span::from_minutes(minute)), value);
        let points = value.into_iter().flat_map(|value| [(600, value / 2.0), (300, value * 2.0), (2, value)]);
        Arc::new(SignalState {
            rule: Arc::new(rule),
            history: points.filter_map(point).collect(),
            trouble: trouble.map(str::to_owned),
        })
    };
    vec![
        state(Standing::NorthStar, "conversion", 0.031, 0.04, Some(0.034), None),
        state(Standing::Organization, "churn", 0.05, 0.03, Some(0.055), Some("the query returned <nothing>")),
        state(Standing::Team("payments".into()), "uptime", 0.99, 0.999, Some(0.9945), None),
        state(Standing::Team("platform".into()), "clicks", 0.1, 0.2, None, Some("no answer")),
    ]
}

/// Without what differs from machine to machine.
pub(crate) fn reproducible(mut families: Vec<Family<'static>>) -> Vec<Family<'static>> {
    families.retain(|family| !family.metric.name.starts_with("process_"));
    families.retain(|family| family.metric.name != "sextant_build_info");
    families
}

/// A family as a reader finds it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
    pub(crate) samples: Vec<Line>,
}

/// A sample as a reader finds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: String,
}

/// Reads either format, strictly: anything unexpected panics.
pub(crate) fn read(text: &str) -> Vec<Read> {
    assert!(text.ends_with('\n'));
    let mut families: Vec<Read> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        let Some(comment) = line.strip_prefix("# ") else {
            families.last_mut().unwrap().samples.push(read_line(line));
            continue;
        };
        let [word, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if families.last().is_none_or(|family| family.name != name) {
            families.push(Read { name: name.into(), ..Read::default() });
        }
        let family = families.last_mut().unwrap();
        assert!(family.samples.is_empty(), "metadata after samples: {line}");
        match word {
            "HELP" => family.help = rest.into(),
            "TYPE" => family.kind = rest.into(),
            "UNIT" => family.unit = Some(rest.into()),
            _ => panic!("{line}"),
        }
    }
    families
}

fn read_line(line: &str) -> Line {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, quoted) = rest.split_once("=\"").unwrap();
            let (value, after) = unescape(quoted);
            assert!(labels.insert(label.to_owned(), value).is_none(), "label given twice: {line}");
            match after.as_bytes()[0] {
                b',' => rest = &after[1..],
                b'}' => break rest = &after[1..],
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "a timestamp: {line}");
    value.parse::<f64>().unwrap();
    Line { name: name.into(), labels, value: value.into() }
}

/// Up to the closing quote, and what follows it.
fn unescape(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[place + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                c => panic!("\\{c}"),
            }),
            c => value.push(c),
        }
    }
    panic!("no closing quote: {quoted}")
}
