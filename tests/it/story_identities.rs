//! Whom the daemon is at GitHub, end to end: an App in several organisations, an enterprise server, a token that may not
//! read everything.

use sextant::demo::github::Enterprise;
use sextant::demo::identity::{App, Identities, Installation, Permission, Permissions, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::pull::Proposal;
use sextant::engine::snapshot::{RepositoryState, Snapshot};
use sextant::model::time::Span;

use crate::rig::{ACME, Rig, organization};
use crate::stage::{deploy, hours_ago, merged, small};

const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
const PRIVATE_KEY_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/github-app/private-key.pem");
const APP: u64 = 77;

/// The small world, and a second organisation with a repository of its own.
fn two_organizations() -> World {
    let mut world = small();
    world.found("globex", hours_ago(24 * 300));
    let key = world.repository("globex/reactor", hours_ago(24 * 30));
    world.push(key, "vera", "Initial commit", hours_ago(24 * 30), hours_ago(24 * 30));
    let first = world.head(key).unwrap();
    deploy(&mut world, key, first, hours_ago(24 * 29));
    for step in 0..3 {
        let (_, landing) = merged(&mut world, key, &format!("Rod {step}"), hours_ago(200 - step * 48));
        deploy(&mut world, key, landing, hours_ago(190 - step * 48));
    }
    world.advance(crate::stage::now());
    world
}

fn app() -> App {
    App::new(APP, "sextant", PUBLIC_KEY)
        .installed(Installation::new(1, "acme", Permissions::to_read()))
        .installed(Installation::new(2, "globex", Permissions::to_read()))
}

fn as_app() -> String {
    let key = format!("app_id = {APP}\nprivate_key_file = {PRIVATE_KEY_FILE:?}");
    both().replace("token_file = \"{directory}/github-token\"", &key)
}

fn both() -> String {
    ACME.replace("organizations = [\"acme\"]", "organizations = [\"acme\", \"globex\"]")
}

fn options(identities: Identities) -> Options {
    Options { github_identities: identities, ..Options::default() }
}

fn deployments(snapshot: &Snapshot) -> u64 {
    organization(snapshot, "90d").delivery.clone().unwrap().deployments
}

#[tokio::test]
async fn an_app_in_two_organizations_reads_what_a_token_for_both_does() {
    let mut rig = Rig::with(two_organizations(), &as_app(), options(Identities::of_app(app()))).await;
    let seen = rig.look().await;
    let mut token = Rig::new(two_organizations(), &both()).await;
    let expected = token.look().await;
    assert_eq!(seen.organization, expected.organization);
    assert_eq!(seen.components, expected.components);

    // Its tokens last an hour; the polls of a day need one for each installation and hour, and not one more.
    let minted = rig.servers.identities.lock().mints();
    for _ in 0..24 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let minted = rig.servers.identities.lock().mints() - minted;
    assert!((40..=50).contains(&minted), "{minted} tokens in a day");
    assert_eq!(rig.own("sextant_source_request_failures_total", &["acme-github", "auth"]), Some(0.0));
}

#[tokio::test]
async fn a_suspended_installation_is_told_and_the_others_go_on() {
    let mut rig = Rig::with(two_organizations(), &as_app(), options(Identities::of_app(app()))).await;
    let before = rig.look().await;
    let now = rig.now();
    rig.servers.identities.tell(|it| it.installation_mut(2).unwrap().suspended_at = Some(now));
    rig.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        let (_, landing) = merged(world, shop, "News", hours_ago(4));
        deploy(world, shop, landing, hours_ago(1));
    });
    for _ in 0..4 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    rig.later(Span::from_seconds(1));
    let after = rig.compute().await.snapshot;
    assert_eq!(deployments(&after), deployments(&before) + 1, "what was known of globex stays");
    assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(1.0));

    // It is let in again.
    rig.servers.identities.tell(|it| it.installation_mut(2).unwrap().suspended_at = None);
    rig.world.tell(|world| {
        let reactor = world.find("globex/reactor").unwrap();
        let at = world.now;
        let (_, landing) = merged(world, reactor, "Back", at.minus(Span::from_hours(3)));
        deploy(world, reactor, landing, at.minus(Span::from_minutes(30)));
    });
    for _ in 0..3 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let back = rig.compute().await.snapshot;
    assert_eq!(deployments(&back), deployments(&after) + 1);
}

#[tokio::test]
async fn a_repository_that_moves_to_another_owner_keeps_its_history_in_another_lane() {
    let mut rig = Rig::with(two_organizations(), &as_app(), options(Identities::of_app(app()))).await;
    let before = rig.look().await;
    rig.world.tell(|world| {
        let pay = world.find("acme/pay").unwrap();
        world.rename(pay, "globex/pay", world.now);
        let (_, landing) = merged(world, pay, "Moved", hours_ago(4));
        deploy(world, pay, landing, hours_ago(1));
    });
    for _ in 0..4 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let after = rig.compute().await.snapshot;
    assert_eq!(deployments(&after), deployments(&before) + 1);
    let lost = after.repositories.get(&("acme-github".into(), RepositoryState::Inaccessible));
    assert_eq!(lost.copied().unwrap_or_default(), 0, "it can be read where it is now");
}

