//! The state of each source as `/metrics` has it, for pages.

use crate::catalogue::{Family, Own, Sample};
use crate::model::time::Timestamp;

/// What is known of a source; absent until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// Its configured name.
    pub name: String,
    /// Its provider.
    pub kind: String,
    /// Whether the last poll succeeded.
    pub up: Option<bool>,
    /// When a poll last succeeded, to the second.
    pub last_success_at: Option<Timestamp>,
    /// Whether the first read is complete.
    pub backfill_complete: Option<bool>,
}

/// Every source, by name: each counts its requests from the start.
pub(super) fn states(own: &[Family<'_>]) -> Vec<SourceState> {
    let states = samples(own, Own::SourceRequests).iter().filter_map(|sample| {
        let name = sample.label("source")?;
        let value = |metric| {
            let mut of_source = samples(own, metric).iter();
            let sample = of_source.find(|sample| sample.label("source") == Some(name))?;
            Some(sample.value)
        };
        Some(SourceState {
            name: name.to_owned(),
            kind: sample.label("kind")?.to_owned(),
            up: value(Own::SourceUp).map(|up| up > 0.0),
            last_success_at: value(Own::SourceLastSuccess).map(instant),
            backfill_complete: value(Own::SourceBackfill).map(|complete| complete > 0.0),
        })
    });
    states.collect()
}

fn samples<'a>(own: &'a [Family<'a>], metric: Own) -> &'a [Sample<'a>] {
    let family = own.iter().find(|family| family.metric == metric.metric());
    family.map(|family| family.samples.as_slice()).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "such a cast saturates; parts of a second are not shown")]
fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(seconds as i64)
}
