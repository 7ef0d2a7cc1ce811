//! `[[github]]` with `[github.incidents]`.

use std::sync::Arc;

use regex::Regex;
use reqwest::Url;

use super::Variables;
use super::reader::{Once, Table, Value, quoted};
use super::rules::{rule, rules};
use super::sign_in::sign_in;
use super::source::{api_url, ca_pem, history, poll_interval, source_name};
use super::value::{every, has_wildcards, is_exact};
use crate::model::name::RepositoryName;
use crate::model::settings::{DeploymentRule, RepositoryPatterns, TeamsFrom};
use crate::source::github::config::{Config, IssueRules};

/// Default of `api_url`.
const DEFAULT_API_URL: &str = "https://api.github.com";
/// Default of `budget`: what other tools of the same token need is left to them.
const DEFAULT_BUDGET: f64 = 0.8;
/// The group that `severity_label` captures.
const SEVERITY_GROUP: &str = "severity";

/// A GitHub source, and which of its repositories' deployments count.
pub(super) struct Github {
    pub(super) config: Config,
    pub(super) deployments: Vec<DeploymentRule>,
}

/// Reads one `[[github]]`; `has_push` tells whether deployments can be pushed.
pub(super) fn github(
    mut table: Table<'_>,
    names: &mut Once,
    bots: &[Regex],
    has_push: bool,
    variables: &Variables<'_>,
) -> Option<Github> {
    let name = source_name(&mut table, names);
    let api_url = api_url(&mut table, DEFAULT_API_URL, rest_problem);
    let sign_in = sign_in(&mut table, variables);
    let ca_pem = ca_pem(&mut table);
    let scope = scope(&mut table);
    let poll_interval = poll_interval(&mut table);
    let history = history(&mut table);
    let include_archived = table.boolean("include_archived", false);
    let include_forks = table.boolean("include_forks", false);
    let teams_from = table.optional("teams_from").map_or(Some(TeamsFrom::Config), |value| teams_from(&value));
    team_config_file(&mut table);
    let budget = table.optional("budget").map_or(Some(DEFAULT_BUDGET), |value| budget(&value));
    let deployments = table.tables("deployments").into_iter();
    let deployments: Vec<_> = deployments.map(|table| rule(table, has_push)).collect();
    let incidents = match table.table("incidents") {
        Some(incidents) => issue_rules(incidents).map(Some),
        None => Some(None),
    };
    table.finish();
    let (name, scope) = (name?, scope?);
    Some(Github {
        deployments: rules(&name, every(deployments.into_iter())?)?,
        config: Config {
            name,
            api_url: api_url?,
            sign_in: sign_in?,
            ca_pem,
            organizations: scope.organizations,
            repositories: scope.repositories,
            exact_repositories: scope.exact,
            poll_interval: poll_interval?,
            history: history?,
            include_archived,
            include_forks,
            teams_from: teams_from?,
            budget: budget?,
            bots: bots.to_vec(),
            incidents: incidents?,
            ownership: Arc::default(),
        },
    })
}

/// What people mistake for the address of GitHub's REST API.
fn rest_problem(url: &Url) -> Option<&'static str> {
    if matches!(url.host_str(), Some("github.com" | "www.github.com")) {
        Some("that is the web site; the API is at \"https://api.github.com\"")
    } else if url.path().trim_end_matches('/').ends_with("/graphql") {
        Some(
            "that is GraphQL's address; give that of REST: \"https://api.github.com\", \"https://HOST/api/v3\"",
        )
    } else {
        None
    }
}

/// Which repositories a source reads.
struct ReadScope {
    organizations: Vec<String>,
    repositories: RepositoryPatterns,
    exact: Vec<RepositoryName>,
}

fn scope(table: &mut Table<'_>) -> Option<ReadScope> {
    let organizations = table.optional("organizations");
    let repositories = table.optional("repositories");
    if organizations.is_none() && repositories.is_none() {
        table.refuse(
            "it reads nothing: neither `organizations` nor `repositories` is given",
            Some("add `organizations = [\"acme\"]` or `repositories = [\"acme/*\"]`"),
        );
    }
    let mut owners = match organizations {
        Some(value) => organization_names(&value),
        None => Some(Vec::new()),
    };
    let patterns = match repositories {
        Some(value) => read_patterns(&value, owners.as_deref()),
        None => Some(Vec::new()),
    };
    let (owners, patterns) = (owners.as_mut()?, patterns?);
    // Patterns that name repositories of a listed organization narrow it down to them.
    let narrowed = |owner: &str| patterns.iter().any(|pattern| owner_of(pattern).eq_ignore_ascii_case(owner));
    let whole: Vec<String> =
        owners.iter().filter(|owner| !narrowed(owner)).map(|owner| format!("{owner}/*")).collect();
    let listed = patterns.iter().filter(|pattern| !pattern.starts_with('!') && !is_exact(pattern));
    for owner in listed.filter_map(|pattern| pattern.split('/').next()) {
        if !holds(owners, owner) {
            owners.push(owner.to_owned());
        }
    }
    let all = whole.iter().map(String::as_str).chain(patterns.iter().copied());
    Some(ReadScope {
        organizations: owners.clone(),
        repositories: RepositoryPatterns::parse(all).ok()?,
        exact: patterns
            .iter()
            .filter(|pattern| is_exact(pattern))
            .map(|name| RepositoryName::new(*name))
            .collect(),
    })
}

