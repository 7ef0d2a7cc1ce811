//! A token that may read one organisation and not another, or repositories and not teams.

use std::sync::Arc;

use sextant::demo::identity::{Identities, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::organization::Permission;
use sextant::engine::snapshot::{RepositoryState, Snapshot};
use sextant::model::time::Span;

use crate::rig::{ACME, Rig, organization, team};
use crate::stage::{deploy, hours_ago, merged, now, small};

fn token(scopes: &[&str]) -> Token {
    Token::classic("ghp-secret", "cleo", scopes)
}

async fn rig(world: World, toml: &str, token: Token) -> Rig {
    let options = Options { github_identities: Identities::of_token(token), ..Options::default() };
    let rig = Rig::with(world, toml, options).await;
    rig.replace_token("github", "ghp-secret");
    rig
}

fn deployments(snapshot: &Snapshot) -> u64 {
    organization(snapshot, "90d").delivery.clone().unwrap().deployments
}

fn news(rig: &Rig, repository: &str) {
    rig.world.tell(|world| {
        let key = world.find(repository).unwrap();
        let at = world.now;
        let (_, landing) = merged(world, key, "News", at.minus(Span::from_hours(3)));
        deploy(world, key, landing, at.minus(Span::from_minutes(30)));
    });
}

#[tokio::test]
async fn without_the_scope_for_teams_those_of_the_configuration_still_own() {
    let teams = "
[[teams]]
name = \"shoppers\"
repositories = [\"acme/shop\"]
";
    let toml =
        ACME.replace("history = \"180d\"", "history = \"180d\"\nteams_from = \"github_teams\"") + teams;
    let world = || {
        let mut world = small();
        let pay = world.find("acme/pay").unwrap();
        world.grant("payments", pay, Permission::Write);
        world
    };
    let mut rig = rig(world(), &toml, token(&["repo"])).await;
    let mut usual = Rig::new(world(), &toml).await;
    let (seen, expected) = (rig.look().await, usual.look().await);
    let told = rig.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("['read:org']"), "what to grant: {told:#?}");
    assert_eq!(seen.organization.windows[2].delivery, expected.organization.windows[2].delivery);
    assert_eq!(team(&seen, "shoppers", "90d"), team(&expected, "shoppers", "90d"));
    assert!(team(&seen, "shoppers", "90d").delivery.is_some());
    assert!(team(&expected, "payments", "90d").delivery.is_some());
    assert!(!seen.teams.keys().any(|team| team.as_str() == "payments"), "nobody knows what it holds");

    // It is granted, and taken away again: what is known stays.
    for (scopes, problems) in [(&["repo", "read:org"][..], 0), (&["repo"], 1)] {
        rig.servers.identities.tell(|it| it.tokens = vec![token(scopes)]);
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
        usual.later(rig.now().since(usual.now()));
        let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
        assert_eq!(seen.teams, expected.teams, "{scopes:?}");
        assert_eq!(rig.told().len(), problems, "{scopes:?}: {:#?}", rig.told());
    }
}

/// The small world, and a second organisation with a repository of its own.
fn two_organizations() -> World {
    let mut world = small();
    world.found("globex", hours_ago(24 * 300));
    let key = world.repository("globex/reactor", hours_ago(24 * 30));
    world.push(key, "vera", "Initial commit", hours_ago(24 * 30), hours_ago(24 * 30));
    let first = world.head(key).unwrap();
    deploy(&mut world, key, first, hours_ago(24 * 29));
    world.advance(now());
    world
}

async fn compared(rig: &mut Rig, usual: &mut Rig) -> (Arc<Snapshot>, Arc<Snapshot>) {
    usual.later(rig.now().since(usual.now()));
    (rig.compute().await.snapshot, usual.compute().await.snapshot)
}

#[tokio::test]
async fn single_sign_on_of_one_organization_is_told_with_what_to_do_and_the_other_is_read() {
    let toml = ACME.replace("organizations = [\"acme\"]", "organizations = [\"acme\", \"globex\"]");
    let unauthorized = || {
        let mut token = token(&["repo", "read:org"]);
        token.without_single_sign_on = vec!["globex".to_owned()];
        token
    };
    let mut rig = rig(two_organizations(), &toml, unauthorized()).await;
    let mut usual = Rig::new(two_organizations(), &toml).await;
    usual.poll_github().await.unwrap();
    for minute in 0..5 {
        let asked = rig.servers.github.tally.requests();
        rig.poll_github().await.unwrap();
        let asked = rig.servers.github.tally.requests() - asked;
        assert!(minute == 0 || asked == 1, "{asked} requests in minute {minute}");
        is_told(&rig);
        rig.later(Span::from_minutes(1));
    }
    let (seen, expected) = compared(&mut rig, &mut usual).await;
    assert_eq!(deployments(&seen), deployments(&expected) - 1);

    // Somebody authorizes it.
    rig.servers.identities.tell(|it| it.tokens = vec![token(&["repo", "read:org"])]);
    rig.later(Span::from_minutes(10));
    rig.poll_github().await.unwrap();
    assert_eq!(rig.told(), Vec::<String>::new());
    let (seen, expected) = compared(&mut rig, &mut usual).await;
    assert_eq!(seen.components, expected.components);

    // And takes it back: what is known stays, and the other organisation is followed.
    rig.servers.identities.tell(|it| it.tokens = vec![unauthorized()]);
    rig.later(Span::from_hours(1));
    news(&rig, "acme/shop");
    news(&rig, "globex/reactor");
    for minute in 0..5 {
        let asked = rig.servers.github.tally.requests();
        rig.poll_github().await.unwrap();
        let asked = rig.servers.github.tally.requests() - asked;
        assert!(minute == 0 || asked <= 2, "{asked} requests in minute {minute}");
        is_told(&rig);
        rig.later(Span::from_minutes(1));
    }
    let after = rig.compute().await.snapshot;
    assert_eq!(deployments(&after), deployments(&seen) + 1);
    let lost = ("acme-github".into(), RepositoryState::Inaccessible);
    assert_eq!(after.repositories.get(&lost).copied().unwrap_or_default(), 0, "it is there");
}

fn is_told(rig: &Rig) {
    let told = rig.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("globex demands single sign-on") && told[0].contains("Configure SSO"),
        "{told:?}"
    );
}
