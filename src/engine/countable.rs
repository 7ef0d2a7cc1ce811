//! What persistent counters count, each thing once (`interfaces.md` §4): the caller leaves out what it has counted
//! before, and what was read at first contact.

use crate::engine::history;
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

/// Everything that has happened so far.
pub fn countables(linked: &Linked, settings: &MetricSettings) -> Vec<Countable> {
    let mut found = Vec::new();
    for component in &linked.components {
        let history = &component.history;
        found.extend(history.attempts.iter().map(|attempt| Countable {
            key: CountedKey::Attempt(
                history.repository.clone(),
                attempt.id.clone(),
                attempt.outcome == Outcome::Success,
            ),
            team: history.team.clone(),
            count: Count::Attempt(history.name.clone(), attempt.outcome),
            contact: attempt.contact,
        }));
        lead_times(component, settings, &mut found);
        recoveries(linked, component, settings, &mut found);
    }
    found.extend(linked.incidents.iter().map(|incident| Countable {
        key: CountedKey::Incident(incident.source.clone(), incident.id.clone()),
        team: incident.team.clone(),
        count: Count::Incident(incident.severity.clone()),
        contact: incident.appeared,
    }));
    found
}

fn lead_times(component: &LinkedComponent, settings: &MetricSettings, found: &mut Vec<Countable>) {
    let history = &component.history;
    for deployment in &history.deployments {
        let counted = deployment.changes.iter();
        let counted = counted.filter(|change| history::counts(change, settings));
        found.extend(counted.map(|change| Countable {
            key: CountedKey::LeadTime(
                history.name.as_str().to_owned(),
                history.repository.clone(),
                change.landing,
            ),
            team: history.team.clone(),
            count: Count::LeadTime(change.lead_time),
            contact: deployment.contact,
        }));
    }
}

fn recoveries(
    linked: &Linked,
    component: &LinkedComponent,
    settings: &MetricSettings,
    found: &mut Vec<Countable>,
) {
    let history = &component.history;
    let ever = Timestamp::from_millis(i64::MAX);
    for index in &component.troubled {
        let failure = linked.failure(component, *index, settings, ever);
        let recovery = failure.and_then(|failure| failure.recovery);
        let Some((recovery, deployment)) = recovery.zip(history.deployments.get(*index)) else {
            continue;
        };
        found.push(Countable {
            key: CountedKey::Recovery(
                history.name.as_str().to_owned(),
                history.repository.clone(),
                deployment.id.clone(),
            ),
            team: history.team.clone(),
            count: Count::Recovery(recovery.span),
            contact: recovery.contact,
        });
    }
}
