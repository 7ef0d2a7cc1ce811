//! The state of each source as `/metrics` has it, for pages.

use crate::catalogue::{Family, Own, Sample};
use crate::model::time::Timestamp;

/// What is known of a source; absent until it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceState {
    /// Its configured name.
    pub name: String,
    /// Its provider.
    pub kind: String,
    /// Whether the last poll succeeded.
    pub up: Option<bool>,
    /// When a poll last succeeded, to the second.
    pub last_success_at: Option<Timestamp>,
    /// The newest instant that one of its facts speaks of.
    pub newest_fact_at: Option<Timestamp>,
    /// How long the last poll took.
    pub poll_seconds: Option<f64>,
    /// Requests since the daemon started.
    pub requests: f64,
    /// Failures since the daemon started, by reason; reasons without one are left out.
    pub failures: Vec<(String, f64)>,
    /// Its rate limits, by resource.
    pub rate_limits: Vec<RateLimit>,
    /// Waited since the daemon started to stay inside the budget.
    pub throttled_seconds: f64,
    /// Whether the first read is complete.
    pub backfill_complete: Option<bool>,
    /// How much of the first read is done.
    pub backfill_progress: Option<f64>,
}

/// A rate limit as the source states it.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// What it limits.
    pub resource: String,
    /// How much there is, in the source's own points.
    pub limit: f64,
    /// How much remains.
    pub remaining: Option<f64>,
    /// When it is renewed.
    pub reset_at: Option<Timestamp>,
}

/// The name of the progress of the first read.
const PROGRESS: &str = "sextant_source_backfill_progress_ratio";

/// Every source, by name: each counts its requests from the start.
pub fn source_states(own: &[Family<'_>]) -> Vec<SourceState> {
    samples(own, Own::SourceRequests).iter().filter_map(|sample| state(own, sample)).collect()
}

fn state(own: &[Family<'_>], requests: &Sample<'_>) -> Option<SourceState> {
    let name = requests.label("source")?;
    let of_source = |metric| {
        let all = samples(own, metric).iter();
        all.filter(|sample| sample.label("source") == Some(name))
    };
    let value = |metric| of_source(metric).next().map(|sample| sample.value);
    let of_resource = |metric, resource: &str| {
        let mut all = of_source(metric);
        all.find(|sample| sample.label("resource") == Some(resource)).map(|sample| sample.value)
    };
    let failures = of_source(Own::SourceFailures).filter(|sample| sample.value > 0.0);
    let rate_limits = of_source(Own::SourceRateLimit).filter_map(|sample| {
        let resource = sample.label("resource")?;
        Some(RateLimit {
            resource: resource.to_owned(),
            limit: sample.value,
            remaining: of_resource(Own::SourceRateLimitRemaining, resource),
            reset_at: of_resource(Own::SourceRateLimitReset, resource).map(instant),
        })
    });
    let progress = own.iter().find(|family| family.metric.name == PROGRESS);
    let mut progress = progress.into_iter().flat_map(|family| &family.samples);
    Some(SourceState {
        name: name.to_owned(),
        kind: requests.label("kind")?.to_owned(),
        up: value(Own::SourceUp).map(|up| up > 0.0),
        last_success_at: value(Own::SourceLastSuccess).map(instant),
        newest_fact_at: value(Own::SourceNewestFact).map(instant),
        poll_seconds: value(Own::SourcePollDuration),
        requests: requests.value,
        failures: failures
            .filter_map(|sample| Some((sample.label("reason")?.to_owned(), sample.value)))
            .collect(),
        rate_limits: rate_limits.collect(),
        throttled_seconds: value(Own::SourceThrottled).unwrap_or_default(),
        backfill_complete: value(Own::SourceBackfill).map(|complete| complete > 0.0),
        backfill_progress: progress
            .find(|sample| sample.label("source") == Some(name))
            .map(|sample| sample.value),
    })
}

fn samples<'a>(own: &'a [Family<'a>], metric: Own) -> &'a [Sample<'a>] {
    let family = own.iter().find(|family| family.metric == metric.metric());
    family.map(|family| family.samples.as_slice()).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "such a cast saturates; parts of a second are not shown")]
fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(seconds as i64)
}
