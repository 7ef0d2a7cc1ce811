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

/// The teams that are asked for.
pub(super) fn teams<'a>(tracker: &'a Tracker, wanted: &'a Wanted<'_>) -> impl Iterator<Item = &'a TeamSlug> {
    tracker.teams().filter(|team| (wanted.label)("team", team.as_str()))
}

/// The series of all teams that are asked for, unless `go_on` fails.
pub(super) fn series<E>(
    metric: &'static Metric,
    told: Told,
    (tracker, timezone): (&Tracker, Tz),
    wanted: &Wanted<'_>,
    go_on: &dyn Fn() -> Result<(), E>,
) -> Result<Vec<Series>, E> {
    let days: Vec<_> = wanted.instants.iter().map(|at| (at, standing::day_of(at, timezone))).collect();
    let mut all = Vec::new();
    for team in teams(tracker, wanted) {
        let courses = tracker.courses(team);
        for (measure, course) in courses.filter(|(measure, _)| (wanted.label)("measure", measure.label())) {
            let mut found = Found::new(metric, wanted);
            for (at, day) in &days {
                go_on()?;
                let next = course.partition_point(|(from, _)| from <= day);
                if let Some((since, state)) = next.checked_sub(1).and_then(|last| course.get(last)) {
                    let labels = (team, measure.label());
                    found.take(*at, samples(metric, told, labels, *state, since.begin(timezone).seconds()));
                }
            }
            all.extend(found.series());
        }
    }
    Ok(all)
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
