//! Guardrails: how states follow from what is known, and that a team can only make them tighter.

use proptest::prelude::*;
use sextant::engine::guardrail::{Known, State, standings, state};
use sextant::engine::interval::Interval;
use sextant::engine::snapshot::{
    Bounds, Completeness, Delivery, Incidents, LevelValues, Quantiles, Snapshot, TeamValues, WindowValues,
};
use sextant::model::guardrail::{Guardrail, Limit, in_force};
use sextant::model::measure::{Measure, Stat};
use sextant::model::name::{Severity, TeamSlug};
use sextant::model::regressions::TeamPatterns;
use sextant::model::settings::Window;
use sextant::model::time::Span;

const COMPLETE: Completeness = Completeness::Complete;

fn known(n: u64, lower: f64, upper: f64) -> Known {
    let interval = Some(Interval { lower, upper });
    Known { n: Some(n), value: Some(f64::midpoint(lower, upper)), interval, complete: COMPLETE }
}

fn guardrail(measure: Measure, limit: Limit, min_samples: u64, teams: &[&str]) -> Guardrail {
    Guardrail {
        name: "g".into(),
        measure,
        stat: Stat::P50,
        limit,
        window: Window::parse("30d").unwrap(),
        min_samples,
        teams: TeamPatterns::parse(teams.iter().copied()).unwrap(),
    }
}

#[test]
fn a_state_is_told_by_all_that_a_number_could_be() {
    for (limit, lower, upper, expected) in [
        (Limit::Max(0.15), 0.01, 0.14, State::Inside),
        // The limit itself is within it.
        (Limit::Max(0.15), 0.01, 0.15, State::Inside),
        (Limit::Max(0.15), 0.01, 0.1501, State::Near),
        (Limit::Max(0.15), 0.15, 0.30, State::Near),
        (Limit::Max(0.15), 0.1501, 0.30, State::Outside),
        (Limit::Max(1.0), 0.9, 1.0, State::Inside),
        (Limit::Max(0.15), 0.15, 0.15, State::Inside),
        (Limit::Min(0.5), 0.51, 2.0, State::Inside),
        (Limit::Min(0.5), 0.5, 2.0, State::Inside),
        (Limit::Min(0.5), 0.4, 2.0, State::Near),
        (Limit::Min(0.5), 0.0, 0.5, State::Near),
        (Limit::Min(0.5), 0.0, 0.49, State::Outside),
    ] {
        assert_eq!(state(&known(10, lower, upper), limit, 10), expected, "{limit:?} {lower} {upper}");
    }
}

#[test]
fn too_little_is_unknown_whatever_the_number() {
    let far = known(10, 0.8, 0.9);
    let limit = Limit::Max(0.15);
    for (known, min_samples, expected) in [
        (far, 10, State::Outside),
        (far, 11, State::Unknown),
        (Known { n: None, ..far }, 0, State::Unknown),
        (Known { interval: None, ..far }, 10, State::Unknown),
        (Known { complete: Completeness::Partial, ..far }, 10, State::Unknown),
        (Known { n: Some(0), ..far }, 0, State::Outside),
        (Known { value: None, ..far }, 0, State::Unknown),
        (Known::default(), 0, State::Unknown),
    ] {
        assert_eq!(state(&known, limit, min_samples), expected, "{known:?} {min_samples}");
    }
}

#[test]
fn of_one_name_the_tightest_holds_for_a_team() {
    let ratio = Measure::ChangeFailRatio;
    let all = [
        guardrail(ratio, Limit::Max(0.15), 10, &["*"]),
        guardrail(ratio, Limit::Max(0.10), 20, &["payments", "search"]),
        guardrail(ratio, Limit::Max(0.30), 5, &["mobile*"]),
        Guardrail { name: "other".into(), ..guardrail(ratio, Limit::Min(0.1), 1, &["*", "!search"]) },
    ];
    for (team, limit, min_samples, count) in [
        ("payments", 0.10, 10, 2),
        ("search", 0.10, 10, 1),
        ("mobile-ios", 0.15, 5, 2),
        ("data", 0.15, 10, 2),
    ] {
        let held = in_force(&all, &TeamSlug::from(team));
        assert!((held["g"].guardrail.limit.value() - limit).abs() < 1e-12, "{team}");
        assert_eq!((held["g"].min_samples, held.len()), (min_samples, count), "{team}");
    }
    let own = [guardrail(ratio, Limit::Max(0.1), 1, &["payments"])];
    assert!(in_force(&own, &TeamSlug::from("search")).is_empty());
    let rates = [0.2, 0.5].map(|min| guardrail(Measure::DeploymentsPerDay, Limit::Min(min), 0, &["*"]));
    let held = in_force(&rates, &TeamSlug::from("search"));
    assert_eq!(held["g"].guardrail.limit, Limit::Min(0.5));
}

