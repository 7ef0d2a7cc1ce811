//! Everything at one instant: each component, each team, the organisation.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::engine::completeness::{self, Since};
use crate::engine::exposure::Calendar;
use crate::engine::history::Suspicion;
use crate::engine::link::{Linked, LinkedComponent, LinkedIncident};
use crate::engine::regression::collected::{Begin, Collected};
use crate::engine::regression::live::Bounding;
use crate::engine::regression::past::{Almanac, Frame, Past};
use crate::engine::regression::watch;
use crate::engine::snapshot::{LevelValues, Snapshot, Suspects, TeamValues, WindowValues};
use crate::engine::tally::Tally;
use crate::model::batch::Inventory;
use crate::model::fact::Exclusion;
use crate::model::measure::Measure;
use crate::model::name::{ComponentName, Severity, SourceName, TeamSlug};
use crate::model::settings::{ComponentDetail, MetricSettings, longest};
use crate::model::time::{Span, Timestamp};

/// A level before it is put into numbers.
#[derive(Debug, Default)]
struct Level {
    tallies: Vec<Tally>,
    /// What was before each window.
    pasts: Vec<Past>,
    /// From when on its history is collected; `None` while it is read for the first time.
    begin: Option<Begin>,
    last_deployment_at: Option<Timestamp>,
    unrecovered: u64,
    open: BTreeMap<Severity, u64>,
    had_incident: bool,
    since: Since,
}

impl Level {
    fn new(windows: usize) -> Self {
        let (tallies, pasts) = (vec![Tally::default(); windows], vec![Past::default(); windows]);
        Self { tallies, pasts, begin: Some(Begin::default()), ..Self::default() }
    }

    fn absorb(&mut self, component: &Self) {
        for (tally, other) in self.tallies.iter_mut().zip(&component.tallies) {
            tally.absorb(other);
        }
        if let (Some(begin), Some(part)) = (self.begin, component.begin) {
            self.begin = Some(begin.and(part));
            for (past, other) in self.pasts.iter_mut().zip(&component.pasts) {
                past.absorb(other);
            }
        }
        self.last_deployment_at = self.last_deployment_at.max(component.last_deployment_at);
        self.unrecovered += component.unrecovered;
        self.since = self.since.and(component.since);
    }

    fn count(&mut self, incident: &LinkedIncident, attributed: bool, instant: &Instant<'_>) {
        let at = instant.at;
        self.had_incident = true;
        let resolved_at = incident.resolved_before(at);
        if resolved_at.is_none() {
            *self.open.entry(incident.severity.clone()).or_default() += 1;
        }
        for (past, frame) in self.pasts.iter_mut().zip(&instant.frames) {
            past.count_incident(frame, incident.started_at);
        }
        for (tally, window) in self.tallies.iter_mut().zip(&instant.settings.windows) {
            let from = at.minus(window.length);
            if incident.started_at >= from {
                *tally.started.entry(incident.severity.clone()).or_default() += 1;
                tally.attributed.count(attributed);
            }
            if let Some(resolved_at) = resolved_at.filter(|resolved_at| *resolved_at >= from) {
                let span = resolved_at.since(incident.started_at);
                tally.resolutions.push(span.max(Span::ZERO));
            }
        }
    }

    /// What is known of it; `frames` are those of its team's calendar.
    fn values(mut self, instant: &Instant<'_>, frames: &[Frame<'_>]) -> LevelValues {
        let deployed = self.last_deployment_at.is_some();
        let counts_incidents = deployed || self.had_incident;
        let since = self.since.and(instant.incidents_since);
        let begin = self.begin.and_then(|begin| begin.and(instant.collected.incidents()).at());
        let windows = self.tallies.iter_mut().zip(&instant.settings.windows);
        let windows = windows.zip(self.pasts.iter().zip(frames));
        let windows = windows.map(|((tally, window), (past, frame))| WindowValues {
            coverage: tally.coverage(),
            bounds: Bounding::new(Measure::ALL).bounds(
                tally.sample(deployed, counts_incidents),
                past,
                frame,
                begin,
            ),
            delivery: deployed.then(|| tally.delivery(window)),
            incidents: counts_incidents.then(|| tally.incidents(&instant.severities, window)),
            complete: since.covers(instant.at.minus(window.length)),
        });
        let windows = windows.collect();
        let mut open: BTreeMap<_, _> =
            instant.severities.iter().map(|severity| (severity.clone(), 0)).collect();
        open.extend(self.open);
        LevelValues {
            windows,
            last_deployment_at: self.last_deployment_at,
            unrecovered_deployments: deployed.then_some(self.unrecovered),
            open_incidents: counts_incidents.then_some(open),
        }
    }
}

