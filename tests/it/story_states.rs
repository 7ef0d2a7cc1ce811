//! How teams stand, day by day, in a daemon that is moved by hand: what is kept of it, what is taken back, and that
//! looking live and looking back say the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a story that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use sextant::clock::{Clock, SharedClock};
use sextant::config::Config;
use sextant::demo::generate::generate;
use sextant::engine::regression::detect::{Look, Watched};
use sextant::engine::regression::machine::State;
use sextant::engine::regression::series::{Failed, TeamSeries};
use sextant::engine::regression::tracker::Tracker;
use sextant::model::batch::{Batch, Changes, Contact, Coverage};
use sextant::model::day::Day;
use sextant::model::fact::{Attempt, Corrections, Fact, Origin, Outcome, Reach, Repository};
use sextant::model::measure::Measure;
use sextant::model::name::{CommitId, Environment, ExternalId, RepositoryId, SourceName, TeamSlug};
use sextant::model::time::{Span, Timestamp};
use sextant::model::transition::StoredTurn;
use sextant::recompute::{Computed, Recompute};
use sextant::store::FactStore;
use sextant::store::memory::MemoryStore;

use crate::rig::Rig;
use crate::story_numbers::{NOW, example_toml};

#[derive(Debug, Clone)]
struct HandClock(Arc<Mutex<Timestamp>>);

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().datetime()
    }
}

const TOML: &str = r#"
[organization]
name = "acme"

[[github]]
name = "acme"
token_env = "TOKEN"
repositories = ["acme/*"]

[[teams]]
name = "payments"
repositories = ["acme/pay"]

[[teams]]
name = "search"
repositories = ["acme/search"]
"#;

/// Two teams with a repository each, of which the first will stop to deploy.
pub(crate) struct Stage {
    store: MemoryStore,
    clock: HandClock,
    recompute: Recompute<MemoryStore>,
}

/// A Monday, at one in the morning.
fn at(day: i64) -> Timestamp {
    Timestamp::parse("2026-01-05T01:00:00Z").unwrap().plus(Span::from_days(day))
}

fn id(number: u64) -> RepositoryId {
    RepositoryId { source: SourceName::from("acme"), number }
}

async fn load(store: &MemoryStore, clock: &HandClock) -> Recompute<MemoryStore> {
    let config = Config::parse(TOML, "sextant.toml", &|_| Some("token".to_owned()))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let clock: SharedClock = Arc::new(clock.clone());
    Recompute::load(store.clone(), clock, config.metrics, config.ownership).await.unwrap()
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new();
        let clock = HandClock(Arc::new(Mutex::new(at(0))));
        let repository = |number, name: &str| {
            Fact::Repository(Repository {
                id: id(number),
                name: name.into(),
                reach: Reach::Ok,
                default_branch: Some("main".to_owned()),
                head: None,
                created_at: at(-400),
            })
        };
        let batch = Batch {
            facts: vec![repository(1, "acme/pay"), repository(2, "acme/search")],
            covered: [1, 2].map(|number| (Coverage::Repository(id(number)), at(0))).into(),
            ..Batch::default()
        };
        store.apply(&"acme".into(), batch).await.unwrap();
        let recompute = load(&store, &clock).await;
        Self { store, clock, recompute }
    }

    /// Three deployments on each working day of these; or that they never ended well.
    pub(crate) async fn deploy(&self, repository: u64, days: std::ops::Range<i64>, outcome: Option<Outcome>) {
        let working = days.filter(|day| day.rem_euclid(7) < 5);
        let each = working.flat_map(|day| (0..3).map(move |number| (day, number)));
        let facts = each.map(|(day, number)| {
            let ended = at(day).plus(Span::from_hours(9 + number));
            let mut commit = [u8::try_from(number).unwrap(); 20];
            commit[..8].copy_from_slice(&day.to_be_bytes());
            Fact::Attempt(Attempt {
                repository: id(repository),
                id: ExternalId::new(format!("{day}-{number}")),
                origin: Origin::Deployment,
                commit: CommitId::new(commit),
                environment: Environment::from("production"),
                created_at: ended,
                finished: outcome.map(|outcome| (outcome, ended)),
                url: Some(format!("https://github.example/{repository}/{day}/{number}")),
                corrections: Corrections::NONE,
            })
        });
        let batch = Batch { facts: facts.collect(), ..Batch::default() };
        self.store.apply(&"acme".into(), batch).await.unwrap();
    }

    /// Computes at an instant, and once more when it is sure that the past does not grow any more.
    pub(crate) async fn compute(&mut self, day: i64) -> Computed {
        let changes = Changes { repositories: [id(1), id(2)].into(), ..Changes::default() };
        *self.clock.0.lock().unwrap() = at(day);
        self.recompute.compute(&changes).await.unwrap();
        *self.clock.0.lock().unwrap() = at(day).plus(Span::from_minutes(10));
        self.recompute.compute(&Changes::default()).await.unwrap()
    }

    async fn restart(self) -> Self {
        let Self { store, clock, recompute } = self;
        drop(recompute);
        let recompute = load(&store, &clock).await;
        Self { store, clock, recompute }
    }
}

