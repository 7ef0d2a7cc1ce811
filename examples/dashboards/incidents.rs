//! Incidents and recovery: how often something breaks, how fast it is mended, what is open.

use serde_json::json;

use super::board::Board;
use super::measures::{evidence, to_team};
use super::panel::Panel;
use super::query::SOME_TEAMS;
use super::team::open_incidents;
use super::words::{hours, spaced};
use sextant::model::measure::Measure;

/// A cell of the column `Team`.
const CELL: &str = "${__data.fields.Team:percentencode}";
/// The team of a line.
const LINE: &str = "${__field.labels.team:percentencode}";

pub(crate) fn board() -> Board {
    Board::new(
        "sextant-incidents",
        "sextant / Incidents and recovery",
        "What broke, what is open, how fast it was mended. Teams are in alphabetical order.",
    )
    .choose_some("team", "Teams", "label_values(dora_team_window_complete, team)")
    .choose_window()
    .mark_spans("Open incidents", "red", "Incident open: {{team}}", open_incidents(SOME_TEAMS))
    .switched_off()
    .section("Now", now())
    .section("Teams, in alphabetical order", vec![teams()])
    .section("Incidents", incidents())
    .section("Recovery", recovery())
    .section("How far these numbers can be trusted", trust())
}

fn now() -> Vec<Panel> {
    let none = "No team that is chosen ever deployed or had an incident";
    let by_severity =
        |end: &str| SOME_TEAMS.now(end, &["severity"], "").map(|all| format!("sum by (severity) ({all})"));
    let count = |end: &str| SOME_TEAMS.now(end, &[], "").map(|all| format!("sum({all})"));
    vec![
        Panel::table("Incidents, by severity", 14, 9)
            .ask(by_severity("open_incidents"), "Open")
            .ask(by_severity("incidents"), "Started")
            .unit("none")
            .side_by_side("severity", &[("severity", "Severity")], &[])
            .nothing(none),
        Panel::stat("All of them", 10, 9)
            .ask(count("resolved_incidents"), "incidents resolved in the window")
            .ask(count("failed_deployments"), "deployments failed in the window")
            .ask(count("recovered_deployments"), "deployments recovered in the window")
            .ask(count("unrecovered_deployments"), "failed deployments not yet recovered")
            .nothing("No team that is chosen ever deployed"),
    ]
}

fn teams() -> Panel {
    let count =
        |end: &str| SOME_TEAMS.now(end, &["severity"], "").map(|all| format!("sum by (team) ({all})"));
    let seconds = [("unit", json!("s"))];
    Panel::table("Teams", 24, 9)
        .nothing("unknown")
        .ask(count("open_incidents"), "Open")
        .ask(count("incidents"), "Started")
        .ask(SOME_TEAMS.now("resolved_incidents", &[], ""), "Resolved")
        .ask(SOME_TEAMS.now("incident_resolution_seconds", &[], "stat=\"p50\""), "Resolution, median")
        .ask(SOME_TEAMS.now("failed_deployments", &[], ""), "Failed deployments")
        .ask(SOME_TEAMS.now("recovered_deployments", &[], ""), "Recovered")
        .ask(SOME_TEAMS.now("unrecovered_deployments", &[], ""), "Not yet recovered")
        .ask(SOME_TEAMS.now("recovery_time_seconds", &[], "stat=\"p50\""), "Recovery, median")
        .side_by_side("team", &[("team", "Team")], &[])
        .unit("none")
        .field("Resolution, median", &seconds)
        .field("Recovery, median", &[("unit", json!("s")), ("links", evidence(CELL, Measure::RecoveryTime))])
        .field("Started", &[("links", evidence(CELL, Measure::IncidentsPerDay))])
        .field("Failed deployments", &[("links", evidence(CELL, Measure::ChangeFailRatio))])
        .field("Team", &[("links", to_team(CELL))])
}

fn incidents() -> Vec<Panel> {
    let none = "No team that is chosen ever deployed or had an incident";
    let by_severity =
        |end: &str| SOME_TEAMS.past(end, &["severity"], "").map(|all| format!("sum by (severity) ({all})"));
    vec![
        Panel::stack("Open, by severity", 12, 8)
            .ask(by_severity("open_incidents"), "{{severity}}")
            .nothing(none),
        Panel::stack("Started in the window, by severity", 12, 8)
            .ask(by_severity("incidents"), "{{severity}}")
            .nothing(none),
        Panel::trend("Incident rate, by team", 12, 9)
            .ask(SOME_TEAMS.past("incidents_per_day", &[], ""), "{{team}}")
            .set("links", evidence(LINE, Measure::IncidentsPerDay))
            .nothing(none),
        Panel::trend("Median time to resolution, by team", 12, 9)
            .ask(SOME_TEAMS.past("incident_resolution_seconds", &[], "stat=\"p50\"").map(hours), "{{team}}")
            .unit("suffix:h")
            .doubling()
            .nothing("No incident was resolved in this window"),
    ]
}

fn recovery() -> Vec<Panel> {
    vec![
        Panel::trend("Median time to recovery, by team", 12, 9)
            .ask(SOME_TEAMS.past("recovery_time_seconds", &[], "stat=\"p50\"").map(hours), "{{team}}")
            .unit("suffix:h")
            .doubling()
            .set("links", evidence(LINE, Measure::RecoveryTime))
            .nothing("No failed deployment recovered in this window"),
        Panel::stack("Failed and not yet recovered, by team", 12, 9)
            .ask(SOME_TEAMS.past("unrecovered_deployments", &[], ""), "{{team}}")
            .set("links", evidence(LINE, Measure::RecoveryTime))
            .set("decimals", json!(0))
            .nothing("No team that is chosen ever deployed"),
    ]
}

fn trust() -> Vec<Panel> {
    let attributed = SOME_TEAMS.now("coverage_ratio", &[], "kind=\"incidents_attributed\"");
    vec![
        Panel::table("Incidents attributed to a deployment", 12, 9)
            .note("What is not attributed makes no deployment fail: the change fail rate may be too low.")
            .ask(attributed, "Attributed")
            .side_by_side("team", &[("team", "Team")], &[])
            .set("decimals", json!(0))
            .nothing("No incident in this window"),
        Panel::table("Incidents that are not counted", 12, 9)
            .ask(super::query::SEXTANT.now("source_excluded", &["source", "reason"], ""), "Incidents")
            .unit("none")
            .side_by_side("source", &[("source", "Source"), ("reason", "Reason")], &[])
            .field("Reason", &[("mappings", spaced())])
            .nothing("Every incident is counted"),
    ]
}
