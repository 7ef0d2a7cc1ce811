//! What is measured, by name, and how much surprise is worth an alert.

/// The six measures of the glossary: states, guardrails, explanations, URLs and the API all use these names (`definitions.md`).
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

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.label() == name)
    }

    /// Whether less of it is worse.
    pub const fn less_is_worse(self) -> bool {
        matches!(self, Self::DeploymentsPerDay)
    }

    /// Whether its values are times, compared by ranks.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::LeadTime | Self::RecoveryTime)
    }
}

/// Which number of a sample of times: the value of the label `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stat {
    /// The median: the headline number.
    #[default]
    P50,
    /// The 90th percentile.
    P90,
}

impl Stat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::P50, Self::P90];

    /// The value of the label `stat`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
        }
    }
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
    /// All of them, from the calmest on.
    pub const ALL: [Self; 3] = [Self::Quiet, Self::Normal, Self::Eager];

    /// As the configuration has it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Normal => "normal",
            Self::Eager => "eager",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sensitivity| sensitivity.label() == name)
    }

    /// How many false alarms a team may have in a year, all measures together.
    pub const fn budget(self) -> f64 {
        match self {
            Self::Quiet => 0.1,
            Self::Normal => 0.25,
            Self::Eager => 0.5,
        }
    }
}
