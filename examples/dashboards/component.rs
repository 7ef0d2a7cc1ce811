//! A component: what is deployed as one, by default a repository.

use serde_json::json;

use super::board::Board;
use super::measures;
use super::panel::Panel;
use super::query::{COMPONENT, COMPONENTS};
use super::team::{deployments, lead_time, open_incidents, trust};

pub(crate) fn board() -> Board {
    let none = json!([]);
    Board::new(
        "sextant-component",
        "sextant / Component",
        "The measures of one component, and all components of its team side by side. Needs metrics.component_detail.",
    )
    .choose("team", "Team", "label_values(dora_component_window_complete, team)")
    .choose("component", "Component", "label_values(dora_component_window_complete{team=\"$team\"}, component)")
    .choose_window()
    .mark_values("Deployments", "blue", "Deployment", deployments(COMPONENT))
    .switched_off()
    .mark_spans(
        "Open incidents",
        "red",
        "Incident open",
        open_incidents(COMPONENT).map(|promql| promql.replace("sum by (team)", "sum by (component)")),
    )
    .section("Now", measures::ALL.map(|shown| shown.stat(COMPONENT, &none)).into())
    .section("Trend", measures::ALL.map(|shown| shown.trend(COMPONENT, &none)).into())
    .section("Lead time", lead_time(COMPONENT))
    .section("How far these numbers can be trusted", trust(COMPONENT))
    .section("All components of the team, in alphabetical order", vec![siblings()])
}

fn siblings() -> Panel {
    let mut panel = Panel::table("Components", 24, 9).nothing("unknown").field(
        "Component",
        &[(
            "links",
            json!([{
                "title": "This component",
                "url": "/d/sextant-component?var-component=${__data.fields.Component:percentencode}&${team:queryparam}&${window:queryparam}&${datasource:queryparam}&${__url_time_range}",
                "targetBlank": false,
            }]),
        )],
    );
    for shown in measures::ALL {
        let unit = ("unit", shown.unit(COMPONENTS));
        panel = panel.ask(shown.now(COMPONENTS), shown.title).field(shown.title, &[unit]);
    }
    panel.side_by_side("component", &[("component", "Component")], &[])
}
