//! The dashboards, as files: they are what the catalogue and their description make, and keep the rules that Grafana's
//! own linter for dashboards has.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an expression is of a foreign enum, and all but a few kinds are alike"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use promql_parser::parser::{Expr, VectorSelector, parse};
use regex::Regex;
use serde_json::Value;
use sextant::catalogue::{Kind, Metric, metrics};
use sextant::model::measure::Measure;

#[path = "../../examples/dashboards/boards.rs"]
mod boards;

/// Metrics that boards will show as soon as the catalogue has them: until then their panels are left out.
const AWAITED: &[&str] = &["sextant_team_config_valid"];
/// Units that the boards use, as Grafana calls them; `suffix:` may have anything behind it.
const UNITS: &[&str] = &["none", "s", "percentunit", "bytes", "reqps", "dateTimeFromNow"];
/// What Prometheus itself adds to every series that it scrapes.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

/// The boards as they are in the repository, by the name of their file.
pub(crate) fn shipped() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
    };
    files.map(read).collect()
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The panels of a board, without the headings.
pub(crate) fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    list(&board["panels"]).filter(|panel| panel["type"] != "row")
}

/// The expressions of a board: of its panels and its annotations.
fn expressions(board: &Value) -> Vec<&str> {
    let targets = panels(board).flat_map(|panel| list(&panel["targets"]));
    targets.chain(list(&board["annotations"]["list"])).map(|asked| text(&asked["expr"])).collect()
}

/// An expression without Grafana's variables, which no parser of Prometheus takes.
pub(crate) fn filled_in(expression: &str) -> String {
    expression.replace("$__rate_interval", "1m").replace("$__range_s", "315360000").replace("$window", "90d")
}

fn metric(name: &str) -> Option<&'static Metric> {
    metrics().find(|metric| metric.name == name)
}

fn fail_on(findings: &[String]) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn the_files_are_what_the_catalogue_and_the_description_make() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let made = boards::all();
    for board in &made {
        let file = std::fs::read_to_string(folder.join(board.file())).unwrap_or_default();
        let is_same = file == board.text().unwrap();
        assert!(is_same, "{} is not what it would be: cargo run --example dashboards", board.file());
    }
    let names: BTreeSet<_> = made.iter().map(boards::Board::file).collect();
    assert_eq!(
        names,
        shipped().into_keys().collect(),
        "a board without a description, or the other way round"
    );
}

#[test]
fn every_metric_of_a_board_is_in_the_catalogue_or_awaited() {
    let mut findings = BTreeSet::new();
    for name in boards::all().iter().flat_map(boards::Board::names) {
        match (metric(&name).is_some(), AWAITED.contains(&name.as_str())) {
            (true, true) => drop(findings.insert(format!("{name} is no longer awaited"))),
            (false, false) => drop(findings.insert(format!("{name} is not in the catalogue"))),
            (true, false) | (false, true) => {}
        }
    }
    fail_on(&findings.into_iter().collect::<Vec<_>>());
}

#[test]
fn boards_are_found_by_stable_names_and_follow_what_is_chosen() {
    let mut uids = BTreeSet::new();
    // `$__…` is Grafana's own.
    let used = Regex::new(r"\$\{?([a-z][a-z_]*)").unwrap();
    for (file, board) in shipped() {
        let uid = text(&board["uid"]);
        assert!(uids.insert(uid.to_owned()) && uid.len() <= 40, "{file}: {uid}");
        assert_eq!(file, format!("{uid}.json"));
        assert!(board["id"].is_null() && board["editable"] == false, "{file} is provisioned, not edited");
        assert!(!text(&board["title"]).is_empty() && !text(&board["description"]).is_empty(), "{file}");
        assert_eq!(board["tags"][0], "sextant", "boards link each other by tag");
        for variable in list(&board["templating"]["list"]) {
            let name = text(&variable["name"]);
            match text(&variable["type"]) {
                "datasource" => assert_eq!((name, &variable["query"]), ("datasource", &"prometheus".into())),
                "constant" => assert_eq!(name, "sextant_url"),
                "query" => {
                    assert_eq!(variable["datasource"]["uid"], "${datasource}", "{file}: {name}");
                    assert_eq!(variable["refresh"], 2, "{file}: {name} follows the time range");
                    let (queried, label) = values_of(variable);
                    let known = metric(&queried).unwrap_or_else(|| panic!("{file}: no metric {queried}"));
                    assert!(known.labels.contains(&label.as_str()), "{file}: {queried} has no {label}");
                }
                other => panic!("{file}: a variable of type {other}"),
            }
        }
        let named: BTreeSet<_> =
            list(&board["templating"]["list"]).map(|variable| text(&variable["name"])).collect();
        assert!(named.contains("datasource") && named.contains("sextant_url"), "{file}: {named:?}");
        // Every variable that is used exists.
        for found in used.captures_iter(&board.to_string()) {
            assert!(named.contains(&found[1]), "{file}: nothing chooses ${}", &found[1]);
        }
    }
}

