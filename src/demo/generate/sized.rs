//! A world of any size, told plainly: what counts is how much there is, not what it means.

use crate::demo::random::Random;
use crate::demo::world::World;
use crate::demo::world::deployment::State;
use crate::demo::world::organization::Permission;
use crate::demo::world::pull::{Method, Proposal, Verdict};
use crate::demo::world::repository::RepositoryKey;
use crate::model::time::{Span, Timestamp};

/// Everybody who works there.
const PEOPLE: [&str; 6] = ["ada", "bela", "chen", "dora", "emre", "fay"];
/// How long before the story everything was founded.
const FOUNDED_BEFORE: Span = Span::from_days(30);
/// From opening to review to merge to deployment.
const STEP: Span = Span::from_minutes(40);

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Organisations: `org-0`, `org-1`, …
    pub organizations: usize,
    /// Repositories, spread evenly.
    pub repositories: usize,
    /// Teams, spread evenly; each owns the repositories of its place.
    pub teams: usize,
    /// Days that are told.
    pub days: i64,
    /// How many repositories in a thousand are worked on; the others have one change, at the beginning.
    pub active_per_mille: u32,
    /// Changes of an active repository in a hundred days.
    pub changes_per_hundred_days: i64,
}

impl Size {
    /// A company of a thousand repositories, a hundred teams, 180 days.
    pub const M: Self = Self {
        organizations: 1,
        repositories: 1_000,
        teams: 100,
        days: 180,
        active_per_mille: 300,
        changes_per_hundred_days: 60,
    };

    /// So many repositories with hardly any history.
    pub const fn bare(repositories: usize) -> Self {
        Self {
            organizations: 1,
            repositories,
            teams: 0,
            days: 30,
            active_per_mille: 0,
            changes_per_hundred_days: 0,
        }
    }
}

/// The login of the n-th organisation.
pub fn organization_name(place: usize) -> String {
    format!("org-{place}")
}

/// A world of this size, as of this instant: every change is opened, reviewed, merged and deployed to production.
pub fn sized(seed: u64, now: Timestamp, size: &Size) -> World {
    let begin = now.minus(Span::from_days(size.days));
    let founded = begin.minus(FOUNDED_BEFORE);
    let organizations = size.organizations.max(1);
    let mut world = World::new(&organization_name(0), founded);
    for place in 1..organizations {
        world.found(&organization_name(place), founded);
    }
    for team in 0..size.teams {
        world.team(&organization_name(team % organizations), &format!("team-{team}"), founded);
    }
    let mut random = Random::new(seed);
    for place in 0..size.repositories {
        let owner = organization_name(place % organizations);
        let key = world.repository(&format!("{owner}/service-{place}"), founded);
        grant(&mut world, key, place, organizations, size.teams);
        world.push(key, "vera", "Initial commit", founded, founded);
        let active = random.chance(size.active_per_mille);
        let changes = if active { (size.changes_per_hundred_days * size.days / 100).max(1) } else { 1 };
        let apart = Span::from_millis(now.since(begin).millis() / (changes + 1));
        for change in 1..=changes {
            let jitter = random.between(Span::ZERO, Span::from_hours(8));
            let opened_at = begin.plus(Span::from_seconds(apart.millis() * change / 1_000)).minus(jitter);
            tell_change(&mut world, key, &mut random, opened_at);
        }
    }
    world.advance(now);
    world
}

/// The n-th repository belongs to a team of its own organisation.
fn grant(world: &mut World, key: RepositoryKey, place: usize, organizations: usize, teams: usize) {
    let of_organization = teams / organizations;
    if of_organization == 0 {
        return;
    }
    let nth = (place / organizations) % of_organization;
    let team = nth * organizations + place % organizations;
    world.grant(&format!("team-{team}"), key, Permission::Admin);
}

fn tell_change(world: &mut World, key: RepositoryKey, random: &mut Random, opened_at: Timestamp) {
    let (author, reviewer) = (random.word(&PEOPLE), random.word(&PEOPLE));
    let at = |steps: i64| opened_at.plus(Span::from_millis(STEP.millis() * steps));
    let written_at = opened_at.minus(random.around(Span::from_hours(5)));
    let pull =
        world.open_pull(key, Proposal::new("Do better", author).commit(written_at, "Better"), opened_at);
    world.review(pull, reviewer, Verdict::Approved, at(1));
    let landed = world.merge(pull, Method::Squash, at(2));
    let deployment = world.deploy(key, landed, "production", at(3));
    world.status(deployment, State::InProgress, at(3));
    world.status(deployment, State::Success, at(4));
}
