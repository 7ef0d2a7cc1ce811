//! Which permissions a configuration needs, which of them GitHub refused, and how each is granted.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::report::{Report, some_of};

/// Repositories of which it is told that they lack a permission.
const NAMES_MAX: usize = 3;

/// What a token may be allowed to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Permission {
    Metadata,
    Contents,
    PullRequests,
    Deployments,
    Issues,
    Actions,
    Members,
}

impl Permission {
    /// What GitHub calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Contents => "contents",
            Self::PullRequests => "pull requests",
            Self::Deployments => "deployments",
            Self::Issues => "issues",
            Self::Actions => "actions",
            Self::Members => "members",
        }
    }

    /// What it is needed for.
    const fn purpose(self) -> &'static str {
        match self {
            Self::Metadata => "the repositories",
            Self::Contents => "commits, releases and tags",
            Self::PullRequests => "changes",
            Self::Deployments => "deployments",
            Self::Issues => "incidents",
            Self::Actions => "workflow runs",
            Self::Members => "the teams",
        }
    }

    /// The permission that a field of an answer takes.
    pub(super) fn of_field(field: &str) -> Option<Self> {
        Some(match field {
            "defaultBranchRef" | "releases" | "refs" => Self::Contents,
            "pullRequests" => Self::PullRequests,
            "deployments" => Self::Deployments,
            "issues" => Self::Issues,
            "teams" => Self::Members,
            _ => return None,
        })
    }

    /// The scope of a classic token that contains it.
    const fn scope(self) -> &'static str {
        match self {
            Self::Members => "read:org",
            Self::Metadata
            | Self::Contents
            | Self::PullRequests
            | Self::Deployments
            | Self::Issues
            | Self::Actions => "repo",
        }
    }

    /// The heading that it stands under in GitHub's settings.
    const fn heading(self) -> &'static str {
        match self {
            Self::Members => "Organization permissions",
            Self::Metadata
            | Self::Contents
            | Self::PullRequests
            | Self::Deployments
            | Self::Issues
            | Self::Actions => "Repository permissions",
        }
    }
}

/// What we sign in with, as far as it matters for how it is granted something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Classic,
    FineGrained,
    App,
}

/// What was asked for and what was refused.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    needed: BTreeSet<Permission>,
    refused: BTreeMap<Permission, BTreeSet<String>>,
    /// Owners that demand single sign-on.
    single_sign_on: BTreeSet<String>,
}

impl Permissions {
    /// Takes note that it was asked for.
    pub(super) fn need(&mut self, permission: Permission) {
        self.needed.insert(permission);
    }

    /// Takes note that it was refused, for a repository or an owner; `said` is what GitHub said.
    pub(super) fn refuse(&mut self, permission: Permission, of: &str, said: &str) {
        if said.contains("SAML") {
            let owner = of.split('/').next().unwrap_or(of);
            self.single_sign_on.insert(owner.to_owned());
        } else {
            self.refused.entry(permission).or_default().insert(of.to_owned());
        }
    }

    /// Whether nothing could be read since single sign-on was not done.
    pub(super) fn wants_single_sign_on(&self) -> bool {
        !self.single_sign_on.is_empty()
    }

    /// Tells which there are and which are missing, and how each is granted.
    pub(super) fn tell(&self, kind: Kind, report: &mut Report) {
        for owner in &self.single_sign_on {
            report.fault(
                "permissions",
                format!(
                    "missing  single sign-on of {owner}: Settings → Developer settings → Personal access tokens, \
                     \"Configure SSO\" beside the token, and authorize {owner}"
                ),
            );
        }
        if self.wants_single_sign_on() {
            return;
        }
        let held = self.needed.iter().filter(|permission| !self.refused.contains_key(permission));
        let held: Vec<&str> = held.map(|permission| permission.name()).collect();
        if !held.is_empty() {
            report.say("permissions", format!("ok       {}", held.join(", ")));
        }
        for (permission, of) in &self.refused {
            let label = if held.is_empty() { "permissions" } else { "" };
            let of: Vec<&String> = of.iter().collect();
            report.fault(
                label,
                format!(
                    "missing  {}: read, needed for {} of {}; {}",
                    permission.name(),
                    permission.purpose(),
                    some_of(&of, NAMES_MAX),
                    grant(*permission, kind),
                ),
            );
        }
    }
}

fn grant(permission: Permission, kind: Kind) -> String {
    match kind {
        Kind::Classic => format!(
            "give the token the scope {}: Settings → Developer settings → Personal access tokens → Tokens (classic)",
            permission.scope()
        ),
        Kind::FineGrained => format!(
            "grant it: Settings → Developer settings → Personal access tokens → Fine-grained tokens → the token → {} → \
             {}: Read-only",
            permission.heading(),
            capital(permission.name()),
        ),
        Kind::App => format!(
            "grant it: the App's settings → Permissions & events → {} → {}: Read-only; then the owner of each \
             installation accepts it",
            permission.heading(),
            capital(permission.name()),
        ),
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
