//! A team's number over a window, with what it probably lies in (`regressions.md` 3.5).

use std::ops::Range;

use crate::engine::count::{real, size};
use crate::engine::dispersion::{
    CountScatter, WeekCount, WeekLikeness, WeekShare, likeness, of_counts, of_shares,
};
use crate::engine::exposure::{Calendar, SharedShift};
use crate::engine::interval::{self, Interval, SharedChanges};
use crate::engine::regression::compare::{deployment_weeks, incident_weeks};
use crate::engine::regression::series::{TeamSeries, Timeline, calendar_weeks, logarithm, weeks};
use crate::model::day::{Day, WEEK};
use crate::model::measure::Measure;
use crate::model::time::Timestamp;

/// From how many weeks back the dispersion is taken.
pub const DISPERSION_WEEKS: usize = 26;
/// The same in days.
const DISPERSION_DAYS: i64 = 182;
/// How many whole weeks of it there must be.
pub const DISPERSION_WEEKS_MIN: usize = 8;
/// How many days of work a rate is shown for.
pub const EXPOSURE_MIN: f64 = 14.0;
/// How many deployments a proportion is shown for.
pub const DEPLOYMENTS_MIN: u64 = 10;
/// How many changes or recoveries a median is shown for.
pub const TIMES_MIN: u64 = 6;

/// A number with its sample and, where that is large enough, its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Headline {
    /// In the measure's unit: per calendar day, a share, or hours. Absent where there is nothing to compute it of.
    pub value: Option<f64>,
    /// What it lies in; absent below the minimum sample.
    pub interval: Option<Interval>,
    /// Of how many: deployments, changes, incidents, recoveries.
    pub n: u64,
}

/// Headline numbers of a team on any day of a history.
#[derive(Debug, Clone)]
pub struct Headlines {
    timeline: Timeline,
    /// Each recovery: when, and how long it took.
    recoveries: Vec<(Timestamp, f64)>,
    calendar: Calendar,
}

impl Headlines {
    /// Of a team's history until before `end`.
    pub fn new(series: &TeamSeries, calendar: &Calendar, end: Day) -> Self {
        let timeline = Timeline::new(series, calendar, &SharedShift::new(), end);
        let all = timeline.since..end;
        let recovered = timeline.failures(&all).filter_map(|failure| {
            let at = failure.recovered_at?;
            Some((at, logarithm(at.since(failure.started_at))))
        });
        let mut recoveries: Vec<_> = recovered.collect();
        recoveries.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self { timeline, recoveries, calendar: calendar.clone() }
    }

    /// Over the `window` days before a day.
    pub fn on(&self, measure: Measure, day: Day, window: i64) -> Headline {
        let days = day.minus(window)..day;
        let past = self.past(&days);
        match measure {
            Measure::DeploymentsPerDay => {
                let exposure = self.timeline.exposure.working(&days, day);
                let weeks = past.as_ref().map(|past| deployment_weeks(&self.timeline, past, day));
                let scatter = weeks.map(|weeks: Vec<WeekCount>| of_counts(&weeks, CountScatter::DEPLOYMENTS));
                rate(self.timeline.deployments.count(&days), exposure, window, scatter)
            }
            Measure::IncidentsPerDay => {
                let exposure = self.timeline.exposure.any(&days);
                let weeks = past.as_ref().map(|past| incident_weeks(&self.timeline, past));
                let scatter = weeks.map(|weeks: Vec<WeekCount>| of_counts(&weeks, CountScatter::INCIDENTS));
                rate(self.timeline.incidents.count(&days), exposure, window, scatter)
            }
            Measure::ChangeFailRatio => {
                let at = day.begin(self.calendar.timezone);
                proportion(&days, past.as_ref(), |days| self.timeline.failed(days, at, at))
            }
            Measure::ReworkRatio => proportion(&days, past.as_ref(), |days| self.timeline.reworked(days)),
            Measure::LeadTime => self.lead_time(&days, past.as_ref()),
            Measure::RecoveryTime => self.recovery_time(&days),
        }
    }

