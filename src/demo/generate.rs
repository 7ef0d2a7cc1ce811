//! The example organisation: six teams, forty repositories, 180 days, from a seed.
//!
//! A story is a queue of events in the order of time; each draws what follows from it and puts that into the queue:
//! a pull request is opened, reviewed, merged, rolled out, breaks something, is rolled back. What lies after the
//! present stays untold, so that the world ends in the middle of things, as worlds do. [`super::live`] goes on from
//! there with the same events.

mod changes;
mod plan;
mod rollouts;
pub mod sized;
mod traces;
mod trouble;
mod words;

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveTime, Weekday};

pub use self::plan::{DAYS, ORGANIZATION, REPOSITORY_COUNT, TEAM_COUNT};
use self::plan::{Habits, Role};
pub(super) use self::plan::{SERVICE_OF_NOBODY, TEAMS, service_name};
pub use self::traces::{MONOREPO, PARTS, RELEASING, RUNNING, SHARED, TAGGING, WORKFLOW_FILE};
use super::random::Random;
use super::world::World;
use super::world::deployment::DeploymentKey;
use super::world::incident::{IncidentKey, ServiceKey};
use super::world::issue::{IssueKey, StateReason};
use super::world::organization::Permission;
use super::world::pull::{Method, PullKey, Verdict};
use super::world::repository::RepositoryKey;
use crate::model::name::CommitId;
use crate::model::time::{Span, Timestamp};

/// A short day begins at seven and is ten hours long.
const WORK_BEGINS: Span = Span::from_hours(7);
const WORK_LASTS: Span = Span::from_hours(10);
/// The story begins a little before the days that are looked at, so that these begin in the middle of things.
const RUN_UP_DAYS: i64 = 4;

/// The example organisation, 180 days long, as of this instant.
pub fn generate(seed: u64, now: Timestamp) -> World {
    let mut world = World::new(ORGANIZATION, now.minus(Span::from_days(3 * DAYS)));
    let begin = now.minus(Span::from_days(DAYS + RUN_UP_DAYS));
    found(&mut world, begin);
    let mut teller = Teller::new(&world, seed, 1);
    teller.outline(&world, begin, now);
    teller.run(&mut world, now);
    world.advance(now);
    teller.leave_traces(&mut world);
    world
}

