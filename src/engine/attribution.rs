//! Which deployment an incident is attributed to, and by which rule (`definitions.md` 4.3).

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::history::ComponentHistory;
use crate::model::component::OwnedIncident;
use crate::model::fact::{Incident, Reference, Verdict};
use crate::model::name::{CommitPrefix, ComponentName, RepositoryName, TeamSlug};
use crate::model::settings::{MetricSettings, TeamAttribution};
use crate::model::time::Timestamp;

/// The rule by which an incident is attributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The source, or a person, says so.
    Explicit,
    /// Its text names a commit, a pull request or a deployment.
    Reference,
    /// The latest deployment of its component.
    Component,
    /// The latest deployment of its team.
    Team,
}

impl Rule {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Reference => "reference",
            Self::Component => "component",
            Self::Team => "team",
        }
    }
}

/// A deployment among those of all components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The index of its component.
    pub component: usize,
    /// Its index within that component.
    pub deployment: usize,
}

/// An incident's deployment, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attribution {
    /// The deployment.
    pub place: Place,
    /// The first rule that matched.
    pub rule: Rule,
}

/// Finds deployments among those of all components.
#[derive(Debug)]
pub struct Attributor<'h> {
    histories: &'h [Arc<ComponentHistory>],
    by_name: HashMap<&'h ComponentName, Vec<usize>>,
    by_team: HashMap<&'h TeamSlug, Vec<usize>>,
    by_repository: HashMap<String, Vec<usize>>,
    all: Vec<usize>,
    /// Only built if some incident names a deployment.
    by_attempt: OnceCell<HashMap<&'h str, Vec<Place>>>,
}

impl<'h> Attributor<'h> {
    /// Over all components.
    pub fn new(histories: &'h [Arc<ComponentHistory>]) -> Self {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_team: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_repository: HashMap<_, Vec<_>> = HashMap::new();
        for (index, history) in histories.iter().enumerate() {
            by_name.entry(&history.name).or_default().push(index);
            by_team.entry(&history.team).or_default().push(index);
            let repository = folded(&history.repository_name);
            by_repository.entry(repository).or_default().push(index);
        }
        Self {
            histories,
            by_name,
            by_team,
            by_repository,
            all: (0..histories.len()).collect(),
            by_attempt: OnceCell::new(),
        }
    }

    /// The deployment that an incident belongs to, if any rule finds one.
    pub fn attribute(&self, owned: &OwnedIncident, settings: &MetricSettings) -> Option<Attribution> {
        let incident = &owned.stored.incident;
        let explicit = match &incident.verdict {
            Some(Verdict::None) => return None,
            Some(Verdict::Deployment(named)) => self.explicit(owned, named),
            None => None,
        };
        let by = |rule| move |place| Attribution { place, rule };
        explicit.map(by(Rule::Explicit)).or_else(|| self.reference(owned).map(by(Rule::Reference))).or_else(
            || match (&owned.component, settings.team_attribution) {
                (Some(name), _) => {
                    let latest = self.latest(self.named(name), incident, settings);
                    latest.map(by(Rule::Component))
                }
                (None, TeamAttribution::On) => {
                    let latest = self.latest(self.of_team(&owned.team), incident, settings);
                    latest.map(by(Rule::Team))
                }
                (None, TeamAttribution::Off) => None,
            },
        )
    }

    /// A deployment by the id of one of its attempts, whenever it was, since somebody said so; else by its commit.
    fn explicit(&self, owned: &OwnedIncident, named: &str) -> Option<Place> {
        let started_at = owned.stored.incident.started_at;
        let by_id = self.nearest(owned, |components| {
            let places = self.places_of(named).iter().copied();
            places.filter(|place| components.contains(&place.component)).max_by_key(|place| {
                let deployed_at = self.deployed_at(*place);
                (deployed_at < Some(started_at), deployed_at, *place)
            })
        });
        by_id.or_else(|| {
            let prefix = CommitPrefix::parse(named)?;
            self.nearest(owned, |components| self.of_commit(components, &prefix, started_at))
        })
    }

