//! What the daemon says of itself: its own metrics (`sextant_*`, `process_*`) and its logs.

/// The daemon's own metrics. Cheap to clone; clones share the numbers.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {}

/// One source's part of them.
#[derive(Debug, Clone, Default)]
pub struct SourceTelemetry {}

impl Telemetry {
    /// New numbers, all at their start.
    pub fn new() -> Self {
        Self {}
    }

    /// The part of one source; `kind` is its provider's.
    pub fn source(&self, _name: &str, _kind: &'static str) -> SourceTelemetry {
        SourceTelemetry {}
    }
}

impl SourceTelemetry {
    /// A request was sent.
    pub fn request(&self) {}

    /// A request, or what it answered, failed.
    pub fn failure(&self, _reason: &'static str) {}

    /// What the source says of its limit for `resource`.
    pub fn rate_limit(&self, _resource: &str, _limit: f64, _remaining: f64, _reset_at_seconds: f64) {}

    /// Time was spent waiting to stay inside the budget.
    pub fn throttled(&self, _seconds: f64) {}

    /// A poll ended.
    pub fn polled(&self, _succeeded: bool, _at_seconds: f64, _duration_seconds: f64) {}

    /// The newest instant that a fact of this source speaks of.
    pub fn newest_fact(&self, _at_seconds: f64) {}

    /// Whether the first read is complete.
    pub fn backfill(&self, _complete: bool) {}
}
