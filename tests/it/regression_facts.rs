//! From facts to the series that the detector is told.

use std::collections::BTreeSet;

use sextant::engine::regression::facts::{Level, series, teams};
use sextant::engine::regression::series::{Deployed, Failed, TeamSeries};
use sextant::model::batch::{Coverage, Inventory};
use sextant::model::day::Day;
use sextant::model::fact::{Author, Change};
use sextant::model::name::{ComponentName, SourceName, TeamSlug};
use sextant::model::time::Timestamp;

use crate::engine_world::{DAY, Repo, World, incident, minute, minutes, pull, shop};

fn day(number: i64) -> Day {
    Day::of(minute(number * DAY), chrono_tz::Tz::UTC)
}

fn of(world: &World, inventory: &Inventory, level: Level<'_>, at: i64) -> TeamSeries {
    series(&world.linked(), inventory, &world.settings, level, minute(at))
}

fn team(slug: &str) -> TeamSlug {
    TeamSlug::new(slug)
}

fn planned(at: i64, lead_times: &[i64]) -> Deployed {
    let lead_times = lead_times.iter().copied().map(minutes).collect();
    Deployed { at: minute(at), lead_times, unplanned: false, failure: None }
}

fn failed(started: i64, known: i64, recovered: Option<i64>) -> Failed {
    let recovered_at = recovered.map(minute);
    Failed { started_at: minute(started), known_at: minute(known), recovered_at }
}

/// A team of two components and a third one of another team.
fn three() -> World {
    let bot = Change { author: Author::Bot, ..pull(2, "c", 40) };
    let shop = shop().commits("a b:a c:b").pulls([pull(1, "b", 15), bot]).deploys("a@10 b@20 c@50");
    let cart = Repo::new(2, "cart", "web").commits("k l:k").pulls([pull(3, "l", 25)]).deploys("k@12 l@30");
    let jobs = Repo::new(3, "jobs", "ops").commits("x").deploys("x@11");
    let mut of_ops = incident(3, "jobs", 60, None);
    of_ops.team = team("ops");
    World::of([shop, cart, jobs]).incidents([
        incident(1, "cart", 31, Some(45)),
        incident(2, "nobody", 35, None),
        of_ops,
    ])
}

#[test]
fn a_level_has_what_its_components_did_and_its_incidents() {
    let world = three();
    let inventory = world.inventory();
    let (shop, cart) = (ComponentName::new("shop"), ComponentName::new("cart"));
    let brought = |at, lead_times: &[i64]| planned(at, lead_times);
    let broken = Deployed { failure: Some(failed(31, 31, Some(45))), ..planned(30, &[25]) };
    let of_cart = vec![brought(12, &[]), broken];
    let of_shop = vec![brought(10, &[]), brought(20, &[25]), brought(50, &[])];
    let of_web = [of_cart.clone(), of_shop.clone()].concat();
    let of_ops = Deployed { failure: Some(failed(60, 60, None)), ..planned(11, &[]) };
    let all = [vec![of_ops.clone()], of_web.clone()].concat();
    for (level, deployments, incidents) in [
        (Level::Organization, all, vec![31, 35, 60]),
        (Level::Team(&team("web")), of_web, vec![31, 35]),
        (Level::Team(&team("ops")), vec![of_ops], vec![60]),
        (Level::Team(&team("gone")), vec![], vec![]),
        (Level::Component(&team("web"), &cart), of_cart, vec![31]),
        (Level::Component(&team("web"), &shop), of_shop, vec![]),
        (Level::Component(&team("ops"), &shop), vec![], vec![]),
    ] {
        let found = of(&world, &inventory, level, 100);
        assert_eq!(found.deployments, deployments, "{level:?}");
        assert_eq!(found.incidents, incidents.into_iter().map(minute).collect::<Vec<_>>(), "{level:?}");
        assert_eq!((found.since, found.blind), (day(0), BTreeSet::new()), "{level:?}");
    }
    let linked = world.linked();
    let all = teams(&linked.teams, &linked, &inventory, &world.settings, minute(100));
    assert_eq!(all.len(), 2);
    for (slug, found) in &all {
        assert_eq!(*found, of(&world, &inventory, Level::Team(slug), 100), "{slug:?}");
    }
}

#[test]
fn only_what_had_happened_counts_and_a_failure_from_when_it_showed() {
    let shop = shop().commits("a b:a").pulls([pull(1, "b", 15)]).deploys("a@10 b@20 a@90");
    let world = World::of([shop]).incidents([incident(1, "shop", 120, Some(150))]);
    let inventory = world.inventory();
    let rolled_back = |failure| Deployed { failure, ..planned(20, &[25]) };
    let rollback = |failure| Deployed { unplanned: true, failure, ..planned(90, &[]) };
    for (at, expected) in [
        (10, vec![]),
        (11, vec![planned(10, &[])]),
        (90, vec![planned(10, &[]), rolled_back(None)]),
        (91, vec![planned(10, &[]), rolled_back(Some(failed(20, 90, Some(90)))), rollback(None)]),
        (
            121,
            vec![
                planned(10, &[]),
                rolled_back(Some(failed(20, 90, Some(90)))),
                rollback(Some(failed(120, 120, None))),
            ],
        ),
        (
            151,
            vec![
                planned(10, &[]),
                rolled_back(Some(failed(20, 90, Some(90)))),
                rollback(Some(failed(120, 120, Some(150)))),
            ],
        ),
    ] {
        let found = of(&world, &inventory, Level::Organization, at);
        assert_eq!(found.deployments, expected, "at {at}");
        assert_eq!(found.incidents.len(), usize::from(at > 120), "at {at}");
    }
}

