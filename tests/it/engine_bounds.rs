//! What each number lies in: from its minimum sample on, of the same sample as the number itself.

use std::fmt::Write as _;

use proptest::prelude::*;
use sextant::engine::interval::Interval;
use sextant::engine::snapshot::{Bounds, LevelValues, Snapshot, WindowValues};
use sextant::model::batch::Coverage;
use sextant::model::day::Day;
use sextant::model::fact::Change;
use sextant::model::name::TeamSlug;
use sextant::model::regressions::{QuietPeriod, TeamPatterns};
use sextant::model::settings::Window;
use sextant::model::time::Span;

use crate::engine_properties::truncated;
use crate::engine_world::{DAY, Repo, World, incident, minute, own, pull};

/// A deployment of one change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// When it is deployed, in minutes.
    at: i64,
    /// How long that took, in minutes.
    lead: i64,
    /// How long its incident lasts, if it has one.
    breaks: Option<i64>,
}

fn step(at: i64) -> Step {
    lasting(at, 600)
}

/// One whose change had that lead time.
pub(crate) fn lasting(at: i64, lead: i64) -> Step {
    Step { at, lead, breaks: None }
}

/// A repository of `web` with these deployments, in order of time, and its incidents.
fn repo(number: u64, steps: &[Step]) -> (Repo, Vec<sextant::model::component::OwnedIncident>) {
    let name = format!("r{number}");
    let (mut commits, mut deploys) = (format!("{name}-first@0 "), format!("{name}-first@1 "));
    let (mut pulls, mut incidents) = (Vec::new(), Vec::new());
    let mut before = format!("{name}-first");
    for (index, step) in (0_u64..).zip(steps) {
        let commit = format!("{name}-{index}");
        write!(commits, "{commit}:{before}@{} ", step.at - 30).unwrap();
        write!(deploys, "{commit}@{} ", step.at).unwrap();
        let own_commits = own(&format!("{commit}-own@{}", step.at - step.lead));
        pulls.push(Change { own_commits, ..pull(index, &commit, step.at - 30) });
        if let Some(lasted) = step.breaks {
            let started = step.at + 1;
            incidents.push(incident(number * 10_000 + index, &name, started, Some(started + lasted)));
        }
        before = commit;
    }
    (Repo::new(number, &name, "web").commits(&commits).pulls(pulls).deploys(&deploys), incidents)
}

pub(crate) fn world(repos: &[Vec<Step>]) -> World {
    let (repos, incidents): (Vec<_>, Vec<_>) =
        (1_u64..).zip(repos).map(|(number, steps)| repo(number, steps)).unzip();
    World::of(repos).incidents(incidents.into_iter().flatten())
}

/// Windows by their labels.
pub(crate) fn over(world: World, windows: &[&str]) -> World {
    world.set(|settings| settings.windows = windows.iter().filter_map(|text| Window::parse(text)).collect())
}

/// Of the organisation over the first window.
fn bounds(snapshot: &Snapshot) -> Bounds {
    snapshot.organization.windows[0].bounds
}

/// Which of the six there are, in the order of the struct.
fn present(bounds: Bounds) -> String {
    let Bounds {
        deployments_per_day,
        lead_time,
        lead_time_p90: _,
        change_fail_ratio,
        incidents_per_day,
        recovery_time,
        recovery_time_p90: _,
        rework_ratio,
    } = bounds;
    let named = [
        ("deployments", deployments_per_day),
        ("lead", lead_time),
        ("failed", change_fail_ratio),
        ("incidents", incidents_per_day),
        ("recovery", recovery_time),
        ("rework", rework_ratio),
    ];
    let named = named.into_iter().filter(|(_, found)| found.is_some()).map(|(name, _)| name);
    named.collect::<Vec<_>>().join(" ")
}

/// So many deployments, one a day at noon, the last one on this day.
fn daily(count: i64, last: i64) -> Vec<Step> {
    (0..count).rev().map(|back| step((last - back) * DAY + DAY / 2)).collect()
}