/// What all levels share.
struct Instant<'s> {
    at: Timestamp,
    settings: &'s MetricSettings,
    /// Every severity known by then.
    severities: BTreeSet<Severity>,
    incidents_since: Since,
    collected: Collected<'s>,
    /// By window: what its numbers are compared with, in the organisation's calendar.
    frames: Vec<Frame<'s>>,
    /// The same of teams that have slow times of their own.
    of_teams: BTreeMap<&'s TeamSlug, Vec<Frame<'s>>>,
}

impl Instant<'_> {
    fn frames(&self, team: &TeamSlug) -> &[Frame<'_>] {
        self.of_teams.get(team).unwrap_or(&self.frames)
    }
}

/// The days of the organisation, and of those teams whose calendar is another one. A slow time is the organisation's
/// if it is every team's.
struct Almanacs<'l> {
    shared: Almanac,
    of_teams: BTreeMap<&'l TeamSlug, Almanac>,
}

impl<'l> Almanacs<'l> {
    fn new(teams: &'l BTreeSet<TeamSlug>, settings: &MetricSettings, at: Timestamp) -> Self {
        let almanac = |calendar: &Calendar| Almanac::new(calendar, longest(&settings.windows), (at, at));
        let shared = watch::shared_calendar(settings, teams);
        let own = teams.iter().map(|team| (team, watch::calendar(settings, team)));
        let own = own.filter(|(_, calendar)| *calendar != shared);
        Self {
            of_teams: own.map(|(team, calendar)| (team, almanac(&calendar))).collect(),
            shared: almanac(&shared),
        }
    }
}

/// All numbers at `at`.
pub fn snapshot(
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
    at: Timestamp,
) -> Snapshot {
    let sources = completeness::incident_sources(linked, inventory, settings);
    let started = linked.incidents.partition_point(|incident| incident.started_at < at);
    let started = linked.incidents.get(..started).unwrap_or_default();
    let almanacs = Almanacs::new(&linked.teams, settings, at);
    let frames = |almanac| settings.windows.iter().map(|window| Frame::new(window, almanac, at)).collect();
    let instant = Instant {
        at,
        settings,
        severities: started.iter().map(|incident| incident.severity.clone()).collect(),
        incidents_since: completeness::incidents_since(&sources, inventory),
        collected: Collected::new(linked, inventory, settings),
        frames: frames(&almanacs.shared),
        of_teams: almanacs.of_teams.iter().map(|(team, almanac)| (*team, frames(almanac))).collect(),
    };
    let mut suspects = suspects(linked, started, at);
    let levels = levels(linked, inventory, started, &instant, &mut suspects);
    let Levels { organization, teams, components } = levels;
    let deployed = components
        .iter()
        .filter(|(_, level)| level.last_deployment_at.is_some())
        .map(|((team, name), _)| ((*team).clone(), (*name).clone()))
        .collect();
    let views = completeness::repositories(linked, inventory, at);
    let detail = match settings.component_detail {
        ComponentDetail::On => components,
        ComponentDetail::Off => Vec::new(),
    };
    let detail =
        detail.into_iter().filter(|(_, level)| level.last_deployment_at.is_some() || level.had_incident);
    Snapshot {
        at,
        windows: settings.windows.clone(),
        organization: organization.values(&instant, &instant.frames),
        teams: teams
            .into_iter()
            .map(|(team, level)| {
                let values = level.values(&instant, instant.frames(team));
                let info = BTreeMap::new();
                (team.clone(), TeamValues { values, info })
            })
            .collect(),
        components: detail
            .map(|((team, name), level)| {
                ((team.clone(), name.clone()), level.values(&instant, instant.frames(team)))
            })
            .collect(),
        deployed,
        excluded: excluded(linked, sources, at),
        repositories: completeness::counts(&views),
        views,
        suspects,
        guardrails: Vec::new(),
        standings: BTreeMap::new(),
        thresholds: BTreeMap::new(),
    }
}

struct Levels<'l> {
    organization: Level,
    teams: BTreeMap<&'l TeamSlug, Level>,
    components: Vec<((&'l TeamSlug, &'l ComponentName), Level)>,
}

