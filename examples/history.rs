//! How fast history is, at reference size L, as a table: `cargo run --release --example history`.
//!
//! 500 teams of ten repositories, five years: 2 M deployments, 10 M changes, 200 k incidents; every day of it, over three
//! windows. One team after the other, on one thread; what makes the facts is not counted. Then what a Prometheus asks for
//! that reads from the daemon, at reference size S: 90 days of one panel by the hour. Compare the figures of one run with
//! each other; the machine and what else it does decide the rest.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a table is what this program is for, and it may stop"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sextant::engine;
use sextant::engine::history::ComponentHistory;
use sextant::engine::link::Linked;
use sextant::engine::regression::tracker::Tracker;
use sextant::engine::series::{History, Instants, Level, Parts, Past, Timeline};
use sextant::exposition::history::{self, Known, Wanted};
use sextant::model::batch::{Contact, Coverage, Inventory, RepositoryFacts, Seen, StoredIncident};
use sextant::model::component::{Component, OwnedIncident, SubjectRule};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Repository,
};
use sextant::model::name::{
    CommitId, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, Severity, SourceName,
    TeamSlug,
};
use sextant::model::settings::{DeploymentsFrom, MetricSettings};
use sextant::model::time::{Span, Timestamp};

/// Reference size L, but for what the command line says.
const TEAMS: u64 = 500;
const REPOSITORIES: u64 = 10;
const DEPLOYMENTS: u64 = 400;
const CHANGES_PER_DEPLOYMENT: u64 = 5;
const INCIDENTS: u64 = 40;
const DAYS: i64 = 1_826;
/// Late facts to take the median of.
const LATE_FACTS: u64 = 25;

fn main() {
    let teams = std::env::args().nth(1).map_or(TEAMS, |teams| teams.parse().expect("a number of teams"));
    let settings = MetricSettings::new();
    let mut total = Totals::default();
    let mut late = Vec::new();
    for team in 0..teams {
        let world = World::new(team, &settings);
        let linked = world.linked(&settings);
        total.add(&linked, &settings);
        if late.len() < usize::try_from(LATE_FACTS).unwrap_or(usize::MAX) {
            late.push(late_fact(world, &linked, &settings));
        }
    }
    total.print(teams);
    late.sort_by_key(Late::whole);
    let median = late.get(late.len() / 2).expect("there is one");
    median.print();
    panels(&settings);
}

fn level() -> Level {
    Level::Team(TeamSlug::new("team"))
}

fn day(day: i64) -> Timestamp {
    Timestamp::default().plus(Span::from_days(day))
}

fn all_days() -> Instants {
    Instants::range(day(1), day(DAYS), Span::from_days(1))
}

/// How long each part took for all teams.
#[derive(Default)]
struct Totals {
    index: Duration,
    timelines: Duration,
    sweeps: [Duration; 3],
    points: usize,
}

/// What is asked for: counts, rates and ratios alone; the six measures; everything but intervals.
const ASKED: [(&str, Parts); 3] = [
    ("counts, rates and ratios", Parts::COUNTS),
    ("the six measures, p50 and p90", Parts::LEAD_TIME.and(Parts::RECOVERY)),
    ("phases and severities too", Parts::VALUES),
];

impl Totals {
    fn add(&mut self, linked: &Linked, settings: &MetricSettings) {
        let (inventory, days) = (Inventory::default(), all_days());
        let started = Instant::now();
        let history = History::new(linked, &inventory, settings);
        self.index += started.elapsed();
        let started = Instant::now();
        let timeline = history.timeline(&level(), &days, Parts::VALUES).expect("there is the team");
        self.timelines += started.elapsed();
        for (took, (_, parts)) in self.sweeps.iter_mut().zip(ASKED) {
            let started = Instant::now();
            for (_, values) in timeline.sweep(&settings.windows, parts, &days) {
                black_box(values);
            }
            *took += started.elapsed();
        }
        self.points += days.len() * settings.windows.len();
    }

    fn print(&self, teams: u64) {
        println!("full history of {teams} teams, {} points, one thread\n", self.points);
        println!("| part | seconds | µs per point |\n| --- | --- | --- |");
        let collecting = self.index + self.timelines;
        let points = u32::try_from(self.points).unwrap_or(u32::MAX);
        let row = |what: &str, took: Duration| {
            println!("| {what} | {:.2} | {:.2} |", took.as_secs_f64(), (took / points).as_secs_f64() * 1e6);
        };
        row("collecting what counts", collecting);
        for (took, (what, _)) in self.sweeps.iter().zip(ASKED) {
            row(what, *took);
            row(&format!("{what}, with collecting"), *took + collecting);
        }
    }
}

