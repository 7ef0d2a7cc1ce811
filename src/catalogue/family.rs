//! A metric with its values, in no format yet.

use std::borrow::Cow;

use super::Metric;

/// A label: name and value.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A metric with its series. Without samples it is not exposed at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Family<'a> {
    /// What it is.
    pub metric: &'static Metric,
    /// Its values; no two with the same suffix and labels.
    pub samples: Vec<Sample<'a>>,
}

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// What follows the metric's name: nothing, or a histogram's `_bucket`, `_sum`, `_count`.
    pub suffix: &'static str,
    /// Labels, in the catalogue's order.
    pub labels: Vec<Label<'a>>,
    /// The value, in the metric's unit.
    pub value: f64,
}

impl<'a> Sample<'a> {
    /// A sample whose labels are the metric's, with these values.
    pub fn new(metric: &'static Metric, values: &[&'a str], value: f64) -> Self {
        let labels = metric.labels.iter().zip(values);
        Self {
            suffix: "",
            labels: labels.map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect(),
            value,
        }
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let (_, value) = self.labels.iter().find(|(label, _)| label == name)?;
        Some(value)
    }
}
