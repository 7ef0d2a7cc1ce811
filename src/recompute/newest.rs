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

/// Over the repositories and the incidents of each source.
pub(super) fn by_source(
    repositories: &BTreeMap<RepositoryId, Timestamp>,
    incidents: &[StoredIncident],
) -> BTreeMap<SourceName, Timestamp> {
    let repositories = repositories.iter().map(|(id, at)| (&id.source, *at));
    let incidents = incidents.iter().map(|StoredIncident { incident, .. }| {
        (&incident.source, incident.resolved_at.map_or(incident.started_at, |at| at.max(incident.started_at)))
    });
    let mut newest = BTreeMap::new();
    for (source, at) in repositories.chain(incidents) {
        let known = newest.entry(source.clone()).or_insert(at);
        *known = at.max(*known);
    }
    newest
}