/// Reference size S: teams, and repositories of each.
const SMALL: (u64, u64) = (6, 7);
/// What is asked for several times, to take the median of.
const RUNS: usize = 9;

/// One panel each: a number and what it lies in, of one window, of one team and of all of them.
fn panels(settings: &MetricSettings) {
    let (teams, repositories) = SMALL;
    let worlds: Vec<_> = (0..teams).map(|team| World::of(team, repositories, settings)).collect();
    let histories: Vec<_> = worlds.iter().flat_map(|world| world.histories.iter().cloned()).collect();
    let incidents: Vec<_> = worlds.iter().flat_map(|world| world.incidents.iter().cloned()).collect();
    let repositories = worlds.iter().flat_map(|world| &world.repositories);
    let repositories: Vec<_> = repositories.map(|(_, facts)| facts.repository.clone()).collect();
    let covered = repositories.iter().map(|repository| Coverage::Repository(repository.id.clone()));
    let covered = covered.chain([Coverage::Incidents(SourceName::new("pager"))]);
    let inventory = Inventory {
        covered: covered.map(|covered| (covered, day(0))).collect(),
        repositories,
        ..Inventory::default()
    };
    let past = Past {
        linked: Arc::new(engine::link(&histories, &incidents, settings)),
        inventory: Arc::new(inventory),
        settings: Arc::new(settings.clone()),
    };
    let instants = Instants::range(day(DAYS - 90), day(DAYS), Span::from_hours(1));
    println!("\n90 days by the hour, one window of 30 days, {} instants\n", instants.len());
    println!(
        "| panel | series of one team | ms | series of {teams} teams | ms |\n| --- | --- | --- | --- | --- |"
    );
    for measure in [
        "deployments_per_day",
        "lead_time_seconds",
        "change_fail_ratio",
        "incidents_per_day",
        "recovery_time_seconds",
        "rework_ratio",
    ] {
        for bound in ["", "_bound"] {
            let name = format!("dora_team_{measure}{bound}");
            let (one, one_took) = panel(&past, &instants, &name, &|team| team == "t0");
            let (all, all_took) = panel(&past, &instants, &name, &|_| true);
            println!("| {name} | {one} | {:.1} | {all} | {:.1} |", millis(one_took), millis(all_took));
        }
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// How many series there are, and how long it took to make them.
fn panel(past: &Past, instants: &Instants, name: &str, team: &dyn Fn(&str) -> bool) -> (usize, Duration) {
    let tracker = Tracker::default();
    let wanted = Wanted {
        instants,
        metric: &|metric| metric.name == name,
        label: &|label, value| match label {
            "window" => value == "30d",
            "team" => team(value),
            _ => true,
        },
    };
    let mut series = 0;
    let mut took: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            series = 0;
            let told = history::each(Known { past, tracker: &tracker }, &wanted, |found| {
                series += 1;
                black_box(found);
                Ok::<(), Infallible>(())
            });
            told.expect("nothing refuses them");
            started.elapsed()
        })
        .collect();
    took.sort();
    (series, took.get(RUNS / 2).copied().unwrap_or_default())
}

/// What one late fact costs.
struct Late {
    history: Duration,
    collecting: Duration,
    comparing: Duration,
    sweeping: Duration,
    points: usize,
}

impl Late {
    fn whole(&self) -> Duration {
        self.history + self.collecting + self.comparing + self.sweeping
    }

    fn print(&self) {
        println!(
            "\none late deployment of one team, median of {LATE_FACTS}: {} points are touched\n",
            self.points
        );
        println!("| part | milliseconds |\n| --- | --- |");
        for (what, took) in [
            ("its repository's history", self.history),
            ("collecting what counts for its team", self.collecting),
            ("which points it touches", self.comparing),
            ("those points, everything", self.sweeping),
            ("together", self.whole()),
        ] {
            println!("| {what} | {:.2} |", took.as_secs_f64() * 1e3);
        }
    }
}

