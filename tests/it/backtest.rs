//! `sextant backtest`: facts in, false alarms a year out, the same each time; too little is said to be too little.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use chrono::{Days, NaiveDate};
use serde_json::Value;
use tempfile::TempDir;

const BEGIN: NaiveDate = NaiveDate::from_ymd_opt(2025, 1, 6).unwrap();

fn backtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).arg("backtest").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Two deployments a working day, each with a change of so many hours.
fn team(folder: &Path, name: &str, days: u64, hours: impl Fn(u64) -> u64) {
    let mut deployments =
        "id,team,component,started_at,finished_at,status,unplanned,failed,recovered_at\n".to_owned();
    let mut changes = "id,deployment_id,first_commit_at\n".to_owned();
    for (day, number) in (0..days).filter(|day| day % 7 < 5).flat_map(|day| [(day, 0), (day, 1)]) {
        let at = (BEGIN + Days::new(day)).and_hms_opt(12, number, 0).unwrap();
        let minutes = hours(day) * (20 + (day * 37 + u64::from(number) * 53) % 97 * 2);
        let first = at - chrono::Duration::minutes(i64::try_from(minutes).unwrap());
        let (at, first) = (at.format("%FT%TZ"), first.format("%FT%TZ"));
        writeln!(deployments, "{day}-{number},{name},c,{at},{at},success,0,0,").unwrap();
        writeln!(changes, "c{day}-{number},{day}-{number},{first}").unwrap();
    }
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("deployments.csv"), deployments).unwrap();
    std::fs::write(folder.join("changes.csv"), changes).unwrap();
}

#[test]
fn each_team_is_told_how_often_it_is_alarmed_falsely_and_what_to_raise() {
    let folder = TempDir::new().unwrap();
    // Slow since some months: in other orders, slow for two weeks every now and then.
    team(folder.path(), "moody", 405, |day| if day < 300 { 10 } else { 40 });
    team(folder.path(), "calm", 420, |_| 10);
    team(folder.path(), "new", 100, |_| 10);
    let facts = folder.path().to_str().unwrap();
    let asked = ["--facts", facts, "--permutations", "6", "--seed", "3"];
    let found = backtest(&asked);
    let (answer, progress) = (text(&found.stdout), text(&found.stderr));
    assert_eq!(found.status.code(), Some(0), "{progress}");
    assert!(progress.contains("3 of 3: "), "{progress}");
    assert_eq!(answer, text(&backtest(&asked).stdout), "the same seed gives the same answer");

    let place = |name: &str| answer.find(&format!("\n{name}")).unwrap();
    assert!(place("calm") < place("moody") && place("moody") < place("new"), "{answer}");
    assert!(answer.contains("\nnew: insufficient history\n"), "{answer}");
    assert!(answer.contains("recovery_time         insufficient history"), "{answer}");

    let json = backtest(&[&asked[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["permutations"].as_u64(), json["seed"].as_u64()), (Some(6), Some(3)));
    let [calm, moody, new] = json["teams"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!(new["name"], "new");
    assert!(new.get("alarms").is_none(), "too little is absent and not 0: {new}");
    assert_eq!(calm["measures"].as_array().unwrap().len(), 6);
    let lead = &calm["measures"][1];
    assert_eq!(lead["measure"], "lead_time");
    // Friday, day 417, is the last day with a fact: 29 blocks of two weeks are whole.
    assert_eq!((lead["from"].as_str(), lead["to"].as_str()), (Some("2025-01-06"), Some("2026-02-16")));
    let alarms = &lead["alarms"];
    let number = |name: &str| alarms[name].as_f64().unwrap();
    assert!(number("lower") <= number("per_year") && number("per_year") <= number("upper"));
    // What is told to be raised is the same in both, and only told where it is.
    let raise = moody["measures"][1]["raise"].as_f64();
    let snippet = raise.map(|raise| {
        format!("[[raised]]\nteam = \"moody\"\nmeasure = \"lead_time\"\nthreshold = {raise:.2}\n")
    });
    assert!(snippet.is_some_and(|snippet| answer.contains(snippet.trim_end())), "{answer}");
    assert!(moody["raised"]["per_year"].as_f64() < moody["alarms"]["per_year"].as_f64());
    assert!(calm.get("raised").is_none(), "{calm}");
}

#[test]
fn what_cannot_be_tried_is_refused_with_what_mends_it() {
    let empty = TempDir::new().unwrap();
    let facts = empty.path().to_str().unwrap();
    let found = backtest(&["--facts", facts]);
    assert_eq!(found.status.code(), Some(64));
    assert!(text(&found.stderr).contains("no facts; each team is a folder"), "{}", text(&found.stderr));
    for arguments in
        [&["--facts", facts, "--permutations", "1"][..], &["--facts", facts, "--permutations", "x"], &[]]
    {
        assert_eq!(backtest(arguments).status.code(), Some(64), "{arguments:?}");
    }
}
