//! The detector on histories that are made by hand: what it calls a regression, when, against what, and until when.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use sextant::engine::exposure::{Calendar, QuietPeriod};
use sextant::engine::regression::detect::{Acceptance, Look, Settings, looks};
use sextant::engine::regression::explain::explain;
use sextant::engine::regression::headline::Headlines;
use sextant::engine::regression::machine::State;
use sextant::engine::regression::organization::{self, SharedWeeks};
use sextant::engine::regression::series::{Deployed, Failed, TeamSeries};
use sextant::model::day::Day;
use sextant::model::measure::Measure;
use sextant::model::time::{Span, Timestamp};

/// A Monday.
fn begin() -> Day {
    Day::of(Timestamp::parse("2025-01-06T00:00:00Z").unwrap(), chrono_tz::Tz::UTC)
}

fn until(days: i64) -> Range<Day> {
    begin()..begin().plus(days)
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

/// What a team does on a day.
#[derive(Debug, Clone, Copy)]
struct Daily {
    deployments: i64,
    hours: i64,
    failing_percent: i64,
}

const USUAL: Daily = Daily { deployments: 3, hours: 10, failing_percent: 8 };

/// A team that works from Monday to Friday as it is told.
fn team(salt: i64, days: i64, daily: impl Fn(i64) -> Daily) -> TeamSeries {
    let mut deployments = Vec::new();
    let mut incidents = Vec::new();
    for day in (0..days).filter(|day| !begin().plus(*day).is_weekend()) {
        let Daily { deployments: count, hours, failing_percent } = daily(day);
        for number in 0..count {
            let drawn = chance(day * 7 + number, salt);
            let at = noon(day).plus(Span::from_minutes(number));
            let minutes = hours * (20 + drawn * 2) * 60 / 100;
            let failed = chance(day * 11 + number, salt + 1) < failing_percent;
            deployments.push(Deployed {
                at,
                lead_times: vec![Span::from_minutes(minutes), Span::from_minutes(minutes * 2)],
                unplanned: chance(day * 13 + number, salt + 2) < 6,
                failure: failed.then(|| Failed {
                    started_at: at,
                    known_at: at,
                    recovered_at: Some(at.plus(Span::from_hours(1 + drawn % 5))),
                }),
            });
        }
        if chance(day, salt + 3) < 10 {
            incidents.push(noon(day));
        }
    }
    TeamSeries { since: begin(), deployments, incidents, blind: BTreeSet::new() }
}

fn look_at(series: &TeamSeries, days: i64) -> Vec<Look> {
    looks(series, &Calendar::default(), &Settings::default(), &until(days))
}

fn of(looks: &[Look], measure: Measure) -> Vec<Look> {
    looks.iter().filter(|look| look.measure == measure).cloned().collect()
}

/// The states of a measure in their order, each with the day on which it began.
fn story(looks: &[Look], measure: Measure) -> Vec<(i64, State)> {
    let changes = looks.iter().filter(|look| look.measure == measure && look.is_transition());
    changes.map(|look| (look.day.since(begin()), look.state)).collect()
}

fn states(looks: &[Look], measure: Measure) -> Vec<State> {
    story(looks, measure).into_iter().map(|(_, state)| state).collect()
}

#[test]
fn nothing_is_said_before_there_is_a_history_and_no_alarm_is_raised_of_a_steady_team() {
    for salt in [1, 100, 200] {
        let looks = look_at(&team(salt, 400, |_| USUAL), 400);
        for measure in Measure::ALL {
            let story = story(&looks, measure);
            assert!(story[0].0 >= 112 && story[0].1 == State::Ok, "{measure:?}: {story:?}");
            // To be watched for a while is what chance does about once a year, and alarms nobody.
            let alarms = story.iter().any(|(_, state)| *state == State::Regressed);
            assert!(!alarms, "{measure:?}: {story:?}");
        }
    }
}

#[test]
fn what_stays_worse_stays_a_regression_against_the_time_before_it() {
    let slower = |day| if day < 270 { USUAL } else { Daily { hours: 40, ..USUAL } };
    let looks = look_at(&team(1, 560, slower), 560);
    let lead = of(&looks, Measure::LeadTime);
    let story = story(&looks, Measure::LeadTime);
    let (entered, state) = *story.last().unwrap();
    assert_eq!(state, State::Regressed, "{story:?}");
    assert!((272..285).contains(&entered), "{story:?}");
    let last = lead.last().unwrap();
    assert_eq!(last.frozen, Some(begin().plus(entered)));
    let evidence = last.evidence.as_ref().unwrap();
    assert!(evidence.baseline.end <= begin().plus(entered), "its own baseline would have absorbed it by now");
    assert!(evidence.ratio > 3.0 && evidence.worse, "{evidence:?}");
    for measure in Measure::ALL.into_iter().filter(|measure| *measure != Measure::LeadTime) {
        assert!(!states(&looks, measure).contains(&State::Regressed), "{measure:?}");
    }
}

#[test]
fn what_gets_well_again_recovers_for_a_week_before_it_is_over() {
    let slower = |day| if (270..300).contains(&day) { Daily { hours: 60, ..USUAL } } else { USUAL };
    let looks = look_at(&team(1, 460, slower), 460);
    let story = story(&looks, Measure::LeadTime);
    let end: Vec<_> = story.iter().rev().take(3).rev().copied().collect();
    let [(regressed, State::Regressed), (recovering, State::Recovering), (ok, State::Ok)] = end[..] else {
        panic!("{story:?}");
    };
    assert!(regressed < 285 && recovering > 300 && ok - recovering == 6, "{story:?}");
    assert_eq!(of(&looks, Measure::LeadTime).last().unwrap().frozen, None);
}

#[test]
fn more_is_celebrated_and_alarms_nobody() {
    let better = |day| if day < 270 { USUAL } else { Daily { deployments: 6, hours: 3, failing_percent: 8 } };
    let looks = look_at(&team(1, 340, better), 340);
    for measure in [Measure::DeploymentsPerDay, Measure::LeadTime] {
        assert_eq!(states(&looks, measure), [State::Ok, State::Improved], "{measure:?}");
    }
    assert!(looks.iter().all(|look| !matches!(look.state, State::Watch | State::Regressed)));
}

#[test]
fn declared_slow_times_are_expected_and_others_are_not() {
    let away = 280..308;
    let idle = |day| if away.contains(&day) { Daily { deployments: 0, ..USUAL } } else { USUAL };
    let series = team(1, 330, idle);
    let worst = |series: &TeamSeries, calendar: &Calendar| {
        let looks = looks(series, calendar, &Settings::default(), &until(330));
        let of = looks.iter().filter(|look| look.measure == Measure::DeploymentsPerDay);
        of.map(|look| look.score.map_or(0.0, |score| score.worse)).fold(0.0, f64::max)
    };
    let days = || away.clone().map(|day| begin().plus(day));
    assert!(worst(&series, &Calendar::default()) > 3.66);
    let shut = Calendar { closed: days().collect(), ..Calendar::default() };
    assert!(worst(&series, &shut) < 1.0);
    let quiet = QuietPeriod { from: begin().plus(280), to: begin().plus(307), factor: 0.0 };
    let quiet = Calendar { quiet: vec![quiet], ..Calendar::default() };
    assert!(worst(&series, &quiet) < 1.0);
    let blind = TeamSeries { blind: days().collect(), ..series };
    assert!(worst(&blind, &Calendar::default()) < 1.0);
}

#[test]
fn a_new_normal_begins_a_new_history() {
    let slower = |day| if day < 270 { USUAL } else { Daily { hours: 40, ..USUAL } };
    let accepted = Acceptance {
        measure: Measure::LeadTime,
        from: begin().plus(301),
        reason: "audits came with the new customer".to_owned(),
    };
    let settings = Settings { accepted: vec![accepted], ..Settings::default() };
    let looks = looks(&team(1, 460, slower), &Calendar::default(), &settings, &until(460));
    let story = story(&looks, Measure::LeadTime);
    let end: Vec<_> = story.iter().rev().take(3).rev().copied().collect();
    assert_eq!(end[1..], [(301, State::Accepted), (413, State::Ok)], "{story:?}");
    assert_eq!(end[0].1, State::Regressed);
}

#[test]
fn on_weekends_the_ranks_of_friday_stand() {
    let looks = look_at(&team(1, 300, |_| USUAL), 300);
    for measure in [Measure::LeadTime, Measure::RecoveryTime] {
        for pair in of(&looks, measure).windows(2).filter(|pair| pair[1].day.is_weekend()) {
            assert_eq!(pair[0].score, pair[1].score);
            assert_eq!(pair[0].evidence, pair[1].evidence);
        }
    }
    let deployments = of(&looks, Measure::DeploymentsPerDay);
    let moves = deployments
        .windows(2)
        .filter(|pair| pair[1].day.is_weekend() && pair[0].evidence != pair[1].evidence);
    assert!(moves.count() > 0, "counts are looked at every day");
}

#[test]
fn what_half_of_the_teams_show_is_one_note_and_no_alarm() {
    let slower = |day| if day < 270 { USUAL } else { Daily { hours: 40, ..USUAL } };
    let together = |slow: usize| {
        let teams: Vec<TeamSeries> = (0..6)
            .map(|number| {
                let salt = 10 * i64::try_from(number).unwrap();
                if number < slow { team(salt, 330, slower) } else { team(salt, 330, |_| USUAL) }
            })
            .collect();
        let (calendar, settings) = (Calendar::default(), Settings::default());
        organization::looks(&teams, &calendar, &settings, SharedWeeks::Off, &until(330))
    };
    let regressed = |looks: &[Look]| looks.iter().any(|look| look.state == State::Regressed);
    let one = together(1);
    assert_eq!(one.notes, []);
    assert_eq!(one.teams.iter().map(|looks| regressed(looks)).filter(|found| *found).count(), 1);
    let most = together(4);
    let note = most.notes.last().unwrap();
    assert_eq!((note.measure, note.teams, note.of), (Measure::LeadTime, 4, 6));
    assert!(note.from < begin().plus(285) && note.to == begin().plus(329), "{note:?}");
    assert!(!most.teams.iter().any(|looks| regressed(looks)));
}

#[test]
fn a_week_that_is_slow_for_all_is_no_teams_fault() {
    let holidays = |day| if (280..301).contains(&day) { Daily { deployments: 1, ..USUAL } } else { USUAL };
    let teams: Vec<TeamSeries> = (0..8).map(|number| team(10 * number, 310, holidays)).collect();
    let worst = |shared: SharedWeeks| {
        let (calendar, settings) = (Calendar::default(), Settings::default());
        let found = organization::looks(&teams, &calendar, &settings, shared, &until(310));
        let of = found.teams.into_iter().flatten().filter(|look| look.measure == Measure::DeploymentsPerDay);
        of.map(|look| look.score.map_or(0.0, |score| score.worse)).fold(0.0, f64::max)
    };
    assert!(worst(SharedWeeks::On) < worst(SharedWeeks::Off) - 0.5);
}

#[test]
fn a_look_can_be_explained_down_to_its_weeks() {
    let worse = |day| match day {
        0..270 => USUAL,
        270..277 => Daily { failing_percent: 100, ..USUAL },
        _ => Daily { hours: 30, failing_percent: 30, ..USUAL },
    };
    let series = team(1, 310, worse);
    let (calendar, settings) = (Calendar::default(), Settings::default());
    let looks = looks(&series, &calendar, &settings, &until(310));
    let mut explained = 0;
    for look in looks.iter().filter(|look| look.evidence.is_some() && look.day > begin().plus(290)) {
        let found = explain(&series, &calendar, &settings, look).unwrap();
        let ratio = found.ratio.unwrap();
        let estimate = found.shift.unwrap_or(found.comparison.ratio);
        assert!(ratio.lower <= estimate && estimate <= ratio.upper, "{look:?} {found:?}");
        assert_eq!(found.weeks.len(), 3);
        assert!(found.weeks.is_sorted_by(|a, b| a.pull >= b.pull));
        assert_eq!((found.clears.score_below, found.clears.looks), (1.0, 7));
        explained += 1;
    }
    assert!(explained > 90, "{explained}");
    let failing = of(&looks, Measure::ChangeFailRatio).pop().unwrap();
    assert_eq!(failing.state, State::Regressed);
    let found = explain(&series, &calendar, &settings, &failing).unwrap();
    let (bad, named) = (begin().plus(270)..begin().plus(277), &found.weeks[0].days);
    assert!(named.start < bad.end && bad.start < named.end, "the week in which everything failed: {found:?}");
    assert!(found.clears.value < 0.2 && found.clears.value > found.comparison.usual);
}

#[test]
fn headlines_have_intervals_from_their_minimum_sample_on() {
    let series = team(1, 300, |_| Daily { deployments: 1, ..USUAL });
    let headlines = Headlines::new(&series, &Calendar::default(), begin().plus(300));
    let on = |measure, day: i64, window| headlines.on(measure, begin().plus(day), window);
    let early = on(Measure::DeploymentsPerDay, 60, 28);
    assert!(early.value.is_some() && early.interval.is_none(), "no eight weeks before it: {early:?}");
    let week = on(Measure::DeploymentsPerDay, 280, 7);
    assert_eq!((week.n, week.interval), (5, None), "five days of work are too few");
    let month = on(Measure::DeploymentsPerDay, 280, 28);
    let interval = month.interval.unwrap();
    assert!(interval.lower < 20.0 / 28.0 && 20.0 / 28.0 < interval.upper && month.n == 20);
    assert_eq!(on(Measure::ChangeFailRatio, 280, 7).interval, None, "of fewer than ten deployments");
    assert!(on(Measure::ChangeFailRatio, 280, 28).interval.is_some());
    let recovery = on(Measure::RecoveryTime, 280, 28);
    assert!(recovery.n < 6 && recovery.interval.is_none(), "{recovery:?}");
    assert!(on(Measure::LeadTime, 280, 28).interval.is_some());
    let nothing = on(Measure::LeadTime, 0, 28);
    assert_eq!((nothing.value, nothing.n), (None, 0));
}

/// A team that does anything.
fn any_team() -> impl Strategy<Value = TeamSeries> {
    let deployment = (
        0_i64..260,
        0_i64..1_440,
        -50_i64..90_000,
        any::<bool>(),
        prop::option::weighted(0.3, -90_i64..9_000),
    );
    let deployments = prop::collection::vec(deployment, 0..160);
    let incidents = prop::collection::vec((0_i64..260, 0_i64..1_440), 0..40);
    let blind = prop::collection::btree_set(0_i64..260, 0..20);
    (deployments, incidents, blind).prop_map(|(deployments, incidents, blind)| {
        let at = |day: i64, minute: i64| noon(day).plus(Span::from_minutes(minute - 720));
        let deployments = deployments.into_iter().map(|(day, minute, lead, unplanned, failed)| {
            let at = at(day, minute);
            let failure = failed.map(|minutes| Failed {
                started_at: at,
                known_at: at,
                recovered_at: (minutes % 7 != 0).then(|| at.plus(Span::from_minutes(minutes))),
            });
            Deployed { at, lead_times: vec![Span::from_minutes(lead)], unplanned, failure }
        });
        TeamSeries {
            since: begin(),
            deployments: deployments.collect(),
            incidents: incidents.into_iter().map(|(day, minute)| at(day, minute)).collect(),
            blind: blind.into_iter().map(|day| begin().plus(day)).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn looks_depend_on_facts_and_days_alone(series in any_team(), cut in 120_i64..250) {
        let (calendar, settings) = (Calendar::default(), Settings::default());
        let whole = looks(&series, &calendar, &settings, &until(260));
        prop_assert_eq!(whole.len(), 6 * 260, "a look for every measure and day");
        prop_assert!(whole.iter().all(|look| look.score.is_none_or(|score| score.worse.is_finite() && score.better.is_finite())));

        let mut turned = series.clone();
        turned.deployments.reverse();
        turned.incidents.reverse();
        prop_assert!(looks(&turned, &calendar, &settings, &until(260)) == whole, "whatever the order");

        let (first, second) = (until(cut), begin().plus(cut)..begin().plus(260));
        let mut pieces = looks(&series, &calendar, &settings, &first);
        pieces.extend(looks(&series, &calendar, &settings, &second));
        pieces.sort_by_key(|look| (look.measure, look.day));
        prop_assert!(pieces == whole, "in whatever pieces");

        // What a look saw then: nothing that happened later, no recovery that came later.
        let day = begin().plus(cut);
        let at = day.begin(calendar.timezone);
        let mut then = series;
        then.deployments.retain(|deployment| deployment.at < at);
        then.incidents.retain(|incident| *incident < at);
        then.blind.retain(|blind| *blind < day);
        for deployment in &mut then.deployments {
            if let Some(failure) = &mut deployment.failure {
                failure.recovered_at = failure.recovered_at.filter(|recovered_at| *recovered_at < at);
            }
        }
        let seen = looks(&then, &calendar, &settings, &(day..day.plus(1)));
        let expected: Vec<_> = whole.into_iter().filter(|look| look.day == day).collect();
        // The states of the days before were made of what was known on each of them, open failures included.
        prop_assert_eq!(seen, expected, "what comes later changes nothing");
    }

    #[test]
    fn headlines_are_finite_and_lie_in_their_intervals(series in any_team(), day in 1_i64..260, window in 1_i64..100) {
        let headlines = Headlines::new(&series, &Calendar::default(), begin().plus(260));
        for measure in Measure::ALL {
            let found = headlines.on(measure, begin().plus(day), window);
            prop_assert!(found.value.is_none_or(f64::is_finite));
            if let (Some(value), Some(interval)) = (found.value, found.interval) {
                prop_assert!(interval.lower <= value + 1e-9 && value <= interval.upper + 1e-9, "{measure:?} {found:?}");
            }
        }
    }
}

#[test]
fn days_are_those_of_the_organisation() {
    let berlin = chrono_tz::Tz::Europe__Berlin;
    let at = Timestamp::parse("2026-11-22T23:30:00Z").unwrap();
    assert_eq!(Day::of(at, chrono_tz::Tz::UTC).to_string(), "2026-11-22");
    assert_eq!(Day::of(at, berlin).to_string(), "2026-11-23");
    assert_eq!(Day::of(at, berlin).weekday(), 0);
    assert_eq!(Day::of(at, berlin).begin(berlin).to_string(), "2026-11-22T23:00:00Z");
    // Where midnight was skipped, the day began an hour later.
    let beirut = chrono_tz::Tz::Asia__Beirut;
    let day = Day::of(Timestamp::parse("2021-03-28T12:00:00Z").unwrap(), beirut);
    assert_eq!(day.begin(beirut).to_string(), "2021-03-27T22:00:00Z");
}
