//! The life of an App: its tokens are revoked, its installations come and go, its key is replaced.

use sextant::demo::faults::{Fault, Which};
use sextant::demo::identity::{App, Identities, Installation, Permissions};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::engine::snapshot::{RepositoryState, Snapshot};
use sextant::http::Reason;
use sextant::model::time::Span;
use sextant::source::PollError;

use crate::rig::{ACME, Rig, organization};
use crate::stage::{deploy, hours_ago, merged, now, small};

const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
const PRIVATE_KEY: &str = include_str!("../fixtures/github-app/private-key.pem");
const SECOND_PUBLIC_KEY: &str = include_str!("../fixtures/github-app/second-public-key.pem");
const SECOND_PRIVATE_KEY: &str = include_str!("../fixtures/github-app/second-private-key.pem");

/// An App's configuration, and the file with its key.
struct Signing {
    toml: String,
    key: tempfile::NamedTempFile,
}

fn signing(organizations: &str) -> Signing {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), PRIVATE_KEY).unwrap();
    let sign_in = format!("app_id = 77\nprivate_key_file = \"{}\"", key.path().display());
    let toml = ACME
        .replace("token_file = \"{directory}/github-token\"", &sign_in)
        .replace("organizations = [\"acme\"]", organizations);
    Signing { toml, key }
}

fn app(installations: &[(u64, &str)]) -> Options {
    let app = installations.iter().fold(App::new(77, "sextant", PUBLIC_KEY), |app, (id, organization)| {
        app.installed(Installation::new(*id, organization, Permissions::to_read()))
    });
    Options { github_identities: Identities::of_app(app), ..Options::default() }
}

/// What an installation may spend in an hour: enough for a first read.
const POINTS: u64 = 60;
const BOTH: &str = "organizations = [\"acme\", \"globex\"]";
const ACME_ALONE: &str = "organizations = [\"acme\"]";

/// The small world and a second organisation; everything is private.
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
    let keys: Vec<_> = world.keys().collect();
    for key in keys {
        world.at_mut(key).private = true;
    }
    world.advance(now());
    world
}

fn news(rig: &Rig, repository: &str) {
    rig.world.tell(|world| {
        let key = world.find(repository).unwrap();
        let at = world.now;
        let (_, landing) = merged(world, key, "News", at.minus(Span::from_hours(3)));
        deploy(world, key, landing, at.minus(Span::from_minutes(30)));
    });
}

fn deployments(snapshot: &Snapshot) -> u64 {
    organization(snapshot, "90d").delivery.clone().unwrap().deployments
}

fn failures(rig: &Rig, reason: &str) -> f64 {
    rig.own("sextant_source_request_failures_total", &["acme-github", reason]).unwrap()
}

#[tokio::test]
async fn a_token_that_is_revoked_in_mid_poll_is_replaced_once() {
    let signing = signing(ACME_ALONE);
    let mut rig = Rig::with(two_organizations(), &signing.toml, app(&[(1, "acme")])).await;
    let before = rig.look().await;
    rig.later(Span::from_minutes(10));
    for name in ["acme/shop", "acme/pay", "acme/search"] {
        news(&rig, name);
    }
    let (github, identities) = (std::sync::Arc::clone(&rig.servers.github), rig.servers.identities.clone());
    let probes = move || github.tally.by_operation().get("Probe").copied().unwrap_or(0);
    let seen = probes();
    let revoking = async {
        while probes() == seen {
            tokio::task::yield_now().await;
        }
        identities.tell(|it| it.revoke("ghs_77_simulated.1.000001"));
    };
    let (polled, ()) = tokio::join!(rig.poll_github(), revoking);
    assert!(matches!(polled, Err(PollError::Source(failure)) if failure.reason == Reason::Auth));
    assert!((1.0..=2.0).contains(&failures(&rig, "auth")), "{}", failures(&rig, "auth"));
    assert_eq!(rig.servers.identities.lock().mints(), 1);

    rig.later(Span::from_minutes(2));
    for _ in 0..5 {
        rig.poll_github().await.unwrap();
        rig.later(Span::from_minutes(1));
    }
    assert_eq!(rig.servers.identities.lock().mints(), 2, "one new token, and no more");
    assert_eq!(deployments(&rig.compute().await.snapshot), deployments(&before) + 3);
}

