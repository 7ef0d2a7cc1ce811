//! The rules by which deployments and changes are found, told as stories from the simulated GitHub to the numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use sextant::config::Config;
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::repository::RepositoryKey;
use sextant::demo::world::workflow::{Conclusion, WorkflowKey};
use sextant::engine::snapshot::{Completeness, Delivery, Snapshot};
use sextant::model::name::CommitId;
use sextant::model::time::{Span, Timestamp};

use crate::rig::Rig;
use crate::stage::{empty, hours_ago, merged, now};

/// The configuration with these tables after that of GitHub.
fn toml(rules: &str) -> String {
    let github = r#"
[organization]
name = "acme"

[[github]]
name = "acme-github"
api_url = "{github}"
token_file = "{directory}/github-token"
organizations = ["acme"]
history = "180d"
"#;
    format!("{github}\n{rules}")
}

/// A rule for all repositories.
fn all(rule: &str) -> String {
    format!("[[github.deployments]]\nrepositories = [\"acme/*\"]\n{rule}\n")
}

/// Another configuration, from the next start on.
async fn reconfigured(mut rig: Rig, rules: &str) -> Rig {
    let text = toml(rules)
        .replace("{github}", "http://127.0.0.1:1")
        .replace("token_file = \"{directory}/github-token\"", "token_env = \"T\"");
    let config = Config::parse(&text, "sextant.toml", &|_| Some("secret".to_owned())).unwrap();
    rig.config.github[0].ownership = Arc::new(config.ownership.clone());
    rig.config.ownership = config.ownership;
    rig.restart().await
}

/// A repository with a commit that is thirty days old.
fn repository(world: &mut World, name: &str) -> (RepositoryKey, CommitId) {
    let begin = now().minus(Span::from_days(30));
    let key = world.repository(&format!("acme/{name}"), begin);
    (key, world.push(key, "vera", "Begin", begin, begin))
}

fn days_ago(days: i64) -> Timestamp {
    hours_ago(days * 24)
}

/// What was delivered in ninety days.
fn delivered(snapshot: &Snapshot, component: &str) -> Option<Delivery> {
    let (_, values) = snapshot.components.iter().find(|((_, name), _)| name.as_str() == component)?;
    values.windows[2].delivery.clone()
}

/// Deployments, changes, attempts that failed.
fn counts(snapshot: &Snapshot, component: &str) -> Option<(u64, u64, u64)> {
    let delivery = delivered(snapshot, component)?;
    Some((delivery.deployments, delivery.changes, delivery.attempts_failed))
}

/// What these are after a look.
async fn look(rig: &mut Rig, component: &str) -> Option<(u64, u64, u64)> {
    let snapshot = rig.look().await;
    counts(&snapshot, component)
}

/// The persistent counters of deployments and changes.
async fn counters(rig: &mut Rig) -> BTreeMap<String, f64> {
    let counters = rig.compute().await.counters;
    let told = counters.into_iter().filter(|(key, _)| {
        key.name == "dora_deployments_total" || key.name == "dora_change_lead_time_seconds_count"
    });
    told.map(|(key, value)| (format!("{}{{{}}}", key.name, key.labels.join(",")), value)).collect()
}

fn counted(expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[tokio::test]
async fn a_draft_is_a_deployment_from_when_it_is_published_and_a_preview_only_if_it_is_said() {
    let mut world = empty();
    let (shop, begin) = repository(&mut world, "shop");
    world.release(shop, "v1", begin, days_ago(20));
    let (_, landing) = merged(&mut world, shop, "Add a basket", days_ago(10));
    let draft = world.draft_release(shop, "v2", landing, days_ago(9));
    world.release(shop, "v2-rc", landing, days_ago(8));
    world.advance(now());
    let mut rig = Rig::new(world, &toml(&all("from = \"releases\""))).await;
    assert_eq!(look(&mut rig, "shop").await, Some((1, 0, 0)));

    rig.later(Span::from_hours(2));
    rig.world.tell(|world| world.publish_release(draft, world.now));
    let published_at = rig.now();
    rig.later(Span::from_minutes(1));
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "shop"), Some((2, 1, 0)));
    let first_commit = days_ago(10).minus(Span::from_hours(3));
    let lead_time = delivered(&snapshot, "shop").unwrap().lead_time.p50;
    assert_eq!(lead_time, Some(published_at.since(first_commit)));
    let counters = counters(&mut rig).await;
    assert_eq!(
        counters,
        counted(&[
            ("dora_deployments_total{unowned,shop,success}", 1.0),
            ("dora_change_lead_time_seconds_count{unowned}", 1.0),
        ])
    );

    let asked = rig.servers.github.tally.requests();
    let mut rig = reconfigured(rig, &all("from = \"releases\"\nprereleases = true")).await;
    let snapshot = rig.compute().await.snapshot;
    assert_eq!(counts(&snapshot, "shop"), Some((3, 1, 0)), "the candidate, the change with it, and again");
    let lead_time = delivered(&snapshot, "shop").unwrap().lead_time.p50;
    assert_eq!(lead_time, Some(days_ago(8).since(first_commit)), "the candidate was first");
    assert_eq!(rig.servers.github.tally.requests(), asked, "what previews there are was known");
}

