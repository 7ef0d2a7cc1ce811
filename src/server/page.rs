//! The landing page: the north star, then the five metrics and the signals of each team in words, the state of the
//! sources, and where to go on. Teams by name; nothing is ranked, coloured or compared.

use askama::Template;

use crate::engine::snapshot::{Completeness, LevelValues, Snapshot, WindowValues};
use crate::exposition::{Published, SourceState};
use crate::model::day::Day;
use crate::model::name::TeamSlug;
use crate::model::settings::Window;
use crate::model::signal::Standing;
use crate::model::time::Timestamp;

use super::signal_view::{SignalView, view};
use super::{measure_page, words};

/// Windows side by side: more do not fit a phone.
const WINDOWS_SHOWN: usize = 2;

/// Teams on one page, by name; the page says how many it leaves out.
const TEAMS_SHOWN_MAX: usize = 500;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    version: &'static str,
    organization: &'a str,
    /// The instant of the snapshot; none before the first.
    at: Option<Timestamp>,
    /// What the organisation wants most, on top of everything.
    north_stars: Vec<SignalView<'a>>,
    /// Its further signals.
    signals: Vec<SignalView<'a>>,
    teams: Vec<Team<'a>>,
    teams_left_out: usize,
    has_guardrails: bool,
    /// What half of the teams show on the newest day.
    notes: Vec<Together>,
    sources: &'a [SourceState],
    series: usize,
    series_dropped: usize,
}

struct Team<'a> {
    name: &'a str,
    windows: Vec<Heading<'a>>,
    measures: Vec<Measure>,
    signals: Vec<SignalView<'a>>,
    guardrails: Vec<Guardrail<'a>>,
    standings: Vec<StandingLine>,
}

/// How the team stands to a guardrail.
struct Guardrail<'a> {
    name: &'a str,
    state: &'static str,
    words: String,
}

/// How a team stands in a measure.
struct StandingLine {
    title: &'static str,
    path: String,
    state: &'static str,
    since: Day,
}

struct Heading<'a> {
    label: &'a str,
    partial: bool,
}

/// A row of a team's table.
struct Measure {
    name: &'static str,
    cells: Vec<Cell>,
}

/// A value in words and its n; both absent where unknown.
struct Cell {
    words: Option<String>,
    n: Option<u64>,
    /// The smallest n with which a value is shown.
    n_min: u64,
}

impl Cell {
    /// Whether something is known and not enough of it (`definitions.md` §5: pages hide the value then).
    fn lacks_data(&self) -> bool {
        self.words.is_some() && self.n.is_some_and(|n| n < self.n_min)
    }
}

/// A frequency is a count, and a count of none is one too.
const RATE_SAMPLE_MIN: u64 = 0;
/// Below ten deployments one failure more or less moves a rate by ten points and more.
const RATIO_SAMPLE_MIN: u64 = 10;
/// Below six there is no 95 % interval of a median.
const TIME_SAMPLE_MIN: u64 = 6;

/// The page; without a publication it says that the first one is on its way.
pub(super) fn landing(published: Option<&Published>) -> Result<String, askama::Error> {
    let version = env!("CARGO_PKG_VERSION");
    let Some(published) = published else {
        let page = Landing {
            version,
            organization: "",
            at: None,
            north_stars: Vec::new(),
            signals: Vec::new(),
            teams: Vec::new(),
            teams_left_out: 0,
            has_guardrails: false,
            notes: Vec::new(),
            sources: &[],
            series: 0,
            series_dropped: 0,
        };
        return page.render();
    };
    let snapshot = &published.snapshot;
    let teams = snapshot.teams.iter().take(TEAMS_SHOWN_MAX);
    let signals = |of: &Standing| -> Vec<SignalView<'_>> {
        let own = published.signals.iter().filter(|state| state.rule.standing == *of);
        own.map(|state| view(state, snapshot.at)).collect()
    };
    let page = Landing {
        version,
        organization: &published.organization,
        at: Some(snapshot.at),
        north_stars: signals(&Standing::NorthStar),
        signals: signals(&Standing::Organization),
        teams: teams
            .map(|(slug, values)| {
                team(slug, published, &values.values, signals(&Standing::Team(slug.clone())))
            })
            .collect(),
        has_guardrails: !snapshot.guardrails.is_empty(),
        teams_left_out: snapshot.teams.len().saturating_sub(TEAMS_SHOWN_MAX),
        notes: notes(published),
        sources: &published.sources,
        series: published.rendered.series,
        series_dropped: published.rendered.dropped,
    };
    page.render()
}

