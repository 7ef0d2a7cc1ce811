//! The looks of all teams, kept from one computation to the next: a new day costs one look at each measure of a team,
//! and a late fact the looks after it. The result is the one of [`crate::engine::regression::organization::looks_of`],
//! bit for bit; everything here is a cache.
//!
//! What is kept of a look is one byte, its signs: a state is made of signs alone, so that any day's machine can be made
//! again by replaying them, without comparing anything. A look in full is kept of the newest day only; that of any
//! other day is made again when somebody asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::exposure::SharedShift;
use crate::engine::regression::detect::{Course, Look, Member, Surroundings, Transition, Watched};
use crate::engine::regression::explain::{Explanation, explain};
use crate::engine::regression::machine::{Signs, State};
use crate::engine::regression::organization::{Alike, Note};
use crate::engine::regression::series::{Timeline, first_difference};
use crate::engine::regression::standing::{Newest, Standing};
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;

/// All teams, until and with a day.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// The day after the newest look.
    end: Option<Day>,
    teams: BTreeMap<TeamSlug, Arc<Track>>,
    /// How many teams look the same on which days, and where half of them do.
    alike: Alike,
    together: BTreeSet<(Measure, Day)>,
    notes: Vec<Note>,
}

/// One team.
#[derive(Debug, Clone)]
struct Track {
    watched: Watched,
    /// As it would stand alone, by measure.
    alone: BTreeMap<Measure, Pass>,
    /// As it stands among the others, where that is not the same.
    among: BTreeMap<Measure, Pass>,
}

/// The looks at one measure.
#[derive(Debug, Clone, Default, PartialEq)]
struct Pass {
    /// Of each day of the history.
    signs: Vec<Signs>,
    transitions: Vec<Transition>,
    newest: Option<Newest>,
}

impl Tracker {
    /// Looks on every day until and with `today`, at what is known now. Says how many looks that took.
    pub fn update(&mut self, watched: BTreeMap<TeamSlug, Watched>, today: Day) -> usize {
        let all = watched.keys().cloned().collect();
        self.update_touched(watched, &all, today)
    }

    /// The same where only some of all teams may have changed since the last time, which was on the same day.
    pub fn update_touched(
        &mut self,
        mut touched: BTreeMap<TeamSlug, Watched>,
        all: &BTreeSet<TeamSlug>,
        today: Day,
    ) -> usize {
        let end = today.plus(1);
        if self.end.is_some_and(|known| known > end) {
            // The clock was put back: what was looked at since then has not been yet.
            *self = Self::default();
        }
        let mut looks = 0;
        let mut before = std::mem::take(&mut self.teams);
        let mut stale = BTreeMap::new();
        for team in all {
            let known = before.remove(team);
            let Some(watched) = touched.remove(team) else {
                self.teams.extend(known.map(|known| (team.clone(), known)));
                continue;
            };
            let (mut track, from) = Track::renewed(known, watched, end);
            if !track.is_looked_at(from, end) {
                looks += Arc::make_mut(&mut track).look_alone(from, end);
            }
            stale.insert(team.clone(), from);
            self.teams.insert(team.clone(), track);
        }
        // Days on which something may be another than it was: those that are new too, and all of a team that left.
        let left = before.values().map(|track| track.watched.series.since);
        let first = stale.values().copied().chain(left).chain(self.end).min().unwrap_or(end);
        self.end = Some(end);
        if first >= end {
            return looks;
        }
        let moved = self.compare_teams(first);
        for (team, track) in &mut self.teams {
            let from = stale.get(team).copied().unwrap_or(end);
            if !track.is_alone(end, &self.together) {
                looks += Arc::make_mut(track).look_among(from, end, &self.together, &moved);
            }
        }
        looks
    }

