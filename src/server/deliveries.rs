//! Which webhooks have come already: GitHub gives a redelivery the id of the first delivery.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids that are remembered: hours of a busy organisation. One that is forgotten is read once more, which changes
/// nothing.
const REMEMBERED_MAX: usize = 4_096;
/// GitHub's ids are 36 characters. A longer one is not remembered.
const ID_BYTES_MAX: usize = 64;

/// The newest ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    ids: BTreeSet<Arc<str>>,
    oldest_first: VecDeque<Arc<str>>,
}

impl Deliveries {
    /// Notes an id; whether it is a new one.
    pub(super) fn is_new(&self, id: &str) -> bool {
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return true;
        }
        let mut known = self.lock();
        let id: Arc<str> = id.into();
        if !known.ids.insert(Arc::clone(&id)) {
            return false;
        }
        known.oldest_first.push_back(id);
        if known.oldest_first.len() > REMEMBERED_MAX
            && let Some(oldest) = known.oldest_first.pop_front()
        {
            known.ids.remove(&oldest);
        }
        true
    }

    /// Forgets an id whose delivery came to nothing, so that it may be delivered again.
    pub(super) fn forget(&self, id: &str) {
        let mut known = self.lock();
        if known.ids.remove(id) {
            known.oldest_first.retain(|other| **other != *id);
        }
    }

    /// Whoever panicked while holding it has at worst left an id too many.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_only_so_many_are_remembered() {
        let deliveries = Deliveries::default();
        assert!(deliveries.is_new("first"));
        assert!(!deliveries.is_new("first"));
        deliveries.forget("first");
        assert!(deliveries.is_new("first"));
        for n in 1..REMEMBERED_MAX {
            assert!(deliveries.is_new(&n.to_string()));
        }
        assert!(!deliveries.is_new("first"), "the last that fits");
        assert!(deliveries.is_new("one more"));
        assert!(deliveries.is_new("first"), "pushed out");
        assert_eq!(deliveries.lock().ids.len(), REMEMBERED_MAX);
        for unremembered in ["", &"x".repeat(ID_BYTES_MAX + 1)] {
            assert!(deliveries.is_new(unremembered) && deliveries.is_new(unremembered));
        }
    }
}
