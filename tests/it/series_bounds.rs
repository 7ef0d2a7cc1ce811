//! What the numbers of the past lie in: what a snapshot says at each instant, bit for bit, and as much of it as is asked
//! for.

use proptest::prelude::*;
use sextant::engine;
use sextant::engine::interval::Interval;
use sextant::engine::series::{History, Instants, Level, Parts};
use sextant::engine::snapshot::{Bounds, LevelValues};
use sextant::model::batch::{Coverage, Inventory};
use sextant::model::day::Day;
use sextant::model::fact::Verdict;
use sextant::model::measure::Measure;
use sextant::model::name::TeamSlug;
use sextant::model::regressions::{QuietPeriod, TeamPatterns};
use sextant::model::settings::BotChanges;
use sextant::model::time::Span;

use crate::engine_bounds::{over, steps, world};
use crate::engine_world::{DAY, World, minute, minutes};
use crate::series::in_snapshot;

/// What makes the weeks before a window awkward: other days, parts that are not collected, and what is known late.
const OWN_DAYS: u8 = 1;
const TWO_TEAMS: u8 = 2;
const UNREAD: u8 = 4;
const CUT_OFF: u8 = 8;
const LATE: u8 = 16;
const OTHER_CLOCK: u8 = 32;

fn awkward() -> impl Strategy<Value = (World, Inventory, u8)> {
    (steps(), steps(), 0_u8..64, 20_i64..60).prop_map(|(first, second, rules, cut)| {
        let has = |rule: u8| rules & rule > 0;
        let mut world = over(world(&[first, second]), &["36h", "7d", "30d", "40d"]);
        world = world.set(|settings| {
            if has(OTHER_CLOCK) {
                // Its clocks are put forward on the 116th day.
                settings.timezone = chrono_tz::America::New_York;
                settings.bot_changes = BotChanges::Included;
            }
            if has(OWN_DAYS) {
                let day = |day: i64| Day::of(minute(day * DAY), settings.timezone);
                let teams = TeamPatterns::parse(["web"]).unwrap();
                settings.regressions.quiet =
                    vec![QuietPeriod { from: day(50), to: day(83), factor: 0.3, teams }];
                settings.regressions.closed = [day(70), day(90), day(91)].into();
            }
        });
        if has(TWO_TEAMS) {
            world.repos[1].component.team = TeamSlug::new("ops");
        }
        if has(LATE) {
            for pull in world.repos.iter_mut().flat_map(|repo| repo.facts.changes.iter_mut().step_by(5)) {
                pull.fact.merged_at = pull.fact.merged_at.plus(Span::from_days(9));
            }
            for (owned, number) in world.incidents.iter_mut().zip(1_usize..) {
                let incident = &mut owned.stored.incident;
                if number % 3 == 0 {
                    incident.verdict = Some(Verdict::Deployment((number * 2).to_string()));
                    incident.started_at = incident.started_at.plus(Span::from_days(11));
                    incident.resolved_at = incident.resolved_at.map(|at| at.plus(Span::from_days(30)));
                }
            }
        }
        let mut inventory = world.inventory();
        if has(CUT_OFF) {
            for (covered, days) in inventory.covered.values_mut().zip([cut, 0, cut / 2]) {
                *covered = minute(days * DAY);
            }
        }
        if has(UNREAD) {
            let id = world.repos[1].component.repository.clone();
            inventory.covered.remove(&Coverage::Repository(id));
        }
        (world, inventory, rules)
    })
}

fn instants() -> Instants {
    let steps = (0..28).map(|step| minute(45 * DAY + step * 3_777));
    steps.flat_map(|at| [at, at.plus(Span::from_millis(1))]).collect()
}

fn intervals(values: &LevelValues) -> usize {
    let of = |bounds: &Bounds| {
        let of_measures = Measure::ALL.map(|measure| only(bounds, measure));
        of_measures.into_iter().filter(|bounds| *bounds != Bounds::default()).count()
    };
    values.windows.iter().map(|window| of(&window.bounds)).sum()
}

