//! Streams that are listed newest first, and how far down they have been read.
//!
//! History is read once, from the newest item down to the horizon; news again and again, from the newest item down to
//! where the last look began. The two do not wait for each other. Both are in the cursor after every page, so that
//! they go on where they were.

use serde::{Deserialize, Serialize};

use crate::model::time::{Span, Timestamp};

/// News reach back before what was read last: GitHub's times have seconds, and its lists lag a little.
pub(super) const OVERLAP: Span = Span::from_minutes(10);
/// No pass is longer: at 100 an item, 200,000 pull requests.
pub(super) const PASS_PAGES_MAX: u32 = 2_000;

/// What is read of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// What came since the last look.
    News,
    /// What was there before the first one, back to the horizon.
    History,
}

/// How far a stream has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// What the probe showed when news were last read.
    pub(super) seen: Option<String>,
    /// The newest item then.
    watermark: Option<i64>,
    /// Whether history has been read.
    pub(super) complete: bool,
    /// The pass through history, while it lasts.
    pass: Option<Pass>,
    /// The pass through news, while it lasts.
    news: Option<Pass>,
}

/// A pass that has begun.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pass {
    seen: Option<String>,
    pub(super) after: Option<String>,
    newest: Option<i64>,
    /// The oldest item so far.
    reached: Option<i64>,
    stop: i64,
    pages: u32,
}

/// What a page says about where to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    /// The times that the stream is ordered by, in the order of the page.
    pub(super) times: &'a [Timestamp],
    pub(super) has_next: bool,
    pub(super) end: Option<&'a str>,
}

/// A page that cannot be: it says that it follows itself, or the pass has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endless;

impl Pass {
    /// One that reads again what may have changed without the newest items showing it, down to `stop`.
    pub(super) fn down_to(seen: Option<&String>, stop: Timestamp) -> Self {
        Self { seen: seen.cloned(), stop: stop.millis(), ..Self::default() }
    }
}

impl Walk {
    /// Whether a pass through news has begun and not ended.
    pub(super) const fn has_news_under_way(&self) -> bool {
        self.news.is_some()
    }

    /// Whether its newest items have been read once, so that there can be news.
    fn begun(&self) -> bool {
        self.complete || self.watermark.is_some()
    }

    /// The pass to go on with, or to begin; `None` if there is nothing to read. `seen` is what the probe shows, and
    /// `None` if nobody looked. News that are `forced` are read although the probe shows nothing new.
    pub(super) fn due(
        &self,
        phase: Phase,
        seen: Option<&String>,
        horizon: Timestamp,
        forced: bool,
    ) -> Option<Pass> {
        let (begun, due, stop) = match phase {
            Phase::History => (self.pass.as_ref(), !self.complete, horizon),
            Phase::News => {
                let changed = seen.is_some() && seen != self.seen.as_ref();
                let newest = self.watermark.map(|newest| Timestamp::from_millis(newest).minus(OVERLAP));
                let due = self.begun() && (changed || forced || self.news.is_some());
                (self.news.as_ref(), due, newest.unwrap_or(horizon).max(horizon))
            }
        };
        due.then(|| begun.cloned().unwrap_or_else(|| Pass::down_to(seen, stop)))
    }

    /// Takes the page into account that was read with `pass`: the pass goes on, or is done, or is given up.
    pub(super) fn advance(&mut self, phase: Phase, mut pass: Pass, turn: Turn<'_>) -> Result<(), Endless> {
        let Turn { times, has_next, end } = turn;
        pass.newest = pass.newest.or(times.first().map(|at| at.millis()));
        pass.reached = times.iter().map(|at| at.millis()).min().or(pass.reached);
        pass.pages += 1;
        let reached = times.iter().any(|at| at.millis() < pass.stop);
        let done = reached || !has_next;
        let endless =
            !done && (end.is_none() || end == pass.after.as_deref() || pass.pages >= PASS_PAGES_MAX);
        // From its first page on, what comes later than it is news.
        if (phase == Phase::History && !endless && !self.begun()) || (phase == Phase::News && done) {
            self.watermark = pass.newest.or(self.watermark);
            self.seen.clone_from(&pass.seen);
        }
        pass.after = end.map(str::to_owned);
        self.complete |= phase == Phase::History && done;
        let goes_on = (!done && !endless).then_some(pass);
        match phase {
            Phase::News => self.news = goes_on,
            Phase::History => self.pass = goes_on,
        }
        if endless { Err(Endless) } else { Ok(()) }
    }

