//! How teams stood, as history tells it: what was shown then.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use sextant::engine;
use sextant::engine::guardrail;
use sextant::engine::regression::machine::State;
use sextant::engine::regression::tracker::Tracker;
use sextant::engine::series::{Instants, Past};
use sextant::exposition::history::{self, Known, Plan, Series, Wanted};
use sextant::model::fact::Outcome;
use sextant::model::guardrail::{Guardrail, Limit};
use sextant::model::measure::{Measure, Stat};
use sextant::model::name::TeamSlug;
use sextant::model::regressions::TeamPatterns;
use sextant::model::time::{Span, Timestamp};

use crate::engine_bounds::{lasting, over, world};
use crate::engine_world::{DAY, minute};
use crate::story_states::Stage;

/// Values by the labels' values, in their order, and instant.
type Told = BTreeMap<(String, Timestamp), f64>;

/// What history says of a metric.
fn told(known: Known<'_>, name: &str, instants: &Instants) -> Told {
    let wanted = Wanted { instants, metric: &|metric| metric.name == name, label: &|_, _| true };
    let mut told = Told::new();
    let read = history::each(known, &wanted, |series| {
        let labels: Vec<_> = series.labels.iter().map(|(_, value)| value.as_str()).collect();
        for (at, value) in series.points {
            assert_eq!(told.insert((labels.join("/"), at), value), None);
        }
        Ok::<(), Infallible>(())
    });
    read.unwrap();
    told
}

/// What a label's value leaves of all series is what is told if it is asked for, and takes no longer.
fn narrows(known: Known<'_>, instants: &Instants) {
    let ask = |label: &dyn Fn(&str, &str) -> bool| {
        let wanted = Wanted { instants, metric: &|_| true, label };
        let plan = Plan::new(known, &wanted);
        let mut told = Vec::new();
        let read = plan.each(&|| Ok(()), |series| {
            told.push(series);
            Ok::<(), Infallible>(())
        });
        read.unwrap();
        (told, plan.worth())
    };
    let (all, worth) = ask(&|_, _| true);
    let values: usize = all.iter().map(|series| series.points.len()).sum();
    assert!(values > 0 && worth >= values, "{values} values are told, expected to take as long as {worth}");
    let labels: BTreeSet<_> = all.iter().flat_map(|series| series.labels.clone()).collect();
    for (name, value) in labels.into_iter().chain([("bound", "nope".to_owned())]) {
        let (found, less) = ask(&|label, other| label != name || other == value);
        let is_left =
            |series: &&Series| series.labels.iter().all(|(label, other)| *label != name || *other == value);
        let left: Vec<_> = all.iter().filter(is_left).cloned().collect();
        assert_eq!(found, left, "{name}={value}");
        assert!(less <= worth, "{name}={value}: {less} of {worth}");
    }
}

#[tokio::test]
async fn states_of_the_past_are_those_that_were_shown() {
    let mut stage = Stage::new().await;
    stage.deploy(1, 0..200, Some(Outcome::Success)).await;
    // Read much later than the other: it has no state on the first days.
    stage.deploy(2, 0..240, Some(Outcome::Success)).await;
    let (mut states, mut since, mut instants) = (Told::new(), Told::new(), Vec::new());
    let mut seen = Vec::new();
    let mut last = None;
    for day in (100..=240).filter(|day| day % 20 == 0 || *day > 212) {
        let computed = stage.compute(day).await;
        let at = computed.snapshot.at;
        instants.push(at);
        for ((team, measure), standing) in &computed.snapshot.standings {
            let labels = format!("{team}/{}", measure.label());
            for state in State::ALL {
                let value = if state == standing.state { 1.0 } else { 0.0 };
                states.insert((format!("{labels}/{}", state.label()), at), value);
            }
            since.insert((labels, at), standing.since.seconds());
            seen.push(standing.state);
        }
        last = Some(computed);
    }
    for state in [State::Insufficient, State::Ok, State::Regressed] {
        assert!(seen.contains(&state), "{state:?} was not seen: that would show nothing");
    }
    let last = last.unwrap();
    let known = Known { past: &last.past, tracker: &last.tracker };
    let instants: Instants = instants.into_iter().collect();
    assert_eq!(told(known, "dora_team_state", &instants), states);
    assert_eq!(told(known, "dora_team_state_since_timestamp_seconds", &instants), since);
    narrows(known, &instants.iter().step_by(9).collect());
    // Until a quarter past midnight it is the day before; before the first day there is nothing.
    let midnight = Timestamp::parse("2026-07-01T00:00:00Z").unwrap();
    let around = [14, 15].map(|minutes| midnight.plus(Span::from_minutes(minutes)));
    let day = |look: usize| {
        last.tracker.look(&"payments".into(), Measure::DeploymentsPerDay, {
            sextant::engine::regression::standing::day_of(around[look], chrono_tz::Tz::UTC)
        })
    };
    assert_eq!(day(1).unwrap().day.since(day(0).unwrap().day), 1);
    let before = [Timestamp::parse("2025-12-01T00:00:00Z").unwrap()].into_iter().collect();
    assert_eq!(told(known, "dora_team_state", &before), Told::new());
}

