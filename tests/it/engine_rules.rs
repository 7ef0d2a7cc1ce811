//! Which attempts are deployments, by rule and origin (`definitions.md` 2.2), and what a person is told where none is.

use regex::Regex;
use sextant::engine::rollout::Choice;
use sextant::engine::snapshot::{RepositoryState, RepositoryView};
use sextant::model::batch::{Contact, Seen};
use sextant::model::fact::{Attempt, Corrections, Origin, Outcome, Reach, Stage};
use sextant::model::name::{ComponentName, Environment, ExternalId, TeamSlug};
use sextant::model::settings::{
    DeployedBy, DeploymentsFrom, MetricSettings, Prereleases, ReleaseRule, RunRule, environment_pattern,
};

use crate::engine_world::{Repo, World, minute, pull, sha, shop};

fn run(workflow: &str, name: &str, branch: &str, event: &str) -> Origin {
    Origin::Run { workflow: workflow.into(), name: name.into(), branch: branch.into(), event: event.into() }
}

fn release(tag: &str, stage: Stage) -> Origin {
    Origin::Release { tag: tag.into(), stage }
}

fn tag(name: &str) -> Origin {
    Origin::Tag { name: name.into() }
}

fn pushed(component: &str) -> Origin {
    Origin::Pushed { component: ComponentName::new(component) }
}

/// An attempt of every kind, the newest ids first, all finished at once.
fn attempted() -> Repo {
    let mut repo = shop().commits("a").pulls([pull(7, "a", 40)]);
    let add = |repo: &mut Repo, id: &str, origin: Origin, environment: &str| {
        repo.facts.attempts.push(Seen {
            fact: Attempt {
                origin,
                repository: repo.component.repository.clone(),
                id: ExternalId::new(id),
                commit: sha(id),
                environment: Environment::new(environment),
                created_at: minute(5),
                finished: Some((Outcome::Success, minute(40))),
                url: None,
                corrections: Corrections::NONE,
            },
            contact: Contact::Live,
        });
    };
    for (id, origin) in [
        ("tag:x", tag("x")),
        ("tag:v1.10", tag("v1.10")),
        ("tag:v1.9", tag("v1.9")),
        ("run:11/1", run("ci.yml", "CI", "main", "push")),
        ("run:10/10", run("Deploy.yml", "Roll out", "main", "push")),
        ("run:10/2", run("Deploy.yml", "Roll out", "main", "push")),
        ("run:9/2", run("Deploy.yml", "Roll out", "dev", "workflow_dispatch")),
        ("release:v2.0-rc1", release("v2.0-rc1", Stage::Prerelease)),
        ("release:v1.0", release("v1.0", Stage::Final)),
        ("release:other", release("other", Stage::Final)),
        ("push:2", pushed("pay")),
        ("push:1", pushed("shop")),
        ("10", Origin::Deployment),
        ("9", Origin::Deployment),
    ] {
        add(&mut repo, id, origin, "production");
    }
    add(&mut repo, "8", Origin::Deployment, "staging");
    repo
}

fn releases(tag: Option<&str>, prereleases: Prereleases) -> DeploymentsFrom {
    let tag = tag.map(|tag| Regex::new(tag).unwrap());
    DeploymentsFrom::Releases(ReleaseRule { tag, prereleases })
}

fn tags(pattern: Option<&str>) -> DeploymentsFrom {
    DeploymentsFrom::Tags(pattern.map(|tag| Regex::new(tag).unwrap()))
}

fn deployments(pattern: &str) -> DeploymentsFrom {
    DeploymentsFrom::Deployments(environment_pattern(pattern).unwrap())
}

fn run_rule(workflow: &str, branch: Option<&str>, event: Option<&str>) -> RunRule {
    RunRule { workflow: workflow.into(), branch: branch.map(Into::into), event: event.map(Into::into) }
}

fn runs(workflow: &str, branch: Option<&str>, event: Option<&str>) -> DeploymentsFrom {
    DeploymentsFrom::WorkflowRuns(run_rule(workflow, branch, event))
}

#[test]
fn a_rule_chooses_its_attempts_and_ties_are_sorted_by_the_numbers_in_their_ids() {
    use Prereleases::{Included, LeftOut};
    for (rule, words, expected) in [
        (
            DeploymentsFrom::production(),
            "GitHub Deployments to environments ^(prod|production|live)([-_/ ].*)?$",
            "9 10",
        ),
        (deployments("STAG"), "GitHub Deployments to environments STAG", "8"),
        (deployments(""), "GitHub Deployments to environments ", "8 9 10"),
        (releases(None, LeftOut), "releases", "release:other release:v1.0"),
        (releases(None, Included), "releases and prereleases", "release:other release:v1.0 release:v2.0-rc1"),
        (releases(Some("^v"), LeftOut), "releases tagged ^v", "release:v1.0"),
        (releases(Some("^V"), Included), "releases and prereleases tagged ^V", ""),
        (tags(None), "every tag", "tag:v1.9 tag:v1.10 tag:x"),
        (tags(Some(r"^v\d")), r"tags ^v\d", "tag:v1.9 tag:v1.10"),
        (runs("deploy.yml", None, None), "runs of deploy.yml", "run:9/2 run:10/2 run:10/10"),
        (runs("roll out", None, None), "runs of roll out", "run:9/2 run:10/2 run:10/10"),
        (runs("deploy", None, None), "runs of deploy", ""),
        (runs("ci", None, None), "runs of ci", "run:11/1"),
        (runs("deploy.yml", Some("main"), None), "runs of deploy.yml on main", "run:10/2 run:10/10"),
        (runs("deploy.yml", Some("Main"), None), "runs of deploy.yml on Main", ""),
        (runs("deploy.yml", None, Some("push")), "runs of deploy.yml by push", "run:10/2 run:10/10"),
        (runs("deploy.yml", Some("main"), Some("schedule")), "runs of deploy.yml on main by schedule", ""),
        (DeploymentsFrom::Push, "what is pushed", "push:1"),
        (DeploymentsFrom::Merges, "merges", "7"),
    ] {
        assert_eq!(rule.to_string(), words);
        let mut repo = attempted();
        repo.component.from = rule;
        let history = repo.history(&MetricSettings::new());
        let chosen: Vec<_> = history.attempts.iter().map(|attempt| attempt.id.as_str()).collect();
        assert_eq!(chosen.join(" "), expected, "{words}");
        let left_out = 15 - chosen.iter().filter(|id| **id != "7").count();
        assert_eq!(history.choice.left_out, left_out as u64, "{words}");
        assert_eq!(history.choice.rule, words);
    }
}

