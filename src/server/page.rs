//! The landing page: the north star, then the five metrics and the signals of each team in words, the state of the
//! sources, and where to go on. Teams by name; nothing is ranked, coloured or compared.

use askama::Template;

use crate::engine::exposure::{Calendar, Chance};
use crate::engine::shown::{self, Counted, Shown};
use crate::engine::snapshot::{Completeness, LevelValues, Snapshot, WindowValues};
use crate::exposition::{Published, SourceState};
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::settings::Window;
use crate::model::signal::Standing;
use crate::model::time::Timestamp;

use super::signal_view::{SignalView, view};
use super::{measure_page, words};

/// The five metrics, in DORA's order.
const MEASURES: [(Measure, &str); 5] = [
    (Measure::DeploymentsPerDay, "Deployment frequency"),
    (Measure::LeadTime, "Lead time for changes, median"),
    (Measure::ChangeFailRatio, "Change fail rate"),
    (Measure::RecoveryTime, "Failed deployment recovery time, median"),
    (Measure::ReworkRatio, "Deployment rework rate"),
];

/// Where a table has less room for the names of its rows and for each window, it is scrolled.
const NAME_REM: usize = 8;
const WINDOW_REM: usize = 7;

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
    /// How wide a team's table is at least.
    table_rem: usize,
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
    measures: Vec<Row>,
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
struct Row {
    name: &'static str,
    cells: Vec<Cell>,
}

/// What is said of a number (`definitions.md` §5).
enum Cell {
    /// Nothing is known.
    Unknown,
    /// The number, the ends of what it could be, and what it rests on.
    Known { value: String, range: (String, String), n: u64 },
    /// Why it is not shown, and what it would rest on, where that is something else.
    Hidden { why: String, n: Option<u64> },
}

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
            table_rem: 0,
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
        table_rem: NAME_REM.saturating_add(WINDOW_REM.saturating_mul(snapshot.windows.len())),
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
    let windows: Vec<(&Window, &WindowValues)> = snapshot.windows.iter().zip(known).collect();
    let open = Calendar::default();
    let calendar = published.background.tracker.watched(slug).map_or(&open, |watched| &watched.calendar);
    let chances: Vec<_> =
        windows.iter().map(|(window, _)| shown::chance(calendar, window, snapshot.at)).collect();
    let row = |(measure, name)| {
        let values = windows.iter().map(|(_, values)| *values).zip(&chances);
        Row { name, cells: values.map(|(values, chance)| cell(measure, values, *chance)).collect() }
    };
    Team {
        name: slug.as_str(),
        guardrails: guardrails(slug, snapshot),
        standings: standings(slug, published),
        signals,
        windows: windows
            .iter()
            .map(|(window, values)| Heading {
                label: &window.label,
                partial: values.complete == Completeness::Partial,
            })
            .collect(),
        measures: MEASURES.into_iter().map(row).collect(),
    }
}

fn cell(measure: Measure, values: &WindowValues, chance: Chance) -> Cell {
    let Some(shown) = shown::shown(measure, values, chance) else {
        return Cell::Unknown;
    };
    let n = words::sample(measure, values);
    // All windows are side by side, so there is no other one to name.
    let why = shown.instead(None).unwrap_or_default();
    match shown {
        Shown::Value { value, interval } => {
            let range = words::range(measure, value, interval);
            Cell::Known { value: words::amount(measure, value), range, n }
        }
        Shown::NotEnough { of: Counted::Deployments | Counted::Changes | Counted::Recoveries, .. } => {
            Cell::Hidden { why, n: None }
        }
        Shown::NotEnough { of: Counted::WorkingDays | Counted::Days, .. } | Shown::Uncertain(_) => {
            Cell::Hidden { why, n: Some(n) }
        }
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
