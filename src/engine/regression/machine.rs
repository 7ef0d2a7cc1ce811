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

/// What a look says, held against the thresholds: all that a state is made of. One byte, so that every look of every
/// team can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Signs(u8);

impl Signs {
    /// There was too little to look at.
    pub(crate) const UNANSWERED: Self = Self(0);
    const ANSWERED: u8 = 1;
    const REGRESSED: u8 = 1 << 1;
    const WATCH: u8 = 1 << 2;
    const BETTER: u8 = 1 << 3;
    /// Not worse any more.
    const CALM: u8 = 1 << 4;
    /// Not better any more.
    const UNCHANGED: u8 = 1 << 5;
    /// What the numbers are made of moved.
    const DOUBTED: u8 = 1 << 6;

    /// Of a look; `None` where there was too little to look at.
    pub(crate) fn of(score: Option<Score>, thresholds: Thresholds) -> Self {
        let Some(Score { worse, better }) = score else {
            return Self::UNANSWERED;
        };
        let Thresholds { watch, regressed, clear } = thresholds;
        let signs = [
            (worse >= regressed, Self::REGRESSED),
            (worse >= watch, Self::WATCH),
            (better >= regressed, Self::BETTER),
            (worse < clear, Self::CALM),
            (better < clear, Self::UNCHANGED),
        ];
        let shown = signs.into_iter().filter(|(shown, _)| *shown);
        Self(shown.fold(Self::ANSWERED, |all, (_, sign)| all | sign))
    }

    /// With what speaks against the numbers themselves.
    #[must_use]
    pub(crate) const fn doubted(self) -> Self {
        Self(self.0 | Self::DOUBTED)
    }

    const fn show(self, sign: u8) -> bool {
        self.0 & sign != 0
    }

    /// Whether there was enough to look at.
    pub(crate) const fn answered(self) -> bool {
        self.show(Self::ANSWERED)
    }

    /// Whether it is bad enough to be watched.
    pub(crate) const fn worth_watching(self) -> bool {
        self.show(Self::WATCH)
    }

    /// Whether it is bad enough for an alert.
    pub(crate) const fn alarming(self) -> bool {
        self.show(Self::REGRESSED)
    }
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
    state: State,
    since: Day,
    streaks: Streaks,
    frozen: Option<Day>,
}

impl Machine {
    pub(crate) fn new(begin: Day) -> Self {
        Self { state: State::Insufficient, since: begin, streaks: Streaks::default(), frozen: None }
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

    /// A look.
    pub(crate) fn look(&mut self, day: Day, signs: Signs, alarms: Alarms) {
        if !signs.answered() {
            self.unanswered(day);
            return;
        }
        self.count(signs, alarms);
        let streaks = self.streaks;
        let regressed = streaks.regressed >= LOOKS_TO_ENTER;
        match self.state {
            State::Regressed if streaks.calm > 0 => self.enter(State::Recovering, day),
            State::Regressed => {}
            State::Recovering if regressed => self.alarm(day, signs),
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
                    self.alarm(day, signs);
                } else if streaks.watch >= LOOKS_TO_ENTER {
                    self.settle(State::Watch, day);
                } else if streaks.better >= LOOKS_TO_ENTER {
                    self.settle(State::Improved, day);
                } else if self.is_over() {
                    self.settle(State::Ok, day);
                }
            }
        }
    }

    /// A regression begins, or what would be one if its numbers could be trusted. Either way it is measured against
    /// the time before it from now on; one that stands already is not taken back by a doubt that comes later.
    fn alarm(&mut self, day: Day, signs: Signs) {
        self.frozen = self.frozen.or(Some(day));
        let doubted = signs.show(Signs::DOUBTED);
        self.enter(if doubted { State::DataSuspect } else { State::Regressed }, day);
    }

    /// Whatever was suspected is not so any more.
    fn settle(&mut self, state: State, day: Day) {
        self.frozen = None;
        self.enter(state, day);
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

    fn count(&mut self, signs: Signs, alarms: Alarms) {
        let alone = alarms == Alarms::On;
        let next = |streak: u32, goes_on: bool| if goes_on { streak.saturating_add(1) } else { 0 };
        let streaks = self.streaks;
        self.streaks = Streaks {
            regressed: next(streaks.regressed, alone && signs.alarming()),
            watch: next(streaks.watch, alone && signs.worth_watching()),
            better: next(streaks.better, signs.show(Signs::BETTER)),
            calm: next(streaks.calm, signs.show(Signs::CALM)),
            unchanged: next(streaks.unchanged, signs.show(Signs::UNCHANGED)),
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
