//! What a PagerDuty source remembers: which incidents were open, and how far back it has read. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::batch::{Contact, Cursor};
use crate::model::fact::Incident;
use crate::model::name::SourceName;
use crate::model::time::{Span, Timestamp};
use crate::source::Backfill;

use super::days::{Day, Days};

/// The scope of the one cursor.
pub(super) const SCOPE: &str = "incidents";
/// Another version is another program's, and is begun anew: reading twice changes nothing.
const VERSION: u32 = 1;
/// As many as the list of open incidents can have.
const OPEN_MAX: usize = 10_000;
/// An open incident that is not found so many polls in a row is gone. Once is no proof: a token may have lost sight
/// of it for a while.
const NOT_FOUND_POLLS: u8 = 3;
/// All of the history is read again so often: late edits of what was resolved long ago change nothing that a poll
/// would see.
const SWEEP_INTERVAL: Span = Span::from_hours(12);
/// Spread over so long by the source's name, so that several sources do not begin together.
const SWEEP_SPREAD_MINUTES: i64 = 240;
/// A sweep that took longer has a gap between its newest day and what the polls since read.
pub(super) const RECENT_DAYS: i64 = 3;

/// The state between polls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// Incidents that were open when they were last read, and how many polls in a row they were not found.
    open: BTreeMap<String, u8>,
    /// The reading of the history that is under way.
    sweep: Option<Sweep>,
    /// When the last complete one began, in milliseconds.
    swept_at: Option<i64>,
    /// Everything from there on has been read at least once.
    covered_from: Option<Day>,
}

/// A reading of the whole history, newest days first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Sweep {
    /// When it began, in milliseconds.
    began_at: i64,
    /// The first day it is to read.
    from: Day,
    /// The last day it has not read yet.
    next: Day,
}

impl Default for State {
    fn default() -> Self {
        Self { version: VERSION, open: BTreeMap::new(), sweep: None, swept_at: None, covered_from: None }
    }
}

impl State {
    /// Reads a cursor; `None` if it is not one of ours.
    pub(super) fn parse(cursor: &str) -> Option<Self> {
        let state: Self = serde_json::from_str(cursor).ok()?;
        (state.version == VERSION).then_some(state)
    }