#[test]
fn links_lead_to_boards_and_pages_that_exist() {
    let uids: BTreeSet<_> = shipped().values().map(|board| text(&board["uid"]).to_owned()).collect();
    let to_board = Regex::new(r"/d/([a-z-]+)\?").unwrap();
    let to_evidence = Regex::new(r"\$\{sextant_url\}/teams/\$\{[^}]+\}/([^?]+)\?window=").unwrap();
    let mut seen = BTreeSet::new();
    for (file, board) in shipped() {
        let all = board.to_string();
        for found in to_board.captures_iter(&all) {
            assert!(uids.contains(&found[1]), "{file}: no board {}", &found[1]);
            seen.insert(found[1].to_owned());
        }
        for found in to_evidence.captures_iter(&all) {
            let is_cell = &found[1] == "${__value.raw}";
            assert!(is_cell || Measure::named(&found[1]).is_some(), "{file}: no page of {}", &found[1]);
            seen.insert(found[1].to_owned());
        }
    }
    let measures = Measure::ALL.iter().all(|measure| seen.contains(measure.label()));
    assert!(measures && seen.contains("sextant-team"), "{seen:?}");
}

/// The metric and the label of `label_values(metric{…}, label)`.
pub(crate) fn values_of(variable: &Value) -> (String, String) {
    let query = text(&variable["query"]["query"]);
    let shape = Regex::new(r"^label_values\(([a-z_]+)(?:\{[^}]*\})?, ([a-z_]+)\)$").unwrap();
    let found = shape.captures(query).unwrap_or_else(|| panic!("{query}"));
    (found[1].to_owned(), found[2].to_owned())
}

#[test]
fn panels_say_what_they_are_in_which_unit_and_why_they_may_be_empty() {
    let mut findings = Vec::new();
    for (file, board) in shipped() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&board["panels"]) {
            let mut find = |what: &str| findings.push(format!("{file}: {}: {what}", text(&panel["title"])));
            if !ids.insert(panel["id"].to_string()) {
                find("its id is not its own");
            }
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            let cells = (at("x")..at("x") + at("w"))
                .flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
                .collect::<Vec<_>>();
            if at("x") + at("w") > 24 || cells.iter().any(|cell| !taken.insert(*cell)) {
                find("it lies on another or beyond the edge");
            }
        }
        for panel in panels(&board) {
            let mut find = |what: &str| findings.push(format!("{file}: {}: {what}", text(&panel["title"])));
            if text(&panel["title"]).is_empty() || text(&panel["description"]).is_empty() {
                find("no title or description");
            }
            if text(&panel["fieldConfig"]["defaults"]["noValue"]).is_empty() {
                find("it does not say why there may be nothing");
            }
            if list(&panel["targets"]).count() == 0 {
                find("it asks nothing");
            }
            let overrides =
                list(&panel["fieldConfig"]["overrides"]).flat_map(|field| list(&field["properties"]));
            let overridden = overrides.filter(|property| property["id"] == "unit").map(|unit| &unit["value"]);
            for unit in overridden.chain([&panel["fieldConfig"]["defaults"]["unit"]]) {
                if !UNITS.contains(&text(unit)) && !text(unit).starts_with("suffix:") {
                    find(&format!("the unit {unit}"));
                }
            }
            for place in list(&panel["targets"]).chain([panel]) {
                if place["datasource"]["uid"] != "${datasource}" {
                    find("not from the data source that is chosen");
                }
            }
            for target in list(&panel["targets"]) {
                let expression = text(&target["expr"]);
                for name in named(expression) {
                    let help = metric(&name).map_or_else(|| panic!("{name}"), |metric| metric.help);
                    if !text(&panel["description"]).contains(help) {
                        find(&format!("it does not say what {name} means"));
                    }
                }
                // A window that slides over history an hour apart would be empty in most places.
                if expression.contains("last_over_time") != (panel["interval"] == "1h") {
                    find("steps and looking back do not fit");
                }
            }
        }
    }
    fail_on(&findings);
}

fn parsed(expression: &str) -> Expr {
    parse(&filled_in(expression)).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn named(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&parsed(expression), &mut |expr| found.extend(selector(expr).and_then(|one| one.name.clone())));
    found
}

fn selector(expr: &Expr) -> Option<&VectorSelector> {
    match expr {
        Expr::VectorSelector(one) => Some(one),
        Expr::MatrixSelector(many) => Some(&many.vs),
        _ => None,
    }
}

