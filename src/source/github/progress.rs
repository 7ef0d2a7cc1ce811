//! How far the commit graph and the issues of a repository have been read.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

use super::passes::OVERLAP;

/// Commits that are known to be needed and are not read yet; more of them are not remembered.
pub(super) const PENDING_MAX: usize = 1_000;
/// Commits that are known to be nowhere; the oldest are forgotten, and asked for again if anything names them.
pub(super) const ABSENT_MAX: usize = 1_000;

/// How far the commit graph has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Commits {
    /// The newest commit of the default branch when it was last read: what is newer is news.
    pub(super) seen: Option<String>,
    /// Whether the first read is done.
    pub(super) complete: bool,
    /// The first read: from which commit, after which page.
    pub(super) from: Option<String>,
    pub(super) after: Option<String>,
    pub(super) pages: u32,
    /// The first read: the oldest commit so far.
    pub(super) reached: Option<i64>,
    /// The first parent with which the default branch's line goes on.
    pub(super) line: Option<String>,
    /// Commits that are needed and not read yet.
    pub(super) pending: Vec<Pending>,
    /// Commits that are needed and nowhere, or older than the horizon.
    pub(super) absent: Vec<String>,
}

/// A commit that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// GitHub's id of it.
    pub(super) node: String,
    /// Its SHA-1.
    pub(super) oid: String,
}

impl Commits {
    /// Notes that these commits are needed, but for those that are nowhere.
    pub(super) fn need(&mut self, needed: impl IntoIterator<Item = Pending>) {
        for pending in needed {
            let known = self.pending.iter().any(|known| known.oid == pending.oid);
            if !known && !self.absent.contains(&pending.oid) {
                self.pending.push(pending);
            }
        }
        let surplus = self.pending.len().saturating_sub(PENDING_MAX);
        if surplus > 0 {
            tracing::warn!(surplus, "more commits are missing than are remembered");
            self.pending.drain(..surplus);
        }
    }

    /// These need not be read any more.
    pub(super) fn found(&mut self, has: impl Fn(&str) -> bool) {
        self.pending.retain(|pending| !has(&pending.oid));
    }

    /// This one is nowhere, or too old.
    pub(super) fn give_up(&mut self, oid: &str) {
        self.pending.retain(|pending| pending.oid != oid);
        self.absent.push(oid.to_owned());
        let surplus = self.absent.len().saturating_sub(ABSENT_MAX);
        self.absent.drain(..surplus);
    }

    /// Back to when everything has been read; `None`: nothing has.
    pub(super) fn read_to(&self, horizon: Timestamp) -> Option<Timestamp> {
        if self.complete {
            return Some(horizon);
        }
        self.reached.map(|at| Timestamp::from_millis(at).max(horizon))
    }

    /// Reads history again.
    pub(super) fn deepen(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        *self = Self { seen: self.seen.take(), pending, ..Self::default() };
    }

    /// Begins the first read again from its first page: GitHub has forgotten the place, or the line was lost.
    pub(super) fn restart(&mut self) {
        (self.from, self.after, self.reached, self.pages) = (None, None, None, 0);
    }
}

/// How far issues have been read: forwards, by the time of their last change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Issues {
    /// What the probe showed when the last pass ended.
    pub(super) seen: Option<String>,
    /// The rules by which they were read; by other rules they are read again.
    pub(super) rules: String,
    /// The last change that has been read.
    watermark: Option<i64>,
    /// Whether the first read is done.
    pub(super) complete: bool,
}

impl Issues {
    /// Changes since when are to be listed; `None` if there is nothing to read. Told of a change, they are listed
    /// although the probe shows nothing new.
    pub(super) fn due(&self, seen: Option<&String>, horizon: Timestamp, forced: bool) -> Option<Timestamp> {
        let since = self
            .watermark
            .map_or(horizon, |newest| Timestamp::from_millis(newest).minus(OVERLAP).max(horizon));
        let changed = seen.is_some() && seen != self.seen.as_ref();
        (changed || forced || !self.complete).then_some(since)
    }

    /// A page has been read, of items up to this change.
    pub(super) fn read_to(&mut self, newest: Option<Timestamp>) {
        self.watermark = self.watermark.max(newest.map(Timestamp::millis));
    }

    /// The last page has been read.
    pub(super) fn done(&mut self, seen: Option<String>) {
        self.seen = seen;
        self.complete = true;
    }

    /// Begins again, perhaps by other rules.
    pub(super) fn restart(&mut self, rules: String) {
        *self = Self { rules, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nowhere_is_not_asked_for_again() {
        let pending = |oid: &str| Pending { node: oid.to_owned(), oid: oid.to_owned() };
        let mut commits = Commits::default();
        commits.need([pending("a"), pending("b"), pending("a")]);
        assert_eq!(commits.pending.len(), 2);
        commits.give_up("a");
        commits.need([pending("a")]);
        commits.found(|oid| oid == "b");
        assert!(commits.pending.is_empty());
    }
}
