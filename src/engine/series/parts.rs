//! What of a level's numbers is asked for.

use crate::model::measure::Measure;

/// What of a level's numbers is told besides counts, rates and ratios, which cost next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts(u16);

impl Parts {
    /// Counts, rates and ratios alone.
    pub const COUNTS: Self = Self(0);
    /// Lead time.
    pub const LEAD_TIME: Self = Self(1);
    /// Phases of lead time.
    pub const PHASES: Self = Self(2);
    /// Recovery time.
    pub const RECOVERY: Self = Self(4);
    /// Incident resolution time.
    pub const RESOLUTION: Self = Self(8);
    /// Incidents by severity: started, and open.
    pub const SEVERITIES: Self = Self(16);
    /// All of these: everything but intervals.
    pub const VALUES: Self = Self(31);
    /// Everything.
    pub const ALL: Self = Self(2_047);

    /// What a measure lies in; of a time with the time itself.
    pub const fn bound(measure: Measure) -> Self {
        match measure {
            Measure::DeploymentsPerDay => Self(32),
            Measure::LeadTime => Self(64).and(Self::LEAD_TIME),
            Measure::ChangeFailRatio => Self(128),
            Measure::IncidentsPerDay => Self(256),
            Measure::RecoveryTime => Self(512).and(Self::RECOVERY),
            Measure::ReworkRatio => Self(1_024),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn contain(self, part: Self) -> bool {
        self.0 & part.0 == part.0
    }

    /// The measures of which it is told what they lie in.
    pub(super) fn bounded(self) -> impl Iterator<Item = Measure> {
        Measure::ALL.into_iter().filter(move |measure| self.contain(Self::bound(*measure)))
    }
}
