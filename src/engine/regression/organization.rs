//! What all teams share (`regressions.md` 3.2): a week in which everybody deploys less says nothing about one team,
//! and a change that half of the teams show has one cause, to be told once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::engine::count::real;
use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::regression::detect::{Look, Member, Settings, looks_among};
use crate::engine::regression::machine::Signs;
use crate::engine::regression::series::{TeamSeries, Timeline, middle};
use crate::model::day::{Day, WEEK};
use crate::model::measure::Measure;

/// With how many other teams a week can be told to be slow for all.
const OTHERS_MIN: usize = 5;
/// Of how many teams half is more than a coincidence.
const TEAMS_MIN: usize = 4;
/// How far a shared week may shift what is expected.
const SHIFT: (f64, f64) = (0.5, 1.2);
/// From how many weeks a team's usual rate is taken.
const USUAL_WEEKS: i64 = 26;
/// And from how few.
const USUAL_WEEKS_MIN: usize = 12;

/// That at least half of the teams became worse together: told once, for the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// In what.
    pub measure: Measure,
    /// The first day on which it was so.
    pub from: Day,
    /// The last one.
    pub to: Day,
    /// How many teams at most.
    pub teams: usize,
    /// Of how many that could be looked at on that day.
    pub of: usize,
}

/// Whether weeks that are slow for all other teams count less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedWeeks {
    /// They count as the calendar says.
    #[default]
    Off,
    /// They do, from five other teams on.
    On,
}

/// The looks of all teams of an organisation, in their order, and the notes about it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrganizationLooks {
    /// As [`crate::engine::regression::detect::looks`], of each team.
    pub teams: Vec<Vec<Look>>,
    /// By measure and day.
    pub notes: Vec<Note>,
}

/// Looks at all teams together.
pub fn looks(
    teams: &[TeamSeries],
    calendar: &Calendar,
    settings: &Settings,
    shared: SharedWeeks,
    days: &Range<Day>,
) -> OrganizationLooks {
    let members = teams.iter().map(|series| Member { series, calendar, settings, witness: None });
    looks_of(&members.collect::<Vec<_>>(), shared, days)
}

/// As [`looks`], of teams that differ in more than what happened to them.
pub fn looks_of(teams: &[Member<'_>], shared: SharedWeeks, days: &Range<Day>) -> OrganizationLooks {
    let shifts = match shared {
        SharedWeeks::Off => vec![SharedShift::new(); teams.len()],
        SharedWeeks::On => shifts(teams, days.end),
    };
    let begin = teams.iter().map(|team| team.series.since).min().unwrap_or(days.start).min(days.start);
    let all = |together: &BTreeSet<(Measure, Day)>, days: &Range<Day>| -> Vec<Vec<Look>> {
        let each = teams.iter().zip(&shifts);
        each.map(|(team, shared)| looks_among(*team, shared, together, days)).collect()
    };
    // A shift that is shared is seen in what each team's looks would be alone.
    let alone = all(&BTreeSet::new(), &(begin..days.end));
    let mut alike = Alike::default();
    for (team, looks) in teams.iter().zip(&alone) {
        for look in looks {
            let thresholds = team.settings.thresholds(look.measure);
            alike.count(look.measure, look.day, Signs::of(look.score, thresholds));
        }
    }
    let together = alike.together();
    let teams = if together.is_empty() {
        let wanted = |looks: Vec<Look>| looks.into_iter().filter(|look| days.contains(&look.day)).collect();
        alone.into_iter().map(wanted).collect()
    } else {
        all(&together, days)
    };
    OrganizationLooks { teams, notes: alike.notes() }
}

/// By measure and day, how many teams of how many are at least to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Alike(BTreeMap<(Measure, Day), (usize, usize)>);

impl Alike {
    /// Takes in a team's look, as it is alone.
    pub(crate) fn count(&mut self, measure: Measure, day: Day, signs: Signs) {
        if signs.answered() {
            let (worse, of) = self.0.entry((measure, day)).or_default();
            *of += 1;
            *worse += usize::from(signs.worth_watching());
        }
    }

    /// Drops what was counted of days from one on.
    pub(crate) fn forget(&mut self, from: Day) {
        self.0.retain(|(_, day), _| *day < from);
    }

    /// Where at least half of them are.
    fn shared(&self) -> impl Iterator<Item = (&(Measure, Day), &(usize, usize))> {
        self.0.iter().filter(|(_, (worse, of))| *of >= TEAMS_MIN && *worse * 2 >= *of)
    }

    /// The same, as days of measures.
    pub(crate) fn together(&self) -> BTreeSet<(Measure, Day)> {
        self.shared().map(|(key, _)| *key).collect()
    }

    /// Days on end become one note.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        for ((measure, day), (teams, of)) in self.shared() {
            match notes.last_mut().filter(|note| note.measure == *measure && note.to.plus(1) == *day) {
                None => {
                    notes.push(Note { measure: *measure, from: *day, to: *day, teams: *teams, of: *of });
                }
                Some(note) => {
                    note.to = *day;
                    if *teams > note.teams {
                        (note.teams, note.of) = (*teams, *of);
                    }
                }
            }
        }
        notes
    }
}

/// For each team, what each week was worth to all the others: the median of their rates, each against its own usual
/// one. A team never explains itself away.
fn shifts(teams: &[Member<'_>], end: Day) -> Vec<SharedShift> {
    let weekly: Vec<BTreeMap<Day, f64>> = teams.iter().map(|team| weekly(*team, end)).collect();
    let mut shifts = vec![SharedShift::new(); teams.len()];
    let mondays: BTreeSet<Day> = weekly.iter().flat_map(BTreeMap::keys).copied().collect();
    for monday in mondays {
        for (index, shift) in shifts.iter_mut().enumerate() {
            let others = weekly.iter().enumerate().filter(|(other, _)| *other != index);
            let mut ratios: Vec<f64> = others.filter_map(|(_, rates)| rates.get(&monday).copied()).collect();
            ratios.sort_by(f64::total_cmp);
            if ratios.len() >= OTHERS_MIN {
                shift.extend(middle(&ratios).map(|ratio| (monday, ratio.clamp(SHIFT.0, SHIFT.1))));
            }
        }
    }
    shifts
}

/// Each week's deployments per working day against the median of the weeks before it, by Monday.
fn weekly(Member { series: team, calendar, .. }: Member<'_>, end: Day) -> BTreeMap<Day, f64> {
    let timeline = Timeline::new(team, calendar, &SharedShift::new(), end);
    let first = team.since.plus(WEEK - 1).monday();
    let mut rates: Vec<(Day, f64)> = Vec::new();
    let mut ratios = BTreeMap::new();
    for number in 0..(end.since(first) / WEEK).max(0) {
        let monday = first.plus(number * WEEK);
        let week = monday..monday.plus(WEEK);
        let exposure = timeline.exposure.working(&week, monday);
        if exposure <= 0.0 {
            continue;
        }
        let rate = real(timeline.deployments.count(&week)) / exposure;
        let recent = rates.iter().filter(|(day, _)| monday.since(*day) <= USUAL_WEEKS * WEEK);
        let mut before: Vec<f64> = recent.map(|(_, rate)| *rate).collect();
        before.sort_by(f64::total_cmp);
        let usual = middle(&before).filter(|usual| *usual > 0.0);
        if let Some(usual) = usual.filter(|_| before.len() >= USUAL_WEEKS_MIN) {
            ratios.insert(monday, rate / usual);
        }
        rates.push((monday, rate));
    }
    ratios
}