/// Patterns that say what is read. Where the organizations are wrong, what they take in is not asked.
fn read_patterns<'a>(value: &Value<'a>, organizations: Option<&[String]>) -> Option<Vec<&'a str>> {
    let patterns = value.patterns(|item, pattern| {
        let owner = owner_of(pattern);
        if pattern.starts_with('!') {
            return true;
        }
        if has_wildcards(owner) {
            item.refuse_with(
                format!("{} does not name its owner", quoted(pattern)),
                "name the owner, so that its repositories can be listed: \"acme/*\"",
            );
            return false;
        }
        true
    })?;
    if organizations.is_some_and(<[String]>::is_empty)
        && patterns.iter().all(|pattern| pattern.starts_with('!'))
    {
        value.refuse_with(
            "the patterns only leave out, and nothing is taken in",
            "add `organizations = [\"acme\"]`, or a pattern without `!`",
        );
        return None;
    }
    Some(patterns)
}

/// The owner that a pattern names; one that only leaves out names `!owner`, which is nobody.
fn owner_of(pattern: &str) -> &str {
    pattern.split('/').next().unwrap_or(pattern)
}

/// Names of owners, which do not differ by case.
fn holds(owners: &[String], owner: &str) -> bool {
    owners.iter().any(|known| known.eq_ignore_ascii_case(owner))
}

fn organization_names(value: &Value<'_>) -> Option<Vec<String>> {
    let mut once = Once::default();
    let items = value.some_items("strings")?;
    every(items.iter().map(|item| {
        let name = item.name()?;
        if name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            once.claim(item, &name.to_ascii_lowercase()).then(|| name.to_owned())
        } else {
            item.refuse_with(
                format!("{} is no organization's name", quoted(name)),
                "letters, digits and hyphens, as in the address of its page",
            );
            None
        }
    }))
}

fn teams_from(value: &Value<'_>) -> Option<TeamsFrom> {
    let choices = [("config", TeamsFrom::Config), ("github_teams", TeamsFrom::GithubTeams)];
    let text = value.text("\"config\" or \"github_teams\"")?;
    if text.starts_with("custom_property:") {
        value.choice(&choices, &[text])
    } else {
        value.choice(&choices, &["codeowners", "backstage"])
    }
}

/// Teams' own files come later; that they are off may be said already.
fn team_config_file(table: &mut Table<'_>) {
    if let Some(value) = table.optional("team_config_file")
        && let Some(path) = value.text("a path, or \"\" for none")
        && !path.is_empty()
    {
        value.refuse_with("teams' own files are not yet supported", "allowed now: \"\"");
    }
}

fn budget(value: &Value<'_>) -> Option<f64> {
    let budget = value.number().filter(|share| *share > 0.0 && *share <= 1.0);
    if budget.is_none() {
        value.refuse_with(
            "expected a number above 0 and at most 1",
            "the share of the rate limit that sextant may use: 0.8 leaves a fifth to other tools",
        );
    }
    budget
}

fn issue_rules(mut table: Table<'_>) -> Option<IssueRules> {
    let labels = match table.optional("labels") {
        Some(value) => value.names(),
        None => Some(Vec::new()),
    };
    let severity_label = match table.optional("severity_label") {
        Some(value) => severity_label(&value).map(Some),
        None => Some(None),
    };
    table.finish();
    Some(IssueRules { labels: labels?, severity_label: severity_label? })
}

fn severity_label(value: &Value<'_>) -> Option<Regex> {
    let regex = value.regex()?;
    if regex.capture_names().flatten().any(|name| name == SEVERITY_GROUP) {
        return Some(regex);
    }
    value.refuse_with(
        format!("the regular expression has no group `{SEVERITY_GROUP}`"),
        "name what is the severity: '^sev-(?<severity>\\d)$'",
    );
    None
}
