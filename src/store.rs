//! The store: facts by identity, cursors beside them, and what the counters have counted.
//!
//! Invariants, each shown by the conformance story in `tests/it/store.rs` for every implementation: a batch is
//! stored whole or not at all; a row that is the same already is not written; rows are keyed by (repository, id);
//! no fact is deleted. The store computes nothing: SQL filters by key, the engine decides.

use std::future::Future;

use crate::model::batch::{
    Applied, Batch, CountedKey, CounterKey, Cursor, Inventory, RepositoryFacts, Scope, StoredIncident,
};
use crate::model::name::{RepositoryId, SourceName};
use crate::model::signal::{History, SignalKey, SignalPoint};
use crate::model::transition::{SeenTurn, StoredTurn, Withdrawal};

pub mod memory;
mod settled;
pub mod sqlite;

/// What [`FactStore::counts`] counts, in this order: the values of the label `fact` of `sextant_facts`.
pub const FACTS: [&str; 5] = ["attempt", "change", "commit", "incident", "repository"];

/// Why the store failed: what it was doing, and what the engine below said.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} in {place}: {cause}")]
pub struct StoreError {
    /// What it was doing: `open the store`.
    pub doing: &'static str,
    /// The store's URL, without a password.
    pub place: String,
    /// What went wrong.
    pub cause: String,
}

/// Facts and cursors that survive. All methods are whole transactions.
pub trait FactStore: Clone + Send + Sync + 'static {
    /// Stores facts, cursors and coverage of one source together, and tells what changed.
    fn apply(
        &self,
        source: &SourceName,
        batch: Batch,
    ) -> impl Future<Output = Result<Applied, StoreError>> + Send;

    /// All cursors of a source.
    fn cursors(
        &self,
        source: &SourceName,
    ) -> impl Future<Output = Result<Vec<(Scope, Cursor)>, StoreError>> + Send;

    /// Repositories, teams and coverage.
    fn inventory(&self) -> impl Future<Output = Result<Inventory, StoreError>> + Send;

    /// Everything known of one repository; `None` if it is not known.
    fn repository(
        &self,
        id: &RepositoryId,
    ) -> impl Future<Output = Result<Option<RepositoryFacts>, StoreError>> + Send;

    /// All incidents, by source and id.
    fn incidents(&self) -> impl Future<Output = Result<Vec<StoredIncident>, StoreError>> + Send;

    /// Rows by fact, for `sextant_facts`: all of [`FACTS`], in their order.
    fn counts(&self) -> impl Future<Output = Result<Vec<(&'static str, u64)>, StoreError>> + Send;

    /// The persistent counters and what they have counted.
    fn counters(&self) -> impl Future<Output = Result<Counters, StoreError>> + Send;

    /// Adds to counters and notes what was counted, together: neither is ever stored without the other. Keys that
    /// were counted before add nothing again, since the caller leaves them out.
    fn count(
        &self,
        increments: Vec<(CounterKey, f64)>,
        counted: Vec<CountedKey>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every change of a team's state that was seen, in the order in which they were.
    fn turns(&self) -> impl Future<Output = Result<Vec<StoredTurn>, StoreError>> + Send;

    /// Adds changes of states, and marks by their ids those that are no longer so, together. One that is withdrawn
    /// stays so: what comes back is seen anew.
    fn record_turns(
        &self,
        seen: Vec<SeenTurn>,
        withdrawn: Vec<(u64, Withdrawal)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes values of a signal as [`History::note`] does, all or none of them.
    fn note_signal(
        &self,
        key: SignalKey,
        points: Vec<SignalPoint>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The values of a signal; none of one that nobody has noted.
    fn signal(&self, key: SignalKey) -> impl Future<Output = Result<History, StoreError>> + Send;
}

/// The persistent counters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counters {
    /// Values by key.
    pub values: Vec<(CounterKey, f64)>,
    /// What has been counted.
    pub counted: Vec<CountedKey>,
}
