//! `sextant export`: the collected history, recomputed by event time, for what can import it (docs/history.md).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono_tz::Tz;
use clap::{Args, ValueEnum};

use super::{Failure, complain, runtime};
use crate::config::Config;
use crate::daemon::{self, ExportFormat};
use crate::engine::series::Instants;
use crate::model::day::{self, Day};
use crate::model::time::{Span, Timestamp};

/// Instants of one export: ten years by the hour. What is finer is no history, and larger than any disk expects.
const INSTANTS_MAX: usize = 88_000;
/// The finest step: what Prometheus scrapes at.
const STEP_MIN: Span = Span::from_seconds(15);

/// What is to be exported.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The configuration; its store is read, and may be in use.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The first instant: a date, which begins in the organisation's time zone, or an instant of RFC 3339.
    #[arg(long, value_name = "DATE")]
    from: String,
    /// The last one; history ends now.
    #[arg(long, value_name = "DATE")]
    to: String,
    /// From one instant to the next.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    step: String,
    /// What it is written as.
    #[arg(long, value_enum)]
    format: Format,
    /// Where to; standard output by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For `promtool tsdb create-blocks-from openmetrics`.
    Openmetrics,
    /// For notebooks: one value a row.
    Csv,
}

/// Writes it.
pub(super) fn run(export: &Export) -> Result<(), Failure> {
    let config = Config::load(&export.config).map_err(|errors| Failure::Usage(errors.to_string()))?;
    let clock = daemon::system_clock();
    let now = Timestamp::from(clock.now());
    let instants = instants(export, config.metrics.timezone, now).map_err(Failure::Usage)?;
    let format = match export.format {
        Format::Openmetrics => ExportFormat::OpenMetrics,
        Format::Csv => ExportFormat::Csv,
    };
    let out = out(export.out.as_deref())?;
    let told = match (instants.len(), instants.first(), instants.last()) {
        (count, Some(first), Some(last)) => format!("{count} instants from {first} to {last}"),
        (count, _, _) => format!("{count} instants"),
    };
    let exported = runtime()?.block_on(daemon::export(&config, clock, instants, format, out))?;
    complain(&format!("{} series with {} values at {told}", exported.series, exported.samples));
    Ok(())
}

fn out(path: Option<&Path>) -> Result<Box<dyn Write + Send>, anyhow::Error> {
    let Some(path) = path else {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    };
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// The instants that are asked for; why not, and how to mend it.
fn instants(export: &Export, timezone: Tz, now: Timestamp) -> Result<Instants, String> {
    let read = |name: &str, text: &str| {
        let mend = "write a date such as 2026-08-24, or an instant such as 2026-08-24T12:00:00Z";
        let at =
            day::instant(text, timezone).ok_or_else(|| format!("--{name} {text:?} is no instant: {mend}"))?;
        if Day::of(at, timezone) < Day::of(Timestamp::default(), Tz::UTC) {
            return Err(format!(
                "--{name} {text:?} lies before 1970, when nobody had anything to collect from"
            ));
        }
        Ok(at)
    };
    let (from, to) = (read("from", &export.from)?, read("to", &export.to)?.min(now));
    let step = Span::parse(&export.step).filter(|step| *step >= STEP_MIN);
    let step = step.ok_or_else(|| {
        format!("--step {:?} is no duration of at least 15s: write one such as 1h or 1d", export.step)
    })?;
    if to < from {
        return Err(format!("nothing lies between --from {from} and --to {to}, since history ends now"));
    }
    let count = Instants::count(from, to, step);
    if count > INSTANTS_MAX {
        return Err(format!(
            "{count} instants are more than {INSTANTS_MAX}: make --step longer, or the range shorter"
        ));
    }
    Ok(Instants::range(from, to, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str, step: &str) -> Result<Vec<String>, String> {
        let export = Export {
            config: PathBuf::new(),
            from: from.to_owned(),
            to: to.to_owned(),
            step: step.to_owned(),
            format: Format::Csv,
            out: None,
        };
        let now = Timestamp::parse("2026-11-22T18:00:00Z").unwrap();
        let instants = instants(&export, chrono_tz::Europe::Berlin, now)?;
        Ok(instants.iter().map(|at| at.to_string()).collect())
    }

    #[test]
    fn dates_begin_in_the_time_zone_of_the_organisation_and_history_ends_now() {
        assert_eq!(
            asked("2026-11-22", "2026-12-01", "12h").unwrap(),
            ["2026-11-21T23:00:00Z", "2026-11-22T11:00:00Z"]
        );
        assert_eq!(asked("1970-01-01", "1970-01-01", "1d").unwrap(), ["1969-12-31T23:00:00Z"]);
        let exactly = asked("2026-11-22T00:00:00+02:00", "2026-11-21T22:00:30Z", "15s").unwrap();
        assert_eq!(exactly.len(), 3);
        for (from, to, step, said) in [
            ("yesterday", "2026-11-22", "1h", "--from \"yesterday\" is no instant"),
            ("2026-11-22", "2026-13-22", "1h", "--to \"2026-13-22\" is no instant"),
            ("2026-11-22", "2026-11-21", "1h", "nothing lies between"),
            ("2026-12-22", "2026-12-24", "1h", "history ends now"),
            ("0001-01-01", "2026-11-22", "3650d", "--from \"0001-01-01\" lies before 1970"),
            ("2026-11-21", "2026-11-22", "1s", "no duration of at least 15s"),
            ("2006-11-21", "2026-11-22", "1h", "more than 88000"),
        ] {
            let error = asked(from, to, step).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
