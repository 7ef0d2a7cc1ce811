//! A panel: what it asks, how it shows it, and what it says when there is nothing.

use serde_json::{Map, Value, json};
use sextant::catalogue::{Metric, Unit};

use super::query::{Query, metric};
use super::words::with;

/// How a panel shows what it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Numbers, one below the other.
    Stat,
    /// Lines over time.
    Trend,
    /// Areas over time that add up.
    Stack,
    /// Horizontal bars.
    Bars,
    /// A table of labels and values.
    Table,
}

impl Kind {
    const fn plugin(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Trend | Self::Stack => "timeseries",
            Self::Bars => "bargauge",
            Self::Table => "table",
        }
    }
}

#[derive(Debug, Clone)]
struct Target {
    reference: String,
    query: Query,
    legend: String,
}

/// A panel of a board.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    kind: Kind,
    title: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    note: String,
    nothing: String,
    unit: Option<&'static str>,
    targets: Vec<Target>,
    defaults: Map<String, Value>,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
    /// History may be an hour apart: no finer steps than that.
    is_coarse: bool,
    /// From one step of its axis to the next the value doubles.
    is_doubling: bool,
}

impl Panel {
    fn new(kind: Kind, title: &str, width: u32, height: u32) -> Self {
        Self {
            kind,
            title: title.to_owned(),
            width,
            height,
            note: String::new(),
            nothing: String::new(),
            unit: None,
            targets: Vec::new(),
            defaults: Map::new(),
            overrides: Vec::new(),
            transformations: Vec::new(),
            is_coarse: false,
            is_doubling: false,
        }
    }

    pub(crate) fn stat(title: &str, width: u32, height: u32) -> Self {
        Self::new(Kind::Stat, title, width, height)
    }

    /// Lines over the collected history.
    pub(crate) fn trend(title: &str, width: u32, height: u32) -> Self {
        Self { is_coarse: true, ..Self::new(Kind::Trend, title, width, height) }
    }

    /// Areas that add up, over the collected history.
    pub(crate) fn stack(title: &str, width: u32, height: u32) -> Self {
        Self { is_coarse: true, ..Self::new(Kind::Stack, title, width, height) }
    }

    /// Lines over what this Prometheus scraped itself.
    pub(crate) fn live(title: &str, width: u32, height: u32) -> Self {
        Self::new(Kind::Trend, title, width, height)
    }

    pub(crate) fn bars(title: &str, width: u32, height: u32) -> Self {
        Self::new(Kind::Bars, title, width, height)
    }

    pub(crate) fn table(title: &str, width: u32, height: u32) -> Self {
        Self::new(Kind::Table, title, width, height)
    }

    /// Asks this; the legend may name labels as `{{team}}`. Left out until its metrics exist.
    pub(crate) fn ask(mut self, query: Query, legend: &str) -> Self {
        let reference = format!("{}", self.targets.len());
        self.targets.push(Target { reference, query, legend: legend.to_owned() });
        self
    }

    /// What to read it for, before what the catalogue says of its metrics.
    pub(crate) fn note(self, note: &str) -> Self {
        Self { note: note.to_owned(), ..self }
    }

    /// Why there may be nothing.
    pub(crate) fn nothing(self, why: &str) -> Self {
        Self { nothing: why.to_owned(), ..self }
    }

    /// Another unit than the one of its first metric.
    pub(crate) fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// Values that differ by orders of magnitude can be read beside each other.
    pub(crate) fn doubling(self) -> Self {
        Self { is_doubling: true, ..self }
    }

