//! Series: the same numbers as the snapshot at every instant, and a fact changes the points that it should and no other.

use proptest::prelude::*;
use sextant::engine;
use sextant::engine::link::Linked;
use sextant::engine::series::{History, Instants, Level, Parts, Timeline};
use sextant::engine::snapshot::{Bounds, LevelValues, Snapshot};
use sextant::model::batch::{Coverage, Inventory};
use sextant::model::fact::Verdict;
use sextant::model::measure::Measure;
use sextant::model::name::{Severity, SourceName};
use sextant::model::settings::{BotChanges, FailOn, MetricSettings, RollbackBlames, Window};
use sextant::model::time::{Span, Timestamp};

use crate::engine_properties::worlds;
use crate::engine_world::{DAY, World, incident, minute, minutes, shop};

/// The windows of these tests: short enough for things to leave them.
const WINDOWS: [&str; 3] = ["7m", "45m", "3h"];
const LONGEST: i64 = 180;

fn settings(settings: &mut MetricSettings) {
    settings.windows = WINDOWS.iter().map(|label| Window::parse(label).unwrap()).collect();
    settings.remediation_window = minutes(60);
}

/// What a level's numbers are in a snapshot; `None`: it has none yet.
pub(crate) fn in_snapshot(snapshot: &Snapshot, level: &Level) -> Option<LevelValues> {
    let values = match level {
        Level::Organization => Some(&snapshot.organization),
        Level::Team(team) => Some(&snapshot.teams[team].values),
        Level::Component(team, name) => snapshot.components.get(&(team.clone(), name.clone())),
    };
    values.cloned()
}

/// Whole minutes, the instants right after them, and some in between.
fn instants() -> Instants {
    let whole = (-3..140).map(|step| minute(step * 3));
    whole.flat_map(|at| [at, at.plus(Span::from_millis(1)), at.plus(Span::from_seconds(61))]).collect()
}

/// A world with what random ones lack: severities, an incident blamed on a deployment that came later, other rules,
/// and a history that was not collected from its beginning. All repositories are old, so that there are weeks before the
/// windows.
fn varied() -> impl Strategy<Value = (World, Inventory)> {
    (worlds(), 0_u8..16, prop::collection::vec(0_i64..300, 4)).prop_map(|(world, rules, since)| {
        let mut world = world.set(settings).set(|settings| {
            if rules & 1 > 0 {
                settings.bot_changes = BotChanges::Included;
            }
            if rules & 2 > 0 {
                settings.rollback_blames = RollbackBlames::First;
            }
            if rules & 4 > 0 {
                settings.fail_on.retain(|switch| *switch != FailOn::Rollback);
            }
        });
        for (owned, number) in world.incidents.iter_mut().zip(0_usize..) {
            owned.stored.incident.severity = Severity::new(["sev1", "sev2", "none"][number % 3]);
            if number % 4 == 3 {
                owned.stored.incident.verdict = Some(Verdict::Deployment((number * 2).to_string()));
            }
            if number % 5 == 4 {
                owned.component = None;
            }
        }
        for repo in &mut world.repos {
            repo.facts.repository.created_at = minute(-100 * DAY);
        }
        let mut inventory = world.inventory();
        for covered in inventory.covered.values_mut() {
            *covered = minute(-100 * DAY);
        }
        if rules & 8 > 0 {
            for (covered, since) in inventory.covered.values_mut().zip(since) {
                *covered = minute(since);
            }
            inventory.covered.retain(|coverage, since| {
                *coverage == Coverage::Incidents(SourceName::new("pager")) || since.millis() % 7 > 0
            });
        }
        (world, inventory)
    })
}

fn timeline(linked: &Linked, inventory: &Inventory, world: &World, level: &Level, parts: Parts) -> Timeline {
    History::new(linked, inventory, &world.settings).timeline(level, &instants(), parts).unwrap()
}

