//! From when on the history of a level is collected: what is compared with the past must not take what was never read
//! for what never happened.

use std::collections::{BTreeSet, HashMap};

use crate::engine::completeness;
use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::model::batch::{Coverage, Inventory};
use crate::model::name::{RepositoryId, SourceName};
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

/// From when on the history of some parts is collected: from the latest instant at which one of them is cut off, and
/// not before the first of them was created. A part that is younger than the history is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Begin {
    cut: Option<Timestamp>,
    first: Option<Timestamp>,
}

impl Begin {
    fn of_repository(created_at: Timestamp, covered: Timestamp) -> Self {
        let cut = (covered > created_at).then_some(covered);
        Self { cut, first: Some(covered.max(created_at)) }
    }

    /// What reports incidents was never created: before its cut it is unknown.
    const fn of_incidents(covered: Timestamp) -> Self {
        Self { cut: Some(covered), first: None }
    }

    /// Takes in another part.
    #[must_use]
    pub fn and(self, part: Self) -> Self {
        let first = self.first.into_iter().chain(part.first).min();
        Self { cut: self.cut.max(part.cut), first }
    }

    /// The instant; `None` of nothing that is collected.
    pub fn at(self) -> Option<Timestamp> {
        self.cut.max(self.first)
    }
}

/// What is collected, and since when. It does not depend on the instant that is looked at, so that an earlier look
/// never changes with a later one.
///
/// What is read for the first time is left out until it is read: a repository, a source of incidents. A part of its
/// facts would look like a team that became busy, or one that breaks things, all of a sudden.
#[derive(Debug)]
pub struct Collected<'i> {
    repositories: HashMap<&'i RepositoryId, Begin>,
    unread: BTreeSet<SourceName>,
    incidents: Begin,
}

impl<'i> Collected<'i> {
    /// Of everything.
    pub fn new(linked: &Linked, inventory: &'i Inventory, settings: &MetricSettings) -> Self {
        let repositories = inventory.repositories.iter().filter_map(|repository| {
            let covered = inventory.covered.get(&Coverage::Repository(repository.id.clone()))?;
            Some((&repository.id, Begin::of_repository(repository.created_at, *covered)))
        });
        let mut collected = Self {
            repositories: repositories.collect(),
            unread: BTreeSet::new(),
            incidents: Begin::default(),
        };
        for source in completeness::incident_sources(linked, inventory, settings) {
            match inventory.covered.get(&Coverage::Incidents(source.clone())) {
                Some(covered) => collected.incidents = collected.incidents.and(Begin::of_incidents(*covered)),
                None => drop(collected.unread.insert(source)),
            }
        }
        collected
    }

    /// From when on that of a component is; `None` while its repository is read for the first time.
    pub fn component(&self, component: &LinkedComponent) -> Option<Begin> {
        self.repositories.get(&component.history.repository).copied()
    }

    /// From when on incidents are, from all sources that have been read.
    pub const fn incidents(&self) -> Begin {
        self.incidents
    }

    /// Whether the source of an incident has been read.
    pub fn has_read(&self, incident: &LinkedIncident) -> bool {
        // Mostly none is unread.
        self.unread.is_empty() || !self.unread.contains(&incident.source)
    }
}
