//! The budget: what following a thousand repositories costs, and how the first read of years waits for what is new.

use std::collections::BTreeMap;

use sextant::demo::generate::sized::{Size, sized};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::repository::RepositoryKey;
use sextant::engine::snapshot::{Completeness, Snapshot};
use sextant::model::time::Span;

use crate::rig::{Rig, organization};
use crate::stage::{deploy, now};

fn toml(history: &str) -> String {
    format!(
        r#"
[organization]
name = "acme"

[metrics]
windows = ["7d", "30d", "90d"]

[[github]]
name = "acme-github"
api_url = "{{github}}"
token_file = "{{directory}}/github-token"
organizations = ["org-0"]
history = "{history}"
"#
    )
}

fn points(rig: &Rig) -> u64 {
    rig.servers.github.tally.points()
}

/// How many REST requests there were: all that is no named GraphQL operation.
fn rest(rig: &Rig) -> u64 {
    let by_operation = rig.servers.github.tally.by_operation();
    by_operation.iter().filter(|(operation, _)| operation.contains('/')).map(|(_, count)| count).sum()
}

/// Polls until history is read.
async fn read_everything(rig: &mut Rig) {
    for _ in 0..20 {
        rig.poll_github().await.unwrap();
        if rig.own("sextant_source_backfill_complete", &["acme-github"]) == Some(1.0) {
            return;
        }
        rig.later(Span::from_minutes(61));
    }
    panic!("history is never read: {:?}", rig.servers.github.tally.by_operation());
}

/// A thousand repositories of which `active` have moved within thirty days.
fn thousand(active: usize) -> World {
    let long_ago = now().minus(Span::from_days(60));
    let mut world = World::new("org-0", long_ago);
    for place in 0..1_000 {
        let key = world.repository(&format!("org-0/service-{place}"), long_ago);
        let at = if place < active { now().minus(Span::from_days(1)) } else { long_ago };
        let commit = world.push(key, "vera", "Begin", at, at);
        deploy(&mut world, key, commit, at);
    }
    world.advance(now());
    world
}

#[tokio::test]
async fn a_thousand_active_repositories_are_followed_for_forty_points_a_minute_and_no_rest() {
    let mut rig = Rig::new(thousand(1_000), &toml("30d")).await;
    read_everything(&mut rig).await;
    rig.later(Span::from_minutes(1));
    rig.poll_github().await.unwrap();
    let asked_of_rest = rest(&rig);
    for minute in 0..5 {
        rig.later(Span::from_minutes(1));
        let before = points(&rig);
        rig.poll_github().await.unwrap();
        let spent = points(&rig) - before;
        assert!(
            spent <= 40,
            "{spent} points in minute {minute}: {:?}",
            rig.servers.github.tally.by_operation()
        );
    }
    assert_eq!(rest(&rig), asked_of_rest);
}

#[tokio::test]
async fn quiet_repositories_cost_little_and_each_is_looked_at_within_a_quarter_of_an_hour() {
    let mut rig = Rig::new(thousand(200), &toml("30d")).await;
    read_everything(&mut rig).await;
    rig.later(Span::from_minutes(1));
    rig.poll_github().await.unwrap();
    // Everybody deploys at the same moment, and the quiet ones are found in their own time.
    let keys: Vec<RepositoryKey> = rig.world.tell(|world| world.keys().collect());
    let (before, asked_of_rest) = (points(&rig), rest(&rig));
    for _ in 0..15 {
        rig.later(Span::from_minutes(1));
        rig.poll_github().await.unwrap();
    }
    let spent = points(&rig) - before;
    assert!(spent <= 15 * 13, "{spent} points in a quarter of an hour");
    assert_eq!(rest(&rig), asked_of_rest);

    let deployed_at = rig.now();
    rig.world.tell(|world| {
        for key in &keys {
            let head = world.head(*key).unwrap();
            deploy(world, *key, head, deployed_at.minus(Span::from_minutes(11)));
        }
        world.advance(deployed_at);
    });
    for _ in 0..15 {
        rig.later(Span::from_minutes(1));
        rig.poll_github().await.unwrap();
    }
    rig.later(Span::from_seconds(1));
    let snapshot = rig.compute().await.snapshot;
    let week = &snapshot.organization.windows[0];
    let fresh = snapshot
        .components
        .values()
        .filter(|values| values.last_deployment_at > Some(deployed_at.minus(Span::from_hours(1))))
        .count();
    assert_eq!(fresh, 1_000, "{:?}", week.delivery.as_ref().map(|delivery| delivery.deployments));
}

/// Sixteen repositories with more than a year to read.
fn years() -> World {
    let size = Size {
        organizations: 1,
        repositories: 16,
        teams: 5,
        days: 400,
        active_per_mille: 1_000,
        changes_per_hundred_days: 100,
    };
    sized(3, now(), &size)
}

fn complete(snapshot: &Snapshot) -> BTreeMap<&str, bool> {
    let labels = snapshot.windows.iter().map(|window| window.label.as_str());
    let of = |index: usize| {
        snapshot.teams.values().all(|team| team.values.windows[index].complete == Completeness::Complete)
    };
    labels.enumerate().map(|(index, label)| (label, of(index))).collect()
}

