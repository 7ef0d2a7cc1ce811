//! The facts of `replay`: a folder for each team, with CSV files of which each may be missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::table::{Mistakes, Row, each_row};
use crate::engine::exposure::{Calendar, QuietPeriod};
use crate::engine::regression::series::{Deployed, Failed, TeamSeries};
use crate::model::day::Day;
use crate::model::time::Timestamp;

/// A longer history is a year that was mistyped: nobody has deployed for as long, and each of its days would be looked on.
const YEARS_MAX: i64 = 50;
const DAYS_OF_YEAR: i64 = 366;

/// The days of facts, each with what is said of its first fact if that is too far from all others.
type Days = BTreeMap<Day, String>;

/// Notes the day of a fact that stands in a column of a row.
fn note(days: &mut Days, day: Day, row: &Row<'_>, column: &str) {
    days.entry(day).or_insert_with(|| {
        row.wrong(
            column,
            &format!("keep all facts within {YEARS_MAX} years, and this is far from the others"),
        )
    });
}

/// One team, as its folder has it.
#[derive(Debug)]
pub(in crate::cli) struct TeamFacts {
    pub(in crate::cli) name: String,
    pub(in crate::cli) series: TeamSeries,
    pub(in crate::cli) calendar: Calendar,
    /// From its first fact until the day after its last one; none without facts.
    pub(in crate::cli) days: Option<Range<Day>>,
}

/// All teams, by name; or everything that is wrong with them.
pub(in crate::cli) fn read(folder: &Path) -> Result<Vec<TeamFacts>, String> {
    let mut mistakes = Mistakes::default();
    let folders = folders(folder)?;
    let teams = folders.into_iter().map(|(name, path)| team(name, &path, &mut mistakes));
    let (teams, days): (Vec<_>, Vec<_>) = teams.unzip();
    far_off(&days, &mut mistakes);
    match mistakes.into_text() {
        Some(text) => Err(text),
        None => Ok(teams),
    }
}

/// Names the days that are far from the middle one, if all of them are too many years.
fn far_off(days: &[Days], mistakes: &mut Mistakes) {
    let mut all: Vec<_> = days.iter().flatten().collect();
    all.sort();
    let days_max = YEARS_MAX * DAYS_OF_YEAR;
    let (Some((first, _)), Some((middle, _)), Some((last, _))) =
        (all.first(), all.get(all.len() / 2), all.last())
    else {
        return;
    };
    if last.since(**first) > days_max {
        let is_far = |(day, _): &&(&Day, &String)| day.since(**middle).abs() > days_max / 2;
        all.iter().filter(is_far).for_each(|(_, text)| mistakes.add((*text).clone()));
    }
}

fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let wrong = |error: std::io::Error| {
        format!("{}: cannot be read: {error}; name a folder with a folder for each team", folder.display())
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| format!("{}: rename it; not UTF-8", path.display()))?;
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

fn team(name: String, folder: &Path, mistakes: &mut Mistakes) -> (TeamFacts, Days) {
    let mut noted = Days::new();
    let deployments = deployments(folder, &mut noted, mistakes);
    let incidents = incidents(folder, &mut noted, mistakes);
    let blind = coverage(folder, &mut noted, mistakes);
    let ends = noted.keys().next().zip(noted.keys().next_back());
    let days = ends.map(|(first, last)| *first..last.plus(1));
    let since = days.as_ref().map_or(Day::of(Timestamp::default(), Tz::UTC), |days| days.start);
    let series = TeamSeries { since, deployments, incidents, blind };
    (TeamFacts { name, series, calendar: calendar(folder, mistakes), days }, noted)
}

fn deployments(folder: &Path, days: &mut Days, mistakes: &mut Mistakes) -> Vec<Deployed> {
    const COLUMNS: &[&str] = &[
        "id",
        "team",
        "component",
        "started_at",
        "finished_at",
        "status",
        "unplanned",
        "failed",
        "recovered_at",
    ];
    let mut deployments = Vec::new();
    // Where each deployment is; attempts that did not succeed are known and are no deployments.
    let mut places: HashMap<String, Option<usize>> = HashMap::new();
    each_row(&folder.join("deployments.csv"), COLUMNS, mistakes, |row| {
        let id = row.text("id");
        if places.contains_key(id) {
            return Err(row.wrong("id", "write each deployment once"));
        }
        if row.text("status") != "success" {
            places.insert(id.to_owned(), None);
            return Ok(());
        }
        let at = row.time("finished_at")?;
        let recovered_at = row.time_or_none("recovered_at")?;
        let failure = row.flag("failed")?.then_some(Failed { started_at: at, known_at: at, recovered_at });
        note(days, Day::of(at, Tz::UTC), row, "finished_at");
        places.insert(id.to_owned(), Some(deployments.len()));
        deployments.push(Deployed { at, lead_times: Vec::new(), unplanned: row.flag("unplanned")?, failure });
        Ok(())
    });
    each_row(&folder.join("changes.csv"), &["id", "deployment_id", "first_commit_at"], mistakes, |row| {
        let deployment = row.text("deployment_id");
        // A change that is not deployed yet has no lead time.
        if deployment.is_empty() {
            return Ok(());
        }
        let Some(place) = places.get(deployment) else {
            return Err(row.wrong("deployment_id", "name a deployment of deployments.csv, or leave it empty"));
        };
        let first_commit_at = row.time("first_commit_at")?;
        if let Some(deployed) = place.and_then(|place| deployments.get_mut(place)) {
            deployed.lead_times.push(deployed.at.since(first_commit_at));
        }
        Ok(())
    });
    deployments
}

fn incidents(folder: &Path, days: &mut Days, mistakes: &mut Mistakes) -> Vec<Timestamp> {
    const COLUMNS: &[&str] = &["id", "team", "opened_at", "resolved_at", "deployment_id"];
    let mut incidents = Vec::new();
    each_row(&folder.join("incidents.csv"), COLUMNS, mistakes, |row| {
        row.time_or_none("resolved_at")?;
        let at = row.time("opened_at")?;
        note(days, Day::of(at, Tz::UTC), row, "opened_at");
        incidents.push(at);
        Ok(())
    });
    incidents
}

/// The days on which any source was blind: half of a day's facts would be compared with whole ones. All days that it
/// speaks of belong to the team's history.
fn coverage(folder: &Path, days: &mut Days, mistakes: &mut Mistakes) -> BTreeSet<Day> {
    let mut blind = BTreeSet::new();
    each_row(&folder.join("coverage.csv"), &["date", "source", "complete"], mistakes, |row| {
        let day = row.day("date")?;
        note(days, day, row, "date");
        if !row.flag("complete")? {
            blind.insert(day);
        }
        Ok(())
    });
    blind
}

fn calendar(folder: &Path, mistakes: &mut Mistakes) -> Calendar {
    let mut calendar = Calendar::default();
    each_row(&folder.join("calendar.csv"), &["date", "kind"], mistakes, |row| {
        calendar.closed.insert(row.day("date")?);
        Ok(())
    });
    each_row(&folder.join("quiet_periods.csv"), &["from", "to", "factor"], mistakes, |row| {
        let (from, to, factor) = (row.day("from")?, row.day("to")?, row.factor("factor")?);
        if to < from {
            return Err(row.wrong("to", "end it on or after the day on which it begins"));
        }
        calendar.quiet.push(QuietPeriod { from, to, factor });
        Ok(())
    });
    calendar
}
