//! What there is of a repository, and why a rule finds no deployment in it.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::model::settings::{DeploymentsFrom, Prereleases, ReleaseRule};
use crate::source::github::wire::{IdWire, NameWire, Page};
use crate::source::report::some_of;

/// Of what is there instead, so much is named.
const NAMED_MAX: usize = 6;

/// What there is of a repository, the newest of each; `None`: not asked, or refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Look {
    pull_requests: Option<Page<IdWire>>,
    deployments: Option<Page<EnvironmentWire>>,
    releases: Option<Page<ReleaseWire>>,
    refs: Option<Page<NameWire>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EnvironmentWire {
    environment: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReleaseWire {
    tag_name: Option<String>,
    is_draft: Option<bool>,
    is_prerelease: Option<bool>,
}

/// What there is of a workflow's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runs {
    /// It was not asked, or refused.
    Unknown,
    /// There is no such workflow; the files of those that there are.
    NoWorkflow(Vec<String>),
    /// There is the workflow, but no run that the rule means.
    None,
    /// There are.
    Some,
}

/// Why a rule finds no deployment; `None`: it finds some, or that is not known.
pub(super) fn why_nothing(from: &DeploymentsFrom, look: &Look, runs: &Runs) -> Option<String> {
    match from {
        DeploymentsFrom::Deployments(pattern) => {
            let found = look.deployments.as_ref()?.nodes.iter();
            let names: BTreeSet<&str> = found.filter_map(|one| one.environment.as_deref()).collect();
            if names.iter().any(|name| pattern.is_match(name)) {
                return None;
            }
            Some(instead(&names.into_iter().collect::<Vec<_>>(), "deployments to", "no deployment at all"))
        }
        DeploymentsFrom::Releases(rule) => {
            let found = &look.releases.as_ref()?.nodes;
            if found.iter().any(|release| is_meant(rule, release)) {
                return None;
            }
            let names: Vec<String> = found.iter().map(described).collect();
            Some(instead(&names, "the releases", "no release at all"))
        }
        DeploymentsFrom::Tags(pattern) => {
            let found = look.refs.as_ref()?.nodes.iter();
            let names: Vec<&str> = found.filter_map(|tag| tag.name.as_deref()).collect();
            let meant = |name: &&str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
            if names.iter().any(meant) {
                return None;
            }
            Some(instead(&names, "the tags", "no tag at all"))
        }
        DeploymentsFrom::WorkflowRuns(_) => match runs {
            Runs::Unknown | Runs::Some => None,
            Runs::None => Some("the workflow has no such run".to_owned()),
            Runs::NoWorkflow(files) => Some(instead(files, "the workflows", "no workflow at all")),
        },
        DeploymentsFrom::Merges => {
            look.pull_requests.as_ref()?.nodes.is_empty().then(|| "no pull request was merged yet".to_owned())
        }
        DeploymentsFrom::Push => None,
    }
}

fn is_meant(rule: &ReleaseRule, release: &ReleaseWire) -> bool {
    let ReleaseRule { tag, prereleases } = rule;
    let tagged = release.tag_name.as_deref().unwrap_or_default();
    release.is_draft != Some(true)
        && (release.is_prerelease != Some(true) || *prereleases == Prereleases::Included)
        && tag.as_ref().is_none_or(|tag| tag.is_match(tagged))
}

fn described(release: &ReleaseWire) -> String {
    let tag = release.tag_name.as_deref().unwrap_or("untagged");
    match (release.is_draft, release.is_prerelease) {
        (Some(true), _) => format!("{tag} (draft)"),
        (_, Some(true)) => format!("{tag} (prerelease)"),
        (_, _) => tag.to_owned(),
    }
}

fn instead<T: AsRef<str>>(names: &[T], what: &str, none: &str) -> String {
    if names.is_empty() {
        format!("it has {none}")
    } else {
        format!("it has {what} {}", some_of(names, NAMED_MAX))
    }
}
