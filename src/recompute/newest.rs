//! The newest instant that a fact of a source speaks of: how far behind a source is, whatever its polls say.

use std::collections::BTreeMap;

use crate::model::batch::{RepositoryFacts, StoredIncident};
use crate::model::name::{RepositoryId, SourceName};
use crate::model::time::Timestamp;

/// Over a repository's merges, deployments and commits.
pub(super) fn of_repository(facts: &RepositoryFacts) -> Option<Timestamp> {
    let attempts = facts.attempts.iter().map(|seen| {
        let created_at = seen.fact.created_at;
        seen.fact.finished.map_or(created_at, |(_, at)| at.max(created_at))
    });
    let changes = facts.changes.iter().map(|seen| seen.fact.merged_at);
    let commits = facts.commits.iter().map(|commit| commit.committed_at);
    attempts.chain(changes).chain(commits).max()
}

/// Over the incidents of each source.
pub(super) fn of_incidents(incidents: &[StoredIncident]) -> BTreeMap<SourceName, Timestamp> {
    by_source(incidents.iter().map(|StoredIncident { incident, .. }| {
        let started_at = incident.started_at;
        (&incident.source, incident.resolved_at.map_or(started_at, |at| at.max(started_at)))
    }))
}

/// Over the repositories and the incidents of each source.
pub(super) fn of_sources(
    repositories: &BTreeMap<RepositoryId, Timestamp>,
    incidents: &BTreeMap<SourceName, Timestamp>,
) -> BTreeMap<SourceName, Timestamp> {
    let repositories = repositories.iter().map(|(id, at)| (&id.source, *at));
    by_source(repositories.chain(incidents.iter().map(|(source, at)| (source, *at))))
}

fn by_source<'s>(
    instants: impl Iterator<Item = (&'s SourceName, Timestamp)>,
) -> BTreeMap<SourceName, Timestamp> {
    let mut newest: BTreeMap<SourceName, Timestamp> = BTreeMap::new();
    for (source, at) in instants {
        match newest.get_mut(source) {
            Some(known) => *known = at.max(*known),
            None => drop(newest.insert(source.clone(), at)),
        }
    }
    newest
}
