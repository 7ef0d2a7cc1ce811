//! Which times of runs to ask for. GitHub lists at most a thousand runs that were created within a time, without a
//! word about the rest, so a time with more of them is halved until it has fewer.

use serde::{Deserialize, Serialize};

use crate::model::time::{Span, Timestamp};

/// Of a list that is filtered GitHub shows no more; one with as many may have more.
const RESULTS_MAX: u64 = 1_000;
/// Runs in a page: the most that GitHub gives.
pub(super) const PER_PAGE: u64 = 100;

/// A time in which runs were created, in whole seconds since 1970, both included: as GitHub filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    from: i64,
    to: i64,
    /// Which page is next; those before it are stored. The time has passed, so pages do not drift.
    pub(super) page: u32,
}

/// What follows from a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There are more than GitHub shows: read these instead, the newer half last.
    Halve(Window, Window),
    /// The page counts, and the next one is to be read.
    GoOn(Window),
    /// The page counts, and is the last one.
    Done,
    /// The page counts, and is the last one, and there are more runs than GitHub shows of one second.
    Full,
}

impl Window {
    /// From one instant to another, both included.
    pub(super) fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from: from.millis().div_euclid(1_000), to: to.millis().div_euclid(1_000), page: 1 }
    }

    /// The value of `created`.
    pub(super) fn created(&self) -> String {
        let text = |seconds| Timestamp::from_seconds(seconds).to_string();
        format!("{}..{}", text(self.from), text(self.to))
    }

    /// What to do after the page of this window that had so many runs, of so many in all.
    pub(super) fn after(self, runs: usize, total: Option<u64>) -> Step {
        let Self { from, to, page } = self;
        let full = total.is_some_and(|total| total >= RESULTS_MAX);
        if full && from < to {
            let middle = from + (to - from) / 2;
            return Step::Halve(Self { from, to: middle, page: 1 }, Self { from: middle + 1, to, page: 1 });
        }
        let read = u64::from(page) * PER_PAGE;
        let last = runs == 0 || read >= RESULTS_MAX || total.is_some_and(|total| read >= total);
        match (last, full) {
            (false, _) => Step::GoOn(Self { page: page + 1, ..self }),
            (true, false) => Step::Done,
            (true, true) => Step::Full,
        }
    }
}

/// The first read goes back in steps of so long, the newest first.
const FIRST_READ_STEP: Span = Span::from_days(30);
/// More steps than a history has; what is left then is read in one.
const STEPS_MAX: usize = 120;

/// The windows of a first read, in the order of a stack: the newest is the last.
pub(super) fn first_read(horizon: Timestamp, to: Timestamp) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut to = to;
    while windows.len() < STEPS_MAX && to.minus(FIRST_READ_STEP) > horizon {
        let from = to.minus(FIRST_READ_STEP);
        windows.push(Window::between(from, to));
        to = from.minus(Span::from_seconds(1));
    }
    windows.push(Window::between(horizon, to));
    windows.reverse();
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn window(from: i64, to: i64, page: u32) -> Window {
        Window { from, to, page }
    }

    #[test]
    fn a_full_window_is_halved_and_others_are_paged() {
        for (now, runs, total, expected) in [
            (window(0, 10, 1), 0, Some(0), Step::Done),
            (window(0, 10, 1), 7, Some(7), Step::Done),
            (window(0, 10, 1), 100, Some(100), Step::Done),
            (window(0, 10, 1), 100, Some(101), Step::GoOn(window(0, 10, 2))),
            (window(0, 10, 2), 1, Some(101), Step::Done),
            (window(0, 10, 2), 0, Some(300), Step::Done),
            (window(0, 10, 1), 100, None, Step::GoOn(window(0, 10, 2))),
            (window(0, 10, 10), 100, None, Step::Done),
            (window(0, 10, 10), 99, Some(999), Step::Done),
            (window(0, 10, 1), 100, Some(1_000), Step::Halve(window(0, 5, 1), window(6, 10, 1))),
            (window(0, 10, 4), 100, Some(5_000), Step::Halve(window(0, 5, 1), window(6, 10, 1))),
            (window(0, 1, 1), 100, Some(1_000), Step::Halve(window(0, 0, 1), window(1, 1, 1))),
            (window(4, 4, 1), 100, Some(1_000), Step::GoOn(window(4, 4, 2))),
            (window(4, 4, 10), 100, Some(4_000), Step::Full),
        ] {
            assert_eq!(now.after(runs, total), expected, "{now:?} {runs} {total:?}");
        }
    }

    #[test]
    fn a_window_is_asked_for_in_words() {
        let day = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        let window = Window::between(day, day.plus(Span::from_millis(1_999)));
        assert_eq!(window.created(), "2026-11-22T00:00:00Z..2026-11-22T00:00:01Z");
    }

    proptest! {
        #[test]
        fn a_first_read_has_no_gap_and_no_overlap(days in 1_i64..4_000, seconds in 0_i64..86_400) {
            let (from, to) = (at(1_000_000_000), at(1_000_000_000 + days * 86_400 + seconds));
            let windows = first_read(from, to);
            prop_assert_eq!(windows.first().unwrap().from, 1_000_000_000);
            prop_assert_eq!(windows.last().unwrap().to, to.millis() / 1_000);
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].to + 1, pair[1].from);
            }
        }

        #[test]
        fn halving_finds_every_run_once(mut runs in prop::collection::vec(0_i64..500, 0..3_000)) {
            runs.sort_unstable();
            let mut stack = vec![window(0, 500, 1)];
            let mut found = Vec::new();
            while let Some(window) = stack.pop() {
                let inside: Vec<i64> =
                    runs.iter().rev().copied().filter(|at| (window.from..=window.to).contains(at)).collect();
                let skip = usize::try_from(window.page - 1).unwrap() * 100;
                let page: Vec<i64> = inside.iter().copied().take(1_000).skip(skip).take(100).collect();
                match window.after(page.len(), u64::try_from(inside.len()).ok()) {
                    Step::Halve(older, newer) => stack.extend([older, newer]),
                    Step::GoOn(next) => {
                        found.extend(page);
                        stack.push(next);
                    }
                    Step::Done | Step::Full => found.extend(page),
                }
            }
            found.reverse();
            prop_assert_eq!(found, runs);
        }
    }
}
