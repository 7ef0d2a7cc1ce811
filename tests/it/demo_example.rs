//! The example organisation: repeatable, of the promised size, and with every awkward case in it.

use std::collections::BTreeSet;
use std::path::Path;

use sextant::demo::config::{Paths, config_toml};
use sextant::demo::generate::{DAYS, REPOSITORY_COUNT, TEAM_COUNT, generate};
use sextant::demo::live::Live;
use sextant::demo::world::World;
use sextant::demo::world::account::Account;
use sextant::demo::world::deployment::{Deployment, State};
use sextant::demo::world::incident::{IncidentState, Urgency};
use sextant::demo::world::issue::StateReason;
use sextant::demo::world::pull::{Method, PullRequest};
use sextant::demo::world::repository::Repository;
use sextant::model::time::Span;

use super::demo_stage::now;

const SEED: u64 = 42;

fn pulls(world: &World) -> impl Iterator<Item = (&Repository, &PullRequest)> {
    world
        .repositories
        .iter()
        .flat_map(|repository| repository.pulls.iter().map(move |pull| (repository, pull)))
}

fn merged_since(world: &World, days: i64) -> usize {
    let begin = now().minus(Span::from_days(days));
    let landings = pulls(world).filter_map(|(_, pull)| pull.landing.as_ref());
    landings.filter(|landing| landing.at >= begin).count()
}

#[test]
fn the_same_seed_and_instant_make_the_same_world() {
    assert_eq!(generate(SEED, now()), generate(SEED, now()));
    assert_ne!(
        generate(SEED, now()).repositories,
        generate(SEED + 1, now()).repositories
    );
}

#[test]
fn it_has_the_promised_size() {
    for seed in [1, SEED, 4_711, 5, 6, 7, 8] {
        let world = generate(seed, now());
        assert_eq!(world.repositories.len(), REPOSITORY_COUNT);
        assert_eq!(world.organizations[0].teams.len(), TEAM_COUNT);
        let month = merged_since(&world, 31);
        eprintln!("{seed} {month} {}", merged_since(&world, DAYS));
        assert!(
            (60..=8600).contains(&month),
            "seed {seed}: {month} merged in 31 days"
        );
        let all = merged_since(&world, DAYS);
        assert!(
            (4_300..=5_100).contains(&all),
            "seed {seed}: {all} merged in {DAYS} days"
        );
    }
}

#[test]
fn nothing_is_told_that_has_not_happened_yet() {
    let world = generate(SEED, now());
    for (_, pull) in pulls(&world) {
        assert!(pull.updated_at <= now() && pull.created_at <= pull.updated_at);
    }
    for repository in &world.repositories {
        assert!(repository.pushed_at <= Some(now()));
        for deployment in &repository.deployments {
            assert!(deployment.updated_at <= now());
            assert!(repository.place(deployment.commit).is_some());
        }
        for commit in &repository.commits {
            assert!(commit.committed_at <= now());
        }
    }
    assert!(
        world
            .pagerduty
            .incidents
            .iter()
            .all(|incident| incident.updated_at <= now())
    );
}

#[test]
fn no_commit_is_older_than_its_parents_on_the_default_branch() {
    let world = generate(SEED, now());
    for repository in &world.repositories {
        let Some(head) = repository.head().and_then(|head| repository.place(head.id)) else {
            continue;
        };
        let line = std::iter::successors(Some(head), |place| {
            repository.commits[*place].parents.first().copied()
        });
        let dates: Vec<_> = line.map(|place| repository.commits[place].committed_at).collect();
        assert!(
            dates.is_sorted_by(|later, earlier| later >= earlier),
            "{}",
            repository.name
        );
    }
}

fn count(what: &str, found: usize, missing: &mut Vec<String>) {
    if found == 0 {
        missing.push(what.to_owned());
    }
}

