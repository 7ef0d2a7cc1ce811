//! A batch with one word for each identity: what every implementation stores, in the order of the keys.
//!
//! Settling first is what makes a batch with duplicates idempotent: of two versions of a row in one batch only the
//! last is ever written, so applying the batch again finds every row the same.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::batch::{Batch, Contact, Coverage, Cursor, Scope};
use crate::model::fact::{Attempt, Change, Commit, Exclusion, Fact, HoldingTeam, Incident, Repository};
use crate::model::name::{CommitId, ExternalId, RepositoryId, SourceName};
use crate::model::time::Timestamp;

/// A batch, settled.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// What it says of each repository.
    pub(super) repositories: BTreeMap<RepositoryId, RepositoryRows>,
    /// The teams of each source, by slug.
    pub(super) teams: BTreeMap<SourceName, Vec<HoldingTeam>>,
    /// What it says of each incident.
    pub(super) incidents: BTreeMap<(SourceName, ExternalId), IncidentWord>,
    /// The last cursor of each scope.
    pub(super) cursors: BTreeMap<Scope, Option<Cursor>>,
    /// The earliest start of each coverage.
    pub(super) covered: BTreeMap<Coverage, Timestamp>,
    /// Whether it is news.
    pub(super) contact: Contact,
}

/// What a batch says of one repository.
#[derive(Debug, Default)]
pub(super) struct RepositoryRows {
    /// The repository itself.
    pub(super) row: Option<Repository>,
    /// Its commits.
    pub(super) commits: BTreeMap<CommitId, Commit>,
    /// Its changes.
    pub(super) changes: BTreeMap<u64, Change>,
    /// Its attempts.
    pub(super) attempts: BTreeMap<ExternalId, Attempt>,
}

/// What a batch says of one incident.
#[derive(Debug)]
pub(super) enum IncidentWord {
    /// How it is.
    Is(Box<Incident>),
    /// It is none.
    Not,
}

impl Settled {
    /// Settles a batch: later facts win, but for what a later read did not ask.
    pub(super) fn new(batch: Batch) -> Self {
        let Batch { facts, cursors, covered, contact } = batch;
        let mut settled = Self { cursors: cursors.into_iter().collect(), contact, ..Self::default() };
        for (what, since) in covered {
            let earliest = settled.covered.entry(what).or_insert(since);
            *earliest = since.min(*earliest);
        }
        for fact in facts {
            settled.hear(fact);
        }
        settled
    }

    fn hear(&mut self, fact: Fact) {
        match fact {
            Fact::Repository(repository) => {
                let rows = self.rows(&repository.id);
                rows.row = Some(repository);
            }
            Fact::Teams(source, teams) => {
                self.teams.insert(source, in_order(teams));
            }
            Fact::Commit(mut commit) => {
                let commits = &mut self.rows(&commit.repository).commits;
                if let Some(earlier) = commits.get(&commit.id) {
                    keep_commit(&mut commit, earlier);
                }
                commits.insert(commit.id, commit);
            }
            Fact::Change(mut change) => {
                let changes = &mut self.rows(&change.repository).changes;
                if let Some(earlier) = changes.get(&change.number) {
                    keep_change(&mut change, earlier);
                }
                changes.insert(change.number, change);
            }
            Fact::Attempt(attempt) => {
                self.rows(&attempt.repository).attempts.insert(attempt.id.clone(), attempt);
            }
            Fact::Incident(incident) => {
                let key = (incident.source.clone(), incident.id.clone());
                self.incidents.insert(key, IncidentWord::Is(Box::new(incident)));
            }
            Fact::NoIncident(source, id) => self.dismiss((source, id)),
        }
    }

    /// An incident that was read and dismissed in one batch is what it would be after two: known, and filtered.
    fn dismiss(&mut self, key: (SourceName, ExternalId)) {
        match self.incidents.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(IncidentWord::Not);
            }
            Entry::Occupied(mut occupied) => match occupied.get_mut() {
                IncidentWord::Is(incident) => incident.excluded = Some(Exclusion::Filtered),
                IncidentWord::Not => {}
            },
        }
    }

    fn rows(&mut self, id: &RepositoryId) -> &mut RepositoryRows {
        self.repositories.entry(id.clone()).or_default()
    }
}

impl RepositoryRows {
    /// The commits that these rows name as parents or deploy, and that are not among them.
    pub(super) fn named_commits(&self) -> BTreeSet<CommitId> {
        let parents = self.commits.values().flat_map(|commit| &commit.parents);
        let deployed = self.attempts.values().map(|attempt| &attempt.commit);
        parents.chain(deployed).filter(|id| !self.commits.contains_key(id)).copied().collect()
    }
}

/// What an earlier read of a commit knows, and a later one did not ask, stays known.
pub(super) fn keep_commit(commit: &mut Commit, earlier: &Commit) {
    commit.pull_request = commit.pull_request.or(earlier.pull_request);
    if commit.paths.is_none() {
        commit.paths.clone_from(&earlier.paths);
    }
}

/// As [`keep_commit`], of a change.
pub(super) fn keep_change(change: &mut Change, earlier: &Change) {
    if change.paths.is_none() {
        change.paths.clone_from(&earlier.paths);
    }
}

/// Teams in one order, so that a source which lists them in another has said nothing new.
fn in_order(mut teams: Vec<HoldingTeam>) -> Vec<HoldingTeam> {
    for team in &mut teams {
        team.repositories.sort();
    }
    teams.sort_by(|a, b| (&a.slug, &a.name).cmp(&(&b.slug, &b.name)));
    teams
}
