//! Whether a number is shown to people, and what they are told instead (`regressions.md` 3.5, the display rule): one
//! that could be anything is worse than none. The metrics keep it.

use std::fmt;

use crate::engine::count::real;
use crate::engine::exposure::{Calendar, Chance, Chances};
use crate::engine::interval::Interval;
use crate::engine::regression::headline::{DEPLOYMENTS_MIN, EXPOSURE_MIN, TIMES_MIN};
use crate::engine::regression::rank::whole;
use crate::engine::snapshot::{LevelValues, WindowValues};
use crate::model::measure::Measure;
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

/// An interval of a rate or a time is narrow enough below this ratio of its ends.
const FACTOR_MAX: f64 = 8.0;
/// And one of a ratio below this difference of its ends.
const POINTS_MAX: f64 = 0.3;
/// How exactly days are summed up.
const DAYS_EXACT: f64 = 1e-6;

/// What a page shows of a measure over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// The number, in the unit of its metric, with what it lies in.
    Value {
        /// The number.
        value: f64,
        /// Its 95 % interval.
        interval: Interval,
    },
    /// It is of too few.
    NotEnough {
        /// How many there are.
        have: u64,
        /// How many it takes.
        need: u64,
        /// Of what.
        of: Counted,
    },
    /// It is of enough, but could be almost anything; `None`: nobody knows, for want of history.
    Uncertain(Option<Interval>),
}

/// What a sample is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their words are those of Counted::as_str")]
pub enum Counted {
    WorkingDays,
    Days,
    Deployments,
    Changes,
    Recoveries,
}

impl Counted {
    /// The word for many of them.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkingDays => "working days",
            Self::Days => "days",
            Self::Deployments => "deployments",
            Self::Changes => "changes",
            Self::Recoveries => "recoveries",
        }
    }
}

/// How much chance a window gave for something to happen.
pub fn chance(calendar: &Calendar, window: &Window, at: Timestamp) -> Chance {
    let from = at.minus(window.length);
    Chances::new(calendar, from, at).between(from, at)
}

/// What is shown of a measure, whose window gave this [`chance`]. `None` where it is not known at all: a level that
/// never deployed has no deployments to be few.
pub fn shown(measure: Measure, values: &WindowValues, chance: Chance) -> Option<Shown> {
    let WindowValues { delivery, incidents, bounds, coverage: _, complete: _ } = values;
    let delivery = delivery.as_ref();
    let exposed = |days: f64| whole(days + DAYS_EXACT);
    let days_min = whole(EXPOSURE_MIN);
    let (value, interval, have, need, of) = match measure {
        Measure::DeploymentsPerDay => (
            Some(delivery?.deployments_per_day),
            bounds.deployments_per_day,
            exposed(chance.working),
            days_min,
            Counted::WorkingDays,
        ),
        Measure::IncidentsPerDay => (
            Some(incidents.as_ref()?.per_day),
            bounds.incidents_per_day,
            exposed(chance.any),
            days_min,
            Counted::Days,
        ),
        Measure::ChangeFailRatio => {
            let found = delivery?;
            let (ratio, bound) = (found.change_fail_ratio, bounds.change_fail_ratio);
            (ratio, bound, found.deployments, DEPLOYMENTS_MIN, Counted::Deployments)
        }
        Measure::ReworkRatio => {
            let found = delivery?;
            let (ratio, bound) = (found.rework_ratio, bounds.rework_ratio);
            (ratio, bound, found.deployments, DEPLOYMENTS_MIN, Counted::Deployments)
        }
        Measure::LeadTime => {
            let found = delivery?;
            let median = found.lead_time.p50.map(Span::seconds);
            (median, bounds.lead_time, found.changes, TIMES_MIN, Counted::Changes)
        }
        Measure::RecoveryTime => {
            let found = delivery?;
            let median = found.recovery_time.p50.map(Span::seconds);
            (median, bounds.recovery_time, found.recovered_deployments, TIMES_MIN, Counted::Recoveries)
        }
    };
    if have < need {
        return Some(Shown::NotEnough { have, need, of });
    }
    let narrow = interval.filter(|interval| is_narrow(measure, *interval));
    Some(match value.zip(narrow) {
        Some((value, interval)) => Shown::Value { value, interval },
        None => Shown::Uncertain(interval),
    })
}

