//! The gauges of the three levels: one line per value that is known (`definitions.md` §3: unknown is absent).

use std::borrow::Cow;

use crate::catalogue::{Label, Level, LevelGauge, Metric, OUTCOMES, Sample};
use crate::engine::interval::Interval;
use crate::engine::snapshot::{
    Bounds, Completeness, Delivery, Incidents, LevelValues, PHASES, Quantiles, Snapshot, WindowValues,
};
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

use super::count;

/// The values of the label `bound`.
pub(super) const BOUNDS: [&str; 2] = ["lower", "upper"];
/// The values of the label `kind`.
pub(super) const COVERAGE_KINDS: [&str; 3] =
    ["deployments_with_changes", "changes_deployed", "incidents_attributed"];

/// Where a gauge is found in the numbers of a level.
enum Reading {
    /// It is the same for all windows.
    Level(fn(&LevelValues) -> Option<f64>),
    /// Open incidents, by severity.
    Open,
    /// Of each window: what derives from deployments.
    Delivery(fn(&Delivery) -> Option<f64>),
    /// The same, as p50 and p90.
    DeliveryTimes(fn(&Delivery) -> Quantiles),
    /// Attempts, by outcome.
    Attempts,
    /// Phases of lead time, as p50 and p90.
    Phases,
    /// Of each window: what derives from incidents.
    Incidents(fn(&Incidents) -> Option<f64>),
    /// The same, as p50 and p90.
    IncidentTimes(fn(&Incidents) -> Quantiles),
    /// Incidents started, by severity.
    Started,
    /// Of each window: what a measure lies in.
    Bound(fn(&Bounds) -> Option<Interval>),
    /// Coverage, by kind.
    Coverage,
    /// Whether the history covers the window.
    Complete,
}

fn reading(gauge: LevelGauge) -> Reading {
    match gauge {
        LevelGauge::Deployments => Reading::Delivery(|delivery| Some(count(delivery.deployments))),
        LevelGauge::DeploymentsPerDay => Reading::Delivery(|delivery| Some(delivery.deployments_per_day)),
        LevelGauge::DeploymentsPerDayBound => Reading::Bound(|bounds| bounds.deployments_per_day),
        LevelGauge::DeploymentDates => Reading::Delivery(|delivery| Some(count(delivery.deployment_dates))),
        LevelGauge::DeploymentAttempts => Reading::Attempts,
        LevelGauge::LastDeployment => {
            Reading::Level(|values| values.last_deployment_at.map(Timestamp::seconds))
        }
        LevelGauge::Changes => Reading::Delivery(|delivery| Some(count(delivery.changes))),
        LevelGauge::UnreviewedChanges => {
            Reading::Delivery(|delivery| Some(count(delivery.unreviewed_changes)))
        }
        LevelGauge::BotChanges => Reading::Delivery(|delivery| Some(count(delivery.bot_changes))),
        LevelGauge::LeadTime => Reading::DeliveryTimes(|delivery| delivery.lead_time),
        LevelGauge::LeadTimeBound => Reading::Bound(|bounds| bounds.lead_time),
        LevelGauge::LeadTimePhase => Reading::Phases,
        LevelGauge::FailedDeployments => {
            Reading::Delivery(|delivery| Some(count(delivery.failed_deployments)))
        }
        LevelGauge::ChangeFailRatio => Reading::Delivery(|delivery| delivery.change_fail_ratio),
        LevelGauge::ChangeFailRatioBound => Reading::Bound(|bounds| bounds.change_fail_ratio),
        LevelGauge::ReworkDeployments => {
            Reading::Delivery(|delivery| Some(count(delivery.rework_deployments)))
        }
        LevelGauge::ReworkRatio => Reading::Delivery(|delivery| delivery.rework_ratio),
        LevelGauge::ReworkRatioBound => Reading::Bound(|bounds| bounds.rework_ratio),
        LevelGauge::RecoveredDeployments => {
            Reading::Delivery(|delivery| Some(count(delivery.recovered_deployments)))
        }
        LevelGauge::RecoveryTime => Reading::DeliveryTimes(|delivery| delivery.recovery_time),
        LevelGauge::RecoveryTimeBound => Reading::Bound(|bounds| bounds.recovery_time),
        LevelGauge::UnrecoveredDeployments => {
            Reading::Level(|values| values.unrecovered_deployments.map(count))
        }
        LevelGauge::Incidents => Reading::Started,
        LevelGauge::IncidentsPerDay => Reading::Incidents(|incidents| Some(incidents.per_day)),
        LevelGauge::IncidentsPerDayBound => Reading::Bound(|bounds| bounds.incidents_per_day),
        LevelGauge::OpenIncidents => Reading::Open,
        LevelGauge::ResolvedIncidents => Reading::Incidents(|incidents| Some(count(incidents.resolved))),
        LevelGauge::IncidentResolution => Reading::IncidentTimes(|incidents| incidents.resolution_time),
        LevelGauge::Coverage => Reading::Coverage,
        LevelGauge::WindowComplete => Reading::Complete,
    }
}

/// All samples of `gauge` at `level`.
pub(super) fn samples<'a>(
    metric: &'static Metric,
    gauge: LevelGauge,
    level: Level,
    snapshot: &'a Snapshot,
) -> Vec<Sample<'a>> {
    let reading = reading(gauge);
    let windows = &snapshot.windows;
    let mut series = Series { metric, base: Vec::new(), samples: Vec::new() };
    match level {
        Level::Organization => series.level(&reading, windows, &snapshot.organization),
        Level::Team => {
            for (team, values) in &snapshot.teams {
                series.base = vec![team.as_str()];
                series.level(&reading, windows, &values.values);
            }
        }
        Level::Component => {
            for ((team, component), values) in &snapshot.components {
                series.base = vec![team.as_str(), component.as_str()];
                series.level(&reading, windows, values);
            }
        }
    }
    series.samples
}

