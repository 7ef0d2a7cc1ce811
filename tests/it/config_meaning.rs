//! What a configuration means once it is valid.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what they need this way")]

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use sextant::config::{Config, Store, summary};
use sextant::model::name::RepositoryName;
use sextant::model::secret::Credential;
use sextant::model::settings::{DeployedBy, DeploymentsFrom, FailOn, Standing, TeamsFrom};
use sextant::model::time::Span;
use sextant::source::github::config::{Config as Github, SignIn};

use crate::config_errors::environment;

const SUMMARY: &str = r"organization acme, calendar days in UTC
store        sqlite:data/sextant.db
server       127.0.0.1:9469, reached as http://127.0.0.1:9469
  push         with a token from env SEXTANT_PUSH_TOKEN
  webhooks     of GitHub, signed by the secret from env GITHUB_WEBHOOK_SECRET
windows      7d, 30d, 90d; at most 200000 series
source       acme-github: GitHub at https://api.github.com, every 1m, 180d of history
  signs in     with a token from env GITHUB_TOKEN
  trusts       the system's authorities, and 1 of ca_file
  repositories acme/*, acme-labs/*, !acme/sandbox-*
  owners       this configuration, then GitHub's teams
  incidents    issues labelled incident
  deployments  acme/pay-*, acme/checkout: GitHub Deployments to environments ^(prod|production|live)([-_/ ].*)?$
  deployments  acme/app: releases tagged ^v\d
  deployments  acme/library: tags ^v\d
  deployments  acme/web-*: runs of deploy.yml on main by push
  deployments  acme/handbook: merges
  deployments  acme/firmware: what is pushed
  deployments  */*: GitHub Deployments to environments ^(prod|production|live)([-_/ ].*)?$
source       labs-github: GitHub at https://api.github.com, every 1m, 180d of history
  signs in     as the App 12345, installation 67890, key from file /etc/sextant/github-app.pem
  repositories acme-labs/*
  owners       this configuration alone
  deployments  */*: GitHub Deployments to environments ^(prod|production|live)([-_/ ].*)?$
source       acme-pagerduty: PagerDuty at https://api.pagerduty.com, every 1m, 180d of history
  signs in     with a token from env PAGERDUTY_TOKEN
  trusts       the system's authorities, and 1 of ca_file
  urgencies    high
  but not      titles that match (?i)\b(test|drill)\b