#[test]
fn guardrails_of_the_past_are_what_a_snapshot_says() {
    let guardrail = |measure, stat, limit, window: &str| Guardrail {
        name: format!("{}-{}", Measure::label(measure), Stat::label(stat)).into(),
        measure,
        stat,
        limit,
        window: sextant::model::settings::Window::parse(window).unwrap(),
        min_samples: 6,
        teams: TeamPatterns::parse(["*"]).unwrap(),
    };
    let mut steps = Vec::new();
    for day in 0..130 {
        let lead = if day < 100 { 60 + day % 10 * 60 } else { 9_000 };
        steps.push(lasting(day * DAY + DAY / 2, lead));
    }
    let world = over(world(&[steps]), &["7d", "35d"]).set(|settings| {
        settings.guardrails = vec![
            guardrail(Measure::LeadTime, Stat::P50, Limit::Max(18_000.0), "7d"),
            guardrail(Measure::LeadTime, Stat::P90, Limit::Max(36_000.0), "35d"),
            guardrail(Measure::DeploymentsPerDay, Stat::P50, Limit::Min(0.5), "7d"),
            guardrail(Measure::IncidentsPerDay, Stat::P50, Limit::Max(0.5), "35d"),
            guardrail(Measure::ChangeFailRatio, Stat::P50, Limit::Max(0.1), "35d"),
        ];
    });
    let (linked, inventory) = (Arc::new(world.linked()), Arc::new(world.inventory()));
    let past = Past { linked, inventory, settings: Arc::new(world.settings.clone()) };
    let instants = Instants::range(minute(55 * DAY), minute(130 * DAY), Span::from_hours(41));
    let (mut states, mut limits) = (Told::new(), Told::new());
    for at in instants.iter() {
        let snapshot = engine::snapshot(&past.linked, &past.inventory, &past.settings, at);
        for standing in guardrail::standings(&snapshot, &past.settings.guardrails) {
            let labels = format!("{}/{}", standing.team, standing.guardrail);
            for state in guardrail::State::ALL {
                let value = if state == standing.state { 1.0 } else { 0.0 };
                states.insert((format!("{labels}/{}", state.label()), at), value);
            }
            limits.insert((labels, at), standing.limit.value());
        }
    }
    for state in guardrail::State::ALL {
        let is_so = states.iter().any(|((labels, _), value)| labels.ends_with(state.label()) && *value > 0.5);
        assert!(is_so, "{state:?} does not occur: that would show nothing");
    }
    let known = Known { past: &past, tracker: &Tracker::default() };
    assert_eq!(told(known, "dora_team_guardrail", &instants), states);
    assert_eq!(told(known, "dora_team_guardrail_limit", &instants), limits);
    assert!(states.keys().all(|(labels, _)| labels.starts_with(TeamSlug::from("web").as_str())));
    narrows(known, &instants.iter().step_by(9).collect());
}
