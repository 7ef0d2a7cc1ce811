//! Sources: where facts come from. A source reads an API and turns wire records into facts; it never sees the store.
//!
//! A provider is one file or folder below this module and one line in [`Provider`]. What it hands over goes through
//! a [`Sink`], batch by batch, each with the cursor that says how far it got; so a poll may be abandoned at any
//! moment and goes on where it was.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use crate::http::Failure;
use crate::model::batch::{Applied, Batch, Cursor, Scope};
use crate::model::dirty::Dirty;
use crate::model::name::SourceName;
use crate::model::time::Timestamp;

pub mod github;
pub mod pagerduty;
pub mod promql;
pub mod report;

/// Declares the providers: the value of the label `kind` of each.
macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident = $kind:literal,)*) => {
        /// A provider: what a source is made for, the value of the label `kind`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Provider { $($(#[$doc])* $name,)* }

        impl Provider {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The value of the label `kind`.
            pub const fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind,)* }
            }
        }
    };
}

providers! {
    /// GitHub: repositories, changes, deployments, and issues as incidents.
    Github = "github",
    /// PagerDuty: incidents.
    Pagerduty = "pagerduty",
}

/// Who a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its configured name.
    pub name: SourceName,
    /// What it is made for.
    pub provider: Provider,
}

/// Why a poll ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] Failure),
    /// What was read could not be stored: nothing more is read until it can.
    #[error("the batch was not stored")]
    NotStored,
}

/// What a finished poll says besides its facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polled {
    /// Whether the first read of everything is complete.
    pub backfill: Backfill,
    /// How far it is.
    pub progress: Progress,
    /// Parts which failed while the rest went on: a repository that cannot be read.
    pub problems: Vec<Failure>,
}

/// How far the first read is: `sextant_source_backfill_progress_ratio`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Repositories that are read.
    pub repositories: u64,
    /// Of these, those whose whole history has been.
    pub repositories_complete: u64,
    /// The share of the history that has been read, by time, on average over the repositories, in thousandths.
    pub permille: u64,
}

impl Progress {
    /// The share of the history that has been read, from 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(u16::try_from(self.permille).unwrap_or(1_000)) / 1_000.0
    }
}

/// Whether the first read is complete: `sextant_source_backfill_complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Backfill {
    /// Something has not been read back to `history` yet.
    #[default]
    Running,
    /// Everything has.
    Complete,
}

/// Reads an API. Implementations hold nothing that is not in their cursors, but for caches.
pub trait Source: Send + 'static {
    /// Who this is.
    fn identity(&self) -> &Identity;

    /// Reads everything new since the cursors and hands it to the sink. Repeating a poll changes nothing; dropping
    /// it at any await loses nothing.
    fn poll(&mut self, sink: &Sink, now: Timestamp)
    -> impl Future<Output = Result<Polled, PollError>> + Send;

    /// Reads what a webhook says has changed, and nothing else if the source can tell it apart. What it does not know
    /// it ignores: polling stays the truth.
    fn read_now(
        &mut self,
        dirty: &[Dirty],
        sink: &Sink,
        now: Timestamp,
    ) -> impl Future<Output = Result<Polled, PollError>> + Send;
}

/// What a source asks of whoever collects.
#[derive(Debug)]
pub enum Request {
    /// Store this batch.
    Apply(Batch, oneshot::Sender<Applied>),
    /// All cursors of this source.
    Cursors(oneshot::Sender<Vec<(Scope, Cursor)>>),
}

/// A source's way to the store, owned by the task that polls it.
#[derive(Debug, Clone)]
pub struct Sink {
    requests: mpsc::Sender<Request>,
}

/// One batch is under way at a time: a source waits for its answer.
const REQUESTS_QUEUED: usize = 1;

impl Sink {
    /// A sink and the queue that its owner answers. An unanswered request is a [`PollError::NotStored`].
    pub fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (requests, queue) = mpsc::channel(REQUESTS_QUEUED);
        (Self { requests }, queue)
    }

    /// Stores a batch, facts and cursors in one transaction, and tells what it changed.
    pub async fn apply(&self, batch: Batch) -> Result<Applied, PollError> {
        self.ask(|answer| Request::Apply(batch, answer)).await
    }

    /// All cursors of this source.
    pub async fn cursors(&self) -> Result<Vec<(Scope, Cursor)>, PollError> {
        self.ask(Request::Cursors).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, PollError> {
        let (sender, answer) = oneshot::channel();
        self.requests.send(request(sender)).await.map_err(|_| PollError::NotStored)?;
        answer.await.map_err(|_| PollError::NotStored)
    }
}