#[tokio::test]
async fn an_app_that_is_installed_anew_is_found_within_minutes_and_has_its_history() {
    let signing = signing(ACME_ALONE);
    let mut rig = Rig::with(two_organizations(), &signing.toml, app(&[(1, "acme")])).await;
    let before = rig.look().await;
    rig.later(Span::from_minutes(10));
    rig.servers.identities.tell(|it| {
        it.uninstall(1);
        it.apps[0].installations.push(Installation::new(9, "acme", Permissions::to_read()));
    });
    news(&rig, "acme/shop");
    let mut polls = 0;
    while rig.poll_github().await.is_err() {
        polls += 1;
        assert!(polls <= 3, "the other installation is not found");
        assert_eq!(
            rig.compute().await.snapshot.organization.windows.len(),
            before.organization.windows.len()
        );
        rig.later(Span::from_minutes(2));
    }
    assert!(polls > 0, "nobody was uninstalled");
    rig.later(Span::from_minutes(1));
    let after = rig.look().await;
    assert_eq!(deployments(&after), deployments(&before) + 1);
    assert_eq!(rig.told(), Vec::<String>::new());
}

#[tokio::test]
async fn one_organization_may_leave_an_app_and_come_back() {
    let signing = signing(BOTH);
    let mut rig = Rig::with(two_organizations(), &signing.toml, app(&[(1, "acme"), (2, "globex")])).await;
    let before = rig.look().await;
    rig.servers.identities.tell(|it| it.uninstall(2));
    news(&rig, "acme/shop");
    for _ in 0..4 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let told = rig.told();
    let named = told.iter().filter(|words| words.contains("not installed in globex: install it")).count();
    assert_eq!(named, 1, "{told:#?}");
    let left = rig.compute().await.snapshot;
    assert_eq!(deployments(&left), deployments(&before) + 1, "what was known of globex stays");
    let lost = |snapshot: &Snapshot| {
        let state = ("acme-github".into(), RepositoryState::Inaccessible);
        snapshot.repositories.get(&state).copied().unwrap_or_default()
    };
    assert_eq!(lost(&left), 1);

    let again = Installation::new(9, "globex", Permissions::to_read());
    rig.servers.identities.tell(|it| it.apps[0].installations.push(again));
    news(&rig, "globex/reactor");
    for _ in 0..3 {
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
    }
    let back = rig.compute().await.snapshot;
    assert_eq!((deployments(&back), lost(&back)), (deployments(&left) + 1, 0));
    assert_eq!(rig.told(), Vec::<String>::new());
}

