//! History: all numbers of a level at many instants, as a pure function of the facts. What
//! [`engine::snapshot`](crate::engine::snapshot()) says at one instant by looking at everything is said here at row after
//! row of instants by moving through time (`definitions.md` §1: at an instant only what had happened counts).
//!
//! 1. [`History`] – where in [`Linked`] the things of each level are.
//! 2. [`Timeline`] – everything that ever counts for one level, as [`Spell`]s: since when it counts, and how long. It
//!    depends on no window and on no instant, so that two timelines differ exactly in the facts that differ
//!    ([`Timeline::touched`]).
//! 3. [`Timeline::sweep`] – sums up to each instant, so that how many things are in a window is a difference, and rank
//!    bitmaps that things enter and leave as the windows slide. Of the weeks before them, which say how certain the numbers
//!    are, it has sums up to each thing, so that those of any week are a difference, too.
//!
//! It never decides anything: whether a deployment failed, and when that was known, is asked of
//! [`Linked::failure`]. `a_series_is_the_snapshot_at_each_of_its_instants` in `tests/it/series.rs` holds it to the
//! snapshot, bit for bit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::engine::completeness::{self, Since};
use crate::engine::exposure::Calendar;
use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::engine::regression::collected::Collected;
use crate::engine::regression::watch;
use crate::model::batch::Inventory;
use crate::model::name::{ComponentName, RepositoryId, Severity, TeamSlug};
use crate::model::settings::{ComponentDetail, MetricSettings};
use crate::model::time::Timestamp;

mod before;
mod collect;
mod cuts;
mod flow;
mod instants;
mod parts;
mod rank;
mod slide;
mod spell;
mod sweep;
mod timeline;

pub use self::instants::Instants;
pub use self::parts::Parts;
pub use self::spell::Spell;
pub use self::sweep::Sweep;
pub use self::timeline::Timeline;

/// Everything that numbers at any instant are made of.
#[derive(Debug, Clone)]
pub struct Past {
    /// Deployments, changes and incidents with what links them.
    pub linked: Arc<Linked>,
    /// What is collected, and since when.
    pub inventory: Arc<Inventory>,
    /// How it is measured.
    pub settings: Arc<MetricSettings>,
}

impl Past {
    /// To ask for series.
    pub fn history(&self) -> History<'_> {
        History::new(&self.linked, &self.inventory, &self.settings)
    }
}

/// Whose numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// All teams together.
    Organization,
    /// A team.
    Team(TeamSlug),
    /// A component of a team.
    Component(TeamSlug, ComponentName),
}

impl Level {
    /// The team whose numbers they are; `None` of all teams together and of components.
    pub const fn team(&self) -> Option<&TeamSlug> {
        match self {
            Self::Team(team) => Some(team),
            Self::Organization | Self::Component(..) => None,
        }
    }
}

/// Facts, and where among them the things of each level are.
#[derive(Debug)]
pub struct History<'f> {
    linked: &'f Linked,
    settings: &'f MetricSettings,
    covered: HashMap<&'f RepositoryId, Timestamp>,
    incidents_since: Since,
    collected: Collected<'f>,
    /// When each severity was first known in the organisation.
    severities: BTreeMap<&'f Severity, Timestamp>,
    of_teams: HashMap<&'f TeamSlug, Vec<&'f LinkedIncident>>,
    of_components: HashMap<&'f ComponentName, Vec<&'f LinkedIncident>>,
    /// Which component a name stands for.
    by_name: HashMap<&'f ComponentName, usize>,
}

impl<'f> History<'f> {
    /// Looks where everything is.
    pub fn new(linked: &'f Linked, inventory: &'f Inventory, settings: &'f MetricSettings) -> Self {
        let sources = completeness::incident_sources(linked, inventory, settings);
        let mut history = Self {
            linked,
            settings,
            covered: completeness::repositories_since(inventory),
            incidents_since: completeness::incidents_since(&sources, inventory),
            collected: Collected::new(linked, inventory, settings),
            severities: BTreeMap::new(),
            of_teams: HashMap::new(),
            of_components: HashMap::new(),
            by_name: HashMap::new(),
        };
        // Sorted by start: the first of a severity is the one that made it known.
        for incident in &linked.incidents {
            history.severities.entry(&incident.severity).or_insert(incident.started_at);
            history.of_teams.entry(&incident.team).or_default().push(incident);
            if let Some(component) = &incident.component {
                history.of_components.entry(component).or_default().push(incident);
            }
        }
        let components = linked.components.iter().enumerate();
        history.by_name.extend(components.map(|(index, component)| (&component.history.name, index)));
        history
    }

    /// All levels: the organisation, its teams, and their components if these have numbers of their own.
    pub fn levels(&self) -> impl Iterator<Item = Level> {
        let components: &[LinkedComponent] = match self.settings.component_detail {
            ComponentDetail::On => &self.linked.components,
            ComponentDetail::Off => &[],
        };
        let teams = self.linked.teams.iter().cloned().map(Level::Team);
        let components = components.iter().map(|component| {
            Level::Component(component.history.team.clone(), component.history.name.clone())
        });
        std::iter::once(Level::Organization).chain(teams).chain(components)
    }

    /// Everything that counts for a level at the given instants in the configured windows, as far as it takes for these
    /// parts of its numbers; `None` if there is no such level.
    pub fn timeline(&self, level: &Level, instants: &Instants, parts: Parts) -> Option<Timeline> {
        let all = &self.linked.components;
        let (components, incidents): (&[LinkedComponent], &[&LinkedIncident]) = match level {
            Level::Organization => (all, &[]),
            Level::Team(team) => {
                self.linked.teams.get(team)?;
                let from = all.partition_point(|component| component.history.team < *team);
                let end = all.partition_point(|component| component.history.team <= *team);
                let incidents = self.of_teams.get(team).map(Vec::as_slice);
                (all.get(from..end).unwrap_or_default(), incidents.unwrap_or_default())
            }
            Level::Component(team, name) => {
                let key = |component: &LinkedComponent| {
                    (component.history.team.clone(), component.history.name.clone())
                };
                let index = all.binary_search_by_key(&(team.clone(), name.clone()), key).ok()?;
                let named = self.by_name.get(name).is_some_and(|named| *named == index);
                let incidents = self.of_components.get(name).filter(|_| named).map(Vec::as_slice);
                (all.get(index..=index).unwrap_or_default(), incidents.unwrap_or_default())
            }
        };
        let mut collected = collect::Collecting::new(self, instants, parts, &self.calendar(level));
        if let (Level::Component(..), [component]) = (level, components) {
            collected.begin(self.collected.component(component));
        }
        collected.expect(components);
        for component in components {
            collected.component(component);
        }
        match level {
            Level::Organization => self.linked.incidents.iter().for_each(|one| collected.incident(one)),
            Level::Team(_) | Level::Component(..) => incidents.iter().for_each(|one| collected.incident(one)),
        }
        Some(collected.finish())
    }
    /// The days of a level: those of its team, or of the organisation.
    fn calendar(&self, level: &Level) -> Calendar {
        match level {
            Level::Organization => watch::shared_calendar(self.settings, &self.linked.teams),
            Level::Team(team) | Level::Component(team, _) => watch::calendar(self.settings, team),
        }
    }
}
