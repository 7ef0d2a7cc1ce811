//! All components with all incidents: everything that does not depend on the instant at which it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::attribution::{Attribution, Attributor};
use crate::engine::history::ComponentHistory;
use crate::engine::sift::{self, DroppedIncident};
use crate::model::batch::Contact;
use crate::model::component::OwnedIncident;
use crate::model::fact::Corrections;
use crate::model::name::{ComponentName, ExternalId, Severity, SourceName, TeamSlug};
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

/// Components and incidents with what links them.
#[derive(Debug, Default)]
pub struct Linked {
    /// By team and name.
    pub components: Vec<LinkedComponent>,
    /// Those that count, by start, source and id.
    pub incidents: Vec<LinkedIncident>,
    /// Those that do not.
    pub dropped: Vec<DroppedIncident>,
    /// Every team of a component or a counted incident. The caller adds those that have neither.
    pub teams: BTreeSet<TeamSlug>,
}

/// A component with the incidents that concern its deployments.
#[derive(Debug)]
pub struct LinkedComponent {
    /// Its past.
    pub history: Arc<ComponentHistory>,
    /// By deployment: the incidents attributed to it, by start.
    pub caused: BTreeMap<usize, Vec<usize>>,
    /// By deployment: the incidents of earlier deployments that were open when it came as the first since their
    /// start (`definitions.md` 3.5).
    pub answered: BTreeMap<usize, Vec<usize>>,
    /// The deployments that fail at some instant, for whatever reason.
    pub troubled: Vec<usize>,
}

/// An incident that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedIncident {
    /// Who reported it.
    pub source: SourceName,
    /// Its source's id of it.
    pub id: ExternalId,
    /// What it is called there.
    pub title: String,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was resolved, if it was.
    pub resolved_at: Option<Timestamp>,
    /// The severity under which it is counted.
    pub severity: Severity,
    /// Its component, if one is known.
    pub component: Option<ComponentName>,
    /// Its team.
    pub team: TeamSlug,
    /// Whether counters may count it.
    pub appeared: Contact,
    /// Whether counters may count its resolution.
    pub resolved: Contact,
    /// With what it is used.
    pub corrections: Corrections,
    /// The deployment that it is attributed to, with the rule.
    pub attribution: Option<Attribution>,
}

impl LinkedIncident {
    /// When it was resolved, as one could know at `at`.
    pub fn resolved_before(&self, at: Timestamp) -> Option<Timestamp> {
        self.resolved_at.filter(|resolved_at| *resolved_at < at)
    }
}

/// Links them.
pub fn link(
    histories: &[Arc<ComponentHistory>],
    incidents: &[OwnedIncident],
    settings: &MetricSettings,
) -> Linked {
    let mut histories = histories.to_vec();
    histories.sort_by(|a, b| (&a.team, &a.name).cmp(&(&b.team, &b.name)));
    let mut sorted: Vec<_> = incidents.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |owned: &OwnedIncident| owned.stored.incident.started_at;
        let identity = |owned: &OwnedIncident| {
            let incident = &owned.stored.incident;
            (incident.source.clone(), incident.id.clone())
        };
        key(a).cmp(&key(b)).then_with(|| identity(a).cmp(&identity(b)))
    });
    sorted.dedup_by(|a, b| {
        let (a, b) = (&a.stored.incident, &b.stored.incident);
        a.source == b.source && a.id == b.id
    });
    let (counted, dropped) = sift::sift(&sorted, settings);
    let severities = sift::severities(&counted);
    let attributor = Attributor::new(&histories);
    let incidents: Vec<_> = counted
        .iter()
        .map(|owned| {
            let severity = &owned.stored.incident.severity;
            let severity = severities.get(severity).unwrap_or(severity);
            linked(owned, severity.clone(), attributor.attribute(owned, settings))
        })
        .collect();

    let teams = histories.iter().map(|history| history.team.clone());
    let teams = teams.chain(incidents.iter().map(|incident| incident.team.clone()));
    let mut linked = Linked {
        teams: teams.collect(),
        components: histories.into_iter().map(LinkedComponent::new).collect(),
        incidents,
        dropped,
    };
    linked.blame();
    linked
}

fn linked(owned: &OwnedIncident, severity: Severity, attribution: Option<Attribution>) -> LinkedIncident {
    let incident = &owned.stored.incident;
    LinkedIncident {
        source: incident.source.clone(),
        id: incident.id.clone(),
        title: incident.title.clone(),
        url: incident.url.clone(),
        started_at: incident.started_at,
        resolved_at: incident.resolved_at,
        severity,
        component: owned.component.clone(),
        team: owned.team.clone(),
        appeared: owned.stored.appeared,
        resolved: owned.stored.resolved,
        corrections: incident.corrections,
        attribution,
    }
}

impl Linked {
    /// Notes in each component which incidents concern which deployments.
    fn blame(&mut self) {
        for (index, incident) in self.incidents.iter().enumerate() {
            let Some(Attribution { place, rule: _ }) = incident.attribution else {
                continue;
            };
            let Some(component) = self.components.get_mut(place.component) else {
                continue;
            };
            component.caused.entry(place.deployment).or_default().push(index);
            if let Some(answer) = component.answer(place.deployment, incident) {
                component.answered.entry(answer).or_default().push(index);
            }
        }
        for component in &mut self.components {
            let deployments = component.history.deployments.iter().enumerate();
            let blamed = deployments.filter(|(_, deployment)| !deployment.blamed.is_empty());
            let troubled: BTreeSet<_> =
                blamed.map(|(index, _)| index).chain(component.caused.keys().copied()).collect();
            component.troubled = troubled.into_iter().collect();
        }
    }
}

impl LinkedComponent {
    fn new(history: Arc<ComponentHistory>) -> Self {
        Self { history, caused: BTreeMap::new(), answered: BTreeMap::new(), troubled: Vec::new() }
    }

    /// The first deployment after `cause` and after the incident's start, if the incident was not resolved by then.
    fn answer(&self, cause: usize, incident: &LinkedIncident) -> Option<usize> {
        let since_start = self.history.before(incident.started_at).len();
        let answer = since_start.max(cause + 1);
        let deployed_at = self.history.deployments.get(answer)?.deployed_at;
        let open = incident.resolved_at.is_none_or(|resolved_at| deployed_at < resolved_at);
        open.then_some(answer)
    }
}
