//! Whether the collected history covers a window, and the state of each repository (`definitions.md` §5).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::engine::history::ComponentHistory;
use crate::engine::link::{Linked, LinkedComponent};
use crate::engine::snapshot::{Completeness, ComponentView, RepositoryState, RepositoryView};
use crate::model::batch::{Coverage, Inventory};
use crate::model::fact::{Reach, Repository};
use crate::model::name::{RepositoryId, SourceName, TeamSlug};
use crate::model::settings::MetricSettings;
use crate::model::time::{Span, Timestamp};

/// The sources of incidents: those that gave one, that are complete since some instant, or that are filtered.
pub fn incident_sources(
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
) -> BTreeSet<SourceName> {
    let covered = inventory.covered.keys().filter_map(|coverage| match coverage {
        Coverage::Incidents(source) => Some(source),
        Coverage::Repository(_) => None,
    });
    let counted = linked.incidents.iter().map(|incident| &incident.source);
    let dropped = linked.dropped.iter().map(|incident| &incident.source);
    let filtered = settings.incident_filters.keys();
    covered.chain(counted).chain(dropped).chain(filtered).cloned().collect()
}

/// Since when the incidents of all sources are known.
pub fn incidents_since(sources: &BTreeSet<SourceName>, inventory: &Inventory) -> Since {
    let covered = sources.iter().map(|source| inventory.covered.get(&Coverage::Incidents(source.clone())));
    covered.fold(Since::Nothing, |since, covered| since.and(covered.copied().into()))
}

/// Since when each repository is complete: for ever if it is complete since it was created.
pub fn repositories_since(inventory: &Inventory) -> HashMap<&RepositoryId, Timestamp> {
    let covered = inventory.repositories.iter().filter_map(|repository| {
        let covered = inventory.covered.get(&Coverage::Repository(repository.id.clone()))?;
        let whole = *covered <= repository.created_at;
        let since = if whole { Timestamp::from_millis(i64::MIN) } else { *covered };
        Some((&repository.id, since))
    });
    covered.collect()
}

/// Since when a level is complete: as its least complete part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Since {
    /// There is nothing that could be complete.
    #[default]
    Nothing,
    /// Some part is not complete at all.
    Never,
    /// Since then.
    At(Timestamp),
}

impl Since {
    /// Takes in another part.
    #[must_use]
    pub fn and(self, part: Self) -> Self {
        match (self, part) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (known, Self::Nothing) | (Self::Nothing, known) => known,
            (Self::At(since), Self::At(at)) => Self::At(since.max(at)),
        }
    }

    /// Whether a window that begins at `from` is covered.
    pub fn covers(self, from: Timestamp) -> Completeness {
        match self {
            Self::At(since) if since <= from => Completeness::Complete,
            Self::At(_) | Self::Never | Self::Nothing => Completeness::Partial,
        }
    }
}

impl From<Option<Timestamp>> for Since {
    /// `None`: not at all.
    fn from(covered: Option<Timestamp>) -> Self {
        covered.map_or(Self::Never, Self::At)
    }
}

/// Since when it is known whose the changes are: after the last one before `at` of which it is not.
pub fn known_since(unknown_at: &[Timestamp], at: Timestamp) -> Since {
    const NEXT: Span = Span::from_millis(1);
    let before = unknown_at.partition_point(|unknown| *unknown < at);
    let last = before.checked_sub(1).and_then(|last| unknown_at.get(last));
    last.map_or(Since::Nothing, |last| Since::At(last.plus(NEXT)))
}

/// What is to be said of each repository, by source and name.
pub fn repositories(linked: &Linked, inventory: &Inventory, at: Timestamp) -> Vec<RepositoryView> {
    let mut components: HashMap<&RepositoryId, Vec<&LinkedComponent>> = HashMap::new();
    for component in &linked.components {
        let of_repository = components.entry(&component.history.repository).or_default();
        of_repository.push(component);
    }
    let views = inventory.repositories.iter().map(|repository| {
        let components = components.get(&repository.id).map(Vec::as_slice).unwrap_or_default();
        let mut view = RepositoryView {
            source: repository.id.source.clone(),
            name: repository.name.clone(),
            state: state(repository, components, at),
            components: components.iter().map(|component| component_view(&component.history, at)).collect(),
        };
        view.components.sort_by(|a, b| a.name.cmp(&b.name));
        view
    });
    let mut views: Vec<_> = views.collect();
    views.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
    views
}

fn component_view(history: &ComponentHistory, at: Timestamp) -> ComponentView {
    let finished = history.attempts.partition_point(|attempt| attempt.finished_at < at);
    let newest = finished.checked_sub(1).and_then(|newest| history.attempts.get(newest));
    ComponentView {
        name: history.name.clone(),
        team: history.team.clone(),
        attempts: u64::try_from(finished).unwrap_or(u64::MAX),
        newest_attempt_at: newest.map(|attempt| attempt.finished_at),
        choice: Arc::clone(&history.choice),
    }
}

/// Repositories by source and state, zeros included for every source that has some.
pub fn counts(views: &[RepositoryView]) -> BTreeMap<(SourceName, RepositoryState), u64> {
    let mut counts = BTreeMap::new();
    for view in views {
        for state in RepositoryState::ALL {
            let count = counts.entry((view.source.clone(), state)).or_insert(0);
            *count += u64::from(state == view.state);
        }
    }
    counts
}

fn state(repository: &Repository, components: &[&LinkedComponent], at: Timestamp) -> RepositoryState {
    let unowned = TeamSlug::unowned();
    match repository.reach {
        Reach::Inaccessible => RepositoryState::Inaccessible,
        Reach::Empty => RepositoryState::Empty,
        Reach::Ok if components.iter().all(|component| component.history.team == unowned) => {
            RepositoryState::Unowned
        }
        Reach::Ok if components.iter().all(|component| component.history.before(at).is_empty()) => {
            RepositoryState::NoDeployments
        }
        Reach::Ok => RepositoryState::Ok,
    }
}