/// A window in which every measure is known, each with another interval.
fn window() -> WindowValues {
    let times =
        |hours: i64| Quantiles { p50: Some(Span::from_hours(hours)), p90: Some(Span::from_hours(hours * 2)) };
    let interval = |lower: f64, upper: f64| Some(Interval { lower, upper });
    WindowValues {
        delivery: Some(Delivery {
            deployments: 34,
            deployments_per_day: 34.0 / 30.0,
            changes: 40,
            lead_time: times(51),
            change_fail_ratio: Some(6.0 / 34.0),
            rework_ratio: Some(3.0 / 34.0),
            recovered_deployments: 6,
            recovery_time: times(2),
            ..Delivery::default()
        }),
        incidents: Some(Incidents {
            started: [(Severity::new("sev1"), 2), (Severity::none(), 5)].into(),
            per_day: 7.0 / 30.0,
            ..Incidents::default()
        }),
        complete: COMPLETE,
        bounds: Bounds {
            deployments_per_day: interval(0.8, 1.5),
            lead_time: interval(86_400.0, 5_400.0 + 172_800.0),
            lead_time_p90: interval(172_800.0, 604_800.0),
            change_fail_ratio: interval(0.09, 0.29),
            incidents_per_day: interval(0.09, 0.45),
            recovery_time: interval(45.0, 5_430.0),
            recovery_time_p90: None,
            rework_ratio: interval(0.02, 0.2),
        },
        ..WindowValues::default()
    }
}

fn snapshot(values: WindowValues) -> Snapshot {
    let values = LevelValues { windows: vec![WindowValues::default(), values], ..LevelValues::default() };
    Snapshot {
        windows: ["7d", "30d"].map(|label| Window::parse(label).unwrap()).into(),
        teams: [("payments".into(), TeamValues { values, ..TeamValues::default() })].into(),
        ..Snapshot::default()
    }
}

fn sentence(values: WindowValues, measure: Measure, limit: Limit, min_samples: u64) -> (State, String) {
    told(values, guardrail(measure, limit, min_samples, &["*"]))
}

fn told(values: WindowValues, guardrail: Guardrail) -> (State, String) {
    let standings = standings(&snapshot(values), &[guardrail]);
    assert_eq!(standings.len(), 1);
    (standings[0].state, standings[0].words())
}

#[test]
fn a_standing_is_a_sentence_that_informs() {
    let day = 86_400.0;
    for (measure, limit, min_samples, state, words) in [
        (
            Measure::ChangeFailRatio,
            Limit::Max(0.15),
            10,
            State::Near,
            "change fail rate 17.6 % of 34 deployments in 30d (9–29 %): the limit of at most 15 % lies within what it could be",
        ),
        (
            Measure::LeadTime,
            Limit::Max(day),
            6,
            State::Near,
            "median lead time 2 d 3 h of 40 changes in 30d (1 d – 2 d 1 h): the limit of at most 1 d lies within what it could be",
        ),
        (
            Measure::LeadTime,
            Limit::Max(3_600.0),
            6,
            State::Outside,
            "median lead time 2 d 3 h of 40 changes in 30d (1 d – 2 d 1 h): all that it could be is past the limit of at most 1 h",
        ),
        (
            Measure::RecoveryTime,
            Limit::Max(day),
            6,
            State::Inside,
            "median recovery time 2 h of 6 recoveries in 30d (45 s – 1 h 30 min): all that it could be is within the limit of at most 1 d",
        ),
        (
            Measure::RecoveryTime,
            Limit::Max(day),
            7,
            State::Unknown,
            "median recovery time: not enough data, 6 of 7 recoveries in 30d",
        ),
        (
            Measure::DeploymentsPerDay,
            Limit::Min(0.5),
            0,
            State::Inside,
            "deployment frequency 1.1 per day from 34 deployments in 30d (0.80–1.5): all that it could be is within the limit of at least 0.50 per day",
        ),
        (
            Measure::IncidentsPerDay,
            Limit::Max(0.01),
            0,
            State::Outside,
            "incident rate 0.23 per day from 7 incidents in 30d (0.09–0.45): all that it could be is past the limit of at most 0.01 per day",
        ),
        (
            Measure::ReworkRatio,
            Limit::Max(0.125),
            10,
            State::Near,
            "deployment rework rate 8.8 % of 34 deployments in 30d (2–20 %): the limit of at most 12.5 % lies within what it could be",
        ),
    ] {
        assert_eq!(sentence(window(), measure, limit, min_samples), (state, words.to_owned()));
    }
}

