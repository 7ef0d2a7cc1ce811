//! Which teams new facts may say something else about: what is kept of all others stays as it is.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::engine::series::Past;
use crate::model::batch::{Coverage, Inventory};
use crate::model::name::{RepositoryId, TeamSlug};
use crate::model::time::Timestamp;

/// The teams of which something differs: a component's past, since when its repository is known, or an incident that is
/// theirs or that is attributed to a deployment of theirs. All of both, if the components are not the same ones, or
/// if it is not known since the same time what incidents there were.
pub fn touched(before: &Past, after: &Past) -> BTreeSet<TeamSlug> {
    let all = || before.linked.teams.union(&after.linked.teams).cloned().collect();
    let same = is_same(&before.linked, &after.linked);
    let repositories = same.then(|| recovered(&before.inventory, &after.inventory)).flatten();
    repositories.map_or_else(all, |repositories| of_same(&before.linked, &after.linked, &repositories))
}

/// Whether the components are the same ones, whatever is known of them.
fn is_same(before: &Linked, after: &Linked) -> bool {
    let identity = |component: &LinkedComponent| {
        let history = &component.history;
        (history.team.clone(), history.name.clone())
    };
    let mut both = before.components.iter().zip(&after.components);
    before.components.len() == after.components.len()
        && both.all(|(before, after)| {
            Arc::ptr_eq(&before.history, &after.history) || identity(before) == identity(after)
        })
}

/// The repositories that are known since another time than before; `None` if that cannot be said one by one.
fn recovered<'i>(before: &'i Inventory, after: &'i Inventory) -> Option<BTreeSet<&'i RepositoryId>> {
    let mut found = BTreeSet::new();
    let created = |inventory: &'i Inventory| {
        inventory.repositories.iter().map(|repository| (&repository.id, repository.created_at))
    };
    if !created(before).eq(created(after)) {
        return None;
    }
    let differs = |(coverage, at): &(&'i Coverage, &Timestamp), other: &Inventory| {
        other.covered.get(coverage) != Some(at)
    };
    let gone = before.covered.iter().filter(|covered| differs(covered, after));
    let come = after.covered.iter().filter(|covered| differs(covered, before));
    for (coverage, _) in gone.chain(come) {
        match coverage {
            Coverage::Repository(id) => drop(found.insert(id)),
            Coverage::Incidents(_) => return None,
        }
    }
    Some(found)
}

fn of_same(before: &Linked, after: &Linked, repositories: &BTreeSet<&RepositoryId>) -> BTreeSet<TeamSlug> {
    let mut touched: BTreeSet<&TeamSlug> = before.teams.symmetric_difference(&after.teams).collect();
    for (before, after) in before.components.iter().zip(&after.components) {
        let history = &after.history;
        if !Arc::ptr_eq(&before.history, history) || repositories.contains(&history.repository) {
            touched.insert(&history.team);
        }
    }
    for (linked, incident) in differing(before, after) {
        touched.insert(&incident.team);
        let component = incident.attribution.map(|attribution| attribution.place.component);
        let component = component.and_then(|component| linked.components.get(component));
        touched.extend(component.map(|component| &component.history.team));
    }
    touched.into_iter().cloned().collect()
}

/// Incidents that are in only one of both, or not the same in both. Each is in order.
fn differing<'l>(before: &'l Linked, after: &'l Linked) -> Vec<(&'l Linked, &'l LinkedIncident)> {
    let order = |a: &LinkedIncident, b: &LinkedIncident| {
        let by_start = a.started_at.cmp(&b.started_at);
        by_start.then_with(|| a.source.cmp(&b.source)).then_with(|| a.id.cmp(&b.id))
    };
    let mut found = Vec::new();
    let (mut old, mut new) = (before.incidents.iter().peekable(), after.incidents.iter().peekable());
    loop {
        let next = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a, b),
        };
        let (was, is) = match next {
            Ordering::Less => (old.next(), None),
            Ordering::Greater => (None, new.next()),
            Ordering::Equal => (old.next(), new.next()),
        };
        if was != is {
            found.extend(was.map(|incident| (before, incident)));
            found.extend(is.map(|incident| (after, incident)));
        }
    }
}
