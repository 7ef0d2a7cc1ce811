//! What the example organisation wants: a north star, and a signal of one team. Their values are functions of time,
//! so that they move and are the same whenever they are asked for.

use std::f64::consts::TAU;
use std::path::Path;

use super::generate::TEAMS;
use crate::model::time::{Span, Timestamp};

/// How long they have been measured when the example begins.
pub const MEASURED: Span = Span::from_days(90);
/// How long the organisation has for the rest of the way.
const LEFT: Span = Span::from_days(75);
/// The periods of their ups and downs, and how large these are, as parts of the way: weeks, and a minute and a half,
/// so that somebody who looks sees them move.
const WAVES: [(Span, f64); 3] =
    [(Span::from_days(7), 0.05), (Span::from_days(23), 0.08), (Span::from_seconds(97), 0.02)];

/// A number of the example organisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Its name, as it is pushed.
    pub name: &'static str,
    /// The team whose it is; `None`: it is the north star.
    pub team: Option<&'static str>,
    title: &'static str,
    format: &'static str,
    start: f64,
    target: f64,
    /// The part of the way that it has come when the example begins.
    come: f64,
}

/// All of them.
pub const SIGNALS: [Signal; 2] = [
    Signal {
        name: "checkout-conversion",
        team: None,
        title: "Visitors who complete checkout",
        format: "percent",
        start: 0.031,
        target: 0.040,
        come: 0.55,
    },
    Signal {
        name: "support-requests",
        team: Some(TEAMS[0].team),
        title: "Support requests per 1,000 orders",
        format: "number",
        start: 14.0,
        target: 8.0,
        come: 0.4,
    },
];

impl Signal {
    /// What it is at an instant; the example began at `began`.
    pub fn value(&self, at: Timestamp, began: Timestamp) -> f64 {
        let share = at.since(began.minus(MEASURED)).seconds() / MEASURED.seconds();
        let waves = WAVES.iter().map(|(period, size)| size * (TAU * at.seconds() / period.seconds()).sin());
        let way = self.come * share + waves.sum::<f64>();
        self.start + way * (self.target - self.start)
    }
}

/// Their configuration, in TOML; their values are pushed with the token in this file.
pub fn config_toml(push_token_file: &Path, began: Timestamp) -> String {
    let file = toml::Value::String(push_token_file.to_string_lossy().into_owned());
    let by = began.plus(LEFT).datetime().date_naive();
    let signals = SIGNALS.iter().map(|Signal { name, team, title, format, start, target, come: _ }| {
        let header = team.map_or("[[north_star]]".to_owned(), |team| format!("[[signals]]\nteam = {team:?}"));
        format!(
            "{header}\nname = {name:?}\ntitle = {title:?}\nformat = {format:?}\nstart = {start:?}\n\
             target = {target:?}\nby = \"{by}\"\n"
        )
    });
    let push = format!("\n[server.push]\ntoken_file = {file}\n");
    [push].into_iter().chain(signals).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_have_come_some_of_the_way_and_move() {
        let began = Timestamp::from_seconds(1_790_000_000);
        for signal in SIGNALS {
            let way = |at| (signal.value(at, began) - signal.start) / (signal.target - signal.start);
            let first = way(began.minus(MEASURED));
            assert!((-0.2..0.2).contains(&first), "{}: {first}", signal.name);
            let now = way(began);
            assert!((signal.come - 0.2..signal.come + 0.2).contains(&now), "{}: {now}", signal.name);
            assert!((way(began.plus(Span::from_seconds(20))) - now).abs() > 1e-4, "{}", signal.name);
        }
    }
}
