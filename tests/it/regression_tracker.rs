//! The tracker: what it keeps from one computation to the next changes nothing but the cost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a case that cannot go on has failed")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sextant::engine::dispersion::WeekShare;
use sextant::engine::exposure::{Calendar, QuietPeriod};
use sextant::engine::regression::detect::{Acceptance, Look, Member, Settings, Watched};
use sextant::engine::regression::machine::State;
use sextant::engine::regression::organization::{SharedWeeks, looks_of};
use sextant::engine::regression::series::{Deployed, Failed, TeamSeries};
use sextant::engine::regression::suspect::{Doubt, Witness};
use sextant::engine::regression::tracker::Tracker;
use sextant::model::day::Day;
use sextant::model::measure::Measure;
use sextant::model::name::TeamSlug;
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
    i64::try_from((mixed ^ (mixed >> 31)) % 100).unwrap()
}

/// A deployment each working day from `since` on; from day 190 on those of the slow take `factor` times as long.
fn team(salt: i64, since: i64, until: i64, factor: i64) -> Watched {
    let mut series = TeamSeries {
        since: begin().plus(since),
        deployments: Vec::new(),
        incidents: Vec::new(),
        blind: [begin().plus(since + 40)].into(),
    };
    let mut witness = Witness::default();
    for day in (since..until).filter(|day| !begin().plus(*day).is_weekend()) {
        let drawn = chance(day, salt);
        let longer = if day < 190 { 1 } else { factor };
        let failed = chance(day, salt + 1) < 15;
        series.deployments.push(Deployed {
            at: noon(day),
            lead_times: vec![Span::from_minutes((200 + 16 * drawn) * longer)],
            unplanned: chance(day, salt + 2) < 10,
            failure: failed.then(|| Failed {
                started_at: noon(day).plus(Span::from_hours(drawn)),
                known_at: noon(day).plus(Span::from_hours(drawn + chance(day, salt + 4))),
                recovered_at: (drawn > 5).then(|| noon(day).plus(Span::from_hours(2 * drawn + 1))),
            }),
        });
        if chance(day, salt + 3) < 10 {
            series.incidents.push(noon(day));
        }
        witness.merges.insert(begin().plus(day), 2);
        witness.linkage.insert(begin().plus(day), WeekShare { part: 1, whole: 1 });
    }
    Watched {
        series,
        calendar: Calendar::default(),
        settings: Settings::default(),
        witness: (salt % 2 == 0).then_some(witness),
    }
}

type Teams = BTreeMap<TeamSlug, Watched>;

fn teams(slow: usize, until: i64) -> Teams {
    let slug = |number: usize| TeamSlug::new(format!("team-{number}"));
    let each = (0..5_usize).map(|number| {
        let (salt, since) = (7 * i64::try_from(number).unwrap(), 3 * i64::try_from(number).unwrap());
        (slug(number), team(salt, since, until, if number < slow { 8 } else { 1 }))
    });
    each.collect()
}

/// What may come to be known, or not to be so, after the day it speaks of.
#[derive(Debug, Clone)]
enum Late {
    Deployed(usize, i64),
    Gone(usize, usize),
    Failed(usize, usize, i64),
    Recovered(usize, usize, i64),
    Slower(usize, usize),
    Incident(usize, i64),
    Blind(usize, i64),
    Linkage(usize, i64),
    History(usize, i64),
    Holiday(usize, i64),
    Quiet(usize, i64),
    Accepted(usize, i64),
    Left(usize),
    Shuffled(usize),
    NextDay,
}