#[tokio::test]
async fn a_tag_deploys_when_it_was_made_and_one_that_is_moved_deploys_something_else() {
    let mut world = empty();
    let (shop, begin) = repository(&mut world, "shop");
    world.push_tag(shop, "v1", begin, false, days_ago(29));
    let (_, first) = merged(&mut world, shop, "One", days_ago(12));
    let (_, second) = merged(&mut world, shop, "Two", days_ago(10));
    world.push_tag(shop, "v2", first, true, days_ago(9));
    world.push_tag(shop, "nightly", second, true, days_ago(8));
    world.advance(now());
    let mut rig = Rig::new(world, &toml(&all("from = \"tags\"\ntag = '^v\\d'"))).await;
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "shop"), Some((2, 1, 0)), "a lightweight one is as old as its commit");
    let first_commit = days_ago(12).minus(Span::from_hours(3));
    let lead_time = delivered(&snapshot, "shop").unwrap().lead_time.p50;
    assert_eq!(lead_time, Some(days_ago(9).since(first_commit)));

    rig.later(Span::from_hours(1));
    rig.world.tell(|world| world.push_tag(shop, "v2", second, true, world.now));
    rig.later(Span::from_minutes(1));
    assert_eq!(look(&mut rig, "shop").await, Some((2, 2, 0)), "the same tag, with both changes");
}

/// Starts and ends a run.
fn run(world: &mut World, workflow: WorkflowKey, commit: CommitId, at: Timestamp, end: Conclusion) -> u64 {
    let run = world.start_run(workflow, "push", commit, at);
    world.finish_run(run, end, at.plus(Span::from_minutes(5)));
    run.database_id
}

const RUNS: &str = "from = \"workflow_runs\"\nworkflow = \"deploy.yml\"\nbranch = \"main\"";

#[tokio::test]
async fn a_run_that_succeeds_when_it_is_run_again_after_twenty_days_deploys_then_and_what_is_deleted_stays() {
    let mut world = empty();
    let (shop, begin) = repository(&mut world, "shop");
    let workflow = world.workflow(shop, "deploy.yml", "Deploy", days_ago(30));
    run(&mut world, workflow, begin, days_ago(29), Conclusion::Success);
    let (_, landing) = merged(&mut world, shop, "One", days_ago(22));
    let failed = world.start_run(workflow, "push", landing, days_ago(21));
    world.finish_run(failed, Conclusion::Failure, days_ago(21).plus(Span::from_minutes(5)));
    for day in 0..8 {
        let end = if day % 2 == 0 { Conclusion::Cancelled } else { Conclusion::Skipped };
        run(&mut world, workflow, landing, days_ago(9 - day), end);
    }
    world.advance(now());
    let mut rig = Rig::new(world, &toml(&all(RUNS))).await;
    assert_eq!(look(&mut rig, "shop").await, Some((1, 0, 1)), "cancelled and skipped do not count");

    rig.later(Span::from_hours(1));
    let again_at = rig.world.tell(|world| {
        world.rerun(failed, world.now);
        let end = world.now.plus(Span::from_minutes(5));
        world.finish_run(failed, Conclusion::Success, end);
        end
    });
    rig.later(Span::from_hours(25));
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "shop"), Some((2, 1, 1)));
    let first_commit = days_ago(22).minus(Span::from_hours(3));
    let lead_time = delivered(&snapshot, "shop").unwrap().lead_time.p50;
    assert_eq!(lead_time, Some(again_at.since(first_commit)));

    rig.world.tell(|world| world.delete_runs(shop, world.now, world.now));
    rig.later(Span::from_hours(25));
    assert_eq!(look(&mut rig, "shop").await, Some((2, 1, 1)), "GitHub forgets them, we do not");
    let mut rig = rig.restart().await;
    assert_eq!(look(&mut rig, "shop").await, Some((2, 1, 1)));
}