/// Those of one measure.
fn only(bounds: &Bounds, measure: Measure) -> Bounds {
    let Bounds {
        deployments_per_day,
        lead_time,
        lead_time_p90,
        change_fail_ratio,
        incidents_per_day,
        recovery_time,
        recovery_time_p90,
        rework_ratio,
    } = *bounds;
    let none = Bounds::default();
    match measure {
        Measure::DeploymentsPerDay => Bounds { deployments_per_day, ..none },
        Measure::LeadTime => Bounds { lead_time, lead_time_p90, ..none },
        Measure::ChangeFailRatio => Bounds { change_fail_ratio, ..none },
        Measure::IncidentsPerDay => Bounds { incidents_per_day, ..none },
        Measure::RecoveryTime => Bounds { recovery_time, recovery_time_p90, ..none },
        Measure::ReworkRatio => Bounds { rework_ratio, ..none },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_numbers_of_the_past_lie_in_is_what_a_snapshot_says((world, inventory, rules) in awkward()) {
        let linked = world.linked();
        let history = History::new(&linked, &inventory, &world.settings);
        let snapshots: Vec<_> =
            instants().iter().map(|at| engine::snapshot(&linked, &inventory, &world.settings, at)).collect();
        let mut found = 0;
        for level in history.levels() {
            let timeline = history.timeline(&level, &instants(), Parts::ALL).unwrap();
            let instants = instants();
            let series = timeline.sweep(&world.settings.windows, Parts::ALL, &instants);
            for ((at, values), snapshot) in series.zip(&snapshots) {
                if let Some(expected) = in_snapshot(snapshot, &level) {
                    prop_assert_eq!(&values, &expected, "{:?} at {}", level, at);
                    found += intervals(&values);
                }
            }
        }
        prop_assert!(found > 300 || rules & (CUT_OFF | UNREAD) > 0, "only {} intervals", found);
    }

    #[test]
    fn of_one_measure_they_are_those_of_all((world, inventory, _) in awkward()) {
        let linked = world.linked();
        let history = History::new(&linked, &inventory, &world.settings);
        let bounds = |parts: Parts| -> Vec<Bounds> {
            let instants = instants();
            let timeline = history.timeline(&Level::Organization, &instants, parts).unwrap();
            let series = timeline.sweep(&world.settings.windows, parts, &instants);
            series.flat_map(|(_, values)| values.windows.into_iter().map(|window| window.bounds)).collect()
        };
        let all = bounds(Parts::ALL);
        for measure in Measure::ALL {
            let expected: Vec<_> = all.iter().map(|bounds| only(bounds, measure)).collect();
            prop_assert_eq!(bounds(Parts::bound(measure)), expected, "{:?}", measure);
        }
        prop_assert!(bounds(Parts::VALUES).iter().all(|bounds| *bounds == Bounds::default()));
    }

    #[test]
    fn a_late_fact_moves_them_for_as_long_as_it_is_before_a_window(
        (world, inventory, _) in awkward(), which in 0_usize..100
    ) {
        let mut other = world.clone();
        let attempts = &mut other.repos[which % 2].facts.attempts;
        attempts.remove(which % attempts.len());
        let (before, after) = (world.linked(), other.linked());
        let one = History::new(&before, &inventory, &world.settings);
        let another = History::new(&after, &inventory, &other.settings);
        let timeline = |history: &History<'_>| history.timeline(&Level::Organization, &instants(), Parts::ALL).unwrap();
        let (one, another) = (timeline(&one), timeline(&another));
        let touched = one.touched(&another, minutes(40 * DAY));
        let (was, is) = (instants(), instants());
        let was = one.sweep(&world.settings.windows, Parts::ALL, &was);
        for ((at, was), (_, is)) in was.zip(another.sweep(&other.settings.windows, Parts::ALL, &is)) {
            let is_touched = touched.iter().any(|(after, through)| *after < at && at <= *through);
            prop_assert!(is_touched || was == is, "at {}: {:?}", at, touched);
        }
    }
}

#[test]
fn a_90th_percentile_has_an_interval_from_35_independent_changes_on() {
    let step = |at: i64, lead: i64| crate::engine_bounds::lasting(at, lead);
    // One a day. Those of a week are a little alike, so that 35 of them tell a little less than 35.
    let steps: Vec<_> = (0..120).map(|day| step(day * DAY + DAY / 2, 600 + day % 10 * 60)).collect();
    for (window, expected) in [("35d", None), ("50d", Some(()))] {
        let world = over(world(std::slice::from_ref(&steps)), &[window]);
        let found = world.at(120 * DAY).organization.windows[0].bounds;
        let Interval { lower, upper } = found.lead_time.unwrap();
        assert!(lower < upper);
        let above = found.lead_time_p90.map(|found| {
            assert!(found.upper > upper && found.lower >= lower, "{found:?}");
        });
        assert_eq!(above, expected, "{window}");
    }
}
