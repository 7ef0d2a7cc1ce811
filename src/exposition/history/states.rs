//! How teams stood against their own history, day by day: what the looks say that were or would have been made then.

use chrono_tz::Tz;

use crate::catalogue::{Metric, Sample};
use crate::engine::regression::machine::State;
use crate::engine::regression::standing;
use crate::engine::regression::tracker::Tracker;
use crate::exposition::history::{Found, Series, Wanted};
use crate::model::name::TeamSlug;

/// Which metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// `dora_team_state`.
    State,
    /// `dora_team_state_since_timestamp_seconds`.
    Since,
}

/// The series of all teams that are asked for.
pub(super) fn series(
    metric: &'static Metric,
    told: Told,
    tracker: &Tracker,
    timezone: Tz,
    wanted: &Wanted<'_>,
) -> Vec<Series> {
    let days: Vec<_> = wanted.instants.iter().map(|at| (at, standing::day_of(at, timezone))).collect();
    let mut all = Vec::new();
    for team in tracker.teams().filter(|team| (wanted.label)("team", team.as_str())) {
        for (measure, course) in tracker.courses(team) {
            let mut found = Found::new(metric, wanted);
            for (at, day) in &days {
                let next = course.partition_point(|(from, _)| from <= day);
                if let Some((since, state)) = next.checked_sub(1).and_then(|last| course.get(last)) {
                    let labels = (team, measure.label());
                    found.take(*at, samples(metric, told, labels, *state, since.begin(timezone).seconds()));
                }
            }
            all.extend(found.series());
        }
    }
    all
}

fn samples<'a>(
    metric: &'static Metric,
    told: Told,
    (team, measure): (&'a TeamSlug, &'a str),
    state: State,
    since_seconds: f64,
) -> Vec<Sample<'a>> {
    match told {
        Told::State => {
            let one = |any: State| {
                let value = if any == state { 1.0 } else { 0.0 };
                Sample::new(metric, &[team.as_str(), measure, any.label()], value)
            };
            State::ALL.map(one).into()
        }
        Told::Since => vec![Sample::new(metric, &[team.as_str(), measure], since_seconds)],
    }
}
