//! History as series: the gauges of the three levels at many instants, with the names, labels and values that `/metrics`
//! had or would have had then, read by the code that renders it.
//!
//! Besides, how teams stood to their guardrails and, day by day, against their own history. Only what is recomputed by
//! event time has a history: counters and histograms count what was seen when it was seen, `sextant_…` and `process_…`
//! speak of a moment that is over.

use std::fmt;

use crate::catalogue::{self, Derived, Id, Level, LevelGauge, Metric, Sample};
use crate::engine::regression::tracker::Tracker;
use crate::engine::series::{Instants, Parts, Past};
use crate::model::measure::Measure;
use crate::model::time::Timestamp;

mod guardrails;
mod plan;
mod states;
mod table;

pub use self::plan::{INTERVAL_WORTH, Plan};
pub use self::table::{Csv, OpenMetrics};

/// A metric's values with one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric.
    pub metric: &'static Metric,
    /// Its labels, in the catalogue's order.
    pub labels: Vec<(&'static str, String)>,
    /// Its values in order; instants at which it is unknown are left out. Never empty.
    pub points: Vec<(Timestamp, f64)>,
}

/// What the past is known by.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What numbers are made of.
    pub past: &'a Past,
    /// Every look at every team.
    pub tracker: &'a Tracker,
}

/// What is asked for.
pub struct Wanted<'a> {
    /// When.
    pub instants: &'a Instants,
    /// Which metrics.
    pub metric: &'a dyn Fn(&Metric) -> bool,
    /// Which values of a label, by its name.
    pub label: &'a dyn Fn(&str, &str) -> bool,
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").field("instants", &self.instants.len()).finish_non_exhaustive()
    }
}

/// All metrics that have a history, in the catalogue's order.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    catalogue::metrics().filter(|metric| source(metric).is_some())
}

/// Where the history of a metric comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A gauge of a level, with what it is read from.
    Level(LevelGauge, Level, Parts),
    /// How teams stood to their guardrails, or where these lie.
    Guardrails(guardrails::Told),
    /// How teams stood against their own history, or since when.
    States(states::Told),
}

/// `None` if it has none.
const fn source(metric: &Metric) -> Option<Source> {
    match metric.id {
        Id::Level(gauge, level) => Some(Source::Level(gauge, level, parts(gauge))),
        Id::Derived(Derived::Guardrail) => Some(Source::Guardrails(guardrails::Told::State)),
        Id::Derived(Derived::GuardrailLimit) => Some(Source::Guardrails(guardrails::Told::Limit)),
        Id::Derived(Derived::TeamState) => Some(Source::States(states::Told::State)),
        Id::Derived(Derived::TeamStateSince) => Some(Source::States(states::Told::Since)),
        // The first four are made of whole looks, which are kept of the newest day alone. All others tell what is so
        // today, or what was seen.
        Id::Derived(
            Derived::TeamEvidence
            | Derived::TeamChangeRatio
            | Derived::TeamChangeRatioBound
            | Derived::TeamBaseline
            | Derived::SourceExcluded
            | Derived::Repositories
            | Derived::SuspectFacts
            | Derived::RegressionThreshold
            | Derived::TeamStateTransitions
            | Derived::SnapshotTimestamp
            | Derived::TeamInfo
            | Derived::IncidentsTotal
            | Derived::DeploymentsTotal
            | Derived::ChangeLeadTime
            | Derived::DeploymentRecoveryTime,
        )
        | Id::Own(_)
        | Id::Signal(_)
        | Id::Closing(_) => None,
    }
}

/// Tells every series that is asked for, however long it takes, as [`Plan::each`] does.
pub fn each<E>(
    known: Known<'_>,
    wanted: &Wanted<'_>,
    tell: impl FnMut(Series) -> Result<(), E>,
) -> Result<(), E> {
    Plan::new(known, wanted).each(&|| Ok(()), tell)
}

