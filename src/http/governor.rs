//! One governor for each (host, identity): all that ask a host as the same one share its limits, its pauses, its
//! places and its pace.
//!
//! Who may ask holds a [`Permit`]: a place among the requests that are under way, and a part of the budget. It is
//! given back when the answer says what was used; what was sent and never answered counts as used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{Claim, Limit, Limits};
use super::pace::Pace;

/// GitHub allows a minute of its time for GraphQL in a minute and asks for one request after the other; a second one
/// fills the time that answers are on their way.
const GRAPHQL_PLACES: usize = 2;
/// GitHub allows a hundred requests at once, GraphQL included, and asks for few.
const REST_PLACES: usize = 8;
/// GitHub allows 2,000 a minute; a full minute and what was saved up before it stay below.
const GRAPHQL_PER_MINUTE: u32 = 900;
/// GitHub allows 900 a minute, `PagerDuty` 960; a full minute and what was saved up before it stay below.
const REST_PER_MINUTE: u32 = 400;
/// Announcements that are told; a source announces one or two in a year.
const ANNOUNCED_MAX: usize = 32;

/// All governors of a process. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Governors {
    by_identity: Arc<Mutex<BTreeMap<(String, String), Governor>>>,
}

impl Governors {
    /// The governor of those who ask `host` as `identity`, which is a label and never a secret.
    pub fn of(&self, host: &str, identity: &str) -> Governor {
        let mut known = self.by_identity.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((host.to_owned(), identity.to_owned())).or_insert_with(Governor::new).clone()
    }
}

/// Governs what one identity asks of one host. Cheap to clone; clones are the same one.
#[derive(Debug, Clone)]
pub struct Governor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    graphql: Arc<Semaphore>,
    rest: Arc<Semaphore>,
    began: Instant,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    graphql: Pace,
    rest: Pace,
    announced: BTreeSet<String>,
}

/// What waits for places of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    GraphQl,
    Rest,
}

impl Lane {
    fn of(resource: &str) -> Self {
        if resource == "graphql" { Self::GraphQl } else { Self::Rest }
    }
}

/// The right to ask once, and to ask again what failed.
#[derive(Debug)]
pub struct Permit {
    governor: Governor,
    resource: String,
    cost: u64,
    claim: Claim,
    stage: Stage,
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its cost is reserved, and nothing was sent.
    Reserved,
    /// It was sent, and there is no answer.
    Sent,
    /// Nothing is reserved.
    Settled,
}

impl Governor {
    fn new() -> Self {
        let state = State {
            limits: Limits::default(),
            graphql: Pace::per_minute(GRAPHQL_PER_MINUTE),
            rest: Pace::per_minute(REST_PER_MINUTE),
            announced: BTreeSet::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                graphql: Arc::new(Semaphore::new(GRAPHQL_PLACES)),
                rest: Arc::new(Semaphore::new(REST_PLACES)),
                began: Instant::now(),
            }),
        }
    }

    /// A place among those who ask for this resource; nothing of the budget is reserved yet.
    pub(super) async fn enter(&self, resource: &str, cost: u64, claim: Claim) -> Permit {
        let places = match Lane::of(resource) {
            Lane::GraphQl => &self.shared.graphql,
            Lane::Rest => &self.shared.rest,
        };
        // The semaphores are never closed.
        let place = Arc::clone(places).acquire_owned().await.ok();
        let (governor, resource) = (self.clone(), resource.to_owned());
        Permit { governor, resource, cost, claim, stage: Stage::Settled, _place: place }
    }

    /// Takes note of a limit; see [`Limits::observe`].
    pub(super) fn observe(&self, resource: &str, stated: Limit, now: DateTime<Utc>) -> Option<Limit> {
        self.state().limits.observe(resource, stated, now)
    }

    /// See [`Limits::allowance`].
    pub(super) fn allowance(
        &self,
        resource: &str,
        claim: Claim,
        seconds: f64,
        now: DateTime<Utc>,
    ) -> Option<u64> {
        self.state().limits.allowance(resource, claim, seconds, now)
    }

    /// See [`Limits::pause`].
    pub(super) fn pause(&self, stated: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        self.state().limits.pause(stated, now)
    }

    /// See [`Limits::paused`].
    pub(super) fn paused(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.state().limits.paused(now)
    }

    /// Whether something is announced for the first time.
    pub(super) fn announce(&self, what: &str) -> bool {
        let announced = &mut self.state().announced;
        announced.len() < ANNOUNCED_MAX && announced.insert(what.to_owned())
    }

    /// Whoever panicked with the lock left numbers behind, which are numbers all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// What it is for.
    pub(super) fn resource(&self) -> &str {
        &self.resource
    }

    /// Reserves the cost, unless it is reserved already; the error is when to ask again.
    pub(super) fn reserve(&mut self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        if self.stage != Stage::Reserved {
            self.settle(true);
            self.governor.state().limits.admit(&self.resource, self.cost, self.claim, now)?;
            self.stage = Stage::Reserved;
        }
        Ok(())
    }

    /// How long to wait before sending it, for the sake of the pace.
    pub(super) fn pace(&self) -> Duration {
        let since = self.governor.shared.began.elapsed();
        let mut state = self.governor.state();
        match Lane::of(&self.resource) {
            Lane::GraphQl => state.graphql.take(since),
            Lane::Rest => state.rest.take(since),
        }
    }

    /// It is sent now.
    pub(super) fn sent(&mut self) {
        self.stage = Stage::Sent;
    }

    /// It is over: `charged` unless it did not reach the source, or the answer stated what is left.
    pub(super) fn settle(&mut self, charged: bool) {
        let charged = match self.stage {
            Stage::Reserved => false,
            Stage::Sent => charged,
            Stage::Settled => return,
        };
        self.stage = Stage::Settled;
        self.governor.state().limits.settle(&self.resource, self.cost, charged);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(true);
    }
}
