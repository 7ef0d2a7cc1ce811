//! A repository that is known: its cursor, and what this process has seen of it since it began.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::dirty::Stream;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

use super::probe::{Seen, node_of};
use super::schedule::Tier;
use super::state::{State, StoredReach};

/// A repository that is known.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) state: State,
    pub(super) look: Look,
    /// Whether the cursor in the store is older than the state.
    pub(super) dirty: bool,
    /// Something failed in this poll: the rest of it waits for the next one.
    pub(super) failed: bool,
    /// How it is asked for after it was too heavy in this poll.
    pub(super) caution: Caution,
    /// Streams of which somebody said that they changed: they are read although the probe shows nothing new.
    pub(super) forced: BTreeSet<Stream>,
    /// Workflow runs of which somebody said that they were run again.
    pub(super) again: BTreeSet<u64>,
    /// The pages of issues go on in this poll: since when they are listed, after which one.
    pub(super) issues_after: Option<(Timestamp, String)>,
    /// Landing commits of the changes that were read in this poll.
    pub(super) landed: BTreeMap<CommitId, u64>,
}

/// What was seen of a repository from outside. It is no part of the cursor: a new process looks at everything first.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    /// What the last probe showed.
    pub(super) seen: Option<Seen>,
    /// When that was.
    pub(super) at: Option<Timestamp>,
    /// The newest instant that is known of anything in it.
    pub(super) newest: Option<Timestamp>,
    pub(super) archived: bool,
    /// Streams that are there and not for us, as far as is known since the last discovery.
    pub(super) denied: BTreeSet<Stream>,
    /// How often in a row it was not there.
    pub(super) missed: u32,
}

/// What was too heavy in company is asked for alone, and what is even then, stream by stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Caution {
    #[default]
    None,
    Alone,
    Apart,
}

impl Tracked {
    pub(super) fn new(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    /// Forgets what was of the last poll alone.
    pub(super) fn begin(&mut self) {
        (self.failed, self.caution, self.issues_after) = (false, Caution::None, None);
        self.forced.clear();
        self.again.clear();
        self.landed.clear();
    }

    /// The newest deployment, if the last probe showed that it changed: no need to be patient with it.
    pub(super) fn moved(&self) -> Option<&str> {
        let seen = self.look.seen.as_ref()?.deployments.as_ref()?;
        (self.state.deployments.seen.as_ref() != Some(seen)).then(|| node_of(seen))
    }

    /// Whether the last look showed this stream, or nothing is known of its being kept from us.
    pub(super) fn may_see(&self, stream: Stream) -> bool {
        let shown = |seen: &Seen| seen.shows(stream);
        !self.look.denied.contains(&stream) && self.look.seen.as_ref().is_none_or(shown)
    }

    /// The change that landed as this commit, if it was read in this poll: GitHub need not be asked for it.
    pub(super) fn landed(&self, id: CommitId) -> Option<u64> {
        self.landed.get(&id).copied()
    }

    /// Whether it is read at all.
    pub(super) fn is_active(&self) -> bool {
        !self.state.left_out && self.state.reach != StoredReach::Inaccessible
    }

    /// How often it is looked at. One that was not there is looked at again at once.
    pub(super) fn tier(&self, now: Timestamp) -> Tier {
        if self.look.missed > 0 { Tier::Active } else { Tier::of(self.look.newest, self.look.archived, now) }
    }
}
