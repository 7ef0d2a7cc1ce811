//! Facts → engine → snapshot: reads again what changed, computes for now, publishes. Every minute too, because
//! windows slide without new facts.
//!
//! What is kept between two snapshots is a cache: one [`ComponentHistory`] for each component, read again when its
//! repository changed; whose each incident is; how teams stand, looked at again when something of theirs changed
//! ([`engine::touched()`]). Dropping all of it and reading everything gives the same snapshot
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
use crate::engine::regression::tracker::Tracker;
use crate::engine::series::Past;
use crate::engine::snapshot::Snapshot;
use crate::model::batch::{Changes, CounterKey, Coverage, Inventory, RepositoryFacts};
use crate::model::component::{OwnedIncident, Subjects};
use crate::model::fact::Repository;
use crate::model::name::{RepositoryId, SourceName};
use crate::model::settings::{MetricSettings, OwnershipRules};
use crate::model::time::Timestamp;
use crate::model::transition::StoredTurn;
use crate::ownership::Ownership;
use crate::store::{FactStore, StoreError};

mod counters;
mod newest;
mod standing;
mod subjects;

use counters::PersistentCounters;
use standing::Standings;

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
    /// The same with all else that numbers at any other instant are made of.
    pub past: Past,
    /// Values of the persistent counters and histograms.
    pub counters: Vec<(CounterKey, f64)>,
    /// Rows in the store, by fact.
    pub facts: Vec<(&'static str, u64)>,
    /// The newest instant that a fact of each source speaks of.
    pub newest_fact: BTreeMap<SourceName, Timestamp>,
    /// By which rule the incidents of each source got their owner.
    pub subjects: Arc<Subjects>,
    /// How it was computed.
    pub settings: Arc<MetricSettings>,
    /// Every look at every team until today.
    pub tracker: Arc<Tracker>,
    /// Every change of a team's state that was seen.
    pub turns: Arc<Vec<StoredTurn>>,
    /// How long reading and computing took.
    pub took: Duration,
}

/// What is computed from, and how.
#[derive(Debug)]
pub struct Recompute<F> {
    store: F,
    clock: SharedClock,
    settings: Arc<MetricSettings>,
    rules: OwnershipRules,
    inventory: Inventory,
    ownership: Ownership,
    histories: BTreeMap<RepositoryId, Vec<Arc<ComponentHistory>>>,
    newest: BTreeMap<RepositoryId, Timestamp>,
    incidents: Incidents,
    counters: PersistentCounters,
    standings: Standings,
    /// What the last snapshot was made of.
    past: Option<Past>,
}

