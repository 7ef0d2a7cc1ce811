//! How much surprise it takes (`regressions.md` 3.3).

use crate::model::measure::{Measure, Sensitivity};

impl Measure {
    /// By which factor it must be worse to matter, however surprising.
    pub const fn minimum_effect(self) -> f64 {
        match self {
            Self::DeploymentsPerDay | Self::LeadTime => 1.2,
            Self::IncidentsPerDay | Self::RecoveryTime => 1.4,
            Self::ChangeFailRatio | Self::ReworkRatio => 1.5,
        }
    }

    /// Whether a change of this size, recent to baseline, matters.
    pub fn matters(self, ratio: f64) -> bool {
        if self.less_is_worse() {
            ratio <= 1.0 / self.minimum_effect()
        } else {
            ratio >= self.minimum_effect()
        }
    }

    /// Whether an improvement of this size matters: the mirror of [`Self::matters`].
    pub fn matters_for_the_better(self, ratio: f64) -> bool {
        if self.less_is_worse() {
            ratio >= self.minimum_effect()
        } else {
            ratio <= 1.0 / self.minimum_effect()
        }
    }

    /// How surprising it takes, in standard normal units.
    pub const fn thresholds(self, sensitivity: Sensitivity) -> Thresholds {
        let (watch, quiet, normal, eager) = match self {
            Self::DeploymentsPerDay => (3.05, 3.66, 3.54, 3.39),
            Self::LeadTime => (2.97, 3.54, 3.46, 3.35),
            Self::ChangeFailRatio => (2.88, 3.85, 3.46, 3.09),
            Self::IncidentsPerDay => (3.16, 4.04, 3.85, 3.50),
            Self::RecoveryTime => (2.43, 3.25, 2.91, 2.67),
            Self::ReworkRatio => (2.68, 3.49, 3.15, 2.85),
        };
        let regressed = match sensitivity {
            Sensitivity::Quiet => quiet,
            Sensitivity::Normal => normal,
            Sensitivity::Eager => eager,
        };
        Thresholds { watch, regressed, clear: 1.0 }
    }
}

/// How much surprise it takes for a state, in standard normal units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// To be watched.
    pub watch: f64,
    /// To be called a regression.
    pub regressed: f64,
    /// Below which it is over.
    pub clear: f64,
}

impl Sensitivity {
    /// How many false alarms this many teams are to expect in a year.
    pub fn expected_false_alarms(self, teams: u64) -> f64 {
        crate::engine::count::real(teams) * self.budget()
    }
}
