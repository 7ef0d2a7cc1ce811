//! What passes between a source, the store and recompute: facts and the cursor that goes with them.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::{Attempt, Change, Commit, Fact, HoldingTeam, Incident, Repository};
use super::name::{CommitId, ExternalId, RepositoryId, SourceName};
use super::time::Timestamp;

/// What a cursor is for, within one source: `repository:42`, `incidents`. The source's own word.
pub type Scope = String;

/// Where to go on, in the source's own words (JSON); nobody else reads it.
pub type Cursor = String;

/// Facts with the cursor that says they have been read: stored together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The facts; later ones win over earlier ones of the same identity.
    pub facts: Vec<Fact>,
    /// Cursors to write; `None` forgets one.
    pub cursors: Vec<(Scope, Option<Cursor>)>,
    /// History that is complete from then on. The store keeps the earliest.
    pub covered: Vec<(Coverage, Timestamp)>,
    /// Whether counters may count what is new here.
    pub contact: Contact,
}

/// Whether a batch is news or history read at first contact, which counters leave out (`interfaces.md` §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Contact {
    /// Read for the first time after the first read was complete.
    #[default]
    Live,
    /// Part of the first read.
    First,
}

/// Whose history is complete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// Commits, changes and deployments of a repository.
    Repository(RepositoryId),
    /// The incidents of a source.
    Incidents(SourceName),
}

/// What a batch changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Rows of facts and coverage inserted or updated; rows that were the same already are not written and not
    /// counted, and neither are cursors.
    pub rows_written: u64,
    /// Repositories of which an attempt, a change, a commit or the row itself changed.
    pub repositories: Vec<RepositoryId>,
    /// Whether an incident changed.
    pub incidents: bool,
    /// Whether a team, or what is covered, changed.
    pub inventory: bool,
    /// Commits that rows of this batch name as parents or deploy, and that are not in the store: what a source
    /// walks to next. Only of repositories that this batch has commits or attempts of.
    pub missing_commits: Vec<(RepositoryId, CommitId)>,
}

/// What has to be read and computed again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Repositories with new facts.
    pub repositories: BTreeSet<RepositoryId>,
    /// Whether an incident changed.
    pub incidents: bool,
    /// Whether teams or coverage changed.
    pub inventory: bool,
    /// Whether a poll ended: nothing to read again, but the source's own metrics moved.
    pub polled: bool,
}

impl Changes {
    /// Takes in what others changed.
    pub fn merge(&mut self, other: Self) {
        let Self { repositories, incidents, inventory, polled } = other;
        self.repositories.extend(repositories);
        self.incidents |= incidents;
        self.inventory |= inventory;
        self.polled |= polled;
    }

    /// Whether facts changed, and not only what is known of a source.
    pub fn has_facts(&self) -> bool {
        let Self { repositories, incidents, inventory, polled: _ } = self;
        !repositories.is_empty() || *incidents || *inventory
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Applied> for Changes {
    fn from(applied: &Applied) -> Self {
        let repositories = applied.repositories.iter().cloned().collect();
        Self { repositories, incidents: applied.incidents, inventory: applied.inventory, polled: false }
    }
}

/// A stored fact with the fact that counters need: was it news when it was first seen?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    /// The fact.
    pub fact: T,
    /// Of an attempt: `Live` if its outcome became known after the first contact. Of a change: if it was first read
    /// then.
    pub contact: Contact,
}

/// Everything known of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// The repository.
    pub repository: Repository,
    /// Its commits, by id.
    pub commits: Vec<Commit>,
    /// Its merged pull requests, by number.
    pub changes: Vec<Seen<Change>>,
    /// Its deployment attempts, by id.
    pub attempts: Vec<Seen<Attempt>>,
}

/// An incident as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIncident {
    /// The incident.
    pub incident: Incident,
    /// Whether it was news when it first appeared.
    pub appeared: Contact,
    /// Whether its present resolution was news; meaningless without one.
    pub resolved: Contact,
}

/// What is known besides the facts of each repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// All repositories, by identity.
    pub repositories: Vec<Repository>,
    /// The teams of each source.
    pub teams: BTreeMap<SourceName, Vec<HoldingTeam>>,
    /// Since when history is complete. Absent: not yet.
    pub covered: BTreeMap<Coverage, Timestamp>,
}

/// What a persistent counter has already counted: one key for one thing, for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountedKey {
    /// A finished attempt, with whether it was a success.
    Attempt(RepositoryId, ExternalId, bool),
    /// The same for a component that is a part of its repository: what deploys one may deploy others too.
    PartAttempt(String, RepositoryId, ExternalId, bool),
    /// An incident that appeared.
    Incident(SourceName, ExternalId),
    /// A change of a component, by its landing commit, deployed for the first time.
    LeadTime(String, RepositoryId, CommitId),
    /// A failed deployment of a component, by its first attempt, that recovered.
    Recovery(String, RepositoryId, ExternalId),
}

/// A persistent counter or one histogram's sum or bucket, by metric name and label values in the catalogue's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// The metric's name; for histograms with `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// The values of its labels, in the catalogue's order; a bucket's `le` last.
    pub labels: Vec<String>,
}
