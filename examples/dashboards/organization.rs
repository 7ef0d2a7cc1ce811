//! The organisation: north star, the measures, guardrails, what changed, how far the numbers can be trusted.

use serde_json::{Value, json};

use super::board::Board;
use super::collector::corrected;
use super::measures::{self, evidence, to_team};
use super::panel::Panel;
use super::query::{DORA, ORGANIZATION, Query, Scope, TEAMS};
use super::words::{self, GUARDRAIL_STATES, STATES, as_bar, colours, flag, in_colour, millis, with};

/// A cell of the column `Team`.
const TEAM: &str = "${__data.fields.Team:percentencode}";

pub(crate) fn board() -> Board {
    Board::new(
        "sextant-organization",
        "sextant / Organisation",
        "Where we are against the north star, and the measures of all teams together. Teams are in alphabetical order: \
         compare a team with its own past, not with others.",
    )
    .choose_window()
    .mark_values("State changes", "orange", "{{team}}: {{measure}} changed its state", changed())
    .section("North star", north_star())
    .section("All teams together, now", measures::ALL.map(|shown| shown.stat(ORGANIZATION, &json!([]))).into())
    .section(
        "All teams together, against their own past",
        measures::ALL.map(|shown| shown.trend(ORGANIZATION, &json!([]))).into(),
    )
    .section("Teams, in alphabetical order", vec![teams(), states()])
    .section("What changed, and what has left its guardrails", vec![what_changed(), guardrails()])
    .section("How far these numbers can be trusted", trust())
}

/// When each state of a measure began, in milliseconds.
fn changed() -> Query {
    DORA.past("team_state_since_timestamp_seconds", &["team", "measure"], "").map(millis)
}

fn north_star() -> Vec<Panel> {
    let none = "No north star configured: [[north_star]]";
    let value = |end: &str| DORA.now(end, &["name"], "");
    vec![
        Panel::table("North star", 12, 4)
            .ask(value("north_star_value"), "Value")
            .ask(value("north_star_target"), "Target")
            .ask(value("north_star_progress_ratio"), "Way gone")
            .side_by_side("name", &[("name", "North star")], &[])
            .unit("none")
            .field("Way gone", &as_bar())
            .nothing(none),
        Panel::table("Signals of the organisation", 12, 4)
            .ask(value("organization_signal_value"), "Value")
            .ask(value("organization_signal_target"), "Target")
            .ask(value("organization_signal_progress_ratio"), "Way gone")
            .side_by_side("name", &[("name", "Signal")], &[])
            .unit("none")
            .field("Way gone", &as_bar())
            .nothing("No signal of the organisation configured: [[signals]]"),
    ]
}

fn teams() -> Panel {
    let mut panel = Panel::table("Teams", 24, 9)
        .note("The links of a number lead to the facts behind it.")
        .nothing("unknown")
        .field("Team", &[("links", to_team(TEAM))]);
    for shown in measures::ALL {
        let unit = ("unit", shown.unit(TEAMS));
        panel = panel
            .ask(shown.now(TEAMS), shown.title)
            .field(shown.title, &[unit, ("links", evidence(TEAM, shown.measure))]);
    }
    let open = TEAMS.now("open_incidents", &["severity"], "").map(|open| format!("sum by (team) ({open})"));
    panel.ask(open, "Open incidents").field("Open incidents", &[("unit", json!("none"))]).side_by_side(
        "team",
        &[("team", "Team")],
        &[],
    )
}

fn states() -> Panel {
    let state = DORA.now("team_state", &["team", "measure", "state"], "").map(|all| format!("{all} == 1"));
    let corner = "team\\measure";
    let mut headings = json!({ corner: "Team" });
    let mut order = json!({ corner: 0 });
    for (index, shown) in measures::ALL.iter().enumerate() {
        let column = shown.measure.label();
        headings = with(headings, json!({ column: shown.title }));
        order = with(order, json!({ column: index + 1 }));
    }
    Panel::table("State of each measure, against the team's own history", 24, 9)
        .note("Regressed is a sustained worsening beyond what the team's own history explains; insufficient is too little history to say anything.")
        .ask(state, "")
        .transform("sortBy", &json!({ "sort": [{ "field": "team" }] }))
        .transform(
            "groupingToMatrix",
            &json!({ "rowField": "team", "columnField": "measure", "valueField": "state", "emptyValue": "empty" }),
        )
        .transform("organize", &json!({ "indexByName": order, "renameByName": headings }))
        .set("mappings", colours(&STATES))
        .set("custom", coloured())
        .field("Team", &[("links", to_team(TEAM)), ("custom.cellOptions", json!({ "type": "auto" }))])
        .nothing("unknown")
}

