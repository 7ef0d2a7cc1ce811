//! How teams stand against their own history (`regressions.md` 3.6). Who was not looked at has no series, and what a
//! look could not tell has none either.

use crate::catalogue::{Metric, Sample};
use crate::engine::regression::machine::State;
use crate::engine::regression::standing::Standing;
use crate::engine::snapshot::Snapshot;

/// A stateset: one series for each state, of which one is 1.
pub(super) fn states<'a>(metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
    let standings = snapshot.standings.iter();
    let states = standings.flat_map(|((team, measure), standing)| {
        State::ALL.map(|state| {
            let value = if state == standing.state { 1.0 } else { 0.0 };
            Sample::new(metric, &[team.as_str(), measure.label(), state.label()], value)
        })
    });
    states.collect()
}

/// A number of each team and measure.
pub(super) fn each<'a>(
    metric: &'static Metric,
    snapshot: &'a Snapshot,
    read: fn(&Standing) -> Option<f64>,
) -> Vec<Sample<'a>> {
    let standings = snapshot.standings.iter();
    let known = standings.filter_map(|((team, measure), standing)| {
        Some(Sample::new(metric, &[team.as_str(), measure.label()], read(standing)?))
    });
    known.collect()
}

/// What change ratios lie in.
pub(super) fn bounds<'a>(metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
    let standings = snapshot.standings.iter();
    let known = standings.filter_map(|(key, standing)| Some((key, standing.bounds?)));
    let bounds = known.flat_map(|((team, measure), interval)| {
        [("lower", interval.lower), ("upper", interval.upper)]
            .map(|(bound, value)| Sample::new(metric, &[team.as_str(), measure.label(), bound], value))
    });
    bounds.collect()
}

/// How much surprise a state takes.
pub(super) fn thresholds<'a>(metric: &'static Metric, snapshot: &'a Snapshot) -> Vec<Sample<'a>> {
    let thresholds = snapshot.thresholds.iter();
    let tiers = thresholds.flat_map(|(measure, thresholds)| {
        [("watch", thresholds.watch), ("regressed", thresholds.regressed)]
            .map(|(tier, value)| Sample::new(metric, &[measure.label(), tier], value))
    });
    tiers.collect()
}
