//! What has to be computed for an answer, found out before any of it is: so that what takes too long can be refused, and
//! what nobody waits for any more given up.

use crate::catalogue::{Level, Metric, OUTCOMES};
use crate::engine::guardrail;
use crate::engine::regression::machine;
use crate::engine::series::{self, History, Past};
use crate::engine::snapshot::PHASES;
use crate::exposition::history::{Found, Known, Series, Source, Wanted, guardrails, metrics, source, states};
use crate::exposition::levels::{self, BOUNDS, COVERAGE_KINDS};
use crate::model::measure::{Measure, Stat};
use crate::model::settings::{Window, longest};
use crate::model::time::{Span, Timestamp};

/// As so many values counts what one lies in: some five microseconds instead of half a one.
pub const INTERVAL_WORTH: usize = 10;
/// Facts that are taken in, or pass through a window, in the time that a value takes.
const FACTS_PER_VALUE: usize = 5;
/// As so many facts counts to begin with the numbers of a team or component, whatever it did.
const BEGIN_WORTH: usize = 100;
/// Before a window, so much is looked at to tell what its numbers lie in.
const LOOKED_BACK: Span = Span::from_days(26 * 7);
const DAY: Span = Span::from_days(1);

/// An answer that was not computed yet.
#[derive(Debug)]
pub struct Plan<'a> {
    known: Known<'a>,
    wanted: &'a Wanted<'a>,
    /// Metrics of which there may be series.
    metrics: Vec<(&'static Metric, Source)>,
    windows: Vec<Window>,
    whose: Vec<series::Level>,
    /// `None` if nothing is asked for.
    history: Option<History<'a>>,
}

impl<'a> Plan<'a> {
    /// Looks what would have to be computed.
    pub fn new(known: Known<'a>, wanted: &'a Wanted<'a>) -> Self {
        let windows = known.past.settings.windows.iter();
        let windows: Vec<_> =
            windows.filter(|window| (wanted.label)("window", &window.label)).cloned().collect();
        let is_asked = |metric: &&Metric| (wanted.metric)(metric) && has_values(metric, &windows, wanted);
        let metrics = metrics().filter(is_asked).filter_map(|metric| Some((metric, source(metric)?)));
        let metrics: Vec<_> = metrics.filter(|_| !wanted.instants.is_empty()).collect();
        // A Prometheus that reads from here asks for everything that it does not know, too.
        let history = (!metrics.is_empty()).then(|| known.past.history());
        let levels = history.iter().flat_map(History::levels);
        let whose = levels.filter(|whose| is_wanted(whose, wanted)).collect();
        Self { known, wanted, metrics, windows, whose, history }
    }

    /// How long it takes, as so many values: each instant of each series is one, and what a value lies in
    /// [`INTERVAL_WORTH`]; besides, the facts that they are made of.
    pub fn worth(&self) -> usize {
        let of_level = |level| {
            let levels = self.of(level).count();
            (levels, self.facts(level).saturating_add(levels.saturating_mul(BEGIN_WORTH)))
        };
        let [organization, team, component] =
            [Level::Organization, Level::Team, Level::Component].map(of_level);
        // What numbers lie in is found out day by day.
        let days = |levels: usize| levels.saturating_mul(self.days());
        let worth = self.metrics.iter().map(|(metric, source)| match source {
            Source::Level(_, level, _) => {
                let (levels, facts) = match level {
                    Level::Organization => organization,
                    Level::Team => team,
                    Level::Component => component,
                };
                let windows = self.windows_of(metric).len().max(1);
                let days = if metric.labels.contains(&"bound") { days(levels) } else { 0 };
                let facts = facts.saturating_mul(windows.saturating_add(1)).saturating_add(days);
                self.numbers(levels.saturating_mul(windows), self.values_each(metric))
                    .saturating_add(facts / FACTS_PER_VALUE)
            }
            Source::Guardrails(_) => {
                let teams = self.of(Level::Team).filter_map(series::Level::team);
                let held = teams.map(|team| guardrails::held(team, self.known.past, self.wanted).count());
                let most = held.clone().max().unwrap_or_default();
                let each = INTERVAL_WORTH.saturating_add(self.values_each(metric));
                let held = held.sum();
                let facts = team.1.saturating_mul(most).saturating_mul(2).saturating_add(days(held));
                self.numbers(held, each).saturating_add(facts / FACTS_PER_VALUE)
            }
            Source::States(_) => {
                let teams = states::teams(self.known.tracker, self.wanted).count();
                self.numbers(teams, self.values_each(metric))
            }
        });
        worth.fold(0, usize::saturating_add)
    }

    /// So many values at each instant.
    fn numbers(&self, series: usize, each: usize) -> usize {
        series.saturating_mul(each).saturating_mul(self.wanted.instants.len())
    }

