//! What persistent counters count, each thing once (`interfaces.md` §4): the caller leaves out what it has counted
//! before, and what was read at first contact.

use std::collections::BTreeSet;

use crate::engine::history::{self, ComponentHistory};
use crate::engine::link::{Linked, LinkedComponent};
use crate::model::batch::{Contact, CountedKey};
use crate::model::fact::Outcome;
use crate::model::name::{ComponentName, Severity, TeamSlug};
use crate::model::settings::MetricSettings;
use crate::model::time::{Span, Timestamp};

/// Something that a counter or a histogram counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countable {
    /// What it is, for ever.
    pub key: CountedKey,
    /// Whose it is.
    pub team: TeamSlug,
    /// What is counted.
    pub count: Count,
    /// Whether it is news.
    pub contact: Contact,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// A finished attempt.
    Attempt(ComponentName, Outcome),
    /// An incident.
    Incident(Severity),
    /// A change deployed for the first time.
    LeadTime(Span),
    /// A failed deployment that recovered.
    Recovery(Span),
}

/// Everything of some teams that has happened so far, one by one: there is much of it, and little is news.
pub fn countables<'l>(
    linked: &'l Linked,
    teams: &'l BTreeSet<TeamSlug>,
    settings: &'l MetricSettings,
) -> impl Iterator<Item = Countable> + 'l {
    let components = linked.components.iter().filter(|component| teams.contains(&component.history.team));
    let of_components = components.flat_map(move |component| {
        attempts(&component.history)
            .chain(lead_times(&component.history, settings))
            .chain(recoveries(linked, component, settings))
    });
    let incidents = linked.incidents.iter().filter(|incident| teams.contains(&incident.team));
    let incidents = incidents.map(|incident| Countable {
        key: CountedKey::Incident(incident.source.clone(), incident.id.clone()),
        team: incident.team.clone(),
        count: Count::Incident(incident.severity.clone()),
        contact: incident.appeared,
    });
    of_components.chain(incidents)
}

fn attempts(history: &ComponentHistory) -> impl Iterator<Item = Countable> {
    history.attempts.iter().map(|attempt| Countable {
        key: {
            let (repository, id) = (history.repository.clone(), attempt.id.clone());
            let succeeded = attempt.outcome == Outcome::Success;
            if history.is_part {
                CountedKey::PartAttempt(history.name.as_str().to_owned(), repository, id, succeeded)
            } else {
                CountedKey::Attempt(repository, id, succeeded)
            }
        },
        team: history.team.clone(),
        count: Count::Attempt(history.name.clone(), attempt.outcome),
        contact: attempt.contact,
    })
}

fn lead_times<'l>(
    history: &'l ComponentHistory,
    settings: &'l MetricSettings,
) -> impl Iterator<Item = Countable> + 'l {
    history.deployments.iter().flat_map(move |deployment| {
        let counted = deployment.changes.iter();
        let counted = counted.filter(move |change| history::counts(change, settings));
        counted.map(|change| Countable {
            key: CountedKey::LeadTime(
                history.name.as_str().to_owned(),
                history.repository.clone(),
                change.landing,
            ),
            team: history.team.clone(),
            count: Count::LeadTime(change.lead_time),
            contact: deployment.contact,
        })
    })
}

fn recoveries<'l>(
    linked: &'l Linked,
    component: &'l LinkedComponent,
    settings: &'l MetricSettings,
) -> impl Iterator<Item = Countable> + 'l {
    let history = &component.history;
    let ever = Timestamp::from_millis(i64::MAX);
    component.troubled.iter().filter_map(move |index| {
        let failure = linked.failure(component, *index, settings, ever)?;
        let (recovery, deployment) = failure.recovery.zip(history.deployments.get(*index))?;
        Some(Countable {
            key: CountedKey::Recovery(
                history.name.as_str().to_owned(),
                history.repository.clone(),
                deployment.id.clone(),
            ),
            team: history.team.clone(),
            count: Count::Recovery(recovery.span),
            contact: recovery.contact,
        })
    })
}
