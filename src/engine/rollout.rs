//! Attempts become deployments (`definitions.md` 2.2 and 2.3).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use crate::engine::change::Landed;
use crate::engine::part::{self, Whose};
use crate::model::batch::{Contact, RepositoryFacts, Seen};
use crate::model::component::Component;
use crate::model::fact::{Attempt, Corrections, Origin, Outcome, Stage};
use crate::model::name::{CommitId, Environment, ExternalId};
use crate::model::settings::{DeploymentsFrom, Prereleases, RunRule};
use crate::model::time::{Span, Timestamp};

/// How long a rollout waits for further environments (`definitions.md` 2.3).
const ROLLOUT_SPAN: Span = Span::from_hours(24);

/// The environment of sources that have none (`definitions.md` 2.1).
const PRODUCTION: &str = "production";

/// A finished attempt to reach production.
#[derive(Debug, Clone)]
pub struct FinishedAttempt {
    /// The source's id of it; the pull request's number where merges deploy.
    pub id: ExternalId,
    /// What was deployed.
    pub commit: CommitId,
    /// Where to.
    pub environment: Environment,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// Whether counters may count it.
    pub contact: Contact,
    /// With what it is used.
    pub corrections: Corrections,
}

/// The finished production attempts of a component, by finish time and id.
pub fn attempts(component: &Component, facts: &RepositoryFacts) -> Vec<FinishedAttempt> {
    let mut found: Vec<_> = match component.from {
        DeploymentsFrom::Merges => merges(component, facts),
        DeploymentsFrom::Deployments(_)
        | DeploymentsFrom::Releases(_)
        | DeploymentsFrom::Tags(_)
        | DeploymentsFrom::WorkflowRuns(_)
        | DeploymentsFrom::Push => facts
            .attempts
            .iter()
            .filter(|seen| is_chosen(component, &seen.fact))
            .filter_map(|seen| {
                let (outcome, finished_at) = seen.fact.finished?;
                Some(FinishedAttempt {
                    id: seen.fact.id.clone(),
                    commit: seen.fact.commit,
                    environment: seen.fact.environment.clone(),
                    created_at: seen.fact.created_at,
                    finished_at,
                    outcome,
                    url: seen.fact.url.clone(),
                    contact: seen.contact,
                    corrections: seen.fact.corrections,
                })
            })
            .collect(),
    };
    found.sort_by(|a, b| (a.finished_at, &a.id).cmp(&(b.finished_at, &b.id)));
    found.dedup_by(|a, b| a.id == b.id);
    found
}

/// Whether an attempt is one of those by which the component is deployed.
fn is_chosen(component: &Component, attempt: &Attempt) -> bool {
    let matches = |pattern: &Option<Regex>, tag: &str| pattern.as_ref().is_none_or(|tags| tags.is_match(tag));
    match (&component.from, &attempt.origin) {
        (DeploymentsFrom::Deployments(production), Origin::Deployment) => {
            production.is_match(attempt.environment.as_str())
        }
        (DeploymentsFrom::Releases(rule), Origin::Release { tag, stage }) => {
            let included = *stage == Stage::Final || rule.prereleases == Prereleases::Included;
            included && matches(&rule.tag, tag)
        }
        (DeploymentsFrom::Tags(pattern), Origin::Tag { name }) => matches(pattern, name),
        (DeploymentsFrom::WorkflowRuns(rule), Origin::Run { workflow, name, branch, event }) => {
            rule.is_for(workflow, name)
                && rule.branch.as_ref().is_none_or(|wanted| wanted == branch)
                && rule.event.as_ref().is_none_or(|wanted| wanted == event)
        }
        (DeploymentsFrom::Push, Origin::Pushed { component: name }) => *name == component.name,
        (
            DeploymentsFrom::Deployments(_)
            | DeploymentsFrom::Releases(_)
            | DeploymentsFrom::Tags(_)
            | DeploymentsFrom::WorkflowRuns(_)
            | DeploymentsFrom::Push
            | DeploymentsFrom::Merges,
            Origin::Deployment
            | Origin::Release { .. }
            | Origin::Tag { .. }
            | Origin::Run { .. }
            | Origin::Pushed { .. },
        ) => false,
    }
}

/// How a component's deployments are found, and what was collected of its repository that this leaves out: what a
/// person has to see where nothing is found. As the facts are now, whatever instant the numbers are of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The rule, in words: `GitHub Deployments to environments ^prod`.
    pub rule: String,
    /// How many attempts it does not choose.
    pub left_out: u64,
    /// Environments, tags or workflows of these, the most frequent first; not more than [`LEFT_OUT_NAMES_MAX`].
    pub left_out_names: Vec<String>,
}

/// A line for people has room for so many names.
pub const LEFT_OUT_NAMES_MAX: usize = 5;

