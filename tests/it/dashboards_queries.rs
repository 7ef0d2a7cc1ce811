//! Every query of every board, asked of a real Prometheus that scrapes the running daemon.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;
use serde_json::Value;
use sextant::model::measure::Measure;

use crate::dashboards::{filled_in, list, panels, shipped, text, values_of};
use crate::process::until;
use crate::scraped::{Prometheus, Scraped};

/// What has no data on this stage, and why. Of the first two, `real_history` asks a Prometheus that reads history.
const EMPTY: &[(&str, &str)] = &[
    ("offset 90d", "this Prometheus did not run one window ago"),
    ("[2h]))) > 0", "no incident of the example is open in the end"),
    ("sextant_source_request_failures_total", "no request of the example fails"),
    ("sextant_webhooks_total", "the example sends no webhooks"),
];

/// What the table of all queries begins with, which is written for people: `target/tmp/board-queries.md`.
const HEAD: &str = "\
# Every query of every board, and how many series it brought

Asked of a real Prometheus that scrapes the running daemon, with the variables filled in. Written by the test
`every_query_of_every_board_brings_data_with_the_labels_that_are_shown`.
";

/// A component that has everything that a component can have, and so has its team.
const RICH: &str = "dora_component_coverage_ratio{kind=\"incidents_attributed\",window=\"90d\"} \
                    and on (team, component) dora_component_recovery_time_seconds_bound{window=\"90d\"} \
                    and on (team, component) dora_component_lead_time_seconds_bound{window=\"90d\"} \
                    and on (team, component) dora_component_change_fail_ratio_bound{window=\"90d\"} \
                    and on (team) dora_team_recovery_time_seconds_bound{window=\"90d\"} \
                    and on (team) dora_team_signal_value";

/// What Grafana does before it asks: the values of the variables, chosen in order.
async fn choices(prometheus: &Prometheus, board: &Value) -> Vec<(String, String)> {
    let rich = series(prometheus, "query", &[("query", RICH)]).await;
    let mut chosen: Vec<(String, String)> = Vec::new();
    for variable in list(&board["templating"]["list"]).filter(|variable| variable["type"] == "query") {
        let (metric, label) = values_of(variable);
        let query = substituted(text(&variable["query"]["query"]), &chosen);
        let selector = query.trim_start_matches("label_values(").rsplit_once(", ").unwrap().0.to_owned();
        let answer = prometheus.ask(&format!("label/{label}/values"), &[("match[]", &selector)]).await;
        let values: Vec<_> = list(&answer["data"]).map(text).collect();
        let value = if variable["multi"] == true {
            text(&variable["allValue"]).to_owned()
        } else {
            let wished = rich[0].get(&label).map_or(text(&variable["current"]["value"]), String::as_str);
            let known = values.iter().find(|value| **value == wished);
            (*known.unwrap_or_else(|| panic!("{metric} has no {label} {wished}: {values:?}"))).to_owned()
        };
        chosen.push((text(&variable["name"]).to_owned(), value));
    }
    chosen
}

fn substituted(expression: &str, chosen: &[(String, String)]) -> String {
    let filled = chosen
        .iter()
        .fold(expression.to_owned(), |all, (name, value)| all.replace(&format!("${name}"), value));
    filled_in(&filled)
}

/// The series of an answer, each with its labels; what Prometheus has to say against the query is a finding.
async fn series(
    prometheus: &Prometheus,
    path: &str,
    parameters: &[(&str, &str)],
) -> Vec<BTreeMap<String, String>> {
    let answer = prometheus.ask(path, parameters).await;
    assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
    for told in ["warnings", "infos"] {
        assert_eq!(list(&answer[told]).count(), 0, "{parameters:?}: {answer}");
    }
    let of = |series: &Value| serde_json::from_value(series["metric"].clone()).unwrap();
    list(&answer["data"]["result"]).map(of).collect()
}

