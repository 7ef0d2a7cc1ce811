//! A look at what a store holds, for commands that answer and end: nothing is collected, counted or written.

use std::sync::Arc;

use crate::clock::SharedClock;
use crate::config::{Config, Store};
use crate::recompute::{Computed, Recompute};
use crate::store::sqlite::SqliteStore;

/// All numbers as of now, from the store of this configuration; `None` if there is none yet. A daemon that writes it
/// at the same time is not disturbed.
pub async fn look(config: &Config, clock: &SharedClock) -> anyhow::Result<Option<Computed>> {
    let Store::Sqlite(path) = &config.store;
    if !path.try_exists()? {
        return Ok(None);
    }
    let store = SqliteStore::open_to_read(path).await?;
    let (settings, rules) = (config.metrics.clone(), config.ownership.clone());
    Ok(Some(Recompute::look(store, Arc::clone(clock), settings, rules).await?))
}
