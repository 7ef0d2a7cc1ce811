//! The configuration: TOML text becomes a validated [`Config`], or everything that is wrong with it at once.
//!
//! This is the only reader of the environment and of secret files. A key or a value that means nothing yet is
//! refused, never ignored. Each section has a file below this one; `reader` walks through the document, `value`
//! has what sections share. `config/sextant.example.toml` documents every key, and tests keep it true.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use crate::clock::{Clock as _, SystemClock};
use crate::model::day::Day;
use crate::model::secret::Credential;
use crate::model::settings::{IncidentFilter, MetricSettings, OwnershipRules, TeamsFrom};
use crate::model::signal::SignalRule;
use crate::model::time::{Span, Timestamp};
use crate::source::github::config::Config as GithubConfig;
use crate::source::pagerduty::config::Config as PagerdutyConfig;
use crate::source::promql::config::Config as PromqlConfig;
use reader::{Once, Problems, Table};
use roster::Roster;

mod components;
mod error;
mod general;
mod github;
mod guardrails;
mod history;
mod holidays;
mod ics;
mod pagerduty;
mod reader;
mod regressions;
mod roster;
mod rules;
mod secret;
mod server;
mod sign_in;
mod signals;
mod source;
mod summary;
mod teams;
mod value;

pub use error::{ConfigError, ConfigErrors, Place};
pub use summary::summary;

/// Looks up a variable of the process's environment; `None` if it is not set.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A larger file is not a configuration.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Sections whose behaviour comes later.
const LATER_SECTIONS: [&str; 3] = ["jira", "incident_io", "http_json"];

/// What the daemon is told, complete and consistent. Meaning and defaults: `config/sextant.example.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the organisation is called.
    pub organization: String,
    /// How measures are computed.
    pub metrics: MetricSettings,
    /// So many series are exposed at most.
    pub max_series: usize,
    /// Who owns what, and how it is deployed.
    pub ownership: OwnershipRules,
    /// Where facts are kept.
    pub store: Store,
    /// Where metrics are served.
    pub server: Server,
    /// How history is read.
    pub history: History,
    /// The GitHub sources, in order.
    pub github: Vec<GithubConfig>,
    /// The PagerDuty sources, in order.
    pub pagerduty: Vec<PagerdutyConfig>,
    /// Where north stars and signals with a query are read.
    pub prometheus: Option<PromqlConfig>,
    /// North stars, then signals, each in order.
    pub signals: Vec<SignalRule>,
}

/// Where facts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In a SQLite file; a relative path is relative to the working directory.
    Sqlite(PathBuf),
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// How history is read: `[history]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// From one instant to the next, for readers who ask for no step of their own.
    pub resolution: Span,
}

/// Where metrics are served.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// How others reach it, for links; without a slash at the end.
    pub external_url: String,
    /// What others may tell us; `None`: nothing.
    pub push: Option<Push>,
}

/// What others may tell us, and how they sign in: `[server.push]`.
#[derive(Debug, Clone)]
pub struct Push {
    /// The bearer token of the push API and of `/-/reload`.
    pub token: Credential,
    /// What GitHub signs its webhooks with; `None`: they are not accepted.
    pub github_webhook_secret: Option<Credential>,
}