    /// Back to when everything has been read; `None`: nothing has.
    pub(super) fn reached(&self, horizon: Timestamp) -> Option<Timestamp> {
        if self.complete {
            return Some(horizon);
        }
        self.pass.as_ref()?.reached.map(|at| Timestamp::from_millis(at).max(horizon))
    }

    /// There is nothing in this stream.
    pub(super) fn nothing(&mut self, seen: String) {
        self.complete = true;
        (self.pass, self.news) = (None, None);
        self.seen = Some(seen);
    }

    /// Reads history again: it goes further back now, or is read in another way.
    pub(super) fn deepen(&mut self) {
        self.complete = false;
        self.pass = None;
    }

    /// Begins its passes again from their first pages: GitHub has forgotten the places.
    pub(super) fn restart(&mut self) {
        (self.pass, self.news) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    fn turn<'a>(times: &'a [Timestamp], end: Option<&'a str>) -> Turn<'a> {
        Turn { times, has_next: end.is_some(), end }
    }

    fn history(walk: &Walk) -> Option<Pass> {
        walk.due(Phase::History, Some(&"newest".to_owned()), at(100), false)
    }

    #[test]
    fn a_first_read_goes_to_the_horizon_and_later_ones_to_the_overlap() {
        let mut walk = Walk::default();
        let seen = "newest".to_owned();
        let pass = history(&walk).unwrap();
        walk.advance(Phase::History, pass, turn(&[at(300), at(200)], Some("a"))).unwrap();
        assert!(!walk.complete, "the horizon is not reached");
        assert_eq!(walk.reached(at(100)), Some(at(200)));
        let pass = history(&walk).unwrap();
        assert_eq!(pass.after.as_deref(), Some("a"), "a pass goes on where it was");
        walk.advance(Phase::History, pass, turn(&[at(150), at(99)], Some("b"))).unwrap();
        assert!(walk.complete && history(&walk).is_none());
        assert_eq!(walk.reached(at(100)), Some(at(100)));

        assert!(walk.due(Phase::News, Some(&seen), at(100), false).is_none());
        assert!(walk.due(Phase::News, None, at(100), false).is_none(), "nobody looked");
        assert!(walk.due(Phase::News, Some(&seen), at(100), true).is_some(), "told that there is more");
        let newer = "newer".to_owned();
        let pass = walk.due(Phase::News, Some(&newer), at(100), false).unwrap();
        assert_eq!(pass.stop, at(290).millis(), "ten minutes before the newest of the first page");
        walk.advance(Phase::News, pass, turn(&[at(310), at(289)], Some("c"))).unwrap();
        assert!(walk.due(Phase::News, Some(&newer), at(100), false).is_none());
    }

    #[test]
    fn news_do_not_wait_for_history_nor_history_for_news() {
        let mut walk = Walk::default();
        let newer = "newer".to_owned();
        assert!(walk.due(Phase::News, Some(&newer), at(100), false).is_none(), "everything is history yet");
        let pass = history(&walk).unwrap();
        walk.advance(Phase::History, pass, turn(&[at(300), at(250)], Some("a"))).unwrap();
        let pass = walk.due(Phase::News, Some(&newer), at(100), false).unwrap();
        walk.advance(Phase::News, pass, turn(&[at(400), at(280)], Some("z"))).unwrap();
        assert!(walk.due(Phase::News, Some(&newer), at(100), false).is_none());
        assert_eq!(history(&walk).unwrap().after.as_deref(), Some("a"), "history is where it was");
        assert_eq!(walk.reached(at(100)), Some(at(250)));
    }

    #[test]
    fn a_page_with_items_at_the_stop_is_not_the_last_one() {
        let mut walk = Walk::default();
        let pass = history(&walk).unwrap();
        walk.advance(Phase::History, pass, turn(&[at(100)], Some("a"))).unwrap();
        assert!(history(&walk).is_some());
    }

    #[test]
    fn endless_pages_end() {
        let mut walk = Walk::default();
        let pass = history(&walk).unwrap();
        walk.advance(Phase::History, pass, turn(&[at(300)], Some("a"))).unwrap();
        let pass = history(&walk).unwrap();
        assert_eq!(walk.advance(Phase::History, pass, turn(&[at(300)], Some("a"))), Err(Endless));
        assert!(!walk.complete, "what was not read is not said to be complete");
        assert_eq!(walk.reached(at(100)), None);
        for page in 1..PASS_PAGES_MAX {
            let pass = history(&walk).unwrap();
            walk.advance(Phase::History, pass, turn(&[], Some(&page.to_string()))).unwrap();
        }
        let pass = history(&walk).unwrap();
        assert_eq!(walk.advance(Phase::History, pass, turn(&[], Some("z"))), Err(Endless));
    }
}
