//! A component that is a part of a repository has only the changes that touch its paths (`definitions.md` 2.5).
//!
//! A change whose paths were not read may be anybody's: it belongs to none of the parts, and the windows in which
//! that may have changed a number are not complete.

use crate::engine::ancestry::Containment;
use crate::engine::change::{Changes, Commits, Landed};
use crate::engine::history::Deployment;
use crate::model::component::Component;
use crate::model::time::Timestamp;

/// Whose a change is, as one component sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The component's own; of others too, if it touches their paths.
    Own,
    /// Not the component's.
    Others,
    /// Nobody knows: its paths were not read.
    Unknown,
}

/// Whose a change is. All changes of a repository are those of a component that is all of it.
pub fn whose(component: &Component, change: &Landed<'_>) -> Whose {
    match (&component.paths, change.paths()) {
        (None, _) => Whose::Own,
        (Some(_), None) => Whose::Unknown,
        (Some(patterns), Some(paths)) if patterns.touch(paths) => Whose::Own,
        (Some(_), Some(_)) => Whose::Others,
    }
}

/// When changes of which nobody knows whose they are landed, and when they were deployed where that could have made
/// them a deployment's own: sorted. A window with one of these instants in it is not complete.
pub fn unknown_at(
    whose: &[Whose],
    changes: &Changes<'_>,
    commits: &Commits<'_>,
    containment: &Containment,
    deployments: &[Deployment],
) -> Vec<Timestamp> {
    let unknown = changes.landed.iter().zip(whose).filter(|(_, whose)| **whose == Whose::Unknown);
    let mut instants: Vec<_> = unknown
        .flat_map(|(change, _)| {
            let node = change.landing().and_then(|id| commits.graph.find(id));
            let by = node.and_then(|node| containment.first(node)).and_then(|by| deployments.get(by));
            let deployed_at = by.filter(|by| by.can_own()).map(|by| by.deployed_at);
            std::iter::once(change.merged_at()).chain(deployed_at)
        })
        .collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}
