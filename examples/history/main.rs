//! How fast history is, at reference size L, as a table: `cargo run --release --example history`, and with
//! `-- late 50` what a late fact costs the daemon, of so many teams ([`late`]); with `-- panels` what a panel of a
//! Prometheus costs that reads from it ([`panels`]).
//!
//! 500 teams of ten repositories, five years: 2 M deployments, 10 M changes, 200 k incidents; every day of it, over three
//! windows. One team after the other, on one thread; what makes the facts is not counted. Compare the figures of one
//! run with each other; the machine and what else it does decide the rest.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a table is what this program is for, and it may stop"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sextant::engine;
use sextant::engine::link::Linked;
use sextant::engine::series::{History, Instants, Level, Parts, Timeline};
use sextant::model::batch::Inventory;
use sextant::model::settings::MetricSettings;
use sextant::model::time::Span;

mod late;
mod panels;
mod world;

use world::{World, attempt, day};

/// Reference size L, but for what the command line says.
const TEAMS: u64 = 500;
pub(crate) const DAYS: i64 = 1_826;
/// Late facts to take the median of.
const LATE_FACTS: u64 = 25;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == "panels").is_some() {
        return panels::measure();
    }
    let is_late = arguments.next_if(|argument| argument == "late").is_some();
    let teams = arguments.next().map_or(TEAMS, |teams| teams.parse().expect("a number of teams"));
    if is_late { late::measure(teams).expect("the store works") } else { full(teams) }
}

fn full(teams: u64) {
    let settings = MetricSettings::new();
    let mut total = Totals::default();
    let mut late = Vec::new();
    for team in 0..teams {
        let world = World::new(team, &settings);
        let linked = world.linked(&settings);
        total.add(&world, &linked, &settings);
        if late.len() < usize::try_from(LATE_FACTS).unwrap_or(usize::MAX) {
            late.push(late_fact(world, &linked, &settings));
        }
    }
    total.print(teams);
    late.sort_by_key(Late::whole);
    let median = late.get(late.len() / 2).expect("there is one");
    median.print();
}

fn all_days() -> Instants {
    Instants::range(day(1), day(DAYS), Span::from_days(1))
}

/// How long each part took for all teams.
#[derive(Default)]
struct Totals {
    index: Duration,
    timelines: Duration,
    sweeps: [Duration; 3],
    points: usize,
}

/// What is asked for: counts, rates and ratios alone; the six measures; everything but intervals.
const ASKED: [(&str, Parts); 3] = [
    ("counts, rates and ratios", Parts::COUNTS),
    ("the six measures, p50 and p90", Parts::LEAD_TIME.and(Parts::RECOVERY)),
    ("phases and severities too", Parts::VALUES),
];

impl Totals {
    fn add(&mut self, world: &World, linked: &Linked, settings: &MetricSettings) {
        let (inventory, days) = (Inventory::default(), all_days());
        let started = Instant::now();
        let history = History::new(linked, &inventory, settings);
        self.index += started.elapsed();
        let started = Instant::now();
        let timeline = history.timeline(&world.level(), &days, Parts::VALUES).expect("there is the team");
        self.timelines += started.elapsed();
        for (took, (_, parts)) in self.sweeps.iter_mut().zip(ASKED) {
            let started = Instant::now();
            for (_, values) in timeline.sweep(&settings.windows, parts, &days) {
                black_box(values);
            }
            *took += started.elapsed();
        }
        self.points += days.len() * settings.windows.len();
    }

    fn print(&self, teams: u64) {
        println!("full history of {teams} teams, {} points, one thread\n", self.points);
        println!("| part | seconds | µs per point |\n| --- | --- | --- |");
        let collecting = self.index + self.timelines;
        let points = u32::try_from(self.points).unwrap_or(u32::MAX);
        let row = |what: &str, took: Duration| {
            println!("| {what} | {:.2} | {:.2} |", took.as_secs_f64(), (took / points).as_secs_f64() * 1e6);
        };
        row("collecting what counts", collecting);
        for (took, (what, _)) in self.sweeps.iter().zip(ASKED) {
            row(what, *took);
            row(&format!("{what}, with collecting"), *took + collecting);
        }
    }
}

/// What one late fact costs.
struct Late {
    history: Duration,
    collecting: Duration,
    comparing: Duration,
    sweeping: Duration,
    points: usize,
}

impl Late {
    fn whole(&self) -> Duration {
        self.history + self.collecting + self.comparing + self.sweeping
    }

    fn print(&self) {
        println!(
            "\none late deployment of one team, median of {LATE_FACTS}: {} points are touched\n",
            self.points
        );
        println!("| part | milliseconds |\n| --- | --- |");
        for (what, took) in [
            ("its repository's history", self.history),
            ("collecting what counts for its component, then and now", self.collecting),
            ("which points it touches", self.comparing),
            ("those points of its team, everything", self.sweeping),
            ("together", self.whole()),
        ] {
            println!("| {what} | {:.2} |", took.as_secs_f64() * 1e3);
        }
    }
}

/// A deployment in the middle of the last year is found out about today. It can say something of its own component only;
/// that this is so is looked at, too, but not what that takes.
fn late_fact(mut world: World, before: &Linked, settings: &MetricSettings) -> Late {
    let (inventory, days, team) = (Inventory::default(), all_days(), world.level());
    let of = |history: &History<'_>, level: &Level| -> Timeline {
        history.timeline(level, &days, Parts::VALUES).expect("there is the level")
    };
    let longest = settings.windows.iter().map(|window| window.length).max().expect("there are windows");
    let (component, facts) = world.repositories.first_mut().expect("there is one");
    let level = Level::Component(component.team.clone(), component.name.clone());
    let landing = facts.commits.len() / 10 * 9;
    let commit = facts.commits.get(landing).expect("there is one").clone();
    let finished_at = commit.committed_at.plus(Span::from_minutes(1));
    facts.attempts.push(attempt(&component.repository, 9_999_999, commit.id, finished_at));

    let started = Instant::now();
    let history = engine::histories([&*component], facts, settings);
    let derived = started.elapsed();
    world.histories.truncate(0);
    world.histories.extend(history.into_iter().map(Arc::new));
    let again = world.repositories.iter().skip(1);
    let again: Vec<_> = again
        .flat_map(|(component, facts)| engine::histories([component], facts, settings))
        .map(Arc::new)
        .collect();
    world.histories.extend(again);
    let linked = world.linked(settings);
    let history_before = History::new(before, &inventory, settings);
    let history = History::new(&linked, &inventory, settings);
    let started = Instant::now();
    let (earlier, later) = (of(&history_before, &level), of(&history, &level));
    let collecting = started.elapsed();
    let started = Instant::now();
    let touched = earlier.touched(&later, longest);
    let comparing = started.elapsed();
    let whole = of(&history_before, &team).touched(&of(&history, &team), longest);
    assert_eq!(touched, whole, "the team is touched where its component is");
    let points: Instants =
        days.iter().filter(|at| touched.iter().any(|(after, through)| after < at && at <= through)).collect();
    let started = Instant::now();
    // What has to be known for these points alone.
    let part = history.timeline(&team, &points, Parts::VALUES).expect("there is the team");
    for (_, values) in part.sweep(&settings.windows, Parts::VALUES, &points) {
        black_box(values);
    }
    Late { history: derived, collecting, comparing, sweeping: started.elapsed(), points: points.len() }
}
