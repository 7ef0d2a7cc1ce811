//! The page of a measure of a team: how it stands and why, in words that can be checked.

use askama::Template;

use super::evidence::Evidence;
use super::words;
use crate::engine::count::real;
use crate::engine::regression::compare::{BASELINE_MIN, WINDOWS};
use crate::engine::regression::explain::Explanation;
use crate::engine::regression::machine::State;
use crate::engine::regression::pointers::{Pointer, WeekFacts};
use crate::engine::regression::suspect::Doubt;
use crate::model::measure::Measure;
use crate::model::time::Span;
use crate::model::transition::Withdrawal;

#[derive(Template)]
#[template(path = "measure.html")]
struct Page<'a> {
    organization: &'a str,
    evidence: &'a Evidence,
}

/// The page.
pub(super) fn measure(organization: &str, evidence: &Evidence) -> Result<String, askama::Error> {
    Page { organization, evidence }.render()
}

/// What a measure is called on pages.
pub(super) const fn title(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay => "Deployment frequency",
        Measure::LeadTime => "Lead time for changes",
        Measure::ChangeFailRatio => "Change fail rate",
        Measure::IncidentsPerDay => "Incidents per day",
        Measure::RecoveryTime => "Failed deployment recovery time",
        Measure::ReworkRatio => "Deployment rework rate",
    }
}

/// A state in a word or two.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Insufficient => "not enough history",
        State::Ok => "as usual",
        State::Watch => "to be watched",
        State::Regressed => "regressed",
        State::Recovering => "recovering",
        State::Improved => "improved",
        State::DataSuspect => "data suspect",
        State::Accepted => "new normal",
    }
}

impl Page<'_> {
    fn meaning(&self) -> &'static str {
        match self.evidence.look.state {
            State::Insufficient => "There is too little to compare with the team's own past.",
            State::Ok => "Nothing that the team's own history does not explain.",
            State::Watch => "Worse than the team's own history explains, but not beyond doubt.",
            State::Regressed => {
                "Worse than the team's own history explains, beyond doubt at the known false-alarm rate."
            }
            State::Recovering => "It was worse, and is no longer so; not for long enough to be over.",
            State::Improved => "Better than the team's own history explains.",
            State::DataSuspect => "The numbers moved, but probably because what they are made of did.",
            State::Accepted => "The team's owner declared a new normal, of which there is not enough yet.",
        }
    }

    fn title(&self) -> &'static str {
        title(self.evidence.look.measure)
    }

    fn state(&self) -> &'static str {
        state(self.evidence.look.state)
    }

    /// A value of the measure in words.
    fn value(&self, value: f64) -> String {
        words::amount(self.evidence.look.measure, value)
    }

    /// What the n of a sample counts.
    fn counted(&self) -> &'static str {
        match self.evidence.look.measure {
            Measure::DeploymentsPerDay | Measure::ChangeFailRatio | Measure::ReworkRatio => "deployments",
            Measure::LeadTime => "deployments with changes",
            Measure::IncidentsPerDay => "incidents",
            Measure::RecoveryTime => "failed deployments",
        }
    }

    /// What the part of a sample counts, if it has one.
    fn of_which(&self) -> Option<&'static str> {
        match self.evidence.look.measure {
            Measure::ChangeFailRatio => Some("failed"),
            Measure::ReworkRatio => Some("unplanned"),
            Measure::DeploymentsPerDay
            | Measure::LeadTime
            | Measure::IncidentsPerDay
            | Measure::RecoveryTime => None,
        }
    }

    fn ratio(explained: &Explanation) -> String {
        let ratio = explained.shift.unwrap_or(explained.comparison.ratio);
        match explained.ratio {
            None => format!("{ratio:.2} times the baseline; too few to say what that lies in"),
            Some(bounds) => {
                format!(
                    "{ratio:.2} times the baseline, 95 % interval {:.2} to {:.2}",
                    bounds.lower, bounds.upper
                )
            }
        }
    }

    fn score(&self) -> String {
        let thresholds = self.evidence.thresholds;
        let score = self.evidence.look.score.map_or(0.0, |score| score.worse);
        format!(
            "{score:.2}; it takes {:.2} to be watched and {:.2} to have regressed, on two days on end",
            thresholds.watch, thresholds.regressed
        )
    }

    fn doubt(doubt: &Doubt) -> String {
        match doubt {
            Doubt::Blind { days, of } => {
                format!("A source was not read on {days:.0} of the {of:.0} days of the window.")
            }
            Doubt::Discovery { deployments, merges } => format!(
                "Deployments are at {} of what they were and merges into the default branch at {}: deployments are \
                 probably not found any more. See the rule of each repository on the page of sources.",
                words::share(*deployments),
                words::share(*merges)
            ),
            Doubt::Linkage { now, before } => format!(
                "It is known what {} of the deployments brought; it was {}. See the page of sources.",
                words::share(*now),
                words::share(*before)
            ),
        }
    }

    /// How long the window is, in days.
    fn days(explained: &Explanation) -> i64 {
        let recent = &explained.comparison.recent;
        recent.end.since(recent.start)
    }

    /// An address that a browser may be sent to: what a source calls one may be anything.
    fn link(pointer: &Pointer) -> Option<&str> {
        pointer.url.as_deref().filter(|url| words::is_of_the_web(url))
    }

    fn at(pointer: &Pointer) -> String {
        words::instant(pointer.at)
    }

    fn withdrawn(Withdrawal { at, reason }: &Withdrawal) -> String {
        format!("withdrawn on {}: {reason}", words::instant(*at))
    }

    /// What is missing where there is too little.
    fn missing(&self) -> String {
        let evidence = self.evidence;
        let history = real(evidence.look.day.since(evidence.since).max(0).unsigned_abs());
        let needed = WINDOWS.iter().min().copied().unwrap_or_default() + BASELINE_MIN;
        if history < real(needed.max(0).unsigned_abs()) {
            format!(
                "A comparison needs {needed} days of history; there are {history:.0}, since {}.",
                evidence.since
            )
        } else {
            format!("There are too few {} in the window or in its baseline.", self.counted())
        }
    }

    /// Whether there is anything to be over.
    fn is_trouble(&self) -> bool {
        match self.evidence.look.state {
            State::Watch | State::Regressed | State::Recovering | State::DataSuspect => true,
            State::Insufficient | State::Ok | State::Improved | State::Accepted => false,
        }
    }

    fn clears(&self) -> String {
        let (Some(explained), Some(value)) = (&self.evidence.explained, self.evidence.clears_at()) else {
            return String::new();
        };
        let side = if self.evidence.look.measure.less_is_worse() { "above" } else { "below" };
        let clears = &explained.clears;
        format!(
            "Evidence below {:.2} for {} looks on end. That is certain once every window is {side} {}: then the \
             difference is too small to matter.",
            clears.score_below,
            clears.looks,
            self.value(value)
        )
    }

    /// The weeks with what happened in them.
    fn weeks<'e>(
        &self,
        explained: &'e Explanation,
    ) -> impl Iterator<Item = (&'e crate::engine::regression::explain::WeekPull, &WeekFacts)> {
        explained.weeks.iter().zip(&self.evidence.facts)
    }

    fn took(&self, pointer: &Pointer) -> String {
        match (self.evidence.look.measure, pointer.took) {
            (_, Some(span)) => words::span(span.max(Span::ZERO)),
            (Measure::RecoveryTime, None) => "not recovered yet".to_owned(),
            (_, None) => String::new(),
        }
    }
}
