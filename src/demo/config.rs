//! The configuration with which the real daemon reads the example organisation.

use std::path::Path;

use super::generate::{ORGANIZATION, TEAMS, service_name};
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
    let mut text = head(paths);
    for habits in &TEAMS {
        let team = habits.team;
        text += &format!("\n[[teams]]\nname = \"{team}\"\ngithub_teams = [\"{team}\"]\n");
    }
    for repository in &world.repositories {
        let name = &repository.name;
        let service = service_name(name);
        if service == *name {
            continue;
        }
        let known = world
            .service_named(&service)
            .and_then(|key| world.pagerduty.service(key));
        if let (Some(known), None) = (known, repository.archived_at) {
            text += &format!(
                "\n[[components]]\nname = \"{name}\"\nrepository = \"{ORGANIZATION}/{name}\"\npagerduty_services = [\"{}\"]\n",
                known.id
            );
        }
    }
    text
}

fn head(paths: &Paths<'_>) -> String {
    let Paths {
        github_url,
        pagerduty_url,
        github_token_file,
        pagerduty_token_file,
        listen,
        store_url,
        poll_interval,
    } = paths;
    let mut text = String::new();
    let mut table = |name: &str, lines: &[String]| {
        let joined = lines.join("\n");
        let separator = if text.is_empty() { "" } else { "\n" };
        text += &format!("{separator}{name}\n{joined}\n");
    };
    let quoted = |key: &str, value: &str| format!("{key} = {}", toml::Value::String(value.to_owned()));
    let file = |path: &Path| quoted("token_file", &path.to_string_lossy());
    table(
        "[organization]",
        &[quoted("name", ORGANIZATION), quoted("timezone", "Europe/Berlin")],
    );
    table("[store]", &[quoted("url", store_url)]);
    table("[server]", &[quoted("listen", listen)]);
    table(
        "[metrics]",
        &[
            "windows = [\"7d\", \"30d\", \"90d\"]".to_owned(),
            "bots = [\"^renovate\"]".to_owned(),
        ],
    );
    table(
        "[[github]]",
        &[
            quoted("name", "demo-github"),
            quoted("api_url", github_url),
            file(github_token_file),
            format!("organizations = [\"{ORGANIZATION}\"]"),
            quoted("poll_interval", poll_interval),
            quoted("history", "180d"),
            quoted("teams_from", "github_teams"),
        ],
    );
    table(
        "[[github.deployments]]",
        &[
            format!("repositories = [\"{ORGANIZATION}/website\"]"),
            quoted("from", "merges"),
        ],
    );
    table(
        "[[github.deployments]]",
        &[
            format!("repositories = [\"{ORGANIZATION}/*\"]"),
            quoted("from", "deployments"),
            quoted("environment", "^prod"),
        ],
    );
    table(
        "[github.incidents]",
        &[
            "labels = [\"incident\"]".to_owned(),
            "severity_label = '^sev[-:/ ]?(?<severity>\\d)$'".to_owned(),
        ],
    );
    table(
        "[[pagerduty]]",
        &[
            quoted("name", "demo-pagerduty"),
            quoted("api_url", pagerduty_url),
            file(pagerduty_token_file),
            quoted("poll_interval", poll_interval),
            "urgencies = [\"high\"]".to_owned(),
            "exclude_title = '(?i)\\b(test|drill)\\b'".to_owned(),
            quoted("history", "180d"),
        ],
    );
    text
}
