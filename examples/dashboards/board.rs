//! A board: sections of panels from left to right, with variables, annotations and links to its siblings.

use serde_json::{Value, json};

use super::panel::{Panel, datasource};
use super::query::Query;
use super::words::with;

/// Grafana's grid is so wide.
const COLUMNS: u32 = 24;
/// What Grafana 10.0 writes; later ones know it, too.
const SCHEMA_VERSION: u32 = 38;
/// Where the pages with the evidence are, until whoever installs the boards says otherwise: sextant's default.
const SEXTANT_URL: &str = "http://127.0.0.1:9469";

/// Panels under a heading.
#[derive(Debug)]
pub(crate) struct Section {
    title: &'static str,
    panels: Vec<Panel>,
}

/// A dashboard.
#[derive(Debug)]
pub(crate) struct Board {
    uid: &'static str,
    title: &'static str,
    about: &'static str,
    from: &'static str,
    variables: Vec<Value>,
    annotations: Vec<(Query, Value)>,
    sections: Vec<Section>,
}

impl Board {
    pub(crate) fn new(uid: &'static str, title: &'static str, about: &'static str) -> Self {
        Self {
            uid,
            title,
            about,
            from: "now-90d",
            variables: vec![chosen_datasource(), address()],
            annotations: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Where its time range begins.
    pub(crate) fn from(self, from: &'static str) -> Self {
        Self { from, ..self }
    }

    /// With a choice of one value of a label.
    pub(crate) fn choose(mut self, name: &str, label: &str, values: &str) -> Self {
        self.variables.push(variable(name, label, values));
        self
    }

    /// With a choice of some values of a label, at first all.
    pub(crate) fn choose_some(mut self, name: &str, label: &str, values: &str) -> Self {
        let some = json!({
            "multi": true,
            "includeAll": true,
            "allValue": ".+",
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
        });
        self.variables.push(with(variable(name, label, values), some));
        self
    }

    /// With the choice of the window of every number.
    pub(crate) fn choose_window(mut self) -> Self {
        let variable =
            variable("window", "Window", "label_values(dora_organization_window_complete, window)");
        let current = json!({ "selected": true, "text": "30d", "value": "30d" });
        // By number: 7d, 30d, 90d.
        self.variables.push(with(variable, json!({ "sort": 3, "current": current })));
        self
    }

    /// With marks at the instants, in milliseconds, that a query has as values.
    pub(crate) fn mark_values(mut self, name: &str, colour: &str, title: &str, query: Query) -> Self {
        let annotation = annotation(name, colour, title, &query);
        let annotation = with(annotation, json!({ "useValueForTime": true }));
        self.annotations.push((query, annotation));
        self
    }

    /// With marks over the times at which a query has a value above zero.
    pub(crate) fn mark_spans(mut self, name: &str, colour: &str, title: &str, query: Query) -> Self {
        let annotation = annotation(name, colour, title, &query);
        self.annotations.push((query, annotation));
        self
    }

    /// The last marks are switched off at first: where there are many they would hide everything else.
    pub(crate) fn switched_off(mut self) -> Self {
        if let Some((_, annotation)) = self.annotations.last_mut() {
            *annotation = with(annotation.take(), json!({ "enable": false }));
        }
        self
    }

    pub(crate) fn section(mut self, title: &'static str, panels: Vec<Panel>) -> Self {
        self.sections.push(Section { title, panels });
        self
    }

    /// The name of its file.
    pub(crate) fn file(&self) -> String {
        format!("{}.json", self.uid)
    }

    /// Every name of a metric that it reads or would read if all of them existed.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<String> {
        let panels = self.sections.iter().flat_map(|section| &section.panels);
        let marks = self.annotations.iter().flat_map(|(query, _)| &query.metrics);
        panels.flat_map(Panel::names).map(str::to_owned).chain(marks.cloned()).collect()
    }

    /// What the file has in it.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\n", serde_json::to_string_pretty(&self.json())?))
    }

    fn json(&self) -> Value {
        let annotations = self.annotations.iter().filter(|(query, _)| query.is_known());
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["sextant"],
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": SCHEMA_VERSION,
            "refresh": "5m",
            "time": { "from": self.from, "to": "now" },
            "timezone": "browser",
            "links": links(),
            "templating": { "list": self.variables },
            "annotations": { "list": annotations.map(|(_, annotation)| annotation).collect::<Vec<_>>() },
            "panels": self.panels(),
        })
    }

    /// Sections from top to bottom, panels from left to right; what cannot be asked yet is left out.
    fn panels(&self) -> Vec<Value> {
        let mut placed = Vec::new();
        let mut y = 0;
        for section in &self.sections {
            let panels: Vec<_> = section.panels.iter().cloned().filter_map(Panel::possible).collect();
            if panels.is_empty() {
                continue;
            }
            placed.push(json!({
                "id": placed.len() + 1,
                "type": "row",
                "title": section.title,
                "collapsed": false,
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
                "panels": [],
            }));
            y += 1;
            let (mut x, mut height) = (0, 0);
            for panel in panels {
                if x + panel.width > COLUMNS {
                    y += height;
                    (x, height) = (0, 0);
                }
                placed.push(panel.json(placed.len() + 1, x, y));
                x += panel.width;
                height = height.max(panel.height);
            }
            y += height;
        }
        placed
    }
}

fn chosen_datasource() -> Value {
    json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "multi": false,
        "includeAll": false,
        "skipUrlSync": false,
        "options": [],
        "current": {},
    })
}

fn address() -> Value {
    let value = json!({ "selected": true, "text": SEXTANT_URL, "value": SEXTANT_URL });
    json!({
        "name": "sextant_url",
        "label": "sextant",
        "description": "server.external_url of sextant: where links to the evidence lead",
        "type": "constant",
        "query": SEXTANT_URL,
        "hide": 2,
        "skipUrlSync": true,
        "options": [value],
        "current": value,
    })
}

fn variable(name: &str, label: &str, values: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(),
        "query": { "query": values, "refId": name },
        "regex": "",
        // When the time range changes: teams come and go.
        "refresh": 2,
        // In alphabetical order.
        "sort": 1,
        "hide": 0,
        "multi": false,
        "includeAll": false,
        "skipUrlSync": false,
        "options": [],
        "current": {},
    })
}

fn annotation(name: &str, colour: &str, title: &str, query: &Query) -> Value {
    json!({
        "name": name,
        "datasource": datasource(),
        "enable": true,
        "hide": false,
        "iconColor": colour,
        "expr": query.promql,
        "step": "1h",
        "titleFormat": title,
        "textFormat": "",
        "tagKeys": "team",
    })
}

fn links() -> Value {
    json!([
        {
            "type": "dashboards",
            "title": "Boards",
            "tags": ["sextant"],
            "asDropdown": false,
            "includeVars": true,
            "keepTime": true,
            "targetBlank": false,
            "icon": "external link",
            "tooltip": "",
            "url": "",
        },
        {
            "type": "link",
            "title": "sextant",
            "url": "${sextant_url}",
            "tags": [],
            "asDropdown": false,
            "includeVars": false,
            "keepTime": false,
            "targetBlank": true,
            "icon": "external link",
            "tooltip": "The pages with the evidence behind each number",
        },
    ])
}
