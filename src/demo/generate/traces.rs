//! What else GitHub keeps of a deployment in some repositories: a release, a tag, a workflow run; and which paths a
//! change of the monorepo touches.
//!
//! It follows the story and draws nothing, so that the story is the same with it and without.

use super::Teller;
use crate::demo::world::World;
use crate::demo::world::commit::Commit;
use crate::demo::world::deployment::{Deployment, State};
use crate::demo::world::repository::{Repository, RepositoryKey};
use crate::demo::world::workflow::{Conclusion, WorkflowKey};
use crate::model::name::CommitId;
use crate::model::time::{Span, Timestamp};

/// Repositories that release what they deploy, that tag it, and that deploy by a workflow.
pub const RELEASING: [&str; 3] = ["app-ios", "app-android", "pricing"];
/// See [`RELEASING`].
pub const TAGGING: [&str; 2] = ["search-ui", "gateway"];
/// See [`RELEASING`].
pub const RUNNING: [&str; 3] = ["etl", "identity", "suggest"];
/// The repository of three parts.
pub const MONOREPO: &str = "app-backend";
/// The directories of its parts.
pub const PARTS: [&str; 3] = ["services/login", "services/feed", "services/chat"];
/// What its parts share.
const SHARED: &str = "shared";
/// The file of the workflow that deploys.
pub const WORKFLOW_FILE: &str = "deploy.yml";
/// Every so many releases there is a candidate before, and a draft that is never published after.
const CANDIDATE_EVERY: usize = 5;
const DRAFT_EVERY: usize = 8;
/// Every so many runs one only tests and one is stopped.
const SKIPPED_EVERY: usize = 9;
/// How long GitHub keeps runs.
const RUNS_KEPT: Span = Span::from_days(90);
/// A release is published so long after its deployment.
const PUBLISHED_AFTER: Span = Span::from_minutes(2);

/// How far a repository's deployments were followed.
#[derive(Debug)]
pub(super) struct Trail {
    key: RepositoryKey,
    leaves: Leaves,
    followed: usize,
    left: usize,
}

#[derive(Debug, Clone, Copy)]
enum Leaves {
    Releases,
    Tags,
    Runs(WorkflowKey),
}

/// A deployment that is over.
struct Over {
    commit: CommitId,
    begun_at: Timestamp,
    ended_at: Timestamp,
    state: State,
    /// Whether it went to the last environment.
    is_last: bool,
}

impl Teller {
    /// The repositories to be followed, from where the world is.
    pub(super) fn find_trails(world: &World) -> Vec<Trail> {
        let find = |name: &str| world.find(&format!("{}/{name}", super::ORGANIZATION));
        let trail = |key, leaves| {
            let repository = world.at(key);
            let runs = repository.workflows.iter().map(|it| it.run_count).sum::<u64>();
            let left = repository.releases.len() + repository.tags.len() + usize::try_from(runs).unwrap_or(0);
            let followed = if left == 0 { 0 } else { repository.deployments.len() };
            Trail { key, leaves, followed, left }
        };
        let releasing = RELEASING.iter().filter_map(|name| Some(trail(find(name)?, Leaves::Releases)));
        let tagging = TAGGING.iter().filter_map(|name| Some(trail(find(name)?, Leaves::Tags)));
        let running = RUNNING.iter().filter_map(|name| {
            let key = find(name)?;
            let place = world.at(key).workflows.iter().position(|it| it.path.ends_with(WORKFLOW_FILE))?;
            Some(trail(key, Leaves::Runs(WorkflowKey { repository: key, place })))
        });
        releasing.chain(tagging).chain(running).collect()
    }

    /// Leaves what the deployments that ended since the last time leave.
    pub(in crate::demo) fn leave_traces(&mut self, world: &mut World) {
        let now = world.now;
        for trail in &mut self.trails {
            while let Some(over) = next(world.at(trail.key), trail.followed) {
                if over.ended_at.plus(PUBLISHED_AFTER) > now {
                    break;
                }
                trail.followed += 1;
                if over.is_last {
                    trail.leave(world, &over);
                }
            }
            if let Leaves::Runs(_) = trail.leaves {
                world.delete_runs(trail.key, now.minus(RUNS_KEPT), now);
            }
        }
        touch_parts(world);
    }
}

