//! One look a day at each measure of a team: from its series to states with their evidence. A pure function of facts
//! and days: the same series give the same looks, in whatever pieces they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::regression::compare::{BASELINE, BASELINE_MIN, Comparison, Scope, WINDOWS, compare};
use crate::engine::regression::explain::ratio;
use crate::engine::regression::machine::{Alarms, Machine, Score, Signs, State};
use crate::engine::regression::series::{TeamSeries, Timeline};
use crate::engine::regression::standing::Newest;
use crate::engine::regression::suspect::{Doubt, Witness};
use crate::engine::regression::threshold::Thresholds;
use crate::model::day::Day;
use crate::model::measure::{Measure, Sensitivity};
use crate::model::time::Span;

/// The weekday whose ranks stand over the weekend, from Monday, 0.
const FRIDAY: i64 = 4;

/// How the detector looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many false alarms are worth an early one.
    pub sensitivity: Sensitivity,
    /// Until how long after a deployment its failure may show (`definitions.md` 4.3).
    pub attribution_window: Span,
    /// New normals that owners declared.
    pub accepted: Vec<Acceptance>,
    /// Of measures that alarm too often on the team's own history, shuffled: from which score on they do, if that is
    /// more than the usual one.
    pub raised: BTreeMap<Measure, f64>,
}

impl Settings {
    /// What a measure's score is held against. Thresholds can be raised, never lowered.
    pub fn thresholds(&self, measure: Measure) -> Thresholds {
        let usual = measure.thresholds(self.sensitivity);
        let raised = self.raised.get(&measure).copied().unwrap_or(usual.regressed);
        Thresholds { regressed: usual.regressed.max(raised), ..usual }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sensitivity: Sensitivity::Quiet,
            attribution_window: Span::from_hours(24),
            accepted: Vec::new(),
            raised: BTreeMap::new(),
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
    /// Why the numbers themselves are doubted, where they would be called a regression.
    pub doubt: Option<Doubt>,
}

/// That a state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transition {
    /// In what.
    pub measure: Measure,
    /// On which day.
    pub day: Day,
    /// How the team stood the day before.
    pub from: State,
    /// How it stands since.
    pub to: State,
}

impl Look {
    /// Before a team has a history there is nothing to look at.
    fn before_history(measure: Measure, day: Day) -> Self {
        Self {
            measure,
            day,
            state: State::Insufficient,
            since: day,
            previous: State::Insufficient,
            score: None,
            evidence: None,
            raw: None,
            frozen: None,
            doubt: None,
        }
    }

    /// Whether the state changed.
    pub fn is_transition(&self) -> bool {
        self.state != self.previous
    }

    /// The change of the state, if it changed.
    pub fn transition(&self) -> Option<Transition> {
        let Self { measure, day, state, previous, .. } = self;
        let found = Transition { measure: *measure, day: *day, from: *previous, to: *state };
        self.is_transition().then_some(found)
    }
}

/// A team as it is looked at. Teams may have calendars of their own, and normals that their owners declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// What happened.
    pub series: TeamSeries,
    /// What its days were worth.
    pub calendar: Calendar,
    /// How it is looked at.
    pub settings: Settings,
    /// What its numbers are held against before they are called a regression; nothing in `replay`.
    pub witness: Option<Witness>,
}

impl Watched {
    /// The same, borrowed.
    pub fn member(&self) -> Member<'_> {
        let Self { series, calendar, settings, witness } = self;
        Member { series, calendar, settings, witness: witness.as_ref() }
    }
}

/// A team as it is looked at, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Member<'m> {
    /// What happened.
    pub series: &'m TeamSeries,
    /// What its days were worth.
    pub calendar: &'m Calendar,
    /// How it is looked at.
    pub settings: &'m Settings,
    /// What its numbers are held against.
    pub witness: Option<&'m Witness>,
}

/// What is looked at beside the team itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) calendar: &'s Calendar,
    pub(crate) settings: &'s Settings,
    pub(crate) witness: Option<&'s Witness>,
    /// On which days half of the organisation looks the same in a measure.
    pub(crate) together: &'s BTreeSet<(Measure, Day)>,
}

/// All looks of a team alone from `from` until before `to`, by measure and day. All of its history is looked through
/// for it, since a state has a past.
pub fn looks(series: &TeamSeries, calendar: &Calendar, settings: &Settings, days: &Range<Day>) -> Vec<Look> {
    let member = Member { series, calendar, settings, witness: None };
    looks_among(member, &SharedShift::new(), &BTreeSet::new(), days)
}

