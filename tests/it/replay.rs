//! `sextant replay`: facts in, states out, the same bytes each time; what is wrong with the facts is told by line.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use chrono::{Days, NaiveDate};
use tempfile::TempDir;

const DEPLOYMENTS: &str = "id,team,component,started_at,finished_at,status,unplanned,failed,recovered_at";
const BEGIN: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();

fn replay(facts: &Path, out: &Path) -> (Option<i32>, String) {
    let binary = env!("CARGO_BIN_EXE_sextant");
    let output = Command::new(binary).arg("replay").arg("--facts").arg(facts).arg("--out").arg(out).output();
    let output = output.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn write(folder: &TempDir, file: &str, text: &str) {
    let path = folder.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Three deployments a working day, each with a change of `hours(day)` hours; a tenth of them fails.
fn team(folder: &TempDir, name: &str, days: u64, hours: impl Fn(u64) -> u64) {
    let mut deployments = format!("{DEPLOYMENTS}\n");
    let mut changes = "id,deployment_id,first_commit_at\n".to_owned();
    for day in (0..days).filter(|day| day % 7 < 5) {
        for number in 0..3 {
            let id = format!("{day}-{number}");
            let at =
                (BEGIN + Days::new(day)).and_hms_opt(12, u32::try_from(day % 50).unwrap(), number).unwrap();
            let failed = u32::from((day + u64::from(number) * 3) % 10 == 0);
            let recovered = if failed == 1 {
                format!("{}Z", (at + chrono::Duration::hours(2)).format("%FT%T"))
            } else {
                String::new()
            };
            let at_text = at.format("%FT%TZ");
            writeln!(deployments, "{id},{name},c,{at_text},{at_text},success,0,{failed},{recovered}")
                .unwrap();
            let hours = hours(day) + (day * 7 + u64::from(number) * 5) % 11;
            let first = at - chrono::Duration::hours(i64::try_from(hours).unwrap());
            writeln!(changes, "c{id},{id},{}", first.format("%FT%TZ")).unwrap();
        }
    }
    write(folder, &format!("{name}/deployments.csv"), &deployments);
    write(folder, &format!("{name}/changes.csv"), &changes);
}

/// The rows of one team and metric, as their fields.
fn rows(text: &str, team: &str, metric: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|fields| fields[0] == team && fields[1] == metric).collect()
}

#[test]
fn every_team_measure_and_day_has_a_state_and_the_same_facts_give_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let out = TempDir::new().unwrap();
    team(&folder, "steady", 280, |_| 10);
    team(&folder, "slower", 280, |day| if day < 210 { 10 } else { 40 });
    let (first, second) = (out.path().join("1.csv"), out.path().join("2.csv"));
    let (code, progress) = replay(folder.path(), &first);
    assert_eq!(code, Some(0), "{progress}");
    assert!(progress.contains("2 of 2: steady, 279 days"), "{progress}");
    assert_eq!(replay(folder.path(), &second).0, Some(0));
    let text = std::fs::read_to_string(&first).unwrap();
    assert_eq!(text, std::fs::read_to_string(&second).unwrap());

    assert_eq!(text.lines().next(), Some("team,metric,date,state,score,value,lower,upper,n"));
    // The last fact is on the Friday of the fortieth week; the look after it is the first that sees it.
    assert_eq!(text.lines().count(), 1 + 2 * 6 * 279);
    for metric in [
        "deployment_frequency",
        "lead_time",
        "change_fail_rate",
        "incident_rate",
        "recovery_time",
        "rework_rate",
    ] {
        let rows = rows(&text, "steady", metric);
        assert_eq!(rows.len(), 279, "{metric}");
        let early = rows.iter().take(112).all(|row| row[3] == "insufficient");
        assert!(early, "{metric} speaks before it has a history");
        assert!(rows.iter().skip(112).all(|row| row[3] == "ok"), "{metric}: {:?}", rows[112]);
    }
    let last = rows(&text, "steady", "deployment_frequency").pop().unwrap();
    assert_eq!(last[5], format!("{:.6}", 60.0 / 28.0));
    let (lower, upper) = (last[6].parse::<f64>().unwrap(), last[7].parse::<f64>().unwrap());
    assert!(lower < 60.0 / 28.0 && 60.0 / 28.0 < upper && last[8] == "60", "{last:?}");

    let slower = rows(&text, "slower", "lead_time");
    assert_eq!(slower[209][3], "ok");
    assert_eq!(slower.last().unwrap()[3], "regressed");
}

