//! Which repositories each deployment rule matches, and in which of them it finds nothing.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Failure, Priority, Reason};
use crate::model::dirty::Stream;
use crate::model::settings::{ComponentRule, DeploymentRule, DeploymentsFrom, RunRule};
use crate::source::github::config::Config;
use crate::source::github::operations::{self, INSPECT_IDS_MAX};
use crate::source::github::reply::Reply;
use crate::source::report::{Report, number_of, some_of};

use super::look::{Look, Runs, why_nothing};
use super::permissions::{Permission, Permissions};
use super::repositories::Repository;
use super::{Asker, asker_of, get, is_refusal};

/// Repositories that are looked into: 20 requests.
const LOOKED_INTO_MAX: usize = 500;
/// All at once, and without what was refused.
const QUESTIONS_MAX: usize = 2;
/// Repositories whose workflows are, with a request for the list and one for the runs of each rule.
const RUNS_LOOKED_INTO_MAX: usize = 10;
/// Repositories that are named beside a rule.
const NAMED_MAX: usize = 10;
/// Repositories without deployments that are told.
const NOTHING_IN_MAX: usize = 40;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// All that are read.
    repositories: Vec<Repository>,
    /// Where nothing was found, and why.
    nothing: Vec<String>,
    looked_into: usize,
    /// Repositories with rules for workflow runs, and those of them that were looked into.
    with_runs: usize,
    runs_looked_into: usize,
    failed: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkflowsWire {
    workflows: Vec<WorkflowWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkflowWire {
    id: Option<u64>,
    name: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunsWire {
    total_count: Option<u64>,
}

/// Looks into the repositories, many at once.
pub(super) async fn look(
    config: &Config,
    askers: &[Asker],
    read: &[Repository],
    permissions: &mut Permissions,
) -> Looks {
    let mut looks = Looks { repositories: read.to_vec(), ..Looks::default() };
    if config.incidents.is_some() {
        permissions.need(Permission::Issues);
    }
    let mut rest = read;
    while looks.looked_into < LOOKED_INTO_MAX
        && let Some(first) = rest.first()
    {
        // A request is made as one identity, so it is for one owner; repositories are sorted by their names.
        let own = rest.iter().take(INSPECT_IDS_MAX).take_while(|one| owner(one) == owner(first)).count();
        let (chunk, later) = rest.split_at(own);
        rest = later;
        looks.looked_into += own;
        if let Some(asker) = asker_of(askers, owner(first)) {
            look_into(config, asker, chunk, permissions, &mut looks).await;
        }
    }
    looks
}

fn owner(repository: &Repository) -> &str {
    repository.name.as_str().split('/').next().unwrap_or_default()
}

async fn look_into(
    config: &Config,
    asker: &Asker,
    chunk: &[Repository],
    permissions: &mut Permissions,
    looks: &mut Looks,
) {
    let wants = |stream| chunk.iter().any(|one| wants(config, one, stream));
    let mut wanted = [
        wants(Stream::Deployments),
        wants(Stream::Releases),
        wants(Stream::Tags),
        config.incidents.is_some(),
    ];
    need(wanted, permissions);
    let ids: Vec<String> = chunk.iter().map(|repository| repository.node.clone()).collect();
    let mut nodes = Vec::new();
    // What is refused takes the repository with it, so it is left out of a second question.
    for _ in 0..QUESTIONS_MAX {
        let reply = match asker.client.post(&operations::inspect(&ids, wanted), Priority::Live).await {
            Ok(reply) => reply,
            Err(trouble) => return looks.failed.push(trouble.failure().what),
        };
        let refused = note_faults(config, &reply, chunk, permissions, looks);
        nodes = reply.data.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
        let [deployments, releases, tags, issues] = wanted;
        let may = |permission| !refused.contains(&permission);
        let contents = may(Permission::Contents);
        let rest = [
            deployments && may(Permission::Deployments),
            releases && contents,
            tags && contents,
            issues && may(Permission::Issues),
        ];
        if rest == wanted {
            break;
        }
        wanted = rest;
    }
    for (repository, node) in chunk.iter().zip(nodes) {
        let look: Look = serde_json::from_value(node).unwrap_or_default();
        judge(config, asker, repository, &look, permissions, looks).await;
    }
}

/// Takes note of what failed in an answer, and says what was refused.
fn note_faults(
    config: &Config,
    reply: &Reply,
    chunk: &[Repository],
    permissions: &mut Permissions,
    looks: &mut Looks,
) -> BTreeSet<Permission> {
    let mut refused = BTreeSet::new();
    for fault in &reply.faults {
        let failure = fault.trouble.clone().failure();
        let place = fault.path().get(1).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        let Some(repository) = place.and_then(|at| chunk.get(at)) else {
            continue;
        };
        let name = repository.name.as_str();
        if !is_refusal(&failure) {
            looks.failed.push(format!("{name}: {}", failure.what));
            continue;
        }
        let field = fault.path().iter().rev().find_map(|part| Permission::of_field(part.as_str()?));
        let permission = field.unwrap_or(Permission::Metadata);
        refused.insert(permission);
        if permission != Permission::Deployments || wants(config, repository, Stream::Deployments) {
            permissions.refuse(permission, name, &failure.what);
        }
    }
    refused
}

fn wants(config: &Config, repository: &Repository, stream: Stream) -> bool {
    config.ownership.streams(&config.name, &repository.name).has(stream)
}

fn need(wanted: [bool; 4], permissions: &mut Permissions) {
    permissions.need(Permission::Contents);
    permissions.need(Permission::PullRequests);
    let [deployments, _releases, _tags, _issues] = wanted;
    if deployments {
        permissions.need(Permission::Deployments);
    }
}

/// Says where a repository's rule, or those of its components, find nothing.
async fn judge(
    config: &Config,
    asker: &Asker,
    repository: &Repository,
    look: &Look,
    permissions: &mut Permissions,
    looks: &mut Looks,
) {
    let name = &repository.name;
    let from = config.ownership.deployments_from(&config.name, name);
    let components: Vec<&ComponentRule> = config.ownership.components_of(name).collect();
    let mut ways: Vec<(String, DeploymentsFrom)> = components
        .iter()
        .map(|rule| (format!("{name}, component {}", rule.name), from.narrowed(rule.deployed_by.as_ref())))
        .collect();
    if ways.is_empty() {
        ways.push((name.to_string(), from));
    }
    let with_runs = ways.iter().any(|(_, from)| matches!(from, DeploymentsFrom::WorkflowRuns(_)));
    looks.with_runs += usize::from(with_runs);
    let look_at_runs = with_runs && looks.runs_looked_into < RUNS_LOOKED_INTO_MAX;
    looks.runs_looked_into += usize::from(look_at_runs);
    for (whose, from) in ways {
        let runs = match &from {
            DeploymentsFrom::WorkflowRuns(rule) if look_at_runs => {
                permissions.need(Permission::Actions);
                match runs(asker, name.as_str(), rule).await {
                    Ok(runs) => runs,
                    Err(failure) if refuses_actions(&failure) => {
                        permissions.refuse(Permission::Actions, name.as_str(), &failure.what);
                        Runs::Unknown
                    }
                    Err(failure) => {
                        looks.failed.push(failure.what);
                        Runs::Unknown
                    }
                }
            }
            DeploymentsFrom::WorkflowRuns(_)
            | DeploymentsFrom::Deployments(_)
            | DeploymentsFrom::Releases(_)
            | DeploymentsFrom::Tags(_)
            | DeploymentsFrom::Merges
            | DeploymentsFrom::Push => Runs::Unknown,
        };
        if let Some(why) = why_nothing(&from, look, &runs) {
            looks.nothing.push(format!("{whose} ({from}): {why}"));
        }
    }
}

/// A repository that was just listed is there: a 404 below it hides what the scopes do not allow.
fn refuses_actions(failure: &Failure) -> bool {
    matches!(failure.reason, Reason::Forbidden | Reason::NotFound)
}

async fn runs(asker: &Asker, name: &str, rule: &RunRule) -> Result<Runs, Failure> {
    let path = format!("/repos/{name}/actions/workflows");
    let answer = get(&asker.rest, &path, &[("per_page", "100")]).await?;
    let WorkflowsWire { workflows } = asker.rest.read(&answer, &path)?;
    let mut files = Vec::new();
    for WorkflowWire { id, name: title, path } in workflows {
        let path = path.unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        let Some(id) = id.filter(|_| rule.is_for(file, &title.unwrap_or_default())) else {
            files.push(file.to_owned());
            continue;
        };
        let path = format!("/repos/{name}/actions/workflows/{id}/runs");
        let mut query = vec![("per_page", "1")];
        query.extend(rule.branch.as_deref().map(|branch| ("branch", branch)));
        query.extend(rule.event.as_deref().map(|event| ("event", event)));
        let answer = get(&asker.rest, &path, &query).await?;
        let RunsWire { total_count } = asker.rest.read(&answer, &path)?;
        return Ok(if total_count == Some(0) { Runs::None } else { Runs::Some });
    }
    Ok(Runs::NoWorkflow(files))
}

/// Tells what each rule matches, and where nothing is found.
pub(super) fn tell(config: &Config, looks: &Looks, report: &mut Report) {
    let rules: Vec<&DeploymentRule> =
        config.ownership.deployments.iter().filter(|rule| rule.source == config.name).collect();
    let first =
        |repository: &Repository| rules.iter().position(|rule| rule.repositories.matches(&repository.name));
    for (place, rule) in rules.iter().enumerate() {
        let DeploymentRule { source: _, repositories, from } = rule;
        let is_first = |repository: &Repository| first(repository) == Some(place);
        if *from == DeploymentsFrom::production() && place > 0 && !looks.repositories.iter().any(is_first) {
            // It is the one that nobody wrote, or as good as not there.
            continue;
        }
        let label = if place == 0 { "rules" } else { "" };
        report.say(label, format!("{}. {repositories}: {from}", place + 1));
        report.say("", format!("   {}", matched(looks, is_first)));
        let taken = looks.repositories.iter().filter(|repository| {
            rule.repositories.matches(&repository.name) && first(repository) < Some(place)
        });
        let taken: Vec<&str> = taken.map(|repository| repository.name.as_str()).collect();
        if !taken.is_empty() && !is_for_the_rest(rule) {
            report.say("", format!("   an earlier rule has {}", some_of(&taken, NAMED_MAX)));
        }
    }
    if rules.is_empty() || looks.repositories.iter().any(|repository| first(repository).is_none()) {
        let label = if rules.is_empty() { "rules" } else { "" };
        report.say(label, format!("no rule, so {}", DeploymentsFrom::production()));
        report.say("", format!("   {}", matched(looks, |repository| first(repository).is_none())));
    }
    for (place, nothing) in looks.nothing.iter().take(NOTHING_IN_MAX).enumerate() {
        report.say(if place == 0 { "nothing in" } else { "" }, nothing);
    }
    if let Some(more) = looks.nothing.len().checked_sub(NOTHING_IN_MAX).filter(|more| *more > 0) {
        report.say("", format!("and {more} more"));
    }
    let missing = looks.repositories.len() - looks.looked_into.min(looks.repositories.len());
    if missing > 0 {
        report.say("", format!("not looked into: {}", number_of(missing, "repository", "repositories")));
    }
    let missing = looks.with_runs - looks.runs_looked_into;
    if missing > 0 {
        let what = number_of(missing, "repository", "repositories");
        report.say("", format!("whose runs were not looked into: {what}"));
    }
    if let Some(failure) = looks.failed.first() {
        report.fault("failed", format!("{} times, first: {failure}", looks.failed.len()));
    }
}

/// Whether a rule is for all repositories of an owner: what earlier ones take from it is meant so.
fn is_for_the_rest(rule: &DeploymentRule) -> bool {
    rule.repositories.to_string().split(", ").all(|pattern| pattern.ends_with("/*"))
}

fn matched(looks: &Looks, by_this: impl Fn(&Repository) -> bool) -> String {
    let names: Vec<&str> =
        looks.repositories.iter().filter(|one| by_this(one)).map(|one| one.name.as_str()).collect();
    if names.is_empty() {
        return "matches no repository that is read".to_owned();
    }
    let count = number_of(names.len(), "repository", "repositories");
    format!("{count}: {}", some_of(&names, NAMED_MAX))
}
