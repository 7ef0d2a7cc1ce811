//! What the facts of one repository say about one component: its deployments with their kinds, changes and
//! failures. Computed once for as long as the facts stay the same, and holding no raw facts.

use crate::engine::ancestry::Containment;
use crate::engine::change::{self, Changes, Commits, DeployedChange, Landed, Unplanned};
use crate::engine::commit_index::{CommitIndex, Node};
use crate::engine::failure::{self, Blame};
use crate::engine::kind::{self, Kind};
use crate::engine::revert::Reverts;
use crate::engine::rollout::{self, FinishedAttempt, Rollout};
use crate::model::batch::{Contact, RepositoryFacts};
use crate::model::component::Component;
use crate::model::fact::{Author, Corrections, Outcome};
use crate::model::name::{
    CommitId, CommitPrefix, ComponentName, ExternalId, RepositoryId, RepositoryName, TeamSlug,
};
use crate::model::settings::{BotChanges, MetricSettings};
use crate::model::time::Timestamp;

/// A deployment with everything that the facts of its repository say about it.
#[derive(Debug)]
pub struct Deployment {
    /// What was deployed.
    pub commit: CommitId,
    /// Its time: the first success (`definitions.md` 2.3).
    pub deployed_at: Timestamp,
    /// When the attempt with the first success was created.
    pub created_at: Timestamp,
    /// The first successful attempt.
    pub id: ExternalId,
    /// The attempts that joined it later.
    pub joined: Vec<ExternalId>,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// Whether counters may count it: as its first successful attempt.
    pub contact: Contact,
    /// What it is in relation to the one before it.
    pub kind: Kind,
    /// Whether its commit and its predecessor's are both in the commit graph (`definitions.md` §5).
    pub traced: bool,
    /// The changes that it is the first to contain, by name.
    pub changes: Vec<DeployedChange>,
    /// Which later deployments show that it failed.
    pub blamed: Vec<Blame>,
    /// The first rollback that went back behind it.
    pub taken_back_by: Option<usize>,
}

impl Deployment {
    fn new(rollout: Rollout, kind: Kind, traced: bool) -> Self {
        let Rollout { commit, deployed_at, created_at, id, joined, url, contact } = rollout;
        Self {
            commit,
            deployed_at,
            created_at,
            id,
            joined,
            url,
            contact,
            kind,
            traced,
            changes: Vec::new(),
            blamed: Vec::new(),
            taken_back_by: None,
        }
    }

    /// The external ids of all its successful attempts.
    pub fn attempts(&self) -> impl Iterator<Item = &ExternalId> {
        std::iter::once(&self.id).chain(&self.joined)
    }

    /// What its changes say against its having been planned.
    pub fn unplanned(&self) -> impl Iterator<Item = Unplanned> {
        self.changes.iter().flat_map(|change| change.unplanned.iter().copied())
    }
}

/// An attempt, for those who only count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedAttempt {
    /// The source's id of it.
    pub id: ExternalId,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Whether counters may count it.
    pub contact: Contact,
}

/// A merged pull request, deployed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedPull {
    /// Its number.
    pub number: u64,
    /// The commit it landed as.
    pub landing: Option<CommitId>,
    /// When it was merged.
    pub merged_at: Timestamp,
    /// The first deployment that contains it, `first` ones too.
    pub contained_at: Option<Timestamp>,
}

/// Why a fact is used with a correction (`sextant_suspect_facts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspicion {
    /// A span was negative and counted as zero.
    ClockSkew,
    /// It was dated after it was read.
    Future,
    /// It had a value that its source does not document.
    UnknownValue,
}

impl Suspicion {
    /// Those that a source noted.
    pub fn noted(corrections: Corrections) -> impl Iterator<Item = Self> {
        [(Corrections::FUTURE, Self::Future), (Corrections::UNKNOWN_VALUE, Self::UnknownValue)]
            .into_iter()
            .filter(move |(correction, _)| corrections.contains(*correction))
            .map(|(_, suspicion)| suspicion)
    }
}