    /// The 26 weeks before a window, as far as the history goes; `None` if that is not far enough.
    fn past(&self, days: &Range<Day>) -> Option<Range<Day>> {
        let past = days.start.minus(DISPERSION_DAYS).max(self.timeline.since)..days.start;
        // Sums of ones, compared in halves.
        let whole = |week: &Range<Day>| self.timeline.exposure.seen(week) > real(WEEK.unsigned_abs()) - 0.5;
        let complete = weeks(&past).filter(whole).count();
        (complete >= DISPERSION_WEEKS_MIN).then_some(past)
    }

    fn lead_time(&self, days: &Range<Day>, past: Option<&Range<Day>>) -> Headline {
        let deployments = self.timeline.changes.of(days);
        let mut values: Vec<f64> = deployments.iter().flatten().copied().collect();
        values.sort_by(f64::total_cmp);
        let n = size(&values);
        let interval = past.filter(|_| n >= TIMES_MIN).and_then(|past| {
            let shared = SharedChanges {
                changes: n,
                deployments: size(deployments),
                squares: deployments.iter().map(|changes| size(changes).pow(2)).sum(),
                days: real(days.end.since(days.start).max(1).unsigned_abs()),
            };
            let alike = likeness(self.timeline.changes.of(past)).unwrap_or(1.0);
            let in_weeks: Vec<&[f64]> =
                calendar_weeks(past).map(|week| self.timeline.lead_times.of(&week)).collect();
            let in_week = WeekLikeness::INTERVAL.shrunk(&in_weeks);
            interval::median(&values, shared.effective_size(alike, in_week))
        });
        hours(&values, interval)
    }

    fn recovery_time(&self, days: &Range<Day>) -> Headline {
        let (from, to) = (days.start.begin(self.calendar.timezone), days.end.begin(self.calendar.timezone));
        let begin = self.recoveries.partition_point(|(at, _)| *at < from);
        let end = self.recoveries.partition_point(|(at, _)| *at < to);
        let recovered = self.recoveries.get(begin..end).unwrap_or_default();
        let mut values: Vec<f64> = recovered.iter().map(|(_, length)| *length).collect();
        values.sort_by(f64::total_cmp);
        let n = size(&values);
        let interval = if n >= TIMES_MIN { interval::median(&values, real(n)) } else { None };
        hours(&values, interval)
    }
}

fn proportion(
    days: &Range<Day>,
    past: Option<&Range<Day>>,
    of: impl Fn(&Range<Day>) -> WeekShare,
) -> Headline {
    let WeekShare { part, whole } = of(days);
    let interval = past.filter(|_| whole >= DEPLOYMENTS_MIN).and_then(|past| {
        let weeks: Vec<_> = weeks(past).map(|week| of(&week)).collect();
        interval::proportion(part, whole, of_shares(&weeks))
    });
    let value = (whole > 0).then(|| real(part) / real(whole));
    Headline { value, interval, n: whole }
}

/// A median of logarithms of hours: the element ⌈n/2⌉.
fn hours(sorted: &[f64], interval: Option<Interval>) -> Headline {
    let value = sorted.len().div_ceil(2).checked_sub(1).and_then(|place| sorted.get(place));
    let interval = interval.map(|found| Interval { lower: found.lower.exp(), upper: found.upper.exp() });
    Headline { value: value.map(|value| value.exp()), interval, n: size(sorted) }
}

/// A rate per calendar day.
fn rate(events: u64, exposure: f64, window: i64, dispersion: Option<f64>) -> Headline {
    let days = real(window.unsigned_abs());
    let interval = dispersion
        .filter(|_| exposure >= EXPOSURE_MIN)
        .and_then(|dispersion| interval::calendar_rate(events, days, dispersion));
    Headline { value: Some(real(events) / days), interval, n: events }
}
