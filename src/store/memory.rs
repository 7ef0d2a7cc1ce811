//! The reference: the same semantics in ordered maps. What it does is the specification in its shortest form; the
//! property tests compare every other store with it. It forgets everything when it is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::batch::{
    Applied, Batch, Contact, CountedKey, CounterKey, Coverage, Cursor, Inventory, RepositoryFacts, Scope,
    Seen, StoredIncident,
};
use crate::model::fact::{Attempt, Change, Commit, Exclusion, HoldingTeam, Incident, Outcome, Repository};
use crate::model::name::{CommitId, ExternalId, RepositoryId, SourceName};
use crate::model::signal::{History, SignalKey, SignalPoint};
use crate::model::time::Timestamp;
use crate::model::transition::{SeenTurn, StoredTurn, Withdrawal};
use crate::store::settled::{self, IncidentWord, RepositoryRows, Settled};
use crate::store::{Counters, FACTS, FactStore, StoreError};

/// A store that lives as long as its handles.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    repositories: BTreeMap<RepositoryId, Known>,
    teams: BTreeMap<SourceName, Vec<HoldingTeam>>,
    incidents: BTreeMap<(SourceName, ExternalId), StoredIncident>,
    cursors: BTreeMap<(SourceName, Scope), Cursor>,
    covered: BTreeMap<Coverage, Timestamp>,
    counters: BTreeMap<CounterKey, f64>,
    counted: BTreeSet<CountedKey>,
    turns: BTreeMap<u64, StoredTurn>,
    signals: BTreeMap<SignalKey, History>,
}

/// What is known of a repository; its facts may come before itself.
#[derive(Debug, Default)]
struct Known {
    row: Option<Repository>,
    commits: BTreeMap<CommitId, Commit>,
    changes: BTreeMap<u64, Seen<Change>>,
    attempts: BTreeMap<ExternalId, Seen<Attempt>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// No holder of the lock can leave the tables half written but by a bug of the maps, so a poisoned lock is used.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FactStore for MemoryStore {
    async fn apply(&self, source: &SourceName, batch: Batch) -> Result<Applied, StoreError> {
        Ok(self.tables().apply(source, Settled::new(batch)))
    }

    async fn cursors(&self, source: &SourceName) -> Result<Vec<(Scope, Cursor)>, StoreError> {
        let tables = self.tables();
        let own = tables.cursors.iter().filter(|((of, _), _)| of == source);
        Ok(own.map(|((_, scope), cursor)| (scope.clone(), cursor.clone())).collect())
    }

    async fn inventory(&self) -> Result<Inventory, StoreError> {
        let tables = self.tables();
        Ok(Inventory {
            repositories: tables.repositories.values().filter_map(|known| known.row.clone()).collect(),
            teams: tables.teams.clone(),
            covered: tables.covered.clone(),
        })
    }

    async fn repository(&self, id: &RepositoryId) -> Result<Option<RepositoryFacts>, StoreError> {
        let tables = self.tables();
        let Some(known) = tables.repositories.get(id) else {
            return Ok(None);
        };
        Ok(known.row.clone().map(|repository| RepositoryFacts {
            repository,
            commits: known.commits.values().cloned().collect(),
            changes: known.changes.values().cloned().collect(),
            attempts: known.attempts.values().cloned().collect(),
        }))
    }

    async fn incidents(&self) -> Result<Vec<StoredIncident>, StoreError> {
        Ok(self.tables().incidents.values().cloned().collect())
    }

    async fn counts(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let tables = self.tables();
        let all = |rows: fn(&Known) -> usize| tables.repositories.values().map(rows).sum();
        let rows: [usize; FACTS.len()] = [
            all(|known| known.attempts.len()),
            all(|known| known.changes.len()),
            all(|known| known.commits.len()),
            tables.incidents.len(),
            all(|known| usize::from(known.row.is_some())),
        ];
        let rows = rows.map(|rows| u64::try_from(rows).unwrap_or(u64::MAX));
        Ok(FACTS.into_iter().zip(rows).collect())
    }

    async fn counters(&self) -> Result<Counters, StoreError> {
        let tables = self.tables();
        Ok(Counters {
            values: tables.counters.iter().map(|(key, value)| (key.clone(), *value)).collect(),
            counted: tables.counted.iter().cloned().collect(),
        })
    }

    async fn count(
        &self,
        increments: Vec<(CounterKey, f64)>,
        counted: Vec<CountedKey>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for (key, increment) in increments {
            *tables.counters.entry(key).or_default() += increment;
        }
        tables.counted.extend(counted);
        Ok(())
    }

    async fn turns(&self) -> Result<Vec<StoredTurn>, StoreError> {
        Ok(self.tables().turns.values().cloned().collect())
    }