fn counted(computed: &Computed, team: &str, to: &str) -> u64 {
    let labels = [team, "deployments_per_day", to];
    let of = computed.counters.iter().filter(|(key, _)| {
        key.name == "dora_team_state_transitions_total" && key.labels.iter().map(String::as_str).eq(labels)
    });
    of.map(|(_, value)| value.to_string().parse::<u64>().unwrap()).sum()
}

fn state(computed: &Computed, team: &str) -> State {
    computed.snapshot.standings[&(TeamSlug::from(team), Measure::DeploymentsPerDay)].state
}

/// What is kept of a measure of a team, as it was seen.
fn kept(computed: &Computed, to: &str) -> Vec<StoredTurn> {
    let own = computed.turns.iter().filter(|stored| {
        let turn = &stored.seen.turn;
        turn.team.as_str() == "payments" && turn.measure == Measure::DeploymentsPerDay && turn.to == to
    });
    own.cloned().collect()
}

#[tokio::test]
async fn what_was_seen_is_kept_and_what_late_facts_correct_is_withdrawn() {
    let mut stage = Stage::new().await;
    stage.deploy(1, 0..200, Some(Outcome::Success)).await;
    stage.deploy(2, 0..200, Some(Outcome::Success)).await;
    let first = stage.compute(200).await;
    assert_eq!(state(&first, "payments"), State::Ok);
    let ok = kept(&first, "ok");
    assert_eq!(ok.iter().map(|stored| stored.seen.contact).collect::<Vec<_>>(), [Contact::First]);
    assert_eq!(counted(&first, "payments", "ok"), 0, "that was before anybody looked");

    // Payments stops, search goes on.
    stage.deploy(2, 200..240, Some(Outcome::Success)).await;
    let mut regressed_on = None;
    for day in 201..=240 {
        let computed = stage.compute(day).await;
        if regressed_on.is_none() && state(&computed, "payments") == State::Regressed {
            regressed_on = Some(day);
        }
    }
    let day = regressed_on.unwrap();
    let computed = stage.compute(240).await;
    assert_eq!(state(&computed, "search"), State::Ok);
    let regressed = kept(&computed, "regressed");
    assert_eq!(regressed.len(), 1);
    assert_eq!(regressed[0].seen.turn.day, Day::of(at(day), chrono_tz::Tz::UTC));
    assert_eq!((regressed[0].seen.contact, &regressed[0].withdrawn), (Contact::Live, &None));
    let evidence: serde_json::Value = serde_json::from_str(&regressed[0].seen.evidence).unwrap();
    assert_eq!(evidence["state"], "regressed");
    assert!(evidence["comparison"]["ratio"].as_f64().unwrap() < 0.9, "{evidence}");
    assert_eq!(counted(&computed, "payments", "regressed"), 1);

    // A restart changes nothing.
    let mut stage = stage.restart().await;
    let again = stage.compute(240).await;
    assert_eq!(again.turns, computed.turns);
    assert_eq!(again.snapshot.standings, computed.snapshot.standings);
    assert_eq!(again.counters, computed.counters);

    // They had deployed all the time, which was not told.
    stage.deploy(1, 200..240, Some(Outcome::Success)).await;
    let corrected = stage.compute(240).await;
    assert_eq!(state(&corrected, "payments"), State::Ok);
    let regressed = kept(&corrected, "regressed");
    assert_eq!(regressed.len(), 1, "never deleted");
    assert_eq!(regressed[0].withdrawn.as_ref().unwrap().reason, "data corrected");
    assert_eq!(counted(&corrected, "payments", "regressed"), 1, "a counter never goes back");

    // Or did they not? What comes back is another row.
    stage.deploy(1, 200..240, None).await;
    let back = stage.compute(240).await;
    assert_eq!(state(&back, "payments"), State::Regressed);
    let regressed = kept(&back, "regressed");
    assert_eq!(regressed.iter().map(|stored| stored.withdrawn.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(counted(&back, "payments", "regressed"), 2);
}

#[tokio::test]
async fn a_source_of_which_nothing_is_heard_is_suspect_and_no_team_regresses() {
    let mut stage = Stage::new().await;
    for repository in [1, 2] {
        stage.deploy(repository, 0..200, Some(Outcome::Success)).await;
    }
    let mut states = Vec::new();
    for day in (201..=240).step_by(3) {
        states.push(state(&stage.compute(day).await, "payments"));
    }
    assert!(states.contains(&State::DataSuspect) && !states.contains(&State::Regressed), "{states:?}");
    // It is heard of again: the team had stopped indeed, and all that was in doubt is looked at anew.
    stage.deploy(2, 200..240, Some(Outcome::Success)).await;
    let computed = stage.compute(240).await;
    assert_eq!(state(&computed, "payments"), State::Regressed);
    assert!(kept(&computed, "data_suspect").iter().all(|stored| stored.withdrawn.is_some()));
}

#[tokio::test]
async fn todays_look_is_made_after_midnight_and_stays() {
    let mut stage = Stage::new().await;
    stage.deploy(1, 0..200, Some(Outcome::Success)).await;
    let computed = stage.compute(200).await;
    let newest = |computed: &Computed| computed.tracker.newest_day().unwrap();
    assert_eq!(newest(&computed), Day::of(at(200), chrono_tz::Tz::UTC));
    // Ten minutes after midnight it is too early for the next.
    *stage.clock.0.lock().unwrap() = at(201).minus(Span::from_minutes(50));
    let early = stage.recompute.compute(&Changes::default()).await.unwrap();
    assert_eq!(newest(&early), newest(&computed));
    assert_eq!(early.snapshot.standings, computed.snapshot.standings);
    *stage.clock.0.lock().unwrap() = at(201).minus(Span::from_minutes(45));
    let later = stage.recompute.compute(&Changes::default()).await.unwrap();
    assert_eq!(newest(&later), newest(&computed).plus(1));
}

/// The example, read and computed until its past is settled.
async fn example(seed: u64) -> (Rig, Computed) {
    let world = generate(seed, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world).replace("Europe/Berlin", "UTC");
    let mut rig = Rig::new(world, &toml).await;
    rig.look().await;
    rig.later(Span::from_minutes(10));
    let computed = rig.compute().await;
    (rig, computed)
}

#[tokio::test]
async fn every_team_of_the_example_stands_somewhere_and_a_restart_changes_nothing() {
    let (rig, computed) = example(7).await;
    let teams = &computed.snapshot.teams;
    assert!(teams.len() >= 6);
    for (team, values) in teams.iter().filter(|(_, values)| values.values.counts_incidents()) {
        for measure in Measure::ALL {
            let standing = computed.snapshot.standings.get(&(team.clone(), measure));
            assert!(standing.is_some(), "{team} {measure:?} {values:?}");
        }
    }
    let known = computed.snapshot.standings.values().filter(|standing| standing.state != State::Insufficient);
    assert!(known.count() > 10);
    assert!(!computed.turns.is_empty());
    let all = |name: &str| computed.counters.iter().filter(|(key, _)| key.name == name).count();
    assert_eq!(all("dora_team_state_transitions_total"), 0, "all of that is history");

    let mut rig = rig.restart().await;
    rig.compute().await;
    rig.later(Span::from_minutes(10));
    let again = rig.compute().await;
    assert_eq!(again.snapshot.standings, computed.snapshot.standings);
    assert_eq!(again.turns, computed.turns);
}

/// What the format of `replay` can say: a deployment failed when it was made.
fn simplified(watched: &Watched) -> Watched {
    let mut series: TeamSeries = watched.series.clone();
    for deployed in &mut series.deployments {
        deployed.failure = deployed.failure.map(|failure| Failed {
            started_at: deployed.at,
            known_at: deployed.at,
            recovered_at: failure.recovered_at.map(|at| at.max(deployed.at)),
        });
    }
    Watched { series, witness: None, ..watched.clone() }
}

fn write(folder: &Path, team: &TeamSlug, series: &TeamSeries, today: Day) {
    let folder = folder.join(team.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let mut deployments =
        "id,team,component,started_at,finished_at,status,unplanned,failed,recovered_at\n".to_owned();
    let mut changes = "id,deployment_id,first_commit_at\n".to_owned();
    for (id, deployed) in series.deployments.iter().enumerate() {
        let recovered_at = deployed.failure.and_then(|failure| failure.recovered_at);
        let recovered_at = recovered_at.map_or_else(String::new, |at| at.to_string());
        let (unplanned, failed) = (u8::from(deployed.unplanned), u8::from(deployed.failure.is_some()));
        let at = deployed.at;
        writeln!(deployments, "{id},{team},c,{at},{at},success,{unplanned},{failed},{recovered_at}").unwrap();
        for (number, span) in deployed.lead_times.iter().enumerate() {
            writeln!(changes, "{id}-{number},{id},{}", at.minus(*span)).unwrap();
        }
    }
    let mut incidents = "id,team,opened_at,resolved_at,deployment_id\n".to_owned();
    for (id, at) in series.incidents.iter().enumerate() {
        writeln!(incidents, "{id},{team},{at},,").unwrap();
    }
    // What was read, from the first day of the history on, and until today is looked on.
    let days = [series.since, today.minus(1)];
    let coverage = days.map(|day| format!("{day},all,1\n")).concat();
    file("deployments.csv", &deployments);
    file("changes.csv", &changes);
    file("incidents.csv", &incidents);
    file("coverage.csv", &format!("date,source,complete\n{coverage}"));
}

const fn metric(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay => "deployment_frequency",
        Measure::LeadTime => "lead_time",
        Measure::ChangeFailRatio => "change_fail_rate",
        Measure::IncidentsPerDay => "incident_rate",
        Measure::RecoveryTime => "recovery_time",
        Measure::ReworkRatio => "rework_rate",
    }
}

#[tokio::test]
async fn replaying_the_facts_of_the_example_gives_the_states_of_the_daemon() {
    let (_rig, computed) = example(7).await;
    let live = &computed.tracker;
    let today = live.newest_day().unwrap();
    let teams: BTreeMap<TeamSlug, Watched> =
        live.teams().map(|team| (team.clone(), simplified(live.watched(team).unwrap()))).collect();
    let mut tracker = Tracker::default();
    tracker.update(teams.clone(), today);

    let folder = tempfile::tempdir().unwrap();
    for (team, watched) in &teams {
        write(&folder.path().join("facts"), team, &watched.series, today);
    }
    let out = folder.path().join("states.csv");
    let replay = Command::new(env!("CARGO_BIN_EXE_sextant"))
        .arg("replay")
        .args(["--facts".as_ref(), folder.path().join("facts").as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .output()
        .unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let text = std::fs::read_to_string(out).unwrap();
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let states: BTreeMap<(&str, &str, &str), (&str, &str)> =
        rows.map(|row| ((row[0], row[1], row[2]), (row[3], row[4]))).collect();
    let mut compared = 0;
    for (team, watched) in &teams {
        let since = watched.series.since;
        let days = (0..=today.since(since)).map(|offset| since.plus(offset));
        let wanted = days.flat_map(|day| Measure::ALL.map(|measure| (measure, day))).collect();
        for Look { measure, day, state, score, .. } in tracker.looks(team, &wanted) {
            let day = day.to_string();
            let (replayed, evidence) = states[&(team.as_str(), metric(measure), day.as_str())];
            assert_eq!(replayed, state.label(), "{team} {measure:?} {day}");
            assert_eq!(evidence, score.map_or_else(String::new, |score| format!("{:.6}", score.worse)));
            compared += 1;
        }
    }
    assert!(compared > 5_000, "{compared}");
    let stands = states.values().filter(|(state, _)| *state != "insufficient").count();
    assert!(stands > 1_000, "{stands}");
}