fn late() -> impl Strategy<Value = Late> {
    let (team, place, day) = (0..5_usize, 0..200_usize, 0..240_i64);
    prop_oneof![
        3 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Deployed(team, day)),
        2 => (team.clone(), place.clone()).prop_map(|(team, place)| Late::Gone(team, place)),
        2 => (team.clone(), place.clone(), 0..40_i64).prop_map(|(team, place, days)| Late::Failed(team, place, days)),
        2 => (team.clone(), place.clone(), 0..40_i64).prop_map(|(team, place, days)| Late::Recovered(team, place, days)),
        2 => (team.clone(), place).prop_map(|(team, place)| Late::Slower(team, place)),
        2 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Incident(team, day)),
        1 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Blind(team, day)),
        1 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Linkage(team, day)),
        1 => (team.clone(), 0..20_i64).prop_map(|(team, day)| Late::History(team, day)),
        1 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Holiday(team, day)),
        1 => (team.clone(), day.clone()).prop_map(|(team, day)| Late::Quiet(team, day)),
        1 => (team.clone(), day).prop_map(|(team, day)| Late::Accepted(team, day)),
        1 => team.clone().prop_map(Late::Left),
        1 => team.prop_map(Late::Shuffled),
        4 => Just(Late::NextDay),
    ]
}

fn happen(teams: &mut Teams, late: &Late) {
    let (Late::Deployed(team, _)
    | Late::Gone(team, _)
    | Late::Failed(team, ..)
    | Late::Recovered(team, ..)
    | Late::Slower(team, _)
    | Late::Incident(team, _)
    | Late::Blind(team, _)
    | Late::Linkage(team, _)
    | Late::History(team, _)
    | Late::Holiday(team, _)
    | Late::Quiet(team, _)
    | Late::Accepted(team, _)
    | Late::Left(team)
    | Late::Shuffled(team)) = late
    else {
        return;
    };
    let slug = TeamSlug::new(format!("team-{team}"));
    if let Late::Left(_) = late {
        teams.remove(&slug);
    }
    let Some(watched) = teams.get_mut(&slug) else {
        return;
    };
    let Watched { series, witness, .. } = watched;
    let count = series.deployments.len();
    match late {
        Late::Deployed(_, day) => {
            let failure = Some(Failed { started_at: noon(*day), known_at: noon(*day), recovered_at: None });
            let lead_times = vec![Span::from_hours(90)];
            series.deployments.push(Deployed { at: noon(*day), lead_times, unplanned: true, failure });
        }
        Late::Gone(_, place) => {
            series.deployments.swap_remove(place % count);
        }
        Late::Failed(_, place, days) => {
            let deployed = &mut series.deployments[place % count];
            let started_at = deployed.at.plus(Span::from_days(*days));
            deployed.failure = Some(Failed { started_at, known_at: started_at, recovered_at: None });
        }
        Late::Recovered(_, place, days) => {
            if let Some(failure) = &mut series.deployments[place % count].failure {
                failure.recovered_at = Some(failure.started_at.plus(Span::from_days(*days)));
            }
        }
        Late::Slower(_, place) => {
            series.deployments[place % count].lead_times.push(Span::from_days(9));
        }
        Late::Incident(_, day) => series.incidents.push(noon(*day)),
        Late::Blind(_, day) => series.blind.extend((0..4).map(|more| begin().plus(*day + more))),
        Late::Linkage(_, day) => {
            let linkage =
                witness.iter_mut().flat_map(|witness| witness.linkage.range_mut(begin().plus(*day)..));
            linkage.for_each(|(_, share)| share.part = 0);
        }
        Late::History(_, day) => series.since = begin().plus(*day),
        Late::Shuffled(_) => {
            series.deployments.reverse();
            series.incidents.reverse();
        }
        Late::Holiday(_, day) => declare(watched, begin().plus(*day), &Declared::Holiday),
        Late::Quiet(_, day) => declare(watched, begin().plus(*day), &Declared::Quiet),
        Late::Accepted(_, day) => declare(watched, begin().plus(*day), &Declared::Accepted),
        Late::Left(_) | Late::NextDay => {}
    }
}

enum Declared {
    Holiday,
    Quiet,
    Accepted,
}

fn declare(Watched { calendar, settings, .. }: &mut Watched, day: Day, what: &Declared) {
    match what {
        Declared::Holiday => {
            calendar.closed.insert(day);
        }
        Declared::Quiet => calendar.quiet.push(QuietPeriod { from: day, to: day.plus(9), factor: 0.3 }),
        Declared::Accepted => {
            let reason = "so it is".to_owned();
            settings.accepted.push(Acceptance { measure: Measure::LeadTime, from: day, reason });
        }
    }
}

