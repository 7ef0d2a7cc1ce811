//! Changes: merged pull requests and direct pushes (`definitions.md` §1), and how long one took to be deployed (3.2).

use std::collections::{HashMap, HashSet};

use crate::engine::ancestry::CommitGraph;
use crate::engine::commit_index::Node;
use crate::model::batch::RepositoryFacts;
use crate::model::fact::{Author, Change, Commit};
use crate::model::name::CommitId;
use crate::model::settings::{LeadTimeFrom, MetricSettings};
use crate::model::time::{Span, Timestamp};

/// What a change is called within its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeName {
    /// A pull request, by its number.
    PullRequest(u64),
    /// A direct push, by its commit.
    Push(CommitId),
}

/// A change of a repository that landed, or a pull request of which nobody knows where it landed.
#[derive(Debug, Clone, Copy)]
pub enum Landed<'f> {
    /// A merged pull request.
    PullRequest(&'f Change),
    /// A commit that was pushed to the default branch.
    Push(&'f Commit),
}

impl Landed<'_> {
    /// What it is called.
    pub const fn name(&self) -> ChangeName {
        match self {
            Self::PullRequest(change) => ChangeName::PullRequest(change.number),
            Self::Push(commit) => ChangeName::Push(commit.id),
        }
    }

    /// The commit that it landed as.
    pub const fn landing(&self) -> Option<CommitId> {
        match self {
            Self::PullRequest(change) => change.landing,
            Self::Push(commit) => Some(commit.id),
        }
    }

    /// The files that it touches, if they were read.
    pub fn paths(&self) -> Option<&[String]> {
        match self {
            Self::PullRequest(change) => change.paths.as_deref(),
            Self::Push(commit) => commit.paths.as_deref(),
        }
    }

    /// When it landed.
    pub const fn merged_at(&self) -> Timestamp {
        match self {
            Self::PullRequest(change) => change.merged_at,
            Self::Push(commit) => commit.committed_at,
        }
    }
}

/// The commits of a repository sorted by id, and the graph over them.
#[derive(Debug)]
pub struct Commits<'f> {
    /// By node.
    pub by_node: Vec<&'f Commit>,
    /// Who is whose parent.
    pub graph: CommitGraph,
}

impl<'f> Commits<'f> {
    /// Of a repository's facts in any order.
    pub fn new(commits: &'f [Commit]) -> Self {
        let mut by_node: Vec<_> = commits.iter().collect();
        by_node.sort_by_key(|commit| commit.id);
        by_node.dedup_by_key(|commit| commit.id);
        let graph = CommitGraph::new(&by_node);
        Self { by_node, graph }
    }

    /// A commit, if it is known.
    pub fn get(&self, id: CommitId) -> Option<&'f Commit> {
        self.at(self.graph.find(id)?)
    }

    fn at(&self, node: Node) -> Option<&'f Commit> {
        self.by_node.get(node.index()).copied()
    }
}

/// All changes of a repository by name, and whose the commits of rebase merges are.
#[derive(Debug)]
pub struct Changes<'f> {
    /// Pull requests by number, then direct pushes by commit.
    pub landed: Vec<Landed<'f>>,
    /// Commits that a rebase merge rewrote, with the index of the pull request.
    pub rewritten: HashMap<CommitId, usize>,
}

impl<'f> Changes<'f> {
    /// Finds them.
    pub fn new(facts: &'f RepositoryFacts, commits: &Commits<'f>) -> Self {
        let mut pulls: Vec<_> = facts.changes.iter().map(|seen| &seen.fact).collect();
        pulls.sort_by_key(|change| change.number);
        pulls.dedup_by_key(|change| change.number);
        let mut rewritten = HashMap::new();
        for (index, change) in pulls.iter().enumerate() {
            rewritten.extend(rewritten_by(change, commits).map(|id| (id, index)));
        }
        let landings: HashSet<_> = pulls.iter().filter_map(|change| change.landing).collect();
        let mut pushes = first_parents(facts.repository.head, commits);
        pushes.retain(|commit| {
            commit.pull_request.is_none()
                && !landings.contains(&commit.id)
                && !rewritten.contains_key(&commit.id)
        });
        pushes.sort_by_key(|commit| commit.id);
        let pulls = pulls.into_iter().map(Landed::PullRequest);
        Self { landed: pulls.chain(pushes.into_iter().map(Landed::Push)).collect(), rewritten }
    }
}

/// The commits before the landing commit that a rebase merge made: as long as their author dates are those of the
/// pull request's own commits, from the last one backwards. A squash has a date of its own, a merge two parents.
fn rewritten_by(change: &Change, commits: &Commits<'_>) -> impl Iterator<Item = CommitId> {
    let landing = change.landing.and_then(|id| commits.graph.find(id));
    let landing = landing.filter(|landing| {
        let landed = commits.at(*landing);
        landed.is_some_and(|landed| landed.parents.len() == 1)
    });
    let backwards = std::iter::successors(landing, |node| commits.graph.first_parent(*node));
    backwards.zip(change.own_commits.iter().rev()).map_while(|(node, own)| {
        let commit = commits.at(node)?;
        (commit.authored_at == own.authored_at).then_some(commit.id)
    })
}