fn levels<'l>(
    linked: &'l Linked,
    inventory: &Inventory,
    started: &[LinkedIncident],
    instant: &Instant<'_>,
    suspects: &mut Suspects,
) -> Levels<'l> {
    let windows = instant.settings.windows.len();
    let covered = completeness::repositories_since(inventory);
    let mut levels = Levels {
        organization: Level::new(windows),
        teams: linked.teams.iter().map(|team| (team, Level::new(windows))).collect(),
        components: Vec::with_capacity(linked.components.len()),
    };
    let mut by_name = HashMap::new();
    for component in &linked.components {
        let history = &component.history;
        let mut level = of_component(linked, component, instant, suspects);
        let covered = Since::from(covered.get(&history.repository).copied());
        level.since = covered.and(completeness::known_since(&history.unknown_at, instant.at));
        levels.organization.absorb(&level);
        if let Some(team) = levels.teams.get_mut(&history.team) {
            team.absorb(&level);
        }
        by_name.insert(&history.name, levels.components.len());
        levels.components.push(((&history.team, &history.name), level));
    }
    for incident in started {
        let place = incident.attribution.map(|attribution| attribution.place);
        let deployment = place.and_then(|place| {
            let component = linked.components.get(place.component)?;
            component.history.before(instant.at).get(place.deployment)
        });
        let attributed = deployment.is_some();
        levels.organization.count(incident, attributed, instant);
        if let Some(team) = levels.teams.get_mut(&incident.team) {
            team.count(incident, attributed, instant);
        }
        let component = incident.component.as_ref().and_then(|name| by_name.get(name));
        if let Some((_, level)) = component.and_then(|index| levels.components.get_mut(*index)) {
            level.count(incident, attributed, instant);
        }
    }
    levels
}

fn of_component(
    linked: &Linked,
    component: &LinkedComponent,
    instant: &Instant<'_>,
    suspects: &mut Suspects,
) -> Level {
    let (at, settings) = (instant.at, instant.settings);
    let failures = component.troubled.iter();
    let failures =
        failures.filter_map(|index| Some((*index, linked.failure(component, *index, settings, at)?)));
    let failures: Vec<_> = failures.collect();
    let windows = settings.windows.iter();
    let tallies =
        windows.map(|window| Tally::of(component, &failures, settings, (at.minus(window.length), at)));
    let failed: Vec<_> = failures.iter().map(|(index, _)| *index).collect();
    let begin = instant.collected.component(component);
    let mut level = Level {
        tallies: tallies.collect(),
        pasts: match begin {
            Some(_) => Past::of(component, &failed, settings, &instant.frames, at),
            None => vec![Past::default(); instant.frames.len()],
        },
        begin,
        last_deployment_at: component.history.before(at).last().map(|last| last.deployed_at),
        ..Level::default()
    };
    for (_, failure) in &failures {
        match failure.recovery {
            Some(recovery) => suspects.clock_skew += u64::from(recovery.skewed),
            None => level.unrecovered += 1,
        }
    }
    level
}

/// What is suspect about the facts that count; the rest of the clock skew comes with the recoveries.
fn suspects(linked: &Linked, started: &[LinkedIncident], at: Timestamp) -> Suspects {
    let mut suspects = Suspects::default();
    let mut count = |suspicion: Suspicion| match suspicion {
        Suspicion::ClockSkew => suspects.clock_skew += 1,
        Suspicion::Future => suspects.future += 1,
        Suspicion::UnknownValue => suspects.unknown_value += 1,
    };
    let mut repositories = HashSet::new();
    for component in &linked.components {
        let history = &component.history;
        let of_repository: &[_] =
            if repositories.insert(&history.repository) { &history.repository_suspicions } else { &[] };
        for (since, suspicion) in history.suspicions.iter().chain(of_repository) {
            if *since < at {
                count(*suspicion);
            }
        }
    }
    for incident in started {
        Suspicion::noted(incident.corrections).for_each(&mut count);
        let resolved_at = incident.resolved_before(at);
        if resolved_at.is_some_and(|resolved_at| resolved_at < incident.started_at) {
            count(Suspicion::ClockSkew);
        }
    }
    suspects
}

fn excluded(
    linked: &Linked,
    sources: BTreeSet<SourceName>,
    at: Timestamp,
) -> BTreeMap<(SourceName, Exclusion), u64> {
    let mut excluded = BTreeMap::new();
    for source in sources {
        for reason in Exclusion::ALL {
            excluded.insert((source.clone(), reason), 0);
        }
    }
    for dropped in linked.dropped.iter().filter(|dropped| dropped.started_at < at) {
        *excluded.entry((dropped.source.clone(), dropped.reason)).or_default() += 1;
    }
    excluded
}