/// All looks from the beginning on, without a tracker.
fn from_scratch(teams: &Teams, today: Day) -> (BTreeMap<TeamSlug, Vec<Look>>, Vec<String>) {
    let members: Vec<Member<'_>> = teams.values().map(Watched::member).collect();
    let found = looks_of(&members, SharedWeeks::Off, &(begin()..today.plus(1)));
    let notes = found.notes.iter().map(|note| format!("{note:?}")).collect();
    (teams.keys().cloned().zip(found.teams).collect(), notes)
}

/// Everything that the tracker says is what looking from the beginning on says.
fn is_from_scratch(tracker: &Tracker, teams: &Teams, today: Day) {
    let (expected, notes) = from_scratch(teams, today);
    assert_eq!(tracker.notes().iter().map(|note| format!("{note:?}")).collect::<Vec<_>>(), notes);
    assert_eq!(tracker.teams().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (team, looks) in &expected {
        let transitions: Vec<_> = looks.iter().filter_map(Look::transition).collect();
        assert_eq!(tracker.transitions(team).collect::<Vec<_>>(), transitions, "{team}");
        let newest: Vec<_> = looks.iter().filter(|look| look.day == today).collect();
        assert_eq!(tracker.newest(team).collect::<Vec<_>>(), newest, "{team}");
        let asked = looks.iter().filter(|look| look.is_transition() || look.day.since(begin()) % 11 == 3);
        for look in asked.filter(|look| look.day >= teams[team].series.since) {
            assert_eq!(tracker.look(team, look.measure, look.day).as_ref(), Some(look), "{team}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn looks_that_are_kept_are_those_that_are_made_from_the_beginning_on(
        slow in 0..5_usize,
        days in 212..226_i64,
        lates in prop::collection::vec(late(), 1..7),
    ) {
        let mut now = teams(slow, days);
        let mut today = begin().plus(days);
        let mut tracker = Tracker::default();
        tracker.update(now.clone(), today);
        for late in &lates {
            if matches!(late, Late::NextDay) {
                today = today.plus(1);
            }
            happen(&mut now, late);
            tracker.update(now.clone(), today);
        }
        is_from_scratch(&tracker, &now, today);
    }
}

#[test]
fn the_teams_of_the_property_regress_together_and_alone() {
    let states = |slow: usize| {
        let (expected, notes) = from_scratch(&teams(slow, 240), begin().plus(240));
        let regressed =
            expected.values().filter(|looks| looks.iter().any(|look| look.state == State::Regressed));
        (regressed.count(), notes.is_empty())
    };
    assert_eq!(states(1), (1, true));
    assert_eq!(states(2), (2, true));
    assert_eq!(states(4), (0, false), "all of them have one cause");
}

#[test]
fn a_day_costs_a_look_and_a_late_fact_the_looks_after_it() {
    let now = teams(1, 220);
    let mut tracker = Tracker::default();
    let today = begin().plus(220);
    let all = tracker.update(now.clone(), today);
    let days: i64 = now.values().map(|watched| today.since(watched.series.since) + 1).sum();
    assert_eq!(i64::try_from(all).unwrap(), 6 * days);
    assert_eq!(tracker.update(now.clone(), today), 0, "nothing happened");
    for later in 1..8 {
        assert_eq!(tracker.update(now.clone(), today.plus(later)), 6 * 5, "weekends too");
    }
    let today = today.plus(7);
    for (late, looks) in [
        (Late::Deployed(2, 227), 0),
        (Late::Incident(2, 226), 6),
        (Late::Shuffled(3), 0),
        // A Wednesday; day 227 is a Thursday of the fourth week after it.
        (Late::Incident(1, 205), 6 * 22),
    ] {
        let mut then = now.clone();
        happen(&mut then, &late);
        let mut tracker = tracker.clone();
        assert_eq!(tracker.update(then, today), looks, "{late:?}");
    }
}

#[test]
fn todays_facts_do_not_move_todays_look() {
    let mut now = teams(1, 220);
    let today = begin().plus(220);
    let mut tracker = Tracker::default();
    tracker.update(now.clone(), today);
    let before: Vec<Look> = tracker.newest(&"team-0".into()).cloned().collect();
    for _ in 0..30 {
        happen(&mut now, &Late::Deployed(0, 220));
    }
    tracker.update(now.clone(), today);
    assert_eq!(tracker.newest(&"team-0".into()).cloned().collect::<Vec<_>>(), before);
    is_from_scratch(&tracker, &now, today);
    tracker.update(now.clone(), today.plus(1));
    assert_ne!(tracker.newest(&"team-0".into()).cloned().collect::<Vec<_>>(), before);
}

#[test]
fn a_clock_that_is_put_back_looks_again() {
    let now = teams(1, 220);
    let mut tracker = Tracker::default();
    tracker.update(now.clone(), begin().plus(220));
    tracker.update(now.clone(), begin().plus(215));
    is_from_scratch(&tracker, &now, begin().plus(215));
}

/// A team that is slower since day 190, with another witness.
fn suspected(witness: impl Fn(&mut Witness)) -> (Vec<State>, Option<Doubt>) {
    let mut watched = team(0, 0, 230, 8);
    witness(watched.witness.as_mut().unwrap());
    let slug = TeamSlug::from("web");
    let mut tracker = Tracker::default();
    tracker.update([(slug.clone(), watched)].into(), begin().plus(230));
    let of = tracker.transitions(&slug).filter(|found| found.measure == Measure::LeadTime);
    let states = of.map(|found| found.to).collect();
    let newest = tracker.newest(&slug).find(|look| look.measure == Measure::LeadTime);
    (states, newest.unwrap().doubt)
}

#[test]
fn what_is_probably_not_worse_but_not_seen_is_suspect_data_and_no_regression() {
    let day = |day: i64| begin().plus(day);
    let (states, doubt) = suspected(|_| {});
    assert!(states.contains(&State::Regressed) && !states.contains(&State::DataSuspect), "{states:?}");
    assert_eq!(doubt, None);

    // Half of the deployments of the last weeks are not related to their changes.
    let (states, doubt) = suspected(|witness| {
        for (_, share) in witness.linkage.range_mut(day(188)..) {
            *share = WeekShare { part: 0, whole: 1 };
        }
    });
    assert!(!states.contains(&State::Regressed) && states.last() == Some(&State::DataSuspect), "{states:?}");
    assert!(matches!(doubt, Some(Doubt::Linkage { now, before }) if now < 0.5 && before > 0.95), "{doubt:?}");

    // Fourteen points are no fifteen.
    let (states, _) = suspected(|witness| {
        for (_, share) in witness.linkage.range_mut(day(160)..) {
            *share = WeekShare { part: 86, whole: 100 };
        }
    });
    assert!(states.contains(&State::Regressed), "{states:?}");

    // Nothing was read since then; with the fifth day it is over a tenth of the window.
    let (states, doubt) = suspected(|witness| witness.unread_from = Some(day(189)));
    assert!(!states.contains(&State::Regressed) && states.contains(&State::DataSuspect), "{states:?}");
    assert!(matches!(doubt, Some(Doubt::Blind { .. })), "{doubt:?}");
}

#[test]
fn deployments_that_stop_while_merges_go_on_are_probably_not_found() {
    let slug = TeamSlug::from("web");
    let story = |merges_go_on: bool| {
        let mut watched = team(0, 0, 260, 1);
        // Two deployments a day, of which nearly none is found from day 200 on.
        let more: Vec<Deployed> = watched.series.deployments.clone();
        watched.series.deployments.extend(more);
        watched
            .series
            .deployments
            .retain(|deployed| deployed.at < noon(200) || deployed.at.millis() % 7 == 3);
        if !merges_go_on {
            watched.witness.as_mut().unwrap().merges.retain(|day, _| *day < begin().plus(200));
        }
        let mut tracker = Tracker::default();
        tracker.update([(slug.clone(), watched)].into(), begin().plus(250));
        let of = tracker.transitions(&slug).filter(|found| found.measure == Measure::DeploymentsPerDay);
        of.map(|found| found.to).collect::<Vec<_>>()
    };
    assert_eq!(story(false).last(), Some(&State::Regressed), "the team stopped");
    let found = story(true);
    assert!(found.last() == Some(&State::DataSuspect) && !found.contains(&State::Regressed), "{found:?}");
}
