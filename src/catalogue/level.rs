//! The gauges that the organisation, every team and every component have.

use super::{Id, Kind, Level, Metric, Tier, Unit};

/// Declares the level gauges: each line is a metric of three names.
macro_rules! level_gauges {
    ($($(#[doc = $help:literal])+ $name:ident = $suffix:literal, $unit:ident, [$($label:literal),*], $line:literal;)*) => {
        /// What is known of every level (`dora_L_…`). The comment of each is the HELP of its three metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum LevelGauge { $($(#[doc = $help])+ $name,)* }

        impl LevelGauge {
            /// All of them, in the order of `/metrics`.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its metric at a level.
            pub const fn metric(self, level: Level) -> &'static Metric {
                match (self, level) {
                    $(
                        (Self::$name, Level::Organization) => const { &Metric {
                            name: concat!("dora_organization_", $suffix),
                            kind: Kind::Gauge,
                            unit: Unit::$unit,
                            labels: &[$($label),*],
                            help: concat!($($help,)+ " Over all teams. Recomputed by event time once per snapshot; definitions.md ", $line, ".").trim_ascii(),
                            tier: Tier::Always,
                            id: Id::Level(Self::$name, Level::Organization),
                        } },
                        (Self::$name, Level::Team) => const { &Metric {
                            name: concat!("dora_team_", $suffix),
                            kind: Kind::Gauge,
                            unit: Unit::$unit,
                            labels: &["team", $($label),*],
                            help: concat!($($help,)+ " By team. Recomputed by event time once per snapshot; definitions.md ", $line, ".").trim_ascii(),
                            tier: Tier::Team,
                            id: Id::Level(Self::$name, Level::Team),
                        } },
                        (Self::$name, Level::Component) => const { &Metric {
                            name: concat!("dora_component_", $suffix),
                            kind: Kind::Gauge,
                            unit: Unit::$unit,
                            labels: &["team", "component", $($label),*],
                            help: concat!($($help,)+ " By component. Recomputed by event time once per snapshot; definitions.md ", $line, ".").trim_ascii(),
                            tier: Tier::Component,
                            id: Id::Level(Self::$name, Level::Component),
                        } },
                    )*
                }
            }
        }
    };
}

level_gauges! {
    /// Production deployments in the window: the n of deployment frequency, change fail ratio and rework ratio.
    Deployments = "deployments", One, ["window"], "2.3, 3.1";
    /// Deployment frequency: production deployments in the window divided by its days.
    DeploymentsPerDay = "deployments_per_day", One, ["window"], "3.1";
    /// What deployments per day lie in with 95 % confidence, by the level's own scatter; absent before there are
    /// eight weeks of history before the window, and with fewer than 4 working days in it.
    DeploymentsPerDayBound = "deployments_per_day_bound", One, ["window", "bound"], "5";
    /// Calendar dates in the window, in the organisation's time zone, with at least one production deployment.
    DeploymentDates = "deployment_dates", One, ["window"], "3.1";
    /// Attempts to deploy to production that finished in the window, by outcome; a failed attempt never reached
    /// production and is not a failed deployment.
    DeploymentAttempts = "deployment_attempts", One, ["window", "outcome"], "2.2";
    /// When the newest production deployment finished, in seconds since the Unix epoch.
    LastDeployment = "last_deployment_timestamp_seconds", Seconds, [], "3.1";
    /// Changes first deployed in the window, bots' excluded by default: the n of lead time.
    Changes = "changes", One, ["window"], "2.5, 3.2";
    /// Changes first deployed in the window that nobody but their author reviewed; bots' excluded.
    UnreviewedChanges = "unreviewed_changes", One, ["window"], "3.2";
    /// Changes of bots first deployed in the window.
    BotChanges = "bot_changes", One, ["window"], "3.2";
    /// Change lead time in seconds, from its start to its first deployment in the window: median (p50) and 90th
    /// percentile (p90) by nearest rank, absent without changes.
    LeadTime = "lead_time_seconds", Seconds, ["window", "stat"], "3.2";
    /// What the median lead time lies in with 95 % confidence, in seconds; absent before there are eight weeks of
    /// history before the window, and with too few changes that are independent of each other (at least 6).
    LeadTimeBound = "lead_time_seconds_bound", One, ["window", "bound"], "5";
    /// A phase of change lead time in seconds: coding, pickup, review, deploy; p50 and p90 over the pull requests
    /// that have both ends of the phase, absent without any.
    LeadTimePhase = "lead_time_phase_seconds", Seconds, ["window", "phase", "stat"], "3.2";
    /// Production deployments in the window that failed: an incident, a rollback, a revert or a hotfix says so.
    FailedDeployments = "failed_deployments", One, ["window"], "3.3";
    /// Change fail rate: failed deployments divided by deployments in the window, 0 to 1, absent without
    /// deployments.
    ChangeFailRatio = "change_fail_ratio", Ratio, ["window"], "3.3";
    /// What the change fail ratio lies in with 95 % confidence, 0 to 1; absent before there are eight weeks of
    /// history before the window, and with fewer than 10 deployments in it.
    ChangeFailRatioBound = "change_fail_ratio_bound", One, ["window", "bound"], "5";
    /// Unplanned production deployments in the window: rollbacks, reverts, hotfixes, and the first deployment during
    /// an incident.
    ReworkDeployments = "rework_deployments", One, ["window"], "3.5";
    /// Deployment rework rate: unplanned deployments divided by deployments in the window, 0 to 1, absent without
    /// deployments.
    ReworkRatio = "rework_ratio", Ratio, ["window"], "3.5";
    /// What the rework ratio lies in with 95 % confidence, 0 to 1; absent before there are eight weeks of history
    /// before the window, and with fewer than 10 deployments in it.
    ReworkRatioBound = "rework_ratio_bound", One, ["window", "bound"], "5";
    /// Failed deployments that recovered in the window: the n of recovery time.
    RecoveredDeployments = "recovered_deployments", One, ["window"], "3.4";
    /// Failed deployment recovery time in seconds, from failure to recovery in the window: p50 and p90 by nearest
    /// rank, absent without recoveries.
    RecoveryTime = "recovery_time_seconds", Seconds, ["window", "stat"], "3.4";
    /// What the median recovery time lies in with 95 % confidence, in seconds; absent before there are eight weeks of
    /// history before the window, and with fewer than 6 recoveries in it.
    RecoveryTimeBound = "recovery_time_seconds_bound", One, ["window", "bound"], "5";
    /// Failed deployments that have not recovered yet.
    UnrecoveredDeployments = "unrecovered_deployments", One, [], "3.4";
    /// Incidents started in the window, by severity.
    Incidents = "incidents", One, ["window", "severity"], "4.2";
    /// Incident rate: incidents started in the window, of all severities, divided by its days.
    IncidentsPerDay = "incidents_per_day", One, ["window"], "4.2";
    /// What incidents per day lie in with 95 % confidence, by the level's own scatter; absent before there are eight
    /// weeks of history before the window, and in windows of fewer than 4 days.
    IncidentsPerDayBound = "incidents_per_day_bound", One, ["window", "bound"], "5";
    /// Incidents open now, by severity.
    OpenIncidents = "open_incidents", One, ["severity"], "4.2";
    /// Incidents resolved in the window, whatever their cause: the n of incident resolution time.
    ResolvedIncidents = "resolved_incidents", One, ["window"], "3.4";
    /// Incident resolution time in seconds, from start to resolution over all incidents resolved in the window: p50
    /// and p90 by nearest rank, absent without any.
    IncidentResolution = "incident_resolution_seconds", Seconds, ["window", "stat"], "3.4";
    /// How far the numbers of the window can be trusted, 0 to 1: the share of deployments whose changes are known,
    /// of merged pull requests deployed by now, of incidents attributed to a deployment; absent without any.
    Coverage = "coverage_ratio", Ratio, ["window", "kind"], "5";
    /// Whether the collected history covers the window: 1 if it does, 0 if the numbers are still partial.
    WindowComplete = "window_complete", One, ["window"], "5";
}
