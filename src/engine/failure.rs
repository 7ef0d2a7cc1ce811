//! What a component's own deployments say about failures: which one a rollback, a revert or a hotfix blames
//! (`definitions.md` 3.3 b and c), and which ones a rollback remedies (3.4).

use std::collections::HashMap;

use crate::engine::ancestry::{Ancestry, CommitGraph};
use crate::engine::change::{ChangeName, Unplanned};
use crate::engine::commit_index::Node;
use crate::engine::history::Deployment;
use crate::engine::kind::Kind;
use crate::model::settings::{FailOn, MetricSettings, RollbackBlames};

/// How a later deployment shows that an earlier one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// It took it back.
    Rollback,
    /// It contains a change that reverts one of its changes.
    Revert,
    /// It contains a hotfix and follows it immediately.
    Hotfix,
}

impl Remedy {
    /// The switch of `fail_on` that makes it count.
    pub const fn switch(self) -> FailOn {
        match self {
            Self::Rollback => FailOn::Rollback,
            Self::Revert => FailOn::Revert,
            Self::Hotfix => FailOn::Hotfix,
        }
    }
}

/// One deployment blamed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blame {
    /// How.
    pub remedy: Remedy,
    /// The later deployment: its index within the component.
    pub by: usize,
}

/// Notes in each deployment who blames it, and which rollback took it back.
pub fn find(
    deployments: &mut [Deployment],
    nodes: &[Option<Node>],
    graph: &CommitGraph,
    settings: &MetricSettings,
) {
    let targets = Targets::new(deployments, nodes, graph);
    let mut blames = rollbacks(deployments, &targets, settings.rollback_blames);
    blames.extend(remediations(deployments, settings));
    for (blamed, blame) in blames {
        if let Some(deployment) = deployments.get_mut(blamed) {
            deployment.blamed.push(blame);
        }
    }
    for (index, rollback) in taken_back(deployments, &targets) {
        if let Some(deployment) = deployments.get_mut(index) {
            deployment.taken_back_by = Some(rollback);
        }
    }
    for deployment in deployments {
        deployment.blamed.sort_unstable();
        deployment.blamed.dedup();
    }
}

/// Where rollbacks went back to: for each, the index after its target; 0 where there is none in the history.
struct Targets {
    after: HashMap<usize, usize>,
}

impl Targets {
    fn new(deployments: &[Deployment], nodes: &[Option<Node>], graph: &CommitGraph) -> Self {
        let mut ancestry = Ancestry::new(graph);
        let mut latest = HashMap::new();
        let mut after = HashMap::new();
        for (index, deployment) in deployments.iter().enumerate() {
            if deployment.kind == Kind::Rollback {
                let same = latest.get(&deployment.commit).copied();
                let target = same.or_else(|| {
                    let node = nodes.get(index).copied().flatten()?;
                    nodes.get(..index)?.iter().rposition(|earlier| {
                        earlier.is_some_and(|earlier| ancestry.is_proper_ancestor(earlier, node))
                    })
                });
                after.insert(index, target.map_or(0, |target| target + 1));
            }
            latest.insert(deployment.commit, index);
        }
        Self { after }
    }

    fn of(&self, rollback: usize) -> usize {
        self.after.get(&rollback).copied().unwrap_or(0)
    }
}

fn is_redeploy(deployment: &Deployment) -> bool {
    deployment.kind == Kind::Redeploy
}

/// The deployment in place before `index`, of which redeploys are only repetitions.
fn in_place_before(deployments: &[Deployment], index: usize) -> Option<usize> {
    let earlier = deployments.get(..index)?;
    earlier.iter().rposition(|deployment| !is_redeploy(deployment))
}

fn rollbacks(deployments: &[Deployment], targets: &Targets, which: RollbackBlames) -> Vec<(usize, Blame)> {
    let rollbacks =
        deployments.iter().enumerate().filter(|(_, deployment)| deployment.kind == Kind::Rollback);
    let blames = rollbacks.filter_map(|(by, _)| {
        let found = match which {
            RollbackBlames::Last => in_place_before(deployments, by),
            RollbackBlames::First => {
                let after = targets.of(by);
                let removed = deployments.get(after..by)?.iter();
                let first = removed.enumerate().find(|(_, removed)| !is_redeploy(removed));
                first.map(|(offset, _)| after + offset)
            }
        };
        let remedy = Remedy::Rollback;
        found.map(|blamed| (blamed, Blame { remedy, by }))
    });
    blames.collect()
}

fn remediations(deployments: &[Deployment], settings: &MetricSettings) -> Vec<(usize, Blame)> {
    let mut deployed_by: HashMap<ChangeName, usize> = HashMap::new();
    for (index, deployment) in deployments.iter().enumerate() {
        deployed_by.extend(deployment.changes.iter().map(|change| (change.name, index)));
    }
    let mut found = Vec::new();
    for (by, deployment) in deployments.iter().enumerate() {
        let unplanned = deployment.changes.iter().flat_map(|change| &change.unplanned);
        for reason in unplanned {
            let (blamed, remedy) = match reason {
                Unplanned::Revert(of) => (of.and_then(|of| deployed_by.get(&of).copied()), Remedy::Revert),
                Unplanned::Hotfix => (in_place_before(deployments, by), Remedy::Hotfix),
            };
            let in_time = |blamed: &usize| {
                deployments.get(*blamed).is_some_and(|blamed| {
                    deployment.deployed_at.since(blamed.deployed_at) <= settings.remediation_window
                })
            };
            let earlier = blamed.filter(|blamed| *blamed < by).filter(in_time);
            found.extend(earlier.map(|blamed| (blamed, Blame { remedy, by })));
        }
    }
    found
}

/// Each deployment that was ever after a rollback's target, with the first such rollback.
fn taken_back(deployments: &[Deployment], targets: &Targets) -> Vec<(usize, usize)> {
    let mut in_place: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (index, deployment) in deployments.iter().enumerate() {
        if deployment.kind == Kind::Rollback {
            let kept = in_place.partition_point(|earlier| *earlier < targets.of(index));
            found.extend(in_place.drain(kept..).map(|earlier| (earlier, index)));
        }
        in_place.push(index);
    }
    found
}