#[test]
fn every_awkward_change_is_in_it() {
    let world = generate(SEED, now());
    let mut missing = Vec::new();
    let mut pull = |what: &str, is: &dyn Fn(&PullRequest) -> bool| {
        count(
            what,
            pulls(&world).filter(|(_, pull)| is(pull)).count(),
            &mut missing,
        );
    };
    let landed = |pull: &PullRequest| pull.landing.is_some();
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        pull(&format!("{method:?}"), &|it| {
            it.landing
                .as_ref()
                .is_some_and(|landing| landing.method == method)
        });
    }
    pull("an app", &|it| it.author == Account::Bot("dependabot".to_owned()));
    pull("a bot that signs in as a person", &|it| {
        it.author == Account::User("renovate-acme".to_owned())
    });
    pull("a deleted account", &|it| {
        it.author == Account::Deleted && landed(it)
    });
    pull("merged without review", &|it| {
        landed(it) && it.reviews.is_empty() && matches!(it.author, Account::User(_))
    });
    pull("a review by an app", &|it| {
        it.reviews
            .iter()
            .any(|review| matches!(review.author, Account::Bot(_)))
    });
    pull("a remark by the author", &|it| {
        it.reviews.iter().any(|review| review.author == it.author)
    });
    pull("a review after the merge", &|it| {
        it.landing
            .as_ref()
            .is_some_and(|landing| it.reviews.iter().any(|review| review.at > landing.at))
    });
    pull("a draft that became ready", &|it| {
        it.events.len() > 1 && landed(it)
    });
    pull("a draft still", &|it| it.draft);
    pull("open", &|it| it.closed_at.is_none());
    pull("from a fork", &|it| it.cross_repository && landed(it));
    pull("reverted by the button", &|it| {
        it.body.starts_with("Reverts acme/") && it.branch.starts_with("revert-")
    });
    pull("reverted by commit", &|it| {
        it.body.contains("This reverts commit ") && !it.branch.starts_with("revert-")
    });
    pull("reverted by branch", &|it| {
        it.branch.starts_with("revert-") && it.body.is_empty() && !it.title.starts_with("Revert")
    });
    pull("reverted by title", &|it| {
        it.title.starts_with("Revert \"") && it.body.is_empty() && !it.branch.starts_with("revert-")
    });
    pull("a hotfix by branch", &|it| {
        it.branch.starts_with("hotfix/") && landed(it)
    });
    pull("a hotfix by label", &|it| {
        it.labels.contains(&"hotfix".to_owned()) && landed(it)
    });
    let direct = world
        .repositories
        .iter()
        .flat_map(|repository| &repository.commits);
    count(
        "direct pushes",
        direct
            .filter(|commit| commit.pulls.is_empty())
            .count()
            .saturating_sub(REPOSITORY_COUNT),
        &mut missing,
    );
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_awkward_deployment_is_in_it() {
    let world = generate(SEED, now());
    let mut missing = Vec::new();
    let succeeded = |it: &Deployment| it.statuses.iter().any(|status| status.state == State::Success);
    let mut pair = |what: &str, is: &dyn Fn(&Deployment, &Deployment) -> bool| {
        let found = world.repositories.iter().flat_map(|repository| {
            let deployments = &repository.deployments;
            deployments
                .iter()
                .enumerate()
                .filter(|(place, later)| deployments[..*place].iter().any(|earlier| is(earlier, later)))
        });
        count(what, found.count(), &mut missing);
    };
    pair("failed and tried again", &|a, b| {
        a.commit == b.commit && a.environment == b.environment && !succeeded(a) && succeeded(b)
    });
    pair("the same again", &|a, b| {
        a.commit == b.commit && a.environment == b.environment && succeeded(a) && succeeded(b)
    });
    pair("three regions", &|a, b| {
        a.commit == b.commit && a.environment == "production-eu" && b.environment == "production-ap"
    });
    pair("staging first", &|a, b| {
        a.commit == b.commit && a.environment == "staging" && b.environment == "prod"
    });
    let mut one = |what: &str, is: &dyn Fn(&Deployment) -> bool| {
        let found = world
            .repositories
            .iter()
            .flat_map(|it| &it.deployments)
            .filter(|it| is(it))
            .count();
        count(what, found, &mut missing);
    };
    one("an error", &|it| it.state() == Some(State::Error));
    one("inactive", &|it| it.state() == Some(State::Inactive));
    one("left at a failure", &|it| it.state() == Some(State::Failure));
    let went_back = world.repositories.iter().flat_map(|repository| {
        let production = repository
            .deployments
            .iter()
            .filter(|it| it.environment != "staging" && succeeded(it));
        let places: Vec<_> = production.filter_map(|it| repository.place(it.commit)).collect();
        places
            .windows(2)
            .filter(|pair| pair[1] < pair[0])
            .map(<[usize]>::len)
            .collect::<Vec<_>>()
    });
    count("rolled back", went_back.count(), &mut missing);
    let named = |name: &str| world.at(world.find(name).unwrap());
    assert!(
        named("acme/legacy-billing").archived_at.is_some()
            && !named("acme/legacy-billing").deployments.is_empty()
    );
    assert!(named("acme/openapi-spec").fork);
    assert!(named("acme/new-idea").head().is_none());
    assert!(named("acme/handbook").deployments.is_empty() && !named("acme/handbook").pulls.is_empty());
    let owned: BTreeSet<_> = world.organizations[0]
        .teams
        .iter()
        .flat_map(|team| &team.repositories)
        .map(|held| held.0)
        .collect();
    let unowned = world.find("acme/sandbox-tools").unwrap();
    assert!(!owned.contains(&unowned) && !world.at(unowned).deployments.is_empty());
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_awkward_incident_is_in_it() {
    let world = generate(SEED, now());
    let incidents = &world.pagerduty.incidents;
    let mut missing = Vec::new();
    let shas: BTreeSet<String> = world
        .repositories
        .iter()
        .flat_map(|it| &it.commits)
        .map(|it| it.id.to_string().chars().take(10).collect())
        .collect();
    let mut some = |what: &str, found: usize| count(what, found, &mut missing);
    some(
        "merged",
        incidents.iter().filter(|it| it.merged_into.is_some()).count(),
    );
    some(
        "low urgency",
        incidents.iter().filter(|it| it.urgency == Urgency::Low).count(),
    );
    some(
        "a drill",
        incidents
            .iter()
            .filter(|it| it.title.starts_with("Drill"))
            .count(),
    );
    some(
        "a commit in the title",
        incidents
            .iter()
            .filter(|it| {
                it.title
                    .split(' ')
                    .next_back()
                    .is_some_and(|word| shas.contains(word))
            })
            .count(),
    );
    some(
        "a pull request in the title",
        incidents.iter().filter(|it| it.title.contains("/pull/")).count(),
    );
    some(
        "a deployment in the title",
        incidents
            .iter()
            .filter(|it| it.title.contains("/deployments/"))
            .count(),
    );
    some(
        "nobody's service",
        incidents
            .iter()
            .filter(|it| world.pagerduty.service(it.service).unwrap().team.is_none())
            .count(),
    );
    some(
        "no priority",
        incidents.iter().filter(|it| it.priority.is_none()).count(),
    );
    let issues = || {
        world
            .repositories
            .iter()
            .flat_map(|it| &it.issues)
            .filter(|it| it.labels.contains(&"incident".to_owned()))
    };
    for reason in [
        StateReason::Completed,
        StateReason::NotPlanned,
        StateReason::Duplicate,
    ] {
        some(
            &format!("{reason:?} issue"),
            issues().filter(|it| it.state_reason == Some(reason)).count(),
        );
    }
    assert_eq!(missing, Vec::<String>::new());
    let open = incidents
        .iter()
        .filter(|it| it.state != IncidentState::Resolved)
        .count();
    assert!(open < incidents.len() / 20, "{open} of {} open", incidents.len());
}

#[test]
fn weekends_are_quiet_and_teams_differ() {
    let world = generate(SEED, now());
    let on_weekend = |pull: &&PullRequest| {
        pull.created_at
            .datetime()
            .format("%u")
            .to_string()
            .parse::<u8>()
            .unwrap()
            > 5
    };
    let all: Vec<_> = pulls(&world).map(|(_, pull)| pull).collect();
    assert!(all.iter().copied().filter(|pull| on_weekend(&pull)).count() * 12 < all.len());
    let deployments = |name: &str| world.at(world.find(name).unwrap()).deployments.len();
    assert!(deployments("acme/checkout-api") > 5 * deployments("acme/app-ios"));
}

#[test]
fn the_story_goes_on_live() {
    let mut world = generate(SEED, now());
    let before = (merged_since(&world, DAYS), world.pagerduty.incidents.len());
    let mut live = Live::new(&world, SEED);
    let mut again = world.clone();
    let steps = |live: &mut Live, world: &mut World| {
        for step in 1..=200 {
            live.step(world, now().plus(Span::from_seconds(5 * step)));
        }
    };
    steps(&mut live, &mut world);
    assert_eq!(world.now, now().plus(Span::from_seconds(1_000)));
    assert!(merged_since(&world, DAYS) > before.0 + 100);
    assert!(world.pagerduty.incidents.len() > before.1);
    let newest = world
        .repositories
        .iter()
        .flat_map(|it| &it.deployments)
        .filter(|it| it.created_at > now());
    let finished = newest
        .clone()
        .filter(|it| it.state().is_some_and(|state| state != State::InProgress))
        .count();
    assert!(finished * 10 > newest.count() * 8);
    let mut other = Live::new(&again, SEED);
    steps(&mut other, &mut again);
    assert_eq!(again, world, "the same seed tells the same");
}

#[test]
fn the_configuration_is_toml_that_names_the_servers_the_teams_and_the_services() {
    let world = generate(SEED, now());
    let text = config_toml(
        &world,
        &Paths {
            github_url: "http://127.0.0.1:1",
            pagerduty_url: "http://127.0.0.1:2",
            github_token_file: Path::new("secrets/github"),
            pagerduty_token_file: Path::new("secrets/pager\"duty"),
            listen: "127.0.0.1:0",
            store_url: "sqlite:data/demo.db",
            poll_interval: "5s",
        },
    );
    let config: toml::Table = text.parse().unwrap();
    let keys: BTreeSet<_> = config.keys().map(String::as_str).collect();
    let expected = [
        "organization",
        "store",
        "server",
        "metrics",
        "github",
        "pagerduty",
        "teams",
        "components",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(
        config["github"][0]["api_url"].as_str(),
        Some("http://127.0.0.1:1")
    );
    assert_eq!(
        config["github"][0]["deployments"][1]["environment"].as_str(),
        Some("^prod")
    );
    assert_eq!(
        config["pagerduty"][0]["token_file"].as_str(),
        Some("secrets/pager\"duty")
    );
    assert_eq!(config["teams"].as_array().unwrap().len(), TEAM_COUNT);
    let ids: BTreeSet<_> = world
        .pagerduty
        .services
        .iter()
        .map(|service| service.id.as_str())
        .collect();
    for component in config["components"].as_array().unwrap() {
        assert!(ids.contains(component["pagerduty_services"][0].as_str().unwrap()));
        assert!(world.find(component["repository"].as_str().unwrap()).is_some());
    }
}
