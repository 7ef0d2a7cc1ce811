//! The result: every number of every level and window at one instant, immutable. Absent is unknown, never zero
//! (`definitions.md` §3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::guardrail;
use crate::engine::interval::Interval;
use crate::engine::regression::standing::Standing;
use crate::engine::regression::threshold::Thresholds;
use crate::engine::rollout::Choice;
use crate::model::fact::Exclusion;
use crate::model::measure::{Measure, Stat};
use crate::model::name::{ComponentName, RepositoryName, Severity, SourceName, TeamSlug};
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

/// All numbers at one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The instant: everything below counts what had happened before it.
    pub at: Timestamp,
    /// The windows, in the configured order; each `LevelValues::windows` has as many, in this order.
    pub windows: Vec<Window>,
    /// Over all teams.
    pub organization: LevelValues,
    /// By team.
    pub teams: BTreeMap<TeamSlug, TeamValues>,
    /// By component; empty if `component_detail` is off.
    pub components: BTreeMap<(TeamSlug, ComponentName), LevelValues>,
    /// Every component that has ever deployed, whatever `component_detail` says: those that counters are of.
    pub deployed: BTreeSet<(TeamSlug, ComponentName)>,
    /// Incidents dropped, by source and reason; zeros included for every source of incidents.
    pub excluded: BTreeMap<(SourceName, Exclusion), u64>,
    /// Repositories by source and state.
    pub repositories: BTreeMap<(SourceName, RepositoryState), u64>,
    /// What is to be said of each repository, by source and name.
    pub views: Vec<RepositoryView>,
    /// Facts used with a correction.
    pub suspects: Suspects,
    /// How each team stands to its guardrails, by team and name.
    pub guardrails: Vec<guardrail::Standing>,
    /// How each team stands in each measure against its own history (`regressions.md` 3); empty where nobody looked.
    pub standings: BTreeMap<(TeamSlug, Measure), Standing>,
    /// How much surprise a state takes; empty where nobody looked.
    pub thresholds: BTreeMap<Measure, Thresholds>,
}

/// A team's numbers and what is said of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TeamValues {
    /// Its numbers.
    pub values: LevelValues,
    /// Labels of `dora_team_info`, besides `team`.
    pub info: BTreeMap<String, String>,
}

/// The value of the label `state` of `sextant_repositories`. A repository has exactly one: the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of interfaces.md §4")]
pub enum RepositoryState {
    Inaccessible,
    Empty,
    Unowned,
    NoDeployments,
    Ok,
}

impl RepositoryState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Inaccessible, Self::Empty, Self::Unowned, Self::NoDeployments, Self::Ok];

    /// The value of the label `state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inaccessible => "inaccessible",
            Self::Empty => "empty",
            Self::Unowned => "unowned",
            Self::NoDeployments => "no_deployments",
            Self::Ok => "ok",
        }
    }
}

/// A collected repository: what is found in it, and why that may be nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryView {
    /// The source that collects it.
    pub source: SourceName,
    /// What it is called today.
    pub name: RepositoryName,
    /// Whether all is well.
    pub state: RepositoryState,
    /// What is deployed from it, by name.
    pub components: Vec<ComponentView>,
}

/// A component and how its deployments are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentView {
    /// Its name.
    pub name: ComponentName,
    /// The team that owns it.
    pub team: TeamSlug,
    /// How many finished production attempts it has ever had.
    pub attempts: u64,
    /// When the newest of them finished.
    pub newest_attempt_at: Option<Timestamp>,
    /// The rule by which they are found, and what it leaves out.
    pub choice: Arc<Choice>,
}

/// Facts used with a correction (`sextant_suspect_facts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspects {
    /// A span was negative and counted as zero.
    pub clock_skew: u64,
    /// It was dated after it was read.
    pub future: u64,
    /// It had a value that its source does not document.
    pub unknown_value: u64,
}

/// The numbers of one level: the organisation, a team or a component.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelValues {
    /// By window, in the order of [`Snapshot::windows`].
    pub windows: Vec<WindowValues>,
    /// The newest deployment.
    pub last_deployment_at: Option<Timestamp>,
    /// Failed and not yet recovered; absent if nothing was ever deployed.
    pub unrecovered_deployments: Option<u64>,
    /// Open now, by severity; absent like incident counts, zeros included.
    pub open_incidents: Option<BTreeMap<Severity, u64>>,
}

impl LevelValues {
    /// Whether anything was ever deployed: then all that derives from deployments is known, zeros included.
    pub const fn has_deployed(&self) -> bool {
        self.last_deployment_at.is_some()
    }

    /// Whether incidents are counted: it has deployed or had one.
    pub const fn counts_incidents(&self) -> bool {
        self.open_incidents.is_some()
    }
}