    /// On which days half of the teams look the same, counted again from a day on; where that is not what it was, by
    /// measure from which day on.
    fn compare_teams(&mut self, from: Day) -> BTreeMap<Measure, Day> {
        self.alike.forget(from);
        for track in self.teams.values() {
            for (measure, pass) in &track.alone {
                for (day, signs) in pass.days(track.watched.series.since, from) {
                    self.alike.count(*measure, day, signs);
                }
            }
        }
        let together = self.alike.together();
        let mut moved = BTreeMap::new();
        for (measure, day) in together.symmetric_difference(&self.together) {
            let first = moved.entry(*measure).or_insert(*day);
            *first = *day.min(first);
        }
        self.together = together;
        self.notes = self.alike.notes();
        moved
    }

    /// The newest day that was looked on; none before the first.
    pub fn newest_day(&self) -> Option<Day> {
        self.end.map(|end| end.minus(1))
    }

    /// All teams.
    pub fn teams(&self) -> impl Iterator<Item = &TeamSlug> {
        self.teams.keys()
    }

    /// What half of the teams showed together.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// A team as it is looked at.
    pub fn watched(&self, team: &TeamSlug) -> Option<&Watched> {
        self.teams.get(team).map(|track| &track.watched)
    }

    /// The newest look at each measure of a team.
    pub fn newest(&self, team: &TeamSlug) -> impl Iterator<Item = &Look> {
        let track = self.teams.get(team).into_iter();
        track.flat_map(|track| track.newest().map(|newest| &newest.look))
    }

    /// How a team stands in each measure.
    pub fn standings(&self, team: &TeamSlug) -> impl Iterator<Item = (Measure, Standing)> {
        let track = self.teams.get(team).into_iter();
        track.flat_map(|track| {
            let timezone = track.watched.calendar.timezone;
            track
                .newest()
                .map(move |newest| (newest.look.measure, newest.standing(newest.look.since.begin(timezone))))
        })
    }

    /// All changes of a team's states, by measure and day.
    pub fn transitions(&self, team: &TeamSlug) -> impl Iterator<Item = Transition> {
        let track = self.teams.get(team).into_iter();
        let passes =
            track.flat_map(|track| Measure::ALL.into_iter().filter_map(|measure| track.pass(measure)));
        passes.flat_map(|pass| pass.transitions.iter().copied())
    }

    /// How a team stood in each measure: the first day that was looked on and those on which it changed, with the state
    /// from then on.
    pub fn courses(&self, team: &TeamSlug) -> impl Iterator<Item = (Measure, Vec<(Day, State)>)> {
        let track = self.teams.get(team).into_iter();
        let passes = track.flat_map(|track| {
            let since = track.watched.series.since;
            Measure::ALL.into_iter().filter_map(move |measure| Some((measure, since, track.pass(measure)?)))
        });
        let looked_at = passes.filter(|(_, _, pass)| !pass.signs.is_empty());
        looked_at.map(|(measure, since, pass)| {
            let first = (since, State::Insufficient);
            let turns = pass.transitions.iter().map(|turn| (turn.day, turn.to));
            (measure, std::iter::once(first).chain(turns).collect())
        })
    }

    /// The look at a measure of a team on any day that was looked on. `None` if there is no such team or day.
    pub fn look(&self, team: &TeamSlug, measure: Measure, day: Day) -> Option<Look> {
        let newest = self.newest(team).find(|look| look.measure == measure && look.day == day);
        newest.cloned().or_else(|| self.looks(team, &[(measure, day)].into()).pop())
    }

    /// The looks at measures of a team on those of these days that were looked on.
    pub fn looks(&self, team: &TeamSlug, wanted: &BTreeSet<(Measure, Day)>) -> Vec<Look> {
        let (Some(track), Some(end)) = (self.teams.get(team).filter(|_| !wanted.is_empty()), self.end) else {
            return Vec::new();
        };
        let timeline = track.timeline(end);
        let mut looks = Vec::new();
        for measure in Measure::ALL {
            let days = |(of, day): &(Measure, Day)| (*of == measure).then_some(*day);
            let wanted: BTreeSet<Day> = wanted.iter().filter_map(days).collect();
            let (Some(pass), Some(last)) = (track.pass(measure), wanted.last()) else {
                continue;
            };
            let mut course = track.course(&timeline, measure, &self.together);
            let resumes = |day: &Day| (course.resumes_on(*day), *day);
            let again: Vec<(Day, Day)> = wanted.iter().map(resumes).collect();
            for (day, signs) in pass.days(timeline.since, timeline.since).take_while(|(day, _)| day <= last) {
                if again.iter().any(|(from, to)| (*from..=*to).contains(&day)) {
                    looks.extend(Some(course.look(day).0).filter(|look| wanted.contains(&look.day)));
                } else {
                    course.replay(day, signs);
                }
            }
        }
        looks
    }