    async fn record_turns(
        &self,
        seen: Vec<SeenTurn>,
        withdrawn: Vec<(u64, Withdrawal)>,
    ) -> Result<(), StoreError> {
        let turns = &mut self.tables().turns;
        for (id, withdrawal) in withdrawn {
            if let Some(turn) = turns.get_mut(&id) {
                turn.withdrawn.get_or_insert(withdrawal);
            }
        }
        for seen in seen {
            let id = turns.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
            turns.insert(id, StoredTurn { id, seen, withdrawn: None });
        }
        Ok(())
    }

    async fn note_signal(&self, key: SignalKey, points: Vec<SignalPoint>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let history = tables.signals.entry(key).or_default();
        for point in points {
            history.note(point);
        }
        Ok(())
    }

    async fn signal(&self, key: SignalKey) -> Result<History, StoreError> {
        Ok(self.tables().signals.get(&key).cloned().unwrap_or_default())
    }
}

impl Tables {
    fn apply(&mut self, source: &SourceName, settled: Settled) -> Applied {
        let Settled { repositories, teams, incidents, cursors, covered, contact } = settled;
        let mut applied = Applied::default();
        for (id, rows) in repositories {
            let named = rows.named_commits();
            let known = self.repositories.entry(id.clone()).or_default();
            let written = known.write(rows, contact);
            let missing = named.into_iter().filter(|commit| !known.commits.contains_key(commit));
            applied.missing_commits.extend(missing.map(|commit| (id.clone(), commit)));
            applied.rows_written += written;
            if written > 0 {
                applied.repositories.push(id);
            }
        }
        let incidents: u64 =
            incidents.into_iter().map(|(key, word)| self.write_incident(key, word, contact)).sum();
        let inventory = self.write_inventory(teams, covered);
        applied.rows_written += incidents + inventory;
        applied.incidents = incidents > 0;
        applied.inventory = inventory > 0;
        for (scope, cursor) in cursors {
            let key = (source.clone(), scope);
            match cursor {
                Some(cursor) => self.cursors.insert(key, cursor),
                None => self.cursors.remove(&key),
            };
        }
        applied
    }

    fn write_inventory(
        &mut self,
        teams: BTreeMap<SourceName, Vec<HoldingTeam>>,
        covered: BTreeMap<Coverage, Timestamp>,
    ) -> u64 {
        let mut written = 0;
        for (source, teams) in teams {
            written += put(&mut self.teams, source, teams);
        }
        for (what, since) in covered {
            let earliest = self.covered.get(&what).map_or(since, |known| since.min(*known));
            written += put(&mut self.covered, what, earliest);
        }
        written
    }

    fn write_incident(&mut self, key: (SourceName, ExternalId), word: IncidentWord, contact: Contact) -> u64 {
        let known = self.incidents.get(&key);
        let incident = match (word, known) {
            (IncidentWord::Is(incident), _) => *incident,
            (IncidentWord::Not, None) => return 0,
            (IncidentWord::Not, Some(known)) => {
                Incident { excluded: Some(Exclusion::Filtered), ..known.incident.clone() }
            }
        };
        let (appeared, resolved) = known.map_or((contact, contact), |known| {
            let news = known.incident.resolved_at.is_none() && incident.resolved_at.is_some();
            (known.appeared, if news { contact } else { known.resolved })
        });
        let stored = StoredIncident { incident, appeared, resolved };
        put(&mut self.incidents, key, stored)
    }
}

impl Known {
    fn write(&mut self, rows: RepositoryRows, contact: Contact) -> u64 {
        let RepositoryRows { row, commits, changes, attempts } = rows;
        let mut written = 0;
        if row.is_some() && row != self.row {
            self.row = row;
            written += 1;
        }
        for (id, mut commit) in commits {
            if let Some(known) = self.commits.get(&id) {
                settled::keep_commit(&mut commit, known);
            }
            written += put(&mut self.commits, id, commit);
        }
        for (number, mut fact) in changes {
            let known = self.changes.get(&number);
            let contact = known.map_or(contact, |known| known.contact);
            if let Some(known) = known {
                settled::keep_change(&mut fact, &known.fact);
            }
            written += put(&mut self.changes, number, Seen { fact, contact });
        }
        for (id, fact) in attempts {
            let contact = self.attempts.get(&id).map_or(contact, |known| {
                let news = fact.finished.is_some() && outcome(&fact) != outcome(&known.fact);
                if news { contact } else { known.contact }
            });
            written += put(&mut self.attempts, id, Seen { fact, contact });
        }
        written
    }
}

fn outcome(attempt: &Attempt) -> Option<Outcome> {
    attempt.finished.map(|(outcome, _)| outcome)
}

/// Writes a row and says how many rows that changed: one or none.
fn put<K: Ord, V: PartialEq>(table: &mut BTreeMap<K, V>, key: K, value: V) -> u64 {
    if table.get(&key) == Some(&value) {
        return 0;
    }
    table.insert(key, value);
    1
}
