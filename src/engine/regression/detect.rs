//! One look a day at each measure of a team: from its series to states with their evidence. A pure function of facts
//! and days: the same series give the same looks, in whatever pieces they are asked for.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::regression::compare::{BASELINE, BASELINE_MIN, Comparison, Scope, WINDOWS, compare};
use crate::engine::regression::machine::{Alarms, Machine, Score, State};
use crate::engine::regression::series::{TeamSeries, Timeline};
use crate::model::day::Day;
use crate::model::measure::{Measure, Sensitivity};
use crate::model::time::Span;

/// How the detector looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many false alarms are worth an early one.
    pub sensitivity: Sensitivity,
    /// Until how long after a deployment its failure may show (`definitions.md` 4.3).
    pub attribution_window: Span,
    /// New normals that owners declared.
    pub accepted: Vec<Acceptance>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sensitivity: Sensitivity::Quiet,
            attribution_window: Span::from_hours(24),
            accepted: Vec::new(),
        }
    }
}

/// That an owner declared a new normal: the baseline begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Of what.
    pub measure: Measure,
    /// From when on.
    pub from: Day,
    /// Why.
    pub reason: String,
}

/// One day's look at one measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What was looked at.
    pub measure: Measure,
    /// When: windows end the day before.
    pub day: Day,
    /// How the team stands.
    pub state: State,
    /// Since when it has stood so.
    pub since: Day,
    /// How it stood the day before.
    pub previous: State,
    /// How surprising, for the worse and for the better; `None` where there was too little to look at.
    pub score: Option<Score>,
    /// The window that speaks most for the state, with all of its numbers.
    pub evidence: Option<Comparison>,
    /// The largest z of all windows, before asking whether it matters: for digests.
    pub raw: Option<f64>,
    /// The day whose baseline it was compared with, if that is not this one.
    pub frozen: Option<Day>,
}

impl Look {
    /// Whether the state changed.
    pub fn is_transition(&self) -> bool {
        self.state != self.previous
    }
}

/// What is looked at beside the team itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) calendar: &'s Calendar,
    pub(crate) settings: &'s Settings,
    /// What the weeks were worth to the other teams.
    pub(crate) shared: &'s SharedShift,
    /// On which days half of the organisation looks the same in a measure.
    pub(crate) together: &'s BTreeSet<(Measure, Day)>,
}

/// All looks of a team alone from `from` until before `to`, by measure and day. All of its history is looked through
/// for it, since a state has a past.
pub fn looks(series: &TeamSeries, calendar: &Calendar, settings: &Settings, days: &Range<Day>) -> Vec<Look> {
    let (shared, together) = (SharedShift::new(), BTreeSet::new());
    let alone = Surroundings { calendar, settings, shared: &shared, together: &together };
    looks_among(series, alone, days)
}

/// As [`looks`], of a team among others.
pub(crate) fn looks_among(series: &TeamSeries, around: Surroundings<'_>, days: &Range<Day>) -> Vec<Look> {
    let timeline = Timeline::new(series, around.calendar, around.shared, days.end);
    let mut looks = Vec::new();
    for measure in Measure::ALL {
        looks.extend(follow(&timeline, measure, around, days));
    }
    looks
}

/// A measure from the beginning of the team's history on.
fn follow(timeline: &Timeline, measure: Measure, around: Surroundings<'_>, days: &Range<Day>) -> Vec<Look> {
    let begin = timeline.since.min(days.start);
    let thresholds = measure.thresholds(around.settings.sensitivity);
    let mut machine = Machine::new(thresholds, begin);
    let mut looks = Vec::new();
    let mut last: Option<Assessment> = None;
    let mut accepted_since = None;
    for offset in 0..days.end.since(begin).max(0) {
        let day = begin.plus(offset);
        let accepted = accepted(around.settings, measure, day);
        let previous = machine.state();
        if accepted != accepted_since {
            accepted_since = accepted;
            machine.accept(day);
            last = None;
        }
        let since = accepted.map_or(timeline.since, |from| from.max(timeline.since));
        // Deployments of a weekend are few and odd: for ranks, Friday's look stands until Monday.
        let carried = last.take().filter(|_| measure.is_time() && day.is_weekend());
        let frozen = machine.frozen();
        let assessment =
            carried.unwrap_or_else(|| assess(timeline, measure, around, day, (frozen.unwrap_or(day), since)));
        let alarms = if around.together.contains(&(measure, day)) { Alarms::Shared } else { Alarms::On };
        machine.look(day, assessment.score, alarms);
        if day >= days.start {
            looks.push(Look {
                measure,
                day,
                state: machine.state(),
                since: machine.since(),
                previous,
                score: assessment.score,
                evidence: assessment.evidence.clone(),
                raw: assessment.raw,
                frozen,
            });
        }
        last = Some(assessment);
    }
    looks
}

/// The newest declaration of a new normal that holds on a day.
fn accepted(settings: &Settings, measure: Measure, day: Day) -> Option<Day> {
    let of = settings.accepted.iter().filter(|accepted| accepted.measure == measure && accepted.from <= day);
    of.map(|accepted| accepted.from).max()
}

/// One look, before it becomes a state.
struct Assessment {
    score: Option<Score>,
    raw: Option<f64>,
    evidence: Option<Comparison>,
}

/// The scope of a window on a day, with the baseline of `based` in a history from `since` on; `None` where that is too
/// short.
pub(crate) fn scope(
    timeline: &Timeline,
    (calendar, settings): (&Calendar, &Settings),
    window: i64,
    day: Day,
    (based, since): (Day, Day),
) -> Option<Scope> {
    let recent = day.minus(window)..day;
    let end = based.minus(window);
    let baseline = since.max(end.minus(BASELINE))..end;
    if end.since(baseline.start) < BASELINE_MIN || recent.start < since {
        return None;
    }
    let complete = timeline.exposure.seen(&baseline);
    // Days are counted in halves below, so that no rounding of a sum of ones matters.
    if complete + 0.5 < crate::engine::count::real(BASELINE_MIN.unsigned_abs()) {
        return None;
    }
    let at = day.begin(calendar.timezone);
    Some(Scope { recent, baseline, day, at, mature_until: at.minus(settings.attribution_window) })
}

fn assess(
    timeline: &Timeline,
    measure: Measure,
    around: Surroundings<'_>,
    day: Day,
    based: (Day, Day),
) -> Assessment {
    let rules = (around.calendar, around.settings);
    let compared: Vec<Comparison> = WINDOWS
        .into_iter()
        .filter_map(|window| scope(timeline, rules, window, day, based))
        .filter_map(|scope| compare(timeline, measure, &scope))
        .collect();
    let most = |better: fn(&Comparison) -> Option<f64>| {
        let scored = compared.iter().filter_map(|found| Some((better(found)?, found)));
        scored.max_by(|(a, _), (b, _)| a.total_cmp(b))
    };
    let worse = most(|found| found.worse.then_some(found.z));
    let better = most(|found| found.better.then_some(-found.z));
    let raw = most(|found| Some(found.z));
    let score = raw.map(|_| Score {
        worse: worse.map_or(0.0, |(z, _)| z.max(0.0)),
        better: better.map_or(0.0, |(z, _)| z.max(0.0)),
    });
    let evidence = worse.or(better).or(raw).map(|(_, found)| found.clone());
    Assessment { score, raw: raw.map(|(z, _)| z), evidence }
}