/// All incidents that were read.
#[derive(Debug, Default)]
struct Incidents {
    newest: BTreeMap<SourceName, Timestamp>,
    owned: Vec<OwnedIncident>,
    subjects: Arc<Subjects>,
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
        let standings = Standings::load(&store).await?;
        let (histories, newest) = (BTreeMap::new(), BTreeMap::new());
        let mut recompute = Self {
            store,
            clock,
            settings: Arc::new(settings),
            rules,
            inventory,
            ownership,
            histories,
            newest,
            incidents: Incidents::default(),
            counters,
            standings,
            past: None,
        };
        for id in recompute.owned_repositories() {
            recompute.read_repository(&id).await?;
        }
        recompute.read_incidents().await?;
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
        let past = self.link(stale);
        let Past { linked, inventory, settings } = &past;
        let touched = match &self.past {
            Some(before) => engine::touched(before, &past),
            None => linked.teams.clone(),
        };
        self.counters.count(&self.store, engine::countables(linked, &touched, settings)).await?;
        let at = Timestamp::from(self.clock.now());
        let mut snapshot = engine::snapshot(linked, inventory, settings, at);
        let newest = newest::of_sources(&self.newest, &self.incidents.newest);
        let facts = standing::Facts { linked, inventory, settings, newest: &newest, touched: &touched, at };
        self.standings.update(&self.store, facts).await?;
        self.standings.show(&mut snapshot, &self.settings);
        for (team, info) in &self.ownership.teams {
            snapshot.teams.entry(team.clone()).or_default().info.clone_from(info);
        }
        snapshot.guardrails = engine::guardrail::standings(&snapshot, &self.settings.guardrails);
        let mut counters = self.counters.values();
        counters.extend(self.standings.counters());
        // Not before all of it is done: what failed is touched again with the next try.
        self.past = Some(past.clone());
        Ok(Computed {
            snapshot: Arc::new(snapshot),
            linked: Arc::clone(&past.linked),
            past,
            counters,
            facts: self.store.counts().await?,
            newest_fact: newest,
            settings: Arc::clone(&self.settings),
            tracker: self.standings.tracker(),
            turns: self.standings.turns(),
            subjects: Arc::clone(&self.incidents.subjects),
            took: started.elapsed(),
        })
    }

    /// What has been read, linked; as it is, if nothing was.
    fn link(&self, stale: &Changes) -> Past {
        let before = self.past.as_ref().filter(|_| !stale.has_facts());
        before.cloned().unwrap_or_else(|| {
            let histories: Vec<_> = self.histories.values().flatten().map(Arc::clone).collect();
            Past {
                linked: Arc::new(engine::link(&histories, &self.incidents.owned, &self.settings)),
                inventory: Arc::new(self.collected_inventory()),
                settings: Arc::clone(&self.settings),
            }
        })
    }

    async fn absorb(&mut self, stale: &Changes) -> Result<(), StoreError> {
        let mut moved = stale.inventory;
        for id in &stale.repositories {
            moved |= !self.read_repository(id).await?;
        }
        // A new repository, a new team or a renamed repository may move any other's owner.
        if moved {
            self.inventory = self.store.inventory().await?;
            let owners = Ownership::resolve(&self.rules, &self.inventory);
            let before = std::mem::replace(&mut self.ownership, owners);
            let read = self.read_moved(&before).await;
            if read.is_err() {
                // With the next try they have moved again.
                self.ownership = before;
            }
            read?;
        }
        if stale.incidents {
            self.read_incidents().await?;
        }
        Ok(())
    }

    /// Reads again what has another owner than before.
    async fn read_moved(&mut self, before: &Ownership) -> Result<(), StoreError> {
        for id in moved_repositories(before, &self.ownership) {
            self.read_repository(&id).await?;
        }
        if *before != self.ownership {
            self.read_incidents().await?;
        }
        Ok(())
    }

    /// Reads a repository and makes the histories of its components; none if it is not collected any more. Says
    /// whether the repository itself is as it was known, but for what was pushed to it.
    async fn read_repository(&mut self, id: &RepositoryId) -> Result<bool, StoreError> {
        let facts = self.store.repository(id).await?;
        let known = facts.as_ref().is_some_and(|facts| self.knows(&facts.repository));
        if let Some(facts) = facts.filter(|facts| self.rules.collects(&facts.repository)) {
            match newest::of_repository(&facts) {
                Some(at) => self.newest.insert(id.clone(), at),
                None => self.newest.remove(id),
            };
            self.histories.insert(id.clone(), self.histories_of(&facts));
        } else {
            self.histories.remove(id);
            self.newest.remove(id);
        }
        Ok(known)
    }

    /// Whether a repository is the one of the inventory; its head may have moved, which is noted.
    fn knows(&mut self, repository: &Repository) -> bool {
        let all = &mut self.inventory.repositories;
        let place = all.binary_search_by(|known| known.id.cmp(&repository.id));
        let Some(known) = place.ok().and_then(|place| all.get_mut(place)) else {
            return false;
        };
        known.head = repository.head;
        known == repository
    }

    /// Reads the incidents, and whose they are. Those of a source that left the configuration left with it, like its
    /// repositories.
    async fn read_incidents(&mut self) -> Result<(), StoreError> {
        let stored = self.store.incidents().await?;
        let sources = &self.settings.incident_filters;
        let read = stored.iter().filter(|stored| sources.contains_key(&stored.incident.source));
        let owned: Vec<_> = read.filter_map(|stored| self.ownership.incident(stored)).collect();
        let subjects = Arc::new(subjects::by_source(&owned));
        self.incidents = Incidents { newest: newest::of_incidents(&stored), owned, subjects };
        Ok(())
    }

    fn histories_of(&self, facts: &RepositoryFacts) -> Vec<Arc<ComponentHistory>> {
        let own = self.ownership.of_repository(&facts.repository.id);
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
