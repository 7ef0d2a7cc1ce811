//! Alerts about ourselves: a number that cannot be trusted says so before anybody acts on it.

use super::alert::{Alert, Audience, Board, Group, Severity};
use crate::model::time::Span;

pub(super) const GROUP: Group = Group { name: "sextant-collector", alerts: &ALERTS };

/// One about the daemon or its data.
const fn about_us(
    name: &'static str,
    hold: &'static str,
    expr: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Alert {
    let (severity, audience) = (Severity::Ticket, Audience::Platform);
    Alert {
        name,
        expr,
        hold,
        severity,
        audience,
        summary,
        description,
        board: Board::COLLECTOR,
        window_min: Span::ZERO,
    }
}

const ALERTS: [Alert; 11] = [
    about_us(
        "SextantAbsent",
        "10m",
        "
group by (job) (present_over_time(sextant_build_info[1d])) unless on (job) sextant_build_info
or absent(present_over_time(sextant_build_info[1d]))
",
        "Nothing scrapes sextant, or it does not run.",
        "Prometheus has had no metrics of sextant{{ with $labels.job }} from the job {{ . }}{{ end }} for ten minutes: no board \
         of it is current, and no other alert about it can fire.",
    ),
    about_us(
        "SextantSourceDown",
        "<down>",
        "sextant_source_up == 0",
        "A source cannot be read.",
        "The last polls of {{ $labels.source }} ({{ $labels.kind }}) failed. The last values stay; nothing newer is known.",
    ),
    about_us(
        "SextantDataStale",
        "5m",
        "<stale>",
        "A source was not read for too long.",
        "{{ $labels.source }} was read {{ $value | humanizeDuration }} ago for the last time. What happened since is missing \
         in all numbers.",
    ),
    about_us(
        "SextantSnapshotStale",
        "5m",
        "time() - sextant_snapshot_timestamp_seconds > 300",
        "The numbers are not computed any more.",
        "The newest snapshot is {{ $value | humanizeDuration }} old; one is made each minute. The log says why.",
    ),
    about_us(
        "SextantBudgetExhausted",
        "1h",
        // A pause until the limit begins anew is counted when it begins, once an hour: so it takes more than an hour to see
        // how much of the time that is. Several requests may wait at once.
        "clamp_max(rate(sextant_source_throttled_seconds_total[2h]), 1) > 0.5",
        "A source waits for its rate limit most of the time.",
        "{{ $labels.source }} has spent {{ $value | humanizePercentage }} of the last two hours waiting, to stay inside its \
         share of the rate limit. Numbers come late.",
    ),
    about_us(
        "SextantPermissionMissing",
        "15m",
        "increase(sextant_source_request_failures_total{reason=\"forbidden\"}[3h]) > 0",
        "A token may not read what it should.",
        "{{ $labels.source }} was refused something. /sources names the permission; what needs it is missing in all \
         numbers.",
    ),
    about_us(
        "SextantBackfillStuck",
        "1h",
        "
  sextant_source_backfill_complete == 0
and on (job, instance, source)
  sextant_source_backfill_progress_ratio - sextant_source_backfill_progress_ratio offset 6h <= 0
",
        "The history of a source is not read any further.",
        "The history of {{ $labels.source }} is incomplete, and nothing of it was read in six hours. Long windows are not \
         complete.",
    ),
    about_us(
        "SextantReloadFailed",
        "5m",
        "sextant_config_last_reload_successful == 0",
        "The configuration was changed and is not in force.",
        "The last reload failed; what ran before still runs. `sextant check` says what is wrong, with its line.",
    ),
    about_us(
        "SextantSeriesDropped",
        "15m",
        "sextant_series_dropped > 0",
        "Some series are not exposed.",
        "{{ $value }} series are above `max_series` and left out, components first.",
    ),
    about_us(
        "SextantCoverageLow",
        "6h",
        "
max by (team) (
  <uncovered>
  and on (job, instance, team) dora_team_deployments{window=\"<recent>\"} >= 10
  and on (job, instance) <trusted> == 1
)
",
        "What many deployments of a team changed is not known.",
        "Only {{ $value | humanizePercentage }} of the deployments of {{ $labels.team }} in <recent> have a commit and a \
         predecessor that are known: lead time and reverts are of those alone, and nothing is said to the team about lead time.",
    ),
    Alert {
        board: Board::MEASURE,
        ..about_us(
            "DoraDataSuspect",
            "1h",
            "
max by (team, measure) (
  dora_team_state{state=\"data_suspect\"}
  and on (job, instance) <trusted> == 1
) == 1
",
            "A number moved, probably because its data did.",
            "{{ $labels.measure }} of {{ $labels.team }} would count as a regression, but what it is made of changed with it. \
         The evidence page says what; nothing is said to the team.",
        )
    },
];
