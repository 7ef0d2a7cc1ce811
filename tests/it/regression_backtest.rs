//! The backtest on histories that are made by hand: what it counts, what it cannot see, and what it would raise.

use std::collections::{BTreeMap, BTreeSet};

use sextant::engine::exposure::Calendar;
use sextant::engine::regression::backtest::{Backtest, HISTORY_MIN, Outcome, Plan, Tested, backtest};
use sextant::engine::regression::detect::{Acceptance, Settings, looks};
use sextant::engine::regression::machine::State;
use sextant::engine::regression::series::{Deployed, TeamSeries};
use sextant::model::day::Day;
use sextant::model::measure::{Measure, Sensitivity};
use sextant::model::time::{Span, Timestamp};

/// A Monday.
fn begin() -> Day {
    Day::of(Timestamp::parse("2025-01-06T00:00:00Z").unwrap(), chrono_tz::Tz::UTC)
}

fn noon(day: i64) -> Timestamp {
    Timestamp::parse("2025-01-06T12:00:00Z").unwrap().plus(Span::from_days(day))
}

/// Numbers from 0 to 99 that look like chance and are always the same (the mixing of `SplitMix64`).
fn chance(a: i64, b: i64) -> i64 {
    let seed = a.cast_unsigned().wrapping_mul(1_000_003).wrapping_add(b.cast_unsigned());
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    i64::try_from((mixed ^ (mixed >> 31)) % 100).unwrap()
}

/// Two deployments a working day with a change each, whose lead time is `hours(day)`, more or less.
fn team(days: i64, hours: impl Fn(i64) -> i64) -> TeamSeries {
    let mut deployments = Vec::new();
    for day in (0..days).filter(|day| !begin().plus(*day).is_weekend()) {
        for number in 0..2 {
            let minutes = hours(day) * (20 + chance(day * 7 + number, 1) * 2) * 60 / 100;
            deployments.push(Deployed {
                at: noon(day).plus(Span::from_minutes(number)),
                lead_times: vec![Span::from_minutes(minutes)],
                unplanned: false,
                failure: None,
            });
        }
    }
    TeamSeries { since: begin(), deployments, incidents: Vec::new(), blind: BTreeSet::new() }
}

fn test(series: &TeamSeries, days: i64, settings: &Settings, permutations: u32) -> Backtest {
    let plan = Plan { permutations, seed: 7 };
    backtest(series, &Calendar::default(), settings, begin().plus(days), plan)
}

fn tested(found: &Backtest, measure: Measure) -> Option<Tested> {
    found.measures.iter().find(|(of, _)| *of == measure).and_then(|(_, outcome)| match outcome {
        Outcome::Insufficient => None,
        Outcome::Tested(tested) => Some(tested.clone()),
    })
}

#[test]
fn too_little_is_said_to_be_too_little_and_never_no_false_alarms() {
    let short = test(&team(400, |_| 10), HISTORY_MIN - 1, &Settings::default(), 3);
    assert!(short.alarms.is_none() && short.raised.is_none());
    assert!(short.measures.iter().all(|(_, outcome)| *outcome == Outcome::Insufficient), "{short:?}");

    let enough = test(&team(400, |_| 10), HISTORY_MIN, &Settings::default(), 3);
    let lead = tested(&enough, Measure::LeadTime).unwrap();
    assert_eq!(lead.history, begin()..begin().plus(HISTORY_MIN));
    // None of its deployments failed, so that no recovery can be compared.
    assert!(tested(&enough, Measure::RecoveryTime).is_none());
    let alarms = enough.alarms.unwrap();
    assert!(alarms.interval.lower <= alarms.per_year && alarms.per_year <= alarms.interval.upper);
    assert!(alarms.interval.upper > 1.0, "three orders of half a year say little: {alarms:?}");
}

#[test]
fn whole_blocks_are_used_and_what_is_left_over_is_not() {
    let found = test(&team(405, |_| 10), 405, &Settings::default(), 2);
    let lead = tested(&found, Measure::LeadTime).unwrap();
    assert_eq!(lead.history, begin()..begin().plus(392));
    assert!(lead.regressed.is_none());
}

