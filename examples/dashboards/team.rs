//! A team: its measures, the phases of its lead time, what it deployed and what broke, its guardrails and states.

use serde_json::json;

use super::board::Board;
use super::measures::{self, evidence};
use super::organization::coverage;
use super::panel::Panel;
use super::query::{DORA, Query, Scope, TEAM};
use super::words::{self, GUARDRAIL_STATES, STATES, as_bar, colours, flag, hours, in_colour, millis};

/// The chosen team, in a link.
const CHOSEN: &str = "${team:percentencode}";
const NO_CHANGE: &str = "No change was first deployed in this window";

pub(crate) fn board() -> Board {
    let stats = measures::ALL.map(|shown| shown.stat(TEAM, &evidence(CHOSEN, shown.measure)));
    let trends = measures::ALL.map(|shown| shown.trend(TEAM, &evidence(CHOSEN, shown.measure)));
    Board::new(
        "sextant-team",
        "sextant / Team",
        "How a team delivers, against its own past. Every number leads to the facts behind it.",
    )
    .choose("team", "Team", "label_values(dora_team_window_complete, team)")
    .choose_window()
    .mark_values("Deployments", "blue", "Deployment", deployments(TEAM))
    .switched_off()
    .mark_spans("Open incidents", "red", "Incident open", open_incidents(TEAM))
    .mark_values("State changes", "orange", "{{measure}} changed its state", changed())
    .section("Now", stats.into())
    .section("Against its own history", vec![states(), guardrails()])
    .section("Trend", trends.into())
    .section("Lead time", lead_time(TEAM))
    .section("Deployments and incidents", deployments_and_incidents())
    .section("Further feedback loops", vec![signals()])
    .section("How far these numbers can be trusted", trust(TEAM))
}

/// When the newest deployments finished, in milliseconds.
pub(crate) fn deployments(scope: Scope) -> Query {
    scope.past("last_deployment_timestamp_seconds", &[], "").map(millis)
}

/// How many incidents were open.
pub(crate) fn open_incidents(scope: Scope) -> Query {
    scope.past("open_incidents", &["severity"], "").map(|all| format!("sum by (team) ({all}) > 0"))
}

fn changed() -> Query {
    TEAM.past("state_since_timestamp_seconds", &["measure"], "").map(millis)
}

fn states() -> Panel {
    let state =
        DORA.now("team_state", &["measure", "state"], "team=\"$team\"").map(|all| format!("{all} == 1"));
    let of = |end: &str| DORA.now(end, &["measure"], "team=\"$team\"");
    let bound = |bound: &str| {
        let matchers = format!("team=\"$team\",bound=\"{bound}\"");
        DORA.now("team_change_ratio_bound", &["measure"], &matchers)
    };
    Panel::table("State of each measure", 15, 8)
        .note("A change of 1.00 is as before; the interval says how sure that is.")
        .ask(of("team_state_since_timestamp_seconds").map(millis), "Since")
        .ask(of("team_change_ratio"), "Change")
        .ask(bound("lower"), "95 % from")
        .ask(bound("upper"), "95 % to")
        .ask(of("team_evidence"), "Evidence")
        .ask(state, "Is")
        .unit("none")
        .side_by_side("measure", &[("measure", "Measure"), ("state", "State")], &["Is"])
        .set("decimals", json!(2))
        .field("Since", &[("unit", json!("dateTimeFromNow"))])
        .field("State", &[("mappings", colours(&STATES)), in_colour()])
        .field(
            "Measure",
            &[
                ("custom.width", json!(190)),
                ("mappings", words::measures()),
                (
                    "links",
                    json!([{
                        "title": "Evidence: every fact behind this state",
                        "url": "${sextant_url}/teams/${team:percentencode}/${__value.raw}?window=${window}",
                        "targetBlank": true,
                    }]),
                ),
            ],
        )
        .nothing("unknown")
}

fn guardrails() -> Panel {
    let limit = |own: &str| {
        let state = DORA
            .now("team_guardrail", &["guardrail", "state"], "team=\"$team\"")
            .map(|all| format!("({all} == 1)"));
        let limit = DORA
            .now("team_guardrail_limit", &["guardrail"], "team=\"$team\"")
            .map(|all| format!("({all} {own} or {all} * NaN)"));
        state.with(limit, |state, limit| format!("{state} * on (guardrail) group_left () {limit}"))
    };
    let none = json!([{ "type": "special", "options": { "match": "nan", "result": { "text": "" } } }]);
    Panel::table("Guardrails", 9, 8)
        .note("Each limit is a time, or a share or a rate per day. Unknown is too little to say whether it is kept.")
        // The limits of all measures have one name. No time worth a limit is shorter than a minute, and no rate is higher.
        .ask(limit(">= 60"), "Time")
        .ask(limit("< 60"), "Share or rate")
        .unit("none")
        .field("Time", &[("unit", json!("s")), ("mappings", none.clone())])
        .field("Share or rate", &[("mappings", none)])
        .side_by_side("guardrail", &[("guardrail", "Guardrail"), ("state", "State")], &[])
        .field("State", &[("mappings", colours(&GUARDRAIL_STATES)), in_colour()])
        .nothing("No guardrail configured for this team: [[guardrails]]")
}

