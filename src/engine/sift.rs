//! Which incidents count, under which severity, and why the others do not (`definitions.md` 4.1).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::component::OwnedIncident;
use crate::model::fact::{Exclusion, Incident};
use crate::model::name::{ComponentName, ExternalId, Severity, SourceName};
use crate::model::settings::{MetricSettings, Standing};
use crate::model::time::{Span, Timestamp};

/// At most so many severities have a name: each is a label value on every level.
const SEVERITIES_MAX: usize = 20;

/// The severity of those beyond [`SEVERITIES_MAX`].
const OTHER_SEVERITY: &str = "other";

/// How far apart two sources may report the same outage.
const DUPLICATE_SPAN: Span = Span::from_minutes(10);

/// An incident that does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DroppedIncident {
    /// When it started.
    pub started_at: Timestamp,
    /// Who reported it.
    pub source: SourceName,
    /// Its source's id of it.
    pub id: ExternalId,
    /// Why it does not count.
    pub reason: Exclusion,
}

/// Parts incidents, which are sorted by start and distinct, into those that count and those that do not.
pub fn sift<'i>(
    incidents: &[&'i OwnedIncident],
    settings: &MetricSettings,
) -> (Vec<&'i OwnedIncident>, Vec<DroppedIncident>) {
    let mut dropped = Vec::new();
    let mut drop = |incident: &Incident, reason| {
        dropped.push(DroppedIncident {
            started_at: incident.started_at,
            source: incident.source.clone(),
            id: incident.id.clone(),
            reason,
        });
    };
    let mut counted = Vec::with_capacity(incidents.len());
    for owned in incidents {
        let incident = &owned.stored.incident;
        let filtered = is_filtered(incident, settings).then_some(Exclusion::Filtered);
        match incident.excluded.or(filtered) {
            Some(reason) => drop(incident, reason),
            None => counted.push(*owned),
        }
    }
    let mut primary: HashMap<&ComponentName, Vec<Timestamp>> = HashMap::new();
    for owned in &counted {
        if let (Some(component), Standing::Primary) = (&owned.component, standing(owned, settings)) {
            let starts = primary.entry(component).or_default();
            starts.push(owned.stored.incident.started_at);
        }
    }
    counted.retain(|owned| {
        let incident = &owned.stored.incident;
        let repeated = match (standing(owned, settings), &owned.component) {
            (Standing::Secondary, Some(component)) => {
                let starts = primary.get(component).map(Vec::as_slice).unwrap_or_default();
                is_near(starts, incident.started_at)
            }
            (Standing::Secondary, None) | (Standing::Primary, _) => false,
        };
        if repeated {
            drop(incident, Exclusion::Duplicate);
        }
        !repeated
    });
    dropped.sort();
    (counted, dropped)
}

fn is_filtered(incident: &Incident, settings: &MetricSettings) -> bool {
    let Some(filter) = settings.incident_filters.get(&incident.source) else {
        return false;
    };
    let other_urgency = filter.urgencies.as_ref().is_some_and(|urgencies| {
        let urgency = incident.urgency.as_deref().unwrap_or_default();
        !urgencies.iter().any(|wanted| wanted.eq_ignore_ascii_case(urgency))
    });
    let excluded_title = filter.exclude_title.as_ref();
    other_urgency || excluded_title.is_some_and(|title| title.is_match(&incident.title))
}

fn standing(owned: &OwnedIncident, settings: &MetricSettings) -> Standing {
    let filter = settings.incident_filters.get(&owned.stored.incident.source);
    filter.map_or(Standing::Primary, |filter| filter.standing)
}

/// Whether one of the sorted `starts` is within [`DUPLICATE_SPAN`] of `at`.
fn is_near(starts: &[Timestamp], at: Timestamp) -> bool {
    let from = starts.partition_point(|start| *start < at.minus(DUPLICATE_SPAN));
    starts.get(from).is_some_and(|start| *start <= at.plus(DUPLICATE_SPAN))
}

/// The severity under which each is counted. The first ones ever seen keep their names, so that no
/// series changes its name when a later incident comes.
pub fn severities<'i>(counted: &[&'i OwnedIncident]) -> BTreeMap<&'i Severity, Severity> {
    let mut named = BTreeMap::new();
    let mut first_seen = BTreeSet::new();
    for owned in counted {
        let severity = &owned.stored.incident.severity;
        if !first_seen.insert(severity) {
            continue;
        }
        let name = match first_seen.len() {
            ..=SEVERITIES_MAX => severity.clone(),
            _ => Severity::new(OTHER_SEVERITY),
        };
        named.insert(severity, name);
    }
    named
}
