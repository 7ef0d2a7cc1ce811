//! `[[github.deployments]]`: what is a deployment, and for which repositories.

use super::reader::{Table, Value, quoted};
use crate::model::name::SourceName;
use crate::model::settings::{
    DeploymentRule, DeploymentsFrom, Prereleases, ReleaseRule, RepositoryPatterns, RunRule,
};

/// Everything.
const ALL_REPOSITORIES: &str = "*/*";
/// What begins the name of a branch where Git is asked for it.
const BRANCH_REFERENCE: &str = "refs/heads/";

/// A rule, without its source.
pub(super) struct Rule {
    repositories: RepositoryPatterns,
    from: DeploymentsFrom,
}

/// What `from` may say.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Deployments,
    Releases,
    WorkflowRuns,
    Tags,
    Merges,
    Push,
}

const FROM: [(&str, From); 6] = [
    ("deployments", From::Deployments),
    ("releases", From::Releases),
    ("workflow_runs", From::WorkflowRuns),
    ("tags", From::Tags),
    ("merges", From::Merges),
    ("push", From::Push),
];

impl From {
    fn word(self) -> &'static str {
        FROM.iter().find(|(_, from)| *from == self).map_or("", |(word, _)| word)
    }
}

/// Reads one `[[github.deployments]]`; `has_push` tells whether anything can be pushed. Where a key is wrong its
/// default is read on with, since the error is told and nothing starts.
pub(super) fn rule(mut table: Table<'_>, has_push: bool) -> Option<Rule> {
    let repositories = match table.optional("repositories") {
        Some(value) => value.repositories(),
        None => RepositoryPatterns::parse([ALL_REPOSITORIES]).ok(),
    };
    let written = table.optional("from");
    let from = match &written {
        Some(value) => value.choice(&FROM, &[]),
        None => Some(From::Deployments),
    };
    if let (Some(value), Some(From::Push), false) = (&written, from, has_push) {
        value.refuse_with(
            "nothing can be pushed: there is no `[server.push]`",
            "add `[server.push]` with `token_env = \"NAME\"`",
        );
    }
    let choice = Choice { from, is_written: written.is_some() };
    let environment = choice.key(&mut table, "environment", &[From::Deployments]);
    let environment = environment.and_then(|value| value.environment());
    let workflow = if from == Some(From::WorkflowRuns) {
        table.required("workflow", "workflow = \"deploy.yml\"")
    } else {
        choice.key(&mut table, "workflow", &[From::WorkflowRuns])
    };
    let mut of_runs = |key| choice.key(&mut table, key, &[From::WorkflowRuns]);
    let (branch, event) = (of_runs("branch"), of_runs("event"));
    let runs = run_rule(workflow.as_ref(), branch.as_ref(), event.as_ref());
    let tag = choice.key(&mut table, "tag", &[From::Tags, From::Releases]).and_then(|value| value.regex());
    let prereleases = choice.key(&mut table, "prereleases", &[From::Releases]);
    let prereleases = match prereleases.and_then(|value| value.boolean()) {
        Some(true) => Prereleases::Included,
        Some(false) | None => Prereleases::LeftOut,
    };
    table.finish();
    let from = match from? {
        From::Deployments => {
            environment.map_or_else(DeploymentsFrom::production, DeploymentsFrom::Deployments)
        }
        From::Releases => DeploymentsFrom::Releases(ReleaseRule { tag, prereleases }),
        From::WorkflowRuns => DeploymentsFrom::WorkflowRuns(runs?),
        From::Tags => DeploymentsFrom::Tags(tag),
        From::Merges => DeploymentsFrom::Merges,
        From::Push => DeploymentsFrom::Push,
    };
    Some(Rule { repositories: repositories?, from })
}

/// What `from` says, if that is understood, and whether it is said at all.
struct Choice {
    from: Option<From>,
    is_written: bool,
}

impl Choice {
    /// The value of a key that is only for some kinds of rules. Where the kind is not understood, no key is out of
    /// place.
    fn key<'a>(&self, table: &mut Table<'a>, key: &'static str, only_for: &[From]) -> Option<Value<'a>> {
        let value = table.optional(key)?;
        let Some(from) = self.from.filter(|from| !only_for.contains(from)) else {
            return Some(value);
        };
        let listed = |write: fn(&str) -> String| {
            only_for.iter().map(|from| write(from.word())).collect::<Vec<_>>().join(" or ")
        };
        let words = listed(|word| format!("{word:?}"));
        let is = if self.is_written { "not for" } else { "and without `from` it is" };
        value.refuse_with(
            format!("only for from = {words}, {is} {:?}", from.word()),
            format!("write {}, or leave this out", listed(|word| format!("`from = {word:?}`"))),
        );
        None
    }
}

/// The rules of a source, the last of which is for every repository that no other is for.
pub(super) fn rules(source: &SourceName, rules: Vec<Rule>) -> Option<Vec<DeploymentRule>> {
    let rest = Rule {
        repositories: RepositoryPatterns::parse([ALL_REPOSITORIES]).ok()?,
        from: DeploymentsFrom::production(),
    };
    let rules = rules.into_iter().chain([rest]);
    Some(
        rules
            .map(|Rule { repositories, from }| DeploymentRule { source: source.clone(), repositories, from })
            .collect(),
    )
}

/// Which runs of a workflow; `None` if it is not said, or something is wrong with it.
pub(super) fn run_rule(
    workflow: Option<&Value<'_>>,
    branch: Option<&Value<'_>>,
    event: Option<&Value<'_>>,
) -> Option<RunRule> {
    let workflow = workflow.map(workflow_name);
    let branch = branch.map_or(Some(None), |value| branch_name(value).map(Some));
    let event = event.map_or(Some(None), |value| event_name(value).map(Some));
    Some(RunRule { workflow: workflow??, branch: branch?, event: event? })
}

/// The file or the name of a workflow. The folder of a file is left out: GitHub knows only one.
fn workflow_name(value: &Value<'_>) -> Option<String> {
    let name = value.name()?.to_lowercase();
    let is_file = [".yml", ".yaml"].iter().any(|ending| name.ends_with(ending));
    match name.rsplit_once('/') {
        Some((_, file)) if is_file => Some(file.to_owned()),
        Some(_) | None => Some(name),
    }
}

/// The name of one branch.
fn branch_name(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if name.contains(['*', '?', '[', '\\', '^', '~', ':', ' ']) {
        value.refuse_with(
            format!("{} is no branch's name", quoted(name)),
            "one branch, such as \"main\"; without it runs on every branch count",
        );
        return None;
    }
    Some(name.strip_prefix(BRANCH_REFERENCE).unwrap_or(name).to_owned())
}

/// The name of an event.
fn event_name(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        value.refuse_with(
            format!("{} is no event's name", quoted(name)),
            "as in the workflow's `on:`, such as \"push\" or \"workflow_dispatch\"",
        );
        return None;
    }
    Some(name.to_owned())
}
