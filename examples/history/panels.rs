//! What a Prometheus asks for that reads from the daemon: 90 days of one panel by the hour, of at least reference size S:
//! six teams of ten repositories, with years before. Series are made, not packed.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sextant::engine;
use sextant::engine::regression::tracker::Tracker;
use sextant::engine::series::{Instants, Past};
use sextant::exposition::history::{self, Known, Wanted};
use sextant::model::batch::{Coverage, Inventory};
use sextant::model::name::SourceName;
use sextant::model::settings::MetricSettings;
use sextant::model::time::Span;

use crate::DAYS;
use crate::world::{PAGER, World, day};

const TEAMS: u64 = 6;
/// What is asked for several times, to take the median of.
const RUNS: usize = 9;
const NUMBERS: [&str; 6] = [
    "deployments_per_day",
    "lead_time_seconds",
    "change_fail_ratio",
    "incidents_per_day",
    "recovery_time_seconds",
    "rework_ratio",
];

/// Prints a table: each number and what it lies in, over one window, of one team and of all of them.
pub(crate) fn measure() {
    let past = past();
    let instants = Instants::range(day(DAYS - 90), day(DAYS), Span::from_hours(1));
    println!("{} instants of one window of 30 days\n", instants.len());
    println!(
        "| panel | series of one team | ms | series of {TEAMS} teams | ms |\n| --- | --- | --- | --- | --- |"
    );
    for number in NUMBERS {
        for bound in ["", "_bound"] {
            let name = format!("dora_team_{number}{bound}");
            let (one, of_one) = panel(&past, &instants, &name, &|team| team == "t0");
            let (all, of_all) = panel(&past, &instants, &name, &|_| true);
            let millis = |took: Duration| took.as_secs_f64() * 1e3;
            println!("| {name} | {one} | {:.1} | {all} | {:.1} |", millis(of_one), millis(of_all));
        }
    }
}

fn past() -> Past {
    let settings = MetricSettings::new();
    let worlds: Vec<_> = (0..TEAMS).map(|team| World::new(team, &settings)).collect();
    let histories: Vec<_> = worlds.iter().flat_map(|world| world.histories.iter().cloned()).collect();
    let incidents: Vec<_> = worlds.iter().flat_map(|world| world.incidents.iter().cloned()).collect();
    let repositories = worlds.iter().flat_map(|world| &world.repositories);
    let repositories: Vec<_> = repositories.map(|(_, facts)| facts.repository.clone()).collect();
    let covered = repositories.iter().map(|repository| Coverage::Repository(repository.id.clone()));
    let covered = covered.chain([Coverage::Incidents(SourceName::new(PAGER))]);
    let covered = covered.map(|covered| (covered, day(0))).collect();
    Past {
        linked: Arc::new(engine::link(&histories, &incidents, &settings)),
        inventory: Arc::new(Inventory { covered, repositories, ..Inventory::default() }),
        settings: Arc::new(settings),
    }
}

/// How many series there are, and how long it takes to make them.
fn panel(past: &Past, instants: &Instants, name: &str, team: &dyn Fn(&str) -> bool) -> (usize, Duration) {
    let tracker = Tracker::default();
    let wanted = Wanted {
        instants,
        metric: &|metric| metric.name == name,
        label: &|label, value| match label {
            "window" => value == "30d",
            "team" => team(value),
            _ => true,
        },
    };
    let mut series = 0;
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        series = 0;
        let told = history::each(Known { past, tracker: &tracker }, &wanted, |found| {
            series += 1;
            black_box(found);
            Ok::<(), Infallible>(())
        });
        told.expect("nothing refuses them");
        took.push(started.elapsed());
    }
    took.sort_unstable();
    (series, took.get(RUNS / 2).copied().unwrap_or_default())
}
