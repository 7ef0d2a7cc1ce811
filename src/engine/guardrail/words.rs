//! A standing as a sentence: what the number is, what it could be, and where the limit lies. It judges nobody.

use crate::engine::guardrail::{Known, Standing, State};
use crate::engine::interval::Interval;
use crate::engine::snapshot::Completeness;
use crate::model::guardrail::Limit;
use crate::model::measure::{Measure, Stat};

const MINUTE_SECONDS: f64 = 60.0;
const HOUR_SECONDS: f64 = 3_600.0;
const DAY_SECONDS: f64 = 86_400.0;

impl Standing {
    /// The whole sentence, without its state: "change fail rate 18 % of 34 deployments in 30d (9–29 %): the limit of at
    /// most 15 % lies within what it could be".
    pub fn words(&self) -> String {
        let Self { measure, stat, window, known, .. } = self;
        let Known { n, value, interval, complete } = known;
        let (name, window) = (name(*measure, *stat), &window.label);
        if *complete == Completeness::Partial {
            return format!("{name}: the collected history does not cover {window} yet");
        }
        let Some(n) = *n else {
            return format!("{name}: nothing is known in {window}");
        };
        let things = things(*measure);
        if n < self.min_samples {
            return format!("{name}: not enough data, {n} of {} {things} in {window}", self.min_samples);
        }
        let Some(value) = value else {
            return format!("{name}: no {things} in {window}");
        };
        let of = if is_rate(*measure) { "from" } else { "of" };
        let value = format!("{name} {} {of} {n} {things} in {window}", amount(*measure, *value));
        let Some(interval) = interval else {
            return match stat {
                Stat::P50 => format!("{value}: too little history to say what it could be"),
                // The end of a sample is known worse than its middle: of a few that are alike there is no upper end.
                Stat::P90 => {
                    format!("{value}: too few of them, or too little history, to say what it could be")
                }
            };
        };
        format!("{value} ({}): {}", range(*measure, *interval), self.verdict())
    }

    /// Where the limit lies.
    fn verdict(&self) -> String {
        let limit = limit_words(self.measure, self.limit);
        match self.state {
            State::Inside => format!("all that it could be is within the limit of {limit}"),
            State::Near => format!("the limit of {limit} lies within what it could be"),
            State::Outside => format!("all that it could be is past the limit of {limit}"),
            State::Unknown => format!("nothing can be said of the limit of {limit}"),
        }
    }
}

/// Whether it is a number per day.
const fn is_rate(measure: Measure) -> bool {
    matches!(measure, Measure::DeploymentsPerDay | Measure::IncidentsPerDay)
}

/// A limit in words: "at most 15 %".
fn limit_words(measure: Measure, limit: Limit) -> String {
    let side = match limit {
        Limit::Max(_) => "at most",
        Limit::Min(_) => "at least",
    };
    format!("{side} {}", amount(measure, limit.value()))
}

/// What people call it.
const fn name(measure: Measure, stat: Stat) -> &'static str {
    match (measure, stat) {
        (Measure::DeploymentsPerDay, _) => "deployment frequency",
        (Measure::LeadTime, Stat::P50) => "median lead time",
        (Measure::LeadTime, Stat::P90) => "90th percentile of lead time",
        (Measure::ChangeFailRatio, _) => "change fail rate",
        (Measure::IncidentsPerDay, _) => "incident rate",
        (Measure::RecoveryTime, Stat::P50) => "median recovery time",
        (Measure::RecoveryTime, Stat::P90) => "90th percentile of recovery time",
        (Measure::ReworkRatio, _) => "deployment rework rate",
    }
}

/// What its n counts.
const fn things(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay | Measure::ChangeFailRatio | Measure::ReworkRatio => "deployments",
        Measure::LeadTime => "changes",
        Measure::IncidentsPerDay => "incidents",
        Measure::RecoveryTime => "recoveries",
    }
}

fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => format!("{} per day", rate(value)),
        Measure::ChangeFailRatio | Measure::ReworkRatio => format!("{} %", percent(value)),
        Measure::LeadTime | Measure::RecoveryTime => time(value),
    }
}

fn range(measure: Measure, Interval { lower, upper }: Interval) -> String {
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => format!("{}–{}", rate(lower), rate(upper)),
        Measure::ChangeFailRatio | Measure::ReworkRatio => {
            format!("{}–{} %", percent(lower), percent(upper))
        }
        Measure::LeadTime | Measure::RecoveryTime => format!("{} – {}", time(lower), time(upper)),
    }
}

/// With one digit behind the point where it says something.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// With two digits that say something.
fn rate(per_day: f64) -> String {
    if per_day >= 10.0 {
        format!("{per_day:.0}")
    } else if per_day >= 1.0 {
        format!("{per_day:.1}")
    } else {
        format!("{per_day:.2}")
    }
}

/// Its two largest units, the smaller one if there is any of it.
fn time(seconds: f64) -> String {
    let two = |seconds: f64, large: f64, small: f64, (large_unit, small_unit): (&str, &str)| {
        let whole = (seconds / large).floor();
        match (seconds.rem_euclid(large) / small).floor() {
            rest if rest >= 1.0 => format!("{whole:.0} {large_unit} {rest:.0} {small_unit}"),
            _ => format!("{whole:.0} {large_unit}"),
        }
    };
    if seconds >= DAY_SECONDS {
        two(seconds, DAY_SECONDS, HOUR_SECONDS, ("d", "h"))
    } else if seconds >= HOUR_SECONDS {
        two(seconds, HOUR_SECONDS, MINUTE_SECONDS, ("h", "min"))
    } else if seconds >= MINUTE_SECONDS {
        two(seconds, MINUTE_SECONDS, 1.0, ("min", "s"))
    } else {
        format!("{seconds:.0} s")
    }
}
