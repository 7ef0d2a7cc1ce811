//! Facts → engine → snapshot: reads again what changed, computes for now, publishes. Every minute too, because
//! windows slide without new facts.
//!
//! What is kept between two snapshots is a cache: one [`ComponentHistory`] for each component, read again when its
//! repository changed. Dropping all of it and reading everything gives the same snapshot
//! (`tests/it/story.rs`, `a_restart_shows_the_same_numbers`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::engine;
use crate::engine::history::ComponentHistory;
use crate::engine::link::Linked;
use crate::engine::snapshot::Snapshot;
use crate::model::batch::{Changes, CounterKey, Coverage, Inventory, RepositoryFacts, StoredIncident};
use crate::model::component::Subjects;
use crate::model::name::{RepositoryId, SourceName};
use crate::model::settings::{MetricSettings, OwnershipRules};
use crate::model::time::Timestamp;
use crate::ownership::Ownership;
use crate::store::{FactStore, StoreError};

mod counters;
mod newest;
mod subjects;

use counters::PersistentCounters;

/// Windows slide: a snapshot at least so often (`interfaces.md` §4).
const SNAPSHOT_INTERVAL: Duration = Duration::from_mins(1);
/// Not more often than that, however fast facts arrive: a first read has hundreds of batches.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(500);

/// One computed result, with all that is exposed beside it.
#[derive(Debug, Clone)]
pub struct Computed {
    /// The numbers.
    pub snapshot: Arc<Snapshot>,
    /// Every deployment, change and incident with what it counts for: what the snapshot was made of.
    pub linked: Arc<Linked>,
    /// Values of the persistent counters and histograms.
    pub counters: Vec<(CounterKey, f64)>,
    /// Rows in the store, by fact.
    pub facts: Vec<(&'static str, u64)>,
    /// The newest instant that a fact of each source speaks of.
    pub newest_fact: BTreeMap<SourceName, Timestamp>,
    /// By which rule the incidents of each source got their owner.
    pub subjects: Arc<Subjects>,
    /// How long reading and computing took.
    pub took: Duration,
}

/// What is computed from, and how.
#[derive(Debug)]
pub struct Recompute<F> {
    store: F,
    clock: SharedClock,
    settings: MetricSettings,
    rules: OwnershipRules,
    inventory: Inventory,
    ownership: Ownership,
    histories: BTreeMap<RepositoryId, Vec<Arc<ComponentHistory>>>,
    newest: BTreeMap<RepositoryId, Timestamp>,
    incidents: Vec<StoredIncident>,
    counters: PersistentCounters,
}

impl<F: FactStore> Recompute<F> {
    /// Reads everything.
    pub async fn load(
        store: F,
        clock: SharedClock,
        settings: MetricSettings,
        rules: OwnershipRules,
    ) -> Result<Self, StoreError> {
        let inventory = store.inventory().await?;
        let ownership = Ownership::resolve(&rules, &inventory);
        let counters = PersistentCounters::load(&store).await?;
        let incidents = store.incidents().await?;
        let (histories, newest) = (BTreeMap::new(), BTreeMap::new());
        let mut recompute = Self {
            store,
            clock,
            settings,
            rules,
            inventory,
            ownership,
            histories,
            newest,
            incidents,
            counters,
        };
        for id in recompute.owned_repositories() {
            recompute.read_repository(&id).await?;
        }
        Ok(recompute)
    }

    /// All numbers now, of a store that is only read: nothing is counted.
    pub async fn look(
        store: F,
        clock: SharedClock,
        settings: MetricSettings,
        rules: OwnershipRules,
    ) -> Result<Computed, StoreError> {
        let mut recompute = Self::load(store, clock, settings, rules).await?;
        recompute.counters = PersistentCounters::default();
        recompute.compute(&Changes::default()).await
    }