/// The default branch from its newest commit along first parents.
fn first_parents<'f>(head: Option<CommitId>, commits: &Commits<'f>) -> Vec<&'f Commit> {
    let head = head.and_then(|id| commits.graph.find(id));
    std::iter::successors(head, |node| commits.graph.first_parent(*node))
        // Garbage with a cycle must not loop.
        .take(commits.graph.len())
        .filter_map(|node| commits.at(node))
        .collect()
}

/// A change with the deployment that was the first to contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedChange {
    /// What it is called.
    pub name: ChangeName,
    /// The commit it landed as.
    pub landing: CommitId,
    /// Who wrote it.
    pub author: Author,
    /// When it was merged or pushed.
    pub merged_at: Timestamp,
    /// From its start, as `lead_time_from` has it, to the deployment; never negative.
    pub lead_time: Span,
    /// The phases of a pull request.
    pub phases: Option<Phases>,
    /// Whether a span was negative and counted as zero.
    pub skewed: bool,
    /// What makes its deployment an unplanned one.
    pub unplanned: Vec<Unplanned>,
}

impl DeployedChange {
    /// Whether nobody reviewed it before it was merged.
    pub fn is_unreviewed(&self) -> bool {
        self.phases.is_none_or(|phases| phases.reviewed.is_none())
    }
}

/// Why a change is not planned work (`definitions.md` 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplanned {
    /// It reverts a change, if the one it reverts is known.
    Revert(Option<ChangeName>),
    /// It is a hotfix.
    Hotfix,
}

/// The phases of a pull request's lead time. Those of a reviewed one add up to the time from its first commit to its
/// deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phases {
    /// First commit to opened, or to ready for review.
    pub coding: Span,
    /// From there to the first review and on to the merge, if there was a review.
    pub reviewed: Option<Reviewed>,
    /// Merge to deployment.
    pub deploy: Span,
}

/// The phases that only a reviewed change has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reviewed {
    /// Opened or ready to the first review.
    pub pickup: Span,
    /// First review to merge.
    pub review: Span,
}

/// How a change got to the deployment at `deployed_at`.
pub fn deployed(
    change: Landed<'_>,
    landing: CommitId,
    deployed_at: Timestamp,
    commits: &Commits<'_>,
    settings: &MetricSettings,
) -> DeployedChange {
    match change {
        Landed::Push(commit) => DeployedChange {
            name: change.name(),
            landing,
            author: commit.author,
            // A committer's clock may be ahead; what is deployed was pushed.
            merged_at: commit.committed_at.min(deployed_at),
            lead_time: deployed_at.since(commit.authored_at).max(Span::ZERO),
            phases: None,
            skewed: deployed_at < commit.authored_at,
            unplanned: Vec::new(),
        },
        Landed::PullRequest(pull) => {
            let first_commit_at = first_commit_at(pull, landing, commits);
            let start = match settings.lead_time_from {
                LeadTimeFrom::FirstCommit => first_commit_at,
                LeadTimeFrom::Opened => pull.opened_at,
                LeadTimeFrom::Merged => pull.merged_at,
            };
            DeployedChange {
                name: change.name(),
                landing,
                author: pull.author,
                merged_at: pull.merged_at,
                lead_time: deployed_at.since(start).max(Span::ZERO),
                phases: Some(phases(pull, first_commit_at, deployed_at)),
                skewed: deployed_at < start || is_skewed(pull, first_commit_at, deployed_at),
                unplanned: Vec::new(),
            }
        }
    }
}

/// The earliest author date of a pull request's own commits; without them the landing commit's, else its opening.
fn first_commit_at(pull: &Change, landing: CommitId, commits: &Commits<'_>) -> Timestamp {
    let own = pull.own_commits.iter().map(|own| own.authored_at).min();
    own.or_else(|| commits.get(landing).map(|commit| commit.authored_at)).unwrap_or(pull.opened_at)
}

/// When coding ended: opened, or ready for review if that was later.
fn ready_at(pull: &Change) -> Timestamp {
    pull.ready_at.map_or(pull.opened_at, |at| at.max(pull.opened_at))
}

/// Whether the span of some phase is negative as the clocks have it (`definitions.md` 3.2).
fn is_skewed(pull: &Change, first_commit_at: Timestamp, deployed_at: Timestamp) -> bool {
    let coding = [first_commit_at, ready_at(pull)];
    let reviewed = pull.reviewed_at;
    let reviewed = reviewed.is_some_and(|at| ![ready_at(pull), at, pull.merged_at].is_sorted());
    let deploy = [pull.merged_at, deployed_at];
    !coding.is_sorted() || reviewed || !deploy.is_sorted()
}

/// Every boundary lies between the one before it and the deployment, so that phases add up whatever the clocks say.
fn phases(pull: &Change, first_commit_at: Timestamp, deployed_at: Timestamp) -> Phases {
    let after = |boundary: Timestamp, at: Timestamp| boundary.max(at.min(deployed_at));
    let started_at = first_commit_at.min(deployed_at);
    let ready_at = after(started_at, ready_at(pull));
    let reviewed_at = pull.reviewed_at.map(|at| after(ready_at, at));
    let merged_at = after(reviewed_at.unwrap_or(ready_at), pull.merged_at);
    Phases {
        coding: ready_at.since(started_at),
        reviewed: reviewed_at.map(|reviewed_at| Reviewed {
            pickup: reviewed_at.since(ready_at),
            review: merged_at.since(reviewed_at),
        }),
        deploy: deployed_at.since(merged_at),
    }
}
