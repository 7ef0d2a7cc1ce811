//! That a team's state changed: what is kept of it for ever, with what was known when it was seen.

use super::batch::Contact;
use super::day::Day;
use super::measure::Measure;
use super::name::TeamSlug;
use super::time::Timestamp;

/// A change of a state: whose, in what, when, and between which states.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Whose.
    pub team: TeamSlug,
    /// In what.
    pub measure: Measure,
    /// The day of the look that saw it.
    pub day: Day,
    /// The label of the state before.
    pub from: String,
    /// The label of the state since.
    pub to: String,
}

/// A change of a state as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTurn {
    /// The change.
    pub turn: Turn,
    /// What it was made of, as JSON.
    pub evidence: String,
    /// When it was seen.
    pub recorded_at: Timestamp,
    /// `First` if its day was over before the team was looked at for the first time: counters leave it out.
    pub contact: Contact,
}

/// One that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTurn {
    /// The number under which it is kept: later ones are larger.
    pub id: u64,
    /// What was seen.
    pub seen: SeenTurn,
    /// That the past, looked at again, has it no more.
    pub withdrawn: Option<Withdrawal>,
}

/// That something is no longer so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Since when.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}
