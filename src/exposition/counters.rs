//! The persistent counters and histograms. They count facts as they are first seen, survive restarts, and exist at 0
//! for every team and component that the gauges are exposed for (`definitions.md` §3): a series that begins at 1 loses
//! its first event in `increase()`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::{Metric, OUTCOMES, Sample};
use crate::engine::regression::machine::State;
use crate::engine::snapshot::{LevelValues, Snapshot};
use crate::model::batch::CounterKey;
use crate::model::settings::BUCKETS_SECONDS;

/// What was counted: by name, then by label values in the catalogue's order.
pub(super) struct Persisted<'a> {
    values: BTreeMap<&'a str, BTreeMap<Vec<&'a str>, f64>>,
}

impl<'a> Persisted<'a> {
    pub(super) fn new(counters: &'a [(CounterKey, f64)]) -> Self {
        let mut values: BTreeMap<&str, BTreeMap<Vec<&str>, f64>> = BTreeMap::new();
        for (CounterKey { name, labels }, value) in counters {
            let labels = labels.iter().map(String::as_str).collect();
            values.entry(name).or_default().insert(labels, *value);
        }
        Self { values }
    }

    fn of(&self, name: &str) -> impl Iterator<Item = (&[&'a str], f64)> + use<'_, 'a> {
        let values = self.values.get(name).into_iter().flatten();
        values.map(|(labels, value)| (labels.as_slice(), *value))
    }

    /// `dora_deployments_total`: every component that has ever deployed, with every outcome.
    pub(super) fn deployments(&self, metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
        let mut series: BTreeMap<[&str; 3], f64> = BTreeMap::new();
        for (team, component) in &snapshot.deployed {
            for outcome in OUTCOMES {
                series.insert([team.as_str(), component.as_str(), outcome], 0.0);
            }
        }
        for (labels, value) in self.of(metric.name) {
            let counted = <[&str; 3]>::try_from(labels).ok();
            if let Some(counter) = counted.and_then(|labels| series.get_mut(&labels)) {
                *counter = value;
            }
        }
        samples(metric, series)
    }

    /// `dora_incidents_total`: every team that has ever deployed or had an incident, with every severity known in the
    /// organisation.
    pub(super) fn incidents(&self, metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
        let teams = teams(snapshot, LevelValues::counts_incidents);
        let counted = self.of(metric.name).filter_map(|(labels, value)| {
            let [team, severity] = <[&str; 2]>::try_from(labels).ok()?;
            teams.contains(team).then_some(([team, severity], value))
        });
        let counted: BTreeMap<[&str; 2], f64> = counted.collect();

        let mut severities: BTreeSet<&str> = counted.keys().map(|[_, severity]| *severity).collect();
        let organization = &snapshot.organization;
        let open = organization.open_incidents.iter().flat_map(BTreeMap::keys);
        let windows = organization.windows.iter().flat_map(|window| &window.incidents);
        let started = windows.flat_map(|incidents| incidents.started.keys());
        severities.extend(open.chain(started).map(crate::model::name::Severity::as_str));

        let mut series = BTreeMap::new();
        for team in teams {
            for severity in &severities {
                let key = [team, *severity];
                series.insert(key, counted.get(&key).copied().unwrap_or(0.0));
            }
        }
        samples(metric, series)
    }

    /// `dora_team_state_transitions_total`: every team and measure that is looked at, with every state.
    pub(super) fn transitions(&self, metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
        let mut series: BTreeMap<[&str; 3], f64> = BTreeMap::new();
        for (team, measure) in snapshot.standings.keys() {
            for state in State::ALL {
                series.insert([team.as_str(), measure.label(), state.label()], 0.0);
            }
        }
        for (labels, value) in self.of(metric.name) {
            let counted = <[&str; 3]>::try_from(labels).ok();
            if let Some(counter) = counted.and_then(|labels| series.get_mut(&labels)) {
                *counter = value;
            }
        }
        samples(metric, series)
    }

    /// A histogram: every team that has ever deployed, with every bucket. Buckets are cumulative, as they are stored.
    pub(super) fn histogram(&self, metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
        let mut buckets: BTreeMap<(&str, u64), f64> = BTreeMap::new();
        for (labels, value) in self.of(&format!("{}_bucket", metric.name)) {
            let Ok([team, bound]) = <[&str; 2]>::try_from(labels) else {
                continue;
            };
            if let Ok(bound) = bound.parse::<f64>() {
                buckets.insert((team, bound.to_bits()), value);
            }
        }
        let single = |suffix: &str| -> BTreeMap<&str, f64> {
            let all = self.of(&format!("{}{suffix}", metric.name));
            all.filter_map(|(labels, value)| Some((*labels.first()?, value))).collect()
        };
        let (sums, counts) = (single("_sum"), single("_count"));

        let mut samples = Vec::new();
        for team in teams(snapshot, LevelValues::has_deployed) {
            let mut below = 0.0_f64;
            for bound in BUCKETS_SECONDS {
                let bound = f64::from(bound);
                below = below.max(buckets.get(&(team, bound.to_bits())).copied().unwrap_or(0.0));
                samples.push(bucket(metric, team, Cow::Owned(upper_bound(bound)), below));
            }
            let count = below.max(counts.get(team).copied().unwrap_or(0.0));
            samples.push(bucket(metric, team, Cow::Borrowed("+Inf"), count));
            for (suffix, value) in [("_sum", sums.get(team).copied().unwrap_or(0.0)), ("_count", count)] {
                samples.push(Sample { suffix, ..Sample::new(metric, &[team], value) });
            }
        }
        samples
    }
}

fn teams(snapshot: &Snapshot, is_exposed: fn(&LevelValues) -> bool) -> BTreeSet<&str> {
    let teams = snapshot.teams.iter();
    let exposed = teams.filter(|(_, team)| is_exposed(&team.values));
    exposed.map(|(team, _)| team.as_str()).collect()
}

fn samples<'a, const N: usize>(
    metric: &'static Metric,
    series: BTreeMap<[&'a str; N], f64>,
) -> Vec<Sample<'a>> {
    let samples = series.into_iter();
    samples.map(|(labels, value)| Sample::new(metric, &labels, value)).collect()
}

fn bucket<'a>(metric: &'static Metric, team: &'a str, bound: Cow<'a, str>, value: f64) -> Sample<'a> {
    let mut sample = Sample::new(metric, &[team], value);
    sample.labels.push((Cow::Borrowed("le"), bound));
    Sample { suffix: "_bucket", ..sample }
}

/// The label `le` as OpenMetrics asks for it, and as Prometheus 3 rewrites it, in both formats alike: so a series keeps
/// its name whatever format a scrape negotiates.
fn upper_bound(seconds: f64) -> String {
    /// From here on the canonical form has an exponent.
    const EXPONENT_FROM: f64 = 1e6;
    if seconds < EXPONENT_FROM {
        return format!("{seconds:.1}");
    }
    let scientific = format!("{seconds:e}");
    match scientific.split_once('e') {
        Some((mantissa, exponent)) => format!("{mantissa}e+{exponent:0>2}"),
        None => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_canonically() {
        let bounds = BUCKETS_SECONDS.map(|bound| upper_bound(f64::from(bound)));
        let expected = [
            "900.0",
            "3600.0",
            "14400.0",
            "28800.0",
            "86400.0",
            "172800.0",
            "345600.0",
            "604800.0",
            "1.2096e+06",
            "2.592e+06",
            "5.184e+06",
            "7.776e+06",
        ];
        assert_eq!(bounds, expected);
    }
}
