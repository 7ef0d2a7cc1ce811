//! How good the detector is, on simulated histories of teams of which is known what was done to them:
//! `cargo run --release --example detector -- --teams 200 --seed 1`. Prints the table of `docs/statistics.md`: targets,
//! what was measured, and what is usually done instead on the same histories.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program is for")]
#![expect(clippy::wildcard_enum_match_arm, reason = "most changes leave most things as they are")]

use clap::Parser;

mod cells;
mod random;
mod rivals;
mod table;
mod world;

/// Measures R1 to R8.
#[derive(Debug, Parser)]
struct Arguments {
    /// Team-years of each size and profile; half as many for each injected change, at least 100.
    #[arg(long, default_value_t = 200)]
    teams: u64,
    /// The first seed; a different one makes different teams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these rows, by their beginning: `R1`, `R3 L`.
    #[arg(long)]
    only: Option<String>,
    /// Leaves out what is usually done instead, which takes longer than all the rest.
    #[arg(long)]
    without_rivals: bool,
    /// In how many orders the own history is tried where thresholds are raised by it.
    #[arg(long, default_value_t = 100)]
    permutations: u32,
}

fn main() {
    let Arguments { teams, seed, only, without_rivals, permutations } = Arguments::parse();
    table::head();
    let run = cells::Run { teams, seed, only, rivals: !without_rivals, permutations };
    run.false_alarms();
    run.less_alike();
    run.raised();
    run.power();
    run.nuisances();
    run.coverage();
    run.determinism();
}