/// That half of the teams look the same.
struct Together {
    title: &'static str,
    teams: usize,
    of: usize,
    from: Day,
}

fn notes(published: &Published) -> Vec<Together> {
    let tracker = &published.background.tracker;
    let today = tracker.notes().iter().filter(|note| Some(note.to) == tracker.newest_day());
    let notes = today.map(|note| Together {
        title: measure_page::title(note.measure),
        teams: note.teams,
        of: note.of,
        from: note.from,
    });
    notes.collect()
}

fn standings(slug: &TeamSlug, published: &Published) -> Vec<StandingLine> {
    let newest = published.background.tracker.newest(slug);
    let lines = newest.map(|look| StandingLine {
        title: measure_page::title(look.measure),
        path: format!("/teams/{}/{}", words::segment(slug.as_str()), look.measure.label()),
        state: measure_page::state(look.state),
        since: look.since,
    });
    lines.collect()
}

fn team<'a>(
    slug: &'a TeamSlug,
    published: &'a Published,
    values: &LevelValues,
    signals: Vec<SignalView<'a>>,
) -> Team<'a> {
    let snapshot = &published.snapshot;
    // A team of which nothing is known has no values at all.
    let unknown = WindowValues::default();
    let known = values.windows.iter().chain(std::iter::repeat(&unknown));
    let shown: Vec<(&Window, &WindowValues)> =
        snapshot.windows.iter().zip(known).take(WINDOWS_SHOWN).collect();
    let row = |name, cell: fn(&WindowValues) -> Cell| Measure {
        name,
        cells: shown.iter().map(|(_, values)| cell(values)).collect(),
    };
    Team {
        name: slug.as_str(),
        guardrails: guardrails(slug, snapshot),
        standings: standings(slug, published),
        signals,
        windows: shown
            .iter()
            .map(|(window, values)| Heading {
                label: &window.label,
                partial: values.complete == Completeness::Partial,
            })
            .collect(),
        measures: vec![
            row("Deployment frequency", |values| {
                let delivery = values.delivery.as_ref();
                let rate = delivery.map(|delivery| words::rate(delivery.deployments_per_day));
                cell(rate, delivery.map(|delivery| delivery.deployments), RATE_SAMPLE_MIN)
            }),
            row("Lead time for changes, median", |values| {
                let delivery = values.delivery.as_ref();
                let median = delivery.and_then(|delivery| delivery.lead_time.p50);
                cell(median.map(words::span), delivery.map(|delivery| delivery.changes), TIME_SAMPLE_MIN)
            }),
            row("Change fail rate", |values| {
                let delivery = values.delivery.as_ref();
                let ratio = delivery.and_then(|delivery| delivery.change_fail_ratio);
                cell(ratio.map(words::share), delivery.map(|delivery| delivery.deployments), RATIO_SAMPLE_MIN)
            }),
            row("Failed deployment recovery time, median", |values| {
                let delivery = values.delivery.as_ref();
                let median = delivery.and_then(|delivery| delivery.recovery_time.p50);
                cell(
                    median.map(words::span),
                    delivery.map(|delivery| delivery.recovered_deployments),
                    TIME_SAMPLE_MIN,
                )
            }),
            row("Deployment rework rate", |values| {
                let delivery = values.delivery.as_ref();
                let ratio = delivery.and_then(|delivery| delivery.rework_ratio);
                cell(ratio.map(words::share), delivery.map(|delivery| delivery.deployments), RATIO_SAMPLE_MIN)
            }),
        ],
    }
}

fn guardrails<'a>(team: &TeamSlug, snapshot: &'a Snapshot) -> Vec<Guardrail<'a>> {
    // They are in the order of teams.
    let all = &snapshot.guardrails;
    let begin = all.partition_point(|standing| standing.team < *team);
    let own = all.iter().skip(begin).take_while(|standing| standing.team == *team);
    let shown = own.map(|standing| Guardrail {
        name: &standing.guardrail,
        state: standing.state.label(),
        words: standing.words(),
    });
    shown.collect()
}

fn cell(words: Option<String>, n: Option<u64>, n_min: u64) -> Cell {
    Cell { words, n, n_min }
}
