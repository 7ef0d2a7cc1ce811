//! The configuration with which the real daemon reads the example organisation.

use std::path::Path;

use super::generate::{
    MONOREPO, ORGANIZATION, PARTS, RELEASING, RUNNING, SHARED, TAGGING, TEAMS, WORKFLOW_FILE, service_name,
};
use super::world::World;

/// What the configuration must name, besides what the world knows.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// Where the simulated GitHub is.
    pub github_url: &'a str,
    /// Where the simulated `PagerDuty` is.
    pub pagerduty_url: &'a str,
    /// A file with the token of GitHub.
    pub github_token_file: &'a Path,
    /// A file with the token of `PagerDuty`.
    pub pagerduty_token_file: &'a Path,
    /// Where the daemon shall listen.
    pub listen: &'a str,
    /// Where it shall store: `sqlite:…`.
    pub store_url: &'a str,
    /// How often it shall poll: `5s`.
    pub poll_interval: &'a str,
}

/// The configuration, in TOML. `PagerDuty` services that are not called like their repository are mapped by id.
pub fn config_toml(world: &World, paths: &Paths<'_>) -> String {
    let mut tables = vec![
        table("[organization]", &[text("name", ORGANIZATION), text("timezone", "Europe/Berlin")]),
        table("[store]", &[text("url", paths.store_url)]),
        table("[server]", &[text("listen", paths.listen)]),
        table("[metrics]", &[list("windows", &["7d", "30d", "90d"]), list("bots", &["^renovate"])]),
    ];
    tables.extend(github(paths));
    tables.push(pagerduty(paths));
    for habits in &TEAMS {
        let lines = [text("name", habits.team), list("github_teams", &[habits.team])];
        tables.push(table("[[teams]]", &lines));
    }
    let services = world.repositories.iter().filter(|repository| repository.archived_at.is_none());
    tables.extend(services.flat_map(|repository| {
        let service = service_name(&repository.name);
        let key = world.service_named(&service).filter(|_| service != repository.name);
        let id = key.and_then(|key| world.pagerduty.service(key)).map(|service| service.id.as_str());
        components(&repository.name, &repository.name_with_owner(), id)
    }));
    tables.join("\n")
}

/// What must be said of a repository: its parts, the first of which is paged; else its service, if it has one.
fn components(name: &str, repository: &str, service: Option<&str>) -> Vec<String> {
    let paged = |service: &str| list("pagerduty_services", &[service]);
    let repository = text("repository", repository);
    if name != MONOREPO {
        let whole = |service| table("[[components]]", &[text("name", name), repository, paged(service)]);
        return service.map(whole).into_iter().collect();
    }
    let mut service = service;
    let part = |directory: &&str| {
        let (_, part) = directory.rsplit_once('/').unwrap_or(("", directory));
        let paths = [format!("{directory}/**"), format!("{SHARED}/**")];
        let lines =
            [text("name", part), repository.clone(), list("paths", &paths.each_ref().map(String::as_str))];
        let lines: Vec<_> = lines.into_iter().chain(service.take().map(paged)).collect();
        table("[[components]]", &lines)
    };
    PARTS.iter().map(part).collect()
}

/// A rule for these repositories: where their deployments are found, and what more there is to say.
fn deployments(repositories: &[&str], from: &str, more: &[String]) -> String {
    let named: Vec<_> = repositories.iter().map(|name| format!("{ORGANIZATION}/{name}")).collect();
    let named: Vec<_> = named.iter().map(String::as_str).collect();
    let lines = [list("repositories", &named), text("from", from)];
    table("[[github.deployments]]", &[&lines, more].concat())
}

fn github(paths: &Paths<'_>) -> [String; 7] {
    [
        table(
            "[[github]]",
            &[
                text("name", "demo-github"),
                text("api_url", paths.github_url),
                text("token_file", &paths.github_token_file.to_string_lossy()),
                list("organizations", &[ORGANIZATION]),
                text("poll_interval", paths.poll_interval),
                text("history", "180d"),
                text("teams_from", "github_teams"),
            ],
        ),
        deployments(&["website"], "merges", &[]),
        deployments(&RELEASING, "releases", &[]),
        deployments(&TAGGING, "tags", &[text("tag", r"^v\d")]),
        deployments(&RUNNING, "workflow_runs", &[text("workflow", WORKFLOW_FILE), text("branch", "main")]),
        deployments(&["*"], "deployments", &[text("environment", "^prod")]),
        table(
            "[github.incidents]",
            &[list("labels", &["incident"]), text("severity_label", r"^sev[-:/ ]?(?<severity>\d)$")],
        ),
    ]
}

fn pagerduty(paths: &Paths<'_>) -> String {
    table(
        "[[pagerduty]]",
        &[
            text("name", "demo-pagerduty"),
            text("api_url", paths.pagerduty_url),
            text("token_file", &paths.pagerduty_token_file.to_string_lossy()),
            text("poll_interval", paths.poll_interval),
            list("urgencies", &["high"]),
            text("exclude_title", r"(?i)\b(test|drill)\b"),
            text("history", "180d"),
        ],
    )
}

fn table(name: &str, lines: &[String]) -> String {
    format!("{name}\n{}\n", lines.join("\n"))
}

fn text(key: &str, value: &str) -> String {
    format!("{key} = {}", toml::Value::String(value.to_owned()))
}

fn list(key: &str, values: &[&str]) -> String {
    let values = values.iter().map(|value| toml::Value::String((*value).to_owned()));
    format!("{key} = {}", toml::Value::Array(values.collect()))
}
