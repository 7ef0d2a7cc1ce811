//! What is to be said of one deployment at one instant: did it fail and why, did it recover and how, was it planned
//! (`definitions.md` 3.3 to 3.5). The numbers and their explanations are both made of this.

use crate::engine::change::Unplanned;
use crate::engine::failure::Blame;
use crate::engine::history::Deployment;
use crate::engine::kind::Kind;
use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::model::batch::Contact;
use crate::model::settings::{FailOn, MetricSettings};
use crate::model::time::{Span, Timestamp};

/// Why a deployment is a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// An incident is attributed to it: its index.
    Incident(usize),
    /// A later deployment shows it.
    Blame(Blame),
}

/// Why a deployment is an unplanned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rework {
    /// It is a rollback.
    Rollback,
    /// It contains a revert.
    Revert,
    /// It contains a hotfix.
    Hotfix,
    /// It is the first after the start of an earlier one's incident, which was still open: its index.
    Incident(usize),
}

/// How a deployment recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecoveredBy {
    /// All its incidents were resolved.
    Resolution,
    /// By a later deployment: its index within the component.
    Deployment(usize),
}

/// The recovery of a failed deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// When.
    pub recovered_at: Timestamp,
    /// How.
    pub by: RecoveredBy,
    /// Since it failed; never negative.
    pub span: Span,
    /// Whether the span was negative and counted as zero.
    pub skewed: bool,
    /// Whether counters may count it.
    pub contact: Contact,
}

/// A deployment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why; not empty.
    pub causes: Vec<Cause>,
    /// Since when: the start of its first incident, else its own time.
    pub failed_at: Timestamp,
    /// Its recovery, if it has recovered.
    pub recovery: Option<Recovery>,
}

impl Linked {
    /// Whether and why a deployment has failed, as one could know at `at`. `None`: it has not, or there is no such
    /// deployment yet.
    pub fn failure(
        &self,
        component: &LinkedComponent,
        deployment: usize,
        settings: &MetricSettings,
        at: Timestamp,
    ) -> Option<Failure> {
        let before = component.history.before(at);
        let failed = before.get(deployment)?;
        let incidents = self.caused_by(component, deployment, at);
        let blames = failed.blamed.iter().filter(|blame| blame.by < before.len());
        let on = |switch: FailOn| settings.fail_on.contains(&switch);
        let by_incidents = incidents.iter().filter(|_| on(FailOn::Incident));
        let causes: Vec<_> = by_incidents
            .map(|(index, _)| Cause::Incident(*index))
            .chain(blames.filter(|blame| on(blame.remedy.switch())).map(|blame| Cause::Blame(*blame)))
            .collect();
        if causes.is_empty() {
            return None;
        }
        let started_at = incidents.iter().map(|(_, incident)| incident.started_at).min();
        let failed_at = started_at.unwrap_or(failed.deployed_at);
        Some(Failure { causes, failed_at, recovery: recovery(failed, failed_at, &incidents, before, at) })
    }

    /// The incidents attributed to a deployment that had started before `at`.
    fn caused_by(
        &self,
        component: &LinkedComponent,
        deployment: usize,
        at: Timestamp,
    ) -> Vec<(usize, &LinkedIncident)> {
        let caused = component.caused.get(&deployment).into_iter().flatten();
        caused
            .filter_map(|index| Some((*index, self.incidents.get(*index)?)))
            .filter(|(_, incident)| incident.started_at < at)
            .collect()
    }
}

/// The earliest of: all incidents resolved; taken back by a rollback; remedied by a revert or hotfix. Which of them
/// make a deployment fail (`fail_on`) does not matter here.
fn recovery(
    failed: &Deployment,
    failed_at: Timestamp,
    incidents: &[(usize, &LinkedIncident)],
    before: &[Deployment],
    at: Timestamp,
) -> Option<Recovery> {
    let resolutions: Option<Vec<_>> = incidents
        .iter()
        .map(|(_, incident)| Some((incident.resolved_before(at)?, incident.resolved)))
        .collect();
    let last = resolutions.and_then(|resolutions| resolutions.into_iter().max_by_key(|(at, _)| *at));
    let resolved = last.map(|(at, contact)| (at, contact, RecoveredBy::Resolution));

    // Which deployment a rollback blames is a choice; which ones it takes back is not.
    let remedied = failed.blamed.iter().map(|blame| blame.by);
    let remedied = remedied.chain(failed.taken_back_by).min();
    let remedied = remedied.and_then(|by| {
        let remedy = before.get(by)?;
        Some((remedy.deployed_at, remedy.contact, RecoveredBy::Deployment(by)))
    });

    let earliest = resolved.into_iter().chain(remedied).min_by_key(|(at, ..)| *at);
    earliest.map(|(recovered_at, contact, by)| {
        let span = recovered_at.since(failed_at);
        Recovery { recovered_at, by, span: span.max(Span::ZERO), skewed: span < Span::ZERO, contact }
    })
}

impl LinkedComponent {
    /// Whether a deployment was unplanned: whether [`Self::rework`] has a reason.
    pub fn is_unplanned(&self, deployment: usize) -> bool {
        let found = self.history.deployments.get(deployment);
        let alone = |found: &Deployment| found.kind == Kind::Rollback || found.unplanned().next().is_some();
        found.is_some_and(|found| alone(found) || self.answered.contains_key(&deployment))
    }

    /// Why a deployment is an unplanned one; nothing if it was planned. It does not depend on the instant, since it
    /// is known when the deployment is.
    pub fn rework(&self, deployment: usize) -> Vec<Rework> {
        let Some(found) = self.history.deployments.get(deployment) else {
            return Vec::new();
        };
        let rollback = (found.kind == Kind::Rollback).then_some(Rework::Rollback);
        let unplanned = found.unplanned().map(|unplanned| match unplanned {
            Unplanned::Revert(_) => Rework::Revert,
            Unplanned::Hotfix => Rework::Hotfix,
        });
        let answered = self.answered.get(&deployment).into_iter().flatten();
        let answered = answered.map(|incident| Rework::Incident(*incident));
        let mut reasons: Vec<_> = rollback.into_iter().chain(unplanned).chain(answered).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }
}
