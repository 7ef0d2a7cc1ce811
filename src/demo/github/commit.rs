//! Commits, tags and files.

use apollo_compiler::resolvers::ResolveInfo;

use super::execute::Context;
use super::node::{Resolved, Thing, asked, id, instant, leaf, object, order, time, words};
use super::paging::{Item, Rank, connection, cursor};
use super::repository::{find_ref, url};
use super::{deployment, opaque, pull};
use crate::demo::random::Random;
use crate::demo::world::release::Tag;
use crate::demo::world::repository::Repository;
use crate::model::name::CommitId;

/// The digits of an abbreviated SHA-1.
const ABBREVIATED_DIGITS: usize = 7;

/// A commit by its SHA-1, or what an expression names: a branch, a tag, a SHA-1, `HEAD`, or a file of these.
pub(super) fn git_object<'a>(
    repository: &'a Repository,
    oid: Option<&str>,
    expression: Option<&str>,
) -> Option<Thing<'a>> {
    let commit = |id: &str| {
        let place = repository.place(CommitId::parse(id)?)?;
        Some(Thing::Commit(repository, place))
    };
    if let Some(oid) = oid {
        return commit(oid);
    }
    let expression = expression?;
    let (revision, path) = match expression.split_once(':') {
        Some((revision, path)) => (revision, Some(path)),
        None => (expression, None),
    };
    let revision = match revision {
        "HEAD" => repository.default_branch.as_str(),
        named => named,
    };
    let target = match find_ref(repository, revision) {
        Some(Thing::Ref(_, super::node::Prefix::Heads, name)) => {
            repository.branches.get(name).map(|place| Thing::Commit(repository, *place))
        }
        Some(Thing::Ref(_, super::node::Prefix::Tags, name)) => {
            repository.tags.get(name).map(|tag| Thing::Commit(repository, tag.commit))
        }
        _ => commit(revision),
    }?;
    let Some(path) = path else { return Some(target) };
    let (path, text) = repository.files.get_key_value(path)?;
    Some(Thing::Blob(repository, path, text))
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    place: usize,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let commit = repository.commits.get(place)?;
    let headline = commit.message.lines().next().unwrap_or_default();
    Some(match info.field_name() {
        "id" => id("C", &[repository.database_id, place as u64]),
        "oid" => leaf(commit.id.to_string()),
        "abbreviatedOid" => leaf(abbreviated(&commit.id.to_string())),
        "url" | "commitUrl" => leaf(format!("{}/commit/{}", url(repository), commit.id)),
        "message" => leaf(commit.message.as_str()),
        "messageHeadline" => leaf(headline),
        "messageBody" => leaf(commit.message.strip_prefix(headline).unwrap_or_default().trim_start()),
        "authoredDate" => time(commit.authored_at),
        "committedDate" => time(commit.committed_at),
        "author" => object(cx, Thing::GitActor(&commit.author, commit.authored_at)),
        "committer" => object(cx, Thing::GitActor(&commit.author, commit.committed_at)),
        "additions" => leaf(commit.additions),
        "deletions" => leaf(commit.deletions),
        "changedFilesIfAvailable" => leaf(super::paging::count(repository.changed_files(place).len())),
        "repository" => object(cx, Thing::Repository(repository)),
        "parents" => {
            let parents = commit.parents.iter().map(|parent| Thing::Commit(repository, *parent));
            connection(cx, info, parents.enumerate().map(Item::placed).collect(), false)
        }
        "history" => history(cx, repository, place, info),
        "associatedPullRequests" => {
            let pulls = commit.pulls.iter().filter_map(|number| repository.pull(*number));
            let (field, descending) = order(info);
            let items = pulls.map(|one| pull::item(field, repository, one));
            connection(cx, info, items.collect(), descending)
        }
        "deployments" => {
            let environments = words(info.arguments().get("environments"));
            let of_it = repository.deployments.iter().filter(|one| one.commit == commit.id);
            let of_it = of_it.filter(|one| asked(environments.as_deref(), &one.environment));
            let items = of_it.map(|one| deployment::item(repository, one));
            connection(cx, info, items.collect(), order(info).1)
        }
        _ => return None,
    })
}

/// Everything reachable, newest committed first. A cursor names the commit that the walk began at, so that what is
/// pushed between two pages does not move the second.
fn history<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    place: usize,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let pinned = match cursor(info, "after")? {
        Some((Rank::Name(oid), _)) => CommitId::parse(&oid).and_then(|id| repository.place(id)),
        Some((Rank::Number(_), _)) | None => None,
    };
    let begin = pinned.unwrap_or(place);
    let name = repository.commits.get(begin).map(|commit| commit.id.to_string()).unwrap_or_default();
    let (since, until) = (instant(info, "since"), instant(info, "until"));
    let within = |place: &usize| {
        repository.commits.get(*place).is_some_and(|commit| {
            since.is_none_or(|since| commit.committed_at >= since)
                && until.is_none_or(|until| commit.committed_at <= until)
        })
    };
    let walk = repository.history(begin).into_iter().filter(within).enumerate();
    let items = walk.map(|(offset, place)| {
        Item::new(Rank::Name(name.clone()), offset as u64, Thing::Commit(repository, place))
    });
    connection(cx, info, items.collect(), false)
}

pub(super) fn tag_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    name: &'a str,
    tag: &'a Tag,
    depth: usize,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let held = tag.objects.get(depth)?;
    Some(match info.field_name() {
        "name" | "message" => leaf(held.name.as_str()),
        "tagger" => object(cx, Thing::GitActor(&held.tagger, held.at)),
        "target" => object(cx, tag_target(repository, name, tag, depth + 1)),
        _ => {
            let commit = repository.commits.get(tag.commit).map(|commit| commit.id.to_string());
            let content = format!("{}\n{}\n{commit:?}", held.name, held.at);
            return shared_field(cx, repository, &content, info);
        }
    })
}

/// What the n-th arrow from a tag's name points at: a tag object, or the commit.
pub(super) fn tag_target<'a>(
    repository: &'a Repository,
    name: &'a str,
    tag: &'a Tag,
    depth: usize,
) -> Thing<'a> {
    match tag.objects.get(depth) {
        Some(_) => Thing::Tag(repository, name, tag, depth),
        None => Thing::Commit(repository, tag.commit),
    }
}

pub(super) fn blob_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    path: &'a str,
    text: &'a str,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "byteSize" => leaf(super::paging::count(text.len())),
        "isBinary" | "isTruncated" => leaf(false),
        "text" => leaf(text),
        _ => return shared_field(cx, repository, &format!("{path}\n{text}"), info),
    })
}

/// The fields that tags and files have by what they hold.
fn shared_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    content: &str,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let oid = || {
        let salt =
            content.bytes().fold(0, |salt: u64, byte| salt.wrapping_mul(131).wrapping_add(u64::from(byte)));
        let mut random = Random::new(salt);
        let digits = format!("{:016x}{:016x}{:016x}", random.bits(), random.bits(), random.bits());
        digits.chars().take(40).collect::<String>()
    };
    Some(match info.field_name() {
        "id" => leaf(opaque::node_id_of_words("G", &[&repository.database_id.to_string(), content])),
        "oid" => leaf(oid()),
        "abbreviatedOid" => leaf(abbreviated(&oid())),
        "commitUrl" => leaf(format!("{}/commit/{}", url(repository), oid())),
        "repository" => object(cx, Thing::Repository(repository)),
        _ => return None,
    })
}

fn abbreviated(oid: &str) -> String {
    oid.chars().take(ABBREVIATED_DIGITS).collect()
}
