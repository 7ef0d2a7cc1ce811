//! The `PagerDuty` account: services, teams and incidents.

use super::World;
use crate::demo::random::Random;
use crate::model::time::Timestamp;

/// The letters of `PagerDuty`'s ids.
const ID_LETTERS: [char; 36] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K',
    'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
];

/// The account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDuty {
    /// The account's part of its web address.
    pub subdomain: String,
    /// The account's time zone: what a request without `time_zone` gets.
    pub time_zone: chrono_tz::Tz,
    /// Services; their keys are their places.
    pub services: Vec<Service>,
    /// Teams: id and name.
    pub teams: Vec<(String, String)>,
    /// Incidents, oldest first; their keys are their places.
    pub incidents: Vec<Incident>,
}

/// What can break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `P` and six letters or digits.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The place of the team that looks after it.
    pub team: Option<usize>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// How urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// Somebody is called.
    High,
    /// It can wait.
    Low,
}

/// The state of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncidentState {
    /// Nobody has seen it.
    Triggered,
    /// Somebody works on it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// `Q` and thirteen letters or digits.
    pub id: String,
    /// Its number in the account.
    pub number: u64,
    /// What it is titled.
    pub title: String,
    /// The service.
    pub service: ServiceKey,
    /// How urgent.
    pub urgency: Urgency,
    /// The name of its priority: `P1`.
    pub priority: Option<String>,
    /// Where it stands.
    pub state: IncidentState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its state last changed.
    pub state_changed_at: Timestamp,
    /// When it was resolved, if it is.
    pub resolved_at: Option<Timestamp>,
    /// How often it was opened again; `PagerDuty`'s records do not tell.
    pub reopened: u32,
    /// When it was acknowledged; empty again once it is resolved.
    pub acknowledged_at: Vec<Timestamp>,
    /// The incident that it was merged into.
    pub merged_into: Option<IncidentKey>,
}

/// A service's place in [`PagerDuty::services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey(pub(crate) usize);

/// An incident's place in [`PagerDuty::incidents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey(pub(crate) usize);

impl PagerDuty {
    pub(super) fn new(subdomain: &str) -> Self {
        Self {
            subdomain: subdomain.to_owned(),
            time_zone: chrono_tz::Europe::Berlin,
            services: Vec::new(),
            teams: Vec::new(),
            incidents: Vec::new(),
        }
    }

    /// The incident of this key.
    pub fn incident(&self, key: IncidentKey) -> Option<&Incident> {
        self.incidents.get(key.0)
    }

    /// The service of this key.
    pub fn service(&self, key: ServiceKey) -> Option<&Service> {
        self.services.get(key.0)
    }
}

impl World {
    /// Creates a service, looked after by the team of this name, which is created with its first service.
    pub fn service(&mut self, name: &str, team: Option<&str>, at: Timestamp) -> ServiceKey {
        let pagerduty = &mut self.pagerduty;
        let team = team.map(|team| {
            let known = pagerduty.teams.iter().position(|(_, name)| name == team);
            known.unwrap_or_else(|| {
                pagerduty.teams.push((id('P', 6, "team", pagerduty.teams.len()), team.to_owned()));
                pagerduty.teams.len() - 1
            })
        });
        pagerduty.services.push(Service {
            id: id('P', 6, "service", pagerduty.services.len()),
            name: name.to_owned(),
            team,
            created_at: at,
        });
        ServiceKey(pagerduty.services.len() - 1)
    }

    /// The service of this name.
    pub fn service_named(&self, name: &str) -> Option<ServiceKey> {
        let place = self.pagerduty.services.iter().position(|service| service.name == name);
        place.map(ServiceKey)
    }

    /// Opens an incident of high urgency, without a priority.
    pub fn open_incident(&mut self, service: ServiceKey, title: &str, at: Timestamp) -> IncidentKey {
        self.advance(at);
        let incidents = &mut self.pagerduty.incidents;
        let place = incidents.len();
        incidents.push(Incident {
            id: id('Q', 13, "incident", place),
            number: place as u64 + 1,
            title: title.to_owned(),
            service,
            urgency: Urgency::High,
            priority: None,
            state: IncidentState::Triggered,
            created_at: at,
            updated_at: at,
            state_changed_at: at,
            resolved_at: None,
            reopened: 0,
            acknowledged_at: Vec::new(),
            merged_into: None,
        });
        IncidentKey(place)
    }

    /// The incident of this key.
    pub fn incident(&self, key: IncidentKey) -> Option<&Incident> {
        self.pagerduty.incident(key)
    }

    /// Changes an incident: its title, its urgency, its priority.
    pub fn edit_incident(&mut self, key: IncidentKey, at: Timestamp, edit: impl FnOnce(&mut Incident)) {
        self.advance(at);
        if let Some(incident) = self.pagerduty.incidents.get_mut(key.0) {
            edit(incident);
            incident.updated_at = incident.updated_at.max(at);
        }
    }

    /// Somebody takes an incident on; nothing happens to one that is resolved.
    pub fn acknowledge_incident(&mut self, key: IncidentKey, at: Timestamp) {
        self.edit_incident(key, at, |incident| {
            if incident.state != IncidentState::Resolved {
                incident.enter(IncidentState::Acknowledged, at);
                incident.acknowledged_at.push(at);
            }
        });
    }

    /// An incident is over.
    pub fn resolve_incident(&mut self, key: IncidentKey, at: Timestamp) {
        self.edit_incident(key, at, |incident| {
            incident.enter(IncidentState::Resolved, at);
            incident.resolved_at = Some(at);
            incident.acknowledged_at.clear();
        });
    }

    /// It was not over: triggered again, as if never resolved.
    pub fn reopen_incident(&mut self, key: IncidentKey, at: Timestamp) {
        self.edit_incident(key, at, |incident| {
            incident.enter(IncidentState::Triggered, at);
            incident.resolved_at = None;
            incident.reopened += 1;
        });
    }

    /// Merges an incident into another, which resolves it.
    pub fn merge_incident(&mut self, key: IncidentKey, into: IncidentKey, at: Timestamp) {
        self.resolve_incident(key, at);
        self.edit_incident(key, at, |incident| incident.merged_into = Some(into));
    }
}

impl Incident {
    fn enter(&mut self, state: IncidentState, at: Timestamp) {
        self.state = state;
        self.state_changed_at = at;
    }
}

/// An id of so many letters after the first, which follows from what it names and from its place.
fn id(first: char, letters: usize, what: &str, place: usize) -> String {
    let salt = what.bytes().fold(0, |salt: u64, byte| salt.wrapping_mul(257).wrapping_add(u64::from(byte)));
    let mut random = Random::new(salt.rotate_left(32) ^ place as u64);
    let drawn = (0..letters).map(|_| random.pick(&ID_LETTERS).copied().unwrap_or('0'));
    std::iter::once(first).chain(drawn).collect()
}
