use super::*;
use serde_json::json;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + hours * 3_600)
}

fn wire(id: u64, path: &str, name: &str) -> Listed {
    let wire =
        json!({ "id": id, "node_id": format!("W_{id}"), "name": name, "path": path, "state": "active" });
    listed(serde_json::from_value(wire).unwrap()).unwrap()
}

fn rule(workflow: &str, branch: Option<&str>, event: Option<&str>) -> RunRule {
    RunRule {
        workflow: workflow.to_owned(),
        branch: branch.map(str::to_owned),
        event: event.map(str::to_owned),
    }
}

fn run(id: u64, event: &str, created: i64, updated: &str) -> Shown {
    Shown {
        id: format!("R_{id}"),
        event: event.to_owned(),
        created_at: at(created).millis(),
        updated_at: updated.to_owned(),
    }
}

/// A workflow that has been read, up to this hour.
fn read_until(hour: i64, runs: &[Shown]) -> Workflow {
    let mut workflow = Workflow { shown: Some(runs.to_vec()), ..Workflow::default() };
    assert!(workflow.begin(at(-24 * 20), at(hour)), "a first read");
    workflow.windows.clear();
    workflow.done();
    workflow
}

#[test]
fn a_workflow_is_known_by_its_file_and_by_its_name() {
    let all = [
        wire(1, ".github/workflows/deploy.yml", "Ship it"),
        wire(2, ".github/workflows/ci.yml", "CI"),
        wire(3, "dynamic/pages/pages-build-deployment", "pages"),
    ];
    for (workflow, number) in
        [("deploy.yml", Some(1)), ("ship it", Some(1)), ("ci", Some(2)), ("pages", Some(3)), ("x.yml", None)]
    {
        let (chosen, missing) = chosen(&all, &[rule(workflow, None, None)], &[]);
        assert_eq!(chosen.first().map(|workflow| workflow.number), number, "{workflow}");
        assert_eq!(missing.is_empty(), number.is_some(), "{workflow}");
    }
    assert_eq!(
        missing("acme/shop", &["x.yml".to_owned()], &all[..2]),
        "no workflow x.yml in acme/shop; it has ci.yml, deploy.yml"
    );
    assert_eq!(
        missing("acme/shop", &["x.yml".to_owned()], &[]),
        "no workflow x.yml in acme/shop; it has none"
    );
    let many: Vec<Listed> = (10..22).map(|n| wire(n, &format!("{n}.yml"), "n")).collect();
    assert!(missing("acme/shop", &["x.yml".to_owned()], &many).ends_with("18.yml, 19.yml and 2 more"));
    for field in ["id", "node_id", "path"] {
        let mut record = json!({ "id": 1, "node_id": "W", "path": "x.yml" });
        record[field] = json!(null);
        assert_eq!(listed(serde_json::from_value(record).unwrap()), None, "{field}");
    }
}

#[test]
fn what_all_rules_agree_on_is_asked_for_and_where_that_changes_it_is_read_anew() {
    let all = [wire(1, "deploy.yml", "Deploy")];
    for (rules, branch, event) in [
        (vec![rule("deploy.yml", Some("main"), Some("push"))], Some("main"), Some("push")),
        (vec![rule("deploy.yml", None, None)], None, None),
        (
            vec![rule("deploy.yml", Some("main"), Some("push")), rule("deploy", Some("main"), None)],
            Some("main"),
            None,
        ),
        (vec![rule("deploy.yml", Some("a"), None), rule("deploy.yml", Some("b"), None)], None, None),
    ] {
        let known =
            Workflow { number: 1, branch: Some("main".to_owned()), complete: true, ..Workflow::default() };
        let (chosen, _) = chosen(&all, &rules, &[known]);
        let [workflow] = chosen.as_slice() else { panic!("{chosen:?}") };
        assert_eq!((workflow.branch.as_deref(), workflow.event.as_deref()), (branch, event), "{rules:?}");
        assert_eq!(workflow.complete, (branch, event) == (Some("main"), None));
    }
}

#[test]
fn rest_is_asked_only_if_the_newest_runs_moved() {
    let before = [run(3, "push", -10, "a"), run(2, "push", -20, "a"), run(1, "push", -100, "a")];
    let ahead = AHEAD;
    let since = |from: Timestamp, now: Timestamp| vec![Window::between(from, now.plus(ahead))];
    let overlap = at(0).minus(OVERLAP);
    let now = at(2);
    for (name, event, shown, expected) in [
        ("nothing moved", None, before.to_vec(), vec![]),
        ("a new run", None, [&[run(4, "push", 1, "a")], &before[..]].concat(), since(overlap, now)),
        (
            "an old run ended",
            None,
            vec![before[0].clone(), before[1].clone(), run(1, "push", -100, "b")],
            since(at(-100), now),
        ),
        ("a run was deleted", None, before[1..].to_vec(), vec![]),
        ("another event's run", Some("push"), [&[run(4, "schedule", 1, "a")], &before[..]].concat(), vec![]),
        (
            "only unknown ones, of another event",
            Some("push"),
            vec![run(9, "schedule", 1, "a")],
            since(overlap, now),
        ),
    ] {
        let mut workflow = read_until(0, &before);
        workflow.event = event.map(str::to_owned);
        workflow.shown = Some(shown.clone());
        assert_eq!(workflow.begin(at(-24 * 20), now), !expected.is_empty(), "{name}");
        assert_eq!(workflow.windows, expected, "{name}");
        workflow.windows.clear();
        assert!(!workflow.begin(at(-24 * 20), now), "{name}: once");
    }
}

#[test]
fn runs_of_five_weeks_are_looked_at_again_every_day() {
    let mut workflow = read_until(0, &[]);
    workflow.shown = Some(Vec::new());
    assert!(!workflow.begin(at(-24 * 100), at(23)));
    assert!(workflow.begin(at(-24 * 100), at(24)));
    assert_eq!(workflow.windows, [Window::between(at(24).minus(LOOKED_BACK), at(24).plus(AHEAD))]);
    workflow.windows.clear();
    assert!(!workflow.begin(at(-24 * 100), at(25)) && workflow.begin(at(-24 * 100), at(48)));
    let mut blind = read_until(0, &[]);
    blind.shown = None;
    assert!(!blind.begin(at(-24 * 100), at(48)), "without a look there is nothing to go by");
}

#[test]
fn earlier_attempts_are_read_once_each() {
    let mut workflow = Workflow::default();
    for (attempt, earlier) in [(1, 1..1), (3, 1..3), (3, 3..3), (4, 3..4)] {
        assert_eq!(workflow.earlier(7, attempt), earlier);
        workflow.read_before(7, attempt);
    }
    assert_eq!(workflow.earlier(8, 2), 1..2);
    for run in 0..5_000 {
        workflow.read_before(run, 2);
    }
    assert_eq!(workflow.reruns.len(), RERUNS_MAX);
}

#[test]
fn an_open_run_is_watched_until_it_ends_or_nobody_waits_any_more() {
    let mut workflow = Workflow::default();
    workflow.watch(1, Some(at(0)), at(1));
    workflow.watch(1, Some(at(0)), at(2));
    workflow.watch(2, Some(at(-24 * 60)), at(2));
    assert_eq!(workflow.open.iter().map(|open| open.node.as_str()).collect::<Vec<_>>(), ["1"]);
    workflow.watch(1, None, at(3));
    assert!(workflow.open.is_empty());
    for run in 0..500 {
        workflow.watch(run, Some(at(i64::try_from(run).unwrap() % 48)), at(48));
    }
    assert_eq!(workflow.open.len(), OPEN_MAX);
}
