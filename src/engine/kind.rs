//! What a deployment is in relation to the one before it (`definitions.md` 2.4).

use std::collections::HashSet;

use crate::engine::ancestry::{Ancestry, CommitGraph};
use crate::engine::commit_index::Node;
use crate::engine::rollout::Rollout;

/// What a deployment is in relation to the previous one of its component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// There is none before it: history starts here.
    First,
    /// None of the others.
    Forward,
    /// The same commit again.
    Redeploy,
    /// Back to an older commit.
    Rollback,
    /// An older commit that was on its way before the previous deployment: a hung job, no rollback.
    Late,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Forward => "forward",
            Self::Redeploy => "redeploy",
            Self::Rollback => "rollback",
            Self::Late => "late",
        }
    }
}

/// The kind of each rollout; `nodes` says where their commits are in the graph.
pub fn kinds(rollouts: &[Rollout], nodes: &[Option<Node>], graph: &CommitGraph) -> Vec<Kind> {
    let mut ancestry = Ancestry::new(graph);
    let mut deployed = HashSet::new();
    let mut previous: Option<(&Rollout, Option<Node>)> = None;
    let mut kinds = Vec::with_capacity(rollouts.len());
    for (rollout, node) in rollouts.iter().zip(nodes) {
        kinds.push(match previous {
            None => Kind::First,
            Some((previous, _)) if previous.commit == rollout.commit => Kind::Redeploy,
            Some((previous, before)) => {
                let overtaken = rollout.created_at < previous.created_at;
                match (node, before) {
                    (Some(node), Some(before)) => match ancestry.is_proper_ancestor(*node, before) {
                        true if overtaken => Kind::Late,
                        true => Kind::Rollback,
                        false => Kind::Forward,
                    },
                    _ if deployed.contains(&rollout.commit) && !overtaken => Kind::Rollback,
                    _ => Kind::Forward,
                }
            }
        });
        deployed.insert(rollout.commit);
        previous = Some((rollout, *node));
    }
    kinds
}