    /// Why such a look says what it says; `None`, too, where there was too little to look at.
    pub fn explain(&self, team: &TeamSlug, look: &Look) -> Option<Explanation> {
        let Watched { series, calendar, settings, .. } = self.watched(team)?;
        explain(series, calendar, settings, look)
    }
}

impl Track {
    /// A track of what is known now, with what still holds of the former one, and the first day on which a look may
    /// be another.
    fn renewed(known: Option<Arc<Self>>, watched: Watched, end: Day) -> (Arc<Self>, Day) {
        let since = watched.series.since;
        let fresh = |watched| {
            let (alone, among) = (BTreeMap::new(), BTreeMap::new());
            Arc::new(Self { watched, alone, among })
        };
        let Some(known) = known else {
            return (fresh(watched), since);
        };
        match first_look(&known.watched, &watched) {
            None => (known, end),
            Some(day) if day <= since => (fresh(watched), since),
            Some(day) => {
                let (alone, among) = (known.alone.clone(), known.among.clone());
                (Arc::new(Self { watched, alone, among }), day)
            }
        }
    }

    /// Whether there is nothing to look at from a day on, nor at new days.
    fn is_looked_at(&self, from: Day, end: Day) -> bool {
        let since = self.watched.series.since;
        let mut passes = Measure::ALL.into_iter().map(|measure| self.alone.get(&measure));
        from >= end && passes.all(|pass| pass.is_some_and(|pass| pass.next(since) >= end))
    }

    /// Whether the others do not matter, and did not.
    fn is_alone(&self, end: Day, together: &BTreeSet<(Measure, Day)>) -> bool {
        let since = self.watched.series.since;
        let shared = |measure| together.range((measure, since)..(measure, end)).next().is_some();
        self.among.is_empty() && !Measure::ALL.into_iter().any(shared)
    }

    fn pass(&self, measure: Measure) -> Option<&Pass> {
        self.among.get(&measure).or_else(|| self.alone.get(&measure))
    }

    fn newest(&self) -> impl Iterator<Item = &Newest> {
        Measure::ALL.into_iter().filter_map(|measure| self.pass(measure)?.newest.as_ref())
    }

    fn timeline(&self, end: Day) -> Timeline {
        // What weeks were worth to others is not asked: replay does not, either.
        Timeline::new(&self.watched.series, &self.watched.calendar, &SharedShift::new(), end)
    }