#[test]
fn what_is_not_known_is_said_to_be_so() {
    let limit = Limit::Max(0.15);
    for (values, words) in [
        (
            WindowValues { complete: Completeness::Partial, ..window() },
            "change fail rate: the collected history does not cover 30d yet",
        ),
        (WindowValues { delivery: None, ..window() }, "change fail rate: nothing is known in 30d"),
        (
            WindowValues { delivery: Some(Delivery::default()), ..window() },
            "change fail rate: no deployments in 30d",
        ),
        (
            WindowValues { bounds: Bounds::default(), ..window() },
            "change fail rate 17.6 % of 34 deployments in 30d: too little history to say what it could be",
        ),
    ] {
        let told = sentence(values, Measure::ChangeFailRatio, limit, 0);
        assert_eq!(told, (State::Unknown, words.to_owned()));
    }
    // A window that is not computed, and a team that nothing is known of, are unknown too.
    let mut empty = snapshot(window());
    empty.windows.pop();
    empty.teams.insert("idle".into(), TeamValues::default());
    let standings = standings(&empty, &[guardrail(Measure::ChangeFailRatio, limit, 0, &["*"])]);
    assert_eq!(
        standings.iter().map(|standing| standing.team.as_str()).collect::<Vec<_>>(),
        ["idle", "payments"]
    );
    assert!(standings.iter().all(|standing| standing.state == State::Unknown));
}

#[test]
fn a_90th_percentile_is_judged_by_its_own_interval() {
    let (day, lead_time) = (86_400.0, Measure::LeadTime);
    let few = || WindowValues { bounds: Bounds { lead_time_p90: None, ..window().bounds }, ..window() };
    for (values, measure, max, min_samples, state, words) in [
        (
            window(),
            lead_time,
            7.0 * day,
            35,
            State::Inside,
            "90th percentile of lead time 4 d 6 h of 40 changes in 30d (2 d – 7 d): all that it could be is within the limit of at most 7 d",
        ),
        (
            window(),
            lead_time,
            5.0 * day,
            35,
            State::Near,
            "90th percentile of lead time 4 d 6 h of 40 changes in 30d (2 d – 7 d): the limit of at most 5 d lies within what it could be",
        ),
        (
            // Past which the median is not.
            window(),
            lead_time,
            1.9 * day,
            35,
            State::Outside,
            "90th percentile of lead time 4 d 6 h of 40 changes in 30d (2 d – 7 d): all that it could be is past the limit of at most 1 d 21 h",
        ),
        (
            window(),
            lead_time,
            day,
            41,
            State::Unknown,
            "90th percentile of lead time: not enough data, 40 of 41 changes in 30d",
        ),
        (
            few(),
            lead_time,
            day,
            35,
            State::Unknown,
            "90th percentile of lead time 4 d 6 h of 40 changes in 30d: too few of them, or too little history, to say what it could be",
        ),
        (
            window(),
            Measure::RecoveryTime,
            day,
            6,
            State::Unknown,
            "90th percentile of recovery time 4 h of 6 recoveries in 30d: too few of them, or too little history, to say what it could be",
        ),
    ] {
        let guardrail = guardrail(measure, Limit::Max(max), min_samples, &["*"]);
        let found = told(values, Guardrail { stat: Stat::P90, ..guardrail });
        assert_eq!(found, (state, words.to_owned()));
    }
}

fn limits() -> impl Strategy<Value = (Limit, Limit)> {
    let pair = (0.0..1.0_f64, 0.0..1.0_f64);
    (any::<bool>(), pair).prop_map(|(is_max, (a, b))| {
        let (low, high) = (a.min(b), a.max(b));
        if is_max { (Limit::Max(high), Limit::Max(low)) } else { (Limit::Min(low), Limit::Min(high)) }
    })
}

proptest! {
    #[test]
    fn to_tighten_never_makes_a_state_better(
        (loose, tight) in limits(),
        (a, b) in (0.0..1.0_f64, 0.0..1.0_f64),
        (n, min_samples) in (0..20_u64, 0..20_u64),
    ) {
        let known = known(n, a.min(b), a.max(b));
        let (before, after) = (state(&known, loose, min_samples), state(&known, tight, min_samples));
        // In the order of the states; whether anything is known does not depend on the limit.
        prop_assert!(after >= before, "{before:?} {after:?}");
        prop_assert_eq!(before == State::Unknown, after == State::Unknown);
        prop_assert!(!tight.is_looser_than(loose));
    }
}
