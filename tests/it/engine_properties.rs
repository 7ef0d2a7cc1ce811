//! What holds for any facts: order and repetition change nothing, the past is what a board would have shown,
//! parts add up.

use proptest::prelude::*;
use sextant::engine;
use sextant::engine::change::ChangeName;
use sextant::engine::snapshot::{LevelValues, Snapshot};
use sextant::model::batch::Seen;
use sextant::model::component::Component;
use sextant::model::fact::{Author, Change, Origin, Reference, RevertOf, Stage};
use sextant::model::name::{ExternalId, TeamSlug};
use sextant::model::settings::{DeploymentsFrom, MetricSettings, Prereleases, ReleaseRule};
use sextant::model::time::Span;

use crate::engine_world::{Repo, World, incident, minute, own, prefix, pull, sha};

/// One commit and what became of it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
struct Step {
    parent_back: usize,
    second_parent_back: usize,
    pulled: bool,
    reviewed: bool,
    bot: bool,
    hotfix: bool,
    reverts: Option<u64>,
    /// Whether it touches the first and the second part of its repository; `None`: not read.
    touches: Option<(bool, bool)>,
    deploys: Vec<(i64, i64, u8, bool)>,
}

fn step() -> impl Strategy<Value = Step> {
    let deploy = (0_i64..60, 0_i64..40, 0_u8..3, prop::bool::weighted(0.8));
    (
        1_usize..3,
        0_usize..6,
        prop::bool::weighted(0.7),
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        (prop::option::weighted(0.15, 1_u64..20), prop::option::weighted(0.9, any::<(bool, bool)>())),
        prop::collection::vec(deploy, 0..3),
    )
        .prop_map(
            |(
                parent_back,
                second_parent_back,
                pulled,
                reviewed,
                bot,
                hotfix,
                (reverts, touches),
                deploys,
            )| Step {
                parent_back,
                second_parent_back,
                pulled,
                reviewed,
                bot,
                hotfix,
                reverts,
                touches,
                deploys,
            },
        )
}

/// A commit every ten minutes; nothing is deployed before it is merged. The first repository has two parts, the second
/// one is deployed by releases.
fn repo(number: u64, steps: &[Step]) -> Repo {
    let name = format!("r{number}");
    let commit = |index: usize| format!("{name}-{index}");
    let mut repo = Repo::new(number, &name, if number == 3 { "ops" } else { "web" });
    let mut attempts = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let at = i64::try_from(index).unwrap() * 10;
        let parents = [step.parent_back, step.second_parent_back].into_iter();
        let parents = parents.filter(|back| *back > 0 && *back <= index).map(|back| commit(index - back));
        let parents: Vec<_> = parents.collect();
        repo = repo.commits(&format!("{}:{}@{at}", commit(index), parents.join(",")));
        if step.pulled {
            let change = pull(index as u64, &commit(index), at);
            repo = repo.pulls([Change {
                own_commits: own(&format!("{name}o{index}@{}", at - 15)),
                author: if step.bot { Author::Bot } else { Author::Human },
                reviewed_at: step.reviewed.then(|| minute(at - 5)),
                head: if step.hotfix { "hotfix/x".into() } else { change.head.clone() },
                reverts: step.reverts.map(RevertOf::PullRequest).into_iter().collect(),
                ..change
            }]);
        }
        let paths = step.touches.map(|(first, second)| {
            let touched = [(first, "a/x"), (second, "b/y")].into_iter().filter(|(touched, _)| *touched);
            touched.map(|(_, path)| path.to_owned()).collect::<Vec<_>>()
        });
        if let Some(pull) = repo.facts.changes.last_mut().filter(|_| step.pulled) {
            pull.fact.paths.clone_from(&paths);
        }
        if let Some(commit) = repo.facts.commits.last_mut() {
            commit.paths = paths;
        }
        for (wait, lasted, environment, succeeded) in &step.deploys {
            let created = at + wait;
            let environment = ["production", "prod-eu", "staging"][usize::from(*environment)];
            let failed = if *succeeded { "" } else { "!" };
            attempts.push(format!("{}@{created}-{}/{environment}{failed}", commit(index), created + lasted));
        }
    }
    let repo = repo.head(&commit(steps.len() - 1)).deploys(&attempts.join(" "));
    match number {
        1 => repo.only("a/**").part("part", "b/**"),
        2 => released(repo),
        _ => repo,
    }
}