/// What the component's rule chooses and leaves out.
pub fn choice(component: &Component, facts: &RepositoryFacts) -> Choice {
    let mut names: BTreeMap<Cow<'_, str>, u64> = BTreeMap::new();
    let mut left_out: Vec<_> = facts
        .attempts
        .iter()
        .map(|seen| &seen.fact)
        .filter(|attempt| !is_chosen(component, attempt))
        .collect();
    left_out.sort_by(|a, b| a.id.cmp(&b.id));
    left_out.dedup_by(|a, b| a.id == b.id);
    for attempt in &left_out {
        *names.entry(name(attempt)).or_default() += 1;
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(_, count)| Reverse(*count));
    Choice {
        rule: component.from.to_string(),
        left_out: u64::try_from(left_out.len()).unwrap_or(u64::MAX),
        left_out_names: names
            .into_iter()
            .take(LEFT_OUT_NAMES_MAX)
            .map(|(name, _)| name.into_owned())
            .collect(),
    }
}

/// What the rules could have chosen an attempt by.
fn name(attempt: &Attempt) -> Cow<'_, str> {
    match &attempt.origin {
        Origin::Deployment => attempt.environment.as_str().into(),
        Origin::Run { workflow, name: _, branch, event } => {
            let branch = Some(branch.clone()).filter(|branch| !branch.is_empty());
            let run = RunRule { workflow: workflow.clone(), branch, event: Some(event.clone()) };
            run.to_string().into()
        }
        Origin::Release { tag, stage: Stage::Final } => tag.into(),
        Origin::Release { tag, stage: Stage::Prerelease } => format!("{tag} (prerelease)").into(),
        Origin::Tag { name } => name.into(),
        Origin::Pushed { component } => component.as_str().into(),
    }
}

/// Where merges deploy: each pull request merged into the default branch that is the component's.
fn merges(component: &Component, facts: &RepositoryFacts) -> Vec<FinishedAttempt> {
    let into_default =
        facts.changes.iter().filter(|seen| facts.repository.default_branch.as_ref() == Some(&seen.fact.base));
    into_default
        .filter(|seen| part::whose(component, &Landed::PullRequest(&seen.fact)) == Whose::Own)
        .filter_map(|Seen { fact: change, contact }| {
            Some(FinishedAttempt {
                id: ExternalId::new(change.number.to_string()),
                commit: change.landing?,
                environment: Environment::new(PRODUCTION),
                created_at: change.merged_at,
                finished_at: change.merged_at,
                outcome: Outcome::Success,
                url: None,
                contact: *contact,
                // What was corrected is counted with the change.
                corrections: Corrections::NONE,
            })
        })
        .collect()
}

/// One or more successful attempts of the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// What was deployed.
    pub commit: CommitId,
    /// The first success.
    pub deployed_at: Timestamp,
    /// When the attempt with the first success was created.
    pub created_at: Timestamp,
    /// The first successful attempt.
    pub id: ExternalId,
    /// The attempts that joined it later.
    pub joined: Vec<ExternalId>,
    /// Where a person can look at the first one.
    pub url: Option<String>,
    /// Whether counters may count the first one.
    pub contact: Contact,
}

/// Rollouts of one commit that one environment has not been reached by, the latest last.
#[derive(Default)]
struct Waiting {
    rollouts: Vec<usize>,
    /// How many rollouts of the commit were looked at.
    looked_at: usize,
}

/// The rollouts of attempts in their order, by time and id of the first success.
pub fn rollouts(attempts: &[FinishedAttempt]) -> Vec<Rollout> {
    let mut rollouts: Vec<Rollout> = Vec::new();
    let mut of_commit: HashMap<CommitId, Vec<usize>> = HashMap::new();
    let mut waiting: HashMap<(CommitId, &Environment), Waiting> = HashMap::new();
    let successes = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Success);
    for attempt in successes {
        let of_commit = of_commit.entry(attempt.commit).or_default();
        let waiting = waiting.entry((attempt.commit, &attempt.environment)).or_default();
        // Rollouts that this environment started or joined are not looked at again, so all others lack it.
        waiting.rollouts.extend(of_commit.get(waiting.looked_at..).unwrap_or_default());
        waiting.looked_at = of_commit.len();
        let latest = waiting
            .rollouts
            .pop()
            .and_then(|latest| rollouts.get_mut(latest))
            .filter(|rollout| attempt.finished_at.since(rollout.deployed_at) <= ROLLOUT_SPAN);
        if let Some(rollout) = latest {
            rollout.joined.push(attempt.id.clone());
        } else {
            // If the latest is too old, so are those before it.
            waiting.rollouts.clear();
            of_commit.push(rollouts.len());
            waiting.looked_at = of_commit.len();
            rollouts.push(Rollout {
                commit: attempt.commit,
                deployed_at: attempt.finished_at,
                created_at: attempt.created_at,
                id: attempt.id.clone(),
                joined: Vec::new(),
                url: attempt.url.clone(),
                contact: attempt.contact,
            });
        }
    }
    rollouts
}
