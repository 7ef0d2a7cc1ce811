//! `check --online`: what it says of a source that is well, and of each that is not, with what mends it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use sextant::clock::{Clock, SharedClock};
use sextant::config::Config;
use sextant::demo::github::Enterprise;
use sextant::demo::identity::{App, Identities, Installation, Permission, Permissions, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::pull::Proposal;
use sextant::model::time::Timestamp;
use sextant::source::report::Report;
use sextant::source::{github, pagerduty};

use super::demo_stage::{Stage, acme, ago, now};

const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
const PRIVATE_KEY_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/github-app/private-key.pem");
const TOKEN: &str = "token_env = \"T\"";

#[derive(Debug)]
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0.datetime()
    }
}

fn clock() -> SharedClock {
    Arc::new(Still(now()))
}

/// One repository for each way to deploy, two that show nothing, an archived one.
fn world() -> World {
    let mut world = acme();
    for name in ["pay-api", "pay-web", "shop", "docs", "tools", "jobs", "old"] {
        let key = world.repository(&format!("acme/{name}"), ago(100));
        world.at_mut(key).private = true;
        let commit = world.push(key, "grace", "Begin", ago(90), ago(90));
        world.open_pull(key, Proposal::new("Change", "grace"), ago(80));
        match name {
            "pay-api" => drop(world.release(key, "v1", commit, ago(70))),
            "pay-web" => drop(world.draft_release(key, "v2", commit, ago(70))),
            "shop" => drop(world.deploy(key, commit, "production", ago(70))),
            "docs" => {
                world.deploy(key, commit, "staging", ago(70));
                world.deploy(key, commit, "preview", ago(69));
            }
            "jobs" => {
                let workflow = world.workflow(key, "deploy.yml", "Deploy", ago(60));
                world.start_run(workflow, "push", commit, ago(50));
            }
            "old" => world.archive(key, ago(40)),
            _ => {}
        }
    }
    world.team("acme", "payments", ago(40));
    world.advance(now());
    world
}

fn toml(api_url: &str, sign_in: &str, rest: &str) -> String {
    format!(
        r#"
[organization]
name = "acme"

[[github]]
name = "acme-github"
api_url = "{api_url}"
{sign_in}
organizations = ["acme"]
teams_from = "github_teams"
{rest}
[[github.deployments]]
repositories = ["acme/pay-*"]
from = "releases"
tag = "^v"

[[github.deployments]]
repositories = ["acme/jobs", "acme/pay-api"]
from = "workflow_runs"
workflow = "deploy.yml"

[[github.deployments]]
repositories = ["acme/*"]
from = "deployments"
environment = "^prod"

[github.incidents]
labels = ["incident"]
"#
    )
}

async fn tried(api_url: &str, sign_in: &str, token: &str, rest: &str) -> Report {
    let variable = |_: &str| Some(token.to_owned());
    let config = Config::parse(&toml(api_url, sign_in, rest), "t.toml", &variable).unwrap();
    github::inspect::inspect(&config.github[0], clock()).await
}

/// The report, without what is another one each time.
fn shown(report: &Report, url: &str) -> String {
    report.to_string().replace(url, "http://github")
}

async fn with_token(token: Token) -> (Report, String) {
    let secret = token.secret.clone();
    let identities = Identities::of_token(token);
    let stage = Stage::with(world(), Options { github_identities: identities, ..Options::default() }).await;
    let url = stage.servers.github.url.clone();
    let report = tried(&url, TOKEN, &secret, "").await;
    let text = shown(&report, &url);
    assert!(!text.contains(&secret), "{text}");
    assert!(!text.contains("grace"), "{text}");
    assert!(stage.servers.github.tally.requests() <= 30, "{}", stage.servers.github.tally.requests());
    (report, text)
}

