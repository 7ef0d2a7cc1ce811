//! One task per source: due? → poll → store → tell recompute; back off when it fails. Between two polls it reads at
//! once what a webhook says has changed.
//!
//! The task owns its source's back-off and nothing else: facts and cursors are the store's, so it may be stopped at
//! any await and goes on where it was. It must never compute a number, and never retry inside a poll: that is what
//! `http.rs` does, once.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::model::batch::Changes;
use crate::model::dirty::Dirty;
use crate::model::name::SourceName;
use crate::model::time::{Span, Timestamp};
use crate::source::{Backfill, PollError, Polled, Request, Sink, Source};
use crate::store::FactStore;
use crate::telemetry::SourceTelemetry;

pub mod signals;

/// The longest pause after repeated failures: a source that recovers is noticed within that.
const BACKOFF_MAX: Span = Span::from_minutes(15);
/// Problems of single repositories that one poll logs; the rest is in their count.
const PROBLEMS_LOGGED_MAX: usize = 10;
/// Problems of the last poll that are kept for the page of sources; the rest is in their count.
const PROBLEMS_KEPT_MAX: usize = 20;
/// How long to wait for more once something is told: a merge is three or four webhooks within a moment, and one read.
/// A tenth of what may pass until an event is visible.
const GATHERING: Duration = Duration::from_millis(200);

/// Everything a collect task needs besides its source.
#[derive(Debug)]
pub struct Collector<F> {
    /// Where facts go.
    pub store: F,
    /// The time.
    pub clock: SharedClock,
    /// The source's own metrics.
    pub telemetry: SourceTelemetry,
    /// How long from the start of one poll to the next.
    pub poll_interval: Span,
    /// Where changes are told.
    pub changes: mpsc::Sender<Changes>,
}

impl<F: FactStore> Collector<F> {
    /// Polls until it is cancelled; meanwhile reads at once what it is `told`.
    pub async fn run(
        self,
        mut source: impl Source,
        mut told: mpsc::Receiver<Vec<Dirty>>,
        shutdown: CancellationToken,
    ) {
        let mut pace = Pace { failures: 0, backfill: Backfill::Running };
        loop {
            let started = Instant::now();
            let now: Timestamp = self.clock.now().into();
            let outcome = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                outcome = self.poll_once(&mut source, now) => outcome,
            };
            let pause = match outcome {
                Ok(polled) => {
                    pace.succeeded(&source.identity().name, polled.backfill);
                    self.poll_interval
                }
                Err(error) => {
                    pace.failures = pace.failures.saturating_add(1);
                    self.pause_after(&error, pace.failures)
                }
            };
            let due = started + pause.duration();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.wait(&mut source, &mut told, &mut pace, due) => {}
            }
        }
    }

    /// Waits until the next poll is due, and reads meanwhile what it is told. After a failure nothing is read before
    /// its pause is over: what is told then stays queued.
    async fn wait(
        &self,
        source: &mut impl Source,
        told: &mut mpsc::Receiver<Vec<Dirty>>,
        pace: &mut Pace,
        mut due: Instant,
    ) {
        loop {
            let first = tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => return,
                Some(first) = told.recv(), if pace.failures == 0 => first,
            };
            let dirty = gather(first, told).await;
            if let Err(error) = self.read_once(source, &dirty).await {
                pace.failures = pace.failures.saturating_add(1);
                due = due.max(Instant::now() + self.pause_after(&error, pace.failures).duration());
            }
        }
    }

    /// One poll from beginning to end, with its metrics and its log line.
    pub async fn poll_once(&self, source: &mut impl Source, now: Timestamp) -> Result<Polled, PollError> {
        let identity = source.identity().clone();
        let started = Instant::now();
        let outcome = self.drive(source, None, now).await;
        let ended_at: Timestamp = self.clock.now().into();
        self.telemetry.polled(outcome.is_ok(), ended_at.seconds(), started.elapsed().as_secs_f64());
        match &outcome {
            Ok(polled) => {
                self.telemetry.backfill(polled.backfill == Backfill::Complete);
                let kept = polled.problems.iter().take(PROBLEMS_KEPT_MAX).map(ToString::to_string);
                self.telemetry.problems(kept.collect(), polled.problems.len());
                log_problems(&identity.name, polled);
                tracing::debug!(source = %identity.name, problems = polled.problems.len(), "polled");
            }
            Err(error) => {
                self.telemetry.problems(vec![error.to_string()], 1);
                tracing::warn!(source = %identity.name, "the poll failed, the last values stay: {error}");
            }
        }
        self.tell(Changes { polled: true, ..Changes::default() }).await;
        outcome
    }

    /// Reads what has changed, and nothing more. Only a failure is shown as a poll's: that of the parts that were read
    /// says nothing of the rest.
    async fn read_once(&self, source: &mut impl Source, dirty: &[Dirty]) -> Result<Polled, PollError> {
        let name = source.identity().name.clone();
        let started = Instant::now();
        let now: Timestamp = self.clock.now().into();
        let outcome = self.drive(source, Some(dirty), now).await;
        match &outcome {
            Ok(polled) => {
                log_problems(&name, polled);
                tracing::debug!(source = %name, parts = dirty.len(), "read what was told");
            }
            Err(error) => {
                let ended_at: Timestamp = self.clock.now().into();
                self.telemetry.polled(false, ended_at.seconds(), started.elapsed().as_secs_f64());
                self.telemetry.problems(vec![error.to_string()], 1);
                tracing::warn!(source = %name, "what was told could not be read, the next poll will: {error}");
                self.tell(Changes { polled: true, ..Changes::default() }).await;
            }
        }
        outcome
    }

    /// Runs a poll, or reads what is dirty, and answers its requests until it is through.
    async fn drive(
        &self,
        source: &mut impl Source,
        dirty: Option<&[Dirty]>,
        now: Timestamp,
    ) -> Result<Polled, PollError> {
        let name = source.identity().name.clone();
        let (sink, mut requests) = Sink::channel();
        let poll = async {
            match dirty {
                None => source.poll(&sink, now).await,
                Some(dirty) => source.read_now(dirty, &sink, now).await,
            }
        };
        tokio::pin!(poll);
        loop {
            let request = tokio::select! {
                biased;
                Some(request) = requests.recv() => request,
                outcome = &mut poll => return outcome,
            };
            let answered = match request {
                Request::Apply(batch, answer) => match self.store.apply(&name, batch).await {
                    Ok(applied) => {
                        self.tell(Changes::from(&applied)).await;
                        answer.send(applied).is_ok()
                    }
                    Err(error) => {
                        tracing::error!(source = %name, "facts were not stored, nothing is lost: {error}");
                        return Err(PollError::NotStored);
                    }
                },
                Request::Cursors(answer) => match self.store.cursors(&name).await {
                    Ok(cursors) => answer.send(cursors).is_ok(),
                    Err(error) => {
                        tracing::error!(source = %name, "cursors were not read: {error}");
                        return Err(PollError::NotStored);
                    }
                },
            };
            if !answered {
                tracing::debug!(source = %name, "the poll did not wait for its answer");
            }
        }
    }

    async fn tell(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        // The receiver is gone only while the daemon shuts down; the store has everything.
        if self.changes.send(changes).await.is_err() {
            tracing::debug!("nobody recomputes any more");
        }
    }

    fn pause_after(&self, error: &PollError, failures: u32) -> Span {
        let allowed = match error {
            PollError::Source(failure) => failure.retry_at.map(Timestamp::from),
            PollError::NotStored => None,
        };
        let until_allowed = allowed.map_or(Span::ZERO, |at| at.since(self.clock.now().into()));
        let pause = pause(self.poll_interval, failures, until_allowed);
        if pause == until_allowed {
            self.telemetry.throttled(until_allowed.seconds());
        }
        pause
    }
}

