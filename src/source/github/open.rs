//! Deployments that are looked at again by id, since no list shows when they end.

use serde::{Deserialize, Serialize};

use crate::model::time::{Span, Timestamp};

/// A deployment whose end may still come, or change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    /// GitHub's id of it.
    pub(super) node: String,
    /// Since when it waits: when it was created, or when it failed.
    pub(super) since: i64,
    /// Whether it failed; it may yet succeed.
    pub(super) failed: bool,
    /// When it was last read, in this process.
    #[serde(skip)]
    pub(super) read_at: Option<Timestamp>,
}

/// A deployment without an end is waited for so long: jobs may wait for approval for 30 days.
const UNFINISHED_FOR: Span = Span::from_days(30);
/// A failed one is watched for so long, since it can be run again.
const FAILED_FOR: Span = Span::from_hours(24);
/// One that is waited for is read again after this part of the time that it has been waiting …
const PATIENCE: i64 = 20;
/// … a failed one not sooner than this …
const FAILED_EVERY: Span = Span::from_minutes(10);
/// … none twice at one time …
const EVERY_MIN: Span = Span::from_millis(1);
/// … and none later than this.
const EVERY_MAX: Span = Span::from_hours(1);

impl Open {
    /// Whether it is not worth looking any more.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        let waited = now.since(Timestamp::from_millis(self.since));
        waited > if self.failed { FAILED_FOR } else { UNFINISHED_FOR }
    }

    /// Whether it is time to look.
    pub(super) fn due(&self, now: Timestamp) -> bool {
        let waited = now.since(Timestamp::from_millis(self.since));
        let patience = Span::from_millis(waited.millis() / PATIENCE).clamp(EVERY_MIN, EVERY_MAX);
        let every = if self.failed { patience.max(FAILED_EVERY) } else { patience };
        self.read_at.is_none_or(|read_at| now.since(read_at) >= every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    #[test]
    fn open_deployments_are_read_less_and_less_often_and_then_no_more() {
        let open =
            |failed, read: i64| Open { node: "D".to_owned(), since: 0, failed, read_at: Some(at(read)) };
        assert!(open(false, 19).due(at(20)), "a twentieth of 20 minutes");
        assert!(!open(false, 199).due(at(200)));
        assert!(open(false, 20_000 - 60).due(at(20_000)), "at least hourly");
        assert!(!open(true, 19).due(at(20)));
        assert!(open(true, 10).due(at(20)));
        assert!(!open(false, 0).expired(at(30 * 24 * 60)) && open(false, 0).expired(at(30 * 24 * 60 + 1)));
        assert!(open(true, 0).expired(at(24 * 60 + 1)));
    }
}
