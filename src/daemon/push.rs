//! Stores pushed deployments, one after the other: which repository each belongs to only the rules know.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::model::batch::{Batch, Changes, Inventory};
use crate::model::component::Component;
use crate::model::fact::{Attempt, Corrections, Fact, Origin, Repository};
use crate::model::name::{Environment, ExternalId};
use crate::model::settings::{DEFAULT_PRODUCTION, DeploymentsFrom, OwnershipRules, environment_pattern};
use crate::model::time::Timestamp;
use crate::ownership::Ownership;
use crate::server::{PushedDeployment, Refused, Told};
use crate::store::{FactStore, StoreError};

/// Where pushed deployments end up.
#[derive(Debug)]
pub(super) struct Pushed<F> {
    pub(super) store: F,
    pub(super) clock: SharedClock,
    pub(super) rules: Arc<OwnershipRules>,
    pub(super) changes: mpsc::Sender<Changes>,
}

impl<F: FactStore> Pushed<F> {
    /// Stores what is told until it is cancelled.
    pub(super) async fn run(self, mut told: mpsc::Receiver<Told>, shutdown: CancellationToken) {
        loop {
            let Told { id, deployment, answer } = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(told) = told.recv() => told,
                else => return,
            };
            let outcome = self.store(id, deployment).await.unwrap_or_else(|error| {
                tracing::error!("a pushed deployment was not stored: {error}");
                Err(Refused::NotStored)
            });
            if answer.send(outcome).is_err() {
                tracing::debug!("whoever pushed a deployment did not wait for the answer");
            }
        }
    }

    async fn store(
        &self,
        id: ExternalId,
        deployment: Option<PushedDeployment>,
    ) -> Result<Result<(), Refused>, StoreError> {
        let inventory = self.store.inventory().await?;
        let components = Ownership::resolve(&self.rules, &inventory).components;
        let known = self.known(&id, &inventory).await?;
        let attempt = match deployment {
            Some(deployment) => self.attempt(id, deployment, &components, known),
            // Nothing is deleted: what has no end is not counted, now or at any instant of the past.
            None => known.map(|attempt| Attempt { finished: None, ..attempt }).ok_or(Refused::Unknown),
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(refused) => return Ok(Err(refused)),
        };
        let source = attempt.repository.source.clone();
        let batch = Batch { facts: vec![Fact::Attempt(attempt)], ..Batch::default() };
        let applied = self.store.apply(&source, batch).await?;
        // The receiver is gone only while the daemon shuts down; the store has everything.
        if self.changes.send(Changes::from(&applied)).await.is_err() {
            tracing::debug!("nobody recomputes any more");
        }
        Ok(Ok(()))
    }

    /// The deployment that was pushed with this id before, preferably one that counts.
    async fn known(&self, id: &ExternalId, inventory: &Inventory) -> Result<Option<Attempt>, StoreError> {
        let mut known = None;
        for repository in inventory.repositories.iter().filter(|repository| self.takes_pushes(repository)) {
            let facts = self.store.repository(&repository.id).await?;
            let attempts = facts.into_iter().flat_map(|facts| facts.attempts).map(|seen| seen.fact);
            for attempt in attempts.filter(|attempt| attempt.id == *id) {
                if known.is_none() || attempt.finished.is_some() {
                    known = Some(attempt);
                }
            }
        }
        Ok(known)
    }

    /// Whether a component of this repository is deployed by pushes: only there an id has to be looked for.
    fn takes_pushes(&self, repository: &Repository) -> bool {
        let from = self.rules.deployments_from(&repository.id.source, &repository.name);
        let mut components = self.rules.components_of(&repository.name);
        from == DeploymentsFrom::Push
            || components
                .any(|component| from.narrowed(component.deployed_by.as_ref()) == DeploymentsFrom::Push)
    }

    fn attempt(
        &self,
        id: ExternalId,
        deployment: PushedDeployment,
        components: &[Component],
        known: Option<Attempt>,
    ) -> Result<Attempt, Refused> {
        let PushedDeployment { component, environment, commit, outcome, created_at, finished_at, url } =
            deployment;
        let found = components.iter().find(|known| known.name == component);
        let found =
            found.ok_or_else(|| Refused::Impossible(format!("there is no component {component:?}")))?;
        if found.from != DeploymentsFrom::Push {
            return Err(Refused::Impossible(format!(
                "the component {component:?} is deployed by {}; [[github.deployments]] with from = \"push\" for \
                 {} lets deployments be pushed",
                found.from, found.repository_name,
            )));
        }
        // Every pushed attempt counts, and only production does (`definitions.md` 2.1): another environment would be
        // a deployment to production in all numbers.
        if !is_production(&environment) {
            return Err(Refused::Impossible(format!(
                "the environment {environment:?} is not production, and other environments are not collected yet; \
                 it has to match {DEFAULT_PRODUCTION}"
            )));
        }
        if known.is_some_and(|known| known.repository != found.repository && known.finished.is_some()) {
            return Err(Refused::Taken(
                "this id is a deployment of another repository; withdraw that one first, or use another id"
                    .to_owned(),
            ));
        }
        let now = Timestamp::from(self.clock.now());
        let mut corrections = Corrections::NONE;
        let finished_at = corrections.not_after(finished_at, now);
        let created_at = corrections.not_after(created_at, now);
        Ok(Attempt {
            repository: found.repository.clone(),
            id,
            origin: Origin::Pushed { component },
            commit,
            environment,
            created_at,
            finished: Some((outcome, finished_at)),
            url,
            corrections,
        })
    }
}

fn is_production(environment: &Environment) -> bool {
    environment_pattern(DEFAULT_PRODUCTION).is_ok_and(|pattern| pattern.is_match(environment.as_str()))
}