#[tokio::test]
async fn history_waits_at_the_reserve_while_what_is_new_is_seen_newest_first_and_a_restart_goes_on() {
    const HOURLY: u64 = 150;
    let options = Options { github_points_per_hour: HOURLY, ..Options::default() };
    let mut rig = Rig::with(years(), &toml("400d"), options).await;
    let (mut progress, mut spent_before, mut seen) = (0.0, 0, Vec::new());
    let mut windows: Vec<(u32, BTreeMap<String, bool>)> = Vec::new();
    for hour in 0..30_u32 {
        let begun = points(&rig);
        for minute in 0..6 {
            if hour > 0 && minute == 5 {
                // Something is deployed while history waits for the next hour.
                let (before, at) = (points(&rig), rig.now());
                rig.world.tell(|world| {
                    let key = world.find(&format!("org-0/service-{}", hour % 16)).unwrap();
                    let head = world.head(key).unwrap();
                    deploy(world, key, head, at.minus(Span::from_minutes(10)));
                });
                rig.poll_github().await.unwrap();
                seen.push((hour, at));
                assert!(points(&rig) > before);
            } else if let Err(error) = rig.poll_github().await {
                panic!("hour {hour}, poll {minute}: {error} {:?}", rig.servers.github.tally.by_operation());
            }
            let now = rig.own("sextant_source_backfill_progress_ratio", &["acme-github"]).unwrap();
            assert!(now >= progress, "hour {hour}: {progress} and then {now}");
            progress = now;
            if minute == 4 {
                // A third of the share is kept for what is new; what was under way when the rest was used up came after.
                let spent = points(&rig) - begun;
                assert!(spent <= HOURLY * 8 / 10 * 9 / 10, "{spent} points in hour {hour}: nothing was kept");
            }
            rig.later(Span::from_minutes(10));
        }
        let spent = points(&rig) - begun;
        assert!(spent <= HOURLY * 8 / 10, "{spent} points in hour {hour}, of a share of 0.8");
        let snapshot = rig.compute().await.snapshot;
        if let Some((_, at)) = seen.last() {
            assert!(snapshot.organization.last_deployment_at >= Some(*at), "hour {hour}");
        }
        let told = complete(&snapshot);
        windows.push((hour, told.iter().map(|(label, is)| ((*label).to_owned(), *is)).collect()));
        if progress >= 1.0 {
            break;
        }
        if hour == 2 {
            spent_before = points(&rig);
            rig = rig.restart().await;
        }
    }
    assert!(progress >= 1.0, "{progress}: {windows:?}");
    assert!(points(&rig) > spent_before);
    let first = |label: &str| windows.iter().find(|(_, told)| told[label]).map(|(hour, _)| *hour);
    let last = windows.last().map(|(hour, _)| *hour);
    assert!(first("7d") < first("90d"), "{windows:?}");
    assert!(first("90d") < last, "{windows:?}");
    assert!(organization(&rig.compute().await.snapshot, "90d").complete == Completeness::Complete);
}

#[tokio::test]
async fn a_poll_ends_when_the_next_one_is_due_which_goes_on_where_it_was() {
    const A_REQUEST: Span = Span::from_seconds(3);
    let mut rig = Rig::new(years(), &toml("400d")).await;
    let (world, github) = (rig.world.clone(), std::sync::Arc::clone(&rig.servers.github));
    // Every request takes three seconds of the world's time.
    let passing = async {
        let mut seen = 0;
        loop {
            let asked = github.tally.requests();
            let passed = Span::from_millis(A_REQUEST.millis() * i64::try_from(asked - seen).unwrap());
            seen = asked;
            world.tell(|world| world.advance(world.now.plus(passed)));
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        let (mut progress, mut lengths) = (0.0, Vec::new());
        while progress < 1.0 && lengths.len() < 100 {
            let began = rig.now();
            rig.poll_github().await.unwrap();
            lengths.push(rig.now().since(began).millis() / 1_000);
            let now = rig.own("sextant_source_backfill_progress_ratio", &["acme-github"]).unwrap();
            assert!(now > progress, "a poll brought nothing: {progress} {now} {lengths:?}");
            progress = now;
        }
        (progress, lengths)
    };
    let (progress, lengths) = tokio::select! {
        read = reading => read,
        () = passing => unreachable!("time does not end"),
    };
    assert!(progress >= 1.0 && lengths.len() > 3, "{progress} in {lengths:?}");
    // A minute, and what was under way when it was over.
    assert!(lengths.iter().all(|seconds| *seconds <= 60 + 40 * 3), "{lengths:?}");
    // Nothing was asked for twice: a read in one go takes as much, but for looking at what is new.
    let asked = rig.servers.github.tally.by_operation();
    let mut at_once = Rig::new(years(), &toml("400d")).await;
    at_once.poll_github().await.unwrap();
    let expected = at_once.servers.github.tally.by_operation();
    let (pages, expected) = (asked["RepositoryPages"], expected["RepositoryPages"]);
    assert!(pages <= expected + expected / 5, "{pages} pages in {} polls, {expected} in one", lengths.len());
}
