//! `sextant export`: history from the store, read beside a daemon that may be running.

use std::io::{self, Write};

use anyhow::Context as _;

use crate::clock::SharedClock;
use crate::config::{Config, Store};
use crate::engine::series::{Instants, Past};
use crate::exposition::history::{self, Csv, OpenMetrics, Series, Wanted};
use crate::recompute::Recompute;
use crate::store::sqlite::SqliteStore;

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
    let past = past(config, clock).await?;
    let written = tokio::task::spawn_blocking(move || write(&past, &instants, format, out)).await?;
    match written {
        // Whoever reads a pipe may have read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exported::default()),
        written => written.context("cannot write what was asked for"),
    }
}

/// Everything that the store holds, as the configuration reads it.
async fn past(config: &Config, clock: SharedClock) -> anyhow::Result<Past> {
    let Store::Sqlite(path) = &config.store;
    let store = SqliteStore::open_to_read(path).await?;
    let (settings, rules) = (config.metrics.clone(), config.ownership.clone());
    let recompute = Recompute::load(store, clock, settings, rules).await?;
    Ok(recompute.past())
}

fn write(past: &Past, instants: &Instants, format: ExportFormat, out: impl Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let wanted = Wanted { instants, metric: &|_| true, label: &|_, _| true };
    let mut counted = |series: &Series| {
        exported.series += 1;
        exported.samples += series.points.len();
    };
    match format {
        ExportFormat::OpenMetrics => {
            let mut text = OpenMetrics::new(out);
            history::each(past, &wanted, |series| {
                counted(&series);
                text.series(&series)
            })?;
            text.finish()?;
        }
        ExportFormat::Csv => {
            let mut table = Csv::new(out)?;
            history::each(past, &wanted, |series| {
                counted(&series);
                table.series(&series)
            })?;
            table.finish()?;
        }
    }
    Ok(exported)
}
