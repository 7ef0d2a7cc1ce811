//! What happens to repositories as a whole, who is looked at when, and what a webhook makes us read.

use std::collections::BTreeSet;

use sextant::demo::faults::{Fault, Which};
use sextant::demo::generate::generate;
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal};
use sextant::model::batch::Coverage;
use sextant::model::dirty::Stream;
use sextant::model::fact::Reach;
use sextant::model::name::RepositoryId;
use sextant::model::settings::RepositoryPatterns;
use sextant::model::time::{Span, Timestamp};
use sextant::store::FactStore;

use crate::github_stand::{Stand, change, name, now, small_world};

fn at(minutes: i64) -> Timestamp {
    now().plus(Span::from_minutes(minutes))
}

#[tokio::test]
async fn a_repository_is_the_same_under_every_name_and_left_out_under_some() {
    let (world, keys) = small_world(2);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    let patterns = || RepositoryPatterns::parse(["acme/*", "!acme/secret-*"]).unwrap();
    stand.restart_with(|config| config.repositories = patterns());
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    for (minute, renamed, read) in [
        (10, "acme/new", true),
        (20, "acme/secret-1", false),
        (90, "acme/old", true),
        (100, "beta/old", false),
    ] {
        let before = stand.facts(number).await.changes.len();
        stand.world.tell(|world| {
            world.rename(keys[0], renamed, at(minute));
            change(world, keys[0], renamed, at(minute));
        });
        stand.poll().await.unwrap();
        stand.poll().await.unwrap();
        let facts = stand.facts(number).await;
        assert_eq!(facts.repository.name.as_str(), renamed);
        assert_eq!(facts.repository.reach, Reach::Ok, "{renamed}");
        assert_eq!(facts.changes.len() > before, read, "{renamed}: what was known stays known");
    }
}

#[tokio::test]
async fn an_archived_repository_is_read_no_more_and_keeps_its_history() {
    let (world, keys) = small_world(2);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    stand.world.tell(|world| world.archive(keys[0], at(1)));
    stand.cost().await;
    stand.world.tell(|world| change(world, keys[1], "elsewhere", at(2)));
    stand.cost().await;
    let facts = stand.facts(number).await;
    assert_eq!((facts.changes.len(), facts.attempts.len()), (1, 1));
    assert_eq!(facts.repository.reach, Reach::Ok);
}

#[tokio::test]
async fn a_repository_may_be_emptied_and_filled_again() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    let kept = stand.facts(number).await.commits.len();
    stand.world.tell(|world| {
        world.advance(at(1));
        world.at_mut(keys[0]).branches.clear();
    });
    stand.cost().await;
    let facts = stand.facts(number).await;
    assert_eq!((facts.repository.reach, facts.repository.head), (Reach::Empty, None));
    assert_eq!(facts.commits.len(), kept, "what was there was there");

    let begin = stand.world.tell(|world| world.push(keys[0], "ann", "again", at(2), at(2)));
    stand.cost().await;
    let facts = stand.facts(number).await;
    assert_eq!((facts.repository.reach, facts.repository.head), (Reach::Ok, Some(begin)));
    assert!(facts.commits.iter().any(|commit| commit.id == begin));
}

#[tokio::test]
async fn a_renamed_default_branch_keeps_its_changes() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    stand.world.tell(|world| {
        world.advance(at(1));
        let repository = world.at_mut(keys[0]);
        let head = repository.branches.remove("main").unwrap();
        repository.branches.insert("trunk".to_owned(), head);
        "trunk".clone_into(&mut repository.default_branch);
    });
    stand.cost().await;
    stand.world.tell(|world| {
        let proposal = Proposal::new("news", "ann").base("trunk").commit(at(3), "news");
        let pull = world.open_pull(keys[0], proposal, at(3));
        world.merge(pull, Method::Squash, at(4));
    });
    stand.cost().await;
    stand.holds_the_truth().await;
    let facts = stand.facts(number).await;
    assert_eq!(facts.repository.default_branch.as_deref(), Some("trunk"));
    let bases: Vec<&str> = facts.changes.iter().map(|seen| seen.fact.base.as_ref()).collect();
    assert_eq!(bases, ["trunk", "trunk"], "the old one is a change of the default branch as before");
}

