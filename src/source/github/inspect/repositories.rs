//! Which repositories there are, which of them are read, and whether teams can be.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::Reason;
use crate::model::name::RepositoryName;
use crate::model::settings::TeamsFrom;
use crate::source::github::config::Config;
use crate::source::github::operations::{self, NAMES_MAX, OwnerKind};
use crate::source::github::wire::{OrganizationData, OwnerData, Page, RepositoryWire};
use crate::source::report::Report;

use super::permissions::{Permission, Permissions};
use super::{Asker, asker_of, is_refusal};

/// Pages of one owner's repositories: 2,000 of them.
const OWNER_PAGES_MAX: usize = 20;
/// Owners whose repositories are listed, and whose teams are tried.
const OWNERS_MAX: usize = 20;
/// Repositories that are asked for by name.
const EXACT_MAX: usize = 100;

/// A repository that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) node: String,
    pub(super) name: RepositoryName,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) read: Vec<Repository>,
    all: usize,
    left_out: BTreeMap<&'static str, usize>,
}

impl Found {
    fn note(&mut self, config: &Config, wire: RepositoryWire) {
        let (Some(node), Some(name)) = (wire.id, wire.name_with_owner) else {
            return;
        };
        if self.read.iter().any(|repository| repository.node == node) {
            return;
        }
        self.all += 1;
        let name = RepositoryName::new(name);
        let why = if !config.repositories.matches(&name) {
            "not meant by repositories"
        } else if wire.is_disabled == Some(true) {
            "disabled by GitHub"
        } else if wire.is_archived == Some(true) && !config.include_archived {
            "archived"
        } else if wire.is_fork == Some(true) && !config.include_forks {
            "forks"
        } else {
            self.read.push(Repository { node, name });
            return;
        };
        *self.left_out.entry(why).or_default() += 1;
    }

    /// Tells how many there are, and what is left out.
    pub(super) fn tell(&self, report: &mut Report) {
        let left_out: Vec<String> =
            self.left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let left_out =
            if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
        let (read, all) = (self.read.len(), self.all);
        if read == 0 {
            let what = format!(
                "none of {all} is read{left_out}; check organizations, repositories, include_archived, include_forks, \
                 and which repositories the token may see"
            );
            report.fault("repositories", what);
        } else {
            report.say("repositories", format!("{read} of {all} are read{left_out}"));
        }
    }
}

/// Lists the owners' repositories and those that are configured by name.
pub(super) async fn list(
    config: &Config,
    askers: &[Asker],
    permissions: &mut Permissions,
    report: &mut Report,
) -> Found {
    let mut found = Found::default();
    permissions.need(Permission::Metadata);
    for owner in config.organizations.iter().take(OWNERS_MAX) {
        match asker_of(askers, owner) {
            Some(asker) => list_owner(config, asker, owner, &mut found, permissions, report).await,
            None => report.fault(
                "repositories",
                format!(
                    "of {owner} cannot be read: the App is not installed there; install it from its settings"
                ),
            ),
        }
    }
    let mut names: Vec<(&str, &str)> =
        config.exact_repositories.iter().filter_map(|name| name.as_str().split_once('/')).collect();
    names.truncate(EXACT_MAX);
    names.sort_unstable();
    let owners = names.chunk_by(|a, b| a.0 == b.0);
    for names in owners.flat_map(|names| names.chunks(NAMES_MAX)) {
        if let Some(asker) = names.first().and_then(|(owner, _)| asker_of(askers, owner)) {
            resolve(config, asker, names, &mut found, permissions, report).await;
        }
    }
    found.read.sort_by(|a, b| a.name.cmp(&b.name));
    let short = found.read.iter().filter_map(|repository| repository.name.as_str().split_once('/'));
    report.names.extend(short.map(|(_, name)| name.to_lowercase()));
    found
}