/// The same, with releases where there were deployments, prereleases for one environment and tags for another.
fn released(mut repo: Repo) -> Repo {
    let rule = ReleaseRule { tag: None, prereleases: Prereleases::LeftOut };
    repo.component.from = DeploymentsFrom::Releases(rule);
    for Seen { fact, .. } in &mut repo.facts.attempts {
        let tag = format!("v{}", fact.id);
        fact.origin = match fact.environment.as_str() {
            "production" => Origin::Release { tag, stage: Stage::Final },
            "prod-eu" => Origin::Release { tag, stage: Stage::Prerelease },
            _ => Origin::Tag { name: tag },
        };
        fact.id = ExternalId::new(format!("release:{}", fact.id));
    }
    repo
}

type Trouble = (u64, i64, Option<i64>, Option<usize>);

fn world(steps: &[Vec<Step>], troubles: &[Trouble]) -> World {
    let repos: Vec<_> = steps.iter().zip(1..).map(|(steps, number)| repo(number, steps)).collect();
    let incidents = troubles.iter().zip(1_u64..).map(|((repo, started, lasted, named), id)| {
        let resolved = lasted.map(|lasted| started + lasted);
        let mut owned = incident(id, &format!("r{repo}"), *started, resolved);
        owned.team = TeamSlug::new(if *repo == 3 { "ops" } else { "web" });
        let named = named.map(|index| Reference::Commit(None, prefix(&format!("r{repo}-{index}"))));
        owned.stored.incident.references.extend(named);
        owned
    });
    World::of(repos.clone()).incidents(incidents)
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let steps = prop::collection::vec(prop::collection::vec(step(), 1..20), 3);
    let trouble = (1_u64..4, 0_i64..300, prop::option::of(0_i64..100), prop::option::of(0_usize..20));
    (steps, prop::collection::vec(trouble, 0..8)).prop_map(|(steps, troubles)| world(&steps, &troubles))
}

/// What one could know at `at`.
pub(crate) fn truncated(world: &World, at: i64) -> World {
    let at = minute(at);
    let mut known = world.clone();
    for repo in &mut known.repos {
        repo.facts.changes.retain(|seen| seen.fact.merged_at < at);
        for attempt in &mut repo.facts.attempts {
            attempt.fact.finished = attempt.fact.finished.filter(|(_, finished_at)| *finished_at < at);
        }
    }
    known.incidents.retain(|owned| owned.stored.incident.started_at < at);
    for owned in &mut known.incidents {
        let incident = &mut owned.stored.incident;
        incident.resolved_at = incident.resolved_at.filter(|resolved_at| *resolved_at < at);
    }
    known
}

