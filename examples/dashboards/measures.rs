//! The six measures: how each is shown, with its n, on whatever board.

use serde_json::{Value, json};
use sextant::model::measure::Measure;

use super::panel::{Panel, unit};
use super::query::{Query, Scope, metric};
use super::words::hours;

/// A measure as the boards show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) measure: Measure,
    /// Its heading.
    pub(crate) title: &'static str,
    /// The end of its metric's name.
    pub(crate) metric: &'static str,
    /// The end of the name of the metric that counts what it is made of, and what those are called.
    pub(crate) n: (&'static str, &'static str),
    /// What is said where it has no value.
    pub(crate) nothing: &'static str,
}

const fn shown(measure: Measure) -> Shown {
    let (title, metric, n, nothing) = match measure {
        Measure::DeploymentsPerDay => (
            "Deployment frequency",
            "deployments_per_day",
            ("deployments", "deployments"),
            "Never deployed: see Collector, repositories",
        ),
        Measure::LeadTime => (
            "Change lead time",
            "lead_time_seconds",
            ("changes", "changes"),
            "No change was first deployed in this window",
        ),
        Measure::ChangeFailRatio => (
            "Change fail rate",
            "change_fail_ratio",
            ("deployments", "deployments"),
            "No deployment in this window",
        ),
        Measure::IncidentsPerDay => (
            "Incident rate",
            "incidents_per_day",
            ("incidents", "incidents"),
            "Never had an incident nor deployed",
        ),
        Measure::RecoveryTime => (
            "Recovery time",
            "recovery_time_seconds",
            ("recovered_deployments", "recoveries"),
            "No failed deployment recovered in this window",
        ),
        Measure::ReworkRatio => {
            ("Rework rate", "rework_ratio", ("deployments", "deployments"), "No deployment in this window")
        }
    };
    Shown { measure, title, metric, n, nothing }
}

/// All of them, in the order in which they are shown.
pub(crate) const ALL: [Shown; 6] = [
    shown(Measure::DeploymentsPerDay),
    shown(Measure::LeadTime),
    shown(Measure::ChangeFailRatio),
    shown(Measure::IncidentsPerDay),
    shown(Measure::RecoveryTime),
    shown(Measure::ReworkRatio),
];

impl Shown {
    fn matchers(&self) -> &'static str {
        if self.measure.is_time() { "stat=\"p50\"" } else { "" }
    }

    /// Of times, the median.
    fn word(&self) -> &'static str {
        if self.measure.is_time() { "median" } else { "value" }
    }

    /// Its value now.
    pub(crate) fn now(&self, scope: Scope) -> Query {
        scope.now(self.metric, &[], self.matchers())
    }

    fn n_now(&self, scope: Scope) -> Query {
        let by: &[&str] = if self.n.0 == "incidents" { &["severity"] } else { &[] };
        let found = scope.now(self.n.0, by, "");
        if by.is_empty() { found } else { found.map(|all| format!("sum({all})")) }
    }

    /// Its unit, as the catalogue says.
    pub(crate) fn unit(&self, scope: Scope) -> Value {
        json!(metric(&scope.name(self.metric)).map(unit))
    }

    /// The numbers of now: value, interval, n.
    pub(crate) fn stat(&self, scope: Scope, links: &Value) -> Panel {
        let bound = |bound: &str| {
            let matchers = format!("bound=\"{bound}\"");
            scope.now(&format!("{}_bound", self.metric), &[], &matchers)
        };
        let panel = Panel::stat(self.title, 4, 5);
        // The lower end of a rare thing has many digits and none that says something: "0.000381 / day" fits no tile.
        let panel = match self.measure {
            Measure::DeploymentsPerDay | Measure::IncidentsPerDay => panel.set("decimals", json!(2)),
            Measure::LeadTime | Measure::ChangeFailRatio | Measure::RecoveryTime | Measure::ReworkRatio => {
                panel
            }
        };
        panel
            .ask(self.now(scope), self.word())
            .ask(bound("lower"), "95 % from")
            .ask(bound("upper"), "95 % to")
            .ask(self.n_now(scope), self.n.1)
            .field(self.n.1, &[("unit", json!("none")), ("decimals", json!(0))])
            .nothing(self.nothing)
            .set("links", links.clone())
    }

    /// The numbers of the past: value, interval, and the value one window before.
    pub(crate) fn trend(&self, scope: Scope, links: &Value) -> Panel {
        let bound = |bound: &str| {
            let matchers = format!("bound=\"{bound}\"");
            scope.past(&format!("{}_bound", self.metric), &[], &matchers)
        };
        let band = |fill: Option<&str>| {
            let mut properties = vec![
                ("custom.lineWidth", json!(0)),
                ("custom.hideFrom", json!({ "legend": true, "tooltip": false, "viz": false })),
                ("color", json!({ "mode": "fixed", "fixedColor": "blue" })),
            ];
            if let Some(below) = fill {
                properties.push(("custom.fillBelowTo", json!(below)));
                properties.push(("custom.fillOpacity", json!(18)));
            }
            properties
        };
        let shown = |query: Query| if self.measure.is_time() { query.map(hours) } else { query };
        let panel = Panel::trend(self.title, 8, 8);
        let panel = if self.measure.is_time() { panel.unit("suffix:h") } else { panel };
        panel
            .note("The band is the 95 % interval; the dashed line is the value one window earlier, which shares no fact with the value above it.")
            .ask(shown(scope.past(self.metric, &[], self.matchers())), self.word())
            .ask(shown(bound("lower")), "95 % from")
            .ask(shown(bound("upper")), "95 % to")
            .ask(shown(scope.before(self.metric, &[], self.matchers())), "one window earlier")
            .field(self.word(), &[("color", json!({ "mode": "fixed", "fixedColor": "blue" }))])
            .field("95 % from", &band(None))
            .field("95 % to", &band(Some("95 % from")))
            .field(
                "one window earlier",
                &[
                    ("color", json!({ "mode": "fixed", "fixedColor": "#8e8e8e" })),
                    ("custom.lineWidth", json!(1)),
                    ("custom.lineStyle", json!({ "fill": "dash", "dash": [6, 4] })),
                ],
            )
            .nothing(self.nothing)
            .set("links", links.clone())
    }
}

/// The link to the evidence behind a measure of a team; `team` as Grafana writes it.
pub(crate) fn evidence(team: &str, measure: Measure) -> Value {
    let page = measure.label();
    json!([{
        "title": "Evidence: every fact behind this number",
        "url": format!("${{sextant_url}}/teams/{team}/{page}?window=${{window}}"),
        "targetBlank": true,
    }])
}

/// The link to a team's board; `team` as Grafana writes it.
pub(crate) fn to_team(team: &str) -> Value {
    json!([{
        "title": "The team's board",
        "url": format!("/d/sextant-team?var-team={team}&${{window:queryparam}}&${{datasource:queryparam}}&${{__url_time_range}}"),
        "targetBlank": false,
    }])
}