    /// A setting of every field.
    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        self.defaults.insert(key.to_owned(), value);
        self
    }

    /// Settings of one field, by its name.
    pub(crate) fn field(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> =
            properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides
            .push(json!({ "matcher": { "id": "byName", "options": name }, "properties": properties }));
        self
    }

    pub(crate) fn transform(mut self, id: &str, options: &Value) -> Self {
        self.transformations.push(json!({ "id": id, "options": options }));
        self
    }

    /// A table of the answers side by side, a column each, in alphabetical order of a label; the columns are the
    /// legends. Labels are columns, too, with a heading each. What is left out is named as a label or as a legend.
    pub(crate) fn side_by_side(self, sorted_by: &str, labels: &[(&str, &str)], left_out: &[&str]) -> Self {
        let (mut renamed, mut order, mut excluded) = (Map::new(), Map::new(), Map::new());
        for name in left_out.iter().chain(&["Time"]) {
            excluded.insert((*name).to_owned(), json!(true));
        }
        for (index, (label, heading)) in labels.iter().enumerate() {
            renamed.insert((*label).to_owned(), json!(heading));
            order.insert((*label).to_owned(), json!(index));
        }
        let possible: Vec<_> = self.targets.iter().filter(|target| target.query.is_known()).collect();
        for (index, target) in possible.iter().enumerate() {
            let column = match possible.len() {
                1 => "Value".to_owned(),
                _ => format!("Value #{}", target.reference),
            };
            renamed.insert(column.clone(), json!(target.legend));
            order.insert(column.clone(), json!(labels.len() + index));
            if left_out.contains(&target.legend.as_str()) {
                excluded.insert(column, json!(true));
            }
        }
        self.transform("merge", &json!({}))
            .transform("sortBy", &json!({ "sort": [{ "field": sorted_by }] }))
            .transform(
                "organize",
                &json!({ "excludeByName": excluded, "indexByName": order, "renameByName": renamed }),
            )
    }

    /// Without what asks for metrics that do not exist; `None` if nothing is left.
    pub(crate) fn possible(mut self) -> Option<Self> {
        self.targets.retain(|target| target.query.is_known());
        (!self.targets.is_empty()).then_some(self)
    }

    /// The metrics that it reads, each once.
    fn metrics(&self) -> Vec<&'static Metric> {
        let mut found: Vec<&'static Metric> = Vec::new();
        for known in self.names().filter_map(metric) {
            if !found.contains(&known) {
                found.push(known);
            }
        }
        found
    }

    /// The names of the metrics that it would read if all of them existed.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().flat_map(|target| target.query.metrics.iter().map(String::as_str))
    }

    /// The panel at a place.
    pub(crate) fn json(&self, id: usize, x: u32, y: u32) -> Value {
        let metrics = self.metrics();
        let helps = metrics.iter().map(|metric| format!("`{}`: {}", metric.name, metric.help));
        let note = Some(self.note.clone()).filter(|note| !note.is_empty());
        let description: Vec<_> = note.into_iter().chain(helps).collect();
        let panel = json!({
            "id": id,
            "type": self.kind.plugin(),
            "title": self.title,
            "description": description.join("\n\n"),
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "targets": self.targets.iter().map(|target| self.target(target)).collect::<Vec<_>>(),
            "transformations": self.transformations,
            "fieldConfig": { "defaults": self.field_defaults(&metrics), "overrides": self.overrides },
            "options": self.options(),
        });
        if self.is_coarse { with(panel, json!({ "interval": "1h" })) } else { panel }
    }

    fn is_over_time(&self) -> bool {
        matches!(self.kind, Kind::Trend | Kind::Stack)
    }

    fn target(&self, target: &Target) -> Value {
        json!({
            "datasource": datasource(),
            "editorMode": "code",
            "refId": target.reference,
            "expr": target.query.promql,
            "legendFormat": target.legend,
            "format": if self.kind == Kind::Table { "table" } else { "time_series" },
            "instant": !self.is_over_time(),
            "range": self.is_over_time(),
        })
    }

    fn field_defaults(&self, metrics: &[&Metric]) -> Value {
        let unit = self.unit.or_else(|| metrics.first().map(|metric| unit(metric)));
        let base = if self.kind == Kind::Bars { "blue" } else { "text" };
        let defaults = json!({
            "unit": unit,
            "noValue": self.no_value(),
            "mappings": [],
            "links": [],
            "color": { "mode": if self.is_over_time() { "palette-classic" } else { "thresholds" } },
            "thresholds": { "mode": "absolute", "steps": [{ "color": base, "value": null }] },
            "custom": self.custom(),
        });
        with(defaults, Value::Object(self.defaults.clone()))
    }

    /// Why there is nothing: of the past, most often because this Prometheus does not have it.
    fn no_value(&self) -> String {
        if self.is_coarse {
            format!("No sample on a full hour of the time range. {} within it", self.nothing)
        } else {
            self.nothing.clone()
        }
    }

    fn custom(&self) -> Value {
        match self.kind {
            Kind::Stat | Kind::Bars => json!({}),
            Kind::Table => {
                json!({ "align": "auto", "cellOptions": { "type": "auto" }, "minWidth": 70, "filterable": false, "inspect": false })
            }
            Kind::Trend | Kind::Stack => {
                let is_stacked = self.kind == Kind::Stack;
                json!({
                    "drawStyle": "line",
                    "lineInterpolation": "stepAfter",
                    // A line would be there, too, where there is nothing to stack.
                    "lineWidth": if is_stacked { 0 } else { 2 },
                    "fillOpacity": if is_stacked { 70 } else { 0 },
                    "stacking": { "mode": if is_stacked { "normal" } else { "none" }, "group": "A" },
                    "showPoints": "auto",
                    "pointSize": 4,
                    "spanNulls": 10_800_000,
                    "axisPlacement": "auto",
                    "axisSoftMin": if self.is_doubling { Value::Null } else { json!(0) },
                    "scaleDistribution": if self.is_doubling { json!({ "type": "log", "log": 2 }) } else { json!({ "type": "linear" }) },
                    "hideFrom": { "legend": false, "tooltip": false, "viz": false },
                })
            }
        }
    }

    fn options(&self) -> Value {
        let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            Kind::Stat => json!({
                "reduceOptions": reduce,
                "orientation": "horizontal",
                "textMode": "auto",
                "colorMode": "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "text": { "titleSize": 13, "valueSize": if self.targets.len() > 1 { 18 } else { 20 } },
            }),
            Kind::Bars => json!({
                "reduceOptions": reduce,
                "orientation": "horizontal",
                "displayMode": "basic",
                "valueMode": "color",
                "showUnfilled": true,
                "minVizHeight": 16,
                "minVizWidth": 0,
                "text": { "titleSize": 13, "valueSize": 15 },
            }),
            Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
            Kind::Trend | Kind::Stack => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "none" },
            }),
        }
    }
}

/// The data source that is chosen on the board.
pub(crate) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// Grafana's name for the unit of a metric.
pub(crate) fn unit(metric: &Metric) -> &'static str {
    match metric.unit {
        Unit::Seconds if metric.name.ends_with("_timestamp_seconds") => "dateTimeFromNow",
        Unit::Seconds => "s",
        Unit::Ratio => "percentunit",
        Unit::Bytes => "bytes",
        Unit::One if metric.name.ends_with("_per_day") => "suffix:/ day",
        Unit::One => "none",
    }
}