/// A component's past.
#[derive(Debug)]
pub struct ComponentHistory {
    /// Its name.
    pub name: ComponentName,
    /// The team that owns it.
    pub team: TeamSlug,
    /// Its repository.
    pub repository: RepositoryId,
    /// What its repository is called today.
    pub repository_name: RepositoryName,
    /// Its deployments, by time and id.
    pub deployments: Vec<Deployment>,
    /// Its finished production attempts, by time and id.
    pub attempts: Vec<CountedAttempt>,
    /// The merged pull requests of its repository, by merge.
    pub merged: Vec<MergedPull>,
    /// What is suspect about its attempts and its changes' spans, with when it counts.
    pub suspicions: Vec<(Timestamp, Suspicion)>,
    /// What is suspect about its repository's pull requests: the same for all components of that repository.
    pub repository_suspicions: Vec<(Timestamp, Suspicion)>,
    commits: CommitIndex,
    containment: Containment,
}

impl ComponentHistory {
    /// The deployments before `at`; their indices are those of all.
    pub fn before(&self, at: Timestamp) -> &[Deployment] {
        let end = self.deployments.partition_point(|deployment| deployment.deployed_at < at);
        self.deployments.get(..end).unwrap_or_default()
    }

    /// The deployment before `at` that a commit stands for (`definitions.md` 4.3): the last one of just this commit,
    /// else the one that brought it. A beginning that several commits have stands for none.
    pub fn deployment_of(&self, prefix: &CommitPrefix, at: Timestamp) -> Option<usize> {
        let (low, high) = prefix.bounds();
        self.deployment_between(low, high, at)
    }

    /// As [`Self::deployment_of`], for a pull request.
    pub fn deployment_of_pull(&self, number: u64, at: Timestamp) -> Option<usize> {
        let landing = self.merged.iter().find(|pull| pull.number == number)?.landing?;
        self.deployment_between(landing, landing, at)
    }

    fn deployment_between(&self, low: CommitId, high: CommitId, at: Timestamp) -> Option<usize> {
        let before = self.before(at);
        let named = |deployment: &Deployment| (low..=high).contains(&deployment.commit);
        let exactly = before.iter().rposition(named);
        let mut known = self.commits.between(low, high);
        let commit = exactly.and_then(|index| before.get(index)).map(|found| found.commit);
        match (known.next(), known.next()) {
            (_, Some(_)) => None,
            (Some((id, _)), None) if commit.is_some_and(|commit| commit != id) => None,
            (Some((_, node)), None) => exactly.or_else(|| {
                let first = self.containment.first(node);
                first.filter(|first| *first < before.len())
            }),
            (None, None) => exactly,
        }
    }
}

/// Derives a component's past from the facts of its repository.
pub fn derive(component: &Component, facts: &RepositoryFacts, settings: &MetricSettings) -> ComponentHistory {
    let attempts = rollout::attempts(component, facts);
    let rollouts = rollout::rollouts(&attempts);
    let commits = Commits::new(&facts.commits);
    let nodes: Vec<_> = rollouts.iter().map(|rollout| commits.graph.find(rollout.commit)).collect();
    let kinds = kind::kinds(&rollouts, &nodes, &commits.graph);
    let containment = Containment::new(&commits.graph, nodes.iter().copied());
    let mut deployments = deployments(rollouts, &kinds, &nodes);
    let changes = Changes::new(facts, &commits);
    assign(&mut deployments, &nodes, &changes, &commits, &containment, settings);
    failure::find(&mut deployments, &nodes, &commits.graph, settings);

    let merged = merged(&changes, &commits, &containment, &deployments);
    let suspicions = suspicions(&attempts, &deployments, settings);
    let mut repository_suspicions = Vec::new();
    for landed in &changes.landed {
        if let Landed::PullRequest(pull) = landed {
            let noted = Suspicion::noted(pull.corrections);
            repository_suspicions.extend(noted.map(|suspicion| (pull.merged_at, suspicion)));
        }
    }
    // A status that nobody documents may be what keeps an attempt from its end, so these count without one.
    for seen in facts.attempts.iter().filter(|seen| seen.fact.finished.is_none()) {
        let noted = Suspicion::noted(seen.fact.corrections);
        repository_suspicions.extend(noted.map(|suspicion| (seen.fact.created_at, suspicion)));
    }
    ComponentHistory {
        name: component.name.clone(),
        team: component.team.clone(),
        repository: component.repository.clone(),
        repository_name: component.repository_name.clone(),
        deployments,
        attempts: attempts.into_iter().map(counted).collect(),
        merged,
        suspicions,
        repository_suspicions,
        commits: commits.graph.into_index(),
        containment,
    }
}