fn is_narrow(measure: Measure, Interval { lower, upper }: Interval) -> bool {
    match measure {
        Measure::ChangeFailRatio | Measure::ReworkRatio => upper - lower < POINTS_MAX,
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay | Measure::LeadTime | Measure::RecoveryTime => {
            upper < FACTOR_MAX * lower
        }
    }
}

/// The shortest window, longer than that at `place`, over which a measure of a level is shown.
pub fn wider<'w>(
    measure: Measure,
    level: &LevelValues,
    windows: &'w [Window],
    place: usize,
    (calendar, at): (&Calendar, Timestamp),
) -> Option<&'w Window> {
    let length = windows.get(place)?.length;
    let longer = windows.iter().zip(&level.windows).filter(|(window, _)| window.length > length);
    let has = |window: &Window, values: &WindowValues| {
        let shown = shown(measure, values, chance(calendar, window, at));
        matches!(shown, Some(Shown::Value { .. }))
    };
    let longer = longer.filter(|(window, values)| has(window, values));
    longer.map(|(window, _)| window).min_by_key(|window| window.length)
}

impl Shown {
    /// What is said instead of the number, with a [`wider`] window to look at; `None` of one that is shown.
    pub fn instead(&self, wider: Option<&Window>) -> Option<String> {
        let why = match self {
            Self::Value { .. } => return None,
            Self::NotEnough { have, need, of } => format!("{have} of {need} {}", of.as_str()),
            Self::Uncertain(None) => "too little history to say how certain it is".into(),
            Self::Uncertain(Some(_)) => "it could be almost anything".into(),
        };
        let wider = wider.map(|window| format!("; try the {} view", View(window))).unwrap_or_default();
        Some(format!("not enough data: {why}{wider}"))
    }
}

