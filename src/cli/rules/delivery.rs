//! Alerts about teams. Each keeps `team`, and none speaks while the data cannot be trusted.

use super::alert::{Alert, Audience, Board, Group, Severity};

pub(super) const GROUP: Group = Group { name: "sextant-delivery", alerts: &ALERTS };

/// One to the team that it is about.
const fn to_team(
    name: &'static str,
    hold: &'static str,
    (severity, board): (Severity, Board),
    expr: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Alert {
    Alert { name, expr, hold, severity, audience: Audience::Team, summary, description, board }
}

const ALERTS: [Alert; 5] = [
    to_team(
        "DoraRegressed",
        "1h",
        (Severity::Ticket, Board::MEASURE),
        "
max by (team, measure) (
  dora_team_state{state=\"regressed\"}
  and on (job, instance) <trusted> == 1
) == 1
",
        "A measure of a team became worse than its own history explains.",
        "{{ $labels.measure }} of {{ $labels.team }} is worse than its own last half year explains, and stays so. The \
         evidence page has both samples, the ratio with its interval, the weeks that contribute most, and what would clear it.",
    ),
    to_team(
        "DoraGuardrailOutside",
        "1h",
        (Severity::Info, Board::TEAM),
        "
max by (team, guardrail) (
  dora_team_guardrail{state=\"outside\"}
  and on (job, instance) <trusted> == 1
) == 1
",
        "A team is outside of a guardrail.",
        "{{ $labels.team }} is past the limit of {{ $labels.guardrail }}, with all of its 95 % interval. A guardrail informs; \
         it blocks nothing.",
    ),
    to_team(
        "DoraDeploymentsStopped",
        "1h",
        (Severity::Ticket, Board::TEAM),
        "
max by (team) (
  time() - dora_team_last_deployment_timestamp_seconds > 604800
  and on (job, instance, team)
    (time() - dora_team_last_deployment_timestamp_seconds) * on (job, instance, team)
      dora_team_deployments_per_day{window=\"<window>\"} / 86400 > 6
  and on (job, instance, team) dora_team_deployments{window=\"<window>\"} >= 10
  and on (job, instance) <trusted> == 1
)
",
        "A team that deploys regularly has stopped.",
        "{{ $labels.team }} deployed {{ $value | humanizeDuration }} ago for the last time: at its usual pace there would have \
         been more than six deployments since.",
    ),
    to_team(
        "DoraIncidentOpenTooLong",
        "1d",
        (Severity::Ticket, Board::TEAM),
        "
max by (team) (
  sum by (job, instance, team) (dora_team_open_incidents)
  and on (job, instance) <trusted> == 1
) > 0
",
        "A team has had an open incident for a day.",
        "For a day {{ $labels.team }} has not been without an open incident ({{ $value }} now). If it is over, resolve it where \
         it was reported: recovery and incident times grow until then.",
    ),
    to_team(
        "DoraDeploymentUnrecovered",
        "1d",
        (Severity::Ticket, Board::TEAM),
        "
max by (team) (
  dora_team_unrecovered_deployments
  and on (job, instance) <trusted> == 1
) > 0
",
        "A failed deployment of a team has not recovered for a day.",
        "For a day {{ $labels.team }} has had a failed deployment that nothing has remedied ({{ $value }} now): its incidents \
         are open, and no rollback, revert or hotfix came.",
    ),
];
