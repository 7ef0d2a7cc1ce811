//! The statistics of `regressions.md`: its golden vectors to the printed digits, and what holds for any input.
#![expect(clippy::float_cmp, reason = "values that are the same numbers, not nearly so")]

use proptest::prelude::*;
use serde_json::Value;
use sextant::engine::count::real;
use sextant::engine::dispersion::{self, CountScatter, WeekCount, WeekLikeness, WeekShare};
use sextant::engine::interval::{self, Interval};
use sextant::engine::regression::rank::{self, Differences};
use sextant::engine::regression::score::{self, Tails};
use sextant::model::measure::{Measure, Sensitivity, Stat};

fn golden() -> Value {
    serde_json::from_str(include_str!("../fixtures/regression/golden.json")).unwrap()
}

/// As many digits as the vector has.
fn equal(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    let precision = (expected.abs() * 1e-6).max(5.1e-7);
    assert!((found - expected).abs() < precision, "{found} is not {expected}");
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

fn sorted_logarithms(value: &Value) -> Vec<f64> {
    let mut found: Vec<f64> = numbers(value).into_iter().map(f64::ln).collect();
    found.sort_by(f64::total_cmp);
    found
}

#[test]
fn deployments_equal_the_golden_vector() {
    let golden = &golden()["deployment_frequency"];
    let weeks = counts(&golden["baseline_weeks"]);
    let exposures = numbers(&golden["baseline_exposure"]);
    let bins: Vec<_> = weeks
        .iter()
        .zip(&exposures)
        .map(|(events, exposure)| WeekCount { events: *events, exposure: *exposure })
        .collect();
    let dispersion = dispersion::of_counts(&bins, CountScatter::DEPLOYMENTS);
    equal(dispersion, &golden["phi"]);
    equal(interval::over_weeks(dispersion), &golden["inflation"]);

    let (n0, e0): (u64, f64) = (weeks.iter().sum(), exposures.iter().sum());
    let (n1, e1) = (golden["n1"].as_u64().unwrap(), golden["e1"].as_f64().unwrap());
    let tails = score::binomial(n0, n0 + n1, e0 / (e0 + e1));
    let midp = golden["midp"].as_f64().unwrap();
    assert!((tails.upper / midp - 1.0).abs() < 1e-9, "{}", tails.upper);
    equal(tails.z(), &golden["z_raw"]);
    equal(tails.z() / interval::over_weeks(dispersion).sqrt(), &golden["z"]);
}

#[test]
fn failures_equal_the_golden_vector() {
    let golden = &golden()["change_fail_rate"];
    let of = |part: &str, whole: &str| (golden[part].as_u64().unwrap(), golden[whole].as_u64().unwrap());
    let tails = score::hypergeometric(of("f1", "n1"), of("f0", "n0"));
    let midp = golden["midp"].as_f64().unwrap();
    assert!((tails.upper / midp - 1.0).abs() < 1e-9, "{}", tails.upper);
    equal(tails.z(), &golden["z_raw"]);
}

#[test]
fn incidents_equal_the_golden_vector() {
    let golden = &golden()["incident_rate"];
    let (i1, i0) = (golden["i1"].as_u64().unwrap(), golden["i0"].as_u64().unwrap());
    let (c1, c0) = (golden["c1"].as_f64().unwrap(), golden["c0"].as_f64().unwrap());
    let tails = score::binomial(i1, i0 + i1, c1 / (c0 + c1));
    let midp = golden["midp"].as_f64().unwrap();
    assert!((tails.upper / midp - 1.0).abs() < 1e-9, "{}", tails.upper);
    equal(tails.z(), &golden["z_raw"]);
}

#[test]
fn lead_times_equal_the_golden_vector() {
    let golden = &golden()["lead_time"];
    let (recent, base) = (sorted_logarithms(&golden["recent_h"]), sorted_logarithms(&golden["base_h"]));
    let larger = rank::larger_pairs(&recent, &base);
    let compared = rank::mann_whitney(larger, recent.len() as u64, base.len() as u64).unwrap();
    equal(compared.z, &golden["mw_z"]);
    equal(compared.superiority, &golden["prob_superiority"]);
    equal(Differences::new(&recent, &base).median().unwrap().exp(), &golden["hodges_lehmann_ratio"]);
}

#[test]
fn intervals_equal_the_golden_vectors() {
    let golden = golden();
    let rate = &golden["rate_ci95"];
    let of = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let found = interval::rate(rate["x"].as_u64().unwrap(), of(rate, "e"), of(rate, "phi")).unwrap();
    equal(found.lower, &rate["lo"]);
    equal(found.upper, &rate["hi"]);
    let share = &golden["prop_ci95"];
    let (f, n) = (share["f"].as_u64().unwrap(), share["n"].as_u64().unwrap());
    let found = interval::proportion(f, n, of(share, "phi")).unwrap();
    equal(found.lower, &share["lo"]);
    equal(found.upper, &share["hi"]);
}

#[test]
fn none_and_all_have_intervals_that_end_there() {
    let of = |interval: Option<Interval>| interval.map(|found| (found.lower, found.upper));
    let none = of(interval::rate(0, 20.0, 1.0)).unwrap();
    assert!(none.0 == 0.0 && (none.1 * 20.0 - 3.688_879).abs() < 1e-6, "{none:?}");
    assert_eq!(of(interval::proportion(0, 20, 1.0)).unwrap().0, 0.0);
    assert_eq!(of(interval::proportion(20, 20, 1.0)).unwrap().1, 1.0);
    assert_eq!(interval::rate(3, 0.0, 1.0), None);
    assert_eq!(interval::proportion(0, 0, 1.0), None);
    assert_eq!(interval::median(&[], 1.0), None);
    assert_eq!(of(interval::median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 6.0)), Some((1.0, 6.0)));
    assert_eq!(interval::median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3.0), None);
}