/// Where `shop` and `cart` of `web`, and `jobs` of `ops`, were created, and from when on they and the incidents are
/// covered, in days; `None`: not yet.
struct Row {
    what: &'static str,
    created: [i64; 3],
    covered: [Option<i64>; 3],
    incidents: Option<i64>,
    /// Of the organisation, `web`, `ops` and `shop`.
    since: [i64; 4],
}

#[test]
fn history_begins_where_all_of_it_is_collected() {
    let row = |what, created, covered, incidents, since| Row { what, created, covered, incidents, since };
    let rows = [
        row("the least complete part", [0; 3], [Some(10), Some(30), Some(20)], Some(5), [30, 30, 20, 10]),
        row(
            "incidents are a part of all",
            [0; 3],
            [Some(10), Some(30), Some(20)],
            Some(25),
            [30, 30, 25, 25],
        ),
        row("what is young is whole", [0, 50, 60], [Some(10), Some(10), Some(10)], Some(5), [10, 10, 60, 10]),
        row("nothing is older than its parts", [70, 50, 60], [Some(10); 3], Some(5), [50, 50, 60, 70]),
        row("a first read is left out", [0; 3], [Some(10), None, None], Some(5), [10, 10, 5, 10]),
        row("so is that of incidents", [0; 3], [Some(10), Some(30), Some(20)], None, [30, 30, 20, 10]),
        row("nothing is collected", [0; 3], [None; 3], None, [100; 4]),
    ];
    for Row { what, created, covered, incidents, since } in rows {
        let mut world = three();
        for (repo, created) in world.repos.iter_mut().zip(created) {
            repo.facts.repository.created_at = minute(created * DAY);
        }
        let mut inventory = world.inventory();
        let repositories = inventory.repositories.iter().map(|one| Coverage::Repository(one.id.clone()));
        let parts: Vec<_> = repositories.zip(covered).collect();
        let pager = Coverage::Incidents(SourceName::new("pager"));
        for (part, covered) in parts.into_iter().chain([(pager, incidents)]) {
            match covered {
                Some(covered) => drop(inventory.covered.insert(part, minute(covered * DAY))),
                None => drop(inventory.covered.remove(&part)),
            }
        }
        let shop = ComponentName::new("shop");
        let (web, ops) = (team("web"), team("ops"));
        let levels =
            [Level::Organization, Level::Team(&web), Level::Team(&ops), Level::Component(&web, &shop)];
        for (level, since) in levels.into_iter().zip(since) {
            let found = of(&world, &inventory, level, 100 * DAY);
            assert_eq!(found.since, day(since), "{what}: {level:?}");
        }
    }
}

#[test]
fn it_begins_with_a_whole_day_of_the_organisation_and_has_nothing_older() {
    let shop = shop().commits("a b:a").deploys("a@3000 b@20000");
    let world =
        World::of([shop]).incidents([incident(1, "shop", 3010, None), incident(2, "shop", 20010, None)]);
    // Berlin is an hour ahead: its days begin at 23:00 UTC.
    for (covered, timezone, since) in [
        (9 * DAY, chrono_tz::Tz::UTC, 9),
        (9 * DAY + 1, chrono_tz::Tz::UTC, 10),
        (9 * DAY, chrono_tz::Tz::Europe__Berlin, 10),
        (9 * DAY - 60, chrono_tz::Tz::Europe__Berlin, 9),
    ] {
        let world = world.clone().set(|settings| settings.timezone = timezone);
        let mut inventory = world.inventory();
        for at in inventory.covered.values_mut() {
            *at = minute(covered);
        }
        let found = of(&world, &inventory, Level::Organization, 30_000);
        assert_eq!(found.since, day(since), "{covered} {timezone}");
        assert_eq!(found.deployments.len(), 1, "{covered} {timezone}");
        assert_eq!(found.incidents, vec![minute(20010)], "{covered} {timezone}");
    }
}

#[test]
fn what_is_read_for_the_first_time_says_nothing_until_it_is_read() {
    let shop = shop().commits("a b:a c:b").deploys("a@10 b@20 c@40");
    let cart = Repo::new(2, "cart", "web").commits("k").deploys("k@12");
    let world = World::of([shop, cart]).incidents([incident(1, "shop", 25, Some(50))]);
    let whole = world.inventory();
    let read = of(&world, &whole, Level::Organization, 100);
    let at: Vec<Timestamp> = read.deployments.iter().map(|deployed| deployed.at).collect();
    assert_eq!(at, [12, 10, 20, 40].map(minute));
    assert_eq!(read.deployments[2].failure, Some(failed(25, 25, Some(50))));
    assert!(read.deployments[3].unplanned, "it answers an incident");

    let mut unread = whole.clone();
    unread.covered.retain(|coverage, _| match coverage {
        Coverage::Repository(id) => id.number != 2,
        Coverage::Incidents(_) => false,
    });
    let found = of(&world, &unread, Level::Organization, 100);
    assert_eq!(found.deployments, [10, 20, 40].map(|at| planned(at, &[])));
    assert_eq!(found.incidents, vec![]);
}
