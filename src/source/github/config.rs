//! What a GitHub source is told: `[[github]]` with `[github.incidents]`, parsed and validated.
//!
//! The configuration makes it; nothing here reads a file or the environment. Which attempts count is the owner's
//! business; a source asks its rules only for what has to be read.

use std::sync::Arc;

use regex::Regex;

use crate::model::name::{RepositoryName, SourceName};
use crate::model::secret::Credential;
use crate::model::settings::{OwnershipRules, RepositoryPatterns, TeamsFrom};
use crate::model::time::Span;

/// A GitHub source. Meaning, units and defaults are those of `[[github]]` in `config/sextant.example.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, unique over all sources.
    pub name: SourceName,
    /// Where its REST API is, without a slash at the end: `https://api.github.com`, `https://HOST/api/v3`.
    pub api_url: String,
    /// How requests are signed.
    pub sign_in: SignIn,
    /// Certificates, in PEM, of authorities that are trusted besides those of the system; `None`: no others.
    pub ca_pem: Option<Vec<u8>>,
    /// The owners whose repositories are listed: `organizations`, and the owners of patterns with wildcards.
    pub organizations: Vec<String>,
    /// Which repositories are read. The whole truth: `organizations = ["acme"]` is in here as `acme/*`.
    pub repositories: RepositoryPatterns,
    /// The repositories that are asked for by name, since a pattern without wildcards names them. `repositories`
    /// decides over these too.
    pub exact_repositories: Vec<RepositoryName>,
    /// Time from the beginning of one poll to the beginning of the next.
    pub poll_interval: Span,
    /// How far back the first read goes.
    pub history: Span,
    /// Whether archived repositories are read.
    pub include_archived: bool,
    /// Whether forks are read.
    pub include_forks: bool,
    /// Who owns what the configuration does not say; teams are only read for `GithubTeams`.
    pub teams_from: TeamsFrom,
    /// The share of the rate limit that it may use: above 0, at most 1.
    pub budget: f64,
    /// Logins that match one of these are bots (`metrics.bots`), besides accounts of type Bot and `…[bot]`.
    pub bots: Vec<Regex>,
    /// Which issues are incidents; `None`: none.
    pub incidents: Option<IssueRules>,
    /// How deployments of its repositories are found, and which of them have several components.
    pub ownership: Arc<OwnershipRules>,
}

/// How requests are signed.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// By a personal access token, classic or fine-grained.
    Token(Credential),
    /// As a GitHub App, by tokens of its installations.
    App(App),
}

/// A GitHub App.
#[derive(Debug, Clone)]
pub struct App {
    /// Its number, or its client id: `12345`, `Iv23…`.
    pub id: String,
    /// Its private key, in PEM.
    pub private_key: Credential,
    /// The installation that is used; `None`: every one that the App has.
    pub installation: Option<u64>,
}

/// Which issues are incidents, and how severe: `[github.incidents]`.
#[derive(Debug, Clone)]
pub struct IssueRules {
    /// An issue with one of these labels is an incident. Empty: every issue is.
    pub labels: Vec<String>,
    /// What it captures as `severity` in the first label that matches is the severity; `None`: severity `none`.
    pub severity_label: Option<Regex>,
}
