//! Every awkward case is in the example organisation: rows of what must be there at least once.

use std::collections::BTreeSet;

use sextant::demo::generate::{REPOSITORY_COUNT, generate};
use sextant::demo::world::World;
use sextant::demo::world::account::Account;
use sextant::demo::world::deployment::{Deployment, State};
use sextant::demo::world::incident::{Incident, IncidentState, Urgency};
use sextant::demo::world::issue::{Issue, StateReason};
use sextant::demo::world::pull::{Landing, Method, PullRequest};
use sextant::demo::world::repository::Repository;

use super::demo_stage::now;

const SEED: u64 = 42;

type Case<T> = (&'static str, fn(&T) -> bool);

/// The cases that none of the items is.
fn missing<T>(items: &[&T], cases: &[Case<T>]) -> Vec<&'static str> {
    let never = cases.iter().filter(|(_, is)| !items.iter().any(|item| is(item)));
    never.map(|(what, _)| *what).collect()
}

fn everything<T>(world: &World, of: fn(&Repository) -> &Vec<T>) -> Vec<&T> {
    world.repositories.iter().flat_map(of).collect()
}

fn landed_by(pull: &PullRequest, method: Method) -> bool {
    pull.landing.as_ref().is_some_and(|landing| landing.method == method)
}

fn landed(pull: &PullRequest) -> bool {
    pull.landing.is_some()
}

const PULLS: [Case<PullRequest>; 24] = [
    ("merged", |it| landed_by(it, Method::Merge)),
    ("squashed", |it| landed_by(it, Method::Squash)),
    ("rebased", |it| landed_by(it, Method::Rebase)),
    ("rebased with several commits", |it| landed_by(it, Method::Rebase) && it.commits.len() > 1),
    ("an app", |it| it.author == Account::Bot("dependabot".to_owned())),
    ("a bot that signs in as a person", |it| it.author == Account::User("renovate-acme".to_owned())),
    ("a deleted account", |it| it.author == Account::Deleted && landed(it)),
    ("not reviewed", |it| landed(it) && it.reviews.is_empty() && matches!(it.author, Account::User(_))),
    ("reviewed by an app", |it| it.reviews.iter().any(|review| matches!(review.author, Account::Bot(_)))),
    ("remarked on by its author", |it| it.reviews.iter().any(|review| review.author == it.author)),
    ("reviewed after the merge", |it| {
        let late = |landing: &Landing| it.reviews.iter().any(|review| review.at > landing.at);
        it.landing.as_ref().is_some_and(late)
    }),
    ("a draft that became ready", |it| it.events.len() > 1 && landed(it)),
    ("still a draft", |it| it.draft && it.closed_at.is_none()),
    ("open", |it| it.closed_at.is_none() && !it.draft),
    ("closed and not merged", |it| it.closed_at.is_some() && !landed(it)),
    ("from a fork", |it| it.cross_repository && landed(it)),
    ("of several commits", |it| it.commits.len() > 3),
    ("labelled", |it| it.labels.contains(&"dependencies".to_owned())),
    ("reverted by the button", |it| it.body.starts_with("Reverts acme/") && it.branch.starts_with("revert-")),
    ("reverted by commit", |it| {
        it.body.contains("This reverts commit ") && !it.branch.starts_with("revert-")
    }),
    ("reverted by branch", |it| {
        it.branch.starts_with("revert-") && it.body.is_empty() && !it.title.starts_with("Revert")
    }),
    ("reverted by title", |it| {
        it.title.starts_with("Revert \"") && it.body.is_empty() && !it.branch.starts_with("revert-")
    }),
    ("a hotfix by branch", |it| it.branch.starts_with("hotfix/") && landed(it)),
    ("a hotfix by label", |it| it.labels.contains(&"hotfix".to_owned()) && landed(it)),
];

const DEPLOYMENTS: [Case<Deployment>; 4] = [
    ("an error", |it| it.state() == Some(State::Error)),
    ("left at a failure", |it| it.state() == Some(State::Failure)),
    ("inactive", |it| it.state() == Some(State::Inactive)),
    ("in place", |it| it.state() == Some(State::Success)),
];

/// An earlier deployment of a repository, and a later one.
type Pair = (Deployment, Deployment);

const PAIRS: [Case<Pair>; 4] = [
    ("failed and tried again", |(a, b)| same(a, b) && !succeeded(a) && succeeded(b)),
    ("the same again", |(a, b)| same(a, b) && succeeded(a) && succeeded(b)),
    ("three regions", |(a, b)| {
        a.commit == b.commit && a.environment == "production-eu" && b.environment == "production-ap"
    }),
    ("staging first", |(a, b)| a.commit == b.commit && a.environment == "staging" && b.environment == "prod"),
];

