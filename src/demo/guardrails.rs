//! The limits inside of which the example organisation wants its teams to find their own ways.

use super::generate::TEAMS;

/// A limit of a measure, by its name, over one of the windows.
#[derive(Debug, Clone, Copy)]
struct Guardrail {
    name: &'static str,
    measure: &'static str,
    /// A share, or a duration in quotes.
    max: &'static str,
    window: &'static str,
    teams: &'static [&'static str],
}

/// Two for everybody, and a tighter one that a team has set itself.
const GUARDRAILS: [Guardrail; 3] = [
    Guardrail {
        name: "change-fail",
        measure: "change_fail_ratio",
        max: "0.15",
        window: "90d",
        teams: &["*", "!unowned"],
    },
    Guardrail {
        name: "lead-time",
        measure: "lead_time",
        max: "\"7d\"",
        window: "30d",
        teams: &["*", "!unowned"],
    },
    Guardrail {
        name: "lead-time",
        measure: "lead_time",
        max: "\"1d\"",
        window: "30d",
        teams: &[TEAMS[0].team],
    },
];

/// Their configuration, in TOML.
pub fn config_toml() -> String {
    let tables = GUARDRAILS.iter().map(|Guardrail { name, measure, max, window, teams }| {
        format!(
            "\n[[guardrails]]\nname = {name:?}\nmeasure = {measure:?}\nmax = {max}\nwindow = {window:?}\n\
             teams = {teams:?}\n"
        )
    });
    tables.collect()
}