#[test]
fn what_a_component_says_narrows_the_rule_of_its_repository() {
    let pattern = |pattern: &str| Regex::new(pattern).unwrap();
    let environment = DeployedBy::Environment(environment_pattern("^shop$").unwrap());
    let workflow = DeployedBy::Workflow(run_rule("shop.yml", Some("main"), None));
    let tagged = DeployedBy::Tag(pattern("^shop/"));
    for (rule, by, expected) in [
        (tags(Some("^v")), None, "tags ^v"),
        (deployments("^prod"), Some(&environment), "GitHub Deployments to environments ^shop$"),
        (DeploymentsFrom::Merges, Some(&environment), "GitHub Deployments to environments ^shop$"),
        (runs("all.yml", None, None), Some(&workflow), "runs of shop.yml on main"),
        (DeploymentsFrom::Push, Some(&workflow), "runs of shop.yml on main"),
        (tags(None), Some(&tagged), "tags ^shop/"),
        (DeploymentsFrom::Merges, Some(&tagged), "tags ^shop/"),
        (releases(Some("^v"), Prereleases::LeftOut), Some(&tagged), "releases tagged ^shop/"),
        (releases(None, Prereleases::Included), Some(&tagged), "releases and prereleases tagged ^shop/"),
    ] {
        assert_eq!(rule.narrowed(by).to_string(), expected, "{rule} narrowed by {by:?}");
    }
}

#[test]
fn what_was_left_out_is_named_the_most_frequent_first() {
    let mut repo = attempted();
    repo.component.from = deployments("^prd$");
    let choice = repo.history(&MetricSettings::new()).choice;
    let expected = Choice {
        rule: "GitHub Deployments to environments ^prd$".into(),
        left_out: 15,
        left_out_names: [
            "Deploy.yml on main by push",
            "production",
            "Deploy.yml on dev by workflow_dispatch",
            "ci.yml on main by push",
            "other",
        ]
        .map(Into::into)
        .into(),
    };
    assert_eq!(*choice, expected);
}

fn view<'v>(views: &'v [RepositoryView], name: &str) -> &'v RepositoryView {
    views.iter().find(|view| view.name.as_str() == name).unwrap()
}

#[test]
fn a_repository_says_why_there_is_nothing_of_it() {
    let mut unknown = Repo::new(5, "unknown", "web");
    unknown.facts.repository.reach = Reach::Inaccessible;
    let mut empty = Repo::new(4, "empty", "web");
    empty.facts.repository.reach = Reach::Empty;
    let deployed =
        shop().part("pay", "pay/**").commits("a b:a").deploys("a@10 b@20! b@30 b@25/prd b@26/staging");
    let world = World::of([
        unknown,
        empty,
        Repo::new(3, "free", "unowned").deploys("a@1"),
        Repo::new(2, "lost", "web").deploys("a@10/prd a@11/prd a@12/qa"),
        deployed,
    ]);
    let views = world.at(30).views;
    let names: Vec<_> = views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["acme/empty", "acme/free", "acme/lost", "acme/shop", "acme/unknown"]);
    for (name, state, attempts, newest, left_out, names) in [
        ("acme/unknown", RepositoryState::Inaccessible, 0, None, 0, ""),
        ("acme/empty", RepositoryState::Empty, 0, None, 0, ""),
        ("acme/free", RepositoryState::Unowned, 1, Some(1), 0, ""),
        ("acme/lost", RepositoryState::NoDeployments, 0, None, 3, "prd qa"),
        // What finishes at 30 is not known at 30.
        ("acme/shop", RepositoryState::Ok, 2, Some(20), 2, "prd staging"),
    ] {
        let view = view(&views, name);
        assert_eq!(view.state, state, "{name}");
        for component in &view.components {
            assert_eq!(
                (component.attempts, component.newest_attempt_at),
                (attempts, newest.map(minute)),
                "{name}"
            );
            assert_eq!(component.choice.left_out, left_out, "{name}");
            assert_eq!(component.choice.left_out_names.join(" "), names, "{name}");
        }
    }
    let parts: Vec<_> = view(&views, "acme/shop").components.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(parts, ["pay", "shop"]);
    assert_eq!(view(&views, "acme/free").components[0].team, TeamSlug::unowned());
}