#[tokio::test]
async fn of_several_rules_the_first_that_matches_a_repository_counts() {
    let mut world = empty();
    for (place, name) in (1..).zip(["shop", "pay-api", "pay-web", "docs"]) {
        let (key, begin) = repository(&mut world, name);
        let deployment = world.deploy(key, begin, "production", days_ago(20));
        world.status(deployment, State::Success, days_ago(20));
        for n in 0..2 * place {
            world.push_tag(key, &format!("t{n}"), begin, true, days_ago(19 - n));
        }
        for n in 0..place {
            world.release(key, &format!("v{n}"), begin, days_ago(9 - n));
        }
    }
    world.advance(now());
    let rules = [
        ("[\"acme/pay-*\", \"!acme/pay-web\"]", "from = \"releases\""),
        ("[\"acme/pay-web\", \"acme/pay-api\"]", "from = \"tags\"\ntag = \"^t\""),
        ("[\"acme/docs\"]", "from = \"merges\""),
    ]
    .map(|(names, from)| format!("[[github.deployments]]\nrepositories = {names}\n{from}\n"));
    let mut rig = Rig::new(world, &toml(&rules.join("\n"))).await;
    let snapshot = rig.look().await;
    let deployments = |name: &str| counts(&snapshot, name).map(|counts| counts.0);
    assert_eq!(deployments("pay-api"), Some(2), "its releases");
    assert_eq!(deployments("pay-web"), Some(6), "its tags: the first rule leaves it out");
    assert_eq!(deployments("shop"), Some(1), "no rule: GitHub Deployments");
    assert_eq!(deployments("docs"), None, "nothing was merged");
}

const PARTS: &str = r#"
[[components]]
name = "login"
repository = "acme/mono"
paths = ["login/**"]

[[components]]
name = "feed"
repository = "acme/mono"
paths = ["feed/**"]
"#;

/// A repository of two parts: a change of one, one of both, one of none, a push to one, and two deployments.
fn monorepo() -> (World, RepositoryKey) {
    let mut world = empty();
    let (mono, begin) = repository(&mut world, "mono");
    deployed(&mut world, mono, begin, days_ago(29));
    for (title, days, paths) in [
        ("One", 20, ["login/a.rs", "login/b.rs"]),
        ("Both", 18, ["login/a.rs", "feed/a.rs"]),
        ("None", 16, ["README.md", "docs/login/a.md"]),
    ] {
        let (pull, _) = merged(&mut world, mono, title, days_ago(days));
        let own = world.pull(pull).unwrap().commits.clone();
        for place in own {
            let id = world.at(mono).commits[place].id;
            world.touch(mono, id, &paths);
        }
    }
    let pushed = world.push(mono, "vera", "A quick fix", days_ago(15), days_ago(15));
    world.touch(mono, pushed, &["feed/b.rs"]);
    deployed(&mut world, mono, pushed, days_ago(14));
    world.advance(now());
    (world, mono)
}

fn deployed(world: &mut World, key: RepositoryKey, commit: CommitId, at: Timestamp) {
    let deployment = world.deploy(key, commit, "production", at);
    world.status(deployment, State::Success, at.plus(Span::from_minutes(10)));
}

#[tokio::test]
async fn one_pull_request_changes_two_components_and_a_push_one() {
    let (world, mono) = monorepo();
    let mut rig = Rig::new(world, &toml(PARTS)).await;
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "login"), Some((2, 2, 0)), "the change of one and that of both");
    assert_eq!(counts(&snapshot, "feed"), Some((2, 2, 0)), "the change of both and the push");
    let unreviewed = |name| delivered(&snapshot, name).unwrap().unreviewed_changes;
    assert_eq!((unreviewed("login"), unreviewed("feed")), (0, 1));

    rig.later(Span::from_hours(1));
    rig.world.tell(|world| {
        let at = world.now;
        let pushed = world.push(mono, "vera", "Another", at, at);
        world.touch(mono, pushed, &["login/c.rs"]);
        deployed(world, mono, pushed, at.plus(Span::from_minutes(10)));
    });
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "login"), Some((3, 3, 0)));
    assert_eq!(counts(&snapshot, "feed"), Some((3, 2, 0)), "deployed, and nothing of it is new");
}