/// A window as people say it.
struct View<'w>(&'w Window);

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = whole(self.0.length.days());
        if (self.0.length.days() - real(days)).abs() < DAYS_EXACT {
            write!(f, "{days}-day")
        } else {
            f.write_str(&self.0.label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::snapshot::{Bounds, Delivery, Incidents, Quantiles};

    /// A month with so many of everything, and the same interval around each of its numbers.
    fn month(count: u64, interval: Option<(f64, f64)>) -> WindowValues {
        let bound = interval.map(|(lower, upper)| Interval { lower, upper });
        let quantiles = Quantiles { p50: Some(Span::from_seconds(1)), p90: None };
        WindowValues {
            delivery: Some(Delivery {
                deployments: count,
                deployments_per_day: 1.0,
                changes: count,
                lead_time: quantiles,
                change_fail_ratio: Some(1.0),
                rework_ratio: Some(1.0),
                recovered_deployments: count,
                recovery_time: quantiles,
                ..Delivery::default()
            }),
            incidents: Some(Incidents { per_day: 1.0, ..Incidents::default() }),
            bounds: Bounds {
                deployments_per_day: bound,
                lead_time: bound,
                lead_time_p90: None,
                change_fail_ratio: bound,
                incidents_per_day: bound,
                recovery_time: bound,
                recovery_time_p90: None,
                rework_ratio: bound,
            },
            ..WindowValues::default()
        }
    }

    const MONTH: Chance = Chance { working: 21.5, any: 30.0 };

    #[test]
    fn a_number_is_shown_if_it_is_of_enough_and_certain_enough() {
        let value = |lower, upper| Shown::Value { value: 1.0, interval: Interval { lower, upper } };
        let few = |have, need, of| Shown::NotEnough { have, need, of };
        let any = |lower, upper| Shown::Uncertain(Some(Interval { lower, upper }));
        let (rates, ratios, times) = (
            [Measure::DeploymentsPerDay, Measure::IncidentsPerDay],
            [Measure::ChangeFailRatio, Measure::ReworkRatio],
            [Measure::LeadTime, Measure::RecoveryTime],
        );
        let of_times = [Counted::Changes, Counted::Recoveries];
        for measure in rates.into_iter().chain(times) {
            for (ends, expected) in [
                (Some((0.5, 3.9)), value(0.5, 3.9)),
                (Some((0.5, 4.0)), any(0.5, 4.0)),
                (Some((0.0, 1.0)), any(0.0, 1.0)),
                (None, Shown::Uncertain(None)),
            ] {
                assert_eq!(shown(measure, &month(6, ends), MONTH), Some(expected), "{measure:?}");
            }
        }
        for measure in ratios {
            for (count, ends, expected) in [
                (9, Some((0.7, 1.0)), few(9, 10, Counted::Deployments)),
                (10, Some((0.75, 1.0)), value(0.75, 1.0)),
                (10, Some((0.625, 1.0)), any(0.625, 1.0)),
                (10, None, Shown::Uncertain(None)),
            ] {
                assert_eq!(shown(measure, &month(count, ends), MONTH), Some(expected), "{measure:?}");
            }
        }
        for (measure, of) in times.into_iter().zip(of_times) {
            assert_eq!(
                shown(measure, &month(5, Some((1.0, 2.0))), MONTH),
                Some(few(5, 6, of)),
                "{measure:?}"
            );
        }
        let short = Chance { working: 13.5, any: 13.999_999_999 };
        for (measure, expected) in rates.into_iter().zip([few(13, 14, Counted::WorkingDays), value(1.0, 2.0)])
        {
            assert_eq!(shown(measure, &month(100, Some((1.0, 2.0))), short), Some(expected), "{measure:?}");
        }
        for measure in Measure::ALL {
            assert_eq!(shown(measure, &WindowValues::default(), MONTH), None, "{measure:?}");
        }
    }

    #[test]
    fn what_is_said_instead_tells_where_to_look() {
        let windows: Vec<_> =
            ["36h", "7d", "180d", "90d"].iter().filter_map(|text| Window::parse(text)).collect();
        let level = |counts: [u64; 4]| LevelValues {
            windows: counts.map(|count| month(count, Some((1.0, 1.25)))).into(),
            ..LevelValues::default()
        };
        let at = Timestamp::parse("2026-11-22T17:00:00Z").unwrap();
        for (measure, counts, place, expected) in [
            (Measure::RecoveryTime, [0, 3, 9, 6], 1, Some("3 of 6 recoveries; try the 90-day view")),
            (Measure::RecoveryTime, [0, 3, 9, 5], 1, Some("3 of 6 recoveries; try the 180-day view")),
            (Measure::LeadTime, [0, 6, 6, 6], 0, Some("0 of 6 changes; try the 7-day view")),
            (Measure::ChangeFailRatio, [1, 2, 9, 3], 2, Some("9 of 10 deployments")),
            (Measure::DeploymentsPerDay, [9; 4], 1, Some("5 of 14 working days; try the 90-day view")),
            (Measure::IncidentsPerDay, [9; 4], 0, Some("1 of 14 days; try the 90-day view")),
            (Measure::IncidentsPerDay, [9; 4], 3, None),
        ] {
            let (level, calendar) = (level(counts), Calendar::default());
            let chance = chance(&calendar, &windows[place], at);
            let found = shown(measure, &level.windows[place], chance).unwrap();
            let said = found.instead(wider(measure, &level, &windows, place, (&calendar, at)));
            let expected = expected.map(|why| format!("not enough data: {why}"));
            assert_eq!(said, expected, "{measure:?} {counts:?}");
        }
        assert_eq!(
            Shown::Uncertain(None).instead(Some(&windows[0])).unwrap(),
            "not enough data: too little history to say how certain it is; try the 36h view"
        );
    }
}