fn counted(attempt: FinishedAttempt) -> CountedAttempt {
    let FinishedAttempt {
        id,
        commit: _,
        environment: _,
        created_at: _,
        finished_at,
        outcome,
        url: _,
        contact,
        corrections: _,
    } = attempt;
    CountedAttempt { id, finished_at, outcome, contact }
}

fn deployments(rollouts: Vec<Rollout>, kinds: &[Kind], nodes: &[Option<Node>]) -> Vec<Deployment> {
    let mut previous_known = false;
    let mut deployments = Vec::with_capacity(rollouts.len());
    for ((rollout, kind), node) in rollouts.into_iter().zip(kinds).zip(nodes) {
        deployments.push(Deployment::new(rollout, *kind, previous_known && node.is_some()));
        previous_known = node.is_some();
    }
    deployments
}

/// Gives each change to the deployment that contains it first (`definitions.md` 2.5). Only `forward` deployments
/// have changes of their own, and of those not the first one whose commit is known: like a `first` one it contains
/// all that is older than the collected history.
fn assign(
    deployments: &mut [Deployment],
    nodes: &[Option<Node>],
    changes: &Changes<'_>,
    commits: &Commits<'_>,
    containment: &Containment,
    settings: &MetricSettings,
) {
    let reverts = Reverts::new(changes, commits);
    let first_known = nodes.iter().position(Option::is_some);
    for (index, landed) in changes.landed.iter().enumerate() {
        let Some(landing) = landed.landing() else {
            continue;
        };
        let first = commits.graph.find(landing).and_then(|node| containment.first(node));
        let Some(first) = first.filter(|first| Some(*first) != first_known) else {
            continue;
        };
        let deployment = deployments.get_mut(first);
        if let Some(deployment) = deployment.filter(|deployment| deployment.kind == Kind::Forward) {
            let mut change = change::deployed(*landed, landing, deployment.deployed_at, commits, settings);
            change.unplanned = reverts.unplanned(index, settings);
            deployment.changes.push(change);
        }
    }
}

fn merged(
    changes: &Changes<'_>,
    commits: &Commits<'_>,
    containment: &Containment,
    deployments: &[Deployment],
) -> Vec<MergedPull> {
    let mut merged: Vec<_> = changes
        .landed
        .iter()
        .filter_map(|landed| match landed {
            Landed::Push(_) => None,
            Landed::PullRequest(pull) => {
                let node = pull.landing.and_then(|id| commits.graph.find(id));
                let by = node.and_then(|node| containment.first(node));
                let by = by.and_then(|by| deployments.get(by));
                Some(MergedPull {
                    number: pull.number,
                    landing: pull.landing,
                    merged_at: pull.merged_at,
                    contained_at: by.map(|by| by.deployed_at),
                })
            }
        })
        .collect();
    merged.sort_by_key(|pull| (pull.merged_at, pull.number));
    merged
}

fn suspicions(
    attempts: &[FinishedAttempt],
    deployments: &[Deployment],
    settings: &MetricSettings,
) -> Vec<(Timestamp, Suspicion)> {
    let noted = attempts.iter().flat_map(|attempt| {
        Suspicion::noted(attempt.corrections).map(|suspicion| (attempt.finished_at, suspicion))
    });
    let skewed = deployments.iter().flat_map(|deployment| {
        let skewed = deployment.changes.iter().filter(|change| change.skewed && counts(change, settings));
        skewed.map(|change| (deployment.deployed_at.max(change.merged_at), Suspicion::ClockSkew))
    });
    noted.chain(skewed).collect()
}

/// Whether a change has a lead time: bots' have one only if they are included.
pub fn counts(change: &DeployedChange, settings: &MetricSettings) -> bool {
    match (change.author, settings.bot_changes) {
        (Author::Human, _) | (Author::Bot, BotChanges::Included) => true,
        (Author::Bot, BotChanges::Apart) => false,
    }
}
