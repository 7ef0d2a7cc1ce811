//! The GitHub source against the simulated GitHub over HTTP: what is stored is what is true there, in few requests,
//! whatever goes wrong on the way.

use sextant::demo::faults::{Fault, Which};
use sextant::demo::generate::generate;
use sextant::demo::world::deployment::State;
use sextant::demo::world::issue::StateReason;
use sextant::demo::world::pull::{Method, Proposal, Verdict};
use sextant::demo::world::repository::RepositoryKey;
use sextant::http::Reason;
use sextant::model::batch::{Contact, Coverage};
use sextant::model::fact::{Exclusion, Reach};
use sextant::model::name::RepositoryName;
use sextant::model::time::{Span, Timestamp};
use sextant::source::{Backfill, PollError};
use sextant::store::FactStore;

use crate::github_stand::{Stand, change, name, now, small_world};

/// So many minutes after the first poll.
fn at(minutes: i64) -> Timestamp {
    now().plus(Span::from_minutes(minutes))
}

#[tokio::test]
async fn a_month_of_forty_repositories_takes_few_requests_and_so_do_the_polls_after_it() {
    let mut stand = Stand::new(generate(7, now()), Span::from_days(31)).await;
    let (requests, _) = stand.cost().await;
    stand.holds_the_truth().await;
    assert!(
        requests <= 45,
        "{requests} requests, of the 126 that it may take: pages are small, so that each is light"
    );

    let (requests, _) = stand.cost().await;
    assert!(requests <= 4, "{requests} requests");

    let keys: Vec<RepositoryKey> = stand.world.lock().keys().collect();
    let busy: Vec<RepositoryKey> =
        keys.into_iter().filter(|key| !stand.world.lock().at(*key).deployments.is_empty()).take(8).collect();
    for (n, key) in busy.iter().enumerate() {
        let at = now().plus(Span::from_minutes(i64::try_from(n).unwrap()));
        stand.world.tell(|world| change(world, *key, "news", at));
    }
    let (requests, _) = stand.cost().await;
    assert!(requests <= 12, "{requests} requests");
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn half_a_year_is_read_whole() {
    let mut stand = Stand::new(generate(3, now()), Span::from_days(180)).await;
    let (requests, _) = stand.cost().await;
    assert!(requests <= 200, "{requests} requests");
    stand.holds_the_truth().await;
    let inventory = stand.store.inventory().await.unwrap();
    assert!(inventory.covered.contains_key(&Coverage::Incidents(name())));
    assert!(!inventory.teams[&name()].is_empty());
}

#[tokio::test]
async fn a_first_read_that_is_cut_off_again_and_again_ends_in_the_same_facts() {
    let mut stand = Stand::new(generate(5, now()), Span::from_days(31)).await;
    let mut batches = 1;
    while stand.poll_with(batches).await.is_err() {
        stand.restart();
        batches += 7;
    }
    stand.holds_the_truth().await;
    stand.restart();
    assert_eq!(stand.poll().await.unwrap().backfill, Backfill::Complete);
}

#[tokio::test]
async fn one_change_with_its_deployment_costs_little_beyond_the_probe() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let (probe, probe_points) = stand.cost().await;
    let at = now().plus(Span::from_minutes(1));
    let landing = stand.world.tell(|world| {
        let pull = world.open_pull(keys[0], Proposal::new("news", "ann").commit(at, "news"), at);
        world.merge(pull, Method::Squash, at)
    });
    let deployment = stand.world.tell(|world| world.deploy(keys[0], landing, "production", at));
    let first = stand.cost().await;
    stand.world.tell(|world| world.status(deployment, State::Success, at.plus(Span::from_minutes(1))));
    let second = stand.cost().await;
    let requests = first.0 + second.0 - 2 * probe;
    let points = first.1 + second.1 - 2 * probe_points;
    assert!(requests <= 6 && points <= 4, "{requests} requests, {points} points");
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_repository_that_is_gone_spoils_nothing_and_keeps_its_history() {
    let (world, keys) = small_world(3);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let at = now().plus(Span::from_minutes(1));
    let gone = stand.world.lock().at(keys[1]).database_id;
    stand.world.tell(|world| {
        world.delete_repository(keys[1], at);
        change(world, keys[2], "news", at);
    });
    stand.poll().await.unwrap();
    assert_eq!(stand.facts(gone).await.repository.reach, Reach::Ok, "once may be a hiccup");
    stand.poll().await.unwrap();
    let facts = stand.facts(gone).await;
    assert_eq!((facts.repository.reach, facts.changes.len()), (Reach::Inaccessible, 1));
    stand.holds_the_truth().await;

    stand.world.tell(|world| world.restore_repository(keys[1], at.plus(Span::from_hours(2))));
    stand.poll().await.unwrap();
    assert_eq!(stand.facts(gone).await.repository.reach, Reach::Ok);
}

#[tokio::test]
async fn a_rename_a_force_push_and_a_release_branch_are_followed() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    let before = stand.world.lock().head(keys[0]).unwrap();
    stand.world.tell(|world| {
        world.rename(keys[0], "acme/renamed", at(1));
        for n in 0..150 {
            world.push(keys[0], "ann", "more", at(2), at(2 + n));
        }
    });
    stand.cost().await;
    stand.holds_the_truth().await;
    assert_eq!(stand.facts(number).await.repository.name.as_str(), "acme/renamed");

    stand.world.tell(|world| {
        let lost = world.head(keys[0]).unwrap();
        world.force_push(keys[0], "main", before, at(200));
        world.push(keys[0], "ann", "anew", at(201), at(201));
        let deployment = world.deploy(keys[0], lost, "production", at(202));
        world.status(deployment, State::Success, at(203));
    });
    stand.cost().await;
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn what_goes_wrong_in_one_answer_is_mended_by_the_next() {
    let pages = || Which::Operation("RepositoryPages".to_owned());
    for fault in [
        Fault::ResourceLimits,
        Fault::Truncated,
        Fault::Html,
        Fault::ExtraFields,
        Fault::Word("SUCCESS", "BRAND_NEW"),
        Fault::NullItem("nodes", 1),
        Fault::status(502, "Bad gateway"),
    ] {
        let (world, _) = small_world(6);
        let mut stand = Stand::new(world, Span::from_days(31)).await;
        stand.servers.github.faults.next(1, pages(), fault.clone());
        let polled = stand.poll().await;
        assert!(polled.is_ok(), "{fault:?}: {polled:?}");
        // A stream is read again when something in it changes; a repository at whose turn something failed at once.
        let keys: Vec<_> = stand.world.lock().keys().collect();
        for key in keys {
            let at = now().plus(Span::from_hours(1));
            stand.world.tell(|world| change(world, key, "news", at));
        }
        stand.poll().await.unwrap();
        stand.poll().await.unwrap();
        if !matches!(fault, Fault::NullItem(..) | Fault::Word(..)) {
            stand.holds_the_truth().await;
        }
    }
}

#[tokio::test]
async fn endless_pages_end_and_are_told_of() {
    let (world, _) = small_world(2);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.servers.github.faults.always(Which::Operation("RepositoryPages".to_owned()), Fault::EndlessPages);
    let polled = stand.poll().await.unwrap();
    assert_eq!(polled.backfill, Backfill::Running);
    assert!(polled.problems.iter().all(|problem| problem.reason == Reason::Malformed));
    assert!(!polled.problems.is_empty());
    stand.servers.github.faults.clear();
    stand.poll().await.unwrap();
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_used_up_limit_ends_the_poll_and_the_next_one_goes_on() {
    let (world, _) = small_world(2);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.servers.github.faults.next(1, Which::Operation("RepositoryPages".to_owned()), Fault::RateLimited);
    match stand.poll().await.unwrap_err() {
        PollError::Source(failure) => assert_eq!(failure.reason, Reason::RateLimited),
        PollError::NotStored => panic!("it was stored"),
    }
    stand.world.tell(|world| world.advance(now().plus(Span::from_hours(2))));
    stand.poll().await.unwrap();
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_release_branch_comes_with_its_deployments() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    let landings = stand.world.tell(|world| {
        let head = world.head(keys[0]).unwrap();
        world.force_push(keys[0], "release", head, at(1));
        let mut merge = |title, minutes| {
            let proposal = Proposal::new(title, "ann").base("release").commit(at(minutes), title);
            let pull = world.open_pull(keys[0], proposal, at(minutes));
            world.merge(pull, Method::Squash, at(minutes + 1))
        };
        let landings = [merge("one", 2), merge("two", 4)];
        let deployment = world.deploy(keys[0], landings[1], "production", at(6));
        world.status(deployment, State::Success, at(7));
        landings
    });
    stand.cost().await;
    let facts = stand.facts(number).await;
    for landing in landings {
        assert!(facts.commits.iter().any(|commit| commit.id == landing));
    }
    assert_eq!(stand.cost().await, (1, 1), "and then nothing is missing");
}

#[tokio::test]
async fn long_lists_below_a_page_are_read_to_their_end() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    stand.world.tell(|world| {
        let commits = (0..140).map(|n| (at(n), format!("commit {n}")));
        let proposal = commits
            .fold(Proposal::new("long", "ann"), |proposal, (at, message)| proposal.commit(at, &message));
        let pull = world.open_pull(keys[0], proposal, at(200));
        for n in 0..130 {
            world.review(pull, "check[bot]", Verdict::Commented, at(201 + n));
        }
        world.review(pull, "bob", Verdict::Approved, at(400));
        let landing = world.merge(pull, Method::Merge, at(500));
        let deployment = world.deploy(keys[0], landing, "production", at(501));
        for n in 0..120 {
            world.status(deployment, State::InProgress, at(502 + n));
        }
        world.status(deployment, State::Success, at(700));
    });
    stand.cost().await;
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn a_longer_history_is_read_when_it_is_asked_for() {
    let mut stand = Stand::new(generate(11, now()), Span::from_days(10)).await;
    stand.cost().await;
    stand.holds_the_truth().await;
    stand.history = Span::from_days(40);
    stand.restart();
    assert_eq!(stand.poll().await.unwrap().backfill, Backfill::Complete);
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn an_issue_is_an_incident_while_it_has_the_label() {
    let (world, keys) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    let old = stand.world.tell(|world| world.open_issue(keys[0], "old", &["Incident"], now()));
    stand.cost().await;
    let new = stand.world.tell(|world| {
        world.close_issue(old, StateReason::NotPlanned, at(1));
        world.open_issue(keys[0], "a chore", &["chore"], at(1));
        world.open_issue(keys[0], "new", &["incident", "bug"], at(2))
    });
    stand.cost().await;
    let incidents = stand.store.incidents().await.unwrap();
    let seen: Vec<_> = incidents
        .iter()
        .map(|stored| (stored.incident.title.as_str(), stored.appeared, stored.incident.excluded))
        .collect();
    assert_eq!(seen, [("old", Contact::First, Some(Exclusion::NotPlanned)), ("new", Contact::Live, None)]);

    stand.world.tell(|world| world.edit_issue(new, at(30), |issue| issue.labels.clear()));
    stand.cost().await;
    let incidents = stand.store.incidents().await.unwrap();
    assert_eq!(incidents[1].incident.excluded, Some(Exclusion::Filtered));
}

#[tokio::test]
async fn a_deployment_that_ends_late_is_news_though_it_was_known_before() {
    let (mut world, keys) = small_world(1);
    let head = world.head(keys[0]).unwrap();
    let deployment = world.deploy(keys[0], head, "production", now());
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.cost().await;
    stand.world.tell(|world| {
        let newer = world.deploy(keys[0], head, "staging", at(1));
        world.status(newer, State::Failure, at(2));
        world.status(deployment, State::Failure, at(3));
    });
    stand.cost().await;
    stand.holds_the_truth().await;
    stand.world.tell(|world| world.status(deployment, State::Success, at(60)));
    stand.cost().await;
    stand.holds_the_truth().await;
    let number = stand.world.lock().at(keys[0]).database_id;
    let facts = stand.facts(number).await;
    let late = facts.attempts.iter().find(|attempt| attempt.fact.created_at == now()).unwrap();
    assert_eq!(late.contact, Contact::Live);
}

#[tokio::test]
async fn a_wrong_token_is_told_of_at_once() {
    let (world, _) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.servers.github.faults.always(Which::Any, Fault::status(401, "Bad credentials"));
    match stand.poll().await.unwrap_err() {
        PollError::Source(failure) => assert_eq!(failure.reason, Reason::Auth),
        PollError::NotStored => panic!("it was stored"),
    }
    assert_eq!(stand.servers.github.tally.requests(), 1, "and not tried again");
}

#[tokio::test]
async fn repositories_can_be_named_one_by_one_and_one_that_is_not_there_is_a_problem() {
    let (world, _) = small_world(12);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.restart_with(|config| {
        config.organizations = Vec::new();
        let names = (0..12).map(|n| RepositoryName::from(format!("acme/r{n}").as_str()));
        config.exact_repositories = names.chain([RepositoryName::from("acme/none")]).collect();
    });
    let polled = stand.poll().await.unwrap();
    let reasons: Vec<_> = polled.problems.iter().map(|problem| problem.reason).collect();
    assert_eq!(reasons, [Reason::NotFound], "{:?}", polled.problems);
    assert_eq!(stand.servers.github.tally.by_operation()["RepositoriesByName"], 2);
    stand.holds_the_truth().await;
}

#[tokio::test]
async fn an_organization_that_is_not_there_is_told_of() {
    let (world, _) = small_world(1);
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.restart_with(|config| config.organizations = vec!["nobody".to_owned()]);
    match stand.poll().await.unwrap_err() {
        PollError::Source(failure) => assert_eq!(failure.reason, Reason::NotFound),
        PollError::NotStored => panic!("it was stored"),
    }
}