/// What lead time is made of.
pub(crate) fn lead_time(scope: Scope) -> Vec<Panel> {
    let share = |end: &str| {
        scope
            .past(end, &[], "")
            .with(scope.past("changes", &[], ""), |some, all| format!("{some} / ({all} > 0)"))
    };
    vec![
        phases_now(scope, "Phases now: median", "p50"),
        phases_now(scope, "Phases now: 90th percentile", "p90"),
        phases_past(scope),
        Panel::trend("Share of unreviewed changes", 6, 8)
            .ask(share("unreviewed_changes"), "share of changes")
            .unit("percentunit")
            .nothing(NO_CHANGE),
    ]
}

/// In the order in which they happen, which is not that of the alphabet.
const PHASES: [&str; 4] = ["coding", "pickup", "review", "deploy"];

fn phases_past(scope: Scope) -> Panel {
    let mut panel = Panel::trend("Median of each phase", 6, 8).unit("suffix:h");
    for phase in PHASES {
        let matchers = format!("phase=\"{phase}\",stat=\"p50\"");
        panel = panel.ask(scope.past("lead_time_phase_seconds", &[], &matchers).map(hours), phase);
    }
    panel.nothing(NO_CHANGE)
}

fn phases_now(scope: Scope, title: &str, stat: &str) -> Panel {
    let mut panel = Panel::bars(title, 6, 8);
    for phase in PHASES {
        let matchers = format!("phase=\"{phase}\",stat=\"{stat}\"");
        panel = panel.ask(scope.now("lead_time_phase_seconds", &[], &matchers), phase);
    }
    panel.set("min", json!(0)).nothing(NO_CHANGE)
}

fn deployments_and_incidents() -> Vec<Panel> {
    let open_now = TEAM.now("open_incidents", &["severity"], "").map(|all| format!("sum({all})"));
    vec![
        Panel::trend("Deployments, and what became of them", 10, 8)
            .note("Failed: an incident, a rollback, a revert or a hotfix says so. Rework: unplanned.")
            .ask(TEAM.past("deployments", &[], ""), "deployments")
            .ask(TEAM.past("failed_deployments", &[], ""), "failed")
            .ask(TEAM.past("rework_deployments", &[], ""), "rework")
            .ask(
                TEAM.past("deployment_attempts", &["outcome"], "outcome=\"failure\""),
                "attempts that failed",
            )
            .set("decimals", json!(0))
            .nothing("Never deployed: see Collector, repositories"),
        Panel::stack("Open incidents, by severity", 8, 8)
            .ask(TEAM.past("open_incidents", &["severity"], ""), "{{severity}}")
            .set("decimals", json!(0))
            .nothing("Never had an incident nor deployed"),
        Panel::stat("Right now", 6, 8)
            .ask(open_now, "open incidents")
            .ask(TEAM.now("unrecovered_deployments", &[], ""), "failed, not recovered")
            .ask(TEAM.now("last_deployment_timestamp_seconds", &[], "").map(millis), "last deployment")
            .note("Incidents that are open, failed deployments that have not recovered yet, and when the newest deployment finished.")
            .unit("none")
            .field("last deployment", &[("unit", json!("dateTimeFromNow"))])
            .nothing("Never deployed"),
    ]
}

fn signals() -> Panel {
    let value = |end: &str| DORA.now(end, &["name"], "team=\"$team\"");
    Panel::table("Signals of the team", 24, 4)
        .ask(value("team_signal_value"), "Value")
        .ask(value("team_signal_target"), "Target")
        .ask(value("team_signal_progress_ratio"), "Way gone")
        .side_by_side("name", &[("name", "Signal")], &[])
        .unit("none")
        .field("Way gone", &as_bar())
        .nothing("No signal configured for this team: [[signals]] with this team")
}

/// How far the numbers of a scope can be trusted.
pub(crate) fn trust(scope: Scope) -> Vec<Panel> {
    let incidents = scope.past("incidents", &["severity"], "").map(|all| format!("sum({all})"));
    vec![
        coverage(scope, 8, 7),
        Panel::trend("What the numbers are made of", 12, 7)
            .note("The n of each measure: few make for wide intervals.")
            .ask(scope.past("changes", &[], ""), "changes")
            .ask(scope.past("deployments", &[], ""), "deployments")
            .ask(scope.past("recovered_deployments", &[], ""), "recoveries")
            .ask(incidents, "incidents")
            .set("decimals", json!(0))
            .nothing("Never deployed: see Collector, repositories"),
        Panel::stat("The window", 4, 7)
            .ask(scope.now("window_complete", &[], ""), "")
            .set("mappings", flag("whole", "partial"))
            .nothing("Never deployed"),
    ]
}
