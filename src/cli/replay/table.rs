//! A CSV file with a header, read so that every mistake is told with its line and how to mend it.

use std::fmt::Write as _;
use std::path::Path;

use chrono::NaiveDate;
use csv::StringRecord;

use crate::model::day::Day;
use crate::model::time::Timestamp;

/// How many mistakes are told; the rest is counted.
const TOLD_MAX: usize = 20;
/// How large a file may be: twenty million deployments, so that a wrong folder is told and not read for an hour.
const BYTES_MAX: u64 = 1 << 31;

/// What is wrong with the facts.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    told: Vec<String>,
    untold: usize,
}

impl Mistakes {
    pub(super) fn add(&mut self, mistake: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(mistake);
        } else {
            self.untold += 1;
        }
    }

    /// All of them as text, if there are any.
    pub(super) fn into_text(self) -> Option<String> {
        let mut text = self.told.join("\n");
        if self.untold > 0 {
            // Writing to a string cannot fail.
            write!(text, "\nand {} more", self.untold).ok()?;
        }
        (!text.is_empty()).then_some(text)
    }
}

/// One line of a file.
pub(super) struct Row<'t> {
    place: String,
    columns: &'t [&'static str],
    values: Vec<String>,
}

impl Row<'_> {
    /// The value of a column, which the table was asked to have.
    pub(super) fn text(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| *name == column);
        place.and_then(|place| self.values.get(place)).map_or("", String::as_str)
    }

    /// Notes what is wrong with a value.
    pub(super) fn wrong(&self, column: &str, mend: &str) -> String {
        format!("{}: {column} is `{}`; {mend}", self.place, self.text(column))
    }

    /// `2026-11-22T17:00:00Z`.
    pub(super) fn time(&self, column: &str) -> Result<Timestamp, String> {
        let found = Timestamp::parse(self.text(column));
        found.ok_or_else(|| self.wrong(column, "write an RFC 3339 time, as 2026-11-22T17:00:00Z"))
    }

    /// The same, or nothing.
    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, String> {
        if self.text(column).is_empty() { Ok(None) } else { self.time(column).map(Some) }
    }

    /// `2026-11-22`.
    pub(super) fn day(&self, column: &str) -> Result<Day, String> {
        let found = NaiveDate::parse_from_str(self.text(column), "%Y-%m-%d");
        found.map(Day::from).map_err(|_| self.wrong(column, "write a date, as 2026-11-22"))
    }

    /// `0` or `1`.
    pub(super) fn flag(&self, column: &str) -> Result<bool, String> {
        match self.text(column) {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(self.wrong(column, "write 0 or 1")),
        }
    }

    /// A factor between 0 and 1.
    pub(super) fn factor(&self, column: &str) -> Result<f64, String> {
        let found = self.text(column).parse::<f64>().ok().filter(|factor| (0.0..=1.0).contains(factor));
        found.ok_or_else(|| self.wrong(column, "write a number from 0 to 1, as 0.75"))
    }
}

/// Reads each line of a file with at least these columns, in any order. A file that is not there has none.
pub(super) fn each_row(
    path: &Path,
    columns: &'static [&'static str],
    mistakes: &mut Mistakes,
    mut read: impl FnMut(&Row<'_>) -> Result<(), String>,
) {
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Ok(found) if found.len() > BYTES_MAX => {
            return mistakes
                .add(format!("{}: is larger than {BYTES_MAX} bytes; split its team", path.display()));
        }
        Ok(_) | Err(_) => {}
    }
    // Lines that are too short or too long are told with their place below.
    let opened = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_path(path);
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => return mistakes.add(format!("{}: cannot be read: {error}", path.display())),
    };
    let places = match reader.headers().map(|header| places(header, columns)) {
        Ok(Ok(places)) => places,
        Ok(Err(missing)) => {
            let all = columns.join(",");
            return mistakes
                .add(format!("{}:1: has no column {missing}; begin the file with {all}", path.display()));
        }
        Err(error) => return mistakes.add(format!("{}:1: cannot be read: {error}", path.display())),
    };
    let width = reader.headers().map_or(0, StringRecord::len);
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            // What follows an unreadable line is not to be trusted either.
            Err(error) => return mistakes.add(format!("{}: cannot be read: {error}", path.display())),
        };
        let line = record.position().map_or(0, csv::Position::line);
        let place = format!("{}:{line}", path.display());
        if record.len() != width {
            mistakes.add(format!("{place}: has {} values; write {width}, as the header has", record.len()));
            continue;
        }
        let values = places.iter().map(|place| record.get(*place).unwrap_or_default().to_owned()).collect();
        if let Err(mistake) = read(&Row { place, columns, values }) {
            mistakes.add(mistake);
        }
    }
}

/// Where the columns stand, or the first that is missing.
fn places(header: &StringRecord, columns: &[&'static str]) -> Result<Vec<usize>, &'static str> {
    let place = |column: &&'static str| header.iter().position(|name| name == *column).ok_or(*column);
    columns.iter().map(place).collect()
}