#[test]
fn what_is_wrong_is_told_by_line_all_at_once_and_with_what_mends_it() {
    let folder = TempDir::new().unwrap();
    let deployment = "d1,web,c,2026-01-05T10:00:00Z,2026-01-05T10:10:00Z,success,0,0,";
    write(
        &folder,
        "web/deployments.csv",
        &format!(
            "{DEPLOYMENTS}\n{deployment}\n{deployment}\nd2,web,c,,yesterday,success,0,0,\nd3,web,c,,2026-01-06T10:00:00Z,success,maybe,0,\nd4,web\n"
        ),
    );
    write(&folder, "web/changes.csv", "id,deployment_id,first_commit_at\nc1,d9,2026-01-05T08:00:00Z\n");
    write(&folder, "web/incidents.csv", "id,opened_at\ni1,2026-01-05T08:00:00Z\n");
    write(
        &folder,
        "web/quiet_periods.csv",
        "from,to,factor\n2026-08-31,2026-08-01,0.5\n2026-08-01,2026-08-02,7\n",
    );
    let out = folder.path().join("states.csv");
    let (code, told) = replay(folder.path(), &out);
    assert_eq!(code, Some(64), "{told}");
    assert!(!out.exists(), "nothing is written of wrong facts");
    for expected in [
        "web/deployments.csv:3: id is `d1`; write each deployment once",
        "web/deployments.csv:4: finished_at is `yesterday`; write an RFC 3339 time",
        "web/deployments.csv:5: unplanned is `maybe`; write 0 or 1",
        "web/deployments.csv:6: has 2 values; write 9, as the header has",
        "web/changes.csv:2: deployment_id is `d9`; name a deployment of deployments.csv",
        "web/incidents.csv:1: has no column team; begin the file with id,team,opened_at",
        "web/quiet_periods.csv:2: to is `2026-08-01`; end it on or after",
        "web/quiet_periods.csv:3: factor is `7`; write a number from 0 to 1",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in\n{told}");
    }
    let (code, told) = replay(&folder.path().join("nowhere"), &out);
    assert_eq!(code, Some(64));
    assert!(told.contains("name a folder with a folder for each team"), "{told}");
    let empty = TempDir::new().unwrap();
    let (code, told) = replay(empty.path(), &out);
    assert!(code == Some(64) && told.contains("no facts"), "{told}");
}

#[test]
fn a_fact_that_is_half_a_century_from_the_others_is_named_and_nothing_is_computed() {
    let folder = TempDir::new().unwrap();
    let deployment = |id: &str, at: &str| format!("{id},web,c,,{at},success,0,0,\n");
    let days = (1..9).map(|day| deployment(&format!("d{day}"), &format!("2026-01-0{day}T10:00:00Z")));
    let days: String = days.collect();
    let mistyped = deployment("old", "0001-01-01T00:00:00Z");
    write(&folder, "web/deployments.csv", &format!("{DEPLOYMENTS}\n{days}{mistyped}"));
    let incident = "i1,core,9999-12-31T23:59:59Z,,\ni2,core,2026-01-05T08:00:00Z,,\n";
    write(&folder, "core/incidents.csv", &format!("id,team,opened_at,resolved_at,deployment_id\n{incident}"));
    write(&folder, "core/coverage.csv", "date,source,complete\n+20260-01-05,github,1\n");
    let out = folder.path().join("states.csv");
    let (code, told) = replay(folder.path(), &out);
    assert_eq!(code, Some(64), "{told}");
    for expected in [
        "web/deployments.csv:10: finished_at is `0001-01-01T00:00:00Z`; keep all facts within 50 years",
        "core/incidents.csv:2: opened_at is `9999-12-31T23:59:59Z`; keep all facts within 50 years",
        "core/coverage.csv:2: date is `+20260-01-05`; keep all facts within 50 years",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in\n{told}");
    }
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(!out.exists());
}

#[test]
fn attempts_that_did_not_succeed_and_changes_without_a_deployment_are_no_facts_about_deployments() {
    let folder = TempDir::new().unwrap();
    let rows = "d1,web,c,,2026-01-05T10:10:00Z,success,0,0,\nd2,web,c,,,failure,,,\n";
    write(&folder, "web/deployments.csv", &format!("{DEPLOYMENTS}\n{rows}"));
    let changes = "c1,d1,2026-01-05T08:10:00Z\nc2,d2,2026-01-05T08:00:00Z\nc3,,2026-01-05T08:00:00Z\n";
    write(&folder, "web/changes.csv", &format!("id,deployment_id,first_commit_at\n{changes}"));
    let out = folder.path().join("states.csv");
    let (code, told) = replay(folder.path(), &out);
    assert_eq!(code, Some(0), "{told}");
    let text = std::fs::read_to_string(out).unwrap();
    let lead = rows_of_last_day(&text, "lead_time");
    assert_eq!(lead, "web,lead_time,2026-01-06,insufficient,,2.000000,,,1");
    let frequency = rows_of_last_day(&text, "deployment_frequency");
    assert_eq!(frequency, "web,deployment_frequency,2026-01-06,insufficient,,0.035714,,,1");
}

fn rows_of_last_day(text: &str, metric: &str) -> String {
    rows(text, "web", metric).pop().unwrap().join(",")
}
