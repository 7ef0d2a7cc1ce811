//! An alert as data, and as YAML.

use std::fmt::{self, Write as _};

use super::{Setting, indented, quoted};
use crate::model::settings::Window;
use crate::model::time::Span;

/// Whom it is for: the value of the label `audience`, by which Alertmanager routes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Audience {
    /// The team in the label `team`.
    Team,
    /// Those who run sextant.
    Platform,
}

impl Audience {
    const fn label(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Platform => "platform",
        }
    }
}

/// How much it matters: the value of the label `severity`. Nothing here wakes anybody.
#[derive(Debug, Clone, Copy)]
pub(super) enum Severity {
    /// To be looked at in working hours.
    Ticket,
    /// To be known.
    Info,
}

impl Severity {
    const fn label(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Info => "info",
        }
    }
}

/// Where one sees more: a page of the daemon, and a board of Grafana.
#[derive(Debug, Clone, Copy)]
pub(super) struct Board {
    pub(super) page: &'static str,
    pub(super) uid: &'static str,
}

impl Board {
    pub(super) const COLLECTOR: Self = Self { page: "/sources", uid: "sextant-collector" };
    /// The page of all teams, at this one: there its guardrails are.
    pub(super) const TEAM: Self =
        Self { page: "/#{{ $labels.team }}", uid: "sextant-team?var-team={{ $labels.team }}" };
    /// The evidence of a measure.
    pub(super) const DEPLOYMENTS: Self =
        Self { page: "/teams/{{ $labels.team }}/deployments_per_day", ..Self::TEAM };
    pub(super) const INCIDENTS: Self =
        Self { page: "/teams/{{ $labels.team }}/incidents_per_day", ..Self::TEAM };
    pub(super) const RECOVERY: Self = Self { page: "/teams/{{ $labels.team }}/recovery_time", ..Self::TEAM };
    pub(super) const MEASURE: Self = Self {
        page: "/teams/{{ $labels.team }}/{{ $labels.measure }}",
        uid: "sextant-team?var-team={{ $labels.team }}",
    };
}

/// An alert. What [`Setting::fill`] knows is filled into its texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alert {
    pub(super) name: &'static str,
    /// What Prometheus evaluates.
    pub(super) expr: &'static str,
    /// For how long it must hold.
    pub(super) hold: &'static str,
    pub(super) severity: Severity,
    pub(super) audience: Audience,
    /// In one line, the same for every series.
    pub(super) summary: &'static str,
    /// What is so, in words and numbers.
    pub(super) description: &'static str,
    pub(super) board: Board,
    /// How long the longest window must be, for it to tell anything.
    pub(super) window_min: Span,
}

/// While a daemon starts anew nothing is known, which must not end an alert and tell it again an hour later.
const KEPT: &str = "        keep_firing_for: 1h\n";

/// Alerts that belong together.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) alerts: &'static [Alert],
}

/// The file of all alerts.
pub(super) fn file(setting: &Setting, groups: &[&Group]) -> Result<String, fmt::Error> {
    let mut out = String::from(
        "# What is worth a message, and why: docs/runbooks. Written by `sextant rules`; needs recording.yml beside it,\n\
         # and Prometheus 2.42 or newer.\n\
         groups:\n",
    );
    for group in groups {
        writeln!(out, "  - name: {}\n    rules:", group.name)?;
        for alert in group.alerts {
            match alert.left_out(&setting.window) {
                Some(sentence) => writeln!(out, "      # {sentence}.")?,
                None => out.push_str(&alert.yaml(setting)),
            }
        }
    }
    Ok(out)
}

impl Alert {
    /// Why it is not written, if the longest window is too short for it.
    pub(super) fn left_out(&self, longest: &Window) -> Option<String> {
        let Self { name, window_min, .. } = self;
        let days = window_min.days();
        (longest.length < *window_min).then(|| {
            format!(
                "{name} is left out: it takes a window of at least {days} days, and the longest is {}; add \"90d\" to \
                 `windows` in [metrics]",
                longest.label
            )
        })
    }

    fn yaml(&self, setting: &Setting) -> String {
        let Self { name, expr, hold, severity, audience, summary, description, board, window_min: _ } = self;
        let url = &setting.external_url;
        let dashboard = match &setting.grafana_url {
            Some(grafana) => format!("{grafana}/d/{}", board.uid),
            None => format!("{url}{}", board.page),
        };
        format!(
            "      - alert: {name}\n        expr: |\n{expr}\n        for: {hold}\n{keep}        labels:\n          \
             severity: {severity}\n          audience: {audience}\n        annotations:\n          \
             summary: {summary}\n          description: {description}\n          runbook_url: {runbook}\n          \
             dashboard_url: {dashboard}\n",
            expr = indented(&setting.fill(expr), 10),
            hold = setting.fill(hold),
            keep = if expr.contains("<trusted>") { KEPT } else { "" },
            severity = severity.label(),
            audience = audience.label(),
            summary = quoted(summary),
            description = quoted(&setting.fill(description)),
            runbook = quoted(&format!("{url}/runbooks/{name}")),
            dashboard = quoted(&dashboard),
        )
    }
}
