//! What `backtest` found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::Found;
use crate::engine::regression::backtest::{Backtest, Outcome, Plan, Rate, Tested};
use crate::model::day::WEEK;
use crate::model::measure::Measure;

/// Width of the names of measures.
const MEASURE_WIDTH: usize = 20;
/// Width of a rate with its interval.
const RATE_WIDTH: usize = 22;

/// A table for each team, and at the end what to write into the configuration.
pub(super) fn text(found: &[Found], plan: Plan) -> String {
    let mut text = format!(
        "False alarms a year, each with the interval in which it lies (95 %), in {} orders of each team's own blocks of \
         two weeks (seed {}).\n",
        plan.permutations, plan.seed
    );
    let mut raises = String::new();
    for Found { name, backtest } in found {
        text.push('\n');
        text.push_str(&team(name, backtest));
        for (measure, raise) in
            backtest.measures.iter().filter_map(|(measure, outcome)| Some((measure, raise(outcome)?)))
        {
            // Writing to a string cannot fail.
            let written = writeln!(
                raises,
                "\n[[raised]]\nteam = {name:?}\nmeasure = \"{}\"\nthreshold = {raise:.2}",
                measure.label()
            );
            debug_assert!(written.is_ok());
        }
    }
    if !raises.is_empty() {
        text.push_str(
            "\nTo raise these thresholds, add this to the configuration. Not where a team is worse in its own order and \
             that is true: it would hide the next such change. Declare an [[accepted]] new normal instead.\n",
        );
        text.push_str(&raises);
    }
    text
}

fn raise(outcome: &Outcome) -> Option<f64> {
    match outcome {
        Outcome::Insufficient => None,
        Outcome::Tested(tested) => tested.raise,
    }
}

fn team(name: &str, backtest: &Backtest) -> String {
    let Backtest { budget, alarms, raised, measures } = backtest;
    let Some(alarms) = alarms else {
        return format!("{name}: insufficient history\n");
    };
    let mut lines = vec![name.to_owned()];
    for (measure, outcome) in measures {
        lines.push(line(*measure, outcome));
    }
    let mut all = format!("  {:<MEASURE_WIDTH$}  {:<RATE_WIDTH$}  budget {budget:.2}", "all", rate(*alarms));
    if let Some(raised) = raised {
        all.push_str(": more than twice; with these thresholds ");
        all.push_str(&rate(*raised));
    }
    lines.push(all);
    lines.join("\n") + "\n"
}

fn line(measure: Measure, outcome: &Outcome) -> String {
    let name = measure.label();
    match outcome {
        Outcome::Insufficient => format!("  {name:<MEASURE_WIDTH$}  insufficient history"),
        Outcome::Tested(Tested { history, answered, alarms, threshold, raise, regressed }) => {
            let weeks = history.end.since(history.start) / WEEK;
            let raise = raise.map_or(String::new(), |raise| format!(", raise to {raise:.2}"));
            let regressed =
                regressed.map_or(String::new(), |day| format!("; in its own order worse since {day}"));
            let answered = answered * 100.0;
            format!(
                "  {name:<MEASURE_WIDTH$}  {:<RATE_WIDTH$}  {weeks} weeks, {answered:.0} % of looks answered, regressed from {threshold:.2}{raise}{regressed}",
                rate(*alarms)
            )
        }
    }
}

fn rate(rate: Rate) -> String {
    format!("{:.2} ({:.2} to {:.2})", rate.per_year, rate.interval.lower, rate.interval.upper)
}

#[derive(Serialize)]
struct Answer<'f> {
    permutations: u32,
    seed: u64,
    teams: Vec<Team<'f>>,
}

#[derive(Serialize)]
struct Team<'f> {
    name: &'f str,
    /// False alarms per year that a team may have.
    budget_per_year: f64,
    /// Absent where the history is insufficient.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<Alarms>,
    /// With the raised thresholds; absent where none needs to be raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    raised: Option<Alarms>,
    measures: Vec<Row>,
}

#[derive(Serialize)]
struct Alarms {
    episodes: u64,
    per_year: f64,
    lower: f64,
    upper: f64,
}

#[derive(Serialize)]
struct Row {
    measure: &'static str,
    /// Whether there was enough to look at; if not, nothing else is here.
    sufficient: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The day after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<Alarms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raise: Option<f64>,
    /// Since when the history in its own order was last called worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    regressed: Option<String>,
}

/// The same as JSON.
pub(super) fn json(found: &[Found], plan: Plan) -> anyhow::Result<String> {
    let teams = found.iter().map(|Found { name, backtest }| Team {
        name,
        budget_per_year: backtest.budget,
        alarms: backtest.alarms.map(Alarms::from),
        raised: backtest.raised.map(Alarms::from),
        measures: backtest.measures.iter().map(|(measure, outcome)| row(*measure, outcome)).collect(),
    });
    let answer = Answer { permutations: plan.permutations, seed: plan.seed, teams: teams.collect() };
    Ok(serde_json::to_string_pretty(&answer)?)
}

impl From<Rate> for Alarms {
    fn from(Rate { episodes, per_year, interval }: Rate) -> Self {
        Self { episodes, per_year, lower: interval.lower, upper: interval.upper }
    }
}

fn row(measure: Measure, outcome: &Outcome) -> Row {
    let measure = measure.label();
    match outcome {
        Outcome::Insufficient => Row {
            measure,
            sufficient: false,
            from: None,
            to: None,
            answered_ratio: None,
            alarms: None,
            threshold: None,
            raise: None,
            regressed: None,
        },
        Outcome::Tested(Tested { history, answered, alarms, threshold, raise, regressed }) => Row {
            measure,
            sufficient: true,
            from: Some(history.start.to_string()),
            to: Some(history.end.to_string()),
            answered_ratio: Some(*answered),
            alarms: Some((*alarms).into()),
            threshold: Some(*threshold),
            raise: *raise,
            regressed: regressed.map(|day| day.to_string()),
        },
    }
}
