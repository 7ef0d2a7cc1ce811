//! Numbers from outside: the north star of the organisation, and the signals of organisation and teams
//! (`definitions.md` §7). What they are is configured; their values are read from Prometheus or pushed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::day::Day;
use super::name::{SignalName, TeamSlug};
use super::time::{Span, Timestamp};

/// Of each signal the latest value of so many hours is kept: 90 days of one that is read all the time, and more of
/// one that is told of seldom. A thousand signals take some ten megabytes of memory then.
pub const HOURS_KEPT_MAX: usize = 90 * 24;

const MILLIS_PER_HOUR: i64 = 3_600_000;

/// A north star or a signal, as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRule {
    /// Whose it is.
    pub standing: Standing,
    /// Its name: unique within the organisation, or within its team.
    pub name: SignalName,
    /// What it is, for people; without one its name says it.
    pub title: Option<String>,
    /// The query that gives it; `None`: it is pushed.
    pub promql: Option<Arc<str>>,
    /// What it was when the target was set.
    pub start: f64,
    /// What it is to become; never the same as the start.
    pub target: f64,
    /// The last day on which it may.
    pub by: Day,
    /// The end of that day in the organisation's time zone.
    pub deadline: Timestamp,
    /// How its values are written for people.
    pub format: Format,
}

/// Whose a signal is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The organisation's stated outcome.
    NorthStar,
    /// A further one of the organisation's.
    Organization,
    /// A team's.
    Team(TeamSlug),
}

/// How values are written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Format {
    /// As they are.
    #[default]
    Number,
    /// A share in [0, 1] as a percentage.
    Percent,
    /// Seconds as a length of time.
    Duration,
}

/// Which values belong together: those of one name and one query. A query that was changed begins anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKey {
    /// Whose it is; `None`: the organisation's.
    pub team: Option<TeamSlug>,
    /// Its name.
    pub name: SignalName,
    /// The query; `None`: it is pushed.
    pub promql: Option<Arc<str>>,
}

impl SignalRule {
    /// Where its values are kept.
    pub fn key(&self) -> SignalKey {
        let team = self.standing.team().cloned();
        SignalKey { team, name: self.name.clone(), promql: self.promql.clone() }
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or_else(|| self.name.as_str())
    }

    /// How much of the way from start to target a value has come: 0 at the start, 1 at the target; negative where it
    /// got worse, above 1 where it is better than its target. It needs no direction: start and target have one.
    pub fn progress(&self, value: f64) -> f64 {
        (value - self.start) / (self.target - self.start)
    }

    /// Whole days until the day of the target ends; negative after it.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.deadline.since(now).millis().div_euclid(Span::from_days(1).millis())
    }
}

impl Standing {
    /// The team whose it is; `None`: the organisation's.
    pub const fn team(&self) -> Option<&TeamSlug> {
        match self {
            Self::NorthStar | Self::Organization => None,
            Self::Team(team) => Some(team),
        }
    }
}

/// A value and when it was that: always a number, never an infinity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalPoint {
    at: Timestamp,
    value: f64,
}

impl SignalPoint {
    /// `None` if the value is none: NaN, or an infinity.
    pub fn new(at: Timestamp, value: f64) -> Option<Self> {
        value.is_finite().then_some(Self { at, value })
    }

    /// When it was read, or when whoever pushed it says it was so.
    pub const fn at(self) -> Timestamp {
        self.at
    }

    /// The value, in the signal's own unit.
    pub const fn value(self) -> f64 {
        self.value
    }

    /// The hour in which it lies, since the Unix epoch: of each hour one value is kept.
    pub const fn hour(self) -> i64 {
        self.at.millis().div_euclid(MILLIS_PER_HOUR)
    }
}

/// The values of a signal: the latest of each hour, of the newest [`HOURS_KEPT_MAX`] hours that have one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    hours: BTreeMap<i64, SignalPoint>,
}