#[test]
fn there_are_none_before_eight_weeks_of_history_before_the_window() {
    // A fortnight and eight weeks after the begin of all history, to the minute.
    let world = over(world(&[daily(70, 69)]), &["14d"]);
    for (at, expected) in [
        (70 * DAY - 1, ""),
        (70 * DAY, "deployments lead failed incidents rework"),
        (90 * DAY, "deployments incidents"),
    ] {
        assert_eq!(present(bounds(&world.at(at))), expected, "at {at}");
    }
    let cut = |days: i64| {
        let mut inventory = world.inventory();
        for covered in inventory.covered.values_mut() {
            *covered = minute(days * DAY);
        }
        let linked = world.linked();
        bounds(&sextant::engine::snapshot(&linked, &inventory, &world.settings, minute(80 * DAY)))
    };
    assert_eq!(present(cut(10)), "deployments incidents");
    assert_eq!(present(cut(11)), "", "what was not collected is no history");
}

#[test]
fn each_has_its_minimum_sample() {
    // All happens in the last days of a quarter; what was before only says how it scatters.
    let history = daily(60, 59);
    let breaking = |count: i64| {
        let recent = daily(count, 99).into_iter().map(|step| Step { breaks: Some(60), ..step });
        [history.clone(), recent.collect()].concat()
    };
    for (steps, windows, expected) in [
        (breaking(5), "20d", "deployments incidents"),
        (breaking(6), "20d", "deployments lead incidents recovery"),
        (breaking(9), "20d", "deployments lead incidents recovery"),
        (breaking(10), "20d", "deployments lead failed incidents recovery rework"),
        // Day 99 is a Friday: the three days before its end are a Wednesday to a Friday.
        (breaking(10), "3d", ""),
        (breaking(10), "4d", "deployments incidents"),
        // A Monday to a Friday, with its weekend before.
        (breaking(10), "7d", "deployments lead incidents recovery"),
        (history.clone(), "20d", "deployments incidents"),
    ] {
        let world = over(world(&[steps]), &[windows]);
        let found = bounds(&world.at(100 * DAY));
        assert_eq!(present(found), expected, "{windows}");
        if expected.contains("recovery") {
            assert_eq!(found.recovery_time, Some(Interval { lower: 3_600.0, upper: 3_600.0 }));
            assert_eq!(found.lead_time, Some(Interval { lower: 36_000.0, upper: 36_000.0 }));
        }
    }
}

#[test]
fn on_a_weekend_there_are_no_more_days_of_work() {
    let world = over(world(&[daily(100, 99)]), &["5d"]);
    // 1970-04-11 is a Saturday: 99 is a Friday.
    for (day, expected) in [
        (100, "deployments incidents"),
        (101, "deployments incidents"),
        (102, "incidents"),
        (103, "incidents"),
        (104, "incidents"),
        (105, "incidents"),
        (106, "deployments incidents"),
    ] {
        let found = present(bounds(&world.at(day * DAY))).replace(" lead", "");
        assert_eq!(found, expected, "day {day}");
    }
}

#[test]
fn a_slow_time_is_its_teams_and_the_organisations_only_if_it_is_everybodys() {
    let of = |patterns: &[&str]| {
        let (begin, end) =
            (Day::of(minute(90 * DAY), chrono_tz::Tz::UTC), Day::of(minute(99 * DAY), chrono_tz::Tz::UTC));
        let teams = TeamPatterns::parse(patterns.iter().copied()).unwrap();
        let quiet = QuietPeriod { from: begin, to: end, factor: 0.2, teams };
        let world =
            over(world(&[daily(100, 99)]), &["5d"]).set(|settings| settings.regressions.quiet = vec![quiet]);
        let snapshot = world.at(100 * DAY);
        let team = present(snapshot.teams[&TeamSlug::from("web")].values.windows[0].bounds);
        let components: Vec<_> =
            snapshot.components.values().map(|values| present(values.windows[0].bounds)).collect();
        assert!(components.iter().all(|component| *component == team), "a component is its team's");
        (team.contains("deployments"), present(bounds(&snapshot)).contains("deployments"))
    };
    // Five days that are worth one are too few.
    assert_eq!(of(&["another"]), (true, true));
    assert_eq!(of(&["web"]), (false, false), "it is the only team");
    assert_eq!(of(&["*"]), (false, false));
    assert_eq!(of(&["*", "!web"]), (true, true));
}