impl Trail {
    fn leave(&mut self, world: &mut World, over: &Over) {
        let Over { commit, begun_at, ended_at, state, is_last: _ } = *over;
        let succeeded = state == State::Success || state == State::Inactive;
        self.left += 1;
        let name = format!("v{}.{}", self.left / 20 + 1, self.left % 20);
        match self.leaves {
            Leaves::Runs(workflow) => {
                let run = world.start_run(workflow, "push", commit, begun_at);
                let conclusion = match state {
                    _ if self.left.is_multiple_of(SKIPPED_EVERY) => Conclusion::Skipped,
                    State::Success | State::Inactive => Conclusion::Success,
                    State::Error => Conclusion::Cancelled,
                    State::Failure | State::InProgress | State::Pending | State::Queued | State::Waiting => {
                        Conclusion::Failure
                    }
                };
                world.finish_run(run, conclusion, ended_at);
                if !succeeded {
                    world.rerun(run, ended_at.plus(Span::from_minutes(1)));
                    world.finish_run(run, Conclusion::Success, ended_at.plus(PUBLISHED_AFTER));
                }
            }
            Leaves::Tags if succeeded => {
                world.push_tag(self.key, &name, commit, self.left.is_multiple_of(2), ended_at);
            }
            Leaves::Releases if succeeded => {
                if self.left.is_multiple_of(CANDIDATE_EVERY) {
                    world.release(self.key, &format!("{name}-rc1"), commit, begun_at);
                }
                if self.left.is_multiple_of(DRAFT_EVERY) {
                    world.draft_release(self.key, &format!("{name}-notes"), commit, ended_at);
                }
                let release = world.draft_release(self.key, &name, commit, begun_at);
                world.publish_release(release, ended_at.plus(PUBLISHED_AFTER));
            }
            Leaves::Tags | Leaves::Releases => {}
        }
    }
}

/// The next deployment, if it is over.
fn next(repository: &Repository, followed: usize) -> Option<Over> {
    let deployment: &Deployment = repository.deployments.get(followed)?;
    let is_end = |state| match state {
        State::Success | State::Failure | State::Error => true,
        State::Inactive | State::InProgress | State::Pending | State::Queued | State::Waiting => false,
    };
    let end = deployment.statuses.iter().find(|status| is_end(status.state))?;
    Some(Over {
        commit: deployment.commit,
        begun_at: deployment.created_at,
        ended_at: end.at,
        state: end.state,
        is_last: deployment.environment.starts_with("prod"),
    })
}

/// Tells which parts of the monorepo the commits touch of which nobody told yet.
fn touch_parts(world: &mut World) {
    let Some(key) = world.find(&format!("{}/{MONOREPO}", super::ORGANIZATION)) else {
        return;
    };
    let untold = |commit: &&Commit| commit.files.is_none() && commit.brings.is_empty();
    let commits = world.at(key).commits.iter().enumerate();
    let untold: Vec<(usize, CommitId)> =
        commits.filter(|(_, commit)| untold(commit)).map(|(place, commit)| (place, commit.id)).collect();
    for (place, commit) in untold {
        let part = PARTS.get(place % PARTS.len()).copied().unwrap_or(SHARED);
        let mut paths = vec![format!("{part}/src/part_{}.rs", place % 7)];
        if place.is_multiple_of(6) {
            paths.push(format!("{SHARED}/wire.rs"));
        }
        if place.is_multiple_of(11) {
            let other = PARTS.get((place + 1) % PARTS.len()).copied().unwrap_or(SHARED);
            paths.push(format!("{other}/src/lib.rs"));
        }
        if place.is_multiple_of(13) {
            paths = vec!["README.md".to_owned()];
        }
        world.touch(key, commit, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