fn what_changed() -> Panel {
    let state = DORA.now("team_state", &["team", "measure", "state"], "").map(|all| format!("({all} == 1)"));
    let since = DORA.now("team_state_since_timestamp_seconds", &["team", "measure"], "");
    let recent = state.with(since, |state, since| {
        format!("{state} * on (team, measure) group_left () ({since} > time() - $__range_s) * 1000")
    });
    Panel::table("States that began in the time range", 14, 9)
        .ask(recent, "Since")
        .unit("none")
        .side_by_side("team", &[("team", "Team"), ("measure", "Measure"), ("state", "State")], &[])
        .transform("sortBy", &json!({ "sort": [{ "field": "Since", "desc": true }] }))
        .field("Since", &[("unit", json!("dateTimeFromNow"))])
        .field("Team", &[("links", to_team(TEAM))])
        .field("Measure", &[("mappings", words::measures())])
        .field("State", &[("mappings", colours(&STATES)), in_colour()])
        .nothing("No state began in the time range: choose a longer one")
}

fn guardrails() -> Panel {
    let state =
        DORA.now("team_guardrail", &["team", "guardrail", "state"], "").map(|all| format!("{all} == 1"));
    let corner = "team\\guardrail";
    Panel::table("Guardrails", 10, 9)
        .note("Unknown is too little to say whether a limit is kept. The limits are on the board of each team.")
        .ask(state, "")
        .unit("none")
        .transform("sortBy", &json!({ "sort": [{ "field": "team" }] }))
        .transform(
            "groupingToMatrix",
            &json!({ "rowField": "team", "columnField": "guardrail", "valueField": "state", "emptyValue": "empty" }),
        )
        .transform("organize", &json!({ "indexByName": { corner: 0 }, "renameByName": { corner: "Team" } }))
        .set("mappings", colours(&GUARDRAIL_STATES))
        .set("custom", coloured())
        .field("Team", &[("links", to_team(TEAM)), ("custom.cellOptions", json!({ "type": "auto" }))])
        .nothing("No guardrail configured: [[guardrails]]")
}

/// Every cell of a matrix in the colour of its word.
fn coloured() -> Value {
    json!({ "align": "auto", "cellOptions": { "type": "color-text" }, "minWidth": 70, "filterable": false, "inspect": false })
}

fn trust() -> Vec<Panel> {
    vec![
        coverage(ORGANIZATION, 8, 9),
        Panel::table("Whole windows, by team", 8, 9)
            .note("While the history is still being read, the numbers of a team are partial.")
            .ask(TEAMS.now("window_complete", &[], ""), "Window")
            .side_by_side("team", &[("team", "Team")], &[])
            .field("Window", &[("mappings", flag("whole", "partial")), in_colour()])
            .nothing("No team yet: see Collector"),
        corrected(8, 9),
    ]
}

/// The shares by which numbers can be trusted, in the order of their way from a change to an incident.
pub(crate) fn coverage(scope: Scope, width: u32, height: u32) -> Panel {
    let mut panel = Panel::bars("Coverage", width, height);
    for (kind, words) in [
        ("deployments_with_changes", "deployments whose changes are known"),
        ("changes_deployed", "merged pull requests deployed by now"),
        ("incidents_attributed", "incidents attributed to a deployment"),
    ] {
        panel = panel.ask(scope.now("coverage_ratio", &[], &format!("kind=\"{kind}\"")), words);
    }
    panel
        .set("min", json!(0))
        .set("max", json!(1))
        .set("decimals", json!(0))
        .nothing("Nothing in this window that could be covered")
}