/// A deployment in the middle of the last year is found out about today.
fn late_fact(mut world: World, before: &Linked, settings: &MetricSettings) -> Late {
    let (inventory, days) = (Inventory::default(), all_days());
    let whole = |linked: &Linked| -> Timeline {
        History::new(linked, &inventory, settings)
            .timeline(&level(), &days, Parts::VALUES)
            .expect("there is the team")
    };
    let earlier = whole(before);
    let (component, facts) = world.repositories.first_mut().expect("there is one");
    let landing = facts.commits.len() / 10 * 9;
    let commit = facts.commits.get(landing).expect("there is one").clone();
    let finished_at = commit.committed_at.plus(Span::from_minutes(1));
    facts.attempts.push(attempt(&component.repository, 9_999_999, commit.id, finished_at));

    let started = Instant::now();
    let history = engine::histories([&*component], facts, settings);
    let derived = started.elapsed();
    world.histories.truncate(0);
    world.histories.extend(history.into_iter().map(Arc::new));
    let again = world.repositories.iter().skip(1);
    let again: Vec<_> = again
        .flat_map(|(component, facts)| engine::histories([component], facts, settings))
        .map(Arc::new)
        .collect();
    world.histories.extend(again);
    let linked = world.linked(settings);
    let history = History::new(&linked, &inventory, settings);
    let started = Instant::now();
    let later = history.timeline(&level(), &days, Parts::VALUES).expect("there is the team");
    let collecting = started.elapsed();
    let longest = settings.windows.iter().map(|window| window.length).max().expect("there are windows");
    let started = Instant::now();
    let touched = earlier.touched(&later, longest);
    let comparing = started.elapsed();
    let points: Instants =
        days.iter().filter(|at| touched.iter().any(|(after, through)| after < at && at <= through)).collect();
    let started = Instant::now();
    // What has to be known for these points alone.
    let part = history.timeline(&level(), &points, Parts::VALUES).expect("there is the team");
    for (_, values) in part.sweep(&settings.windows, Parts::VALUES, &points) {
        black_box(values);
    }
    Late { history: derived, collecting, comparing, sweeping: started.elapsed(), points: points.len() }
}

/// The facts of a team.
struct World {
    repositories: Vec<(Component, RepositoryFacts)>,
    histories: Vec<Arc<ComponentHistory>>,
    incidents: Vec<OwnedIncident>,
}

impl World {
    fn new(team: u64, settings: &MetricSettings) -> Self {
        Self::made(team, 0..REPOSITORIES, "team", settings)
    }

    /// A team among others.
    fn of(team: u64, repositories: u64, settings: &MetricSettings) -> Self {
        let numbers = team * repositories..(team + 1) * repositories;
        Self::made(team, numbers, &format!("t{team}"), settings)
    }

    fn made(seed: u64, numbers: Range<u64>, team: &str, settings: &MetricSettings) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let repositories: Vec<_> = numbers.map(|number| repository(number, team, &mut dice)).collect();
        let histories = repositories.iter().flat_map(|(component, facts)| {
            engine::histories([component], facts, settings).into_iter().map(Arc::new)
        });
        let histories = histories.collect();
        let incidents = repositories.iter().flat_map(|(component, _)| incidents(component, &mut dice));
        let incidents = incidents.collect();
        Self { repositories, histories, incidents }
    }

    fn linked(&self, settings: &MetricSettings) -> Linked {
        engine::link(&self.histories, &self.incidents, settings)
    }
}

/// Xorshift: the same facts in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn span(&mut self, most: Span) -> Span {
        let bound = u64::try_from(most.millis()).unwrap_or(1);
        Span::from_millis(i64::try_from(self.below(bound)).unwrap_or(0))
    }
}

fn sha(repository: u64, number: u64) -> CommitId {
    let mut bytes = [0; 20];
    let mut state = repository.wrapping_mul(0xD134_2543_DE82_EF95) ^ number;
    for chunk in bytes.chunks_mut(4) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).to_be_bytes();
        for (byte, mixed) in chunk.iter_mut().zip(mixed) {
            *byte = mixed;
        }
    }
    CommitId::new(bytes)
}

fn attempt(repository: &RepositoryId, id: u64, commit: CommitId, finished_at: Timestamp) -> Seen<Attempt> {
    Seen {
        fact: Attempt {
            origin: Origin::Deployment,
            repository: repository.clone(),
            id: ExternalId::new(id.to_string()),
            commit,
            environment: Environment::new("production"),
            created_at: finished_at.minus(Span::from_minutes(5)),
            finished: Some((Outcome::Success, finished_at)),
            url: None,
            corrections: Corrections::NONE,
        },
        contact: Contact::First,
    }
}

fn commit(repository: &RepositoryId, change: u64, opened_at: Timestamp, merged_at: Timestamp) -> Commit {
    let parent = change.checked_sub(1).map(|parent| sha(repository.number, parent));
    Commit {
        paths: None,
        repository: repository.clone(),
        id: sha(repository.number, change),
        parents: parent.into_iter().collect(),
        authored_at: opened_at,
        committed_at: merged_at,
        author: Author::Human,
        pull_request: Some(change),
        reverts: Vec::new(),
    }
}