#[test]
fn the_same_seed_gives_the_same_and_the_order_of_facts_matters_not() {
    let mut series = team(340, |day| 10 + chance(day / 14, 5) / 4);
    let first = test(&series, 340, &Settings::default(), 4);
    series.deployments.reverse();
    assert_eq!(first, test(&series, 340, &Settings::default(), 4));
}

/// Slow since three months: in any other order, two weeks that are slow every now and then.
fn slower() -> TeamSeries {
    team(405, |day| if day < 300 { 10 } else { 40 })
}

#[test]
fn a_history_that_alarms_too_often_has_its_thresholds_raised_until_it_does_not() {
    let series = slower();
    let settings = Settings { sensitivity: Sensitivity::Normal, ..Settings::default() };
    let before = test(&series, 405, &settings, 10);
    let alarms = before.alarms.unwrap();
    assert!(alarms.per_year > 2.0 * before.budget, "{before:?}");
    let lead = tested(&before, Measure::LeadTime).unwrap();
    let raise = lead.raise.unwrap();
    assert!(raise > lead.threshold, "{lead:?}");
    // It is told that something changed, which may be what is to be seen and not to be hidden.
    assert!(lead.regressed.is_some_and(|day| (300..320).contains(&day.since(begin()))), "{lead:?}");
    assert!(before.raised.unwrap().per_year <= before.budget, "{before:?}");
    for measure in Measure::ALL.into_iter().filter(|measure| *measure != Measure::LeadTime) {
        assert!(tested(&before, measure).is_none_or(|tested| tested.raise.is_none()), "{measure:?}");
    }
    // Once it is applied there is nothing more to raise, and a hundredth less would have been too little.
    let with = |threshold: f64| {
        let raised = BTreeMap::from([(Measure::LeadTime, threshold)]);
        test(&series, 405, &Settings { raised, ..settings.clone() }, 10)
    };
    let after = with(raise);
    assert_eq!(after.alarms, before.raised);
    let share = |found: &Backtest| tested(found, Measure::LeadTime).unwrap().alarms.per_year;
    assert!(share(&after) <= after.budget / 6.0 && share(&with(raise - 0.02)) > after.budget / 6.0);
}

#[test]
fn a_threshold_is_raised_and_never_lowered() {
    let usual = Settings::default().thresholds(Measure::LeadTime);
    for (raised, expected) in [(9.0, 9.0), (1.0, usual.regressed), (f64::NAN, usual.regressed)] {
        let raised = BTreeMap::from([(Measure::LeadTime, raised)]);
        let thresholds = Settings { raised, ..Settings::default() }.thresholds(Measure::LeadTime);
        assert!((thresholds.regressed - expected).abs() < 1e-12);
        assert_eq!(
            (thresholds.watch.to_bits(), thresholds.clear.to_bits()),
            (usual.watch.to_bits(), 1.0_f64.to_bits())
        );
    }
    let slower = team(380, |day| if day < 280 { 10 } else { 60 });
    let days = begin()..begin().plus(380);
    let states = |settings: &Settings| {
        let found = looks(&slower, &Calendar::default(), settings, &days);
        let of = found.into_iter().filter(|look| look.measure == Measure::LeadTime);
        of.map(|look| look.state).collect::<BTreeSet<_>>()
    };
    assert!(states(&Settings::default()).contains(&State::Regressed));
    let raised = BTreeMap::from([(Measure::LeadTime, 99.0)]);
    let states = states(&Settings { raised, ..Settings::default() });
    assert!(!states.contains(&State::Regressed) && states.contains(&State::Watch), "{states:?}");
}

#[test]
fn a_new_normal_is_tried_alone() {
    let series = team(600, |_| 10);
    let accepted = |from: i64| Acceptance {
        measure: Measure::LeadTime,
        from: begin().plus(from),
        reason: "audits".to_owned(),
    };
    let settings = Settings { accepted: vec![accepted(100), accepted(310)], ..Settings::default() };
    let found = test(&series, 600, &settings, 2);
    let lead = tested(&found, Measure::LeadTime).unwrap();
    // From the next Monday on.
    assert_eq!(lead.history.start, begin().plus(315));
    assert_eq!(tested(&found, Measure::DeploymentsPerDay).unwrap().history.start, begin());
    let settings = Settings { accepted: vec![accepted(400)], ..Settings::default() };
    let found = test(&series, 600, &settings, 2);
    assert!(tested(&found, Measure::LeadTime).is_none());
}
