//! Each permission taken from a token, and from an App, in turn: what is refused is told once and not asked for again
//! before the next discovery, nothing else suffers, nothing is shown as 0, and once it is granted nothing is missing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sextant::demo::identity::{App, Identities, Installation, Permission, Permissions, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::organization::Permission as Access;
use sextant::demo::world::workflow::Conclusion;
use sextant::engine::snapshot::{Delivery, Snapshot};
use sextant::model::time::Span;

use crate::rig::{ACME, Rig};
use crate::stage::{deploy, empty, hours_ago, merged, now, repository};

const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
const FORBIDDEN: (&str, [&str; 2]) = ("sextant_source_request_failures_total", ["acme-github", "forbidden"]);

/// A permission, what is said where it is missing, and whose deployments cannot be known without it.
struct Missing {
    permission: Permission,
    said: &'static str,
    spoils: &'static [&'static str],
}

const EACH: [Missing; 6] = [
    Missing {
        permission: Permission::Actions,
        said: "the token may not read workflow runs (permission Actions: read)",
        spoils: &["etl"],
    },
    // Without commits nobody knows what the default branch is, into which merges deploy.
    Missing {
        permission: Permission::Contents,
        said: "commits, releases and tags of",
        spoils: &["app", "docs", "lib"],
    },
    Missing { permission: Permission::PullRequests, said: "pull requests and commits of", spoils: &["docs"] },
    Missing { permission: Permission::Deployments, said: "deployments of", spoils: &["shop"] },
    Missing { permission: Permission::Issues, said: "issues of", spoils: &[] },
    Missing { permission: Permission::Members, said: "the organization's members", spoils: &[] },
];

const RULES: &str = r#"
history = "180d"
teams_from = "github_teams"

[[github.deployments]]
repositories = ["acme/docs"]
from = "merges"

[[github.deployments]]
repositories = ["acme/app"]
from = "releases"

[[github.deployments]]
repositories = ["acme/lib"]
from = "tags"

[[github.deployments]]
repositories = ["acme/etl"]
from = "workflow_runs"
workflow = "deploy.yml"

[[github.deployments]]
repositories = ["acme/*"]
from = "deployments"

[github.incidents]
labels = ["incident"]
"#;

/// A repository for each way to deploy, a team, and an incident.
fn world() -> World {
    let mut world = empty();
    for name in ["docs", "app", "lib", "etl", "shop"] {
        let key = repository(&mut world, name);
        let workflow = world.workflow(key, "deploy.yml", "Deploy", hours_ago(24 * 20));
        for step in 0..3 {
            let opened = hours_ago(14 * 24 - step * 72);
            let (_, landing) = merged(&mut world, key, &format!("Change {step} of {name}"), opened);
            let at = opened.plus(Span::from_hours(4));
            match name {
                "app" => drop(world.release(key, &format!("v{step}"), landing, at)),
                "lib" => world.push_tag(key, &format!("v{step}"), landing, true, at),
                "etl" => {
                    let run = world.start_run(workflow, "push", landing, at);
                    world.finish_run(run, Conclusion::Success, at.plus(Span::from_minutes(5)));
                }
                "shop" => drop(deploy(&mut world, key, landing, at)),
                _ => {}
            }
        }
        world.grant("payments", key, Access::Write);
    }
    let shop = world.find("acme/shop").unwrap();
    world.open_issue(shop, "Checkout is down", &["incident"], hours_ago(60));
    world.advance(now());
    world
}

fn toml() -> String {
    ACME.replace("\nhistory = \"180d\"\n", RULES)
}

/// What each component delivered in each window; what has never deployed is not there.
fn delivered(snapshot: &Snapshot) -> BTreeMap<String, Vec<Delivery>> {
    let values = snapshot.components.iter().map(|((_, component), values)| {
        let windows = values.windows.iter().filter_map(|window| window.delivery.clone());
        (component.as_str().to_owned(), windows.collect())
    });
    values.collect()
}

/// A read that lacks nothing, looked at so much later.
async fn undisturbed(later: Span) -> Arc<Snapshot> {
    let mut rig = Rig::new(world(), &toml()).await;
    rig.poll_github().await.unwrap();
    rig.later(later);
    rig.compute().await.snapshot
}

