//! The metrics that exist once: the rest of the snapshot, the persistent counters, north stars and signals, and the
//! daemon itself.

use super::{Id, Kind, Metric, Tier, Unit};

/// Declares metrics of one name each.
macro_rules! metrics {
    (
        $(#[$about:meta])* $set:ident:
        $($(#[doc = $help:literal])+ $variant:ident = $kind:ident $name:literal, $unit:ident, [$($label:literal),*], $tier:ident;)*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $set { $($(#[doc = $help])+ $variant,)* }

        impl $set {
            /// All of them, in the order of `/metrics`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its metric.
            pub const fn metric(self) -> &'static Metric {
                match self {
                    $(Self::$variant => const { &Metric {
                        name: $name,
                        kind: Kind::$kind,
                        unit: Unit::$unit,
                        labels: &[$($label),*],
                        help: concat!($($help,)+).trim_ascii(),
                        tier: Tier::$tier,
                        id: Id::$set(Self::$variant),
                    } },)*
                }
            }
        }
    };
}

metrics! {
    /// What the snapshot and the persistent counters say besides the levels. The comment of each is its HELP.
    Derived:
    /// Incidents that are not counted, by source and reason; recomputed once per snapshot; definitions.md 4.1.
    SourceExcluded = Gauge "sextant_source_excluded", One, ["source", "reason"], Always;
    /// Repositories by source and state; each has one, the first that fits of inaccessible, empty, unowned, without
    /// deployments, ok; recomputed once per snapshot.
    Repositories = Gauge "sextant_repositories", One, ["source", "state"], Always;
    /// Facts used with a correction: a negative span counted as zero, a date after the time it was read, a value that
    /// its source does not document; recomputed once per snapshot; definitions.md 3.
    SuspectFacts = Gauge "sextant_suspect_facts", One, ["reason"], Always;
    /// The instant of everything in one scrape, in seconds since the Unix epoch: only what had happened before it
    /// counts; definitions.md 1.
    SnapshotTimestamp = Gauge "sextant_snapshot_timestamp_seconds", Seconds, [], Always;
    /// How surprising it takes to be watched and to be called a regression, in standard normal units; regressions.md 3.3.
    RegressionThreshold = Gauge "dora_regression_threshold", One, ["measure", "tier"], Always;
    /// How a team stands in a measure against its own history: 1 for the state it is in, 0 for all others; looked at
    /// once a day; regressions.md 3.4.
    TeamState = Gauge "dora_team_state", One, ["team", "measure", "state"], Team;
    /// Since when a team has stood so, in seconds since the Unix epoch; regressions.md 3.4.
    TeamStateSince = Gauge "dora_team_state_since_timestamp_seconds", Seconds, ["team", "measure"], Team;
    /// How surprising the last look is for the worse, in standard normal units: 0 where it does not matter, absent where
    /// there is too little to look at; regressions.md 3.3.
    TeamEvidence = Gauge "dora_team_evidence", One, ["team", "measure"], Team;
    /// The recent value against the team's own baseline, in the window that speaks most: 1 is unchanged;
    /// regressions.md 3.5.
    TeamChangeRatio = Gauge "dora_team_change_ratio", Ratio, ["team", "measure"], Team;
    /// What the change ratio lies in with 95 % confidence; regressions.md 3.5.
    TeamChangeRatioBound = Gauge "dora_team_change_ratio_bound", One, ["team", "measure", "bound"], Team;
    /// The team's own baseline in the unit of the measure: per day, seconds, or a share; regressions.md 3.1.
    TeamBaseline = Gauge "dora_team_baseline", One, ["team", "measure"], Team;
    /// Changes of a team's state, by the state it changed to, since the first look at the team; those that were later
    /// withdrawn because data were corrected stay counted; survives restarts; regressions.md 3.4.
    TeamStateTransitions = Counter "dora_team_state_transitions_total", One, ["team", "measure", "to"], Team;
    /// What is said of a team: always 1, joined by team.
    TeamInfo = Gauge "dora_team_info", One, ["team"], Team;
    /// How the team stands to a guardrail: 1 for the state it is in, 0 for the others. Inside and outside if all that
    /// the number could be (its 95 % interval) is within the limit or past it, near if the limit lies between, unknown
    /// if there is too little to say; recomputed once per snapshot; definitions.md 7.
    Guardrail = Gauge "dora_team_guardrail", One, ["team", "guardrail", "state"], Team;
    /// The limit of a guardrail that holds for the team, in the unit of its measure: seconds, a share, or per day;
    /// definitions.md 7.
    GuardrailLimit = Gauge "dora_team_guardrail_limit", One, ["team", "guardrail"], Team;
    /// Incidents first seen after the first contact with their source, by severity; survives restarts and is never
    /// corrected, unlike the gauges by event time; definitions.md 4.1.
    IncidentsTotal = Counter "dora_incidents_total", One, ["team", "severity"], Team;
    /// Change lead time in seconds of changes first deployed since the first contact with their source; survives
    /// restarts and is never corrected, unlike the gauges by event time; definitions.md 3.2.
    ChangeLeadTime = Histogram "dora_change_lead_time_seconds", Seconds, ["team"], Team;
    /// Failed deployment recovery time in seconds of recoveries seen since the first contact with their source;
    /// survives restarts and is never corrected, unlike the gauges by event time; definitions.md 3.4.
    DeploymentRecoveryTime = Histogram "dora_deployment_recovery_time_seconds", Seconds, ["team"], Team;
    /// Attempts to deploy to production that finished after the first contact with their source, by outcome; survives
    /// restarts and is never corrected, unlike the gauges by event time; definitions.md 2.2.
    DeploymentsTotal = Counter "dora_deployments_total", One, ["team", "component", "outcome"], Component;
}

metrics! {
    /// North stars and signals, as they are when the rest is rendered. The comment of each is its HELP.
    Signal:
    /// The north star's newest value, in its own unit; absent until there is one, and kept when no newer one comes;
    /// definitions.md 7.
    NorthStarValue = Gauge "dora_north_star_value", One, ["name"], Always;
    /// What the north star is to become, in its own unit; definitions.md 7.
    NorthStarTarget = Gauge "dora_north_star_target", One, ["name"], Always;
    /// How much of the way from its start to its target the north star has come: 0 at the start, 1 at the target, less
    /// or more beyond; definitions.md 7.
    NorthStarProgress = Gauge "dora_north_star_progress_ratio", Ratio, ["name"], Always;
    /// When the north star had its newest value, in seconds since the Unix epoch; definitions.md 7.
    NorthStarTimestamp = Gauge "dora_north_star_timestamp_seconds", Seconds, ["name"], Always;
    /// The newest value of a signal of the organisation, in its own unit; absent until there is one, and kept when no
    /// newer one comes; definitions.md 7.
    OrganizationSignalValue = Gauge "dora_organization_signal_value", One, ["name"], Always;
    /// What a signal of the organisation is to become, in its own unit; definitions.md 7.
    OrganizationSignalTarget = Gauge "dora_organization_signal_target", One, ["name"], Always;
    /// How much of the way from its start to its target a signal of the organisation has come: 0 at the start, 1 at
    /// the target, less or more beyond; definitions.md 7.
    OrganizationSignalProgress = Gauge "dora_organization_signal_progress_ratio", Ratio, ["name"], Always;
    /// When a signal of the organisation had its newest value, in seconds since the Unix epoch; definitions.md 7.
    OrganizationSignalTimestamp = Gauge "dora_organization_signal_timestamp_seconds", Seconds, ["name"], Always;
    /// The newest value of a team's signal, in its own unit; absent until there is one, and kept when no newer one
    /// comes; definitions.md 7.
    TeamSignalValue = Gauge "dora_team_signal_value", One, ["team", "name"], Team;
    /// What a team's signal is to become, in its own unit; definitions.md 7.
    TeamSignalTarget = Gauge "dora_team_signal_target", One, ["team", "name"], Team;
    /// How much of the way from its start to its target a team's signal has come: 0 at the start, 1 at the target,
    /// less or more beyond; definitions.md 7.
    TeamSignalProgress = Gauge "dora_team_signal_progress_ratio", Ratio, ["team", "name"], Team;
    /// When a team's signal had its newest value, in seconds since the Unix epoch; definitions.md 7.
    TeamSignalTimestamp = Gauge "dora_team_signal_timestamp_seconds", Seconds, ["team", "name"], Team;
}

metrics! {
    /// What the daemon says of itself, as of the snapshot. The comment of each is its HELP.
    Own:
    /// The running version and the revision it was built from: always 1.
    BuildInfo = Gauge "sextant_build_info", One, ["version", "revision"], Always;
    /// Whether the last poll of the source succeeded: 1 or 0, absent before the first; as of the snapshot.
    SourceUp = Gauge "sextant_source_up", One, ["source", "kind"], Always;
    /// When a poll of the source last succeeded, in seconds since the Unix epoch; absent before the first.
    SourceLastSuccess = Gauge "sextant_source_last_success_timestamp_seconds", Seconds, ["source", "kind"], Always;
    /// The newest instant that a fact of the source speaks of, in seconds since the Unix epoch.
    SourceNewestFact = Gauge "sextant_source_newest_fact_timestamp_seconds", Seconds, ["source", "kind"], Always;
    /// How long the last poll of the source took, in seconds.
    SourcePollDuration = Gauge "sextant_source_poll_duration_seconds", Seconds, ["source", "kind"], Always;
    /// Requests sent to the source since the daemon started.
    SourceRequests = Counter "sextant_source_requests_total", One, ["source", "kind"], Always;
    /// Requests to the source, or what they answered, that failed since the daemon started, by reason.
    SourceFailures = Counter "sextant_source_request_failures_total", One, ["source", "kind", "reason"], Always;
    /// The rate limit of the source as its answers state it, in the source's own points.
    SourceRateLimit = Gauge "sextant_source_rate_limit", One, ["source", "resource"], Always;
    /// What remains of the rate limit of the source, as its answers state it.
    SourceRateLimitRemaining = Gauge "sextant_source_rate_limit_remaining", One, ["source", "resource"], Always;
    /// When the rate limit of the source is renewed, in seconds since the Unix epoch, as its answers state it.
    SourceRateLimitReset = Gauge "sextant_source_rate_limit_reset_timestamp_seconds", Seconds, ["source", "resource"], Always;
    /// Seconds waited since the daemon started to stay inside the configured share of the rate limit.
    SourceThrottled = Counter "sextant_source_throttled_seconds_total", Seconds, ["source"], Always;
    /// Whether the first read of the source's history is complete: 1 or 0, absent before the first poll.
    SourceBackfill = Gauge "sextant_source_backfill_complete", One, ["source"], Always;
    /// The share of the source's history that the first read has been through, by time, on average over what it reads:
    /// 0 to 1, absent for sources that do not read it step by step.
    SourceBackfillProgress = Gauge "sextant_source_backfill_progress_ratio", Ratio, ["source"], Always;
    /// Webhooks received since the daemon started, by event and by what became of them: accepted, duplicate, ignored,
    /// dropped (the queue was full), rejected (no valid signature), malformed, refused (too large, slow or many).
    Webhooks = Counter "sextant_webhooks_total", One, ["source", "event", "outcome"], Always;
    /// Rows in the store, by fact.
    Facts = Gauge "sextant_facts", One, ["fact"], Always;
    /// How long the last snapshot took to compute and render, in seconds; shown from the one after it.
    SnapshotDuration = Gauge "sextant_snapshot_duration_seconds", Seconds, [], Always;
    /// Whether the last reload of the configuration succeeded: 1, or 0 if the former one is still in force.
    ConfigReloaded = Gauge "sextant_config_last_reload_successful", One, [], Always;
    /// When the configuration was last loaded successfully, in seconds since the Unix epoch.
    ConfigReloadedAt = Gauge "sextant_config_last_reload_success_timestamp_seconds", Seconds, [], Always;
    /// Total user and system CPU time, in seconds.
    ProcessCpu = Counter "process_cpu_seconds_total", Seconds, [], Always;
    /// Open file descriptors.
    ProcessOpenFds = Gauge "process_open_fds", One, [], Always;
    /// How many file descriptors may be open; absent without a limit.
    ProcessMaxFds = Gauge "process_max_fds", One, [], Always;
    /// Virtual memory, in bytes.
    ProcessVirtualMemory = Gauge "process_virtual_memory_bytes", Bytes, [], Always;
    /// Resident memory, in bytes.
    ProcessResidentMemory = Gauge "process_resident_memory_bytes", Bytes, [], Always;
    /// When the process started, in seconds since the Unix epoch.
    ProcessStart = Gauge "process_start_time_seconds", Seconds, [], Always;
    /// Threads of the process.
    ProcessThreads = Gauge "process_threads", One, [], Always;
}

metrics! {
    /// What is known of a scrape once everything else is written. The comment of each is its HELP.
    Closing:
    /// Series in this scrape.
    Series = Gauge "sextant_series", One, [], Always;
    /// Series left out of this scrape because there would be more than configured: component families first, then team
    /// families.
    SeriesDropped = Gauge "sextant_series_dropped", One, [], Always;
}
