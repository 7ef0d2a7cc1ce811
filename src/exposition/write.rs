//! The two text formats. Samples read the same in both; what stands above them does not.
//!
//! Prometheus text 0.0.4 and OpenMetrics 1.0, without timestamps: everything in a scrape is of one instant, which
//! `sextant_snapshot_timestamp_seconds` tells.

use std::fmt::Write as _;

use crate::catalogue::{Family, Kind, Metric, Sample};

/// Both formats as they grow.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    openmetrics: String,
}

impl Writer {
    /// Adds a family; without samples, nothing at all.
    pub(super) fn family(&mut self, family: &Family<'_>) {
        let Family { metric, samples } = family;
        if samples.is_empty() {
            return;
        }
        text_head(&mut self.text, metric);
        openmetrics_head(&mut self.openmetrics, metric);
        let start = self.text.len();
        for sample in samples {
            line(&mut self.text, metric, sample);
        }
        let lines = self.text.get(start..).unwrap_or_default();
        self.openmetrics.push_str(lines);
    }

    /// The finished text and OpenMetrics.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.openmetrics.push_str("# EOF\n");
        (self.text.into_bytes(), self.openmetrics.into_bytes())
    }
}

fn text_head(out: &mut String, metric: &Metric) {
    push(out, &["# HELP ", metric.name, " "]);
    escape(out, metric.help, Quotes::Plain);
    push(out, &["\n# TYPE ", metric.name, " ", metric.kind.as_str(), "\n"]);
}

/// What stands above a family in OpenMetrics.
pub(super) fn openmetrics_head(out: &mut String, metric: &Metric) {
    let name = match metric.kind {
        Kind::Counter => metric.name.strip_suffix("_total").unwrap_or(metric.name),
        Kind::Gauge | Kind::Histogram => metric.name,
    };
    push(out, &["# TYPE ", name, " ", metric.kind.as_str(), "\n"]);
    if let Some(unit) = metric.unit.as_str() {
        push(out, &["# UNIT ", name, " ", unit, "\n"]);
    }
    push(out, &["# HELP ", name, " "]);
    escape(out, metric.help, Quotes::Escaped);
    out.push('\n');
}

fn line(out: &mut String, metric: &Metric, sample: &Sample<'_>) {
    let Sample { suffix, labels, value } = sample;
    let labels = labels.iter().map(|(name, value)| (&**name, &**value));
    named(out, &[metric.name, suffix], labels);
    number(out, *value);
    out.push('\n');
}

/// A series' name and labels, and the blank before its value.
pub(super) fn named<'a>(out: &mut String, name: &[&str], labels: impl Iterator<Item = (&'a str, &'a str)>) {
    push(out, name);
    let mut bracket = '{';
    for (name, value) in labels {
        out.push(bracket);
        bracket = ',';
        push(out, &[name, "=\""]);
        escape(out, value, Quotes::Escaped);
        out.push('"');
    }
    out.push_str(if bracket == ',' { "} " } else { " " });
}

fn push(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

/// Whether quotes have a meaning where a text stands: not in the HELP of text 0.0.4.
#[derive(Clone, Copy)]
enum Quotes {
    Plain,
    Escaped,
}

fn escape(out: &mut String, text: &str, quotes: Quotes) {
    for c in text.chars() {
        match (c, quotes) {
            ('\\', _) => out.push_str("\\\\"),
            ('\n', _) => out.push_str("\\n"),
            ('"', Quotes::Escaped) => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

/// A value or an instant in seconds.
pub(super) fn number(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        // Writing to a String cannot fail; if it did, the line would show it.
        out.write_fmt(format_args!("{value}")).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1_764_000_000.25, "1764000000.25"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut out = String::new();
            number(&mut out, value);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn quotes_backslashes_and_line_ends_are_escaped() {
        for (quotes, expected) in [(Quotes::Escaped, r#"a\\b\"c\"\nd é"#), (Quotes::Plain, r#"a\\b"c"\nd é"#)]
        {
            let mut out = String::new();
            escape(&mut out, "a\\b\"c\"\nd é", quotes);
            assert_eq!(out, expected);
        }
    }
}
