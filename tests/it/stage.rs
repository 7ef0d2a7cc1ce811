//! A small world for stories that are about one thing: three repositories of `acme` with a fortnight of work.

use sextant::demo::world::World;
use sextant::demo::world::deployment::{DeploymentKey, State};
use sextant::demo::world::pull::{Method, Proposal, PullKey, Verdict};
use sextant::demo::world::repository::RepositoryKey;
use sextant::model::name::CommitId;
use sextant::model::time::{Span, Timestamp};

/// Where the small world's story ends.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

pub(crate) fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

/// So many hours before the end.
pub(crate) fn hours_ago(hours: i64) -> Timestamp {
    now().minus(Span::from_hours(hours))
}

/// An empty organisation, a year old.
pub(crate) fn empty() -> World {
    let mut world = World::new("acme", now().minus(Span::from_days(365)));
    world.team("acme", "payments", now().minus(Span::from_days(365)));
    world
}

/// A repository with its first commit deployed, long ago.
pub(crate) fn repository(world: &mut World, name: &str) -> RepositoryKey {
    let begin = now().minus(Span::from_days(30));
    let key = world.repository(&format!("acme/{name}"), begin);
    world.push(key, "vera", "Initial commit", begin, begin);
    let first = world.head(key).unwrap();
    deploy(world, key, first, begin.plus(Span::from_hours(1)));
    key
}

/// Opens a pull request at `opened`, has it reviewed an hour later, and merges it another hour later.
pub(crate) fn merged(
    world: &mut World,
    key: RepositoryKey,
    title: &str,
    opened: Timestamp,
) -> (PullKey, CommitId) {
    let proposal = Proposal::new(title, "uma").commit(opened.minus(Span::from_hours(3)), title);
    let pull = world.open_pull(key, proposal, opened);
    world.review(pull, "vera", Verdict::Approved, opened.plus(Span::from_hours(1)));
    let landing = world.merge(pull, Method::Squash, opened.plus(Span::from_hours(2)));
    (pull, landing)
}

/// Deploys to production: created at `at`, a success ten minutes later.
pub(crate) fn deploy(
    world: &mut World,
    key: RepositoryKey,
    commit: CommitId,
    at: Timestamp,
) -> DeploymentKey {
    let deployment = world.deploy(key, commit, "production", at);
    world.status(deployment, State::InProgress, at.plus(Span::from_minutes(1)));
    world.status(deployment, State::Success, at.plus(Span::from_minutes(10)));
    deployment
}

/// `shop`, `pay` and `search`, each with four changes and four deployments in the last two weeks.
pub(crate) fn small() -> World {
    let mut world = empty();
    for (name, offset) in [("shop", 0), ("pay", 1), ("search", 2)] {
        let key = repository(&mut world, name);
        for step in 0..4 {
            let opened = hours_ago(14 * 24 - step * 72 - offset);
            let (_, landing) = merged(&mut world, key, &format!("Change {step} of {name}"), opened);
            deploy(&mut world, key, landing, opened.plus(Span::from_hours(4)));
        }
    }
    world.advance(now());
    world
}
