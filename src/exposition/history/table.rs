//! Series as text, written as they come: OpenMetrics with a timestamp on every line, for what imports that, and CSV, one
//! value a row, for notebooks.

use std::io::{self, Write};

use crate::catalogue::Metric;
use crate::exposition::history::{Series, metrics};
use crate::exposition::write;

/// OpenMetrics 1.0 as `promtool tsdb create-blocks-from openmetrics` reads it: the head of a metric once, its series one
/// after the other, each in the order of time, and `# EOF` at the end.
#[derive(Debug)]
pub struct OpenMetrics<W> {
    out: W,
    metric: Option<&'static Metric>,
}

impl<W: Write> OpenMetrics<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, metric: None }
    }

    /// Adds a series; those of a metric have to come together.
    pub fn series(&mut self, series: &Series) -> io::Result<()> {
        let Series { metric, labels, points } = series;
        let mut text = String::new();
        if self.metric != Some(metric) {
            write::openmetrics_head(&mut text, metric);
            self.metric = Some(metric);
        }
        let mut named = String::new();
        write::named(&mut named, &[metric.name], labels.iter().map(|(name, value)| (*name, value.as_str())));
        for (at, value) in points {
            text.push_str(&named);
            write::number(&mut text, *value);
            text.push(' ');
            write::number(&mut text, at.seconds());
            text.push('\n');
        }
        self.out.write_all(text.as_bytes())
    }

    /// Ends the text.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"# EOF\n")?;
        self.out.flush()
    }
}

/// One value a row: the metric, a column for each label that any metric has, the instant, the value.
#[derive(Debug)]
pub struct Csv<W: Write> {
    out: csv::Writer<W>,
    labels: Vec<&'static str>,
}

impl<W: Write> Csv<W> {
    /// Writes to `out`, the names of the columns first.
    pub fn new(out: W) -> io::Result<Self> {
        let mut labels: Vec<&str> = Vec::new();
        for label in metrics().flat_map(|metric| metric.labels) {
            if !labels.contains(label) {
                labels.push(label);
            }
        }
        // The longest paths first: team, component, and then the rest as the catalogue has them.
        labels.sort_by_key(|label| !matches!(*label, "team" | "component"));
        let mut out = csv::Writer::from_writer(out);
        out.write_record(["metric"].iter().chain(&labels).chain(&["at", "value"]))?;
        Ok(Self { out, labels })
    }

    /// Adds a series.
    pub fn series(&mut self, series: &Series) -> io::Result<()> {
        let Series { metric, labels, points } = series;
        let column = |name: &&str| {
            let label = labels.iter().find(|(label, _)| label == name);
            label.map_or("", |(_, value)| value.as_str()).to_owned()
        };
        let columns: Vec<String> = self.labels.iter().map(column).collect();
        for (at, value) in points {
            let (at, mut number) = (at.to_string(), String::new());
            write::number(&mut number, *value);
            let row = [metric.name].into_iter().chain(columns.iter().map(String::as_str));
            self.out.write_record(row.chain([at.as_str(), number.as_str()]))?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
