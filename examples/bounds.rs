//! What the intervals cost: a snapshot of 100 teams with 1,000 components, 280 days of history and three windows, with
//! and without a history to say how certain its numbers are. Prints a table.
//!
//! `cargo run --release --example bounds`
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::expect_used, reason = "an example may stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sextant::engine;
use sextant::engine::history::ComponentHistory;
use sextant::engine::regression::facts;
use sextant::engine::snapshot::{Bounds, LevelValues, Snapshot};
use sextant::model::batch::{Contact, Coverage, Inventory, RepositoryFacts, Seen, StoredIncident};
use sextant::model::component::{Component, OwnedIncident, SubjectRule};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Repository,
};
use sextant::model::name::{
    CommitId, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, Severity, SourceName,
    TeamSlug,
};
use sextant::model::settings::{DEFAULT_PRODUCTION, DeploymentsFrom, MetricSettings, environment_pattern};
use sextant::model::time::{Span, Timestamp};

const TEAMS: u64 = 100;
const COMPONENTS: u64 = 1_000;
/// A deployment of two changes.
const DEPLOYMENTS: u64 = 160;
const EVERY: Span = Span::from_hours(42);
/// Of how many deployments one fails.
const FAILING: u64 = 12;
const RUNS: u32 = 15;

fn sha(repository: u64, number: u64) -> CommitId {
    let mut bytes = [0; 20];
    let mut state = repository.wrapping_mul(0xD134_2543_DE82_EF95) ^ number;
    for chunk in bytes.chunks_mut(4) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        chunk.copy_from_slice(mixed.to_be_bytes().get(..4).expect("eight bytes have four"));
    }
    CommitId::new(bytes)
}

/// Components deploy at different times of the day, now earlier and now later.
fn deployed_at(repository: u64, number: u64) -> Timestamp {
    let scattered = (repository * 37 + number * number * 11) % 1_440;
    let minutes = i64::try_from(scattered).unwrap_or_default();
    let steps = i64::try_from(number).unwrap_or_default();
    Timestamp::from_millis(EVERY.millis() * steps).plus(Span::from_minutes(minutes))
}

fn component(number: u64) -> Component {
    Component {
        name: ComponentName::new(format!("r{number}")),
        repository: RepositoryId { source: SourceName::new("github"), number },
        repository_name: RepositoryName::new(format!("acme/r{number}")),
        team: TeamSlug::new(format!("t{}", number % TEAMS)),
        from: DeploymentsFrom::Deployments(environment_pattern(DEFAULT_PRODUCTION).expect("it is our own")),
        paths: None,
    }
}

fn facts_of(component: &Component) -> RepositoryFacts {
    let id = &component.repository;
    let merged_at = |commit: u64| deployed_at(id.number, commit / 2).minus(Span::from_hours(2));
    let commits = (0..DEPLOYMENTS * 2).map(|number| Commit {
        paths: None,
        repository: id.clone(),
        id: sha(id.number, number),
        parents: number.checked_sub(1).map(|before| sha(id.number, before)).into_iter().collect(),
        authored_at: merged_at(number),
        committed_at: merged_at(number),
        author: Author::Human,
        pull_request: None,
        reverts: Vec::new(),
    });
    let changes = (0..DEPLOYMENTS * 2).map(|number| {
        let took = Span::from_hours(i64::try_from((number * 7 + id.number) % 90).unwrap_or_default());
        let began = merged_at(number).minus(took);
        Change {
            paths: None,
            repository: id.clone(),
            number,
            title: String::new(),
            base: "main".into(),
            head: "feature".into(),
            labels: Vec::new(),
            author: Author::Human,
            landing: Some(sha(id.number, number)),
            own_commits: vec![OwnCommit { id: sha(id.number, number), authored_at: began }],
            opened_at: began,
            ready_at: None,
            reviewed_at: None,
            merged_at: merged_at(number),
            reverts: Vec::new(),
            corrections: Corrections::NONE,
        }
    });
    let attempts = (0..DEPLOYMENTS).map(|number| Attempt {
        origin: Origin::Deployment,
        repository: id.clone(),
        id: ExternalId::new(number.to_string()),
        commit: sha(id.number, number * 2 + 1),
        environment: Environment::new("production"),
        created_at: deployed_at(id.number, number),
        finished: Some((Outcome::Success, deployed_at(id.number, number))),
        url: None,
        corrections: Corrections::NONE,
    });
    RepositoryFacts {
        repository: Repository {
            id: id.clone(),
            name: component.repository_name.clone(),
            reach: Reach::Ok,
            default_branch: Some("main".into()),
            head: Some(sha(id.number, DEPLOYMENTS * 2 - 1)),
            created_at: Timestamp::default(),
        },
        commits: commits.collect(),
        changes: changes.map(|fact| Seen { fact, contact: Contact::First }).collect(),
        attempts: attempts.map(|fact| Seen { fact, contact: Contact::Live }).collect(),
    }
}