    /// Publishes now, and whenever something changed or time passed, until it is cancelled.
    pub async fn run(
        mut self,
        mut changes: mpsc::Receiver<Changes>,
        published: watch::Sender<Option<Arc<Computed>>>,
        shutdown: CancellationToken,
    ) {
        let mut pending = Changes::default();
        loop {
            match self.compute(&pending).await {
                Ok(computed) => {
                    pending = Changes::default();
                    published.send_replace(Some(Arc::new(computed)));
                }
                // What was stale stays so and is read again with the next try; the last snapshot stays up.
                Err(error) => tracing::error!("cannot recompute, the last values stay: {error}"),
            }
            let computed_at = Instant::now();
            let mut due = computed_at + SNAPSHOT_INTERVAL;
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    Some(more) = changes.recv() => {
                        pending.merge(more);
                        due = due.min(computed_at + SNAPSHOT_PAUSE);
                    }
                    () = tokio::time::sleep_until(due) => break,
                }
            }
        }
    }

    /// Reads again what is stale and computes for now.
    pub async fn compute(&mut self, stale: &Changes) -> Result<Computed, StoreError> {
        let started = Instant::now();
        self.absorb(stale).await?;
        let histories: Vec<_> = self.histories.values().flatten().map(Arc::clone).collect();
        // Those of a source that left the configuration left with it, like its repositories.
        let read = |stored: &&StoredIncident| {
            let sources = &self.settings.incident_filters;
            sources.contains_key(&stored.incident.source)
        };
        let incidents = self.incidents.iter().filter(read);
        let incidents: Vec<_> = incidents.filter_map(|stored| self.ownership.incident(stored)).collect();
        let linked = engine::link(&histories, &incidents, &self.settings);
        let countables = engine::countables(&linked, &self.settings);
        self.counters.count(&self.store, countables).await?;
        let at = Timestamp::from(self.clock.now());
        let mut snapshot = engine::snapshot(&linked, &self.collected_inventory(), &self.settings, at);
        for (team, info) in &self.ownership.teams {
            snapshot.teams.entry(team.clone()).or_default().info.clone_from(info);
        }
        snapshot.guardrails = engine::guardrail::standings(&snapshot, &self.settings.guardrails);
        Ok(Computed {
            snapshot: Arc::new(snapshot),
            linked: Arc::new(linked),
            counters: self.counters.values(),
            facts: self.store.counts().await?,
            newest_fact: newest::by_source(&self.newest, &self.incidents),
            subjects: Arc::new(subjects::by_source(&incidents)),
            took: started.elapsed(),
        })
    }

    async fn absorb(&mut self, stale: &Changes) -> Result<(), StoreError> {
        // A new repository, a new team or a renamed repository may move any other's owner.
        let moved = stale.inventory || !stale.repositories.is_empty();
        let mut reread = stale.repositories.clone();
        if moved {
            self.inventory = self.store.inventory().await?;
            let before = std::mem::take(&mut self.ownership);
            self.ownership = Ownership::resolve(&self.rules, &self.inventory);
            reread.extend(moved_repositories(&before, &self.ownership));
        }
        for id in &reread {
            self.read_repository(id).await?;
        }
        if stale.incidents {
            self.incidents = self.store.incidents().await?;
        }
        Ok(())
    }

    /// Reads a repository and makes the histories of its components; none if it is not collected any more.
    async fn read_repository(&mut self, id: &RepositoryId) -> Result<(), StoreError> {
        let facts = match self.store.repository(id).await? {
            Some(facts) if self.rules.collects(&facts.repository) => facts,
            Some(_) | None => {
                self.histories.remove(id);
                self.newest.remove(id);
                return Ok(());
            }
        };
        if let Some(at) = newest::of_repository(&facts) {
            self.newest.insert(id.clone(), at);
        }
        self.histories.insert(id.clone(), self.histories_of(&facts));
        Ok(())
    }

    fn histories_of(&self, facts: &RepositoryFacts) -> Vec<Arc<ComponentHistory>> {
        let components = &self.ownership.components;
        let own = components.iter().filter(|component| component.repository == facts.repository.id);
        engine::histories(own, facts, &self.settings).into_iter().map(Arc::new).collect()
    }

    fn owned_repositories(&self) -> BTreeSet<RepositoryId> {
        self.ownership.components.iter().map(|component| component.repository.clone()).collect()
    }

    /// The inventory without what left the configuration.
    fn collected_inventory(&self) -> Inventory {
        let mut inventory = self.inventory.clone();
        inventory.repositories.retain(|repository| self.rules.collects(repository));
        inventory.covered.retain(|coverage, _| match coverage {
            Coverage::Incidents(source) => self.settings.incident_filters.contains_key(source),
            Coverage::Repository(_) => true,
        });
        inventory
    }
}

/// Repositories whose components differ in anything: to be read again, since a history carries its component.
fn moved_repositories(before: &Ownership, after: &Ownership) -> BTreeSet<RepositoryId> {
    let differing = |these: &Ownership, those: &Ownership| -> BTreeSet<RepositoryId> {
        let others: BTreeMap<_, _> =
            those.components.iter().map(|component| (&component.name, component)).collect();
        let moved =
            these.components.iter().filter(|component| others.get(&component.name) != Some(component));
        moved.map(|component| component.repository.clone()).collect()
    };
    let mut moved = differing(before, after);
    moved.extend(differing(after, before));
    moved
}