fn pull(
    repository: &RepositoryId,
    change: u64,
    opened_at: Timestamp,
    merged_at: Timestamp,
    dice: &mut Dice,
) -> Seen<Change> {
    let landing = sha(repository.number, change);
    let open = merged_at.since(opened_at).max(Span::from_millis(1));
    let written_at = opened_at.minus(dice.span(Span::from_days(2)));
    let fact = Change {
        paths: None,
        repository: repository.clone(),
        number: change,
        title: String::new(),
        base: "main".into(),
        head: if dice.below(50) == 0 { "hotfix/x".into() } else { "feature".into() },
        labels: Vec::new(),
        author: if dice.below(8) == 0 { Author::Bot } else { Author::Human },
        landing: Some(landing),
        own_commits: vec![OwnCommit { id: landing, authored_at: written_at }],
        opened_at,
        ready_at: None,
        reviewed_at: (dice.below(10) > 0).then(|| opened_at.plus(dice.span(open))),
        merged_at,
        reverts: Vec::new(),
        corrections: Corrections::NONE,
    };
    Seen { fact, contact: Contact::First }
}

/// A repository in which everything is a pull request of one commit, deployed by fives.
fn repository(number: u64, team: &str, dice: &mut Dice) -> (Component, RepositoryFacts) {
    let id = RepositoryId { source: SourceName::new("github"), number };
    let name = RepositoryName::new(format!("acme/r{number}"));
    let component = Component {
        name: ComponentName::new(format!("r{number}")),
        repository: id.clone(),
        repository_name: name.clone(),
        team: TeamSlug::new(team),
        from: DeploymentsFrom::production(),
        paths: None,
    };
    let changes = DEPLOYMENTS * CHANGES_PER_DEPLOYMENT;
    let between = Span::from_millis(Span::from_days(DAYS).millis() / i64::try_from(changes).unwrap_or(1));
    let mut facts = RepositoryFacts {
        repository: Repository {
            id: id.clone(),
            name,
            reach: Reach::Ok,
            default_branch: Some("main".into()),
            head: Some(sha(number, changes - 1)),
            created_at: day(0),
        },
        commits: Vec::new(),
        changes: Vec::new(),
        attempts: Vec::new(),
    };
    let mut merged_at = day(0);
    for change in 0..changes {
        merged_at = merged_at.plus(Span::from_millis(between.millis() / 2)).plus(dice.span(between));
        let opened_at = merged_at.minus(dice.span(Span::from_days(4)));
        facts.commits.push(commit(&id, change, opened_at, merged_at));
        facts.changes.push(pull(&id, change, opened_at, merged_at, dice));
        if change % CHANGES_PER_DEPLOYMENT == 0 {
            let finished_at = merged_at.plus(dice.span(Span::from_minutes(50)));
            facts.attempts.push(attempt(&id, change, sha(number, change), finished_at));
        }
    }
    facts.commits.sort_by_key(|commit| commit.id);
    (component, facts)
}

fn incidents(component: &Component, dice: &mut Dice) -> Vec<OwnedIncident> {
    let severities = ["sev1", "sev2", "sev3", "none"];
    let one = |number: u64, dice: &mut Dice| {
        let started_at = day(0).plus(dice.span(Span::from_days(DAYS)));
        let lasted = dice.span(Span::from_hours(9));
        let severity = usize::try_from(dice.below(4)).ok().and_then(|one| severities.get(one)).copied();
        OwnedIncident {
            stored: StoredIncident {
                incident: Incident {
                    source: SourceName::new("pager"),
                    id: ExternalId::new(format!("{}-{number}", component.repository.number)),
                    title: String::new(),
                    url: None,
                    started_at,
                    acknowledged_at: None,
                    resolved_at: Some(started_at.plus(lasted)),
                    severity: Severity::new(severity.unwrap_or("none")),
                    urgency: None,
                    subjects: Vec::new(),
                    references: Vec::new(),
                    verdict: None,
                    excluded: None,
                    corrections: Corrections::NONE,
                },
                appeared: Contact::First,
                resolved: Contact::First,
            },
            component: Some(component.name.clone()),
            team: component.team.clone(),
            rule: SubjectRule::Configured,
        }
    };
    (0..INCIDENTS).map(|number| one(number, dice)).collect()
}