    /// What the text names; of several the latest.
    fn reference(&self, owned: &OwnedIncident) -> Option<Place> {
        let started_at = owned.stored.incident.started_at;
        let found = owned.stored.incident.references.iter().filter_map(|reference| {
            let of_repository = |name: &RepositoryName| {
                let components = self.by_repository.get(&folded(name));
                self.own_first(owned, components.map(Vec::as_slice).unwrap_or_default())
            };
            match reference {
                Reference::Commit(None, prefix) => {
                    self.nearest(owned, |components| self.of_commit(components, prefix, started_at))
                }
                Reference::Commit(Some(name), prefix) => {
                    of_repository(name).find_map(|components| self.of_commit(components, prefix, started_at))
                }
                Reference::PullRequest(name, number) => of_repository(name).find_map(|components| {
                    self.last(components, |history| history.deployment_of_pull(*number, started_at))
                }),
                Reference::Deployment(name, id) => of_repository(name).find_map(|components| {
                    let places = self.places_of(id.as_str()).iter().copied();
                    places
                        .filter(|place| components.contains(&place.component))
                        .filter(|place| self.deployed_at(*place) < Some(started_at))
                        .max_by_key(|place| (self.deployed_at(*place), *place))
                }),
            }
        });
        found.max_by_key(|place| (self.deployed_at(*place), *place))
    }

    /// Asks the incident's component, then its team's, then all: a short beginning of a commit or a small number may
    /// mean something else elsewhere.
    fn nearest(&self, owned: &OwnedIncident, find: impl Fn(&[usize]) -> Option<Place>) -> Option<Place> {
        let own = owned.component.as_ref().map(|name| self.named(name));
        find(own.unwrap_or_default()).or_else(|| find(self.of_team(&owned.team))).or_else(|| find(&self.all))
    }

    /// The incident's component if it is among `components`, then all of them.
    fn own_first<'a>(
        &'a self,
        owned: &OwnedIncident,
        components: &'a [usize],
    ) -> impl Iterator<Item = &'a [usize]> {
        let own = owned.component.as_ref().map(|name| self.named(name));
        let own = own.filter(|own| own.iter().all(|index| components.contains(index)));
        own.into_iter().chain([components])
    }

    fn latest(&self, components: &[usize], incident: &Incident, settings: &MetricSettings) -> Option<Place> {
        let earliest = incident.started_at.minus(settings.attribution_window);
        let latest =
            self.last(components, |history| history.before(incident.started_at).len().checked_sub(1));
        latest.filter(|place| self.deployed_at(*place) >= Some(earliest))
    }

    fn of_commit(&self, components: &[usize], prefix: &CommitPrefix, at: Timestamp) -> Option<Place> {
        self.last(components, |history| history.deployment_of(prefix, at))
    }

    /// The latest of what `find` finds in each component.
    fn last(&self, components: &[usize], find: impl Fn(&ComponentHistory) -> Option<usize>) -> Option<Place> {
        let found = components.iter().filter_map(|component| {
            let deployment = find(self.histories.get(*component)?)?;
            Some(Place { component: *component, deployment })
        });
        found.max_by_key(|place| (self.deployed_at(*place), *place))
    }

    fn deployed_at(&self, place: Place) -> Option<Timestamp> {
        let history = self.histories.get(place.component)?;
        let deployment = history.deployments.get(place.deployment)?;
        Some(deployment.deployed_at)
    }

    fn named(&self, name: &ComponentName) -> &[usize] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn of_team(&self, team: &TeamSlug) -> &[usize] {
        self.by_team.get(team).map(Vec::as_slice).unwrap_or_default()
    }

    fn places_of(&self, attempt: &str) -> &[Place] {
        let by_attempt = self.by_attempt.get_or_init(|| {
            let mut by_attempt: HashMap<_, Vec<_>> = HashMap::new();
            for (component, history) in self.histories.iter().enumerate() {
                for (deployment, rollout) in history.deployments.iter().enumerate() {
                    for attempt in rollout.attempts() {
                        let places = by_attempt.entry(attempt.as_str()).or_default();
                        places.push(Place { component, deployment });
                    }
                }
            }
            by_attempt
        });
        by_attempt.get(attempt).map(Vec::as_slice).unwrap_or_default()
    }
}

fn folded(name: &RepositoryName) -> String {
    name.as_str().to_lowercase()
}
