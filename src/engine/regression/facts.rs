//! From what is linked to the plain series that the detector and the intervals are told: of the organisation, a team
//! or a component.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use crate::engine::assessment::{Cause, Failure, Rework};
use crate::engine::history;
use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::engine::regression::collected::{Begin, Collected};
use crate::engine::regression::series::{Deployed, Failed, TeamSeries};
use crate::model::batch::Inventory;
use crate::model::day::Day;
use crate::model::name::{ComponentName, TeamSlug};
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level<'l> {
    /// All teams together.
    Organization,
    /// A team.
    Team(&'l TeamSlug),
    /// A component of a team.
    Component(&'l TeamSlug, &'l ComponentName),
}

impl Level<'_> {
    fn has(self, component: &LinkedComponent) -> bool {
        let history = &component.history;
        match self {
            Self::Organization => true,
            Self::Team(team) => history.team == *team,
            Self::Component(team, name) => history.team == *team && history.name == *name,
        }
    }

    fn had(self, incident: &LinkedIncident) -> bool {
        match self {
            Self::Organization => true,
            Self::Team(team) => incident.team == *team,
            Self::Component(_, name) => incident.component.as_ref() == Some(name),
        }
    }
}

/// What happened at a level before `at` (`definitions.md` §1), as the detector wants to be told: counted changes,
/// counted incidents, failures as one could know them at `at`.
///
/// It begins on the first whole day from which on all of it is collected: all repositories of its components, by what
/// the store says is covered and not by their first deployments, and all sources of incidents; not before the first
/// of its repositories was created. What is still being read for the first time is left out ([`Collected`]). Where
/// nothing is collected it begins on the day of `at`, so that nothing can be said. Changes of which nobody knows
/// whether they are a component's own (`unknown_at`) do not cut it off: a lead time that is missing makes the others
/// no worse.
///
/// `blind` is empty: the store knows since when a source is complete, and of no holes after that.
pub fn series(
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
    level: Level<'_>,
    at: Timestamp,
) -> TeamSeries {
    let facts = Facts { linked, collected: Collected::new(linked, inventory, settings), settings, at };
    let components = linked.components.iter().filter(|component| level.has(component));
    let incidents = linked.incidents.iter().filter(|incident| level.had(incident));
    facts.series(components, incidents)
}

/// The series of some teams, each as [`series`] makes it, in one pass over what is linked.
pub fn teams(
    teams: &BTreeSet<TeamSlug>,
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
    at: Timestamp,
) -> BTreeMap<TeamSlug, TeamSeries> {
    type Parts<'l> = (Vec<&'l LinkedComponent>, Vec<&'l LinkedIncident>);
    let facts = Facts { linked, collected: Collected::new(linked, inventory, settings), settings, at };
    let mut parts: BTreeMap<&TeamSlug, Parts<'_>> =
        linked.teams.intersection(teams).map(|team| (team, Parts::default())).collect();
    for component in &linked.components {
        if let Some((components, _)) = parts.get_mut(&component.history.team) {
            components.push(component);
        }
    }
    for incident in &linked.incidents {
        if let Some((_, incidents)) = parts.get_mut(&incident.team) {
            incidents.push(incident);
        }
    }
    let series = parts.into_iter().map(|(team, (components, incidents))| {
        (team.clone(), facts.series(components.into_iter(), incidents.into_iter()))
    });
    series.collect()
}

/// What a series is made of.
struct Facts<'f> {
    linked: &'f Linked,
    collected: Collected<'f>,
    settings: &'f MetricSettings,
    at: Timestamp,
}

impl<'f> Facts<'f> {
    fn series(
        &self,
        components: impl Iterator<Item = &'f LinkedComponent>,
        incidents: impl Iterator<Item = &'f LinkedIncident>,
    ) -> TeamSeries {
        let read = components.filter_map(|part| Some((part, self.collected.component(part)?)));
        let read: Vec<_> = read.collect();
        let begin = read.iter().fold(self.collected.incidents(), |begin, (_, part)| begin.and(*part));
        let since = since(begin, self.at, self.settings.timezone);
        let from = since.begin(self.settings.timezone);
        let deployments = read.iter().flat_map(|(component, _)| self.deployments(component, from));
        let incidents = incidents.filter(|incident| self.collected.has_read(incident));
        let started = incidents.map(|incident| incident.started_at);
        TeamSeries {
            since,
            deployments: deployments.collect(),
            incidents: started.filter(|started_at| (from..self.at).contains(started_at)).collect(),
            blind: BTreeSet::new(),
        }
    }

    fn deployments(&self, component: &'f LinkedComponent, from: Timestamp) -> Vec<Deployed> {
        let history = &component.history;
        let mut failures: BTreeMap<usize, Failed> = BTreeMap::new();
        for index in &component.troubled {
            let failure = self.linked.failure(component, *index, self.settings, self.at);
            failures.extend(failure.and_then(|failure| Some((*index, self.failed(component, &failure)?))));
        }
        let first = history.before(from).len();
        let before = history.before(self.at).iter().enumerate().skip(first);
        let deployed = before.map(|(index, deployment)| {
            let known = deployment.changes.iter().filter(|change| change.merged_at < self.at);
            let counted = known.filter(|change| history::counts(change, self.settings));
            let reasons = component.rework(index);
            Deployed {
                at: deployment.deployed_at,
                lead_times: counted.map(|change| change.lead_time).collect(),
                unplanned: reasons.iter().any(|reason| match reason {
                    Rework::Incident(incident) => self.has_read(*incident),
                    Rework::Rollback | Rework::Revert | Rework::Hotfix => true,
                }),
                failure: failures.get(&index).copied(),
            }
        });
        deployed.collect()
    }

    /// Nothing, if all that says so are incidents of sources that are being read for the first time.
    fn failed(&self, component: &LinkedComponent, failure: &Failure) -> Option<Failed> {
        let known = failure.causes.iter().filter_map(|cause| match cause {
            Cause::Incident(incident) => {
                let incident = self.linked.incidents.get(*incident);
                incident.filter(|incident| self.collected.has_read(incident)).map(|found| found.started_at)
            }
            Cause::Blame(blame) => component.history.deployments.get(blame.by).map(|by| by.deployed_at),
        });
        let recovered_at = failure.recovery.map(|recovery| recovery.recovered_at);
        Some(Failed { started_at: failure.failed_at, known_at: known.min()?, recovered_at })
    }

    fn has_read(&self, incident: usize) -> bool {
        let incident = self.linked.incidents.get(incident);
        incident.is_some_and(|incident| self.collected.has_read(incident))
    }
}

/// The first whole day of what is collected.
fn since(begin: Begin, at: Timestamp, timezone: Tz) -> Day {
    let Some(begin) = begin.at() else {
        return Day::of(at, timezone);
    };
    let day = Day::of(begin, timezone);
    if day.begin(timezone) < begin { day.plus(1) } else { day }
}
