//! How teams stand to their guardrails: of each the state it is in, and its limit.

use crate::catalogue::{Metric, Sample};
use crate::engine::guardrail::State;
use crate::engine::snapshot::Snapshot;

/// `dora_team_guardrail`: 1 for the state that it is in, 0 for the others, so that a state that was left is seen.
pub(super) fn states<'a>(metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
    let of_all = snapshot.guardrails.iter().flat_map(|standing| {
        State::ALL.map(|state| {
            let labels = [standing.team.as_str(), &*standing.guardrail, state.label()];
            Sample::new(metric, &labels, if standing.state == state { 1.0 } else { 0.0 })
        })
    });
    of_all.collect()
}

/// `dora_team_guardrail_limit`.
pub(super) fn limits<'a>(metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
    let of_all = snapshot.guardrails.iter().map(|standing| {
        Sample::new(metric, &[standing.team.as_str(), &*standing.guardrail], standing.limit.value())
    });
    of_all.collect()
}
