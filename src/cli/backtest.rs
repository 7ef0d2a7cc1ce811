//! `sextant backtest`: how often the detector alarms about each team's own history with its blocks of two weeks in
//! other orders, and which thresholds to raise where that is too often. Nothing is written.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::replay::facts;
use super::{Failure, complain, say};
use crate::engine::exposure::Calendar;
use crate::engine::regression::backtest::{Backtest, PERMUTATIONS, PERMUTATIONS_MAX, Plan, backtest};
use crate::engine::regression::detect::Settings;
use crate::engine::regression::series::TeamSeries;
use crate::model::day::Day;

mod answer;
mod collected;

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration; its store is read, and may be in use.
    #[arg(long, value_name = "FILE", required_unless_present = "facts", conflicts_with = "facts")]
    config: Option<PathBuf>,
    /// Facts as `replay` reads them, instead: a folder with a folder for each team.
    #[arg(long, value_name = "DIR")]
    facts: Option<PathBuf>,
    /// In how many orders: the more, the better the rate of false alarms is known, and the longer it takes.
    #[arg(long, value_name = "N", default_value_t = PERMUTATIONS, value_parser = clap::value_parser!(u32).range(2..=i64::from(PERMUTATIONS_MAX)))]
    permutations: u32,
    /// The same seed gives the same orders.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How the answer looks.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A team, and what of it is tried.
struct Team {
    name: String,
    series: TeamSeries,
    calendar: Calendar,
    settings: Settings,
    /// The day after the last one of its history.
    end: Day,
}

/// A team, and what came of it.
struct Found {
    name: String,
    backtest: Backtest,
}

/// Tries all teams.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let teams = match (&arguments.config, &arguments.facts) {
        (Some(config), _) => collected::teams(config)?,
        (None, Some(folder)) => from_facts(folder)?,
        (None, None) => Vec::new(),
    };
    let plan = Plan { permutations: arguments.permutations, seed: arguments.seed };
    let found = try_all(&teams, plan)?;
    match arguments.format {
        Format::Text => say(answer::text(&found, plan).trim_end()),
        Format::Json => say(&answer::json(&found, plan)?),
    }
    Ok(())
}

/// The teams of a folder, by name. Their days are UTC and the sensitivity is `quiet`, as `replay` has it.
fn from_facts(folder: &Path) -> Result<Vec<Team>, Failure> {
    let teams = facts::read(folder).map_err(Failure::Usage)?;
    let known = teams.into_iter().filter_map(|team| {
        let end = team.days?.end;
        let settings = Settings::default();
        Some(Team { name: team.name, series: team.series, calendar: team.calendar, settings, end })
    });
    let known: Vec<Team> = known.collect();
    if known.is_empty() {
        let mend = "each team is a folder with a deployments.csv or an incidents.csv";
        return Err(Failure::Usage(format!("{}: no facts; {mend}", folder.display())));
    }
    Ok(known)
}

/// On all cores, each of which takes the next team when it has done one; in the order of the teams.
fn try_all(teams: &[Team], plan: Plan) -> anyhow::Result<Vec<Found>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut found = Vec::new();
        while let Some((place, team)) = take(teams, &next) {
            let Team { name, series, calendar, settings, end } = team;
            let backtest = backtest(series, calendar, settings, *end, plan);
            found.push((place, Found { name: name.clone(), backtest }));
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            complain(&format!("{count} of {}: {name}", teams.len()));
        }
        found
    };
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut found = Vec::new();
    for part in parts {
        found.extend(part.map_err(|_| anyhow!("a thread of the backtest broke off; that is a bug"))?);
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

fn take<'t>(teams: &'t [Team], next: &AtomicUsize) -> Option<(usize, &'t Team)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    Some((place, teams.get(place)?))
}
