//! What the facts of one repository say about one component: its deployments with their kinds, changes and
//! failures. Computed once for as long as the facts stay the same, and holding no raw facts.
//!
//! What does not depend on the component, the commit graph above all, is computed once for all of a repository.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::ancestry::Containment;
use crate::engine::change::{self, Changes, Commits, DeployedChange, Landed, Unplanned};
use crate::engine::commit_index::{CommitIndex, Node};
use crate::engine::failure::{self, Blame};
use crate::engine::kind::{self, Kind};
use crate::engine::part::{self, Whose};
use crate::engine::revert::Reverts;
use crate::engine::rollout::{self, Choice, FinishedAttempt, Rollout};
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
    /// Whether it is the first one whose commit is known: like a `first` one it contains all that is older than the
    /// collected history.
    begins: bool,
    /// The changes that it is the first to contain, by name.
    pub changes: Vec<DeployedChange>,
    /// Which later deployments show that it failed.
    pub blamed: Vec<Blame>,
    /// The first rollback that went back behind it.
    pub taken_back_by: Option<usize>,
}

impl Deployment {
    fn new(rollout: Rollout, kind: Kind, traced: bool, begins: bool) -> Self {
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
            begins,
            changes: Vec::new(),
            blamed: Vec::new(),
            taken_back_by: None,
        }
    }

    /// Whether the changes that it is the first to contain are its own (`definitions.md` 2.5).
    pub(super) fn can_own(&self) -> bool {
        self.kind == Kind::Forward && !self.begins
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
    /// Whether it is a part of its repository, of which there may be others.
    pub is_part: bool,
    /// How its deployments are found, and what was collected besides.
    pub choice: Arc<Choice>,
    /// Its merged pull requests, by merge.
    pub merged: Vec<MergedPull>,
    /// When changes landed or were deployed of which nobody knows whether they are its own: sorted.
    pub unknown_at: Vec<Timestamp>,
    /// What is suspect about its attempts and its changes' spans, with when it counts.
    pub suspicions: Vec<(Timestamp, Suspicion)>,
    /// What is suspect about its repository's pull requests: the same for all components of that repository.
    pub repository_suspicions: Arc<[(Timestamp, Suspicion)]>,
    commits: Arc<CommitIndex>,
    containment: Arc<Containment>,
}

