//! What was wrong with the last poll of each source, in words, for the page of sources.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The problems of one poll.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastProblems {
    /// Some of them, or why the whole poll failed.
    pub words: Vec<String>,
    /// How many there were.
    pub count: usize,
}

#[derive(Default)]
pub(super) struct Problems {
    by_source: Mutex<BTreeMap<Arc<str>, LastProblems>>,
}

impl Problems {
    pub(super) fn replace(&self, source: &Arc<str>, problems: LastProblems) {
        self.lock().insert(Arc::clone(source), problems);
    }

    pub(super) fn forget(&self, source: &str) {
        self.lock().remove(source);
    }

    pub(super) fn all(&self) -> Vec<(String, LastProblems)> {
        self.lock().iter().map(|(source, problems)| (source.to_string(), problems.clone())).collect()
    }

    /// Whoever panicked while holding it has left whole entries.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, LastProblems>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
