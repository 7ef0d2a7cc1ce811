//! The example organisation: repeatable, of the promised size, never ahead of its time, and going on live.

use std::collections::BTreeSet;
use std::path::Path;

use sextant::demo::config::{Paths, config_toml};
use sextant::demo::generate::sized::{Size, sized};
use sextant::demo::generate::{
    DAYS, MONOREPO, PARTS, RELEASING, REPOSITORY_COUNT, RUNNING, TAGGING, TEAM_COUNT, generate,
};
use sextant::demo::live::Live;
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::PullRequest;
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
    assert_ne!(generate(SEED, now()).repositories, generate(SEED + 1, now()).repositories);
}

#[test]
fn it_has_the_promised_size() {
    for seed in [1, SEED, 4_711] {
        let world = generate(seed, now());
        assert_eq!(world.repositories.len(), REPOSITORY_COUNT);
        assert_eq!(world.organizations[0].teams.len(), TEAM_COUNT);
        let month = merged_since(&world, 31);
        assert!((760..=860).contains(&month), "seed {seed}: {month} merged in 31 days");
        let all = merged_since(&world, DAYS);
        assert!((4_600..=5_200).contains(&all), "seed {seed}: {all} merged in {DAYS} days");
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
    assert!(world.pagerduty.incidents.iter().all(|incident| incident.updated_at <= now()));
}

#[test]
fn no_commit_is_older_than_its_parents_on_the_default_branch() {
    let world = generate(SEED, now());
    for repository in &world.repositories {
        let Some(head) = repository.head().and_then(|head| repository.place(head.id)) else {
            continue;
        };
        let line =
            std::iter::successors(Some(head), |place| repository.commits[*place].parents.first().copied());
        let dates: Vec<_> = line.map(|place| repository.commits[place].committed_at).collect();
        assert!(dates.is_sorted_by(|later, earlier| later >= earlier), "{}", repository.name);
    }
}

#[test]
fn weekends_are_quiet_and_teams_differ() {
    let world = generate(SEED, now());
    let on_weekend =
        |pull: &&PullRequest| pull.created_at.datetime().format("%u").to_string().parse::<u8>().unwrap() > 5;
    let all: Vec<_> = pulls(&world).map(|(_, pull)| pull).collect();
    assert!(all.iter().copied().filter(on_weekend).count() * 12 < all.len());
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
    let newest = world.repositories.iter().flat_map(|it| &it.deployments).filter(|it| it.created_at > now());
    let finished =
        newest.clone().filter(|it| it.state().is_some_and(|state| state != State::InProgress)).count();
    assert!(finished * 10 > newest.count() * 8);
    let mut other = Live::new(&again, SEED);
    steps(&mut other, &mut again);
    assert_eq!(again, world, "the same seed tells the same");
}

#[test]
fn some_repositories_release_tag_or_run_what_they_deploy_and_one_has_three_parts() {
    let mut world = generate(SEED, now());
    let of = |world: &World, name: &str| world.at(world.find(&format!("acme/{name}")).unwrap()).clone();
    for name in RELEASING {
        let repository = of(&world, name);
        assert!(repository.releases.len() > 10, "{name}");
        assert!(
            repository.releases.iter().all(|it| it.draft || it.published_at.is_some_and(|at| at <= now()))
        );
    }
    for name in TAGGING {
        let tags = of(&world, name).tags;
        assert!(
            tags.values().any(|tag| tag.objects.is_empty())
                && tags.values().any(|tag| !tag.objects.is_empty())
        );
    }
    for name in RUNNING {
        let runs = of(&world, name).workflows[0].runs.clone();
        let oldest = now().minus(Span::from_days(90));
        assert!(runs.len() > 10 && runs.iter().all(|run| run.created_at >= oldest), "{name}");
    }
    let mut runs = RUNNING.iter().flat_map(|name| of(&world, name).workflows[0].runs.clone());
    assert!(runs.any(|run| run.attempts.len() > 1), "none was run again");
    let monorepo = of(&world, MONOREPO);
    for part in PARTS {
        let touches =
            |pull: &&PullRequest| monorepo.files_of(pull).iter().any(|it| it.path.starts_with(part));
        assert!(monorepo.pulls.iter().filter(touches).count() > 10, "{part}");
    }
    let before = of(&world, "identity").workflows[0].runs.len();
    let mut live = Live::new(&world, SEED);
    for step in 1..=200 {
        live.step(&mut world, now().plus(Span::from_seconds(30 * step)));
    }
    let after = of(&world, "identity").workflows[0].runs.len();
    assert!(after > before && after < before + 200, "{before} {after}");
}

#[test]
fn a_world_of_any_size_has_what_was_asked_for() {
    let size =
        Size { organizations: 2, repositories: 60, teams: 6, days: 40, active_per_mille: 500, ..Size::M };
    let world = sized(SEED, now(), &size);
    assert_eq!((world.organizations.len(), world.repositories.len()), (2, 60));
    let teams = world.organizations.iter().flat_map(|it| &it.teams);
    assert!(teams.clone().count() == 6 && teams.clone().all(|team| team.repositories.len() == 10));
    let busy = world.repositories.iter().filter(|it| it.pulls.len() > 20).count();
    assert!((18..=42).contains(&busy), "{busy}");
    assert!(
        world.repositories.iter().all(|it| it.deployments.len() == it.pulls.len() && !it.pulls.is_empty())
    );
    assert_eq!(world.now, now());
    assert_eq!(sized(SEED, now(), &size), world);
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
    let expected =
        ["organization", "store", "server", "metrics", "github", "pagerduty", "teams", "components"];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(config["github"][0]["api_url"].as_str(), Some("http://127.0.0.1:1"));
    assert_eq!(config["github"][0]["deployments"][4]["environment"].as_str(), Some("^prod"));
    assert_eq!(config["pagerduty"][0]["token_file"].as_str(), Some("secrets/pager\"duty"));
    assert_eq!(config["teams"].as_array().unwrap().len(), TEAM_COUNT);
    let ids: BTreeSet<_> = world.pagerduty.services.iter().map(|service| service.id.as_str()).collect();
    let components = config["components"].as_array().unwrap();
    for component in components {
        let paged = component.get("pagerduty_services").map(|services| services[0].as_str().unwrap());
        assert!(paged.is_none_or(|id| ids.contains(id)));
        assert!(world.find(component["repository"].as_str().unwrap()).is_some());
    }
    let parts = components.iter().filter(|it| it.get("paths").is_some());
    assert_eq!(parts.count(), PARTS.len());
}