#[test]
fn what_never_deployed_or_is_read_for_the_first_time_has_none() {
    let world = over(world(&[daily(100, 99), daily(90, 99)]), &["30d"]);
    let linked = world.linked();
    let mut inventory = world.inventory();
    let id = world.repos[1].component.repository.clone();
    inventory.covered.remove(&Coverage::Repository(id));
    let snapshot = sextant::engine::snapshot(&linked, &inventory, &world.settings, minute(100 * DAY));
    let found: Vec<_> =
        snapshot.components.values().map(|values| present(values.windows[0].bounds)).collect();
    assert_eq!(found, ["deployments lead failed incidents rework", ""]);
    assert_eq!(present(bounds(&snapshot)), "deployments lead failed incidents rework");

    let quiet = World::of([Repo::new(1, "quiet", "web")]);
    assert_eq!(bounds(&over(quiet.clone(), &["30d"]).at(100 * DAY)), Bounds::default());
    let alarmed = quiet.incidents([incident(1, "quiet", 99 * DAY, None)]);
    assert_eq!(present(bounds(&over(alarmed, &["30d"]).at(100 * DAY))), "incidents");
}

#[test]
fn a_team_that_comes_in_bursts_is_less_certain_than_one_that_is_steady() {
    let width = |steps: Vec<Step>| {
        let found = bounds(&over(world(&[steps]), &["30d"]).at(210 * DAY)).deployments_per_day.unwrap();
        (found.upper / found.lower, f64::midpoint(found.lower, found.upper))
    };
    let steady = width(daily(210, 209));
    let bursts = (0..210)
        .filter(|day| day / 7 % 3 == 0)
        .flat_map(|day| (0..3).map(move |number| step(day * DAY + 600 + number * 60)));
    let bursts = width(bursts.collect());
    assert!(bursts.0 > 1.5 * steady.0, "{steady:?} {bursts:?}");
    assert!((steady.1 - 1.0).abs() < 0.1, "{steady:?}: per calendar day, as the value");
}

#[test]
fn a_late_fact_moves_them_and_those_of_the_past() {
    let before = over(world(&[daily(100, 99)]), &["30d"]);
    let late = incident(1, "r1", 90 * DAY + DAY / 2 + 1, Some(90 * DAY + DAY));
    let after = before.clone().incidents([late]);
    for at in [95 * DAY, 100 * DAY] {
        let (before, after) = (bounds(&before.at(at)), bounds(&after.at(at)));
        for (before, after) in [
            (before.change_fail_ratio, after.change_fail_ratio),
            (before.incidents_per_day, after.incidents_per_day),
        ] {
            assert!(before.unwrap().upper < after.unwrap().upper, "{before:?} {after:?}");
        }
        assert_eq!(before.deployments_per_day, after.deployments_per_day);
    }
    assert_eq!(before.at(90 * DAY), after.at(90 * DAY), "it had not happened");
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let day = prop::collection::vec(
        (0_i64..1_439, 31_i64..9_000, prop::option::weighted(0.25, 1_i64..3_000)),
        0..3,
    );
    prop::collection::vec(day, 110).prop_map(|days| {
        let steps = (1_i64..).zip(days).flat_map(|(day, steps)| {
            steps.into_iter().map(move |(at, lead, breaks)| Step { at: day * DAY + at, lead, breaks })
        });
        let mut steps: Vec<_> = steps.collect();
        steps.sort_by_key(|step| step.at);
        steps.dedup_by_key(|step| step.at);
        steps
    })
}

