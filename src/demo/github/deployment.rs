//! Deployments and their statuses.

use apollo_compiler::resolvers::ResolveInfo;

use super::account::or_ghost;
use super::execute::Context;
use super::node::{Prefix, Resolved, Thing, id, leaf, number, object, time};
use super::paging::{Item, Rank, connection};
use super::repository::url;
use crate::demo::world::deployment::{Deployment, State, Status};
use crate::demo::world::repository::Repository;
use crate::model::time::Span;

/// A deployment that never said anything is given up after so long.
const ABANDONED_AFTER: Span = Span::from_minutes(30);

/// A deployment as an item of a list: GitHub orders them by creation alone.
pub(super) fn item<'a>(repository: &'a Repository, held: &'a Deployment) -> Item<'a> {
    let rank = Rank::Number(held.created_at.millis());
    Item::new(rank, held.database_id, Thing::Deployment(repository, held))
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    held: &'a Deployment,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let status = |status: &'a Status| Thing::Status(repository, held, status);
    Some(match info.field_name() {
        "id" => id("DE", &[repository.database_id, held.database_id]),
        "databaseId" => number(held.database_id),
        "commit" => {
            let place = repository.place(held.commit);
            object(cx, place.map(|place| Thing::Commit(repository, place)))
        }
        "commitOid" => leaf(held.commit.to_string()),
        "environment" | "originalEnvironment" | "latestEnvironment" => leaf(held.environment.as_str()),
        "task" => leaf("deploy"),
        "payload" | "description" => leaf(None::<String>),
        "state" => leaf(state(cx, held)),
        "createdAt" => time(held.created_at),
        "updatedAt" => time(held.updated_at),
        "creator" => object(cx, or_ghost(cx, &held.creator)),
        "ref" => {
            let branch = held.branch.as_ref().and_then(|name| repository.branches.get_key_value(name));
            object(cx, branch.map(|(name, _)| Thing::Ref(repository, Prefix::Heads, name)))
        }
        "latestStatus" => object(cx, held.statuses.last().map(status)),
        "repository" => object(cx, Thing::Repository(repository)),
        "statuses" => {
            // The order is not documented; newest first is what the web shows.
            let items = held.statuses.iter().map(|one| {
                let rank = Rank::Number(one.at.millis());
                Item::new(rank, one.database_id, status(one))
            });
            connection(cx, info, items.collect(), true)
        }
        _ => return None,
    })
}

pub(super) fn status_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    held: &'a Deployment,
    status: &'a Status,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("DES", &[repository.database_id, status.database_id]),
        "state" => leaf(status_state(status.state)),
        "description" | "environmentUrl" => leaf(None::<String>),
        "environment" => leaf(held.environment.as_str()),
        "logUrl" => leaf(format!("{}/actions/runs/{}", url(repository), held.database_id)),
        "createdAt" | "updatedAt" => time(status.at),
        "creator" => object(cx, or_ghost(cx, &held.creator)),
        "deployment" => object(cx, Thing::Deployment(repository, held)),
        _ => return None,
    })
}

/// What a deployment is now: a success is called active.
fn state(cx: &Context<'_>, held: &Deployment) -> &'static str {
    match held.state() {
        Some(State::Success) => "ACTIVE",
        Some(state) => status_state(state),
        None if cx.world.now.since(held.updated_at) > ABANDONED_AFTER => "ABANDONED",
        None => "PENDING",
    }
}

const fn status_state(state: State) -> &'static str {
    match state {
        State::Error => "ERROR",
        State::Failure => "FAILURE",
        State::Inactive => "INACTIVE",
        State::InProgress => "IN_PROGRESS",
        State::Pending => "PENDING",
        State::Queued => "QUEUED",
        State::Success => "SUCCESS",
        State::Waiting => "WAITING",
    }
}
