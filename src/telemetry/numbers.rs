//! The numbers themselves, held by the `prometheus` crate and read as families of the catalogue.

use std::borrow::Cow;
use std::collections::HashMap;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{self, MetricType};
use prometheus::{CounterVec, GaugeVec, Opts, Registry};

use crate::catalogue::{Family, Label, Own, Sample};

/// One vector for each metric; one without labels too, since a plain gauge would show 0 before anything is known.
pub(super) struct Numbers {
    registry: Registry,
    pub(super) build_info: GaugeVec,
    pub(super) source_up: GaugeVec,
    pub(super) source_last_success: GaugeVec,
    pub(super) source_newest_fact: GaugeVec,
    pub(super) source_poll_duration: GaugeVec,
    pub(super) source_requests: CounterVec,
    pub(super) source_failures: CounterVec,
    pub(super) source_rate_limit: GaugeVec,
    pub(super) source_rate_limit_remaining: GaugeVec,
    pub(super) source_rate_limit_reset: GaugeVec,
    pub(super) source_throttled: CounterVec,
    pub(super) source_backfill: GaugeVec,
    pub(super) source_backfill_progress: GaugeVec,
    pub(super) webhooks: CounterVec,
    pub(super) facts: GaugeVec,
    pub(super) snapshot_duration: GaugeVec,
    pub(super) config_reloaded: GaugeVec,
    pub(super) config_reloaded_at: GaugeVec,
}

impl Numbers {
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        register(&registry, ProcessCollector::for_self());
        Self {
            build_info: gauge(&registry, Own::BuildInfo),
            source_up: gauge(&registry, Own::SourceUp),
            source_last_success: gauge(&registry, Own::SourceLastSuccess),
            source_newest_fact: gauge(&registry, Own::SourceNewestFact),
            source_poll_duration: gauge(&registry, Own::SourcePollDuration),
            source_requests: counter(&registry, Own::SourceRequests),
            source_failures: counter(&registry, Own::SourceFailures),
            source_rate_limit: gauge(&registry, Own::SourceRateLimit),
            source_rate_limit_remaining: gauge(&registry, Own::SourceRateLimitRemaining),
            source_rate_limit_reset: gauge(&registry, Own::SourceRateLimitReset),
            source_throttled: counter(&registry, Own::SourceThrottled),
            source_backfill: gauge(&registry, Own::SourceBackfill),
            source_backfill_progress: gauge(&registry, Own::SourceBackfillProgress),
            webhooks: counter(&registry, Own::Webhooks),
            facts: gauge(&registry, Own::Facts),
            snapshot_duration: gauge(&registry, Own::SnapshotDuration),
            config_reloaded: gauge(&registry, Own::ConfigReloaded),
            config_reloaded_at: gauge(&registry, Own::ConfigReloadedAt),
            registry,
        }
    }

    /// Everything that is known, by metric in the catalogue's order, samples by labels.
    pub(super) fn gather(&self) -> Vec<Family<'static>> {
        let gathered = self.registry.gather();
        let families = Own::ALL.iter().filter_map(|own| {
            let metric = own.metric();
            let family = gathered.iter().find(|family| family.name() == metric.name)?;
            let mut samples: Vec<Sample<'static>> = family
                .get_metric()
                .iter()
                .map(|series| Sample {
                    suffix: "",
                    labels: metric.labels.iter().filter_map(|name| label(series, name)).collect(),
                    value: value(family, series),
                })
                .collect();
            // The collector says 0 where the system knows no limit.
            samples.retain(|sample| *own != Own::ProcessMaxFds || sample.value > 0.0);
            samples.sort_by(|a, b| a.labels.cmp(&b.labels));
            Some(Family { metric, samples })
        });
        families.collect()
    }

    /// Removes every series of a source.
    pub(super) fn retire(&self, source: &str) {
        for vector in [
            &self.source_up,
            &self.source_last_success,
            &self.source_newest_fact,
            &self.source_poll_duration,
            &self.source_rate_limit,
            &self.source_rate_limit_remaining,
            &self.source_rate_limit_reset,
            &self.source_backfill,
            &self.source_backfill_progress,
        ] {
            remove(vector, source);
        }
        for vector in [&self.source_requests, &self.source_failures, &self.source_throttled] {
            remove(vector, source);
        }
    }
}

/// The values of the label `name` among the series of `source`.
pub(super) fn label_values(vector: &GaugeVec, source: &str, name: &str) -> Vec<String> {
    let families = vector.collect();
    let series = families.iter().flat_map(proto::MetricFamily::get_metric);
    series
        .filter(|series| is_of(series, source))
        .filter_map(|series| label(series, name))
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn remove<B: MetricVecBuilder>(vector: &MetricVec<B>, source: &str) {
    for family in vector.collect() {
        for series in family.get_metric().iter().filter(|series| is_of(series, source)) {
            let pairs = series.get_label().iter();
            let labels: HashMap<&str, &str> = pairs.map(|pair| (pair.name(), pair.value())).collect();
            // It fails if the series has gone already, which is what was wanted.
            vector.remove(&labels).unwrap_or_default();
        }
    }
}

fn is_of(series: &proto::Metric, source: &str) -> bool {
    label(series, "source").is_some_and(|(_, value)| value == source)
}

fn label(series: &proto::Metric, name: &str) -> Option<Label<'static>> {
    let pair = series.get_label().iter().find(|pair| pair.name() == name)?;
    Some((Cow::Owned(name.to_owned()), Cow::Owned(pair.value().to_owned())))
}

fn value(family: &proto::MetricFamily, series: &proto::Metric) -> f64 {
    if family.get_field_type() == MetricType::COUNTER {
        series.get_counter().get_value()
    } else {
        series.get_gauge().get_value()
    }
}

const VALID: &str = "the catalogue's names are valid and registered once";

#[expect(clippy::expect_used, reason = "constant names, registered by a test as well")]
fn gauge(registry: &Registry, own: Own) -> GaugeVec {
    let metric = own.metric();
    let vector = GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels).expect(VALID);
    register(registry, vector.clone());
    vector
}

#[expect(clippy::expect_used, reason = "constant names, registered by a test as well")]
fn counter(registry: &Registry, own: Own) -> CounterVec {
    let metric = own.metric();
    let vector = CounterVec::new(Opts::new(metric.name, metric.help), metric.labels).expect(VALID);
    register(registry, vector.clone());
    vector
}

#[expect(clippy::expect_used, reason = "constant names, registered by a test as well")]
fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect(VALID);
}
