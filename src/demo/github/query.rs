//! The root: nodes by id, organisations and repositories by name, the rate limit.

use apollo_compiler::resolvers::{ResolveInfo, ResolvedValue};
use serde_json::json;

use super::access;
use super::caller::SAML_MESSAGE;
use super::execute::{Context, problem};
use super::node::{Node, Resolved, Thing, leaf, object, text, time, truth, words};
use super::opaque;
use crate::demo::world::repository::{Numbered, Repository};

pub(super) fn field<'a>(cx: &'a Context<'a>, dry: bool, info: &'a ResolveInfo<'a>) -> Option<Resolved<'a>> {
    if info.field_name() == "rateLimit" {
        return Some(object(cx, (!cx.unlimited).then_some(Thing::RateLimit)));
    }
    if dry {
        return Some(Ok(ResolvedValue::SkipForPartialExecution));
    }
    let world = cx.world;
    let login = text(info, "login").unwrap_or_default();
    Some(match info.field_name() {
        "node" => {
            let id = text(info, "id").unwrap_or_default();
            match resolve(cx, id) {
                Some(thing) => permitted(cx, thing, info),
                None => Err(problem("NOT_FOUND", &unknown_node(id))),
            }
        }
        "nodes" => Ok(nodes(cx, info)),
        "organization" => {
            let missing = || {
                let message = format!("Could not resolve to an Organization with the login of '{login}'.");
                problem("NOT_FOUND", &message)
            };
            let found = world.organization(login).map(Thing::Organization);
            found.ok_or_else(missing).and_then(|thing| permitted(cx, thing, info))
        }
        "repositoryOwner" => object(cx, world.organization(login).map(Thing::Organization)),
        "repository" => repository(cx, text(info, "owner").unwrap_or_default(), info),
        // Nobody of this world has repositories of their own.
        "user" => {
            let message = format!("Could not resolve to a User with the login of '{login}'.");
            Err(problem("NOT_FOUND", &message))
        }
        "viewer" => object(cx, Thing::Account(&cx.viewer)),
        _ => return None,
    })
}

pub(super) fn rate_limit_field<'a>(cx: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> Option<Resolved<'a>> {
    let int = |number: u64| leaf(i32::try_from(number).unwrap_or(i32::MAX));
    Some(match info.field_name() {
        "cost" => int(cx.cost.points()),
        "nodeCount" => int(cx.cost.nodes),
        "limit" => int(cx.budget.limit),
        "remaining" => int(cx.budget.remaining()),
        "used" => int(cx.budget.used),
        "resetAt" => time(cx.budget.resets_at),
        _ => return None,
    })
}

/// A repository by owner and by the name in the arguments; by an older name too, if that is wanted.
pub(super) fn repository<'a>(cx: &'a Context<'a>, owner: &str, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let name = format!("{owner}/{}", text(info, "name").unwrap_or_default());
    let world = cx.world;
    let today = world.find(&name).map(|key| world.at(key)).filter(|it| cx.caller.sees(it));
    let before = || {
        let follows = truth(info, "followRenames") != Some(false);
        let was = |old: &String| old.eq_ignore_ascii_case(&name);
        let moved = |repository: &&Repository| {
            cx.caller.sees(repository) && repository.previous_names.iter().any(was)
        };
        world.repositories.iter().filter(|_| follows).find(moved)
    };
    let missing = || {
        let message = format!("Could not resolve to a Repository with the name '{name}'.");
        problem("NOT_FOUND", &message)
    };
    let found = today.or_else(before).map(Thing::Repository);
    found.ok_or_else(missing).and_then(|thing| permitted(cx, thing, info))
}

/// A thing, unless the caller may not see it.
fn permitted<'a>(cx: &'a Context<'a>, thing: Thing<'a>, info: &ResolveInfo<'a>) -> Resolved<'a> {
    match access::of_thing(cx, &thing, info.field_name()) {
        Ok(()) => object(cx, thing),
        Err((kind, message)) => Err(problem(kind, &message)),
    }
}

fn nodes<'a>(cx: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
    let key = info.field_selections().first().map_or("nodes", |field| field.response_key().as_str());
    let ids = words(info.arguments().get("ids")).unwrap_or_default();
    let resolved = ids.into_iter().enumerate().map(move |(place, id)| {
        let found = match resolve(cx, id) {
            Some(thing) => access::of_thing(cx, &thing, key).map(|()| thing),
            None => Err(("NOT_FOUND", unknown_node(id))),
        };
        let thing = match found {
            Ok(thing) => Some(thing),
            Err((kind, message)) => {
                let mut error = json!({"type": kind, "path": [key, place], "message": message});
                if let (true, Some(error)) = (message == SAML_MESSAGE, error.as_object_mut()) {
                    error.insert("extensions".to_owned(), json!({"saml_failure": true}));
                }
                cx.problems.borrow_mut().push(error);
                None
            }
        };
        ResolvedValue::nullable_object(thing.map(|thing| Node { cx, thing }))
    });
    ResolvedValue::list(resolved)
}

fn unknown_node(id: &str) -> String {
    format!("Could not resolve to a node with the global id of '{id}'.")
}

/// What this node id names, if it is there.
fn resolve<'a>(cx: &Context<'a>, id: &str) -> Option<Thing<'a>> {
    let world = cx.world;
    let (prefix, numbers) = opaque::read_node_id(id)?;
    match (prefix, numbers.as_slice()) {
        ("O", [organization]) => {
            let found = world.organizations.iter().find(|one| one.database_id == *organization)?;
            Some(Thing::Organization(found))
        }
        ("T", [organization, team]) => {
            let organization = world.organizations.iter().find(|one| one.database_id == *organization)?;
            let team = organization.teams.iter().find(|one| one.database_id == *team)?;
            Some(Thing::Team(organization, team))
        }
        (prefix, [repository, rest @ ..]) => {
            let place = world.repositories.binary_search_by_key(repository, |one| one.database_id).ok()?;
            let repository = world.repositories.get(place).filter(|it| cx.caller.sees(it))?;
            resolve_in(repository, prefix, rest)
        }
        _ => None,
    }
}

fn resolve_in<'a>(repository: &'a Repository, prefix: &str, rest: &[u64]) -> Option<Thing<'a>> {
    match (prefix, rest) {
        ("R", []) => Some(Thing::Repository(repository)),
        ("PR", [number]) => repository.pull(*number).map(|pull| Thing::Pull(repository, pull)),
        ("I", [number]) => match repository.numbered(*number)? {
            Numbered::Issue(_) => repository.issue(*number).map(|issue| Thing::Issue(repository, issue)),
            Numbered::Pull(_) => None,
        },
        ("C", [place]) => {
            let place = usize::try_from(*place).ok()?;
            let commit = repository.commits.get(place).filter(|commit| !commit.gone);
            commit.map(|_| Thing::Commit(repository, place))
        }
        ("DE", [number]) => {
            let deployments = &repository.deployments;
            let place = deployments.binary_search_by_key(number, |one| one.database_id).ok()?;
            deployments.get(place).map(|held| Thing::Deployment(repository, held))
        }
        ("W", [number]) => {
            let workflow = repository.workflows.iter().find(|one| one.database_id == *number)?;
            Some(Thing::Workflow(repository, workflow))
        }
        ("WFR", [number]) => {
            repository.run(*number).map(|(workflow, run)| Thing::Run(repository, workflow, run))
        }
        ("RE", [number]) => {
            let release = repository.releases.iter().find(|one| one.database_id == *number)?;
            Some(Thing::Release(repository, release))
        }
        _ => None,
    }
}