/// An expression and everything in it.
fn walk(expr: &Expr, visit: &mut impl FnMut(&Expr)) {
    visit(expr);
    match expr {
        Expr::Aggregate(one) => walk(&one.expr, visit),
        Expr::Unary(one) => walk(&one.expr, visit),
        Expr::Paren(one) => walk(&one.expr, visit),
        Expr::Subquery(one) => walk(&one.expr, visit),
        Expr::Call(one) => one.args.args.iter().for_each(|argument| walk(argument, visit)),
        Expr::Binary(both) => {
            walk(&both.lhs, visit);
            walk(&both.rhs, visit);
        }
        _ => {}
    }
}

/// The labels that the series of an expression may have.
fn labels_in(expr: &Expr) -> BTreeSet<&str> {
    let mut found: BTreeSet<&str> = TARGET_LABELS.into();
    walk(expr, &mut |expr| {
        let known = selector(expr).and_then(|one| one.name.as_deref()).and_then(metric);
        found.extend(known.into_iter().flat_map(|metric| metric.labels));
    });
    found
}

#[test]
fn queries_name_only_metrics_and_labels_of_the_catalogue() {
    let mut findings = Vec::new();
    let mut queries = 0;
    for (file, board) in shipped() {
        for expression in expressions(&board) {
            queries += 1;
            let mut find = |what: String| findings.push(format!("{file}: {expression}: {what}"));
            walk(&parsed(expression), &mut |expr| {
                if let Some(one) = selector(expr) {
                    let name = one.name.as_deref().unwrap_or_default();
                    let Some(known) = metric(name) else { return find(format!("no metric {name}")) };
                    for matcher in &one.matchers.matchers {
                        if !known.labels.contains(&matcher.name.as_str()) {
                            find(format!("{name} has no {}", matcher.name));
                        }
                    }
                    let is_pinned = one.matchers.matchers.iter().any(|matcher| matcher.name == "window");
                    if known.labels.contains(&"window") && !is_pinned {
                        find(format!("{name} of all windows at once"));
                    }
                }
                let (inner, modifier) = match expr {
                    Expr::Aggregate(one) => (labels_in(&one.expr), one.modifier.as_ref()),
                    Expr::Binary(both) => {
                        let matching = both.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
                        (labels_in(expr), matching)
                    }
                    _ => return,
                };
                for label in modifier.into_iter().flat_map(|modifier| &modifier.labels().labels) {
                    if !inner.contains(label.as_str()) {
                        find(format!("nothing in it has {label}"));
                    }
                }
            });
        }
    }
    fail_on(&findings);
    assert!(queries > 100, "{queries}");
}

#[test]
fn counters_are_only_seen_growing_and_series_are_never_doubled() {
    let mut findings = Vec::new();
    for (file, board) in shipped() {
        for expression in expressions(&board) {
            let expr = parsed(expression);
            let (mut growing, mut selected, mut merged) = (0, 0, 0);
            walk(&expr, &mut |expr| {
                selected += usize::from(matches!(expr, Expr::VectorSelector(_) | Expr::MatrixSelector(_)));
                match expr {
                    Expr::Call(call) if ["rate", "increase"].contains(&call.func.name) => growing += 1,
                    Expr::Aggregate(one) if one.op.to_string() == "max" => {
                        walk(&one.expr, &mut |inner| merged += usize::from(selector(inner).is_some()));
                    }
                    _ => {}
                }
            });
            let counters = named(expression).into_iter().filter_map(|name| metric(&name));
            let counters = counters.filter(|metric| metric.kind == Kind::Counter).count();
            if counters != growing {
                findings.push(format!("{file}: {expression}: a counter as it is"));
            }
            // A scrape and remote read may both have the series, and two replicas, too.
            if merged != selected {
                findings.push(format!("{file}: {expression}: not under `max by`"));
            }
        }
    }
    fail_on(&findings);
}

#[test]
fn nobody_is_named_and_no_team_is_ranked() {
    for (file, board) in shipped() {
        for expression in expressions(&board) {
            let ranks = ["topk", "bottomk", "sort(", "sort_desc"];
            assert!(!ranks.iter().any(|rank| expression.contains(rank)), "{file}: {expression}");
        }
        for panel in panels(&board).filter(|panel| panel["type"] == "table") {
            let orders =
                list(&panel["transformations"]).filter(|transformation| transformation["id"] == "sortBy");
            let by: Vec<_> = orders.map(|order| text(&order["options"]["sort"][0]["field"])).collect();
            assert!(!by.is_empty(), "{file}: {}: the order is left to chance", panel["title"]);
            let is_by_value = by.iter().any(|field| field.contains("Value"));
            assert!(!is_by_value, "{file}: {}: sorted by {by:?}", panel["title"]);
        }
    }
}