team         payments: repositories acme/pay-*; GitHub teams payments; PagerDuty services PABC123
component    checkout: acme/checkout in services/checkout/** and lib/**, team payments, environments ^prod-checkout$, PagerDuty services PDEF456
component    basket: acme/checkout in services/basket/**, runs of deploy-basket.yml on main by push
component    checkout-client: acme/checkout in client/**, tags ^client-v
quiet        2026-08-01 to 2026-08-31, a day is worth 0.75: *
accepted     payments: lead_time from 2026-05-01: audit gate introduced, https://wiki.acme.example/audit-gate
raised       payments: deployments_per_day regressed from 4.2
guardrail    change-fail: change_fail_ratio max 0.15 over 30d, n 10 or more: *
guardrail    change-fail: change_fail_ratio max 0.1 over 30d, n 10 or more: payments
guardrail    lead-time: lead_time p90 max 21d over 90d, n 35 or more: *
guardrail    deploys: deployments_per_day min 0.1 over 90d, n 0 or more: *, !unowned
prometheus   http://127.0.0.1:9090, every 1m
  signs in     with a token from env PROMETHEUS_TOKEN
  trusts       the system's authorities, and 1 of ca_file
north star   checkout-conversion: from 0.031 to 0.04 by 2027-03-31, read by acme_checkout_conversion_ratio
signal       refund-requests of payments: from 14 to 8 by 2027-03-31, read by 1000 * sum(rate(acme_refunds_total[7d])) / sum(rate(acme_payments_total[7d]))
";

const SMALLEST: &str = "[organization]\nname = \"acme\"\n\
                        [[github]]\nname = \"gh\"\ntoken_env = \"GITHUB_TOKEN\"\norganizations = [\"acme\"]\n";

fn parse(text: &str) -> Config {
    Config::parse(text, "sextant.toml", &environment).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn secret(credential: &Credential) -> String {
    credential.secret().unwrap().expose_secret().to_owned()
}

fn token(github: &Github) -> &Credential {
    match &github.sign_in {
        SignIn::Token(token) => token,
        SignIn::App(app) => panic!("an App: {app:?}"),
    }
}

#[test]
fn the_smallest_configuration_has_the_defaults_of_the_specification() {
    let config = parse(SMALLEST);
    assert_eq!(config.store, Store::Sqlite(PathBuf::from("data/sextant.db")));
    assert_eq!(config.server.listen, "127.0.0.1:9469".parse().unwrap());
    assert_eq!(config.server.external_url, "http://127.0.0.1:9469");
    assert_eq!(config.max_series, 200_000);
    let github = &config.github[0];
    assert_eq!(github.api_url, "https://api.github.com");
    assert_eq!(github.poll_interval, Span::from_seconds(60));
    assert_eq!(github.history, Span::from_days(180));
    assert!(!github.include_archived && !github.include_forks && github.bots.is_empty());
    assert_eq!(github.teams_from, TeamsFrom::Config);
    assert!((github.budget - 0.8).abs() < f64::EPSILON);
    assert!(github.incidents.is_none());
    assert_eq!(secret(token(github)), "ghp_s3cr3t");
}

#[test]
fn every_setting_arrives() {
    let config =
        parse(&crate::config_example::all_switched_on().replace(
            "fail_on = [\"incident\", \"rollback\", \"revert\", \"hotfix\"]",
            "fail_on = [\"revert\"]",
        ));
    assert_eq!(config.metrics.fail_on, [FailOn::Revert]);
    let filter = &config.metrics.incident_filters[&"acme-pagerduty".into()];
    assert_eq!(filter.urgencies.as_deref(), Some(&["high".to_owned()][..]));
    assert!(filter.exclude_title.as_ref().unwrap().is_match("Fire DRILL"));
    assert_eq!(filter.standing, Standing::Primary);
    assert_eq!(secret(&config.pagerduty[0].credential), "pd+s3cr3t");
    let issues = config.github[0].incidents.as_ref().unwrap();
    assert_eq!(issues.labels, ["incident"]);
    let severity = issues.severity_label.as_ref().unwrap().captures("sev-2").unwrap();
    assert_eq!(&severity["severity"], "2");
    let team = &config.ownership.teams[0];
    assert_eq!(team.github_teams, ["payments"]);
    let info: Vec<_> = team.info.iter().map(|(label, value)| format!("{label}={value}")).collect();
    assert_eq!(info, ["link_runbook=https://wiki.acme.example/payments", "name=payments", "slack=#payments"]);
    let component = &config.ownership.components[0];
    assert_eq!(component.team, Some("payments".into()));
    assert_eq!(component.pagerduty_services, ["PDEF456".into()]);
    let Some(DeployedBy::Environment(environment)) = &component.deployed_by else {
        panic!("{:?}", component.deployed_by);
    };
    assert!(environment.is_match("Prod-Checkout"));
}

#[test]
fn a_source_reads_what_organizations_and_patterns_take_in() {
    type Names = &'static [&'static str];
    let rows: [(&str, Names, Names, Names, Names); 4] = [
        ("organizations = [\"acme\"]", &["acme"], &[], &["acme/shop", "Acme/Pay"], &["other/shop"]),
        (
            "organizations = [\"acme\"]\nrepositories = [\"!acme/x-*\", \"other/shop\"]",
            &["acme"],
            &["other/shop"],
            &["acme/shop", "other/shop"],
            &["acme/x-1", "other/pay"],
        ),
        (
            "repositories = [\"acme/pay-*\", \"acme/shop\", \"Acme/lib\"]",
            &["acme"],
            &["acme/shop", "Acme/lib"],
            &["acme/pay-1", "acme/lib"],
            &["acme/other"],
        ),
        (
            "organizations = [\"acme\"]\nrepositories = [\"ACME/*\", \"labs/*\"]",
            &["acme", "labs"],
            &[],
            &["labs/x", "acme/x"],
            &["other/x"],
        ),
    ];
    for (keys, organizations, exact, read, not_read) in rows {
        let text = SMALLEST.replace("organizations = [\"acme\"]", keys);
        let github = parse(&text).github.remove(0);
        assert_eq!(github.organizations, organizations, "{keys}");
        let names: Vec<_> = github.exact_repositories.iter().map(RepositoryName::as_str).collect();
        assert_eq!(names, exact, "{keys}");
        for name in read {
            assert!(github.repositories.matches(&(*name).into()), "{keys}: {name}");
        }
        for name in not_read {
            assert!(!github.repositories.matches(&(*name).into()), "{keys}: {name}");
        }
    }
}

#[test]
fn a_repository_that_no_rule_matches_deploys_to_production() {
    let text = format!(
        "{SMALLEST}[[github.deployments]]\nrepositories = [\"acme/book\"]\nfrom = \"merges\"\n\
         [[github.deployments]]\nrepositories = [\"acme/pay-*\"]\nenvironment = \"^blue$\"\n\
         [[github]]\nname = \"two\"\ntoken_env = \"GITHUB_TOKEN\"\norganizations = [\"acme\"]\n"
    );
    let rules = parse(&text).ownership.deployments;
    let first = |source: &str, repository: &str| {
        let rule = rules
            .iter()
            .find(|rule| rule.source.as_str() == source && rule.repositories.matches(&repository.into()));
        match &rule.unwrap().from {
            DeploymentsFrom::Merges => "merges".to_owned(),
            DeploymentsFrom::Deployments(environment) => environment.to_string(),
            other @ (DeploymentsFrom::Releases(_)
            | DeploymentsFrom::Tags(_)
            | DeploymentsFrom::WorkflowRuns(_)
            | DeploymentsFrom::Push) => format!("{other:?}"),
        }
    };
    assert_eq!(first("gh", "acme/book"), "merges");
    assert_eq!(first("gh", "acme/pay-1"), "^blue$");
    assert_eq!(first("gh", "acme/shop"), "^(prod|production|live)([-_/ ].*)?$");
    assert_eq!(first("two", "acme/book"), "^(prod|production|live)([-_/ ].*)?$");
}

#[test]
fn slugs_are_lower_case_with_hyphens() {
    for (name, slug) in [
        ("payments", "payments"),
        ("Ship It!", "ship-it"),
        ("  a".trim(), "a"),
        ("_organization", "organization"),
        ("Zahlung & Kürzel 2", "zahlung-kürzel-2"),
        ("決済", "決済"),
        ("a--b__c", "a-b-c"),
    ] {
        let config = parse(&format!("{SMALLEST}[[teams]]\nname = \"{name}\"\n"));
        assert_eq!(config.ownership.teams[0].slug.as_str(), slug, "{name}");
        assert_eq!(config.ownership.teams[0].name, name);
    }
}

#[test]
fn a_component_names_its_team_by_name_or_slug() {
    for team in ["Ship It!", "ship-it", "SHIP IT"] {
        let config = parse(&format!(
            "{SMALLEST}[[teams]]\nname = \"Ship It!\"\n\
             [[components]]\nname = \"shop\"\nrepository = \"acme/shop\"\nteam = \"{team}\"\n"
        ));
        assert_eq!(config.ownership.components[0].team, Some("ship-it".into()), "{team}");
    }
}

#[test]
fn addresses_have_no_slash_at_their_end() {
    for (written, read) in [
        ("https://github.acme.example/api/v3/", "https://github.acme.example/api/v3"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("HTTPS://API.GitHub.com/", "https://api.github.com"),
    ] {
        let config = parse(&format!("{SMALLEST}api_url = \"{written}\"\n"));
        assert_eq!(config.github[0].api_url, read);
    }
}

#[test]
fn a_secret_file_is_read_again_when_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "one\n").unwrap();
    let line = format!("token_file = '{}'", path.display());
    let config = parse(&SMALLEST.replace("token_env = \"GITHUB_TOKEN\"", &line));
    let credential = token(&config.github[0]);
    assert_eq!(secret(credential), "one");
    std::fs::write(&path, "another").unwrap();
    assert_eq!(secret(credential), "another");
    std::fs::write(&path, " ").unwrap();
    let reason = credential.secret().unwrap_err();
    assert_eq!(reason, format!("the secret file {} is empty", path.display()));
    std::fs::remove_file(&path).unwrap();
    let reason = credential.secret().unwrap_err();
    assert_eq!(reason, format!("the secret file {} cannot be read: entity not found", path.display()));
    assert!(!format!("{config:?}").contains("another"));
}

#[test]
fn a_file_is_loaded_or_said_to_be_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sextant.toml");
    let told = |path: &Path| Config::load(path).unwrap_err().to_string();
    assert_eq!(told(&path), format!("{}: cannot be read: entity not found", path.display()));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(told(&path), format!("{}: cannot be read: invalid data", path.display()));
    std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(told(&path), format!("{}: cannot be read: file too large", path.display()));
    std::fs::write(&path, SMALLEST.replace("GITHUB_TOKEN", "SEXTANT_TEST_IS_NOT_SET")).unwrap();
    assert!(told(&path).starts_with(&format!("{}:5:13: github[0].token_env:", path.display())));
    // A variable that cargo sets for every test.
    std::fs::write(&path, SMALLEST.replace("GITHUB_TOKEN", "CARGO_PKG_NAME")).unwrap();
    assert_eq!(Config::load(&path).unwrap().organization, "acme");
}

#[test]
fn the_summary_tells_what_was_understood() {
    let text = summary(&parse(&crate::config_example::all_switched_on()));
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/secrets/");
    assert_eq!(text.replace(files, "/etc/sextant/"), SUMMARY);
}

#[test]
fn every_kind_of_rule_arrives() {
    type Row = (&'static str, &'static str);
    let rows: [Row; 9] = [
        ("from = \"tags\"", "Tags(None)"),
        ("from = \"tags\"\ntag = '^v'", "Tags(Some(Regex(\"^v\")))"),
        ("from = \"releases\"", "Releases(ReleaseRule { tag: None, prereleases: LeftOut })"),
        (
            "from = \"releases\"\ntag = '^v'\nprereleases = true",
            "Releases(ReleaseRule { tag: Some(Regex(\"^v\")), prereleases: Included })",
        ),
        (
            "from = \"workflow_runs\"\nworkflow = \".github/workflows/Deploy.yml\"\nbranch = \"refs/heads/Main\"",
            "WorkflowRuns(RunRule { workflow: \"deploy.yml\", branch: Some(\"Main\"), event: None })",
        ),
        (
            "from = \"workflow_runs\"\nworkflow = \"CI / Deploy\"\nevent = \"workflow_dispatch\"",
            "WorkflowRuns(RunRule { workflow: \"ci / deploy\", branch: None, event: Some(\"workflow_dispatch\") })",
        ),
        ("from = \"merges\"", "Merges"),
        ("from = \"push\"", "Push"),
        ("environment = '^x'", "Deployments(Regex(\"^x\"))"),
    ];
    for (keys, expected) in rows {
        let text = format!(
            "{SMALLEST}[[github.deployments]]\n{keys}\n[server.push]\ntoken_env = \"SEXTANT_PUSH_TOKEN\"\n"
        );
        let config = parse(&text);
        assert_eq!(format!("{:?}", config.ownership.deployments[0].from), expected);
        assert_eq!(secret(&config.server.push.unwrap().token), "push-s3cr3t-0123456789");
    }
}

#[test]
fn an_app_signs_in_by_its_key_and_its_name_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.pem");
    let pem = |key: &str| format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----");
    std::fs::write(&path, pem("s3cr3t") + "\n").unwrap();
    for (id, read) in [("7", "7"), ("\"7\"", "7"), ("\"Iv1.8a61f9b3a7aba766\"", "Iv1.8a61f9b3a7aba766")] {
        let lines = format!("app_id = {id}\nprivate_key_file = '{}'", path.display());
        let config = parse(&SMALLEST.replace("token_env = \"GITHUB_TOKEN\"", &lines));
        let SignIn::App(app) = &config.github[0].sign_in else {
            panic!("{:?}", config.github[0].sign_in);
        };
        assert_eq!((app.id.as_str(), app.installation), (read, None));
        assert_eq!(app.private_key.identity(), format!("file {}", path.display()));
        assert_eq!(secret(&app.private_key), pem("s3cr3t"));
        std::fs::write(&path, pem("another s3cr3t")).unwrap();
        assert_eq!(secret(&app.private_key), pem("another s3cr3t"));
        std::fs::write(&path, "s3cr3t").unwrap();
        let reason = app.private_key.secret().unwrap_err();
        assert_eq!(reason, format!("the secret file {} holds no RSA private key in PEM", path.display()));
        std::fs::write(&path, pem("s3cr3t") + "\n").unwrap();
        assert!(!format!("{config:?}{}", summary(&config)).contains("s3cr3t"));
    }
}

#[test]
fn one_repository_may_be_several_components() {
    let part = |name: &str, keys: &str| {
        format!("[[components]]\nname = \"{name}\"\nrepository = \"acme/mono\"\n{keys}\n")
    };
    let config = parse(
        &[
            SMALLEST,
            &part("whole", ""),
            &part("eu", "environment = \"^prod-eu$\""),
            &part("us", "environment = \"^prod-us$\""),
            &part("cli", "tag = \"^cli-\""),
            &part("a", "paths = [\"a/**\"]"),
            &part("b", "paths = [\"b/**\", \"lib/*.rs\"]"),
        ]
        .concat(),
    );
    let touched: Vec<_> = config
        .ownership
        .components
        .iter()
        .filter(|rule| rule.paths.as_ref().is_some_and(|paths| paths.touch(&["lib/x.rs".to_owned()])))
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(touched, ["b"]);
    assert_eq!(config.ownership.components.len(), 6);
}

#[test]
fn a_credential_is_called_by_where_it_comes_from() {
    let config = parse(SMALLEST);
    assert_eq!(token(&config.github[0]).identity(), "env GITHUB_TOKEN");
    assert_eq!(format!("{:?}", token(&config.github[0])), "Credential(env GITHUB_TOKEN)");
}