fn log_problems(name: &SourceName, polled: &Polled) {
    for problem in polled.problems.iter().take(PROBLEMS_LOGGED_MAX) {
        tracing::warn!(source = %name, "a part of the poll failed: {problem}");
    }
}

/// How a source has been doing.
struct Pace {
    /// Polls and reads that failed in a row.
    failures: u32,
    backfill: Backfill,
}

impl Pace {
    fn succeeded(&mut self, name: &SourceName, backfill: Backfill) {
        if self.failures > 0 {
            tracing::info!(source = %name, "the source answers again");
        }
        if self.backfill != backfill && backfill == Backfill::Complete {
            tracing::info!(source = %name, "the whole configured history is read");
        }
        *self = Self { failures: 0, backfill };
    }
}

/// All that is told within a moment, each part once.
async fn gather(first: Vec<Dirty>, told: &mut mpsc::Receiver<Vec<Dirty>>) -> Vec<Dirty> {
    let mut dirty = BTreeSet::from_iter(first);
    let end = Instant::now() + GATHERING;
    while let Ok(Some(more)) = tokio::time::timeout_at(end, told.recv()).await {
        dirty.extend(more);
    }
    dirty.into_iter().collect()
}

/// Doubles with every failure from the poll interval up to [`BACKOFF_MAX`]; not before the source allows it again.
fn pause(poll_interval: Span, failures: u32, until_allowed: Span) -> Span {
    let doubled = poll_interval.millis().saturating_mul(1_i64 << failures.min(16));
    Span::from_millis(doubled).min(BACKOFF_MAX.max(poll_interval)).max(until_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_every_failure_up_to_a_quarter_of_an_hour() {
        let after = |interval, failures| pause(Span::from_seconds(interval), failures, Span::ZERO);
        for (failures, seconds) in [(1, 120), (2, 240), (3, 480), (4, 900), (5, 900), (u32::MAX, 900)] {
            assert_eq!(after(60, failures), Span::from_seconds(seconds), "{failures} failures");
        }
        assert_eq!(after(3_600, 3), Span::from_hours(1), "a longer interval stays what it is");
    }

    #[test]
    fn a_source_that_says_when_to_come_back_is_left_alone_until_then() {
        for (allowed_after, seconds) in [(3_000, 3_000), (30, 120), (-30, 120)] {
            let pause = pause(Span::from_minutes(1), 1, Span::from_seconds(allowed_after));
            assert_eq!(pause, Span::from_seconds(seconds), "allowed after {allowed_after} s");
        }
    }
}
