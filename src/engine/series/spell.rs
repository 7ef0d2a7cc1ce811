//! How long something counts.

use crate::model::time::{Span, Timestamp};

/// The end of time.
pub(super) const EVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// When something counts: at instants after it is known, while the window reaches back to it, and no longer than it
/// stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spell {
    /// It counts only at later instants than this.
    pub after: Timestamp,
    /// It counts in windows that begin then or before.
    pub within: Timestamp,
    /// It counts at no later instant than this.
    pub until: Timestamp,
}

impl Spell {
    /// Something that happened then, was known at once, and stays true.
    pub const fn of(at: Timestamp) -> Self {
        Self { after: at, within: at, until: EVER }
    }

    /// Something that happened at `at`, and counts once `known` has come.
    pub fn known(at: Timestamp, known: Timestamp) -> Self {
        Self { after: at.max(known), within: at, until: EVER }
    }

    /// Something that is so from `after` on until `until`, whatever the window.
    pub const fn state(after: Timestamp, until: Timestamp) -> Self {
        Self { after, within: EVER, until }
    }

    /// The instants at which it counts in a window of this length: later than the first, not later than the second.
    pub fn over(self, window: Span) -> Option<(Timestamp, Timestamp)> {
        let through = self.through(window);
        (self.after < through).then_some((self.after, through))
    }

    /// The last instant at which it counts in a window of this length, if it ever does.
    pub fn through(self, window: Span) -> Timestamp {
        self.until.min(self.within.plus(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spell_ends_with_its_truth_or_with_the_window() {
        let at = Timestamp::from_seconds;
        let span = Span::from_seconds;
        let voided = Spell { after: at(5), within: at(5), until: at(7) };
        for (spell, window, expected) in [
            (Spell::of(at(5)), 10, Some((5, 15))),
            (Spell::known(at(5), at(9)), 10, Some((9, 15))),
            (Spell::known(at(5), at(3)), 10, Some((5, 15))),
            (Spell::known(at(5), at(15)), 10, None),
            (voided, 10, Some((5, 7))),
            (voided, 1, Some((5, 6))),
            (Spell::state(at(5), at(7)), 1, Some((5, 7))),
            (Spell::state(at(7), at(7)), 1, None),
        ] {
            assert_eq!(spell.over(span(window)), expected.map(|(after, through)| (at(after), at(through))));
        }
    }
}
