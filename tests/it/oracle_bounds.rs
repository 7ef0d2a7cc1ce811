//! The second opinion about intervals: the words of `regressions.md` 3.5, as naively as they can be written. Quantiles
//! are found by halving.

use chrono::{DateTime, Datelike as _, NaiveTime, TimeZone as _, Utc, Weekday};
use sextant::model::time::{Span, Timestamp};
use statrs::distribution::{Beta, ContinuousCDF, Gamma};

/// What an interval lies between.
pub(crate) type Ends = (f64, f64);

/// A window, and since when the history of what it is of is collected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    pub(crate) at: Timestamp,
    pub(crate) length: Span,
    pub(crate) since: Timestamp,
    pub(crate) timezone: chrono_tz::Tz,
}

/// A deployment: when, whether it counts as bad, the lead times that it has.
pub(crate) type Deployed = (Timestamp, bool, Vec<Span>);

impl Within {
    fn begin(&self) -> Timestamp {
        self.at.minus(self.length)
    }

    fn has(&self, at: Timestamp) -> bool {
        self.begin() <= at && at < self.at
    }

    /// The complete weeks before the window, at most 26; nothing if there are fewer than eight.
    fn weeks(&self) -> Option<Vec<(Timestamp, Timestamp)>> {
        let back = |weeks: i64| self.begin().minus(Span::from_days(7 * weeks));
        let weeks: Vec<_> = (0..26).map(|week| (back(week + 1), back(week))).collect();
        let weeks: Vec<_> = weeks.into_iter().filter(|(from, _)| *from >= self.since).collect();
        (weeks.len() >= 8).then_some(weeks)
    }

    /// Days from one instant to another, only Mondays to Fridays or all.
    fn days(&self, from: Timestamp, to: Timestamp, at_work: bool) -> f64 {
        let mut sum = 0.0;
        let mut date = local(from, self.timezone).date_naive();
        while date <= local(to, self.timezone).date_naive() {
            let midnight = |date: chrono::NaiveDate| {
                let local = self.timezone.from_local_datetime(&date.and_time(NaiveTime::MIN)).earliest();
                Timestamp::from(local.unwrap().to_utc())
            };
            let next = date.succ_opt().unwrap();
            let overlap = to.min(midnight(next)).since(from.max(midnight(date))).seconds().max(0.0);
            if !at_work || !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
                sum += overlap / midnight(next).since(midnight(date)).seconds();
            }
            date = next;
        }
        sum
    }
}

fn local(at: Timestamp, timezone: chrono_tz::Tz) -> DateTime<chrono_tz::Tz> {
    DateTime::<Utc>::from_timestamp_millis(at.millis()).unwrap().with_timezone(&timezone)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Where a distribution function reaches `tail`.
fn quantile(of: &impl ContinuousCDF<f64, f64>, tail: f64, mut high: f64) -> f64 {
    let mut low = 0.0;
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if of.cdf(middle) < tail { low = middle } else { high = middle }
    }
    low
}

/// Of events per day. Deployments have a chance at work, incidents always.
pub(crate) fn rate(within: &Within, events: &[Timestamp], at_work: bool) -> Option<Ends> {
    let (slope, floor) = if at_work { (0.08, 1.0) } else { (0.05, 1.2) };
    let weeks = within.weeks()?;
    let in_week: Vec<(f64, f64)> = weeks
        .iter()
        .map(|(from, to)| {
            let count = events.iter().filter(|at| from <= at && *at < to).count();
            (number(count), within.days(*from, *to, at_work))
        })
        .collect();
    let per_day =
        in_week.iter().map(|week| week.0).sum::<f64>() / in_week.iter().map(|week| week.1).sum::<f64>();
    let k = number(in_week.len());
    let mut phi = floor;
    if per_day > 0.0 {
        let expected: Vec<f64> = in_week.iter().map(|week| per_day * week.1).collect();
        let usual = 1.0 + slope * expected.iter().sum::<f64>() / k;
        let found = in_week.iter().zip(&expected).map(|(week, mean)| (week.0 - mean).powi(2) / mean);
        let found = found.sum::<f64>() / (k - 1.0);
        phi = ((12.0 * usual + (k - 1.0) * found) / (12.0 + k - 1.0)).max(floor);
    }
    let phi = 1.0 + 1.25 * (phi - 1.0);
    let x = number(events.iter().filter(|at| within.has(**at)).count());
    let chance = within.days(within.begin(), within.at, at_work);
    if chance < 3.999 {
        return None;
    }
    let gamma = |shape: f64, tail| quantile(&Gamma::new(shape, 1.0).unwrap(), tail, 10.0 * shape + 50.0);
    let lower = if x > 0.0 { gamma(x / phi, 0.025) } else { 0.0 };
    let upper = gamma(x / phi + 1.0, 0.975);
    let days = within.length.seconds() / 86_400.0;
    Some((lower * phi / chance * chance / days, upper * phi / chance * chance / days))
}