#[tokio::test]
async fn parts_that_are_configured_later_have_all_of_their_past_and_count_what_is_new() {
    let (world, mono) = monorepo();
    let mut rig = Rig::new(world, &toml("")).await;
    assert_eq!(look(&mut rig, "mono").await, Some((2, 4, 0)));
    assert_eq!(counters(&mut rig).await, counted(&[]));

    let mut rig = reconfigured(rig, PARTS).await;
    // While the past is read again, somebody changes and deploys something.
    rig.later(Span::from_hours(1));
    rig.world.tell(|world| {
        let at = world.now;
        let (pull, landing) = merged(world, mono, "News", at);
        let own = world.pull(pull).unwrap().commits.clone();
        for place in own {
            let id = world.at(mono).commits[place].id;
            world.touch(mono, id, &["login/d.rs"]);
        }
        deployed(world, mono, landing, world.now);
    });
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "login"), Some((3, 3, 0)));
    assert_eq!(counts(&snapshot, "feed"), Some((3, 2, 0)));
    assert_eq!(counts(&snapshot, "mono"), None, "it has parts now");
    for ((_, name), values) in &snapshot.components {
        let complete = values.windows.iter().all(|window| window.complete == Completeness::Complete);
        assert!(complete, "{name}: {:?}", values.windows.iter().map(|window| window.complete));
    }
    assert_eq!(
        counters(&mut rig).await,
        counted(&[
            ("dora_deployments_total{unowned,login,success}", 1.0),
            ("dora_deployments_total{unowned,feed,success}", 1.0),
            ("dora_change_lead_time_seconds_count{unowned}", 1.0),
        ])
    );
}

#[tokio::test]
async fn another_rule_chooses_anew_and_what_was_there_before_is_not_counted() {
    let mut world = empty();
    let (shop, begin) = repository(&mut world, "shop");
    deployed(&mut world, shop, begin, days_ago(20));
    world.release(shop, "v1", begin, days_ago(19));
    let (_, landing) = merged(&mut world, shop, "One", days_ago(10));
    deployed(&mut world, shop, landing, days_ago(9));
    deployed(&mut world, shop, landing, days_ago(8));
    world.release(shop, "v2", landing, days_ago(7));
    world.advance(now());
    let mut rig = Rig::new(world, &toml("")).await;
    assert_eq!(look(&mut rig, "shop").await, Some((3, 1, 0)));

    let mut rig = reconfigured(rig, &all("from = \"releases\"")).await;
    let before = rig.compute().await.snapshot;
    assert_eq!(delivered(&before, "shop"), None, "no release has been read yet");
    let snapshot = rig.look().await;
    assert_eq!(counts(&snapshot, "shop"), Some((2, 1, 0)));
    let first_commit = days_ago(10).minus(Span::from_hours(3));
    assert_eq!(delivered(&snapshot, "shop").unwrap().lead_time.p50, Some(days_ago(7).since(first_commit)));
    assert_eq!(counters(&mut rig).await, counted(&[]), "it is all first contact");

    rig.later(Span::from_hours(1));
    rig.world.tell(|world| {
        let at = world.now;
        world.release(shop, "v3", landing, at);
        deployed(world, shop, landing, at);
    });
    rig.later(Span::from_minutes(1));
    rig.look().await;
    let one = counted(&[("dora_deployments_total{unowned,shop,success}", 1.0)]);
    assert_eq!(counters(&mut rig).await, one, "the release, and not the deployment");

    let mut rig = reconfigured(rig, "").await;
    let snapshot = rig.compute().await.snapshot;
    assert_eq!(counts(&snapshot, "shop"), Some((3, 1, 0)), "what was collected stays");
    assert_eq!(look(&mut rig, "shop").await, Some((4, 1, 0)), "and what was missed is read");
    assert_eq!(counters(&mut rig).await, one, "once more as first contact");
}
