//! From the weeks of a look to what happened in them: the deployments and incidents that a person can look at.

use std::ops::Range;

use crate::engine::history;
use crate::engine::link::{Linked, LinkedComponent};
use crate::engine::regression::series::middle;
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::settings::MetricSettings;
use crate::model::time::{Span, Timestamp};

/// How many facts of a week are named, the newest last; more is counted. A page is read by a person.
pub const FACTS_NAMED_MAX: usize = 40;

/// What happened in a week.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WeekFacts {
    /// The last ones, in order of time.
    pub named: Vec<Pointer>,
    /// How many more there are.
    pub left_out: usize,
}

/// One thing that counts, and where it can be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointer {
    /// When it happened.
    pub at: Timestamp,
    /// What it is.
    pub what: What,
    /// The component that was deployed, or the incident's title.
    pub title: String,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// What it adds to the measure, if that is a time: the median lead time of its changes, or how long its recovery
    /// took; absent if it has not recovered.
    pub took: Option<Span>,
}

/// What a pointer points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A deployment.
    Deployment,
    /// A deployment that failed.
    FailedDeployment,
    /// A deployment that was unplanned.
    UnplannedDeployment,
    /// An incident.
    Incident,
}

impl What {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::FailedDeployment => "failed_deployment",
            Self::UnplannedDeployment => "unplanned_deployment",
            Self::Incident => "incident",
        }
    }
}

/// What a measure of a team is made of on these days, as one could know before `at`.
pub fn of_week(
    linked: &Linked,
    settings: &MetricSettings,
    (team, measure): (&TeamSlug, Measure),
    days: &Range<Day>,
    at: Timestamp,
) -> WeekFacts {
    let until = days.end.begin(settings.timezone).min(at);
    let within = days.start.begin(settings.timezone)..until;
    let mut found = match measure {
        Measure::IncidentsPerDay => incidents(linked, team, &within),
        Measure::DeploymentsPerDay
        | Measure::LeadTime
        | Measure::ChangeFailRatio
        | Measure::RecoveryTime
        | Measure::ReworkRatio => {
            let own = linked.components.iter().filter(|component| component.history.team == *team);
            own.flat_map(|component| {
                Deployments { linked, settings, component, at }.pointers(measure, &within)
            })
            .collect()
        }
    };
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.title.cmp(&b.title)));
    let left_out = found.len().saturating_sub(FACTS_NAMED_MAX);
    WeekFacts { named: found.split_off(left_out), left_out }
}

fn incidents(linked: &Linked, team: &TeamSlug, within: &Range<Timestamp>) -> Vec<Pointer> {
    let own = linked.incidents.iter().filter(|incident| incident.team == *team);
    let started = own.filter(|incident| within.contains(&incident.started_at));
    let pointers = started.map(|incident| Pointer {
        at: incident.started_at,
        what: What::Incident,
        title: incident.title.clone(),
        url: incident.url.clone(),
        took: None,
    });
    pointers.collect()
}

/// The deployments of a component.
struct Deployments<'d> {
    linked: &'d Linked,
    settings: &'d MetricSettings,
    component: &'d LinkedComponent,
    at: Timestamp,
}

impl Deployments<'_> {
    fn pointers(&self, measure: Measure, within: &Range<Timestamp>) -> Vec<Pointer> {
        let before = self.component.history.before(within.end).iter().enumerate();
        let deployed = before.filter(|(_, deployment)| deployment.deployed_at >= within.start);
        let pointers = deployed.filter_map(|(index, deployment)| {
            let (what, took) = self.part(measure, index)?;
            Some(Pointer {
                at: deployment.deployed_at,
                what,
                title: self.component.history.name.to_string(),
                url: deployment.url.clone(),
                took,
            })
        });
        pointers.collect()
    }

    /// What a deployment is to a measure; `None` if it is nothing to it.
    fn part(&self, measure: Measure, index: usize) -> Option<(What, Option<Span>)> {
        let failure = || self.linked.failure(self.component, index, self.settings, self.at);
        match measure {
            Measure::DeploymentsPerDay => Some((What::Deployment, None)),
            Measure::LeadTime => Some((What::Deployment, Some(self.lead_time(index)?))),
            Measure::ChangeFailRatio => failure().map(|_| (What::FailedDeployment, None)),
            Measure::RecoveryTime => {
                failure().map(|found| (What::FailedDeployment, found.recovery.map(|recovery| recovery.span)))
            }
            Measure::ReworkRatio => {
                (!self.component.rework(index).is_empty()).then_some((What::UnplannedDeployment, None))
            }
            Measure::IncidentsPerDay => None,
        }
    }

    fn lead_time(&self, index: usize) -> Option<Span> {
        let deployment = self.component.history.deployments.get(index)?;
        let counted = deployment.changes.iter().filter(|change| history::counts(change, self.settings));
        let mut times: Vec<f64> = counted.map(|change| change.lead_time.seconds()).collect();
        times.sort_by(f64::total_cmp);
        middle(&times).map(seconds)
    }
}

/// Whole seconds: nobody reads parts of them.
fn seconds(seconds: f64) -> Span {
    let duration = std::time::Duration::try_from_secs_f64(seconds.max(0.0));
    duration.map_or(Span::ZERO, Span::from)
}