/// Of the share of deployments that are bad.
pub(crate) fn share(within: &Within, deployments: &[Deployed]) -> Option<Ends> {
    let weeks = within.weeks()?;
    let of = |from: Timestamp, to: Timestamp| {
        let of: Vec<_> = deployments.iter().filter(|one| from <= one.0 && one.0 < to).collect();
        (number(of.iter().filter(|one| one.1).count()), number(of.len()))
    };
    let (bad, all) = of(within.begin(), within.at);
    if all < 10.0 {
        return None;
    }
    let weeks: Vec<(f64, f64)> = weeks.iter().map(|(from, to)| of(*from, *to)).collect();
    let weeks: Vec<(f64, f64)> = weeks.into_iter().filter(|week| week.1 > 0.0).collect();
    let p = weeks.iter().map(|week| week.0).sum::<f64>() / weeks.iter().map(|week| week.1).sum::<f64>();
    let mut phi = 1.15;
    if p > 0.0 && p < 1.0 {
        let k = number(weeks.len());
        let found = weeks.iter().map(|(bad, all)| (bad - all * p).powi(2) / (all * p * (1.0 - p)));
        let found = if k > 1.0 { (found.sum::<f64>() / (k - 1.0)).min(6.0) } else { 0.0 };
        phi = ((12.0 * 1.15 + (k - 1.0) * found) / (12.0 + k - 1.0)).max(1.0);
    }
    let beta = Beta::new(bad / phi + 0.5, (all - bad) / phi + 0.5).unwrap();
    let lower = if bad > 0.0 { quantile(&beta, 0.025, 1.0) } else { 0.0 };
    let upper = if bad < all { quantile(&beta, 0.975, 1.0) } else { 1.0 };
    Some((lower, upper))
}

/// Of the median lead time, in seconds.
pub(crate) fn lead_time(within: &Within, deployments: &[Deployed]) -> Option<Ends> {
    let weeks = within.weeks()?;
    let begin = weeks.last().unwrap().0;
    let hours = |span: &Span| (span.seconds().max(180.0) / 3_600.0).ln();
    let now: Vec<&Deployed> =
        deployments.iter().filter(|one| within.has(one.0) && !one.2.is_empty()).collect();
    let past: Vec<&Deployed> =
        deployments.iter().filter(|one| begin <= one.0 && one.0 < within.begin()).collect();
    let mut sample: Vec<f64> = now.iter().flat_map(|one| &one.2).map(|span| span.seconds()).collect();
    sample.sort_by(f64::total_cmp);
    if sample.len() < 6 {
        return None;
    }
    let in_deployments: Vec<Vec<f64>> = past.iter().map(|one| one.2.iter().map(hours).collect()).collect();
    // Weeks of the calendar that lie in the past as a whole.
    let monday = |at: Timestamp| {
        let date = local(at, within.timezone).date_naive();
        date - chrono::Duration::days(date.weekday().num_days_from_monday().into())
    };
    let first = within.since.max(within.begin().minus(Span::from_days(182)));
    let midnight = |date: chrono::NaiveDate| {
        let at = within.timezone.from_local_datetime(&date.and_time(NaiveTime::MIN)).earliest().unwrap();
        Timestamp::from(at.to_utc())
    };
    let mut in_weeks: Vec<Vec<f64>> = Vec::new();
    let mut day = monday(first);
    while midnight(day + chrono::Duration::days(7)) <= within.begin() {
        let (from, to) = (midnight(day), midnight(day + chrono::Duration::days(7)));
        if from >= first {
            let own = deployments.iter().filter(|one| from <= one.0 && one.0 < to);
            in_weeks.push(own.filter_map(|one| middle(one.2.iter().map(hours).collect())).collect());
        }
        day += chrono::Duration::days(7);
    }
    let filled = number(in_weeks.iter().filter(|week| !week.is_empty()).count());
    let alike = likeness(&in_deployments).unwrap_or(1.0);
    let in_week = likeness(&in_weeks).map_or(0.02, |found| (12.0 * 0.02 + filled * found) / (12.0 + filled));
    let n = number(sample.len());
    let per_deployment = now.iter().map(|one| number(one.2.len()).powi(2)).sum::<f64>() / n;
    let per_week = number(now.len()) * 7.0 / (within.length.seconds() / 86_400.0);
    let effective =
        n / (1.0 + (per_deployment - 1.0).max(0.0) * alike) / (1.0 + (per_week - 1.0).max(0.0) * in_week);
    let below = (n / 2.0 - 0.98 * n / effective.sqrt()).floor();
    let below = (0..sample.len()).find(|place| (number(*place) - below).abs() < 0.5)?;
    Some((sample[below], sample[sample.len() - 1 - below]))
}

fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half)?;
    Some(if values.len() % 2 == 1 { *upper } else { f64::midpoint(values[half - 1], *upper) })
}

/// The intraclass correlation of a one-way analysis of variance.
fn likeness(groups: &[Vec<f64>]) -> Option<f64> {
    let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let all: Vec<f64> = groups.iter().copied().flatten().copied().collect();
    if groups.len() < 5 || all.len() < 12 || all.len() <= groups.len() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / number(values.len());
    let (k, n, grand) = (number(groups.len()), number(all.len()), mean(&all));
    let between: f64 = groups.iter().map(|group| number(group.len()) * (mean(group) - grand).powi(2)).sum();
    let within: f64 =
        groups.iter().flat_map(|group| group.iter().map(|value| (value - mean(group)).powi(2))).sum();
    let size = (n - groups.iter().map(|group| number(group.len()).powi(2)).sum::<f64>() / n) / (k - 1.0);
    let (between, within) = (between / (k - 1.0), within / (n - k));
    let found = (between - within) / (between + (size - 1.0) * within);
    found.is_finite().then(|| found.clamp(0.0, 1.0))
}