const INCIDENTS: [Case<Incident>; 7] = [
    ("merged", |it| it.merged_into.is_some()),
    ("reopened and resolved again", |it| it.reopened > 0 && it.resolved_at.is_some()),
    ("of low urgency", |it| it.urgency == Urgency::Low),
    ("a drill", |it| it.title.starts_with("Drill")),
    ("a pull request in the title", |it| it.title.contains("/pull/")),
    ("a deployment in the title", |it| it.title.contains("/deployments/")),
    ("without priority", |it| it.priority.is_none()),
];

const ISSUES: [Case<Issue>; 5] = [
    ("an incident", |it| is_incident(it) && it.state_reason == Some(StateReason::Completed)),
    ("not planned", |it| is_incident(it) && it.state_reason == Some(StateReason::NotPlanned)),
    ("a duplicate", |it| is_incident(it) && it.state_reason == Some(StateReason::Duplicate)),
    ("no incident", |it| !is_incident(it)),
    ("open", |it| it.closed_at.is_none()),
];

fn same(a: &Deployment, b: &Deployment) -> bool {
    a.commit == b.commit && a.environment == b.environment
}

fn succeeded(deployment: &Deployment) -> bool {
    deployment.statuses.iter().any(|status| status.state == State::Success)
}

fn is_incident(issue: &Issue) -> bool {
    issue.labels.contains(&"incident".to_owned())
}

#[test]
fn every_awkward_change_is_in_it() {
    let world = generate(SEED, now());
    assert_eq!(missing(&everything(&world, |it| &it.pulls), &PULLS), Vec::<&str>::new());
    let commits = everything(&world, |it| &it.commits);
    let direct = commits.iter().filter(|commit| commit.pulls.is_empty()).count();
    assert!(direct > 2 * REPOSITORY_COUNT, "{direct} direct pushes");
}

#[test]
fn every_awkward_deployment_is_in_it() {
    let world = generate(SEED, now());
    assert_eq!(missing(&everything(&world, |it| &it.deployments), &DEPLOYMENTS), Vec::<&str>::new());
    let pairs: Vec<Pair> = world
        .repositories
        .iter()
        .flat_map(|it| it.deployments.windows(9))
        .flat_map(|few| few[1..].iter().map(|later| (few[0].clone(), later.clone())))
        .collect();
    assert_eq!(missing(&pairs.iter().collect::<Vec<_>>(), &PAIRS), Vec::<&str>::new());
    let went_back = world.repositories.iter().any(|repository| {
        let production = repository.deployments.iter();
        let production = production.filter(|it| it.environment != "staging" && succeeded(it));
        let places: Vec<_> = production.filter_map(|it| repository.place(it.commit)).collect();
        places.windows(2).any(|pair| pair[1] < pair[0])
    });
    assert!(went_back, "nothing was rolled back");
}

#[test]
fn every_awkward_repository_is_in_it() {
    let world = generate(SEED, now());
    let named = |name: &str| world.at(world.find(name).unwrap());
    let archived = named("acme/legacy-billing");
    assert!(archived.archived_at.is_some() && !archived.deployments.is_empty());
    assert!(named("acme/openapi-spec").fork);
    assert!(named("acme/new-idea").head().is_none());
    let undeployed = named("acme/handbook");
    assert!(undeployed.deployments.is_empty() && !undeployed.pulls.is_empty());
    let teams = &world.organizations[0].teams;
    let owned: BTreeSet<_> = teams.iter().flat_map(|team| &team.repositories).map(|held| held.0).collect();
    let unowned = world.find("acme/sandbox-tools").unwrap();
    assert!(!owned.contains(&unowned) && !world.at(unowned).deployments.is_empty());
}

#[test]
fn every_awkward_incident_is_in_it() {
    let world = generate(SEED, now());
    let incidents = &world.pagerduty.incidents;
    assert_eq!(missing(&incidents.iter().collect::<Vec<_>>(), &INCIDENTS), Vec::<&str>::new());
    assert_eq!(missing(&everything(&world, |it| &it.issues), &ISSUES), Vec::<&str>::new());
    let digits = |it: &str| it.chars().take(10).collect::<String>();
    let commits = everything(&world, |it| &it.commits);
    let shas: BTreeSet<String> = commits.iter().map(|it| digits(&it.id.to_string())).collect();
    let last_word = |it: &Incident| it.title.rsplit(' ').next().unwrap().to_owned();
    assert!(incidents.iter().any(|it| shas.contains(&last_word(it))), "no title names a commit");
    let of_nobody = |it: &Incident| world.pagerduty.service(it.service).unwrap().team.is_none();
    assert!(incidents.iter().any(of_nobody), "no incident of nobody's service");
    let open = incidents.iter().filter(|it| it.state != IncidentState::Resolved).count();
    assert!(open * 20 < incidents.len(), "{open} of {} open", incidents.len());
}