#[tokio::test]
async fn an_installation_whose_budget_is_used_up_does_not_stop_the_other() {
    let signing = signing(BOTH);
    let installed = || app(&[(1, "acme"), (2, "globex")]);
    let mut options = installed();
    options.github_identities.apps[0].installations[1].points_per_hour = POINTS;
    let mut rig = Rig::with(two_organizations(), &signing.toml, options).await;
    let mut usual = Rig::with(two_organizations(), &signing.toml, installed()).await;
    for rig in [&mut rig, &mut usual] {
        rig.poll_github().await.unwrap();
        rig.later(Span::from_minutes(10));
        news(rig, "acme/shop");
        news(rig, "globex/reactor");
    }
    // Somebody else who is the same installation uses up its hour.
    let client = reqwest::Client::builder().no_proxy().user_agent("somebody else").build().unwrap();
    for _ in 0..POINTS {
        let request = client.post(format!("{}/graphql", rig.servers.github.url));
        let request = request.bearer_auth("ghs_77_simulated.2.000002");
        let answer = request.body("{\"query\": \"{ rateLimit { used } }\"}").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    for rig in [&mut rig, &mut usual] {
        rig.poll_github().await.unwrap();
        rig.later(Span::from_minutes(1));
    }
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    let of = |snapshot: &Snapshot, name: &str| {
        let found = snapshot.components.iter().find(|((_, component), _)| component.as_str() == name);
        found.map(|(_, values)| values.clone())
    };
    for name in ["shop", "pay", "search"] {
        assert_eq!(of(&seen, name), of(&expected, name), "{name}");
    }
    assert_ne!(of(&seen, "reactor"), of(&expected, "reactor"), "nothing is left to see it with");
    assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(1.0));
    assert_eq!(rig.told().len(), 1, "{:#?}", rig.told());

    rig.later(Span::from_minutes(61));
    rig.poll_github().await.unwrap();
    usual.later(rig.now().since(usual.now()));
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    assert_eq!(seen.organization, expected.organization);
    assert_eq!(seen.components, expected.components);
}

#[tokio::test]
async fn a_key_that_is_replaced_in_its_file_is_used_from_then_on() {
    let signing = signing(ACME_ALONE);
    let mut rig = Rig::with(two_organizations(), &signing.toml, app(&[(1, "acme")])).await;
    let before = rig.look().await;
    // The old key is deleted at GitHub; tokens that it signed for are good until they end.
    rig.servers.identities.tell(|it| it.apps[0].public_key = SECOND_PUBLIC_KEY.to_owned());
    rig.later(Span::from_hours(2));
    let Err(PollError::Source(failure)) = rig.poll_github().await else { panic!("the old key is good") };
    assert_eq!(failure.reason, Reason::Auth);
    assert!(failure.what.contains("the private key is not one of the App 77"), "{failure}");
    assert_eq!(deployments(&rig.compute().await.snapshot), deployments(&before), "the last values stay");

    std::fs::write(signing.key.path(), SECOND_PRIVATE_KEY).unwrap();
    news(&rig, "acme/shop");
    rig.later(Span::from_minutes(2));
    let refused = failures(&rig, "auth");
    for _ in 0..4 {
        rig.poll_github().await.unwrap();
        rig.later(Span::from_hours(1));
    }
    assert!((failures(&rig, "auth") - refused).abs() < 0.5, "nobody signs by the old key any more");
    assert_eq!(deployments(&rig.compute().await.snapshot), deployments(&before) + 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_told_and_used_until_it_ends() {
    let signing = signing(ACME_ALONE);
    let mut rig = Rig::with(two_organizations(), &signing.toml, app(&[(1, "acme")])).await;
    let before = rig.look().await;
    let minting = || Which::Path("/app/installations/1/access_tokens".to_owned());
    rig.servers.github.faults.always(minting(), Fault::status(502, "Bad gateway"));
    rig.later(Span::from_minutes(57));
    news(&rig, "acme/shop");
    rig.poll_github().await.unwrap();
    let told = rig.told();
    let named =
        told.iter().filter(|words| words.contains("a token that ends soon could not be renewed")).count();
    assert_eq!((named, told.len()), (1, 1), "{told:#?}");
    assert_eq!(deployments(&rig.compute().await.snapshot), deployments(&before) + 1, "it goes on");

    rig.later(Span::from_minutes(4));
    let Err(PollError::Source(failure)) = rig.poll_github().await else { panic!("it has ended") };
    assert_eq!(failure.reason, Reason::Server);
    rig.servers.github.faults.clear();
    rig.later(Span::from_minutes(2));
    rig.poll_github().await.unwrap();
    assert_eq!(rig.told(), Vec::<String>::new());
    assert_eq!(rig.servers.identities.lock().mints(), 4, "two of them never reached us");
}