fn swept(timeline: &Timeline, world: &World, parts: Parts) -> Vec<(Timestamp, LevelValues)> {
    timeline.sweep(&world.settings.windows, parts, &instants()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_series_is_the_snapshot_at_each_of_its_instants((world, inventory) in varied()) {
        let linked = world.linked();
        let history = History::new(&linked, &inventory, &world.settings);
        let snapshots: Vec<_> =
            instants().iter().map(|at| engine::snapshot(&linked, &inventory, &world.settings, at)).collect();
        for level in history.levels() {
            let timeline = history.timeline(&level, &instants(), Parts::ALL).unwrap();
            let series = swept(&timeline, &world, Parts::ALL);
            prop_assert_eq!(series.len(), snapshots.len());
            for ((at, values), snapshot) in series.iter().zip(&snapshots) {
                match in_snapshot(snapshot, &level) {
                    Some(expected) => prop_assert_eq!(values, &expected, "{:?} at {}", level, at),
                    None => prop_assert!(!values.counts_incidents(), "{:?} at {}", level, at),
                }
            }
        }
    }

    #[test]
    fn a_series_that_begins_late_and_looks_rarely_is_a_part_of_the_whole(
        (world, inventory) in varied(), from in 0_i64..400, step in 1_i64..90
    ) {
        let linked = world.linked();
        let history = History::new(&linked, &inventory, &world.settings);
        let instants = Instants::range(minute(from), minute(420), minutes(step));
        for level in history.levels() {
            let timeline = history.timeline(&level, &instants, Parts::ALL).unwrap();
            for (at, values) in timeline.sweep(&world.settings.windows, Parts::ALL, &instants) {
                let snapshot = engine::snapshot(&linked, &inventory, &world.settings, at);
                if let Some(expected) = in_snapshot(&snapshot, &level) {
                    prop_assert_eq!(values, expected, "{:?} at {}", level, at);
                }
            }
        }
    }

    #[test]
    fn what_is_not_asked_for_changes_nothing_else((world, inventory) in varied()) {
        let linked = world.linked();
        let timeline = timeline(&linked, &inventory, &world, &Level::Organization, Parts::ALL);
        let all = swept(&timeline, &world, Parts::ALL);
        let parts = Parts::RECOVERY.and(Parts::bound(Measure::LeadTime));
        let some = swept(&timeline, &world, parts);
        let own = self::timeline(&linked, &inventory, &world, &Level::Organization, parts);
        prop_assert_eq!(&swept(&own, &world, parts), &some, "a timeline of these parts alone has them");
        for ((_, all), (_, some)) in all.into_iter().zip(some) {
            for (all, some) in all.windows.into_iter().zip(some.windows) {
                let Bounds { lead_time, lead_time_p90, .. } = all.bounds;
                prop_assert_eq!(some.bounds, Bounds { lead_time, lead_time_p90, ..Bounds::default() });
                if let (Some(all), Some(mut some)) = (all.delivery, some.delivery) {
                    some.phases = all.phases;
                    prop_assert_eq!(some, all);
                }
            }
        }
    }

    #[test]
    fn a_fact_that_comes_late_is_edited_or_deleted_changes_the_points_that_it_touches_and_no_other(
        (world, inventory) in varied(), which in 0_usize..40, how in 0_u8..6
    ) {
        let mut other = world.clone();
        let repo = &mut other.repos[which % 3];
        match how {
            0 if !repo.facts.attempts.is_empty() => {
                repo.facts.attempts.remove(which % repo.facts.attempts.len());
            }
            1 if !repo.facts.changes.is_empty() => {
                repo.facts.changes.remove(which % repo.facts.changes.len());
            }
            2 if !repo.facts.changes.is_empty() => {
                let place = which % repo.facts.changes.len();
                repo.facts.changes[place].fact.merged_at = minute(i64::try_from(which).unwrap() * 10);
            }
            3 if !other.incidents.is_empty() => {
                other.incidents.remove(which % world.incidents.len());
            }
            4 if !other.incidents.is_empty() => {
                let place = which % world.incidents.len();
                other.incidents[place].stored.incident.resolved_at = Some(minute(200));
            }
            _ if !other.incidents.is_empty() => {
                let place = which % world.incidents.len();
                other.incidents[place].stored.incident.severity = Severity::new("sev9");
            }
            _ => {}
        }
        let (before, after) = (world.linked(), other.linked());
        for level in History::new(&before, &inventory, &world.settings).levels() {
            let history = History::new(&after, &inventory, &other.settings);
            let Some(later) = history.timeline(&level, &instants(), Parts::ALL) else { continue };
            let earlier = timeline(&before, &inventory, &world, &level, Parts::ALL);
            let touched = earlier.touched(&later, minutes(LONGEST));
            prop_assert_eq!(&touched, &later.touched(&earlier, minutes(LONGEST)));
            prop_assert_eq!(touched.is_empty(), earlier == later);
            let earlier = swept(&earlier, &world, Parts::ALL);
            for ((at, was), (_, is)) in earlier.into_iter().zip(swept(&later, &other, Parts::ALL)) {
                let is_touched = touched.iter().any(|(after, through)| *after < at && at <= *through);
                prop_assert!(is_touched || was == is, "{:?} at {}: {:?}", level, at, touched);
            }
        }
    }

    #[test]
    fn the_order_of_facts_changes_no_series((world, inventory) in varied()) {
        let mut other = world.clone();
        other.repos.reverse();
        other.incidents.reverse();
        for repo in &mut other.repos {
            repo.facts.attempts.reverse();
            repo.facts.changes.reverse();
        }
        let (one, another) = (world.linked(), other.linked());
        for level in History::new(&one, &inventory, &world.settings).levels() {
            let expected = timeline(&one, &inventory, &world, &level, Parts::ALL);
            prop_assert_eq!(timeline(&another, &inventory, &other, &level, Parts::ALL), expected);
        }
    }
}

#[test]
fn a_late_fact_touches_exactly_its_windows() {
    let shop = || shop().commits("a b:a c:b").head("c");
    let world = |deploys: &str, incidents: &[(i64, i64)]| {
        let troubles = incidents.iter().zip(1..);
        let troubles = troubles.map(|((from, to), id)| incident(id, "shop", *from, Some(*to)));
        World::of([shop().deploys(deploys)]).incidents(troubles).set(settings)
    };
    let common = world("a@10 c@100", &[(5, 6)]);
    for (other, expected) in [
        // What was pushed as b leaves the deployment of minute 100, and that one's windows with it.
        (world("a@10 b@50 c@100", &[(5, 6)]), vec![(50, 100 + LONGEST)]),
        // The incident starts; it is resolved three minutes later. Its deployment, of minute 100, counts as failed in
        // windows that reach back to it, and in three of its minutes as unrecovered.
        (world("a@10 c@100", &[(5, 6), (110, 113)]), vec![(110, 113 + LONGEST)]),
        // An attempt that failed says nothing but that.
        (world("a@10 c@100 b@60!", &[(5, 6)]), vec![(60, 60 + LONGEST)]),
        (world("a@10 c@100", &[(5, 6)]), vec![]),
    ] {
        let inventory = common.inventory();
        let (before, after) = (common.linked(), other.linked());
        let earlier = timeline(&before, &inventory, &common, &Level::Organization, Parts::VALUES);
        let later = timeline(&after, &inventory, &other, &Level::Organization, Parts::VALUES);
        let expected: Vec<_> = expected.into_iter().map(|(from, to)| (minute(from), minute(to))).collect();
        assert_eq!(earlier.touched(&later, minutes(LONGEST)), expected);
    }
}
