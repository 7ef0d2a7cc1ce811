//! What is asked of Prometheus, in terms of the catalogue.
//!
//! Everything is aggregated with `max by`: a series may come twice, from a scrape with `job` and `instance` and from
//! remote read without, and it is the same number. What happened before this Prometheus began to scrape is an hour
//! apart, more than the five minutes that Prometheus looks back: trends therefore take the last value of two hours.

use sextant::catalogue::{self, Metric};

/// An expression, and the metrics that it reads.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) promql: String,
    pub(crate) metrics: Vec<String>,
}

impl Query {
    /// Another expression around this one.
    pub(crate) fn map(self, around: impl FnOnce(&str) -> String) -> Self {
        Self { promql: around(&self.promql), metrics: self.metrics }
    }

    /// An expression of this one and another.
    pub(crate) fn with(mut self, other: Self, both: impl FnOnce(&str, &str) -> String) -> Self {
        self.promql = both(&self.promql, &other.promql);
        self.metrics.extend(other.metrics);
        self
    }

    /// Whether every metric exists.
    pub(crate) fn is_known(&self) -> bool {
        self.metrics.iter().all(|name| metric(name).is_some())
    }
}

/// The metric of this name.
pub(crate) fn metric(name: &str) -> Option<&'static Metric> {
    catalogue::metrics().find(|metric| metric.name == name)
}

/// Whose numbers a board shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// What its metrics begin with.
    pub(crate) prefix: &'static str,
    /// The labels that say whose.
    by: &'static [&'static str],
    /// Which of them.
    matchers: &'static str,
}

/// The whole organisation.
pub(crate) const ORGANIZATION: Scope = Scope { prefix: "dora_organization_", by: &[], matchers: "" };
/// Every team.
pub(crate) const TEAMS: Scope = Scope { prefix: "dora_team_", by: &["team"], matchers: "" };
/// The team that is chosen.
pub(crate) const TEAM: Scope = Scope { prefix: "dora_team_", by: &["team"], matchers: "team=\"$team\"" };
/// The teams that are chosen.
pub(crate) const SOME_TEAMS: Scope =
    Scope { prefix: "dora_team_", by: &["team"], matchers: "team=~\"$team\"" };
/// Every component of the team that is chosen.
pub(crate) const COMPONENTS: Scope =
    Scope { prefix: "dora_component_", by: &["component"], matchers: "team=\"$team\"" };
/// The component that is chosen.
pub(crate) const COMPONENT: Scope = Scope {
    prefix: "dora_component_",
    by: &["component"],
    matchers: "team=\"$team\",component=\"$component\"",
};
/// The daemon itself.
pub(crate) const SEXTANT: Scope = Scope { prefix: "sextant_", by: &[], matchers: "" };
/// What has one name of its own.
pub(crate) const DORA: Scope = Scope { prefix: "dora_", by: &[], matchers: "" };

/// A metric of the daemon's process: others have processes, too, so it must come from where sextant says its version.
pub(crate) fn process(end: &str, of: impl FnOnce(&str) -> String) -> Query {
    let (name, build) = (format!("process_{end}"), "sextant_build_info".to_owned());
    let promql = format!("max ({} and on (job, instance) {build})", of(&name));
    Query { promql, metrics: vec![name, build] }
}

impl Scope {
    /// Its metric that ends so.
    pub(crate) fn name(&self, end: &str) -> String {
        format!("{}{end}", self.prefix)
    }

    /// The value at the end of the time range.
    pub(crate) fn now(&self, end: &str, by: &[&str], matchers: &str) -> Query {
        self.query(end, by, matchers, |selector| selector)
    }

    /// The value at every instant of the time range.
    pub(crate) fn past(&self, end: &str, by: &[&str], matchers: &str) -> Query {
        self.query(end, by, matchers, |selector| format!("last_over_time({selector}[2h])"))
    }

    /// The value that it had one window before.
    pub(crate) fn before(&self, end: &str, by: &[&str], matchers: &str) -> Query {
        self.query(end, by, matchers, |selector| format!("last_over_time({selector}[2h] offset $window)"))
    }

    /// How fast a counter grows, per second; `by` are all of its labels, so that nothing is added up.
    pub(crate) fn rate(&self, end: &str, by: &[&str], matchers: &str) -> Query {
        self.query(end, by, matchers, |selector| format!("rate({selector}[$__rate_interval])"))
    }

    fn query(&self, end: &str, by: &[&str], matchers: &str, of: impl FnOnce(String) -> String) -> Query {
        let name = self.name(end);
        let is_windowed = metric(&name).is_some_and(|metric| metric.labels.contains(&"window"));
        let window = if is_windowed { "window=\"$window\"" } else { "" };
        let matchers: Vec<_> =
            [self.matchers, window, matchers].into_iter().filter(|some| !some.is_empty()).collect();
        let selector = match matchers.as_slice() {
            [] => name.clone(),
            some => format!("{name}{{{}}}", some.join(",")),
        };
        let by: Vec<_> = self.by.iter().chain(by).copied().collect();
        let by = if by.is_empty() { String::new() } else { format!(" by ({})", by.join(", ")) };
        Query { promql: format!("max{by} ({})", of(selector)), metrics: vec![name] }
    }
}
