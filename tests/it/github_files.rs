//! The files that changes touch: read where components have paths, whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use sextant::demo::world::pull::{Method, Proposal};
use sextant::demo::world::repository::RepositoryKey;
use sextant::model::name::{ComponentName, RepositoryName};
use sextant::model::settings::{ComponentRule, OwnershipRules, PathPatterns};
use sextant::model::time::Span;
use sextant::source::Backfill;

use crate::github_releases::{ago, later, poll_at};
use crate::github_stand::{Stand, small_world};

fn parts_of(repository: &str) -> Arc<OwnershipRules> {
    let component = ComponentRule {
        name: ComponentName::from("api"),
        repository: RepositoryName::from(repository),
        paths: Some(PathPatterns::parse(["api/**"]).unwrap()),
        deployed_by: None,
        team: None,
        pagerduty_services: Vec::new(),
    };
    Arc::new(OwnershipRules { components: vec![component], ..OwnershipRules::default() })
}

/// The number of files of each pull request, and of each direct push by its message's place.
async fn known(stand: &Stand, key: RepositoryKey) -> (BTreeMap<u64, Option<usize>>, Vec<Option<usize>>) {
    let number = stand.world.lock().at(key).database_id;
    let facts = stand.facts(number).await;
    let count = |paths: &Option<Vec<String>>| paths.as_ref().map(Vec::len);
    let changes = facts.changes.iter().map(|seen| (seen.fact.number, count(&seen.fact.paths))).collect();
    let mut pushes: Vec<_> = facts.commits.iter().filter(|commit| commit.pull_request.is_none()).collect();
    pushes.sort_by_key(|commit| commit.committed_at);
    (changes, pushes.into_iter().map(|commit| count(&commit.paths)).collect())
}

async fn stand() -> (Stand, RepositoryKey) {
    let (mut world, keys) = small_world(2);
    let files = |count: usize| (0..count).map(|n| format!("api/{n:04}.rs")).collect::<Vec<_>>();
    for (n, count) in [(1, 250), (2, 450)] {
        let files = files(count);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let proposal = Proposal::new("many", "ann").paths(&files).commit(ago(50), "many");
        let pull = world.open_pull(keys[0], proposal, ago(50));
        world.merge(pull, Method::Squash, ago(50 - n));
        let push = world.push(keys[0], "ann", "push", ago(40 - n), ago(40 - n));
        world.touch(keys[0], push, &files);
    }
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.restart_with(|config| config.ownership = parts_of("acme/r0"));
    (stand, keys[0])
}

#[tokio::test]
async fn the_files_of_changes_are_read_page_by_page_and_only_where_they_are_wanted() {
    let (mut stand, shop) = stand().await;
    poll_at(&mut stand, ago(0)).await;
    let (changes, pushes) = known(&stand, shop).await;
    assert_eq!((changes[&2], changes[&3]), (Some(250), Some(450)));
    assert!(changes[&1].is_some());
    assert_eq!(pushes[1..], [Some(250), Some(450)]);
    stand.holds_the_truth().await;
    let other = stand.world.lock().find("acme/r1").unwrap();
    let (changes, pushes) = known(&stand, other).await;
    assert_eq!((changes[&1], pushes.as_slice()), (None, [None].as_slice()));
}

#[tokio::test]
async fn more_files_than_github_lists_are_told_and_not_cut() {
    let (mut stand, shop) = stand().await;
    poll_at(&mut stand, ago(0)).await;
    let files: Vec<String> = (0..3_100).map(|n| format!("api/{n:04}.rs")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    stand.world.tell(|world| {
        let proposal = Proposal::new("all", "ann").paths(&files).commit(later(1), "all");
        let pull = world.open_pull(shop, proposal, later(1));
        world.merge(pull, Method::Squash, later(2));
        let push = world.push(shop, "ann", "push", later(3), later(3));
        world.touch(shop, push, &files);
    });
    let problems = stand.poll().await.unwrap().problems;
    let told: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("acme/r0: pull request 4 touches more files"), "{told:?}");
    assert!(told[1].starts_with("acme/r0: commit "), "{told:?}");
    let (changes, pushes) = known(&stand, shop).await;
    assert_eq!((changes[&4], pushes[3]), (None, None));
}

#[tokio::test]
async fn what_was_read_without_its_files_is_read_again_when_they_are_wanted() {
    let (mut stand, shop) = stand().await;
    stand.restart();
    poll_at(&mut stand, ago(0)).await;
    assert_eq!(known(&stand, shop).await.0[&2], None);
    stand.restart_with(|config| config.ownership = parts_of("acme/r0"));
    let polled = stand.poll().await.unwrap();
    assert_eq!((polled.backfill, polled.problems), (Backfill::Complete, Vec::new()));
    let (changes, pushes) = known(&stand, shop).await;
    assert_eq!((changes[&2], changes[&3]), (Some(250), Some(450)));
    assert_eq!(pushes[1..], [Some(250), Some(450)]);
}
