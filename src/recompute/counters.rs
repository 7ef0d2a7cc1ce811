//! The persistent counters: what happened since the first contact, counted once each, for ever.
//!
//! A counter is exact because each thing that it counted has a key, and key and increment are stored together: after
//! `kill -9` what was not counted is counted, and what was is not.

use std::collections::{BTreeMap, HashSet};

use crate::engine::countable::{Count, Countable};
use crate::model::batch::{Contact, CountedKey, CounterKey};
use crate::model::settings::{BUCKETS_SECONDS, outcome_label};
use crate::model::time::Span;
use crate::store::{Counters, FactStore, StoreError};

/// The counters as they are stored, and what they have counted. By default they count nothing.
#[derive(Debug, Default)]
pub(super) struct PersistentCounters {
    is_counting: bool,
    values: BTreeMap<CounterKey, f64>,
    counted: HashSet<CountedKey>,
}

impl PersistentCounters {
    pub(super) async fn load<F: FactStore>(store: &F) -> Result<Self, StoreError> {
        let Counters { values, counted } = store.counters().await?;
        Ok(Self {
            is_counting: true,
            values: values.into_iter().collect(),
            counted: counted.into_iter().collect(),
        })
    }

    /// Counts what is news and was not counted yet; stored before it shows.
    pub(super) async fn count<F: FactStore>(
        &mut self,
        store: &F,
        countables: impl Iterator<Item = Countable>,
    ) -> Result<(), StoreError> {
        if !self.is_counting {
            return Ok(());
        }
        let mut increments = BTreeMap::new();
        let mut fresh = HashSet::new();
        for Countable { key, team, count, contact } in countables {
            if contact == Contact::First || self.counted.contains(&key) || !fresh.insert(key) {
                continue;
            }
            for (counter, by) in increments_of(team.as_str(), count) {
                *increments.entry(counter).or_insert(0.0) += by;
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        store.count(increments.clone().into_iter().collect(), fresh.iter().cloned().collect()).await?;
        for (counter, by) in increments {
            *self.values.entry(counter).or_insert(0.0) += by;
        }
        self.counted.extend(fresh);
        Ok(())
    }

    pub(super) fn values(&self) -> Vec<(CounterKey, f64)> {
        self.values.iter().map(|(key, value)| (key.clone(), *value)).collect()
    }
}

fn increments_of(team: &str, count: Count) -> Vec<(CounterKey, f64)> {
    let one = |name: &str, labels: &[&str]| {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        vec![(CounterKey { name: name.to_owned(), labels }, 1.0)]
    };
    match count {
        Count::Attempt(component, outcome) => {
            one("dora_deployments_total", &[team, component.as_str(), outcome_label(outcome)])
        }
        Count::Incident(severity) => one("dora_incidents_total", &[team, severity.as_str()]),
        Count::LeadTime(span) => observation("dora_change_lead_time_seconds", team, span),
        Count::Recovery(span) => observation("dora_deployment_recovery_time_seconds", team, span),
    }
}

/// One observation: its bucket and all larger ones, the sum and the count.
fn observation(name: &str, team: &str, span: Span) -> Vec<(CounterKey, f64)> {
    let seconds = span.seconds();
    let key = |suffix: &str, le: Option<String>| CounterKey {
        name: format!("{name}_{suffix}"),
        labels: std::iter::once(team.to_owned()).chain(le).collect(),
    };
    let within = BUCKETS_SECONDS.iter().filter(|bound| seconds <= f64::from(**bound));
    let bounds = within.map(u32::to_string).chain(std::iter::once("+Inf".to_owned()));
    let mut increments: Vec<_> = bounds.map(|bound| (key("bucket", Some(bound)), 1.0)).collect();
    increments.push((key("sum", None), seconds));
    increments.push((key("count", None), 1.0));
    increments
}