/// The numbers of one level over one window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowValues {
    /// What derives from deployments; absent if nothing was ever deployed.
    pub delivery: Option<Delivery>,
    /// What derives from incidents; absent if there never was one nor a deployment.
    pub incidents: Option<Incidents>,
    /// Shares that say how far the numbers can be trusted; each absent if there is nothing to take a share of.
    pub coverage: Coverage,
    /// Whether the collected history covers the window.
    pub complete: Completeness,
    /// How certain the six measures are.
    pub bounds: Bounds,
}

/// What each of the six measures lies in with 95 % confidence (`regressions.md` 3.5), in the unit of its metric: per
/// day, a share, or seconds. Absent below the minimum sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// Of deployments per day.
    pub deployments_per_day: Option<Interval>,
    /// Of the median lead time, in seconds.
    pub lead_time: Option<Interval>,
    /// Of its 90th percentile.
    pub lead_time_p90: Option<Interval>,
    /// Of the share of failed deployments.
    pub change_fail_ratio: Option<Interval>,
    /// Of incidents per day.
    pub incidents_per_day: Option<Interval>,
    /// Of the median recovery time, in seconds.
    pub recovery_time: Option<Interval>,
    /// Of its 90th percentile.
    pub recovery_time_p90: Option<Interval>,
    /// Of the share of unplanned deployments.
    pub rework_ratio: Option<Interval>,
}

impl Bounds {
    /// That of a measure; of times that of a quantile.
    pub const fn of(&self, measure: Measure, stat: Stat) -> Option<Interval> {
        match (measure, stat) {
            (Measure::DeploymentsPerDay, _) => self.deployments_per_day,
            (Measure::LeadTime, Stat::P50) => self.lead_time,
            (Measure::LeadTime, Stat::P90) => self.lead_time_p90,
            (Measure::ChangeFailRatio, _) => self.change_fail_ratio,
            (Measure::IncidentsPerDay, _) => self.incidents_per_day,
            (Measure::RecoveryTime, Stat::P50) => self.recovery_time,
            (Measure::RecoveryTime, Stat::P90) => self.recovery_time_p90,
            (Measure::ReworkRatio, _) => self.rework_ratio,
        }
    }
}

/// Whether the collected history covers a window (`definitions.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Completeness {
    /// It does not, yet.
    #[default]
    Partial,
    /// It does.
    Complete,
}

/// Median and 90th percentile by nearest rank; absent at n = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// Median.
    pub p50: Option<Span>,
    /// 90th percentile.
    pub p90: Option<Span>,
}

/// What derives from deployments in a window (`definitions.md` 3.1–3.5). Counts are counts; ratios are absent at
/// n = 0 and within [0, 1].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delivery {
    /// Production deployments: |D|.
    pub deployments: u64,
    /// |D| / w.
    pub deployments_per_day: f64,
    /// Calendar dates with a deployment.
    pub deployment_dates: u64,
    /// Finished attempts that succeeded.
    pub attempts_succeeded: u64,
    /// Finished attempts that failed.
    pub attempts_failed: u64,
    /// Changes first deployed: the n of lead time.
    pub changes: u64,
    /// Among the pull requests and direct pushes first deployed, those without a review; bots' not.
    pub unreviewed_changes: u64,
    /// Bots' changes first deployed.
    pub bot_changes: u64,
    /// Change lead time.
    pub lead_time: Quantiles,
    /// Phases of lead time: coding, pickup, review, deploy.
    pub phases: [Quantiles; 4],
    /// Failed deployments.
    pub failed_deployments: u64,
    /// Failed / |D|.
    pub change_fail_ratio: Option<f64>,
    /// Unplanned deployments.
    pub rework_deployments: u64,
    /// Unplanned / |D|.
    pub rework_ratio: Option<f64>,
    /// Failed deployments that recovered in the window: the n of recovery time.
    pub recovered_deployments: u64,
    /// Failed deployment recovery time.
    pub recovery_time: Quantiles,
}

/// The phases of lead time, in the order of [`Delivery::phases`].
pub const PHASES: [&str; 4] = ["coding", "pickup", "review", "deploy"];

/// What derives from incidents in a window (`definitions.md` 4.2).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Incidents {
    /// Started in the window, by every severity known in the organisation.
    pub started: BTreeMap<Severity, u64>,
    /// All severities together / w.
    pub per_day: f64,
    /// Resolved in the window, whatever their cause.
    pub resolved: u64,
    /// From start to resolution, over those.
    pub resolution_time: Quantiles,
}

/// How far the numbers of a window can be trusted (`definitions.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coverage {
    /// `forward` deployments whose commit and predecessor are both in the commit graph.
    pub deployments_with_changes: Option<f64>,
    /// Pull requests merged in the window that a deployment contains by now.
    pub changes_deployed: Option<f64>,
    /// Incidents started in the window that are attributed.
    pub incidents_attributed: Option<f64>,
}
