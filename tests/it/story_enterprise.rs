//! An enterprise server: what it says of its version and what it does not, and an App that reads everything there.

use std::path::Path;
use std::time::Duration;

use sextant::demo::faults::{Fault, Which};
use sextant::demo::generate::generate;
use sextant::demo::github::Enterprise;
use sextant::demo::identity::{App, Identities, Installation, Permissions};
use sextant::demo::serve::Options;
use sextant::engine::snapshot::Snapshot;
use sextant::model::time::{Span, Timestamp};

use crate::rig::{ACME, Rig, organization};
use crate::stage::small;
use crate::story_numbers::{NOW, example_toml};

const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
/// What only young servers understand.
const YOUNG: &str = "enableDuplicate";
/// More requests than any of these stories makes.
const MANY: u32 = 10_000;

fn at_enterprise(toml: &str) -> String {
    let token = "api_url = \"{github}\"";
    assert!(toml.contains(token), "{toml}");
    toml.replace(token, "api_url = \"{github}/api/v3\"")
}

fn server(version: &str, missing_arguments: Vec<&'static str>) -> Options {
    let enterprise = Enterprise { version: version.to_owned(), missing_arguments, ..Enterprise::default() };
    Options { github_enterprise: Some(enterprise), ..Options::default() }
}

/// Makes the requests that use the young word countable, without changing them.
struct Young(u32);

impl Young {
    fn begin(rig: &Rig) -> Self {
        rig.servers.github.faults.next(MANY, Which::Mentions(YOUNG.to_owned()), Fault::Late(Duration::ZERO));
        Self(rig.servers.github.faults.pending())
    }

    /// How many there were.
    fn count(&self, rig: &Rig) -> u32 {
        self.0 - rig.servers.github.faults.pending()
    }
}

fn deployments(snapshot: &Snapshot) -> u64 {
    organization(snapshot, "90d").delivery.clone().unwrap().deployments
}

#[tokio::test]
async fn a_server_that_does_not_say_its_version_is_the_oldest_until_it_does() {
    let toml = at_enterprise(&incidents_of_github(ACME));
    let mut world = small();
    let shop = world.find("acme/shop").unwrap();
    world.open_issue(shop, "Checkout is down", &["incident"], crate::stage::hours_ago(30));
    world.advance(crate::stage::now());
    let mut usual = Rig::new(world.clone(), &incidents_of_github(ACME)).await;
    let seen = usual.look().await;
    let expected = deployments(&seen);
    for (version, young) in [("3.19.1", vec![]), ("3.12.4", vec!["(enableDuplicate: Boolean = false)"])] {
        let is_old = !young.is_empty();
        let mut rig = Rig::with(world.clone(), &toml, server(version, young)).await;
        let counted = Young::begin(&rig);
        let meta = || Which::Path("/api/v3/meta".to_owned());
        rig.servers.github.faults.always(meta(), Fault::status(404, "Not Found"));
        let seen = rig.look().await;
        assert_eq!(deployments(&seen), expected, "{version}");
        assert_eq!(counted.count(&rig), 0, "{version}: nobody knows whether it understands");

        // It answers: a younger one is asked in the words of its own.
        rig.servers.github.faults.clear();
        let counted = Young::begin(&rig);
        issue(&rig, "Search is slow");
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
        assert_eq!(counted.count(&rig) > 0, !is_old, "{version}");

        // It answers no more: what is known of it stays.
        rig.servers.github.faults.always(meta(), Fault::status(404, "Not Found"));
        let before = counted.count(&rig);
        issue(&rig, "Pay is slow");
        rig.later(Span::from_hours(1));
        rig.poll_github().await.unwrap();
        assert_eq!(counted.count(&rig) > before, !is_old, "{version}");
        assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(1.0));
        assert_eq!(rig.told(), Vec::<String>::new());
    }
}

/// The table of incidents belongs to that of GitHub, which comes before that of PagerDuty.
fn incidents_of_github(toml: &str) -> String {
    toml.replace("\n[[pagerduty]]", "\n[github.incidents]\nlabels = [\"incident\"]\n\n[[pagerduty]]")
}

fn issue(rig: &Rig, title: &str) {
    rig.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        let at = world.now;
        world.open_issue(shop, title, &["incident"], at);
    });
}

#[tokio::test]
async fn an_app_on_an_enterprise_server_reads_all_ways_to_deploy() {
    let world = || generate(7, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world()).replace("history = \"180d\"", "history = \"40d\"");
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github-app/private-key.pem");
    let sign_in = format!("app_id = 77\nprivate_key_file = \"{}\"", key.display());
    let as_app = at_enterprise(&toml).replace("token_file = \"{directory}/github-token\"", &sign_in);
    let app =
        App::new(77, "sextant", PUBLIC_KEY).installed(Installation::new(1, "acme", Permissions::to_read()));
    let options = Options { github_identities: Identities::of_app(app), ..server("3.19.1", vec![]) };
    let mut rig = Rig::with(world(), &as_app, options).await;
    let mut usual = Rig::new(world(), &toml).await;
    for rig in [&mut rig, &mut usual] {
        rig.poll_github().await.unwrap();
        assert_eq!(rig.told(), Vec::<String>::new());
        rig.later(Span::from_seconds(1));
    }
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    assert_eq!(seen.organization, expected.organization);
    assert_eq!(seen.teams, expected.teams);
    assert_eq!(seen.components, expected.components);
    let runs = seen.components.iter().find(|((_, component), _)| component.as_str() == "etl");
    assert!(runs.unwrap().1.windows[1].delivery.is_some(), "runs deploy it");
}