/// Teams, repositories, services: all that is there before the story begins.
fn found(world: &mut World, begin: Timestamp) {
    let founded = world.now;
    for habits in &TEAMS {
        world.team(ORGANIZATION, habits.team, founded);
    }
    for place in plan::places() {
        let key = world.repository(&format!("{ORGANIZATION}/{}", place.name), founded);
        if RUNNING.contains(&place.name) {
            world.workflow(key, WORKFLOW_FILE, "Deploy", founded);
        }
        world.at_mut(key).fork = place.role == Role::Fork;
        world.at_mut(key).topics = vec!["service".to_owned(), place.habits.team.to_owned()];
        if place.role != Role::Unowned && place.role != Role::Empty {
            world.grant(place.habits.team, key, Permission::Admin);
            // Everybody may write to everything of everybody: only the highest permission says who owns it.
            world.grant(
                "platform",
                key,
                if place.habits.team == "platform" { Permission::Admin } else { Permission::Write },
            );
        }
        if place.role != Role::Empty {
            world.push(key, "vera", "Initial commit", begin, begin);
        }
        if place.has_service() {
            world.service(&service_name(place.name), Some(place.habits.team), founded);
        }
    }
    world.service(SERVICE_OF_NOBODY, None, founded);
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Event {
    Open(usize),
    Review(PullKey, &'static str, Verdict),
    Ready(PullKey),
    Close(PullKey),
    Merge(usize, PullKey, Method),
    Push(usize),
    Archive(usize),
    Rollout(usize),
    Deploy(Try),
    Finish(Try, DeploymentKey),
    Break(usize, CommitId),
    RollBack(usize, CommitId),
    Revert(usize),
    Hotfix(usize),
    Noise(ServiceKey),
    Acknowledge(IncidentKey),
    Resolve(IncidentKey),
    Reopen(IncidentKey),
    Duplicate(IncidentKey),
    Issue(usize),
    CloseIssue(IssueKey, StateReason),
}

/// One try to bring a commit to the n-th environment of a repository.
#[derive(Debug, Clone, Copy)]
struct Try {
    repository: usize,
    commit: CommitId,
    lane: usize,
    /// How often it was tried before.
    retries: u32,
}

/// What the teller remembers of a repository.
#[derive(Debug)]
struct Told {
    key: RepositoryKey,
    name: &'static str,
    habits: &'static Habits,
    role: Role,
    service: Option<ServiceKey>,
    /// The commit that was rolled out last; it may still be on its way.
    sent: Option<CommitId>,
    /// The commits that reached the last environment, oldest first.
    deployed: Vec<CommitId>,
    /// The pull requests that landed, oldest first.
    landed: Vec<PullKey>,
}

/// Tells the story.
#[derive(Debug)]
pub(super) struct Teller {
    random: Random,
    queue: BTreeMap<(Timestamp, u64), Event>,
    queued: u64,
    told: Vec<Told>,
    /// How many times faster than life things follow from each other.
    hurry: i64,
    /// When one team began to be careless; a story that goes on does so after that.
    careless_since: Timestamp,
    /// How often each awkward case was told: they take turns, so that none is missing.
    reverts: usize,
    hotfixes: usize,
    incidents: usize,
    remedies: usize,
    closings: usize,
    /// How far deployments were followed to what they leave.
    trails: Vec<traces::Trail>,
}

impl Teller {
    /// A teller who knows the example organisation.
    pub(super) fn new(world: &World, seed: u64, hurry: i64) -> Self {
        let trails = Self::find_trails(world);
        let told = plan::places().filter_map(|place| {
            let key = world.find(&format!("{ORGANIZATION}/{}", place.name))?;
            let repository = world.at(key);
            let landed = repository.pulls.iter().enumerate().filter(|(_, pull)| pull.landing.is_some());
            Some(Told {
                key,
                name: place.name,
                habits: place.habits,
                role: place.role,
                service: world.service_named(&service_name(place.name)),
                sent: repository.deployments.last().map(|last| last.commit),
                deployed: repository.deployments.last().map(|last| last.commit).into_iter().collect(),
                landed: landed.map(|(place, _)| PullKey { repository: key, place }).collect(),
            })
        });
        Self {
            random: Random::new(seed),
            queue: BTreeMap::new(),
            queued: 0,
            told: told.collect(),
            hurry: hurry.max(1),
            careless_since: world.now,
            reverts: 0,
            hotfixes: 0,
            incidents: 0,
            remedies: 0,
            closings: 0,
            trails,
        }
    }

    /// Tells everything that is due.
    pub(super) fn run(&mut self, world: &mut World, now: Timestamp) {
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let event = entry.remove();
            self.tell(world, event, at);
        }
    }

    fn tell(&mut self, world: &mut World, event: Event, at: Timestamp) {
        match event {
            Event::Open(place) => self.open(world, place, at),
            Event::Review(pull, reviewer, verdict) => world.review(pull, reviewer, verdict, at),
            Event::Ready(pull) => world.ready_for_review(pull, at),
            Event::Close(pull) => world.close_pull(pull, at),
            Event::Merge(place, pull, method) => self.merge(world, place, pull, method, at),
            Event::Push(place) => self.push(world, place, at),
            Event::Archive(place) => self.archive(world, place, at),
            Event::Rollout(place) => self.roll_out(world, place, at),
            Event::Deploy(attempt) => self.deploy(world, attempt, at),
            Event::Finish(attempt, deployment) => self.finish(world, attempt, deployment, at),
            Event::Break(place, commit) => self.break_down(world, place, commit, at),
            Event::RollBack(place, to) => self.roll_back(place, to, at),
            Event::Revert(place) => self.revert(world, place, at),
            Event::Hotfix(place) => self.hotfix(world, place, at),
            Event::Noise(service) => self.noise(world, service, at),
            Event::Acknowledge(incident) => world.acknowledge_incident(incident, at),
            Event::Resolve(incident) => world.resolve_incident(incident, at),
            Event::Reopen(incident) => self.reopen(world, incident, at),
            Event::Duplicate(incident) => Self::duplicate(world, incident, at),
            Event::Issue(place) => self.issue(world, place, at),
            Event::CloseIssue(issue, reason) => world.close_issue(issue, reason, at),
        }
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// Something follows, after this span in life.
    fn after(&mut self, at: Timestamp, span: Span, event: Event) {
        // Whole seconds: GitHub's and PagerDuty's times have no finer ones.
        let seconds = span.millis() / self.hurry / 1_000;
        self.at(at.plus(Span::from_seconds(seconds)), event);
    }

    /// Everything that has no cause in the story: when people open pull requests, when trains leave, what rains down.
    fn outline(&mut self, world: &World, begin: Timestamp, now: Timestamp) {
        let archived_at = now.minus(Span::from_days(plan::ARCHIVED_DAYS_AGO));
        self.careless_since = now.minus(Span::from_days(plan::CARELESS_DAYS_AGO));
        let midnight = begin.datetime().date_naive().and_time(NaiveTime::MIN).and_utc().into();
        for day in 1..=DAYS + RUN_UP_DAYS {
            let today: Timestamp = Timestamp::plus(midnight, Span::from_days(day));
            let weekday = today.datetime().weekday();
            for place in 0..self.told.len() {
                let is_archived = |told: &Told| told.role == Role::Archived && today >= archived_at;
                if self.told.get(place).is_none_or(is_archived) {
                    continue;
                }
                self.outline_day(place, today, day, weekday);
            }
            self.outline_noise(world, today);
        }
        if let Some(place) = self.told.iter().position(|told| told.role == Role::Archived) {
            self.at(archived_at, Event::Archive(place));
        }
    }

    fn outline_day(&mut self, place: usize, today: Timestamp, day: i64, weekday: Weekday) {
        let Some(told) = self.told.get(place) else { return };
        let (habits, role, service) = (told.habits, told.role, told.service);
        let weight = plan::weekday_per_mille(weekday);
        // Four chances a day: about as uneven as real days are.
        for _ in 0..4 {
            if self.random.chance(plan::opens_per_mille(habits, role) * weight / 4_000) {
                let at = self.working_hour(today);
                self.at(at, Event::Open(place));
            }
        }
        if self.random.chance(plan::pushes_per_mille(habits, role) * weight / 1_000) {
            let at = self.working_hour(today);
            self.at(at, Event::Push(place));
        }
        let is_weekend = matches!(weekday, Weekday::Sat | Weekday::Sun);
        if habits.cadence.leaves(day, weekday) && !is_weekend && role.deploys() {
            let at =
                today.plus(Span::from_hours(13)).plus(self.random.between(Span::ZERO, Span::from_hours(1)));
            self.at(at, Event::Rollout(place));
        }
        if let Some(service) = service
            && self.random.chance(plan::NOISE_PER_MILLE)
        {
            let at = today.plus(self.random.between(Span::ZERO, Span::from_hours(24)));
            self.at(at, Event::Noise(service));
        }
        if role != Role::Empty && self.random.chance(plan::ISSUES_PER_MILLE) {
            let at = self.working_hour(today);
            self.at(at, Event::Issue(place));
        }
    }

    fn outline_noise(&mut self, world: &World, today: Timestamp) {
        if let Some(service) = world.service_named(SERVICE_OF_NOBODY)
            && self.random.chance(2 * plan::NOISE_PER_MILLE)
        {
            let at = today.plus(self.random.between(Span::ZERO, Span::from_hours(24)));
            self.at(at, Event::Noise(service));
        }
    }

    fn working_hour(&mut self, today: Timestamp) -> Timestamp {
        today.plus(WORK_BEGINS).plus(self.random.between(Span::ZERO, WORK_LASTS))
    }

    /// For [`super::live`]: something happens now, with all that follows from it.
    pub(super) fn stir(&mut self, world: &mut World, now: Timestamp) {
        let places = u32::try_from(self.told.len()).unwrap_or(0);
        let place = usize::try_from(self.random.below(places)).unwrap_or(0);
        let role = self.told.get(place).map_or(Role::Empty, |told| told.role);
        match role {
            Role::Service | Role::Unowned => {
                self.change_now(world, place, now);
                self.after(now, Span::from_minutes(2), Event::Rollout(place));
            }
            Role::Merges | Role::Handbook => self.change_now(world, place, now),
            Role::Archived | Role::Empty | Role::Fork => {
                if let Some(service) = world.service_named(SERVICE_OF_NOBODY) {
                    self.at(now, Event::Noise(service));
                }
            }
        }
        self.run(world, now);
    }
}