#[tokio::test]
async fn a_good_token_may_read_everything_and_each_rule_says_what_it_matches() {
    let (report, text) = with_token(Token::classic("ghp-secret", "grace", &["repo", "read:org"])).await;
    assert_eq!(report.faults(), 0, "{text}");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_missing_permission_is_named_with_the_way_to_grant_it() {
    let permissions = Permissions::to_read().without(Permission::Actions).without(Permission::Deployments);
    let (report, text) = with_token(Token::fine_grained("pat", "grace", "acme", permissions)).await;
    assert_eq!(report.faults(), 2, "{text}");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn an_enterprise_server_says_its_version_and_may_have_no_limits() {
    let enterprise =
        Enterprise { version: "3.19.1".to_owned(), rate_limiting: false, ..Enterprise::default() };
    let options = Options { github_enterprise: Some(enterprise), ..Options::default() };
    let token = options.github_token.clone();
    let stage = Stage::with(world(), options).await;
    let url = format!("{}/api/v3", stage.servers.github.url);
    let report = tried(&url, TOKEN, &token, "").await;
    assert_eq!(report.faults(), 0, "{report}");
    insta::assert_snapshot!(shown(&report, &stage.servers.github.url));
}

#[tokio::test]
async fn an_app_is_tried_in_each_installation() {
    let mut labs = Installation::new(2, "labs", Permissions::to_read());
    labs.suspended_at = Some(ago(5));
    let app = App::new(77, "sextant", PUBLIC_KEY)
        .installed(Installation::new(1, "acme", Permissions::to_read().without(Permission::Issues)))
        .installed(labs);
    let mut world = world();
    world.found("labs", ago(200));
    let identities = Identities::of_app(app);
    let stage = Stage::with(world, Options { github_identities: identities, ..Options::default() }).await;
    let url = &stage.servers.github.url;
    let sign_in = format!("app_id = 77\nprivate_key_file = {PRIVATE_KEY_FILE:?}");
    let report = tried(url, &sign_in, "", "").await;
    assert_eq!(report.faults(), 2, "{report}");
    insta::assert_snapshot!(shown(&report, url));
}

#[tokio::test]
async fn whatever_is_in_the_way_is_said_with_what_mends_it() {
    let mut unsigned = Token::classic("sso", "grace", &["repo", "read:org"]);
    unsigned.without_single_sign_on = vec!["acme".to_owned()];
    let narrow = Token::classic("narrow", "grace", &["repo"]);
    let identities = Identities::new(vec![unsigned, narrow], Vec::new());
    let stage = Stage::with(world(), Options { github_identities: identities, ..Options::default() }).await;
    let url = &stage.servers.github.url;
    let good = Options::default().github_token;
    let nobody = "http://127.0.0.1:9";
    let nowhere = "repositories = [\"nowhere/*\"]";
    let archived = "repositories = [\"!acme/[a-n]*\", \"!acme/[p-z]*\"]";
    for (api_url, token, rest, expected) in [
        (url.as_str(), "wrong", "", "signs in     no"),
        (url.as_str(), "wrong", "", "make a new token in GitHub and put it into env T"),
        (nobody, good.as_str(), "", "reached      no"),
        (url.as_str(), "sso", "", "single sign-on of acme"),
        (url.as_str(), "narrow", "", "give the token the scope read:org"),
        (url.as_str(), good.as_str(), nowhere, "no organization or user \"nowhere\""),
        (url.as_str(), good.as_str(), archived, "none of 7 is read; left out: 1 archived, 6 not meant"),
    ] {
        let report = tried(api_url, TOKEN, token, rest).await;
        assert!(report.faults() > 0, "{report}");
        let text = report.to_string();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains(token), "{text}");
    }
}

#[tokio::test]
async fn pagerduty_is_tried_with_one_request() {
    let mut world = world();
    let service = world.service("checkout", None, ago(100));
    world.open_incident(service, "Checkout is down", ago(10));
    let stage = Stage::of(world).await;
    let url = &stage.servers.pagerduty.url;
    let good = Options::default().pagerduty_token;
    for (token, faults, expected) in
        [(good.as_str(), 0, "1 in the last 30 days"), ("wrong", 1, "make a new REST API key in PagerDuty")]
    {
        let text = format!(
            "[organization]\nname = \"acme\"\n[[pagerduty]]\nname = \"pd\"\napi_url = \"{url}\"\n{TOKEN}\n"
        );
        let variable = |_: &str| Some(token.to_owned());
        let config = Config::parse(&text, "t.toml", &variable).unwrap();
        let report = pagerduty::inspect::inspect(&config.pagerduty[0], clock()).await;
        assert_eq!(report.faults(), faults, "{report}");
        assert!(report.to_string().contains(expected), "{report}");
        assert_eq!(report.services.len(), 1 - faults);
    }
    assert_eq!(stage.servers.pagerduty.tally.requests(), 2);
}

/// Runs the command with this token; its exit code and all that it printed.
async fn check(directory: &Path, url: &str, token: &str) -> (Option<i32>, String) {
    let file = directory.join("sextant.toml");
    std::fs::write(&file, toml(url, TOKEN, "")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.arg("check").arg("--config").arg(&file).arg("--online").env("T", token);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn the_command_exits_with_0_if_all_is_well_and_with_1_if_not() {
    let stage = Stage::of(world()).await;
    let directory = tempfile::tempdir().unwrap();
    let url = &stage.servers.github.url;
    let (code, text) = check(directory.path(), url, &Options::default().github_token).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("permissions  ok"), "{text}");
    let (code, text) = check(directory.path(), url, "wrong").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("1 to mend"), "{text}");
}
