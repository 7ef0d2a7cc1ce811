//! What is watched, and how much surprise it takes (`regressions.md` 3.3).

/// The six measures that regressions are looked for in. Delivery is judged by these and by none of its own kind alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Deployments per day; few are bad.
    DeploymentsPerDay,
    /// From first commit to deployment; long is bad.
    LeadTime,
    /// The share of deployments that failed; much is bad.
    ChangeFailRatio,
    /// Incidents per day; many are bad.
    IncidentsPerDay,
    /// From a failed deployment to its recovery; long is bad.
    RecoveryTime,
    /// The share of deployments that were unplanned; much is bad.
    ReworkRatio,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::DeploymentsPerDay,
        Self::LeadTime,
        Self::ChangeFailRatio,
        Self::IncidentsPerDay,
        Self::RecoveryTime,
        Self::ReworkRatio,
    ];

    /// The value of the label `measure`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::DeploymentsPerDay => "deployments_per_day",
            Self::LeadTime => "lead_time",
            Self::ChangeFailRatio => "change_fail_ratio",
            Self::IncidentsPerDay => "incidents_per_day",
            Self::RecoveryTime => "recovery_time",
            Self::ReworkRatio => "rework_ratio",
        }
    }

    /// Whether less of it is worse.
    pub const fn less_is_worse(self) -> bool {
        matches!(self, Self::DeploymentsPerDay)
    }

    /// Whether its values are times, compared by ranks.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::LeadTime | Self::RecoveryTime)
    }

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

/// How many false alarms are worth an early one: the one knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sensitivity {
    /// A false alarm per team in ten years.
    #[default]
    Quiet,
    /// In four.
    Normal,
    /// In two.
    Eager,
}

impl Sensitivity {
    /// As the configuration has it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Normal => "normal",
            Self::Eager => "eager",
        }
    }

    /// How many false alarms a team may have in a year, all measures together.
    pub const fn budget(self) -> f64 {
        match self {
            Self::Quiet => 0.1,
            Self::Normal => 0.25,
            Self::Eager => 0.5,
        }
    }

    /// How many false alarms this many teams are to expect in a year.
    pub fn expected_false_alarms(self, teams: u64) -> f64 {
        crate::engine::count::real(teams) * self.budget()
    }
}