    /// Tells every series, one after the other: those of a metric stand together. Nothing is kept but the series of one
    /// team or component and metric. `go_on` is asked again and again, before each instant; ends early if it or `tell`
    /// fails.
    pub fn each<E>(
        &self,
        go_on: &dyn Fn() -> Result<(), E>,
        mut tell: impl FnMut(Series) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(history) = &self.history else { return Ok(()) };
        let Known { past, tracker } = self.known;
        let wanted = self.wanted;
        for (metric, source) in &self.metrics {
            match source {
                Source::States(told) => {
                    let found =
                        states::series(metric, *told, (tracker, past.settings.timezone), wanted, go_on)?;
                    found.into_iter().try_for_each(&mut tell)?;
                }
                Source::Guardrails(told) => {
                    for team in self.of(Level::Team).filter_map(series::Level::team) {
                        let found = guardrails::series(metric, *told, (history, team, past), wanted, go_on)?;
                        found.into_iter().try_for_each(&mut tell)?;
                    }
                }
                Source::Level(gauge, level, parts) => {
                    let windows = self.windows_of(metric);
                    for whose in self.of(*level) {
                        go_on()?;
                        let Some(timeline) = history.timeline(whose, wanted.instants, *parts) else {
                            continue;
                        };
                        let mut found = Found::new(metric, wanted);
                        for (at, values) in timeline.sweep(windows, *parts, wanted.instants) {
                            go_on()?;
                            found.take(at, levels::of_level(metric, *gauge, base(whose), windows, &values));
                        }
                        found.series().try_for_each(&mut tell)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Those that are asked for of a level.
    fn of(&self, level: Level) -> impl Iterator<Item = &series::Level> + Clone {
        self.whose.iter().filter(move |whose| match whose {
            series::Level::Organization => level == Level::Organization,
            series::Level::Team(_) => level == Level::Team,
            series::Level::Component(..) => level == Level::Component,
        })
    }

    /// The windows over which a metric is asked for; none if it is the same for all of them.
    fn windows_of(&self, metric: &Metric) -> &[Window] {
        if metric.labels.contains(&"window") { &self.windows } else { &[] }
    }

    /// How many values a series of labels has at an instant and in a window.
    fn values_each(&self, metric: &Metric) -> usize {
        let of_label = |label: &&str| match *label {
            // Both ends at once.
            "bound" => INTERVAL_WORTH,
            "severity" => severities(self.known.past),
            label => values_of(metric, label).map_or(1, |values| {
                // States are told one by one, all others together.
                let is_told = |value: &&&str| label != "measure" || (self.wanted.label)(label, value);
                values.iter().filter(is_told).count()
            }),
        };
        metric.labels.iter().map(of_label).fold(1, usize::saturating_mul)
    }

    /// Since when facts matter, and until when.
    fn range(&self) -> Option<(Timestamp, Timestamp)> {
        let Wanted { instants, .. } = self.wanted;
        let (first, last) = instants.first().zip(instants.last())?;
        Some((first.minus(longest(&self.known.past.settings.windows)).minus(LOOKED_BACK), last))
    }

    fn days(&self) -> usize {
        let days = self.range().map(|(first, last)| last.since(first).millis() / DAY.millis());
        days.and_then(|days| usize::try_from(days).ok()).unwrap_or_default()
    }

    /// How many facts those of a level take in.
    fn facts(&self, level: Level) -> usize {
        if self.of(level).next().is_none() {
            return 0;
        }
        let (past, wanted) = (self.known.past, self.wanted);
        let Some((first, last)) = self.range() else { return 0 };
        let components = past.linked.components.iter().map(|component| &component.history);
        let of_level = components.filter(|history| {
            let is = |label: &str, name: &str| (wanted.label)(label, name);
            match level {
                Level::Organization => true,
                Level::Team => is("team", history.team.as_str()),
                Level::Component => {
                    is("team", history.team.as_str()) && is("component", history.name.as_str())
                }
            }
        });
        let facts = of_level.map(|history| {
            let deployments = history.before(last).iter().skip(history.before(first).len());
            deployments.map(|deployment| deployment.changes.len().saturating_add(1)).sum::<usize>()
        });
        facts.sum::<usize>().saturating_add(past.linked.incidents.len())
    }
}

fn severities(past: &Past) -> usize {
    let mut severities: Vec<_> = past.linked.incidents.iter().map(|incident| &incident.severity).collect();
    severities.sort_unstable();
    severities.dedup();
    severities.len()
}

/// Whether a metric can have series with labels that are asked for, as far as their values are known in advance.
fn has_values(metric: &Metric, windows: &[Window], wanted: &Wanted<'_>) -> bool {
    metric.labels.iter().all(|label| match *label {
        "window" => !windows.is_empty(),
        label => values_of(metric, label)
            .is_none_or(|values| values.iter().any(|value| (wanted.label)(label, value))),
    })
}

/// All values of a label that has the same whatever is configured and whatever happens.
fn values_of(metric: &Metric, label: &str) -> Option<Vec<&'static str>> {
    match label {
        "stat" => Some(Stat::ALL.map(Stat::label).into()),
        "bound" => Some(BOUNDS.into()),
        "phase" => Some(PHASES.into()),
        "kind" => Some(COVERAGE_KINDS.into()),
        "outcome" => Some(OUTCOMES.into()),
        "measure" => Some(Measure::ALL.map(Measure::label).into()),
        "state" => match source(metric)? {
            Source::Level(..) => None,
            Source::Guardrails(_) => Some(guardrail::State::ALL.map(guardrail::State::label).into()),
            Source::States(_) => Some(machine::State::ALL.map(machine::State::label).into()),
        },
        _ => None,
    }
}

/// The values of the labels that say whose numbers they are.
fn base(whose: &series::Level) -> Vec<&str> {
    match whose {
        series::Level::Organization => Vec::new(),
        series::Level::Team(team) => vec![team.as_str()],
        series::Level::Component(team, name) => vec![team.as_str(), name.as_str()],
    }
}

fn is_wanted(whose: &series::Level, wanted: &Wanted<'_>) -> bool {
    let label = wanted.label;
    match whose {
        series::Level::Organization => true,
        series::Level::Team(team) => label("team", team.as_str()),
        series::Level::Component(team, name) => {
            label("team", team.as_str()) && label("component", name.as_str())
        }
    }
}
