//! The truth of the simulated organisation: plain data, changed by telling stories, with time as an argument.
//!
//! Every story keeps the derived fields as GitHub and `PagerDuty` would: `updated_at` moves with what really moves it,
//! `pushed_at` with pushes, an older success becomes inactive when a newer one succeeds, acknowledgements vanish when
//! an incident is resolved. Tell stories of one repository in the order of time.
//!
//! ```
//! use sextant::demo::world::World;
//! use sextant::demo::world::deployment::State;
//! use sextant::demo::world::pull::{Method, Proposal};
//! use sextant::model::time::{Span, Timestamp};
//!
//! let at = |hours| Timestamp::from_seconds(1_790_000_000).plus(Span::from_hours(hours));
//! let mut world = World::new("acme", at(0));
//! let shop = world.repository("acme/shop", at(0));
//! world.push(shop, "ada", "Begin", at(1), at(1));
//! let pull = world.open_pull(shop, Proposal::new("Add a basket", "ada"), at(2));
//! let commit = world.merge(pull, Method::Squash, at(3));
//! let deployment = world.deploy(shop, commit, "production", at(4));
//! world.status(deployment, State::Success, at(5));
//! assert_eq!(world.head(shop), Some(commit));
//! assert_eq!(world.now, at(5));
//! ```
//!
//! It must never know HTTP, GraphQL, JSON or a clock.

pub mod account;
pub mod changed_file;
pub mod commit;
pub mod deployment;
pub mod incident;
pub mod issue;
pub mod organization;
pub mod pull;
pub mod pull_story;
pub mod release;
pub mod repository;
pub mod workflow;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::incident::PagerDuty;
use self::organization::Organization;
use self::repository::{Repository, RepositoryKey};
use crate::model::time::Timestamp;

/// The first number that GitHub gives to anything in this world.
const FIRST_DATABASE_ID: u64 = 1_000_001;

/// Everything that the simulated servers know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The present: the latest instant of any story, or as set. Servers answer as of this instant.
    pub now: Timestamp,
    /// The organisations.
    pub organizations: Vec<Organization>,
    /// All repositories, deleted ones included; their keys are their places here.
    pub repositories: Vec<Repository>,
    /// The `PagerDuty` account.
    pub pagerduty: PagerDuty,
    last_database_id: u64,
}

impl World {
    /// A world with one empty organisation, created at this instant.
    pub fn new(organization: &str, now: Timestamp) -> Self {
        let mut world = Self {
            now,
            organizations: Vec::new(),
            repositories: Vec::new(),
            pagerduty: PagerDuty::new(organization),
            last_database_id: FIRST_DATABASE_ID,
        };
        world.found(organization, now);
        world
    }

    /// Moves the present to this instant; never back.
    pub fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
    }

    /// The repository of this name (`owner/name`, case ignored), unless it was deleted.
    pub fn find(&self, name_with_owner: &str) -> Option<RepositoryKey> {
        self.repositories
            .iter()
            .position(|repository| {
                !repository.deleted && repository.name_with_owner().eq_ignore_ascii_case(name_with_owner)
            })
            .map(RepositoryKey)
    }

    /// The keys of all repositories that were not deleted.
    pub fn keys(&self) -> impl Iterator<Item = RepositoryKey> + '_ {
        let live =
            |(index, repository): (usize, &Repository)| (!repository.deleted).then_some(RepositoryKey(index));
        self.repositories.iter().enumerate().filter_map(live)
    }

    /// A number that nothing else in this world has.
    fn next_database_id(&mut self) -> u64 {
        self.last_database_id += 1;
        self.last_database_id
    }
}

/// The world as the servers and the stories share it.
///
/// A standard mutex, not an owner task: every use is short and never holds the lock over an await (a page is computed,
/// or a story told, and the lock is gone), so that a test can tell a story between two requests without ceremony.
#[derive(Debug, Clone)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    /// Shares a world.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world, alone. A panic elsewhere does not spoil it: stories leave it whole at every step.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a story and returns what it returns.
    pub fn tell<T>(&self, story: impl FnOnce(&mut World) -> T) -> T {
        story(&mut self.lock())
    }
}
