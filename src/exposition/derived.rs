//! What the snapshot says besides the levels, and the persistent counters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::{Derived, Label, Metric, Sample};
use crate::engine::snapshot::{RepositoryState, Snapshot, Suspects};
use crate::model::fact::Exclusion;
use crate::model::name::SourceName;

use super::count;
use super::counters::Persisted;
use super::guardrails;

/// All samples of `id`.
pub(super) fn samples<'a>(
    metric: &'static Metric,
    id: Derived,
    snapshot: &'a Snapshot,
    persisted: &Persisted<'a>,
) -> Vec<Sample<'a>> {
    match id {
        Derived::SourceExcluded => by_source(metric, &snapshot.excluded, &Exclusion::ALL, Exclusion::as_str),
        Derived::Repositories => {
            by_source(metric, &snapshot.repositories, &RepositoryState::ALL, RepositoryState::as_str)
        }
        Derived::SuspectFacts => {
            let Suspects { clock_skew, future, unknown_value } = snapshot.suspects;
            [("clock_skew", clock_skew), ("future", future), ("unknown_value", unknown_value)]
                .map(|(reason, facts)| Sample::new(metric, &[reason], count(facts)))
                .into()
        }
        Derived::SnapshotTimestamp => vec![Sample::new(metric, &[], snapshot.at.seconds())],
        Derived::TeamInfo => {
            let teams = snapshot.teams.iter();
            teams
                .map(|(team, values)| Sample {
                    suffix: "",
                    labels: info_labels(team.as_str(), &values.info),
                    value: 1.0,
                })
                .collect()
        }
        Derived::Guardrail => guardrails::states(metric, snapshot),
        Derived::GuardrailLimit => guardrails::limits(metric, snapshot),
        Derived::IncidentsTotal => persisted.incidents(metric, snapshot),
        Derived::DeploymentsTotal => persisted.deployments(metric, snapshot),
        Derived::ChangeLeadTime | Derived::DeploymentRecoveryTime => persisted.histogram(metric, snapshot),
    }
}

/// A count by source and one of `all`; what is known of a source is complete, so that what it leaves out is 0.
fn by_source<'a, K: Copy + Ord>(
    metric: &'static Metric,
    counts: &'a BTreeMap<(SourceName, K), u64>,
    all: &[K],
    label: fn(K) -> &'static str,
) -> Vec<Sample<'a>> {
    let sources: BTreeSet<&SourceName> = counts.keys().map(|(source, _)| source).collect();
    let mut samples = Vec::with_capacity(sources.len().saturating_mul(all.len()));
    for source in sources {
        for &key in all {
            let number = counts.get(&(source.clone(), key)).copied().unwrap_or(0);
            samples.push(Sample::new(metric, &[source.as_str(), label(key)], count(number)));
        }
    }
    samples
}

/// Labels of a team's `dora_team_info`. What people wrote becomes a label name by replacing what may not be in one;
/// of two that become the same the first stays, and none can be `team` or begin with `__`, which is Prometheus's.
fn info_labels<'a>(team: &'a str, info: &'a BTreeMap<String, String>) -> Vec<Label<'a>> {
    let mut labels: Vec<Label<'a>> = vec![(Cow::Borrowed("team"), Cow::Borrowed(team))];
    for (key, value) in info {
        let name = label_name(key);
        let free = labels.iter().all(|(other, _)| *other != name);
        if free && !name.starts_with("__") {
            labels.push((name, Cow::Borrowed(value)));
        }
    }
    labels
}

fn label_name(key: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = !key.starts_with(|c: char| c.is_ascii_digit()) && !key.is_empty();
    if starts_well && key.chars().all(fits) {
        return Cow::Borrowed(key);
    }
    let replaced = key.chars().map(|c| if fits(c) { c } else { '_' });
    let prefix = if starts_well { "" } else { "_" };
    Cow::Owned(prefix.chars().chain(replaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_a_label_name() {
        for (key, name) in [
            ("slack", "slack"),
            ("on-call link", "on_call_link"),
            ("2nd", "_2nd"),
            ("", "_"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(label_name(key), name, "{key:?}");
        }
        let info = ["a-b", "a_b", "team", "__name__", "é!"].map(|key| (key.to_owned(), key.to_owned()));
        let info = BTreeMap::from(info);
        let labels = info_labels("payments", &info);
        assert_eq!(labels, [("team", "payments"), ("a_b", "a-b")].map(|(n, v)| (n.into(), v.into())));
    }
}
