//! Alerts about teams. Each keeps `team`, and none speaks while the data cannot be trusted.

use super::alert::{Alert, Audience, Board, Group, Severity};
use crate::model::time::Span;

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
    Alert {
        name,
        expr,
        hold,
        severity,
        audience: Audience::Team,
        summary,
        description,
        board,
        window_min: Span::ZERO,
    }
}

/// Weeks enough for a pace; shorter ones the detector does not look at either (`regressions.md` 3.1). In less there would be
/// hardly a day between a week of silence and a window that has too little left in it to know the pace by.
const PACE_WINDOW_MIN: Span = Span::from_days(28);

const ALERTS: [Alert; 5] = [
    // What a deployment changed is what lead time is made of. All else counts without it: deployments and incidents as they
    // are, failures by incidents and rollbacks. How many incidents are attributed says nothing of how well that is known,
    // since not every incident is a deployment's. Coverage that is absent is of no deployments, and hides nothing.
    to_team(
        "DoraRegressed",
        "1h",
        (Severity::Ticket, Board::MEASURE),
        "
max by (team, measure) (
  dora_team_state{state=\"regressed\"}
  and on (job, instance) <trusted> == 1
  unless on (job, instance, team, measure)
    label_replace(<uncovered>, \"measure\", \"lead_time\", \"\", \"\")
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
    // All that was deployed in the window was deployed before the silence. So the pace is what the rest of the window had:
    // it does not fall with the silence, as the rate over the window does. It is counted in days with a deployment, since
    // what is released on one train is one event, however many components it has. None on so many days that more than
    // six were due comes by chance once in 400 times (e^-6), and once in 50 where only five are left to know the pace by
    // ((5/11)^5); on fewer it says nothing. As they are on five days, the rest of the window is never empty.
    Alert {
        window_min: PACE_WINDOW_MIN,
        ..to_team(
            "DoraDeploymentsStopped",
            "1h",
            (Severity::Ticket, Board::DEPLOYMENTS),
            "
max by (team) (
  <silence> > 604800
  and on (job, instance, team)
    <silence>
    * on (job, instance, team) dora_team_deployment_dates{window=\"<window>\"}
    / on (job, instance, team) (<window_seconds> - (time() - <last>)) > 6
  and on (job, instance, team) dora_team_deployment_dates{window=\"<window>\"} >= 5
  and on (job, instance) <trusted> == 1
)
",
            "A team that deploys regularly has stopped.",
            "{{ $labels.team }} has not deployed for {{ $value | humanizeDuration }}, holidays and quiet periods left out: at \
             its pace of before there would have been deployments on more than six days.",
        )
    },
    // The day is looked back on and not waited for: `for` would begin anew whenever the daemon does.
    to_team(
        "DoraIncidentOpenTooLong",
        "15m",
        (Severity::Ticket, Board::INCIDENTS),
        "
max by (team) (
  sum by (job, instance, team) (dora_team_open_incidents)
  and on (job, instance) <trusted> == 1
) > 0
and on (team)
  min_over_time((max by (team) (sum by (job, instance, team) (dora_team_open_incidents)))[1d:15m]) > 0
and on (team) dora_team_open_incidents offset 1d
",
        "A team has had an open incident for a day.",
        "For a day {{ $labels.team }} has not been without an open incident ({{ $value }} now). If it is over, resolve it where \
         it was reported: recovery and incident times grow until then.",
    ),
    to_team(
        "DoraDeploymentUnrecovered",
        "15m",
        (Severity::Ticket, Board::RECOVERY),
        "
max by (team) (
  dora_team_unrecovered_deployments
  and on (job, instance) <trusted> == 1
) > 0
and on (team) min_over_time((max by (team) (dora_team_unrecovered_deployments))[1d:15m]) > 0
and on (team) dora_team_unrecovered_deployments offset 1d
",
        "A failed deployment of a team has not recovered for a day.",
        "For a day {{ $labels.team }} has had a failed deployment that nothing has remedied ({{ $value }} now): its incidents \
         are open, and no rollback, revert or hotfix came.",
    ),
];
