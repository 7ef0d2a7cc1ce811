//! Deployments and the history of their states.

use super::World;
use super::account::Account;
use super::repository::{Repository, RepositoryKey};
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// The state of a deployment status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Something went wrong outside of the deployment.
    Error,
    /// It failed.
    Failure,
    /// A newer deployment took over.
    Inactive,
    /// It runs.
    InProgress,
    /// It was created.
    Pending,
    /// It waits for a runner.
    Queued,
    /// It is in place.
    Success,
    /// It waits for an approval.
    Waiting,
}

/// One entry of a deployment's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// GitHub's number.
    pub database_id: u64,
    /// The state.
    pub state: State,
    /// Since when.
    pub at: Timestamp,
}

/// One try to put a commit into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// GitHub's number.
    pub database_id: u64,
    /// The commit; it stays when the commit itself is gone.
    pub commit: CommitId,
    /// The environment.
    pub environment: String,
    /// The branch it was asked for by, if any.
    pub branch: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it or its state last changed.
    pub updated_at: Timestamp,
    /// Who asked for it.
    pub creator: Account,
    /// Its history, in the order in which it was told.
    pub statuses: Vec<Status>,
}

impl Deployment {
    /// Its newest state.
    pub fn state(&self) -> Option<State> {
        self.statuses.last().map(|status| status.state)
    }
}

/// A deployment's place: its repository and its place among that repository's deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentKey {
    /// The repository.
    pub repository: RepositoryKey,
    /// The place.
    pub place: usize,
}

impl World {
    /// Creates a deployment of a commit, without any status yet.
    pub fn deploy(
        &mut self,
        repository: RepositoryKey,
        commit: CommitId,
        environment: &str,
        at: Timestamp,
    ) -> DeploymentKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let deployments = &mut self.at_mut(repository).deployments;
        deployments.push(Deployment {
            database_id,
            commit,
            environment: environment.to_owned(),
            branch: Some("main".to_owned()),
            created_at: at,
            updated_at: at,
            creator: Account::from("github-actions[bot]"),
            statuses: Vec::new(),
        });
        let place = deployments.len() - 1;
        DeploymentKey { repository, place }
    }

    /// Deploys a commit that an earlier deployment had put in place: going back is a deployment like any other.
    pub fn roll_back(
        &mut self,
        to: DeploymentKey,
        created_at: Timestamp,
        finished_at: Timestamp,
    ) -> Option<DeploymentKey> {
        let earlier = self.deployment(to)?.clone();
        let key = self.deploy(to.repository, earlier.commit, &earlier.environment, created_at);
        self.status(key, State::Success, finished_at);
        Some(key)
    }

    /// The deployment of this key.
    pub fn deployment(&self, key: DeploymentKey) -> Option<&Deployment> {
        self.at(key.repository).deployments.get(key.place)
    }

    /// Adds a status. A success takes over: what was in the same environment before becomes inactive.
    pub fn status(&mut self, key: DeploymentKey, state: State, at: Timestamp) {
        self.advance(at);
        let database_id = self.next_database_id();
        let repository = self.at_mut(key.repository);
        repository.add_status(key.place, Status { database_id, state, at });
        if state != State::Success {
            return;
        }
        for place in repository.succeeded_before(key.place) {
            let database_id = self.next_database_id();
            let state = State::Inactive;
            let repository = self.at_mut(key.repository);
            repository.add_status(place, Status { database_id, state, at });
        }
    }
}

impl Repository {
    fn add_status(&mut self, place: usize, status: Status) {
        if let Some(deployment) = self.deployments.get_mut(place) {
            deployment.updated_at = deployment.updated_at.max(status.at);
            deployment.statuses.push(status);
        }
    }

    fn succeeded_before(&self, place: usize) -> Vec<usize> {
        let Some(newest) = self.deployments.get(place) else {
            return Vec::new();
        };
        let is_replaced = |(_, other): &(usize, &Deployment)| {
            other.environment == newest.environment && other.state() == Some(State::Success)
        };
        let earlier = self.deployments.iter().enumerate().take(place);
        earlier.filter(is_replaced).map(|(place, _)| place).collect()
    }
}