#[test]
fn a_quantile_lies_between_two_of_the_sample() {
    for (count, effective, stat, expected) in [
        // 50 ∓ 1.96 · 5 of 100.
        (100, 100.0, Stat::P50, Some((40, 59))),
        (100, 25.0, Stat::P50, Some((30, 69))),
        (6, 6.0, Stat::P50, Some((0, 5))),
        (3, 3.0, Stat::P50, None),
        // 90 ∓ 1.96 · 3 of 100.
        (100, 100.0, Stat::P90, Some((84, 95))),
        (100, 50.0, Stat::P90, Some((81, 98))),
        (100, 34.0, Stat::P90, None),
        (35, 35.0, Stat::P90, Some((28, 34))),
        (34, 34.0, Stat::P90, None),
        (0, 1.0, Stat::P90, None),
        (10, 0.0, Stat::P90, None),
    ] {
        assert_eq!(interval::places(count, effective, stat), expected, "{count} {effective} {stat:?}");
    }
}

#[test]
fn thresholds_are_those_of_the_contract() {
    for (measure, watch, regressed) in [
        (Measure::DeploymentsPerDay, 3.05, [3.66, 3.54, 3.39]),
        (Measure::LeadTime, 2.97, [3.54, 3.46, 3.35]),
        (Measure::ChangeFailRatio, 2.88, [3.85, 3.46, 3.09]),
        (Measure::IncidentsPerDay, 3.16, [4.04, 3.85, 3.50]),
        (Measure::RecoveryTime, 2.43, [3.25, 2.91, 2.67]),
        (Measure::ReworkRatio, 2.68, [3.49, 3.15, 2.85]),
    ] {
        let levels = [Sensitivity::Quiet, Sensitivity::Normal, Sensitivity::Eager];
        let found = levels.map(|sensitivity| measure.thresholds(sensitivity));
        assert_eq!(found.map(|found| found.regressed), regressed);
        assert_eq!(found.map(|found| (found.watch, found.clear)), [(watch, 1.0); 3]);
    }
    assert_eq!(Sensitivity::Normal.expected_false_alarms(40), 10.0);
}

/// Counts as they are, and as nobody has them.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..60, 2 => 0_u64..5_000, 1 => 0_u64..1_000_000_000]
}