/// The labels that a panel shows: in its legends, as the columns of its table.
fn shown_labels(panel: &Value, target: &Value) -> BTreeSet<String> {
    let in_legend = Regex::new(r"\{\{([a-z_]+)\}\}").unwrap();
    let legend = text(&target["legendFormat"]).to_owned();
    let mut shown: BTreeSet<_> = in_legend.captures_iter(&legend).map(|found| found[1].to_owned()).collect();
    for step in list(&panel["transformations"]) {
        let renamed = step["options"]["renameByName"].as_object();
        let labels = renamed.into_iter().flatten().map(|(name, _)| name.clone());
        let is_label =
            |name: &String| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        // Of answers side by side, one that has the label is enough.
        let is_alone = list(&panel["targets"]).count() == 1;
        // A measure is a column of its own, made of a label's value.
        let is_label = |name: &String| is_label(name) && Measure::named(name).is_none();
        shown.extend(labels.filter(is_label).filter(|_| is_alone));
    }
    shown
}

/// A line of the table of all queries.
fn tell(told: &mut String, panel: &Value, brought: &str, promql: &str) {
    let annotation = || format!("annotation: {}", text(&panel["name"]));
    let title = panel["title"].as_str().map_or_else(annotation, str::to_owned);
    let query = promql.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    writeln!(told, "| {title} | {brought} | `{query}` |").unwrap();
}

#[tokio::test]
async fn every_query_of_every_board_brings_data_with_the_labels_that_are_shown() {
    let stage = Scraped::new().await;
    let prometheus = &stage.prometheus;
    until("two scrapes make a rate", async || {
        let query = "rate(sextant_source_requests_total[1m])";
        !series(prometheus, "query", &[("query", query)]).await.is_empty()
    })
    .await;
    let now = prometheus.ask("query", &[("query", "time()")]).await["data"]["result"][0].clone();
    let (from, to) = ((now.as_f64().unwrap() - 60.0).to_string(), now.to_string());
    let (mut findings, mut empty, mut asked) = (Vec::new(), BTreeSet::new(), 0);
    let mut told = String::from(HEAD);
    for (file, board) in shipped() {
        write!(told, "\n## {}\n\n| panel | series | query |\n| --- | --- | --- |\n", text(&board["title"]))
            .unwrap();
        let chosen = choices(prometheus, &board).await;
        let annotations = list(&board["annotations"]["list"]).map(|annotation| (annotation, annotation));
        let targets =
            panels(&board).flat_map(|panel| list(&panel["targets"]).map(move |target| (panel, target)));
        for (panel, target) in targets.chain(annotations) {
            let promql = substituted(text(&target["expr"]), &chosen);
            assert!(!promql.contains('$'), "{file}: {promql}");
            let found = if target["instant"] == true {
                series(prometheus, "query", &[("query", &promql)]).await
            } else {
                let range = [("query", promql.as_str()), ("start", &from), ("end", &to), ("step", "10")];
                series(prometheus, "query_range", &range).await
            };
            asked += 1;
            let mut brought = found.len().to_string();
            if found.is_empty() {
                match EMPTY.iter().find(|(part, _)| promql.contains(part)) {
                    Some((part, why)) => {
                        empty.insert(*part);
                        brought = format!("none: {why}");
                    }
                    None => findings.push(format!("{file}: {}: nothing for {promql}", panel["title"])),
                }
            }
            tell(&mut told, panel, &brought, &promql);
            for label in shown_labels(panel, target) {
                if !found.iter().all(|labels| labels.contains_key(&label)) {
                    findings.push(format!("{file}: {}: {promql}: no {label}", panel["title"]));
                }
            }
        }
    }
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("board-queries.md"), told).unwrap();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert!(asked > 100, "{asked}");
    for (part, why) in EMPTY {
        assert!(empty.contains(part), "{part} brings data: it is not so that {why}");
    }
    stage.end().await;
}