    /// As it is stored. Nothing in it can fail to be written; if it did, the history would be read again.
    pub(super) fn cursor(&self) -> Cursor {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether what is read now is news: not before the first sweep is complete, nor what is older than it went.
    pub(super) fn contact(&self, days: Option<Days>) -> Contact {
        match (self.covered_from, days) {
            (None, _) => Contact::First,
            (Some(covered), Some(days)) if days.first() < covered => Contact::First,
            (Some(_), _) => Contact::Live,
        }
    }

    /// Whether everything from `target` on has been read.
    pub(super) fn backfill(&self, target: Day) -> Backfill {
        match self.covered_from {
            Some(covered) if covered <= target => Backfill::Complete,
            Some(_) | None => Backfill::Running,
        }
    }

    /// Notes that an incident was read; says no if it is open and there is no room to remember that.
    pub(super) fn note(&mut self, incident: &Incident) -> bool {
        let id = incident.id.as_str();
        if incident.resolved_at.is_some() {
            self.open.remove(id);
            return true;
        }
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(id) {
            return false;
        }
        self.open.insert(id.to_owned(), 0);
        true
    }

    /// Notes that an open incident was not found; says whether it is gone for good.
    pub(super) fn note_not_found(&mut self, id: &str) -> bool {
        let Some(polls) = self.open.get_mut(id) else {
            return false;
        };
        *polls = polls.saturating_add(1);
        let gone = *polls >= NOT_FOUND_POLLS;
        if gone {
            self.open.remove(id);
        }
        gone
    }

    /// The incidents that were open when they were last read.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }

    /// The days that a sweep is to read next; begins one if it is time, or if the history became longer.
    pub(super) fn sweep(&mut self, source: &SourceName, target: Day, now: Timestamp) -> Option<Days> {
        if self.sweep.is_none() {
            let due = match self.swept_at {
                None => true,
                Some(at) => now.since(Timestamp::from_millis(at)) >= sweep_interval(source),
            };
            if !due && self.backfill(target) == Backfill::Complete {
                return None;
            }
            self.sweep = Some(Sweep { began_at: now.millis(), from: target, next: Day::of(now) });
        }
        let days = self.sweep.and_then(|Sweep { began_at: _, from, next }| Days::new(from, next));
        if days.is_none() {
            self.sweep = None;
        }
        days
    }

    /// Notes that the sweep has read `days`; the day from which all is read, if that was the end of it.
    pub(super) fn note_swept(&mut self, days: Days, now: Timestamp) -> Option<Day> {
        let sweep = self.sweep.as_mut()?;
        let Sweep { began_at, from, .. } = *sweep;
        if days.first() > from {
            sweep.next = days.first().plus(-1);
            return None;
        }
        self.sweep = None;
        if now.since(Timestamp::from_millis(began_at)) > Span::from_days(RECENT_DAYS) {
            return None;
        }
        self.swept_at = Some(began_at);
        self.covered_from = Some(self.covered_from.map_or(from, |covered| covered.min(from)));
        self.covered_from
    }
}

/// From one sweep of this source to the next.
fn sweep_interval(source: &SourceName) -> Span {
    let spread =
        source.as_str().bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % SWEEP_SPREAD_MINUTES);
    Span::from_millis(
        SWEEP_INTERVAL.millis() + Span::from_minutes(spread - SWEEP_SPREAD_MINUTES / 2).millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_cursor_is_read_back_and_another_version_is_not() {
        let mut state = State::default();
        let now = at("2026-11-22T17:00:00Z");
        state.sweep(&"acme".into(), Day::of(now).plus(-180), now).unwrap();
        state.open.insert("P1".to_owned(), 2);
        let cursor = state.cursor();
        assert_eq!(State::parse(&cursor), Some(state));
        assert_eq!(State::parse(&cursor.replace(r#""version":1"#, r#""version":2"#)), None);
        assert_eq!(State::parse("{"), None);
    }

    #[test]
    fn a_sweep_goes_from_today_to_the_target_and_comes_again() {
        let source = SourceName::from("acme");
        let now = at("2026-11-22T17:00:00Z");
        let (today, target) = (Day::of(now), Day::of(now).plus(-40));
        let mut state = State::default();

        let first = state.sweep(&source, target, now).unwrap().newest();
        assert_eq!(first, Days::new(today.plus(-29), today).unwrap());
        assert_eq!(state.note_swept(first, now), None);
        assert_eq!(state.backfill(target), Backfill::Running);
        assert_eq!(state.contact(None), Contact::First);

        let second = state.sweep(&source, target, now).unwrap();
        assert_eq!(second, Days::new(target, today.plus(-30)).unwrap());
        assert_eq!(state.note_swept(second, now), Some(target));
        assert_eq!(state.backfill(target), Backfill::Complete);
        assert_eq!(state.contact(None), Contact::Live);
        assert_eq!(state.sweep(&source, target, now), None);

        let interval = sweep_interval(&source);
        assert!((9..=15).contains(&(interval.millis() / 3_600_000)), "{interval:?}");
        let before = now.plus(Span::from_millis(interval.millis() - 1));
        assert_eq!(state.sweep(&source, target, before), None);
        assert!(state.sweep(&source, target, now.plus(interval)).is_some());
    }

    #[test]
    fn a_longer_history_is_swept_at_once_and_is_no_news() {
        let source = SourceName::from("acme");
        let now = at("2026-11-22T17:00:00Z");
        let target = Day::of(now).plus(-10);
        let mut state = State::default();
        let days = state.sweep(&source, target, now).unwrap();
        state.note_swept(days, now);

        let longer = target.plus(-10);
        assert_eq!(state.backfill(longer), Backfill::Running);
        let days = state.sweep(&source, longer, now).unwrap();
        assert_eq!(state.contact(Some(days)), Contact::First);
        assert_eq!(state.contact(None), Contact::Live);
        assert_eq!(state.note_swept(days, now), Some(longer));
    }

    #[test]
    fn a_sweep_with_a_gap_covers_nothing() {
        let source = SourceName::from("acme");
        let now = at("2026-11-22T17:00:00Z");
        let target = Day::of(now).plus(-10);
        let mut state = State::default();
        let days = state.sweep(&source, target, now).unwrap();
        assert_eq!(state.note_swept(days, now.plus(Span::from_days(4))), None);
        assert_eq!(state.backfill(target), Backfill::Running);
    }

    #[test]
    fn an_incident_is_gone_when_it_was_not_found_three_times_in_a_row() {
        let mut state = State::default();
        state.open.insert("P1".to_owned(), 0);
        let found: Vec<_> = (0..4).map(|_| state.note_not_found("P1")).collect();
        assert_eq!(found, [false, false, true, false]);
        assert_eq!(state.open().count(), 0);
    }
}
