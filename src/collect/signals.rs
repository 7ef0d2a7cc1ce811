//! The values of north stars and signals: what is read from Prometheus and what is pushed meet on one [`Board`], which
//! stores them and shows them.
//!
//! The [`Reader`] asks for the value of every query, poll by poll, and once for its last 90 days. It must never let
//! one signal's trouble touch another, and never replace a value by a failure: the last value stays, with its age and
//! with what is wrong.

use std::sync::{Arc, OnceLock};

use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::model::signal::{SignalKey, SignalPoint, SignalRule, SignalState, Signals};
use crate::model::time::{Span, Timestamp};
use crate::source::promql::{Promql, Trouble, Value};
use crate::store::{FactStore, StoreError};
use crate::telemetry::SourceTelemetry;

/// Queries that are asked at once: the next ones need not wait for one that is slow, and Prometheus, which works on
/// twenty at a time, stays free for its dashboards.
const ASKED_AT_ONCE: usize = 4;
/// Problems of the last poll that are kept for the page of sources; the rest is in their count.
const PROBLEMS_KEPT_MAX: usize = 20;
/// What is said of a query without a result.
const NOTHING: &str = "the query returned nothing";

/// All values: stored first, then shown. Cheap to clone; clones are the same one.
#[derive(Debug, Clone)]
pub struct Board<F> {
    store: F,
    shown: watch::Sender<Signals>,
}

impl<F: FactStore> Board<F> {
    /// Shows these signals, with what the store has of them.
    pub async fn load(
        store: F,
        rules: &[SignalRule],
        shown: watch::Sender<Signals>,
    ) -> Result<Self, StoreError> {
        let mut signals = Vec::with_capacity(rules.len());
        for rule in rules {
            let history = store.signal(rule.key()).await?;
            signals.push(Arc::new(SignalState { rule: Arc::new(rule.clone()), history, trouble: None }));
        }
        shown.send_replace(signals);
        Ok(Self { store, shown })
    }

    /// Stores values, and shows them.
    pub async fn note(&self, key: &SignalKey, points: Vec<SignalPoint>) -> Result<(), StoreError> {
        self.store.note_signal(key.clone(), points.clone()).await?;
        self.change(key, |state| {
            for point in points {
                state.history.note(point);
            }
        });
        Ok(())
    }

    /// Shows why there is no newer value, or that there is nothing wrong any more.
    fn tell(&self, key: &SignalKey, trouble: Option<&str>) {
        self.change(key, |state| state.trouble = trouble.map(str::to_owned));
    }

    fn change(&self, key: &SignalKey, change: impl FnOnce(&mut SignalState)) {
        self.shown.send_if_modified(|signals| {
            let state = signals.iter_mut().find(|state| state.rule.key() == *key);
            state.map(Arc::make_mut).map(change).is_some()
        });
    }
}

/// Reads the signals that have a query.
#[derive(Debug)]
pub struct Reader<F> {
    board: Board<F>,
    promql: Promql,
    clock: SharedClock,
    telemetry: SourceTelemetry,
    poll_interval: Span,
    queries: Vec<Query>,
}

/// A signal that is read.
#[derive(Debug)]
struct Query {
    key: SignalKey,
    promql: Arc<str>,
    /// Whether its last 90 days have been read since the last time that it could not be read.
    past: Past,
    /// What is wrong, as it was told last.
    trouble: Option<String>,
    /// What Prometheus warned of, as it was told last.
    warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Unread,
    Read,
}

/// How asking for one signal ended.
enum Asked {
    /// With a value, or with nothing.
    Answered(Option<SignalPoint>),
    /// Prometheus or the query failed.
    Failed(Trouble),
    /// The value is not stored, and so not shown.
    NotStored,
}

impl<F: FactStore> Reader<F> {
    /// Reads those of the rules that have a query.
    pub fn new(
        board: Board<F>,
        promql: Promql,
        rules: &[SignalRule],
        clock: SharedClock,
        telemetry: SourceTelemetry,
        poll_interval: Span,
    ) -> Self {
        let query = |rule: &SignalRule| {
            let promql = Arc::clone(rule.promql.as_ref()?);
            Some(Query { key: rule.key(), promql, past: Past::Unread, trouble: None, warnings: Vec::new() })
        };
        let queries = rules.iter().filter_map(query).collect();
        Self { board, promql, clock, telemetry, poll_interval, queries }
    }