fn samples() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let value = prop_oneof![(0_i32..6).prop_map(f64::from), -4.0..9.0_f64];
    let sample = || {
        prop::collection::vec(value.clone(), 1..25).prop_map(|mut sample| {
            sample.sort_by(f64::total_cmp);
            sample
        })
    };
    (sample(), sample())
}

fn is_ordered(interval: Option<Interval>, low: f64, high: f64) -> Result<(), TestCaseError> {
    if let Some(Interval { lower, upper }) = interval {
        prop_assert!(low <= lower && lower <= upper && upper <= high, "{lower} {upper}");
    }
    Ok(())
}

fn is_probable(tails: Tails) -> Result<(), TestCaseError> {
    prop_assert!(tails.z().is_finite(), "{tails:?}");
    prop_assert!((tails.upper + tails.lower - 1.0).abs() < 1e-5, "{tails:?}");
    Ok(())
}

#[test]
fn nearly_all_of_very_many_are_still_inside_of_their_interval() {
    let (part, whole) = (19_598_132, 19_598_133);
    let share = interval::proportion(part, whole, 19.598_151_706_677_395).unwrap();
    assert!(share.lower < 1.0 && share.upper >= real(part) / real(whole), "{share:?}");
}

proptest! {
    #[test]
    fn scores_are_finite_and_their_tails_add_up(a in count(), b in count(), e1 in 0.0..90.0_f64, e0 in 0.1..200.0_f64) {
        is_probable(score::binomial(a, a + b, e0 / (e0 + e1)))?;
    }

    #[test]
    fn more_is_more_surprising(f1 in 0_u64..40, rest in 1_u64..40, f0 in 0_u64..90, ok in 1_u64..400) {
        let of = |f1: u64| score::hypergeometric((f1, 40 + rest), (f0, f0 + ok));
        is_probable(of(f1))?;
        prop_assert!(of(f1 + 1).z() >= of(f1).z() - 1e-9);
        let of = |f1: u64| score::binomial(f1, f1 + f0, 0.13);
        prop_assert!(of(f1 + 1).z() >= of(f1).z() - 1e-9);
    }

    #[test]
    fn no_counts_break_a_score(f1 in count(), n1 in count(), f0 in count(), n0 in count()) {
        prop_assert!(score::hypergeometric((f1, n1), (f0, n0)).z().is_finite());
    }

    #[test]
    fn intervals_hold_what_was_seen(x in count(), rest in count(), e in 0.1..100.0_f64, phi in 0.0..20.0_f64) {
        let seen = real(x) / e;
        let rate = interval::rate(x, e, phi).unwrap();
        prop_assert!(rate.lower <= seen * (1.0 + 1e-9) && seen <= rate.upper * (1.0 + 1e-9));
        is_ordered(Some(rate), 0.0, f64::INFINITY)?;
        let n = x + rest;
        is_ordered(interval::proportion(x, n, phi), 0.0, 1.0)?;
        if n > 0 {
            let share = interval::proportion(x, n, phi).unwrap();
            let seen = real(x) / real(n);
            prop_assert!(share.lower <= seen + 1e-9 && seen <= share.upper + 1e-9, "{share:?} {seen}");
        }
        is_ordered(interval::ratio_of_rates((x, e), (rest, 130.0), phi), 0.0, f64::INFINITY)?;
        is_ordered(interval::ratio_of_shares((x.min(rest), rest), (x, n), phi), 0.0, f64::INFINITY)?;
    }

    #[test]
    fn more_scatter_makes_wider_intervals(x in 0_u64..300, rest in 0_u64..300, phi in 1.0..9.0_f64) {
        let (narrow, wide) = (interval::rate(x, 20.0, phi).unwrap(), interval::rate(x, 20.0, phi + 1.0).unwrap());
        prop_assert!(wide.upper >= narrow.upper && wide.lower <= narrow.lower + 1e-9, "{narrow:?} {wide:?}");
        if let (Some(narrow), Some(wide)) =
            (interval::proportion(x, x + rest, phi), interval::proportion(x, x + rest, phi + 1.0))
        {
            prop_assert!(wide.upper - wide.lower >= narrow.upper - narrow.lower - 1e-9);
        }
    }

    #[test]
    fn differences_are_selected_as_if_written_down((recent, others) in samples()) {
        let mut all: Vec<f64> = recent.iter().flat_map(|a| others.iter().map(move |b| a - b)).collect();
        all.sort_by(f64::total_cmp);
        let differences = Differences::new(&recent, &others);
        for (index, expected) in all.iter().enumerate() {
            prop_assert_eq!(differences.place(index as u64 + 1), Some(*expected).map(|found| found + 0.0));
        }
        prop_assert_eq!(differences.place(0), None);
        prop_assert_eq!(differences.place(all.len() as u64 + 1), None);
        let median = differences.median().unwrap();
        if let Some((low, high)) = differences.interval(1.5) {
            prop_assert!(low <= median && median <= high);
        }
    }

    #[test]
    fn pairs_are_counted_as_if_one_by_one((recent, others) in samples()) {
        let one = |a: &f64, b: &f64| if a > b { 1.0 } else if a < b { 0.0 } else { 0.5 };
        let expected: f64 = recent.iter().flat_map(|a| others.iter().map(move |b| one(a, b))).sum();
        let larger = rank::larger_pairs(&recent, &others);
        prop_assert_eq!(larger, expected);
        let (n1, n0) = (recent.len() as u64, others.len() as u64);
        let there = rank::mann_whitney(larger, n1, n0).unwrap();
        let back = rank::mann_whitney(rank::larger_pairs(&others, &recent), n0, n1).unwrap();
        prop_assert!((there.z + back.z).abs() < 1e-12, "the mirror of a comparison is its negative");
    }

    #[test]
    fn dispersions_have_floors_and_no_nan(weeks in prop::collection::vec((count(), 0.0..7.0_f64), 0..30)) {
        let bins: Vec<_> = weeks.iter().map(|(events, exposure)| WeekCount { events: *events, exposure: *exposure }).collect();
        for scatter in [CountScatter::DEPLOYMENTS, CountScatter::INCIDENTS] {
            let found = dispersion::of_counts(&bins, scatter);
            prop_assert!(found >= scatter.floor && found.is_finite(), "{found}");
        }
        let bins: Vec<_> = weeks.iter().map(|(n, part)| WeekShare { part: rank::whole(real(*n) * part / 7.0), whole: *n }).collect();
        let found = dispersion::of_shares(&bins);
        prop_assert!((1.0..=6.0).contains(&found), "{found}");
    }

    #[test]
    fn likeness_is_a_share(weeks in prop::collection::vec(prop::collection::vec(-3.0..8.0_f64, 0..6), 0..30)) {
        if let Some(found) = dispersion::likeness(&weeks) {
            prop_assert!((0.0..=1.0).contains(&found));
        }
        for kind in [WeekLikeness::LEAD_TIME, WeekLikeness::RECOVERY_TIME, WeekLikeness::INTERVAL] {
            prop_assert!((0.0..=1.0).contains(&kind.shrunk(&weeks)));
        }
    }

    #[test]
    fn alike_neighbours_weaken_a_comparison(n1 in 0_u64..300, n0 in 0_u64..300, m in 0.0..40.0_f64, rho in 0.0..1.0_f64) {
        let effect = dispersion::design_effect((n1, m), (n0, m), rho);
        prop_assert!(effect >= 1.0 && effect.is_finite());
        prop_assert!(dispersion::design_effect((n1, m + 1.0), (n0, m), rho) >= effect - 1e-12);
    }
}

#[test]
fn weeks_that_are_each_their_own_world_are_wholly_alike() {
    let weeks: Vec<Vec<f64>> = (0..8_u8).map(|week| vec![f64::from(week); 3]).collect();
    assert_eq!(dispersion::likeness(&weeks), Some(1.0));
    let mixed: Vec<Vec<f64>> = (0..8).map(|_| vec![1.0, 2.0, 3.0]).collect();
    assert_eq!(dispersion::likeness(&mixed), Some(0.0));
    assert_eq!(dispersion::likeness(&mixed[..4]), None, "four weeks tell nothing");
}