#[tokio::test]
async fn another_default_branch_is_read_as_a_line_of_its_own() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    let pushed = stand.world.tell(|world| {
        let head = world.head(keys[0]).unwrap();
        world.force_push(keys[0], "develop", head, at(1));
        "develop".clone_into(&mut world.at_mut(keys[0]).default_branch);
        world.push(keys[0], "ann", "straight to develop", at(2), at(2))
    });
    stand.cost().await;
    let facts = stand.facts(number).await;
    assert_eq!(facts.repository.default_branch.as_deref(), Some("develop"));
    assert_eq!(facts.repository.head, Some(pushed));
    let commit = facts.commits.iter().find(|commit| commit.id == pushed).unwrap();
    assert_eq!(commit.pull_request, None, "a direct push");
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn quiet_repositories_cost_little_and_are_seen_when_they_move() {
    let begin = now().minus(Span::from_days(60));
    let mut world = World::new("acme", begin);
    let keys: Vec<_> = (0..100)
        .map(|n| {
            let key = world.repository(&format!("acme/r{n}"), begin);
            world.push(key, "ann", "begin", begin, begin.plus(Span::from_minutes(1)));
            change(&mut world, key, "old", begin.plus(Span::from_hours(1)));
            key
        })
        .collect();
    for key in &keys[..5] {
        change(&mut world, *key, "new", now().minus(Span::from_days(3)));
    }
    world.advance(now());
    let mut stand = Stand::new(world, Span::from_days(90)).await;
    stand.cost().await;
    let mut points = 0;
    for _ in 0..15 {
        stand.minutes(1);
        points += stand.cost().await.1;
    }
    assert!(
        points <= 20,
        "{points} points in a quarter of an hour, of the 60 that looking at all would cost"
    );

    stand.world.tell(|world| {
        let now = world.now;
        change(world, keys[50], "woken", now);
    });
    for _ in 0..16 {
        stand.minutes(1);
        stand.cost().await;
    }
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_webhook_makes_us_read_what_it_names_and_no_more() {
    let (mut world, keys) = small_world(40);
    let head = world.head(keys[0]).unwrap();
    let older = world.deploy(keys[0], head, "production", now());
    world.deploy(keys[0], head, "staging", now().plus(Span::from_seconds(1)));
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    stand.world.tell(|world| {
        world.status(older, State::Success, at(1));
        change(world, keys[1], "elsewhere", at(1));
    });
    let (requests, points) = stand.told(Some(number), Stream::Deployments).await;
    assert!(requests <= 3 && points <= 3, "{requests} requests, {points} points");
    assert!(
        stand
            .facts(number)
            .await
            .attempts
            .iter()
            .any(|seen| { seen.fact.created_at == now() && seen.fact.finished.is_some() })
    );
    let elsewhere = stand.world.lock().at(keys[1]).database_id;
    assert_eq!(stand.facts(elsewhere).await.changes.len(), 1, "that is for the next poll");
    stand.cost().await;
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_webhook_about_a_new_repository_makes_it_known_at_once() {
    let (world, _) = small_world(2);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.tell(|world| {
        let key = world.repository("acme/new", at(5));
        world.push(key, "ann", "begin", at(5), at(5));
        change(world, key, "first", at(6));
        world.at(key).database_id
    });
    stand.told(Some(number), Stream::Repository).await;
    assert_eq!(stand.facts(number).await.repository.name.as_str(), "acme/new");
    assert_eq!(stand.told(Some(1), Stream::Repository).await.0, 0, "at most once a minute");
    stand.cost().await;
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn one_item_that_is_too_heavy_is_left_out_and_named() {
    let (mut world, keys) = small_world(2);
    for n in 0..5 {
        change(&mut world, keys[0], "more", now().minus(Span::from_hours(40 - n)));
    }
    let number = world.at(keys[0]).database_id;
    let heaviest = world.at(keys[0]).pulls.last().unwrap().number;
    let id = |world: &World, key| world.at(key).database_id;
    let other = id(&world, keys[1]);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    let first_page = Which::Mentions(r#""pulls":true,"pullsAfter":null"#.to_owned());
    stand.servers.github.faults.always(first_page, Fault::Html);
    let polled = stand.poll().await.unwrap();
    let told: Vec<&str> = polled.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(
        told.iter()
            .any(|what| what.starts_with("acme/r0: ") && what.contains(&format!("pull request {heaviest}"))),
        "{told:?}"
    );
    let facts = stand.facts(number).await;
    let numbers: BTreeSet<u64> = facts.changes.iter().map(|seen| seen.fact.number).collect();
    assert_eq!((numbers.len(), numbers.contains(&heaviest)), (5, false), "all but one");
    assert_eq!(
        (facts.attempts.len(), stand.facts(other).await.attempts.len()),
        (6, 1),
        "nothing else suffers"
    );
}

#[tokio::test]
async fn what_is_said_to_be_known_is_known_at_every_moment_of_a_first_read() {
    let mut stand = Stand::new(generate(5, now()), Span::from_days(180)).await;
    let (mut batches, mut partly) = (20, 0);
    loop {
        let done = stand.poll_with(batches).await.is_ok();
        let inventory = stand.store.inventory().await.unwrap();
        let world = stand.world.lock().clone();
        for repository in &world.repositories {
            let id = RepositoryId { source: name(), number: repository.database_id };
            let Some(since) = inventory.covered.get(&Coverage::Repository(id)) else {
                continue;
            };
            partly += usize::from(*since > now().minus(Span::from_days(180)));
            let known = stand.facts(repository.database_id).await;
            let known: BTreeSet<u64> = known.changes.iter().map(|seen| seen.fact.number).collect();
            for pull in &repository.pulls {
                if pull.landing.as_ref().is_some_and(|landing| landing.at >= *since) {
                    assert!(
                        known.contains(&pull.number),
                        "{} {} since {since}",
                        repository.name,
                        pull.number
                    );
                }
            }
        }
        if done {
            break;
        }
        stand.restart();
        batches += 40;
    }
    assert!(partly > 10, "something is known long before everything is: {partly}");
    stand.holds_the_truth().await;
}
