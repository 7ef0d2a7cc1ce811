//! North stars and signals as families. A target is always known, a value once there has been one.

use std::borrow::Cow;

use crate::catalogue::{Family, Label, Sample, Signal};
use crate::model::signal::{SignalState, Signals, Standing};
use crate::model::time::Timestamp;

/// All families of signals, each with what is known.
pub fn signal_families(signals: &Signals) -> Vec<Family<'static>> {
    let family = |signal: &Signal| {
        let (standing, read) = reading(*signal);
        let own = signals.iter().filter(|state| standing(&state.rule.standing));
        let sample = |state: &SignalState| {
            let value = read(state).filter(|value| value.is_finite())?;
            Some(Sample { suffix: "", labels: labels(state), value })
        };
        Family { metric: signal.metric(), samples: own.filter_map(|state| sample(state)).collect() }
    };
    Signal::ALL.iter().map(family).collect()
}

/// Whose signals a metric is of.
type Whose = fn(&Standing) -> bool;
/// What it says of each.
type Read = fn(&SignalState) -> Option<f64>;

fn reading(signal: Signal) -> (Whose, Read) {
    let north_star: Whose = |standing| matches!(standing, Standing::NorthStar);
    let organization: Whose = |standing| matches!(standing, Standing::Organization);
    let team: Whose = |standing| matches!(standing, Standing::Team(_));
    let value: Read = |state| Some(state.history.latest()?.value());
    let target: Read = |state| Some(state.rule.target);
    let progress: Read = |state| Some(state.rule.progress(state.history.latest()?.value()));
    let timestamp: Read = |state| state.history.latest().map(|point| Timestamp::seconds(point.at()));
    match signal {
        Signal::NorthStarValue => (north_star, value),
        Signal::NorthStarTarget => (north_star, target),
        Signal::NorthStarProgress => (north_star, progress),
        Signal::NorthStarTimestamp => (north_star, timestamp),
        Signal::OrganizationSignalValue => (organization, value),
        Signal::OrganizationSignalTarget => (organization, target),
        Signal::OrganizationSignalProgress => (organization, progress),
        Signal::OrganizationSignalTimestamp => (organization, timestamp),
        Signal::TeamSignalValue => (team, value),
        Signal::TeamSignalTarget => (team, target),
        Signal::TeamSignalProgress => (team, progress),
        Signal::TeamSignalTimestamp => (team, timestamp),
    }
}

fn labels(state: &SignalState) -> Vec<Label<'static>> {
    let label = |name, value: &str| (Cow::Borrowed(name), Cow::Owned(value.to_owned()));
    let team = state.rule.standing.team().map(|team| label("team", team.as_str()));
    team.into_iter().chain([label("name", state.rule.name.as_str())]).collect()
}