/// All samples of `gauge` in the numbers of one level over these windows; `base` are the values of the labels that say
/// whose they are.
pub(super) fn of_level<'a>(
    metric: &'static Metric,
    gauge: LevelGauge,
    base: Vec<&'a str>,
    windows: &'a [Window],
    values: &'a LevelValues,
) -> Vec<Sample<'a>> {
    let mut series = Series { metric, base, samples: Vec::new() };
    series.level(&reading(gauge), windows, values);
    series.samples
}

/// The samples of one metric, and whose they are at the moment.
struct Series<'a> {
    metric: &'static Metric,
    base: Vec<&'a str>,
    samples: Vec<Sample<'a>>,
}

impl<'a> Series<'a> {
    fn level(&mut self, reading: &Reading, windows: &'a [Window], values: &'a LevelValues) {
        match reading {
            Reading::Level(read) => self.push(&[], read(values)),
            Reading::Open => {
                for (severity, open) in values.open_incidents.iter().flatten() {
                    self.push(&[severity.as_str()], Some(count(*open)));
                }
            }
            Reading::Delivery(_)
            | Reading::DeliveryTimes(_)
            | Reading::Attempts
            | Reading::Phases
            | Reading::Incidents(_)
            | Reading::IncidentTimes(_)
            | Reading::Started
            | Reading::Bound(_)
            | Reading::Coverage
            | Reading::Complete => {
                for (place, (window, values)) in windows.iter().zip(&values.windows).enumerate() {
                    // The configuration refuses a window given twice; here it would spoil the whole scrape.
                    let mut earlier = windows.iter().take(place);
                    if !earlier.any(|other| other.label == window.label) {
                        self.window(reading, &window.label, values);
                    }
                }
            }
        }
    }

    fn window(&mut self, reading: &Reading, window: &'a str, values: &'a WindowValues) {
        let WindowValues { delivery, incidents, coverage, complete, bounds } = values;
        match (reading, delivery, incidents) {
            (Reading::Delivery(read), Some(delivery), _) => self.push(&[window], read(delivery)),
            (Reading::DeliveryTimes(read), Some(delivery), _) => self.quantiles(&[window], read(delivery)),
            (Reading::Attempts, Some(delivery), _) => {
                let counts = [delivery.attempts_succeeded, delivery.attempts_failed];
                for (outcome, attempts) in OUTCOMES.into_iter().zip(counts) {
                    self.push(&[window, outcome], Some(count(attempts)));
                }
            }
            (Reading::Phases, Some(delivery), _) => {
                for (phase, quantiles) in PHASES.into_iter().zip(delivery.phases) {
                    self.quantiles(&[window, phase], quantiles);
                }
            }
            (Reading::Incidents(read), _, Some(incidents)) => self.push(&[window], read(incidents)),
            (Reading::IncidentTimes(read), _, Some(incidents)) => self.quantiles(&[window], read(incidents)),
            (Reading::Started, _, Some(incidents)) => {
                for (severity, started) in &incidents.started {
                    self.push(&[window, severity.as_str()], Some(count(*started)));
                }
            }
            (Reading::Bound(read), _, _) => {
                if let Some(Interval { lower, upper }) = read(bounds) {
                    for (bound, value) in BOUNDS.into_iter().zip([lower, upper]) {
                        self.push(&[window, bound], Some(value));
                    }
                }
            }
            (Reading::Coverage, _, _) => {
                let shares = [
                    coverage.deployments_with_changes,
                    coverage.changes_deployed,
                    coverage.incidents_attributed,
                ];
                for (kind, share) in COVERAGE_KINDS.into_iter().zip(shares) {
                    self.push(&[window, kind], share);
                }
            }
            // Who never did anything has no history that could be complete; the organisation always has one.
            (Reading::Complete, None, None) if !self.base.is_empty() => {}
            (Reading::Complete, _, _) => {
                let complete = match complete {
                    Completeness::Partial => 0.0,
                    Completeness::Complete => 1.0,
                };
                self.push(&[window], Some(complete));
            }
            // Unknown, or the same for all windows.
            (
                Reading::Delivery(_) | Reading::DeliveryTimes(_) | Reading::Attempts | Reading::Phases,
                None,
                _,
            )
            | (Reading::Incidents(_) | Reading::IncidentTimes(_) | Reading::Started, _, None)
            | (Reading::Level(_) | Reading::Open, _, _) => {}
        }
    }

    fn quantiles(&mut self, before: &[&'a str], quantiles: Quantiles) {
        let Quantiles { p50, p90 } = quantiles;
        for (stat, span) in [("p50", p50), ("p90", p90)] {
            let rest: Vec<_> = before.iter().copied().chain([stat]).collect();
            self.push(&rest, span.map(Span::seconds));
        }
    }

    /// Adds a value, unless it is unknown.
    fn push(&mut self, rest: &[&'a str], value: Option<f64>) {
        let Some(value) = value else { return };
        let names = self.metric.labels.iter().copied();
        let values = self.base.iter().chain(rest).copied();
        let labels: Vec<Label<'a>> =
            names.zip(values).map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect();
        self.samples.push(Sample { suffix: "", labels, value });
    }
}
