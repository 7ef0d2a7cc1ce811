//! What a late fact costs the daemon: from what the store took in to a new snapshot, with everything that is published
//! beside it. Over a real store, at a part of reference size L that the command line says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sextant::clock::Clock;
use sextant::model::batch::{Batch, Changes, Contact, Coverage};
use sextant::model::fact::Fact;
use sextant::model::name::SourceName;
use sextant::model::settings::{
    IncidentFilter, MetricSettings, OwnershipRules, RepositoryPatterns, TeamRule,
};
use sextant::recompute::Recompute;
use sextant::store::FactStore;
use sextant::store::sqlite::SqliteStore;

use crate::DAYS;
use crate::world::{GITHUB, PAGER, World, attempt, day};

/// Late facts to take the median of.
const LATE_FACTS: u64 = 9;

/// It is always the last day.
#[derive(Debug)]
struct LastDay;

impl Clock for LastDay {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(day(DAYS).millis()).unwrap_or_default()
    }
}

/// Prints a table.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn measure(teams: u64) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(directory.path().join("late.db")).await?;
    let mut settings = MetricSettings::new();
    settings.incident_filters.insert(SourceName::new(PAGER), IncidentFilter::default());
    let mut rules = OwnershipRules::default();
    rules
        .collected
        .insert(SourceName::new(GITHUB), RepositoryPatterns::parse(["acme/*"]).map_err(|(_, error)| error)?);
    let mut facts = 0;
    for number in 0..teams {
        let world = World::new(number, &settings);
        let repositories = format!("acme/{}-*", world.team);
        rules.teams.push(TeamRule {
            repositories: RepositoryPatterns::parse([repositories.as_str()]).map_err(|(_, error)| error)?,
            slug: world.team.clone(),
            name: world.team.to_string(),
            github_teams: Vec::new(),
            pagerduty_services: Vec::new(),
            info: std::collections::BTreeMap::new(),
        });
        facts += apply(&store, world).await?;
    }
    println!("{teams} teams, {facts} facts\n\n| what | milliseconds |\n| --- | --- |");
    let row = |what: &str, took: Duration| println!("| {what} | {:.2} |", took.as_secs_f64() * 1e3);

    let started = Instant::now();
    let mut recompute = Recompute::load(store.clone(), Arc::new(LastDay), settings, rules).await?;
    row("a start: reading everything", started.elapsed());
    row("a start: the first snapshot, with all looks", recompute.compute(&Changes::default()).await?.took);
    row("a minute later, nothing happened", recompute.compute(&Changes::default()).await?.took);
    let mut took = Vec::new();
    for number in 0..LATE_FACTS {
        let late = late_deployment(&store, number).await?;
        took.push(recompute.compute(&late).await?.took);
    }
    took.sort_unstable();
    row("a late deployment", took.get(took.len() / 2).copied().unwrap_or_default());
    row("a late incident", {
        let late = Changes { incidents: true, ..Changes::default() };
        recompute.compute(&late).await?.took
    });
    Ok(())
}

/// Takes in everything of a team, as a first read would.
async fn apply(store: &SqliteStore, world: World) -> Result<u64, Box<dyn std::error::Error>> {
    let (github, pager) = (SourceName::new(GITHUB), SourceName::new(PAGER));
    let mut written = 0;
    for (_, facts) in world.repositories {
        let id = facts.repository.id.clone();
        let changes = facts.changes.into_iter().map(|seen| Fact::Change(seen.fact));
        let attempts = facts.attempts.into_iter().map(|seen| Fact::Attempt(seen.fact));
        let commits = facts.commits.into_iter().map(Fact::Commit);
        let all = std::iter::once(Fact::Repository(facts.repository)).chain(commits).chain(changes);
        let batch = Batch {
            facts: all.chain(attempts).collect(),
            cursors: Vec::new(),
            covered: vec![(Coverage::Repository(id), day(0))],
            contact: Contact::First,
        };
        written += store.apply(&github, batch).await?.rows_written;
    }
    let incidents = world.incidents.into_iter().map(|owned| Fact::Incident(owned.stored.incident));
    let batch = Batch {
        facts: incidents.collect(),
        cursors: Vec::new(),
        covered: vec![(Coverage::Incidents(pager.clone()), day(0))],
        contact: Contact::First,
    };
    Ok(written + store.apply(&pager, batch).await?.rows_written)
}

/// A deployment of some repository that is heard of today, of a commit that was deployed before.
async fn late_deployment(store: &SqliteStore, number: u64) -> Result<Changes, Box<dyn std::error::Error>> {
    let github = SourceName::new(GITHUB);
    let repositories = store.inventory().await?.repositories;
    let place = usize::try_from(number)? * repositories.len() / usize::try_from(LATE_FACTS)?;
    let id = &repositories.get(place).ok_or("no repository")?.id;
    let facts = store.repository(id).await?.ok_or("nothing of it")?;
    let commit = facts.commits.get(facts.commits.len() / 10 * 9).ok_or("no commit")?;
    let late = attempt(id, u64::MAX - number, commit.id, day(DAYS - 1)).fact;
    let batch = Batch {
        facts: vec![Fact::Attempt(late)],
        cursors: Vec::new(),
        covered: Vec::new(),
        contact: Contact::Live,
    };
    Ok(Changes::from(&store.apply(&github, batch).await?))
}
