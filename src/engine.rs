//! The engine: facts and an instant in, numbers out. Pure: no I/O, no clock, no logging, no randomness.
//!
//! In three steps, each a function of what it is given and nothing else:
//!
//! 1. [`histories()`] – what one repository's facts say about each of its components ([`part`]): attempts become deployments ([`rollout`]),
//!    deployments get a kind ([`kind`], by [`ancestry`]) and their changes ([`change`], [`revert`]), and failures that
//!    deployments alone show are noted ([`failure`]). To be kept for as long as the facts stay the same.
//! 2. [`link()`] – all components with all incidents: which count ([`sift`]) and which deployment each belongs to
//!    ([`attribution`]).
//! 3. [`snapshot()`] – everything at one instant, of what had happened before it ([`measure`], [`tally`],
//!    [`assessment`], [`completeness`]). [`countables`] are the same events for persistent counters, and [`series`] are the
//!    same numbers at many instants at once.
//!
//! Every number is a count or a quantile over what [`Linked`] holds, so that it can be explained down to its facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::countable::Countable;
use crate::engine::history::ComponentHistory;
use crate::engine::link::Linked;
use crate::engine::series::Past;
use crate::engine::snapshot::Snapshot;
use crate::model::batch::{Inventory, RepositoryFacts};
use crate::model::component::{Component, OwnedIncident};
use crate::model::name::TeamSlug;
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

pub mod ancestry;
pub mod assessment;
pub mod attribution;
pub mod change;
pub mod commit_index;
pub mod completeness;
pub mod count;
pub mod countable;
pub mod dispersion;
pub mod exact;
pub mod exposure;
pub mod failure;
pub mod guardrail;
pub mod history;
pub mod interval;
pub mod kind;
pub mod link;
pub mod measure;
pub mod part;
pub mod quantile;
pub mod regression;
pub mod revert;
pub mod rollout;
pub mod series;
pub mod shown;
pub mod sift;
pub mod snapshot;
pub mod tally;
pub mod touched;

/// What the facts of a repository say about components of it, in the components' order.
pub fn histories<'c>(
    components: impl IntoIterator<Item = &'c Component>,
    facts: &RepositoryFacts,
    settings: &MetricSettings,
) -> Vec<ComponentHistory> {
    history::derive(components, facts, settings)
}

/// All components with all incidents, in any order.
pub fn link(
    histories: &[Arc<ComponentHistory>],
    incidents: &[OwnedIncident],
    settings: &MetricSettings,
) -> Linked {
    link::link(histories, incidents, settings)
}

/// All numbers at `at`: what a board would have shown then, had all facts been known.
pub fn snapshot(
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
    at: Timestamp,
) -> Snapshot {
    measure::snapshot(linked, inventory, settings, at)
}

/// Everything of these teams that persistent counters count.
pub fn countables<'l>(
    linked: &'l Linked,
    teams: &'l BTreeSet<TeamSlug>,
    settings: &'l MetricSettings,
) -> impl Iterator<Item = Countable> + 'l {
    countable::countables(linked, teams, settings)
}

/// The teams of which two states of the facts may say something else.
pub fn touched(before: &Past, after: &Past) -> BTreeSet<TeamSlug> {
    touched::touched(before, after)
}