fn incidents(component: &Component) -> impl Iterator<Item = OwnedIncident> {
    (0..DEPLOYMENTS / FAILING).map(|number| {
        let started_at =
            deployed_at(component.repository.number, number * FAILING).plus(Span::from_minutes(20));
        OwnedIncident {
            stored: StoredIncident {
                incident: Incident {
                    source: SourceName::new("pager"),
                    id: ExternalId::new(format!("{}-{number}", component.repository.number)),
                    title: String::new(),
                    url: None,
                    started_at,
                    acknowledged_at: None,
                    resolved_at: Some(started_at.plus(Span::from_minutes(50))),
                    severity: Severity::none(),
                    urgency: None,
                    subjects: Vec::new(),
                    references: Vec::new(),
                    verdict: None,
                    excluded: None,
                    corrections: Corrections::NONE,
                },
                appeared: Contact::Live,
                resolved: Contact::Live,
            },
            component: Some(component.name.clone()),
            team: component.team.clone(),
            rule: SubjectRule::Configured,
        }
    })
}

/// The median of some runs.
fn timed<T>(run: impl Fn() -> T) -> (Duration, T) {
    let mut result = run();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            result = run();
            begin.elapsed()
        })
        .collect();
    times.sort();
    (times.get(times.len() / 2).copied().unwrap_or_default(), result)
}

fn intervals(snapshot: &Snapshot) -> usize {
    let of = |level: &LevelValues| -> usize {
        let count = |bounds: &Bounds| {
            let Bounds {
                deployments_per_day,
                lead_time,
                lead_time_p90: _,
                change_fail_ratio,
                incidents_per_day,
                recovery_time,
                recovery_time_p90: _,
                rework_ratio,
            } = bounds;
            [
                deployments_per_day,
                lead_time,
                change_fail_ratio,
                incidents_per_day,
                recovery_time,
                rework_ratio,
            ]
            .into_iter()
            .flatten()
            .count()
        };
        level.windows.iter().map(|window| count(&window.bounds)).sum()
    };
    let teams: usize = snapshot.teams.values().map(|team| of(&team.values)).sum();
    of(&snapshot.organization) + teams + snapshot.components.values().map(of).sum::<usize>()
}

fn main() {
    let settings = MetricSettings::new();
    let components: Vec<_> = (0..COMPONENTS).map(component).collect();
    let facts: Vec<_> = components.iter().map(facts_of).collect();
    let histories: Vec<Arc<ComponentHistory>> = components
        .iter()
        .zip(&facts)
        .flat_map(|(component, facts)| engine::histories([component], facts, &settings))
        .map(Arc::new)
        .collect();
    let incidents: Vec<_> = components.iter().flat_map(incidents).collect();
    let linked = engine::link(&histories, &incidents, &settings);
    let repositories: Vec<_> = facts.iter().map(|facts| facts.repository.clone()).collect();
    let known = repositories.iter().map(|repository| Coverage::Repository(repository.id.clone()));
    let known = known.chain([Coverage::Incidents(SourceName::new("pager"))]);
    let covered = known.map(|coverage| (coverage, Timestamp::default())).collect();
    let inventory = Inventory { repositories, covered, ..Inventory::default() };
    let nothing = Inventory { covered: std::collections::BTreeMap::new(), ..inventory.clone() };
    let at = Timestamp::from_millis(EVERY.millis() * i64::try_from(DEPLOYMENTS).unwrap_or_default());

    println!("{COMPONENTS} components, {TEAMS} teams, {DEPLOYMENTS} deployments each; median of {RUNS} runs");
    let (without, snapshot) = timed(|| engine::snapshot(&linked, &nothing, &settings, at));
    println!("snapshot without intervals   {without:>10.1?}   {:>6} intervals", intervals(&snapshot));
    let (with, snapshot) = timed(|| engine::snapshot(&linked, &inventory, &settings, at));
    println!("snapshot with intervals      {with:>10.1?}   {:>6} intervals", intervals(&snapshot));
    let (all, series) = timed(|| facts::teams(&linked.teams, &linked, &inventory, &settings, at));
    let deployments: usize = series.values().map(|team| team.deployments.len()).sum();
    println!("series of all teams          {all:>10.1?}   {deployments:>6} deployments");
}