async fn list_owner(
    config: &Config,
    asker: &Asker,
    owner: &str,
    found: &mut Found,
    permissions: &mut Permissions,
    report: &mut Report,
) {
    let mut after: Option<String> = None;
    let mut kind = OwnerKind::Organization;
    for _ in 0..OWNER_PAGES_MAX {
        let build = |halvings| operations::discover(owner, kind, after.as_deref(), halvings);
        let reply = match asker.client.ask(build).await {
            Ok(reply) => reply,
            Err(trouble) => {
                let failure = trouble.failure();
                if is_refusal(&failure) {
                    permissions.refuse(Permission::Metadata, owner, &failure.what);
                } else {
                    report.fault("repositories", format!("of {owner} cannot be listed: {}", failure.what));
                }
                return;
            }
        };
        for fault in reply.faults.iter().filter(|fault| fault.path().len() <= 2) {
            let failure = fault.trouble.clone().failure();
            if is_refusal(&failure) {
                permissions.refuse(Permission::Metadata, owner, &failure.what);
                return;
            }
        }
        let data: OwnerData = serde_json::from_value(reply.data).unwrap_or_default();
        let page = data.organization.or(data.user).and_then(|owner| owner.repositories);
        let Some(Page { nodes, malformed: _, has_next, end }) = page else {
            if kind == OwnerKind::Organization {
                kind = OwnerKind::User;
                continue;
            }
            let what = format!(
                "there is no organization or user {owner:?}, or the token may not see it; check organizations"
            );
            report.fault("repositories", what);
            return;
        };
        for wire in nodes {
            found.note(config, wire);
        }
        if !has_next || end.is_none() || end == after {
            return;
        }
        after = end;
    }
    report.say("repositories", format!("of {owner}: the first {} are looked at", OWNER_PAGES_MAX * 100));
}

async fn resolve(
    config: &Config,
    asker: &Asker,
    names: &[(&str, &str)],
    found: &mut Found,
    permissions: &mut Permissions,
    report: &mut Report,
) {
    let reply = match asker.client.ask(|_| operations::repositories_by_name(names)).await {
        Ok(reply) => reply,
        Err(trouble) => {
            report.fault("repositories", format!("cannot be asked for: {}", trouble.failure().what));
            return;
        }
    };
    for (index, (owner, name)) in names.iter().enumerate() {
        let field = format!("repository{index}");
        let of = format!("{owner}/{name}");
        let value = reply.data.get(&field).cloned().unwrap_or(Value::Null);
        if let Ok(wire) = serde_json::from_value::<RepositoryWire>(value) {
            found.note(config, wire);
        } else if let Some(failure) = reply.fault(&field).map(|trouble| trouble.clone().failure())
            && is_refusal(&failure)
        {
            permissions.refuse(Permission::Metadata, &of, &failure.what);
        } else {
            report.fault("repositories", format!("there is no {of}, or the token may not see it"));
        }
    }
}

/// Tries whether an organization's teams can be read, if they are needed.
pub(super) async fn teams(
    config: &Config,
    askers: &[Asker],
    permissions: &mut Permissions,
    report: &mut Report,
) {
    if config.teams_from != TeamsFrom::GithubTeams {
        return;
    }
    permissions.need(Permission::Members);
    for owner in config.organizations.iter().take(OWNERS_MAX) {
        let Some(asker) = asker_of(askers, owner) else {
            continue;
        };
        let failure = match asker.client.ask(|halvings| operations::teams(owner, None, halvings)).await {
            Ok(reply) => match reply.read::<OrganizationData>("organization") {
                Ok(data) => {
                    let teams = data.organization.and_then(|organization| organization.teams);
                    let slugs = teams.unwrap_or_default().nodes.into_iter().filter_map(|team| team.slug);
                    report.names.extend(slugs.map(|slug| slug.to_lowercase()));
                    continue;
                }
                Err(failure) => failure,
            },
            Err(trouble) => trouble.failure(),
        };
        match failure.reason {
            Reason::Forbidden => permissions.refuse(Permission::Members, owner, &failure.what),
            // A user has no teams, and an organization that is not there was told already.
            Reason::NotFound => {}
            Reason::Auth
            | Reason::RateLimited
            | Reason::Timeout
            | Reason::Server
            | Reason::Network
            | Reason::Malformed => {
                report.fault("owners", format!("the teams of {owner} cannot be read: {}", failure.what));
            }
        }
    }
}