fn levels(snapshot: &Snapshot) -> Vec<&LevelValues> {
    let teams = snapshot.teams.values().map(|team| &team.values);
    std::iter::once(&snapshot.organization).chain(teams).chain(snapshot.components.values()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn order_and_repetition_change_nothing(
        world in worlds(), at in 0_i64..400, turn in 0_usize..50, repeat in any::<bool>()
    ) {
        fn shuffle<T: Clone>(facts: &mut Vec<T>, turn: usize, repeat: bool) {
            facts.reverse();
            let turn = turn % facts.len().max(1);
            facts.rotate_left(turn);
            if repeat {
                facts.extend(facts.clone().into_iter().rev().take(turn));
            }
        }
        let expected = world.at(at);
        let linked = world.linked();
        let counted: Vec<_> = engine::countables(&linked, &linked.teams, &world.settings).collect();
        let mut other = world;
        shuffle(&mut other.repos, turn, false);
        shuffle(&mut other.incidents, turn, repeat);
        for repo in &mut other.repos {
            shuffle(&mut repo.facts.commits, turn, repeat);
            shuffle(&mut repo.facts.changes, turn, repeat);
            shuffle(&mut repo.facts.attempts, turn, repeat);
        }
        prop_assert_eq!(other.at(at), expected);
        let linked = other.linked();
        let again: Vec<_> = engine::countables(&linked, &linked.teams, &other.settings).collect();
        prop_assert_eq!(again, counted);
    }

    #[test]
    fn the_past_is_what_a_board_would_have_shown(world in worlds(), at in 0_i64..400) {
        prop_assert_eq!(truncated(&world, at).at(at), world.at(at));
    }

    #[test]
    fn parts_add_up_and_ratios_are_ratios(world in worlds(), at in 0_i64..400) {
        let snapshot = world.at(at);
        for level in levels(&snapshot) {
            for window in &level.windows {
                let coverage = window.coverage;
                let mut ratios = vec![
                    coverage.deployments_with_changes, coverage.changes_deployed, coverage.incidents_attributed,
                ];
                if let Some(delivery) = &window.delivery {
                    ratios.extend([delivery.change_fail_ratio, delivery.rework_ratio]);
                    let times = [delivery.lead_time, delivery.recovery_time];
                    for quantiles in delivery.phases.iter().chain(&times) {
                        prop_assert!(quantiles.p50 <= quantiles.p90);
                        prop_assert!(quantiles.p50.is_none_or(|span| span >= Span::ZERO));
                    }
                    prop_assert_eq!(delivery.lead_time.p50.is_some(), delivery.changes > 0);
                    prop_assert_eq!(delivery.change_fail_ratio.is_some(), delivery.deployments > 0);
                }
                prop_assert!(ratios.into_iter().flatten().all(|ratio| (0.0..=1.0).contains(&ratio)));
            }
        }
        let sum = |of: &dyn Fn(&LevelValues) -> u64| {
            let teams: u64 = snapshot.teams.values().map(|team| of(&team.values)).sum();
            let components: u64 = snapshot.components.values().map(of).sum();
            (of(&snapshot.organization), teams, components)
        };
        let delivered = |level: &LevelValues| level.windows[2].delivery.clone().unwrap_or_default();
        for of in [
            &|level: &LevelValues| delivered(level).deployments,
            &|level: &LevelValues| delivered(level).changes,
            &|level: &LevelValues| delivered(level).failed_deployments,
            &|level: &LevelValues| delivered(level).rework_deployments,
            &|level: &LevelValues| level.unrecovered_deployments.unwrap_or(0),
            &|level: &LevelValues| level.open_incidents.iter().flat_map(|open| open.values()).sum(),
        ] as [&dyn Fn(&LevelValues) -> u64; 6] {
            let (organization, teams, components) = sum(of);
            prop_assert_eq!(organization, teams);
            prop_assert_eq!(organization, components);
        }
    }

    #[test]
    fn the_parts_of_a_repository_have_of_its_changes_those_that_touch_them(steps in prop::collection::vec(step(), 1..20)) {
        let repo = repo(1, &steps);
        let whole = Repo { component: Component { paths: None, ..repo.component.clone() }, ..repo.clone() };
        let settings = MetricSettings::new();
        let whole = whole.history(&settings);
        for (part, second) in repo.histories(&settings).iter().zip([false, true]) {
            let touched = |name: ChangeName| {
                let step = steps.iter().zip(0_u64..).find(|(_, index)| match name {
                    ChangeName::PullRequest(number) => number == *index,
                    ChangeName::Push(id) => id == sha(&format!("r1-{index}")),
                });
                let touches = step.unwrap().0.touches;
                touches.is_some_and(|touches| if second { touches.1 } else { touches.0 })
            };
            prop_assert_eq!(part.deployments.len(), whole.deployments.len());
            for (of_part, of_whole) in part.deployments.iter().zip(&whole.deployments) {
                let found: Vec<_> = of_part.changes.iter().map(|change| change.name).collect();
                let names = of_whole.changes.iter().map(|change| change.name);
                prop_assert_eq!(found, names.filter(|name| touched(*name)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_change_belongs_to_one_deployment_and_its_phases_add_up(world in worlds()) {
        for component in &world.linked().components {
            let mut names = std::collections::BTreeSet::new();
            for change in component.history.deployments.iter().flat_map(|deployment| &deployment.changes) {
                prop_assert!(names.insert(change.name), "{:?} was deployed twice", change.name);
                let phases = change.phases.and_then(|phases| Some((phases, phases.reviewed?)));
                if let Some((phases, reviewed)) = phases {
                    let spans = [phases.coding, reviewed.pickup, reviewed.review, phases.deploy];
                    prop_assert!(spans.iter().all(|span| *span >= Span::ZERO));
                    let sum: i64 = spans.iter().map(|span| span.millis()).sum();
                    prop_assert_eq!(sum, change.lead_time.millis());
                }
            }
        }
    }
}
