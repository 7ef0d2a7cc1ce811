//! `sextant export`: history from the store, read beside a daemon that may be running.

use std::io::{self, Write};

use anyhow::Context as _;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::engine::series::Instants;
use crate::exposition::history::{self, Csv, Known, OpenMetrics, Series, Wanted};

/// What history is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// For `promtool tsdb create-blocks-from openmetrics`, and what else reads OpenMetrics.
    OpenMetrics,
    /// For notebooks.
    Csv,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Series.
    pub series: usize,
    /// Values of them.
    pub samples: usize,
}

/// Writes the history of all metrics at the given instants. The store is only read.
pub async fn export(
    config: &Config,
    clock: SharedClock,
    instants: Instants,
    format: ExportFormat,
    out: impl Write + Send + 'static,
) -> anyhow::Result<Exported> {
    let looked = super::look(config, &clock).await?;
    let looked =
        looked.context("there is no store yet: `sextant run` makes it, and collects what it holds")?;
    let written = tokio::task::spawn_blocking(move || {
        let known = Known { past: &looked.past, tracker: &looked.tracker };
        write(known, &instants, format, out)
    });
    let written = written.await?;
    match written {
        // Whoever reads a pipe may have read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exported::default()),
        written => written.context("cannot write what was asked for"),
    }
}

fn write(
    known: Known<'_>,
    instants: &Instants,
    format: ExportFormat,
    out: impl Write,
) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let wanted = Wanted { instants, metric: &|_| true, label: &|_, _| true };
    let mut counted = |series: &Series| {
        exported.series += 1;
        exported.samples += series.points.len();
    };
    match format {
        ExportFormat::OpenMetrics => {
            let mut text = OpenMetrics::new(out);
            history::each(known, &wanted, |series| {
                counted(&series);
                text.series(&series)
            })?;
            text.finish()?;
        }
        ExportFormat::Csv => {
            let mut table = Csv::new(out)?;
            history::each(known, &wanted, |series| {
                counted(&series);
                table.series(&series)
            })?;
            table.finish()?;
        }
    }
    Ok(exported)
}
