//! What may come in, and where it goes: the daemon holds the other ends. Without `[server.push]` nothing may.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::model::dirty::Dirty;
use crate::model::fact::Outcome;
use crate::model::name::{CommitId, ComponentName, Environment, ExternalId};
use crate::model::secret::Credential;
use crate::model::signal::{SignalKey, SignalRule};
use crate::model::time::Timestamp;

/// What `[server.push]` allows. Replaced as a whole when the configuration is read again.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The push token, asked for with every request.
    pub token: Credential,
    /// The secret that GitHub signs webhooks with; `None`: no webhooks.
    pub github_webhook_secret: Option<Credential>,
    /// The collect tasks of all GitHub sources. A task knows by itself which repositories are its own.
    pub github: Vec<mpsc::Sender<Vec<Dirty>>>,
    /// Whoever reads the configuration again; the answer is why it did not work.
    pub reload: mpsc::Sender<oneshot::Sender<Result<(), String>>>,
    /// Whoever stores what is pushed.
    pub deployments: mpsc::Sender<Told>,
    /// The signals whose values may be pushed.
    pub signals: SignalsIn,
}

/// Signals, and whoever stores their values.
#[derive(Debug, Clone)]
pub struct SignalsIn {
    /// All of them, also those that are read by a query.
    pub rules: Arc<[SignalRule]>,
    /// Whoever stores what is pushed.
    pub told: mpsc::Sender<ToldSignal>,
}

/// A value of a signal that somebody pushed.
#[derive(Debug)]
pub struct ToldSignal {
    /// Which signal.
    pub key: SignalKey,
    /// What it is.
    pub pushed: PushedValue,
    /// Once it is stored, or why not.
    pub answer: oneshot::Sender<Result<(), Refused>>,
}

/// What is pushed of a signal (`interfaces.md` §3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PushedValue {
    /// The value, in the signal's own unit.
    pub value: f64,
    /// When it was that; `None`: now.
    pub at: Option<Timestamp>,
}

/// A deployment that somebody pushed or withdrew.
#[derive(Debug)]
pub struct Told {
    /// Its id in the store: `push:{source}:{id}`.
    pub id: ExternalId,
    /// How it is now; `None`: it is withdrawn.
    pub deployment: Option<PushedDeployment>,
    /// Once it is stored, or why not.
    pub answer: oneshot::Sender<Result<(), Refused>>,
}

/// The whole state of a pushed deployment (`interfaces.md` §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedDeployment {
    /// What was deployed.
    pub component: ComponentName,
    /// Where to.
    pub environment: Environment,
    /// The commit.
    pub commit: CommitId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Where a person can look at it.
    pub url: Option<String>,
}

/// Why a pushed deployment is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What it says cannot be: the component is not there, or is deployed otherwise.
    Impossible(String),
    /// The same id is a deployment of another repository.
    Taken(String),
    /// There is none with that id.
    Unknown,
    /// The store failed; the log says how.
    NotStored,
}
