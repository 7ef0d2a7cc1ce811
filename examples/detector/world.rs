//! A team's history as it might have been: weekdays, holidays, weeks that are alike, deployments that come in bursts,
//! lead times that are skewed and alike within a week, incidents in clusters; and, from one day on, a change.

use std::collections::BTreeSet;

use sextant::engine::exposure::Calendar;
use sextant::engine::regression::series::{Deployed, Failed, TeamSeries};
use sextant::model::day::Day;
use sextant::model::time::{Span, Timestamp};

use crate::random::{Random, Walk, gamma_around_one};

/// How much a team deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    S,
    M,
    L,
}

impl Size {
    pub(crate) const ALL: [Self; 3] = [Self::S, Self::M, Self::L];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
        }
    }

    /// Deployments a week: 6, 40 or 180 a month.
    const fn per_week(self) -> f64 {
        let month = match self {
            Self::S => 6.0,
            Self::M => 40.0,
            Self::L => 180.0,
        };
        month * 12.0 * 7.0 / 365.25
    }
}

/// How much its numbers scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Typical,
    Oss,
}

impl Profile {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Typical => "typical",
            Self::Oss => "oss",
        }
    }

    /// The dispersion φ of weekly deployments lies between these.
    const fn dispersion(self, size: Size) -> (f64, f64) {
        match (self, size) {
            (Self::Typical, Size::S) => (1.1, 1.5),
            (Self::Typical, Size::M) => (1.5, 2.2),
            (Self::Typical, Size::L) => (1.8, 3.0),
            (Self::Oss, Size::S) => (1.5, 2.4),
            (Self::Oss, Size::M) => (2.4, 6.0),
            (Self::Oss, Size::L) => (5.0, 13.0),
        }
    }

    /// The correlation of neighbouring weeks.
    const fn likeness(self) -> f64 {
        match self {
            Self::Typical => 0.2,
            Self::Oss => 0.4,
        }
    }

    /// How lead times scatter, in logarithms: between weeks, between deployments, between changes.
    const fn lead_time(self) -> (f64, f64, f64) {
        match self {
            Self::Typical => (0.3, 0.9, 1.0),
            Self::Oss => (0.45, 1.1, 1.2),
        }
    }
}

/// What happens to a team from one day on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    None,
    /// Times so much.
    LeadTime(f64),
    Deployments(f64),
    FailRatio(f64),
    Rework(f64),
    Recovery(f64),
    Incidents(f64),
    /// More deployments, sooner, failing less.
    Improvement,
    /// One deployment of thirty changes that waited for two months.
    Freak,
    /// A week of four times as many deployments.
    Burst,
    /// Two weeks of which nothing was collected, and that is known.
    Outage,
}

/// What a history is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) size: Size,
    pub(crate) profile: Profile,
    pub(crate) seed: u64,
    pub(crate) days: i64,
    pub(crate) change: Change,
    /// On which day.
    pub(crate) change_at: i64,
    /// The share of deployments that fail; drawn if absent.
    pub(crate) fail_ratio: Option<f64>,
    /// The correlation of neighbouring weeks, if not that of the profile.
    pub(crate) likeness: Option<f64>,
    /// How probable it is that an incident brings another one.
    pub(crate) contagion: f64,
}

/// A history, and what it was made from.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) series: TeamSeries,
    pub(crate) calendar: Calendar,
    pub(crate) truth: Truth,
}

/// What was true of a team before its change.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    /// Deployments expected on each day.
    pub(crate) deployments: Vec<f64>,
    pub(crate) incidents_per_day: f64,
    pub(crate) fail_ratio: f64,
    pub(crate) rework_ratio: f64,
    pub(crate) lead_time_hours: f64,
    pub(crate) recovery_hours: f64,
}