/// As [`looks`], of a team among others: with what the weeks were worth to these, and on which days half of them
/// look the same.
pub(crate) fn looks_among(
    Member { series, calendar, settings, witness }: Member<'_>,
    shared: &SharedShift,
    together: &BTreeSet<(Measure, Day)>,
    days: &Range<Day>,
) -> Vec<Look> {
    let timeline = Timeline::new(series, calendar, shared, days.end);
    let around = Surroundings { calendar, settings, witness, together };
    let mut looks = Vec::new();
    for measure in Measure::ALL {
        let mut course = Course::new(&timeline, measure, around);
        for offset in 0..days.end.since(series.since.min(days.start)).max(0) {
            let day = series.since.min(days.start).plus(offset);
            let look = course.look(day).0;
            if day >= days.start {
                looks.push(look);
            }
        }
    }
    looks
}

/// A measure on its way through a team's history, day by day.
pub(crate) struct Course<'c> {
    timeline: &'c Timeline,
    measure: Measure,
    around: Surroundings<'c>,
    machine: Machine,
    last: Option<Assessment>,
    accepted_since: Option<Day>,
}

impl<'c> Course<'c> {
    /// At the beginning of the history.
    pub(crate) fn new(timeline: &'c Timeline, measure: Measure, around: Surroundings<'c>) -> Self {
        let machine = Machine::new(timeline.since);
        Self { timeline, measure, around, machine, last: None, accepted_since: None }
    }

    /// The first day from which on the looks are those that are made from the beginning on: of ranks, the weekend
    /// needs Friday's.
    pub(crate) fn resumes_on(&self, day: Day) -> Day {
        let friday = day.monday().plus(FRIDAY);
        let carried = self.measure.is_time() && day > friday;
        if carried { friday.max(self.timeline.since) } else { day }
    }

    /// A look that was made before, of which only its signs are left.
    pub(crate) fn replay(&mut self, day: Day, signs: Signs) {
        self.accept(day);
        self.last = None;
        self.machine.look(day, signs, self.alarms(day));
    }

    /// After the last of them, what it saw.
    pub(crate) fn carry_on(&mut self, look: Look) {
        let Look { score, raw, evidence, doubt, .. } = look;
        self.last = Some(Assessment { score, raw, evidence, doubt });
    }

    /// Looks.
    pub(crate) fn look(&mut self, day: Day) -> (Look, Signs) {
        let Surroundings { settings, .. } = self.around;
        let previous = self.machine.state();
        if day < self.timeline.since {
            return (Look::before_history(self.measure, day), Signs::UNANSWERED);
        }
        let since = self.accept(day).map_or(self.timeline.since, |from| from.max(self.timeline.since));
        // Deployments of a weekend are few and odd: for ranks, Friday's look stands until Monday.
        let carried = self.last.take().filter(|_| self.measure.is_time() && day.is_weekend());
        let frozen = self.machine.frozen();
        let assessment = carried.unwrap_or_else(|| {
            assess(self.timeline, self.measure, self.around, day, (frozen.unwrap_or(day), since))
        });
        let signs = Signs::of(assessment.score, settings.thresholds(self.measure));
        let signs = if assessment.doubt.is_some() { signs.doubted() } else { signs };
        self.machine.look(day, signs, self.alarms(day));
        let look = Look {
            measure: self.measure,
            day,
            state: self.machine.state(),
            since: self.machine.since(),
            previous,
            score: assessment.score,
            evidence: assessment.evidence.clone(),
            raw: assessment.raw,
            frozen,
            doubt: assessment.doubt,
        };
        self.last = Some(assessment);
        (look, signs)
    }

    /// A look with the ratio that it is shown with.
    pub(crate) fn measured(&self, look: Look) -> Newest {
        let Surroundings { calendar, settings, .. } = self.around;
        let (bounds, shift) = ratio(self.timeline, calendar, settings, &look);
        Newest { look, bounds, shift }
    }

    /// Begins anew where an owner declared a new normal; the newest declaration.
    fn accept(&mut self, day: Day) -> Option<Day> {
        let accepted = accepted(self.around.settings, self.measure, day);
        if accepted != self.accepted_since {
            self.accepted_since = accepted;
            self.machine.accept(day);
            self.last = None;
        }
        accepted
    }

    fn alarms(&self, day: Day) -> Alarms {
        if self.around.together.contains(&(self.measure, day)) { Alarms::Shared } else { Alarms::On }
    }
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
    doubt: Option<Doubt>,
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
    let signs = Signs::of(score, around.settings.thresholds(measure));
    // A doubt matters only where there is something to doubt.
    let alarming = evidence.as_ref().zip(around.witness).filter(|_| signs.alarming());
    let doubt = alarming.and_then(|(evidence, witness)| witness.doubt(measure, timeline, evidence));
    Assessment { score, raw: raw.map(|(z, _)| z), evidence, doubt }
}
