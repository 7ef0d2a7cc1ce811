//! What it takes to see something: GitHub's permissions, as far as its documentation tells them.

use super::execute::Context;
use super::node::Thing;
use crate::demo::identity::{Access, Permission};

/// What this field of this thing takes, and whose it is. `None`: nothing more than the thing itself.
fn needed<'a>(thing: &Thing<'a>, field: &str) -> Option<(&'a str, Permission)> {
    Some(match (thing, field) {
        (Thing::Organization(it), "team" | "teams") => (&it.login, Permission::Members),
        (Thing::Repository(it) | Thing::Commit(it, _), "deployments") => (&it.owner, Permission::Deployments),
        (Thing::Repository(it), "pullRequest" | "pullRequests")
        | (Thing::Commit(it, _), "associatedPullRequests") => (&it.owner, Permission::PullRequests),
        (Thing::Repository(it), "issue" | "issues") => (&it.owner, Permission::Issues),
        (Thing::Repository(it), "defaultBranchRef" | "object" | "ref" | "refs" | "releases") => {
            (&it.owner, Permission::Contents)
        }
        (Thing::Run(it, ..), "checkSuite") => (&it.owner, Permission::Checks),
        _ => return None,
    })
}

/// What it takes to get this thing by its id, and whose it is.
fn needed_by_id<'a>(thing: &Thing<'a>) -> Option<(&'a str, Permission)> {
    Some(match thing {
        Thing::Organization(it) => (&it.login, Permission::Metadata),
        Thing::Team(it, _) => (&it.login, Permission::Members),
        Thing::Repository(it) => (&it.owner, Permission::Metadata),
        Thing::Commit(it, _) | Thing::Release(it, _) | Thing::Ref(it, ..) => {
            (&it.owner, Permission::Contents)
        }
        Thing::Pull(it, _) => (&it.owner, Permission::PullRequests),
        Thing::Issue(it, _) => (&it.owner, Permission::Issues),
        Thing::Deployment(it, _) => (&it.owner, Permission::Deployments),
        Thing::Workflow(it, _) | Thing::Run(it, ..) => (&it.owner, Permission::Actions),
        Thing::Query { .. }
        | Thing::RateLimit
        | Thing::Account(_)
        | Thing::RepositoryTopic(_)
        | Thing::Topic(_)
        | Thing::Tag(..)
        | Thing::Blob(..)
        | Thing::GitActor(..)
        | Thing::PullCommit(..)
        | Thing::Review(..)
        | Thing::Event(..)
        | Thing::Label(..)
        | Thing::Status(..)
        | Thing::File(..)
        | Thing::CheckSuite(..) => return None,
    })
}

/// The type and the words of the error, if the caller may not have this field.
pub(super) fn of_field(
    cx: &Context<'_>,
    thing: &Thing<'_>,
    field: &str,
) -> Result<(), (&'static str, String)> {
    check(cx, needed(thing, field), field)
}

/// The same for a thing that is asked for by itself, in this field of the root.
pub(super) fn of_thing(
    cx: &Context<'_>,
    thing: &Thing<'_>,
    field: &str,
) -> Result<(), (&'static str, String)> {
    check(cx, needed_by_id(thing), field)
}

fn check(
    cx: &Context<'_>,
    needed: Option<(&str, Permission)>,
    field: &str,
) -> Result<(), (&'static str, String)> {
    let Some((owner, permission)) = needed else {
        return Ok(());
    };
    let allowed = cx.caller.may(owner, permission, Access::Read);
    allowed.map_err(|denied| (denied.kind(), denied.message(field)))
}