impl Config {
    /// Reads a configuration file, the environment, and the secret files that it names.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let file = path.display().to_string();
        let text = secret::read_limited(path, CONFIG_BYTES_MAX)
            .map_err(|error| ConfigErrors::unreadable(&file, format!("cannot be read: {}", error.kind())))?;
        Self::parse(&text, &file, &system_variables)
    }

    /// Reads a configuration out of `text`; `file` is what errors call it. Secret files that it names are read.
    pub fn parse(text: &str, file: &str, variables: &Variables<'_>) -> Result<Self, ConfigErrors> {
        Self::parse_at(text, file, variables, SystemClock.now().into())
    }

    /// The same at another instant: some days must not be in the future.
    pub fn parse_at(
        text: &str,
        file: &str,
        variables: &Variables<'_>,
        now: Timestamp,
    ) -> Result<Self, ConfigErrors> {
        let problems = Problems::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        note_syntax(&problems, text, &errors);
        let config = if errors.is_empty() {
            sections(Table::document(document.get_ref(), &problems), variables, now)
        } else {
            None
        };
        match (config, problems.into_errors(file)) {
            (Some(config), None) => Ok(config),
            (_, Some(errors)) => Err(errors),
            // Whatever is not read says why; this is for the day on which it does not.
            (None, None) => Err(ConfigErrors::unreadable(file, "not understood".to_owned())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "config is the module that reads the environment, here alone")]
fn system_variables(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Notes where the text is no TOML: the first error of each line, since the others follow from it.
fn note_syntax(problems: &Problems<'_>, text: &str, errors: &[toml::de::Error]) {
    let mut line = None;
    for error in errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        let at = Place::of(text, offset).line;
        if line != Some(at) {
            problems.note(offset, None, format!("not valid TOML: {}", error.message()), None);
        }
        line = Some(at);
    }
}

fn sections(mut document: Table<'_>, variables: &Variables<'_>, now: Timestamp) -> Option<Config> {
    let organization = general::organization(&mut document);
    let store = general::store(&mut document);
    let server::Read { server, has_push } = server::server(&mut document, variables);
    let mut metrics = general::metrics(&mut document);
    let history = history::history(&mut document);
    let mut names = Once::default();
    let github = document.tables("github");
    let pagerduty = document.tables("pagerduty");
    let sources_come_later = document.later(&LATER_SECTIONS);
    if !sources_come_later && !document.has("github") && !document.has("pagerduty") {
        document.refuse(
            "there is no source to read from",
            Some("add `[[github]]` with `name`, `token_env` and `organizations`"),
        );
    }
    let github: Vec<_> = github
        .into_iter()
        .map(|table| github::github(table, &mut names, &metrics.bots, has_push, variables))
        .collect();
    let pagerduty: Vec<_> =
        pagerduty.into_iter().map(|table| pagerduty::pagerduty(table, &mut names, variables)).collect();
    // A source that is wrong may be the one that reads GitHub's teams; nothing is said of it twice.
    let reads_teams = |source: &github::Github| source.config.teams_from == TeamsFrom::GithubTeams;
    let github_teams_are_read = github.iter().any(|source| source.as_ref().is_none_or(reads_teams));
    let teams = teams::teams(&mut document, github_teams_are_read);
    let components = components::components(&mut document, teams.as_deref());
    let zone = organization.as_ref().map(|(_, timezone)| *timezone).unwrap_or_default();
    let roster = Roster { teams: teams.as_deref(), others_are_read: github_teams_are_read };
    let regressions = regressions::regressions(&mut document, roster, Day::of(now, zone));
    let guardrails = guardrails::guardrails(&mut document, roster, &metrics.settings.windows);
    let prometheus = signals::prometheus(&mut document, &mut names, variables);
    let ways = signals::Ways { prometheus: document.has("prometheus"), push: has_push, roster, zone };
    let signals = signals::signals(&mut document, ways);
    document.finish();

    let (organization, timezone) = organization?;
    metrics.settings.timezone = timezone;
    metrics.settings.regressions = regressions?;
    metrics.settings.guardrails = guardrails?;
    let mut ownership =
        OwnershipRules { teams: teams?, components: components?, ..OwnershipRules::default() };
    let mut github_configs = Vec::new();
    for source in github {
        let source = source?;
        github_configs.push(register(source, &mut ownership, &mut metrics.settings));
    }
    let mut pagerduty_configs = Vec::new();
    for source in pagerduty {
        let (config, filter) = source?;
        metrics.settings.incident_filters.insert(config.name.clone(), filter);
        pagerduty_configs.push(config);
    }
    let shared = Arc::new(ownership.clone());
    for config in &mut github_configs {
        config.ownership = Arc::clone(&shared);
    }
    Some(Config {
        organization,
        metrics: metrics.settings,
        max_series: metrics.max_series,
        ownership,
        store: store?,
        server: server?,
        history: history?,
        github: github_configs,
        pagerduty: pagerduty_configs,
        prometheus,
        signals: signals?,
    })
}

/// Notes in the rules what a source says about ownership and incidents; returns what remains for the source itself.
fn register(
    source: github::Github,
    ownership: &mut OwnershipRules,
    settings: &mut MetricSettings,
) -> GithubConfig {
    let github::Github { config, deployments } = source;
    let name = || config.name.clone();
    ownership.deployments.extend(deployments);
    ownership.teams_from.insert(name(), config.teams_from);
    ownership.collected.insert(name(), config.repositories.clone());
    if config.incidents.is_some() {
        let filter = IncidentFilter::default();
        settings.incident_filters.insert(name(), filter);
    }
    config
}