#[tokio::test]
async fn an_enterprise_server_without_limits_and_with_an_older_schema_gives_the_same_numbers() {
    let at = ACME.replace("api_url = \"{github}\"", "api_url = \"{github}/api/v3\"");
    let young = "(enableDuplicate: Boolean = false)";
    for (version, missing_arguments) in [("3.19.1", vec![]), ("3.12.4", vec![young]), ("", vec![young])] {
        let enterprise =
            Enterprise { version: version.to_owned(), missing_arguments, ..Enterprise::default() };
        let options = Options { github_enterprise: Some(enterprise), ..Options::default() };
        let mut rig = Rig::with(small(), &at, options).await;
        let seen = rig.look().await;
        let mut usual = Rig::new(small(), ACME).await;
        assert_eq!(seen.organization, usual.look().await.organization, "{version}");
        assert_eq!(rig.own("sextant_source_rate_limit", &["acme-github", "graphql"]), None, "there is none");
        assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(1.0));
    }
}

#[tokio::test]
async fn what_a_token_may_not_read_is_named_not_asked_again_and_not_zero() {
    let grant = |permissions| Token::fine_grained("pat", "cleo", "acme", permissions);
    let without = Permissions::to_read().without(Permission::Deployments);
    let mut world = small();
    let key = world.find("acme/shop").unwrap();
    let proposal = Proposal::new("Merged and not deployed", "uma").commit(hours_ago(9), "Work");
    world.open_pull(key, proposal, hours_ago(8));
    let mut rig = Rig::with(world, ACME, options(Identities::of_token(grant(without)))).await;
    rig.replace_token("github", "pat");
    rig.poll_github().await.unwrap();
    rig.later(Span::from_minutes(1));
    let asked = rig.servers.github.tally.requests();
    rig.poll_github().await.unwrap();
    let again = rig.servers.github.tally.requests() - asked;
    assert!(again <= 6, "{again} requests against a refusal that stands");
    let snapshot = rig.compute().await.snapshot;
    let known = organization(&snapshot, "30d").delivery.clone();
    assert!(known.is_none(), "nothing is known of deployments, which is not none: {known:?}");
    let forbidden = rig.own("sextant_source_request_failures_total", &["acme-github", "forbidden"]);
    assert!(forbidden > Some(0.0), "{forbidden:?}");

    rig.servers.identities.tell(|it| *it = Identities::of_token(grant(Permissions::to_read())));
    for _ in 0..3 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let granted = rig.compute().await.snapshot;
    let mut usual = Rig::new(small(), ACME).await;
    assert_eq!(deployments(&granted), deployments(&*usual.look().await));
}

/// What a token reads that lacks one permission, and what one reads that lacks none, after some polls.
async fn lacking(
    permission: Permission,
    rules: &str,
) -> (std::sync::Arc<Snapshot>, std::sync::Arc<Snapshot>, Rig) {
    let toml = ACME.replace("history = \"180d\"", &format!("history = \"180d\"\n{rules}"));
    let token = Token::fine_grained("pat", "cleo", "acme", Permissions::to_read().without(permission));
    let mut rig = Rig::with(small(), &toml, options(Identities::of_token(token))).await;
    rig.replace_token("github", "pat");
    rig.poll_github().await.unwrap();
    rig.later(Span::from_minutes(1));
    rig.poll_github().await.unwrap();
    rig.later(Span::from_seconds(1));
    let seen = rig.compute().await.snapshot;
    let mut usual = Rig::new(small(), &toml).await;
    usual.poll_github().await.unwrap();
    usual.later(rig.now().since(usual.now()));
    let expected = usual.compute().await.snapshot;
    (seen, expected, rig)
}

#[tokio::test]
async fn a_missing_permission_keeps_nothing_else_of_a_repository_from_being_read() {
    let incidents = "[github.incidents]\nlabels = [\"incident\"]\n";
    let (seen, expected, _) = lacking(Permission::Issues, incidents).await;
    assert_eq!(seen.components, expected.components, "without issues");
    let merges = "[[github.deployments]]\nfrom = \"merges\"\n";
    let (seen, expected, _) = lacking(Permission::Deployments, merges).await;
    assert!(deployments(&seen) > 0);
    assert_eq!(seen.components, expected.components, "without deployments, where merges deploy");
    let (seen, expected, rig) = lacking(Permission::PullRequests, "").await;
    assert_eq!(deployments(&seen), deployments(&expected), "without pull requests");
    let delivery = organization(&seen, "30d").delivery.clone().unwrap();
    assert_eq!(delivery.changes, 0, "none is known to be deployed");
    assert_eq!(rig.own("sextant_source_backfill_complete", &["acme-github"]), Some(0.0));
}

#[tokio::test]
async fn a_refusal_that_stands_is_not_asked_about_in_every_poll() {
    let (_, _, mut rig) = lacking(Permission::Issues, "[github.incidents]\nlabels = [\"incident\"]\n").await;
    let asked = rig.servers.github.tally.requests();
    for _ in 0..5 {
        rig.later(Span::from_minutes(1));
        rig.poll_github().await.unwrap();
    }
    let requests = rig.servers.github.tally.requests() - asked;
    assert_eq!(requests, 5, "one probe each, and nothing else");
}