/// What there is without the permission is what there would be with it, and what nobody can know is not 0.
fn nothing_else_suffers(seen: &Snapshot, expected: &Snapshot, missing: &Missing) {
    let Missing { permission, spoils, .. } = missing;
    let (seen, expected) = (delivered(seen), delivered(expected));
    assert_eq!(expected.len(), 5);
    for (name, expected) in &expected {
        let seen = seen.get(name).cloned().unwrap_or_default();
        let count = |windows: &[Delivery]| windows.iter().map(|one| one.deployments).collect::<Vec<_>>();
        assert!(count(expected)[2] >= 3, "{name}");
        if spoils.contains(&name.as_str()) {
            assert_eq!(count(&seen), [0; 0], "{name} without {permission:?}: unknown is not 0");
        } else {
            assert_eq!(count(&seen), count(expected), "{name} without {permission:?}");
        }
    }
}

/// A first read that lacks the permission, polls during which it stays so, and what is there after it is granted.
async fn taken_and_granted(mut rig: Rig, missing: &Missing, grant: impl FnOnce(&mut Identities)) {
    let Missing { permission, said, .. } = missing;
    rig.poll_github().await.unwrap();
    let refused = rig.own(FORBIDDEN.0, &FORBIDDEN.1).unwrap();
    assert!(refused > 0.0, "{permission:?} was never missed");
    let mut asked = rig.servers.github.tally.requests();
    for minute in 0..4 {
        let told = rig.told();
        let named = told.iter().filter(|words| words.contains(said)).count();
        assert_eq!(named, 1, "{permission:?} at minute {minute}: {told:#?}");
        assert_eq!(told.len(), 1, "{permission:?}: nothing else is wrong: {told:#?}");
        assert_eq!(rig.own("sextant_source_backfill_complete", &["acme-github"]), Some(0.0));
        rig.later(Span::from_minutes(1));
        rig.poll_github().await.unwrap();
        let requests = rig.servers.github.tally.requests() - asked;
        assert!(requests <= 8, "{permission:?}: {requests} {:?}", rig.servers.github.tally.by_operation());
        asked += requests;
    }
    assert_eq!(rig.own(FORBIDDEN.0, &FORBIDDEN.1), Some(refused), "{permission:?} was asked for again");
    let passed = rig.now().since(now());
    let (seen, expected) = (rig.compute().await.snapshot, undisturbed(passed).await);
    nothing_else_suffers(&seen, &expected, missing);

    rig.servers.identities.tell(grant);
    rig.later(Span::from_hours(1));
    for _ in 0..3 {
        rig.poll_github().await.unwrap();
        rig.later(Span::from_minutes(1));
    }
    assert_eq!(rig.told(), Vec::<String>::new(), "{permission:?}");
    assert_eq!(rig.own("sextant_source_backfill_complete", &["acme-github"]), Some(1.0), "{permission:?}");
    let passed = rig.now().since(now());
    let (seen, expected) = (rig.compute().await.snapshot, undisturbed(passed).await);
    assert_eq!(seen.organization, expected.organization, "{permission:?}");
    assert_eq!(seen.teams, expected.teams, "{permission:?}");
    assert_eq!(seen.components, expected.components, "{permission:?}");
}

#[tokio::test]
async fn each_permission_that_a_token_lacks_is_told_once_and_complete_when_it_is_granted() {
    for missing in &EACH {
        let token = |permissions| Token::fine_grained("pat", "cleo", "acme", permissions);
        let lacking = Identities::of_token(token(Permissions::to_read().without(missing.permission)));
        let options = Options { github_identities: lacking, ..Options::default() };
        let rig = Rig::with(world(), &toml(), options).await;
        rig.replace_token("github", "pat");
        let granted = |it: &mut Identities| *it = Identities::of_token(token(Permissions::to_read()));
        Box::pin(taken_and_granted(rig, missing, granted)).await;
    }
}

#[tokio::test]
async fn each_permission_that_an_app_lacks_is_told_once_and_complete_when_it_is_granted() {
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github-app/private-key.pem");
    let sign_in = format!("app_id = 77\nprivate_key_file = \"{}\"", key.display());
    for missing in &EACH {
        let lacking = Permissions::to_read().without(missing.permission);
        let app = App::new(77, "sextant", PUBLIC_KEY).installed(Installation::new(1, "acme", lacking));
        let options = Options { github_identities: Identities::of_app(app), ..Options::default() };
        let toml = toml().replace("token_file = \"{directory}/github-token\"", &sign_in);
        let rig = Rig::with(world(), &toml, options).await;
        let all = |it: &mut Identities| it.installation_mut(1).unwrap().permissions = Permissions::to_read();
        Box::pin(taken_and_granted(rig, missing, all)).await;
    }
}