impl ComponentHistory {
    /// The deployments before `at`; their indices are those of all.
    pub fn before(&self, at: Timestamp) -> &[Deployment] {
        // Mostly one asks for now, and then it is all of them.
        if self.deployments.last().is_some_and(|newest| newest.deployed_at < at) {
            return &self.deployments;
        }
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

/// What all components of a repository have in common.
struct Repository<'r, 'f> {
    facts: &'f RepositoryFacts,
    commits: &'r Commits<'f>,
    changes: &'r Changes<'f>,
    reverts: &'r Reverts<'f, 'r>,
    suspicions: Arc<[(Timestamp, Suspicion)]>,
    settings: &'r MetricSettings,
}

/// Derives the pasts of components from the facts of their repository, in the components' order.
pub fn derive<'c>(
    components: impl IntoIterator<Item = &'c Component>,
    facts: &RepositoryFacts,
    settings: &MetricSettings,
) -> Vec<ComponentHistory> {
    let commits = Commits::new(&facts.commits);
    let changes = Changes::new(facts, &commits);
    let reverts = Reverts::new(&changes, &commits);
    let suspicions = repository_suspicions(facts, &changes).into();
    let repository =
        Repository { facts, commits: &commits, changes: &changes, reverts: &reverts, suspicions, settings };
    let mut containments = HashMap::new();
    components.into_iter().map(|component| of_component(component, &repository, &mut containments)).collect()
}

/// Which deployment contains what first, by the commits deployed: parts of a repository are often deployed together.
type Containments = HashMap<Vec<Option<Node>>, Arc<Containment>>;

fn of_component(
    component: &Component,
    repository: &Repository<'_, '_>,
    containments: &mut Containments,
) -> ComponentHistory {
    let Repository { facts, commits, changes, reverts: _, suspicions: of_repository, settings } = repository;
    let whose: Vec<_> = changes.landed.iter().map(|landed| part::whose(component, landed)).collect();
    let attempts = rollout::attempts(component, facts);
    let rollouts = rollout::rollouts(&attempts);
    let nodes: Vec<_> = rollouts.iter().map(|rollout| commits.graph.find(rollout.commit)).collect();
    let kinds = kind::kinds(&rollouts, &nodes, &commits.graph);
    let containment = containments.entry(nodes.clone());
    let containment =
        containment.or_insert_with(|| Arc::new(Containment::new(&commits.graph, nodes.iter().copied())));
    let containment = Arc::clone(containment);
    let mut deployments = deployments(rollouts, &kinds, &nodes);
    let own = whose.iter().enumerate().filter(|(_, whose)| **whose == Whose::Own);
    for (index, _) in own.clone() {
        assign(&mut deployments, index, repository, &containment);
    }
    failure::find(&mut deployments, &nodes, &commits.graph, settings);

    let own = own.filter_map(|(index, _)| changes.landed.get(index));
    ComponentHistory {
        name: component.name.clone(),
        team: component.team.clone(),
        repository: component.repository.clone(),
        repository_name: component.repository_name.clone(),
        is_part: component.paths.is_some(),
        choice: Arc::new(rollout::choice(component, facts)),
        merged: merged(own, commits, &containment, &deployments),
        unknown_at: part::unknown_at(&whose, changes, commits, &containment, &deployments),
        suspicions: suspicions(&attempts, &deployments, settings),
        repository_suspicions: Arc::clone(of_repository),
        deployments,
        attempts: attempts.into_iter().map(counted).collect(),
        commits: commits.graph.index(),
        containment,
    }
}

fn repository_suspicions(facts: &RepositoryFacts, changes: &Changes<'_>) -> Vec<(Timestamp, Suspicion)> {
    let mut suspicions = Vec::new();
    for landed in &changes.landed {
        if let Landed::PullRequest(pull) = landed {
            let noted = Suspicion::noted(pull.corrections);
            suspicions.extend(noted.map(|suspicion| (pull.merged_at, suspicion)));
        }
    }
    // A status that nobody documents may be what keeps an attempt from its end, so these count without one.
    for seen in facts.attempts.iter().filter(|seen| seen.fact.finished.is_none()) {
        let noted = Suspicion::noted(seen.fact.corrections);
        suspicions.extend(noted.map(|suspicion| (seen.fact.created_at, suspicion)));
    }
    suspicions
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
    let first_known = nodes.iter().position(Option::is_some);
    let mut previous_known = false;
    let mut deployments = Vec::with_capacity(rollouts.len());
    for (index, ((rollout, kind), node)) in rollouts.into_iter().zip(kinds).zip(nodes).enumerate() {
        let traced = previous_known && node.is_some();
        deployments.push(Deployment::new(rollout, *kind, traced, first_known == Some(index)));
        previous_known = node.is_some();
    }
    deployments
}

/// Gives a change to the deployment that contains it first (`definitions.md` 2.5), if that one has changes of its own.
fn assign(
    deployments: &mut [Deployment],
    change: usize,
    repository: &Repository<'_, '_>,
    containment: &Containment,
) {
    let Repository { facts: _, commits, changes, reverts, suspicions: _, settings } = repository;
    let landed = changes.landed.get(change).and_then(|landed| Some((landed, landed.landing()?)));
    let Some((landed, landing)) = landed else {
        return;
    };
    let first = commits.graph.find(landing).and_then(|node| containment.first(node));
    let deployment = first.and_then(|first| deployments.get_mut(first));
    if let Some(deployment) = deployment.filter(|deployment| deployment.can_own()) {
        let mut deployed = change::deployed(*landed, landing, deployment.deployed_at, commits, settings);
        deployed.unplanned = reverts.unplanned(change, settings);
        deployment.changes.push(deployed);
    }
}

fn merged<'c, 'f: 'c>(
    changes: impl Iterator<Item = &'c Landed<'f>>,
    commits: &Commits<'_>,
    containment: &Containment,
    deployments: &[Deployment],
) -> Vec<MergedPull> {
    let mut merged: Vec<_> = changes
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
