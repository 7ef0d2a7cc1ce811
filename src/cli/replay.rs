//! `sextant replay`: the statistics over given facts, one look a day; no sources, no store, no network. The format is
//! in `docs/statistics.md`.

use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;

use super::{Failure, complain};
use crate::engine::regression::detect::{Settings, looks};
use crate::engine::regression::headline::Headlines;
use crate::model::day::Day;
use crate::model::measure::Measure;

pub(super) mod facts;
mod table;

use facts::TeamFacts;

/// The window of the value and its interval, in days: the shortest that is compared.
const HEADLINE_WINDOW: i64 = 28;

const COLUMNS: [&str; 9] = ["team", "metric", "date", "state", "score", "value", "lower", "upper", "n"];

/// What a measure is called in this format.
const fn metric(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay => "deployment_frequency",
        Measure::LeadTime => "lead_time",
        Measure::ChangeFailRatio => "change_fail_rate",
        Measure::IncidentsPerDay => "incident_rate",
        Measure::RecoveryTime => "recovery_time",
        Measure::ReworkRatio => "rework_rate",
    }
}

/// Reads the facts in `folder`, and writes what they say to `out`.
pub(super) fn run(folder: &Path, out: &Path) -> Result<(), Failure> {
    let teams = facts::read(folder).map_err(Failure::Usage)?;
    let Some(days) = days(&teams) else {
        let mend = "each team is a folder with a deployments.csv or an incidents.csv";
        return Err(Failure::Usage(format!("{}: no facts; {mend}", folder.display())));
    };
    let file = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    let written = write(&mut writer, &teams, &days);
    written.with_context(|| format!("cannot write {}", out.display()))?;
    Ok(())
}

/// From the first day of any team until the day after the last one: the first look that sees all of it.
fn days(teams: &[TeamFacts]) -> Option<Range<Day>> {
    let first = teams.iter().filter_map(|team| team.days.as_ref().map(|days| days.start)).min()?;
    let last = teams.iter().filter_map(|team| team.days.as_ref().map(|days| days.end)).max()?;
    // `end` is the day after the last fact; that day is looked on, too.
    Some(first..last.plus(1))
}

fn write(
    writer: &mut csv::Writer<BufWriter<File>>,
    teams: &[TeamFacts],
    days: &Range<Day>,
) -> anyhow::Result<()> {
    writer.write_record(COLUMNS)?;
    for (index, team) in teams.iter().enumerate() {
        let headlines = Headlines::new(&team.series, &team.calendar, days.end);
        for look in looks(&team.series, &team.calendar, &Settings::default(), days) {
            let headline = headlines.on(look.measure, look.day, HEADLINE_WINDOW);
            let number = |number: Option<f64>| number.map_or_else(String::new, |found| format!("{found:.6}"));
            writer.write_record([
                &team.name,
                metric(look.measure),
                &look.day.to_string(),
                look.state.label(),
                &number(look.score.map(|score| score.worse)),
                &number(headline.value),
                &number(headline.interval.map(|interval| interval.lower)),
                &number(headline.interval.map(|interval| interval.upper)),
                &headline.n.to_string(),
            ])?;
        }
        complain(&format!(
            "{} of {}: {}, {} days",
            index + 1,
            teams.len(),
            team.name,
            days.end.since(days.start)
        ));
    }
    writer.flush()?;
    Ok(())
}