fn levels(snapshot: &Snapshot) -> Vec<&LevelValues> {
    let teams = snapshot.teams.values().map(|team| &team.values);
    std::iter::once(&snapshot.organization).chain(teams).chain(snapshot.components.values()).collect()
}

fn contained(values: &WindowValues) -> Vec<(Interval, Option<f64>)> {
    let WindowValues { delivery, incidents, bounds, .. } = values;
    let delivery = delivery.as_ref();
    let rows = [
        (bounds.deployments_per_day, delivery.map(|delivery| delivery.deployments_per_day)),
        (bounds.lead_time, delivery.and_then(|delivery| delivery.lead_time.p50).map(Span::seconds)),
        (bounds.change_fail_ratio, delivery.and_then(|delivery| delivery.change_fail_ratio)),
        (bounds.incidents_per_day, incidents.as_ref().map(|incidents| incidents.per_day)),
        (bounds.recovery_time, delivery.and_then(|delivery| delivery.recovery_time.p50).map(Span::seconds)),
        (bounds.rework_ratio, delivery.and_then(|delivery| delivery.rework_ratio)),
        (bounds.lead_time_p90, delivery.and_then(|delivery| delivery.lead_time.p90).map(Span::seconds)),
        (
            bounds.recovery_time_p90,
            delivery.and_then(|delivery| delivery.recovery_time.p90).map(Span::seconds),
        ),
    ];
    rows.into_iter().filter_map(|(found, value)| Some((found?, value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_number_lies_in_its_interval_whatever_the_order_and_whatever_comes_later(
        first in steps(), second in steps(), at in 60 * DAY..115 * DAY
    ) {
        let world = over(world(&[first, second]), &["7d", "30d", "40d"]);
        let snapshot = world.at(at);
        let mut found = 0;
        for window in levels(&snapshot).into_iter().flat_map(|level| &level.windows) {
            for (Interval { lower, upper }, value) in contained(window) {
                let value = value.unwrap();
                prop_assert!(lower <= value && value <= upper, "{value} is not in {lower}..{upper}");
                prop_assert!(lower >= 0.0 && upper.is_finite());
                found += 1;
            }
        }
        prop_assert!(at < 64 * DAY || found > 6, "only {} intervals", found);
        prop_assert_eq!(truncated(&world, at).at(at), snapshot.clone());
        let mut other = world;
        other.repos.reverse();
        other.incidents.reverse();
        for repo in &mut other.repos {
            repo.facts.commits.reverse();
            repo.facts.changes.reverse();
            repo.facts.attempts.reverse();
        }
        prop_assert_eq!(other.at(at), snapshot);
    }
}

#[test]
fn a_team_has_those_of_what_it_does_and_of_nothing_else() {
    let world = over(world(&[daily(100, 99), daily(40, 99)]), &["30d"]);
    let mut apart = world.clone();
    apart.repos[1].component.team = TeamSlug::new("ops");
    let (all, apart) = (world.at(100 * DAY), apart.at(100 * DAY));
    let of = |snapshot: &Snapshot, team: &str| snapshot.teams[&TeamSlug::new(team)].values.windows[0].bounds;
    assert_eq!(bounds(&all), bounds(&apart), "the organisation has all of it");
    assert_eq!(of(&all, "web"), bounds(&all));
    let alone = |team: &str| {
        let of_team = apart.components.iter().filter(|((owner, _), _)| owner.as_str() == team);
        of_team.map(|(_, values)| values.windows[0].bounds).collect::<Vec<_>>()
    };
    for team in ["web", "ops"] {
        let own = of(&apart, team);
        assert_eq!(own, alone(team)[0]);
        assert_ne!(own.deployments_per_day, bounds(&all).deployments_per_day);
    }
}
