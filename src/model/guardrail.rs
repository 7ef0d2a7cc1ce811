//! Guardrails: limits that a team stays inside of while it chooses its own way (`definitions.md` §7). They inform and
//! block nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::measure::{Measure, Stat};
use super::name::TeamSlug;
use super::regressions::TeamPatterns;
use super::settings::Window;

/// A guardrail as it is configured. Those of one name are of one measure, stat, window and direction: the organisation's, and
/// teams' own, which may be tighter.
#[derive(Debug, Clone)]
pub struct Guardrail {
    /// What it is called: the value of the label `guardrail`.
    pub name: Arc<str>,
    /// What it limits.
    pub measure: Measure,
    /// Which number of it, of times; of all others there is one, and this is the default.
    pub stat: Stat,
    /// Where it lies.
    pub limit: Limit,
    /// Over which of the windows.
    pub window: Window,
    /// Below so many deployments, changes, incidents or recoveries nothing is said.
    pub min_samples: u64,
    /// Whose it is.
    pub teams: TeamPatterns,
}

/// A limit in the unit of the measure's metric: per day, a share, or seconds. The limit itself is within it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// No more than this.
    Max(f64),
    /// No less than this.
    Min(f64),
}

impl Limit {
    /// Where it lies.
    pub const fn value(self) -> f64 {
        match self {
            Self::Max(value) | Self::Min(value) => value,
        }
    }

    /// Whether it leaves more room than another one. Limits of different directions do not compare.
    pub fn is_looser_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Max(own), Self::Max(other)) => own > other,
            (Self::Min(own), Self::Min(other)) => own < other,
            (Self::Max(_), Self::Min(_)) | (Self::Min(_), Self::Max(_)) => false,
        }
    }
}

/// What holds for a team, of all the guardrails of one name that it has.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'g> {
    /// The tightest.
    pub guardrail: &'g Guardrail,
    /// The smallest of their minimum samples: to ask for more would be a way to loosen.
    pub min_samples: u64,
}

/// What holds for a team, by name: the tightest limit of each.
pub fn in_force<'g>(guardrails: &'g [Guardrail], team: &TeamSlug) -> BTreeMap<&'g str, InForce<'g>> {
    let mut holding: BTreeMap<&str, InForce<'_>> = BTreeMap::new();
    for guardrail in guardrails.iter().filter(|guardrail| guardrail.teams.matches(team)) {
        let min_samples = guardrail.min_samples;
        let held = holding.entry(&guardrail.name).or_insert(InForce { guardrail, min_samples });
        if held.guardrail.limit.is_looser_than(guardrail.limit) {
            held.guardrail = guardrail;
        }
        held.min_samples = held.min_samples.min(min_samples);
    }
    holding
}