    /// Polls until it is cancelled.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let due = Instant::now() + self.poll_interval.duration();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.poll_once() => {}
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// Asks for every signal once, each for itself; when Prometheus as a whole cannot be asked, the rest is not.
    pub async fn poll_once(&mut self) {
        let started = Instant::now();
        let asking = Asking {
            board: &self.board,
            promql: &self.promql,
            now: self.clock.now().into(),
            closed: OnceLock::new(),
        };
        let queries = futures_util::stream::iter(&mut self.queries);
        queries.for_each_concurrent(ASKED_AT_ONCE, |query| asking.one(query)).await;
        let troubles = || self.queries.iter().filter(|query| query.trouble.is_some());
        let words =
            troubles().filter_map(|query| Some(format!("{}: {}", query.name(), query.trouble.as_ref()?)));
        self.telemetry.problems(words.take(PROBLEMS_KEPT_MAX).collect(), troubles().count());
        self.telemetry.backfill(self.queries.iter().all(|query| query.past == Past::Read));
        let ended_at: Timestamp = self.clock.now().into();
        let answered = asking.closed.get().is_none();
        self.telemetry.polled(answered, ended_at.seconds(), started.elapsed().as_secs_f64());
    }
}

/// A poll under way.
struct Asking<'a, F> {
    board: &'a Board<F>,
    promql: &'a Promql,
    now: Timestamp,
    /// Why nothing more is asked in this poll.
    closed: OnceLock<Trouble>,
}

impl<F: FactStore> Asking<'_, F> {
    async fn one(&self, query: &mut Query) {
        let trouble = match self.ask(query).await {
            Asked::Answered(Some(_)) => None,
            Asked::Answered(None) => Some(NOTHING.to_owned()),
            Asked::NotStored => Some("its value could not be stored; the log says why".to_owned()),
            Asked::Failed(trouble) => {
                // What was missed meanwhile is read once it can be again.
                query.past = Past::Unread;
                Some(trouble.to_string())
            }
        };
        if query.trouble != trouble {
            let (signal, promql) = (query.name(), &query.promql);
            if let Some(problem) = &trouble {
                tracing::warn!(signal, %promql, problem, "a signal has no new value");
            } else {
                tracing::info!(signal, "a signal has values again");
            }
        }
        self.board.tell(&query.key, trouble.as_deref());
        query.trouble = trouble;
    }

    async fn ask(&self, query: &mut Query) -> Asked {
        if let Some(trouble) = self.closed.get() {
            return Asked::Failed(trouble.clone());
        }
        let Value { point, warnings } = match self.promql.value(&query.promql, self.now).await {
            Ok(value) => value,
            Err(trouble) => return self.failed(trouble),
        };
        if !warnings.is_empty() && query.warnings != warnings {
            tracing::warn!(signal = query.name(), promql = %query.promql, ?warnings, "Prometheus warns");
        }
        query.warnings = warnings;
        let mut points: Vec<SignalPoint> = point.into_iter().collect();
        let mut past = query.past;
        if past == Past::Unread {
            match self.promql.history(&query.promql, self.now).await {
                Ok(older) => {
                    points.extend(older);
                    past = Past::Read;
                }
                // The value is there; its past is asked for again with the next.
                Err(trouble) => {
                    tracing::debug!(signal = query.name(), %trouble, "the past of a signal was not read");
                }
            }
        }
        if let Err(error) = self.board.note(&query.key, points).await {
            tracing::error!(signal = query.name(), "a value was not stored: {error}");
            return Asked::NotStored;
        }
        query.past = past;
        Asked::Answered(point)
    }

    /// What is wrong with Prometheus as a whole is told of all that have not been asked; whoever is first says it.
    fn failed(&self, trouble: Trouble) -> Asked {
        Asked::Failed(match trouble {
            Trouble::Prometheus(_) => self.closed.get_or_init(|| trouble).clone(),
            Trouble::Query(_) => trouble,
        })
    }
}

impl Query {
    /// For messages: `payments/nps`.
    fn name(&self) -> String {
        let SignalKey { team, name, promql: _ } = &self.key;
        team.as_ref().map_or_else(|| name.to_string(), |team| format!("{team}/{name}"))
    }
}
