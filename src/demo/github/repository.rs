//! Repositories, their refs and topics.

use apollo_compiler::resolvers::ResolveInfo;
use apollo_compiler::response::JsonValue;

use super::execute::Context;
use super::node::{Prefix, Resolved, Thing, asked, id, leaf, number, object, order, text, time, words};
use super::paging::{Item, Rank, connection};
use super::{commit, deployment, issue, opaque, pull, release};
use crate::demo::world::repository::Repository;

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let archived = repository.archived_at.is_some();
    Some(match info.field_name() {
        "id" => id("R", &[repository.database_id]),
        "databaseId" => number(repository.database_id),
        "name" => leaf(repository.name.as_str()),
        "nameWithOwner" => leaf(repository.name_with_owner()),
        "url" => leaf(url(repository)),
        "description" => leaf(None::<String>),
        "createdAt" => time(repository.created_at),
        "updatedAt" => time(repository.updated_at),
        "pushedAt" => time(repository.pushed_at),
        "archivedAt" => time(repository.archived_at),
        "isArchived" => leaf(archived),
        "isDisabled" | "isTemplate" => leaf(false),
        "isEmpty" => leaf(repository.head().is_none()),
        "isFork" => leaf(repository.fork),
        "isPrivate" => leaf(repository.private),
        "hasIssuesEnabled" | "mergeCommitAllowed" | "squashMergeAllowed" | "rebaseMergeAllowed" => leaf(true),
        "visibility" => leaf(if repository.private { "PRIVATE" } else { "PUBLIC" }),
        "parent" => object(cx, None),
        "owner" => object(cx, cx.world.organization(&repository.owner).map(Thing::Organization)),
        "defaultBranchRef" => {
            let branch = repository.branches.get_key_value(&repository.default_branch);
            object(cx, branch.map(|(name, _)| Thing::Ref(repository, Prefix::Heads, name)))
        }
        "ref" => object(cx, find_ref(repository, text(info, "qualifiedName").unwrap_or_default())),
        "object" => object(cx, commit::git_object(repository, text(info, "oid"), text(info, "expression"))),
        "issue" | "pullRequest" => one(cx, repository, info),
        _ => return lists(cx, repository, info),
    })
}

/// What hangs on a repository by number.
fn one<'a>(cx: &'a Context<'a>, repository: &'a Repository, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let given = info.arguments().get("number").and_then(JsonValue::as_u64);
    let number = given.unwrap_or(0);
    if info.field_name() == "issue" {
        return object(cx, repository.issue(number).map(|issue| Thing::Issue(repository, issue)));
    }
    object(cx, repository.pull(number).map(|pull| Thing::Pull(repository, pull)))
}

fn lists<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "refs" => refs(cx, repository, info),
        "deployments" => {
            let environments = words(info.arguments().get("environments"));
            let held = repository.deployments.iter();
            let held = held.filter(|one| asked(environments.as_deref(), &one.environment));
            connection(cx, info, held.map(|one| deployment::item(repository, one)).collect(), order(info).1)
        }
        "pullRequests" => pull::list(cx, repository, info),
        "issues" => issue::list(cx, repository, info),
        "releases" => release::list(cx, repository, info),
        "repositoryTopics" => {
            let topics = repository.topics.iter().map(|topic| Thing::RepositoryTopic(topic));
            connection(cx, info, topics.enumerate().map(Item::placed).collect(), false)
        }
        _ => return None,
    })
}

fn refs<'a>(cx: &'a Context<'a>, repository: &'a Repository, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let wanted = text(info, "query").unwrap_or_default();
    let committed_at =
        |place: usize| repository.commits.get(place).map_or(0, |commit| commit.committed_at.millis());
    let mut held: Vec<(Prefix, &str, i64)> = Vec::new();
    let prefix = text(info, "refPrefix").unwrap_or_default();
    if prefix.trim_end_matches('/') == "refs/heads" {
        let heads = repository.branches.iter();
        held.extend(heads.map(|(name, place)| (Prefix::Heads, name.as_str(), committed_at(*place))));
    }
    if prefix.trim_end_matches('/') == "refs/tags" {
        let tags = repository.tags.iter();
        // By the date of the commit underneath, whenever it was tagged: so the schema says.
        held.extend(tags.map(|(name, tag)| (Prefix::Tags, name.as_str(), committed_at(tag.commit))));
    }
    let (field, mut descending) = order(info);
    if field.is_empty() {
        descending = text(info, "direction") == Some("DESC");
    }
    let items = held.into_iter().filter(|(_, name, _)| name.contains(wanted)).enumerate();
    let items = items.map(|(place, (prefix, name, at))| {
        let rank = match field {
            "TAG_COMMIT_DATE" => Rank::Number(at),
            _ => Rank::Name(name.to_owned()),
        };
        Item::new(rank, place as u64, Thing::Ref(repository, prefix, name))
    });
    connection(cx, info, items.collect(), descending)
}

/// A branch or tag by its full name, or by its short one, branches first.
pub(super) fn find_ref<'a>(repository: &'a Repository, name: &str) -> Option<Thing<'a>> {
    let head = |name: &str| {
        let (name, _) = repository.branches.get_key_value(name)?;
        Some(Thing::Ref(repository, Prefix::Heads, name.as_str()))
    };
    let tag = |name: &str| {
        let (name, _) = repository.tags.get_key_value(name)?;
        Some(Thing::Ref(repository, Prefix::Tags, name.as_str()))
    };
    let plain = name.strip_prefix("refs/").unwrap_or(name);
    if let Some(name) = plain.strip_prefix("heads/") {
        return head(name);
    }
    if let Some(name) = plain.strip_prefix("tags/") {
        return tag(name);
    }
    head(name).or_else(|| tag(name))
}

pub(super) fn ref_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    prefix: Prefix,
    name: &'a str,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => leaf(opaque::node_id_of_words(
            "REF",
            &[&repository.database_id.to_string(), prefix.as_str(), name],
        )),
        "name" => leaf(name),
        "prefix" => leaf(prefix.as_str()),
        "repository" => object(cx, Thing::Repository(repository)),
        "target" => object(
            cx,
            match prefix {
                Prefix::Heads => repository.branches.get(name).map(|place| Thing::Commit(repository, *place)),
                Prefix::Tags => repository
                    .tags
                    .get_key_value(name)
                    .map(|(name, tag)| commit::tag_target(repository, name, tag, 0)),
            },
        ),
        _ => return None,
    })
}

pub(super) fn topic_field<'a>(
    cx: &'a Context<'a>,
    name: &'a str,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => leaf(opaque::node_id_of_words("TOP", &[name])),
        "name" => leaf(name),
        "topic" => object(cx, Thing::Topic(name)),
        _ => return None,
    })
}

/// The web address of a repository.
pub(in crate::demo) fn url(repository: &Repository) -> String {
    format!("https://github.com/{}/{}", repository.owner, repository.name)
}
