//! From a merged commit to every environment.

use super::plan::{self, Habits};
use super::{Event, Teller, Try};
use crate::demo::world::World;
use crate::demo::world::deployment::{DeploymentKey, State};
use crate::model::name::CommitId;
use crate::model::time::{Span, Timestamp};

/// How likely, in thousandths, a rollout is done once more, and a failed attempt is left at that.
const AGAIN: u32 = 15;
const LEFT_AT_THAT: u32 = 120;
/// After so many tries people go home.
const RETRIES_MAX: u32 = 3;
/// Between two environments, and how long one takes.
const BETWEEN_LANES: Span = Span::from_minutes(9);
const ONE_DEPLOYMENT: Span = Span::from_minutes(4);
/// How long it takes until people notice what broke.
const NOTICED: Span = Span::from_minutes(35);

impl Teller {
    /// The newest commit goes to all environments, unless it is there or on its way already.
    pub(super) fn roll_out(&mut self, world: &World, place: usize, at: Timestamp) {
        let Some(told) = self.told.get_mut(place) else {
            return;
        };
        let (Some(commit), lanes) = (world.head(told.key), told.habits.environments.len()) else {
            return;
        };
        if told.sent == Some(commit) || !told.role.deploys() {
            return;
        }
        told.sent = Some(commit);
        self.through_lanes(place, commit, 0..lanes, at);
    }

    /// An older commit goes to production, and not by way of staging.
    pub(super) fn roll_back(&mut self, place: usize, to: CommitId, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let environments = told.habits.environments;
        let first = usize::from(environments.len() > 1);
        self.through_lanes(place, to, first..environments.len(), at);
    }

    fn through_lanes(
        &mut self,
        place: usize,
        commit: CommitId,
        lanes: std::ops::Range<usize>,
        at: Timestamp,
    ) {
        let mut wait = Span::ZERO;
        for lane in lanes {
            let attempt = Try { repository: place, commit, lane, retries: 0 };
            self.after(at, wait, Event::Deploy(attempt));
            wait = Span::from_millis(wait.millis() + BETWEEN_LANES.millis());
        }
    }

    pub(super) fn deploy(&mut self, world: &mut World, attempt: Try, at: Timestamp) {
        let Some(told) = self.told.get(attempt.repository) else {
            return;
        };
        let Some(environment) = told.habits.environments.get(attempt.lane) else {
            return;
        };
        if world.at(told.key).archived_at.is_some() {
            return;
        }
        let deployment = world.deploy(told.key, attempt.commit, environment, at);
        world.status(deployment, State::Queued, at);
        world.status(deployment, State::InProgress, at);
        let takes = self.random.around(ONE_DEPLOYMENT);
        self.after(at, takes, Event::Finish(attempt, deployment));
    }

    pub(super) fn finish(
        &mut self,
        world: &mut World,
        attempt: Try,
        deployment: DeploymentKey,
        at: Timestamp,
    ) {
        let place = attempt.repository;
        let Some(habits) = self.told.get(place).map(|told| told.habits) else {
            return;
        };
        if self.random.chance(habits.failed_attempts_per_mille) {
            let state = if self.random.chance(200) { State::Error } else { State::Failure };
            world.status(deployment, state, at);
            if attempt.retries < RETRIES_MAX && !self.random.chance(LEFT_AT_THAT) {
                let wait = self.random.around(Span::from_minutes(14));
                let retries = attempt.retries + 1;
                self.after(at, wait, Event::Deploy(Try { retries, ..attempt }));
            }
            return;
        }
        world.status(deployment, State::Success, at);
        if attempt.lane + 1 < habits.environments.len() {
            return;
        }
        let failures_per_mille = self.failures_per_mille(habits, at);
        let Some(told) = self.told.get_mut(place) else {
            return;
        };
        let is_new = !told.deployed.contains(&attempt.commit);
        told.deployed.push(attempt.commit);
        if is_new && self.random.chance(failures_per_mille) {
            let wait = self.random.around(NOTICED);
            self.after(at, wait, Event::Break(place, attempt.commit));
        } else if is_new && self.random.chance(AGAIN) {
            let wait = self.random.around(Span::from_hours(4));
            self.after(at, wait, Event::RollBack(place, attempt.commit));
        }
    }

    fn failures_per_mille(&self, habits: &Habits, at: Timestamp) -> u32 {
        let is_careless = habits.team == plan::CARELESS_TEAM && at >= self.careless_since;
        if is_careless { plan::CARELESS_FAILURES_PER_MILLE } else { habits.failures_per_mille }
    }
}