/// What a gauge is read from.
const fn parts(gauge: LevelGauge) -> Parts {
    match gauge {
        LevelGauge::LeadTime => Parts::LEAD_TIME,
        LevelGauge::LeadTimePhase => Parts::PHASES,
        LevelGauge::RecoveryTime => Parts::RECOVERY,
        LevelGauge::IncidentResolution => Parts::RESOLUTION,
        LevelGauge::Incidents | LevelGauge::OpenIncidents => Parts::SEVERITIES,
        LevelGauge::DeploymentsPerDayBound => Parts::bound(Measure::DeploymentsPerDay),
        LevelGauge::LeadTimeBound => Parts::bound(Measure::LeadTime),
        LevelGauge::ChangeFailRatioBound => Parts::bound(Measure::ChangeFailRatio),
        LevelGauge::IncidentsPerDayBound => Parts::bound(Measure::IncidentsPerDay),
        LevelGauge::RecoveryTimeBound => Parts::bound(Measure::RecoveryTime),
        LevelGauge::ReworkRatioBound => Parts::bound(Measure::ReworkRatio),
        LevelGauge::Deployments
        | LevelGauge::DeploymentsPerDay
        | LevelGauge::DeploymentDates
        | LevelGauge::DeploymentAttempts
        | LevelGauge::LastDeployment
        | LevelGauge::Changes
        | LevelGauge::UnreviewedChanges
        | LevelGauge::BotChanges
        | LevelGauge::FailedDeployments
        | LevelGauge::ChangeFailRatio
        | LevelGauge::ReworkDeployments
        | LevelGauge::ReworkRatio
        | LevelGauge::RecoveredDeployments
        | LevelGauge::UnrecoveredDeployments
        | LevelGauge::IncidentsPerDay
        | LevelGauge::ResolvedIncidents
        | LevelGauge::Coverage
        | LevelGauge::WindowComplete => Parts::COUNTS,
    }
}

/// The series of one metric as they grow.
struct Found<'a> {
    metric: &'static Metric,
    wanted: &'a Wanted<'a>,
    /// By the values of their labels; `None` if nobody asks for it.
    series: Vec<(Vec<String>, Option<Series>)>,
}

impl<'a> Found<'a> {
    fn new(metric: &'static Metric, wanted: &'a Wanted<'a>) -> Self {
        Self { metric, wanted, series: Vec::new() }
    }

    /// Those that are asked for.
    fn series(self) -> impl Iterator<Item = Series> {
        self.series.into_iter().filter_map(|(_, series)| series)
    }

    /// Takes in the samples of an instant.
    fn take(&mut self, at: Timestamp, samples: Vec<Sample<'_>>) {
        // Samples come in the same order at every instant, so that the next series is nearly always the one.
        let mut next = 0;
        for sample in samples {
            let values = || sample.labels.iter().map(|(_, value)| &**value);
            let is_same = |(labels, _): &(Vec<String>, _)| values().eq(labels.iter().map(String::as_str));
            let known = self.series.iter().skip(next).position(is_same).map(|place| next + place);
            let known = known.or_else(|| self.series.iter().position(is_same));
            let place = known.unwrap_or_else(|| {
                let labels: Vec<String> = values().map(str::to_owned).collect();
                let series = self.begin(&labels);
                self.series.push((labels, series));
                self.series.len() - 1
            });
            next = place + 1;
            if let Some((_, Some(series))) = self.series.get_mut(place) {
                series.points.push((at, sample.value));
            }
        }
    }

    fn begin(&self, labels: &[String]) -> Option<Series> {
        let names = self.metric.labels.iter().copied();
        let labels: Vec<_> = names.zip(labels.iter().cloned()).collect();
        let wanted = labels.iter().all(|(name, value)| (self.wanted.label)(name, value));
        wanted.then(|| Series { metric: self.metric, labels, points: Vec::new() })
    }
}