const WEEKDAYS: [f64; 7] = [0.18, 0.21, 0.21, 0.21, 0.16, 0.02, 0.01];
/// What a holiday leaves of a day.
const HOLIDAY: f64 = 0.1;
const HOLIDAYS_PER_YEAR: f64 = 11.0;
const OUTAGE_DAYS: i64 = 14;
const MILLIS_PER_HOUR: f64 = 3_600_000.0;

/// The first day of every history, a Monday.
pub(crate) fn begin() -> Day {
    Day::of(Timestamp::from_seconds(1_735_689_600), chrono_tz::Tz::UTC).plus(5)
}

#[expect(clippy::cast_possible_truncation, reason = "hours of months are far below 2^63 milliseconds")]
fn hours(hours: f64) -> Span {
    Span::from_millis((hours * MILLIS_PER_HOUR) as i64)
}

struct Team {
    plan: Plan,
    random: Random,
    calendar: Calendar,
    dispersion: f64,
    truth: Truth,
}

/// Makes a history.
pub(crate) fn make(plan: Plan) -> World {
    let mut random = Random::new(plan.seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let mut calendar = Calendar::default();
    for offset in 0..plan.days {
        if random.chance(HOLIDAYS_PER_YEAR / 365.0) {
            calendar.closed.insert(begin().plus(offset));
        }
    }
    let (low, high) = plan.profile.dispersion(plan.size);
    let dispersion = random.between(low, high);
    let incidents_per_month = match plan.size {
        Size::S => random.between(0.5, 1.5),
        Size::M => random.between(1.5, 4.0),
        Size::L => random.between(4.0, 10.0),
    };
    let truth = Truth {
        deployments: Vec::new(),
        incidents_per_day: incidents_per_month / 30.4,
        fail_ratio: plan.fail_ratio.unwrap_or_else(|| random.between(0.05, 0.15)),
        rework_ratio: random.between(0.05, 0.10),
        lead_time_hours: random.between(8.0, 60.0),
        recovery_hours: random.between(1.0, 6.0),
    };
    Team { plan, random, calendar, dispersion, truth }.live()
}

impl Team {
    fn changed(&self, day: i64, factor: impl Fn(Change) -> Option<f64>) -> f64 {
        if day < self.plan.change_at { 1.0 } else { factor(self.plan.change).unwrap_or(1.0) }
    }

    fn live(mut self) -> World {
        let plan = self.plan;
        let variance = (self.dispersion - 1.0) / plan.size.per_week();
        let likeness = plan.likeness.unwrap_or(plan.profile.likeness());
        let mut busy = Walk::new(likeness, &mut self.random);
        let mut slow = Walk::new(likeness, &mut self.random);
        let mut series = TeamSeries {
            since: begin(),
            deployments: Vec::new(),
            incidents: Vec::new(),
            blind: BTreeSet::new(),
        };
        let (mut rate, mut week_effect, mut fail_effect) = (1.0, 0.0, 1.0);
        for offset in 0..plan.days {
            let day = begin().plus(offset);
            if day.weekday() == 0 {
                rate = gamma_around_one(variance, busy.next(&mut self.random));
                week_effect = plan.profile.lead_time().0 * slow.next(&mut self.random);
                fail_effect = gamma_around_one(0.08, self.random.normal());
            }
            let expected = self.expected(day);
            self.truth.deployments.push(expected);
            let deployments = self.random.poisson(expected * rate * self.pace(offset));
            for _ in 0..deployments {
                let deployed = self.deployment(day, offset, week_effect, fail_effect);
                series.deployments.push(deployed);
            }
            self.incidents(day, offset, &mut series.incidents);
        }
        self.disturb(&mut series);
        World { series, calendar: self.calendar, truth: self.truth }
    }

    fn expected(&self, day: Day) -> f64 {
        let weekday = usize::try_from(day.weekday()).unwrap_or(0);
        let holiday = if self.calendar.closed.contains(&day) { HOLIDAY } else { 1.0 };
        WEEKDAYS.get(weekday).copied().unwrap_or(0.0) * self.plan.size.per_week() * holiday
    }

    fn pace(&self, offset: i64) -> f64 {
        let after = offset - self.plan.change_at;
        self.changed(offset, |change| match change {
            Change::Deployments(factor) => Some(factor),
            Change::Improvement => Some(1.5),
            Change::Burst => (after < 7).then_some(4.0),
            Change::None
            | Change::LeadTime(_)
            | Change::FailRatio(_)
            | Change::Rework(_)
            | Change::Recovery(_)
            | Change::Incidents(_)
            | Change::Freak
            | Change::Outage => None,
        })
    }

    fn deployment(&mut self, day: Day, offset: i64, week_effect: f64, fail_effect: f64) -> Deployed {
        let (_, between_deployments, between_changes) = self.plan.profile.lead_time();
        let at = self.instant(day, 8.0, 18.0);
        let slower = self.changed(offset, |change| match change {
            Change::LeadTime(factor) => Some(factor),
            Change::Improvement => Some(0.5),
            _ => None,
        });
        let median = self.truth.lead_time_hours * slower;
        let effect = week_effect + between_deployments * self.random.normal();
        let changes = 1 + self.random.poisson(1.0);
        let lead_times = (0..changes)
            .map(|_| {
                hours(median * (effect + between_changes * self.random.normal()).exp())
                    .max(Span::from_minutes(1))
            })
            .collect();
        let fails = self.truth.fail_ratio
            * fail_effect
            * self.changed(offset, |change| match change {
                Change::FailRatio(factor) => Some(factor),
                Change::Improvement => Some(0.5),
                _ => None,
            });
        let longer = self.changed(offset, |change| match change {
            Change::Recovery(factor) => Some(factor),
            _ => None,
        });
        let reworked = self.truth.rework_ratio
            * self.changed(offset, |change| match change {
                Change::Rework(factor) => Some(factor),
                _ => None,
            });
        let recovery = self.truth.recovery_hours * longer * (1.1 * self.random.normal()).exp();
        let fails = self.random.chance(fails);
        let recovered_at = Some(at.plus(hours(recovery)));
        let failure = fails.then_some(Failed { started_at: at, known_at: at, recovered_at });
        Deployed { at, lead_times, unplanned: self.random.chance(reworked), failure }
    }

    fn instant(&mut self, day: Day, from: f64, to: f64) -> Timestamp {
        let at = self.random.between(from, to);
        day.begin(self.calendar.timezone).plus(hours(at))
    }

    /// Incidents bring incidents.
    fn incidents(&mut self, day: Day, offset: i64, found: &mut Vec<Timestamp>) {
        let more = self.changed(offset, |change| match change {
            Change::Incidents(factor) => Some(factor),
            _ => None,
        });
        let clusters = self.truth.incidents_per_day * (1.0 - self.plan.contagion) * more;
        for _ in 0..self.random.poisson(clusters) {
            let mut at = self.instant(day, 0.0, 24.0);
            found.push(at);
            while self.random.chance(self.plan.contagion) {
                at = at.plus(hours(self.random.between(0.5, 48.0)));
                found.push(at);
            }
        }
    }

    fn disturb(&mut self, series: &mut TeamSeries) {
        let day = begin().plus(self.plan.change_at);
        if self.plan.change == Change::Freak {
            let at = self.instant(day, 8.0, 18.0);
            let lead_times = vec![Span::from_days(60); 30];
            series.deployments.push(Deployed { at, lead_times, unplanned: false, failure: None });
        }
        if self.plan.change == Change::Outage {
            series.blind.extend((0..OUTAGE_DAYS).map(|offset| day.plus(offset)));
            let timezone = self.calendar.timezone;
            let seen = |at: Timestamp| !series.blind.contains(&Day::of(at, timezone));
            series.deployments.retain(|deployment| seen(deployment.at));
            series.incidents.retain(|at| seen(*at));
        }
    }
}