    fn course<'c>(
        &'c self,
        timeline: &'c Timeline,
        measure: Measure,
        together: &'c BTreeSet<(Measure, Day)>,
    ) -> Course<'c> {
        let Member { series: _, calendar, settings, witness } = self.watched.member();
        Course::new(timeline, measure, Surroundings { calendar, settings, witness, together })
    }

    /// Looks again from a day on, and at new days, as if there were no others.
    fn look_alone(&mut self, from: Day, end: Day) -> usize {
        let (since, nobody) = (self.watched.series.since, BTreeSet::new());
        let mut alone = std::mem::take(&mut self.alone);
        for measure in Measure::ALL {
            alone.entry(measure).or_default().cut(since, from);
        }
        let looks = self.go_on(&mut alone, &nobody, end);
        self.alone = alone;
        looks
    }

    /// The same among the others: where half of them look the same.
    fn look_among(
        &mut self,
        from: Day,
        end: Day,
        together: &BTreeSet<(Measure, Day)>,
        moved: &BTreeMap<Measure, Day>,
    ) -> usize {
        let since = self.watched.series.since;
        let mut among = BTreeMap::new();
        for (measure, alone) in &self.alone {
            let mut shared = together.range((*measure, since)..(*measure, end));
            let Some((_, first)) = shared.next() else {
                continue;
            };
            // Until the first such day it is as if there were no others.
            let mut pass = match self.among.remove(measure) {
                Some(mut known) => {
                    let from = moved.get(measure).map_or(from, |moved| from.min(*moved));
                    known.cut(since, from);
                    known
                }
                None => Pass::default(),
            };
            if pass.next(since) < *first {
                pass = alone.clone();
                pass.cut(since, *first);
            }
            among.insert(*measure, pass);
        }
        let looks = self.go_on(&mut among, together, end);
        self.among = among;
        looks
    }

    fn go_on(
        &self,
        passes: &mut BTreeMap<Measure, Pass>,
        together: &BTreeSet<(Measure, Day)>,
        end: Day,
    ) -> usize {
        let since = self.watched.series.since;
        let mut timeline = None;
        let mut looks = 0;
        for (measure, pass) in passes {
            if pass.next(since) < end {
                let timeline = timeline.get_or_insert_with(|| self.timeline(end));
                looks += pass.go_on(self.course(timeline, *measure, together), since, end);
            }
        }
        looks
    }
}

impl Pass {
    /// The first day that was not looked on.
    fn next(&self, since: Day) -> Day {
        since.plus(i64::try_from(self.signs.len()).unwrap_or(i64::MAX))
    }

    /// The looks of a history that begins on `since`, from a day on.
    fn days(&self, since: Day, from: Day) -> impl Iterator<Item = (Day, Signs)> {
        let from = from.max(since);
        let known = usize::try_from(from.since(since)).unwrap_or(usize::MAX);
        (0_i64..).zip(self.signs.iter().skip(known)).map(move |(offset, signs)| (from.plus(offset), *signs))
    }

    /// Forgets the looks from a day on.
    fn cut(&mut self, since: Day, from: Day) {
        if from < self.next(since) {
            self.signs.truncate(usize::try_from(from.since(since)).unwrap_or(0));
            self.transitions.retain(|transition| transition.day < from);
            self.newest = None;
        }
    }

    /// Looks on all days until `end`.
    fn go_on(&mut self, mut course: Course<'_>, since: Day, end: Day) -> usize {
        let newest = self.newest.take();
        if newest.is_none() {
            self.cut(since, course.resumes_on(self.next(since)));
        }
        for (day, signs) in self.days(since, since) {
            course.replay(day, signs);
        }
        if let Some(newest) = newest {
            course.carry_on(newest.look);
        }
        let (mut looks, mut last) = (0, None);
        let mut next = self.next(since);
        while next < end {
            let (look, signs) = course.look(next);
            self.signs.push(signs);
            self.transitions.extend(look.transition());
            last = Some(look);
            looks += 1;
            next = next.plus(1);
        }
        self.newest = last.map(|look| course.measured(look));
        looks
    }
}

/// The first day on which a look at a team may be another than it was; `None` if all of them are the same.
fn first_look(known: &Watched, fresh: &Watched) -> Option<Day> {
    let Watched { series, calendar, settings, witness } = fresh;
    if known == fresh {
        return None;
    }
    let begin = series.since.min(known.series.since);
    if known.calendar != *calendar || known.settings != *settings || known.series.since != series.since {
        return Some(begin);
    }
    let doubts = match (&known.witness, witness) {
        (None, None) => None,
        (Some(known), Some(fresh)) => known.differs_from(fresh),
        (None, Some(_)) | (Some(_), None) => return Some(begin),
    };
    let happened = first_difference(&known.series, series, calendar);
    // A look sees the days before its own.
    [doubts, happened].into_iter().flatten().min().map(|day| day.plus(1))
}