impl History {
    /// Takes a value in; of two of one instant the one that is noted later stays.
    pub fn note(&mut self, point: SignalPoint) {
        let kept = self.hours.entry(point.hour()).or_insert(point);
        if point.at >= kept.at {
            *kept = point;
        }
        while self.hours.len() > HOURS_KEPT_MAX {
            self.hours.pop_first();
        }
    }

    /// The newest value.
    pub fn latest(&self) -> Option<SignalPoint> {
        self.hours.last_key_value().map(|(_, point)| *point)
    }

    /// All that are kept, by time.
    pub fn points(&self) -> impl Iterator<Item = SignalPoint> {
        self.hours.values().copied()
    }
}

impl FromIterator<SignalPoint> for History {
    fn from_iter<T: IntoIterator<Item = SignalPoint>>(points: T) -> Self {
        let mut history = Self::default();
        for point in points {
            history.note(point);
        }
        history
    }
}

/// A signal with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalState {
    /// What it is.
    pub rule: Arc<SignalRule>,
    /// Its values; they stay whatever goes wrong.
    pub history: History,
    /// Why there is no newer value, in words without a secret.
    pub trouble: Option<String>,
}

/// All signals, in the order of the configuration, the north star first.
pub type Signals = Vec<Arc<SignalState>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(start: f64, target: f64) -> SignalRule {
        SignalRule {
            standing: Standing::NorthStar,
            name: "conversion".into(),
            title: None,
            promql: None,
            start,
            target,
            by: Day::of(Timestamp::default(), chrono_tz::Tz::UTC),
            deadline: Timestamp::from_seconds(10 * 86_400),
            format: Format::Number,
        }
    }

    #[test]
    fn progress_is_the_part_of_the_way_in_either_direction() {
        for (start, target, value, expected) in [
            (0.0, 10.0, 0.0, 0.0),
            (0.0, 10.0, 5.0, 0.5),
            (0.0, 10.0, 12.0, 1.2),
            (0.0, 10.0, -5.0, -0.5),
            (10.0, 0.0, 10.0, 0.0),
            (10.0, 0.0, 2.5, 0.75),
            (-10.0, -20.0, -25.0, 1.5),
        ] {
            let progress = rule(start, target).progress(value);
            assert!((progress - expected).abs() < 1e-12, "{start} {target} {value}: {progress}");
        }
    }

    #[test]
    fn days_are_left_until_the_day_has_ended() {
        for (seconds, days) in [(0, 10), (1, 9), (9 * 86_400, 1), (9 * 86_400 + 1, 0), (10 * 86_400 + 1, -1)]
        {
            assert_eq!(rule(0.0, 1.0).days_left(Timestamp::from_seconds(seconds)), days, "{seconds}");
        }
    }

    #[test]
    fn of_each_hour_the_latest_value_stays() {
        let point =
            |minute: i64, value| SignalPoint::new(Timestamp::from_seconds(60 * minute), value).unwrap();
        let history: History =
            [point(59, 1.0), point(0, 2.0), point(59, 3.0), point(60, 4.0), point(-1, 5.0)]
                .into_iter()
                .collect();
        let kept: Vec<f64> = history.points().map(SignalPoint::value).collect();
        assert_eq!(kept, [5.0, 3.0, 4.0]);
        assert_eq!(history.latest(), Some(point(60, 4.0)));
    }

    #[test]
    fn the_oldest_hours_go() {
        let hours = i64::try_from(HOURS_KEPT_MAX).unwrap() + 10;
        let points =
            (0..hours).map(|hour| SignalPoint::new(Timestamp::from_seconds(3_600 * hour), 1.0).unwrap());
        let history: History = points.rev().collect();
        assert_eq!(history.points().count(), HOURS_KEPT_MAX);
        assert_eq!(history.points().next().unwrap().hour(), 10);
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(SignalPoint::new(Timestamp::default(), value), None);
        }
    }
}
