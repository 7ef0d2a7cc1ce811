//! What the daemon says of itself: its own metrics (`sextant_*`, `process_*`) and its logs.
//!
//! Every number is absent until it is known; counters begin at 0 with every reason there is, so that `increase()` sees
//! the first failure. Label values are bounded: sources are configured, reasons a closed set, resources capped.

use std::fmt;
use std::sync::Arc;

use prometheus::{CounterVec, GaugeVec};

use crate::catalogue::{FAILURE_REASONS, Family};

mod logs;
mod numbers;
mod problems;

pub use self::logs::{LogError, LogFormat, init_logs};
use self::numbers::Numbers;
pub use self::problems::LastProblems;
use self::problems::Problems;

/// The daemon's own metrics. Cheap to clone; clones share the numbers.
#[derive(Clone)]
pub struct Telemetry {
    numbers: Arc<Numbers>,
    problems: Arc<Problems>,
}

/// One source's part of them.
#[derive(Clone)]
pub struct SourceTelemetry {
    numbers: Arc<Numbers>,
    problems: Arc<Problems>,
    name: Arc<str>,
    kind: &'static str,
}

impl Telemetry {
    /// New numbers, all at their start.
    pub fn new() -> Self {
        let numbers = Numbers::new();
        let version = env!("CARGO_PKG_VERSION");
        let revision = option_env!("SEXTANT_REVISION").unwrap_or("unknown");
        numbers.build_info.with_label_values(&[version, revision]).set(1.0);
        Self { numbers: Arc::new(numbers), problems: Arc::default() }
    }

    /// The part of one source; `kind` is its provider's.
    pub fn source(&self, name: &str, kind: &'static str) -> SourceTelemetry {
        let (numbers, problems) = (Arc::clone(&self.numbers), Arc::clone(&self.problems));
        let source = SourceTelemetry { numbers, problems, name: name.into(), kind };
        add(&source.numbers.source_requests, &[name, kind], 0.0);
        add(&source.numbers.source_throttled, &[name], 0.0);
        for reason in FAILURE_REASONS {
            add(&source.numbers.source_failures, &[name, kind, reason], 0.0);
        }
        source
    }

    /// The configuration was loaded, or a reload failed and the former one stays in force.
    pub fn config_reloaded(&self, succeeded: bool, at_seconds: f64) {
        let numbers = &self.numbers;
        numbers.config_reloaded.with_label_values::<&str>(&[]).set(flag(succeeded));
        if succeeded {
            numbers.config_reloaded_at.with_label_values::<&str>(&[]).set(at_seconds);
        }
    }

    /// A snapshot was computed and rendered.
    pub fn snapshot(&self, duration_seconds: f64) {
        let duration = &self.numbers.snapshot_duration;
        duration.with_label_values::<&str>(&[]).set(duration_seconds);
    }

    /// Rows in the store, by fact.
    pub fn facts(&self, counts: &[(&'static str, u64)]) {
        for (fact, rows) in counts {
            #[expect(clippy::cast_precision_loss, reason = "no store has 2^53 rows")]
            self.numbers.facts.with_label_values(&[fact]).set(*rows as f64);
        }
    }

    /// A webhook of GitHub came. Both words are of closed sets.
    pub fn webhook(&self, event: &'static str, outcome: &'static str) {
        add(&self.numbers.webhooks, &["github", event, outcome], 1.0);
    }

    /// Webhooks of these events may come and end like this: their counters begin at 0.
    pub fn webhooks_expected(&self, events: &[&'static str], outcomes: &[&'static str]) {
        for (event, outcome) in
            events.iter().flat_map(|event| outcomes.iter().map(move |outcome| (event, outcome)))
        {
            add(&self.numbers.webhooks, &["github", event, outcome], 0.0);
        }
    }

    /// What was wrong with the last poll of each source, by name; sources that have not been polled are not in it.
    pub fn last_problems(&self) -> Vec<(String, LastProblems)> {
        self.problems.all()
    }

    /// All numbers as they are now.
    pub fn gather(&self) -> Vec<Family<'static>> {
        self.numbers.gather()
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

/// Resources of a rate limit per source. GitHub has about a dozen; an answer that names ever new ones gets no more
/// series than this, the rest being `other`.
const RESOURCES_MAX: usize = 16;

impl SourceTelemetry {
    /// A request was sent.
    pub fn request(&self) {
        add(&self.numbers.source_requests, &[&self.name, self.kind], 1.0);
    }

    /// A request, or what it answered, failed.
    pub fn failure(&self, reason: &'static str) {
        add(&self.numbers.source_failures, &[&self.name, self.kind, reason], 1.0);
    }

    /// What the source says of its limit for `resource`.
    pub fn rate_limit(&self, resource: &str, limit: f64, remaining: f64, reset_at_seconds: f64) {
        let known = numbers::label_values(&self.numbers.source_rate_limit, &self.name, "resource");
        let is_new = !known.iter().any(|other| other == resource);
        let resource = if is_new && known.len() >= RESOURCES_MAX { "other" } else { resource };
        let labels = [&*self.name, resource];
        set(&self.numbers.source_rate_limit, &labels, limit);
        set(&self.numbers.source_rate_limit_remaining, &labels, remaining);
        set(&self.numbers.source_rate_limit_reset, &labels, reset_at_seconds);
    }

    /// Time was spent waiting to stay inside the budget.
    pub fn throttled(&self, seconds: f64) {
        add(&self.numbers.source_throttled, &[&self.name], seconds);
    }

    /// A poll ended.
    pub fn polled(&self, succeeded: bool, at_seconds: f64, duration_seconds: f64) {
        let labels = [&*self.name, self.kind];
        set(&self.numbers.source_up, &labels, flag(succeeded));
        set(&self.numbers.source_poll_duration, &labels, duration_seconds);
        if succeeded {
            set(&self.numbers.source_last_success, &labels, at_seconds);
        }
    }

    /// The newest instant that a fact of this source speaks of; an older one than before changes nothing.
    pub fn newest_fact(&self, at_seconds: f64) {
        let gauge = self.numbers.source_newest_fact.with_label_values(&[&*self.name, self.kind]);
        gauge.set(gauge.get().max(at_seconds));
    }

    /// What was wrong with the last poll, in words without secrets: `kept` of `count` problems.
    pub fn problems(&self, kept: Vec<String>, count: usize) {
        self.problems.replace(&self.name, LastProblems { words: kept, count });
    }

    /// Whether the first read is complete.
    pub fn backfill(&self, complete: bool) {
        set(&self.numbers.source_backfill, &[&self.name], flag(complete));
    }

    /// The share of the history that the first read has been through, from 0 to 1.
    pub fn backfill_progress(&self, ratio: f64) {
        set(&self.numbers.source_backfill_progress, &[&self.name], ratio);
    }

    /// The source left the configuration: its series go.
    pub fn retire(&self) {
        self.numbers.retire(&self.name);
        self.problems.forget(&self.name);
    }
}

impl Default for SourceTelemetry {
    fn default() -> Self {
        Telemetry::new().source("unnamed", "unknown")
    }
}

impl fmt::Debug for SourceTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceTelemetry")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

fn set(gauge: &GaugeVec, labels: &[&str], value: f64) {
    gauge.with_label_values(labels).set(value);
}

fn add(counter: &CounterVec, labels: &[&str], more: f64) {
    // The counter asserts that it never goes down; a clock that does must not end the process.
    counter.with_label_values(labels).inc_by(more.max(0.0));
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
