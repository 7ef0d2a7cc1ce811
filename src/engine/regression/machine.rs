//! From scores to states (`regressions.md` 3.4): a state is entered when looks on end agree, and left when it has been
//! quiet for a week.

use crate::engine::regression::threshold::Thresholds;
use crate::model::day::Day;

/// How many looks on end it takes to enter a state.
pub const LOOKS_TO_ENTER: u32 = 2;
/// How many to leave it.
pub const LOOKS_TO_LEAVE: u32 = 7;

/// How a team stands in a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// There is too little to say.
    Insufficient,
    /// Nothing that its own history does not explain.
    Ok,
    /// Worse than its history explains, but not beyond the false-alarm rate of an alert.
    Watch,
    /// Worse, beyond doubt at the known false-alarm rate.
    Regressed,
    /// It was, and is no longer so; not for long enough to be over.
    Recovering,
    /// Better than its history explains.
    Improved,
    /// The numbers moved, but probably because what they are made of did.
    DataSuspect,
    /// Its owner has declared a new normal, of which there is not enough yet.
    Accepted,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Insufficient,
        Self::Ok,
        Self::Watch,
        Self::Regressed,
        Self::Recovering,
        Self::Improved,
        Self::DataSuspect,
        Self::Accepted,
    ];

    /// The value of the label `state`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Insufficient => "insufficient",
            Self::Ok => "ok",
            Self::Watch => "watch",
            Self::Regressed => "regressed",
            Self::Recovering => "recovering",
            Self::Improved => "improved",
            Self::DataSuspect => "data_suspect",
            Self::Accepted => "accepted",
        }
    }
}

/// How surprising a look is, either way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// For the worse, in standard normal units; 0 where it does not matter.
    pub worse: f64,
    /// For the better.
    pub better: f64,
}

/// Why a team whose numbers look bad is not called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarms {
    /// They are.
    On,
    /// At least half of the organisation looks the same: one note about it, and none about its teams.
    Shared,
}

/// How many looks on end were so.
#[derive(Debug, Clone, Copy, Default)]
struct Streaks {
    regressed: u32,
    watch: u32,
    better: u32,
    calm: u32,
    unchanged: u32,
    unanswered: u32,
}

/// One measure of one team.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    thresholds: Thresholds,
    state: State,
    since: Day,
    streaks: Streaks,
    frozen: Option<Day>,
}

impl Machine {
    pub(crate) fn new(thresholds: Thresholds, begin: Day) -> Self {
        Self {
            thresholds,
            state: State::Insufficient,
            since: begin,
            streaks: Streaks::default(),
            frozen: None,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The day on which the state began.
    pub(crate) fn since(&self) -> Day {
        self.since
    }

    /// The day whose baseline a regression is measured against until it is over: else it would become its own normal.
    pub(crate) fn frozen(&self) -> Option<Day> {
        self.frozen
    }

    /// Its owner declared a new normal: whatever was is over.
    pub(crate) fn accept(&mut self, day: Day) {
        self.streaks = Streaks::default();
        self.frozen = None;
        self.enter(State::Accepted, day);
    }

    /// A look; `None` where there was too little to look at.
    pub(crate) fn look(&mut self, day: Day, score: Option<Score>, alarms: Alarms) {
        let Some(score) = score else {
            self.unanswered(day);
            return;
        };
        self.count(score, alarms);
        let streaks = self.streaks;
        let regressed = streaks.regressed >= LOOKS_TO_ENTER;
        match self.state {
            State::Regressed if streaks.calm > 0 => self.enter(State::Recovering, day),
            State::Regressed => {}
            State::Recovering if regressed => self.enter(State::Regressed, day),
            State::Recovering => {
                if streaks.calm >= LOOKS_TO_LEAVE {
                    self.frozen = None;
                    self.enter(State::Ok, day);
                }
            }
            State::Insufficient
            | State::Ok
            | State::Watch
            | State::Improved
            | State::DataSuspect
            | State::Accepted => {
                if regressed {
                    self.frozen = Some(day);
                    self.enter(State::Regressed, day);
                } else if streaks.watch >= LOOKS_TO_ENTER {
                    self.enter(State::Watch, day);
                } else if streaks.better >= LOOKS_TO_ENTER {
                    self.enter(State::Improved, day);
                } else if self.is_over() {
                    self.enter(State::Ok, day);
                }
            }
        }
    }

    /// Whether a state that lingers has done so for long enough.
    fn is_over(&self) -> bool {
        match self.state {
            State::Watch => self.streaks.calm >= LOOKS_TO_LEAVE,
            State::Improved => self.streaks.unchanged >= LOOKS_TO_LEAVE,
            State::Regressed | State::Recovering => false,
            State::Insufficient | State::Ok | State::DataSuspect | State::Accepted => true,
        }
    }

    fn count(&mut self, score: Score, alarms: Alarms) {
        let Thresholds { watch, regressed, clear } = self.thresholds;
        let alone = alarms == Alarms::On;
        let next = |streak: u32, goes_on: bool| if goes_on { streak.saturating_add(1) } else { 0 };
        let streaks = self.streaks;
        self.streaks = Streaks {
            regressed: next(streaks.regressed, alone && score.worse >= regressed),
            watch: next(streaks.watch, alone && score.worse >= watch),
            better: next(streaks.better, score.better >= regressed),
            calm: next(streaks.calm, score.worse < clear),
            unchanged: next(streaks.unchanged, score.better < clear),
            unanswered: 0,
        };
    }

    /// A regression is not over because there is nothing to see for a few days.
    fn unanswered(&mut self, day: Day) {
        let unanswered = self.streaks.unanswered.saturating_add(1);
        self.streaks = Streaks { unanswered, ..Streaks::default() };
        let lasts = match self.state {
            State::Regressed | State::Recovering => unanswered < LOOKS_TO_LEAVE,
            State::Accepted => true,
            State::Insufficient | State::Ok | State::Watch | State::Improved | State::DataSuspect => false,
        };
        if !lasts {
            self.frozen = None;
            self.enter(State::Insufficient, day);
        }
    }

    fn enter(&mut self, state: State, day: Day) {
        if self.state != state {
            self.state = state;
            self.since = day;
        }
    }
}
