//! Releases.

use apollo_compiler::resolvers::ResolveInfo;

use super::execute::Context;
use super::node::{Resolved, Thing, id, leaf, number, object, order, time};
use super::paging::{Item, Rank, connection};
use super::repository::{find_ref, url};
use crate::demo::identity::{Access, Permission};
use crate::demo::world::account::Account;
use crate::demo::world::release::Release;
use crate::demo::world::repository::Repository;

/// The releases of a repository.
pub(super) fn list<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let (field, descending) = order(info);
    // Drafts are for those who may push.
    let pushes = cx.caller.may(&repository.owner, Permission::Contents, Access::Write).is_ok();
    let shown = repository.releases.iter().filter(|release| pushes || !release.draft);
    let items = shown.map(|release| {
        let rank = match field {
            "NAME" => Rank::Name(release.tag.to_lowercase()),
            _ => Rank::Number(release.created_at.millis()),
        };
        Item::new(rank, release.database_id, Thing::Release(repository, release))
    });
    connection(cx, info, items.collect(), descending)
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    release: &'a Release,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let tag = || find_ref(repository, &format!("refs/tags/{}", release.tag));
    let latest = || {
        let published = repository.releases.iter().filter(|one| !one.draft && !one.prerelease);
        published.max_by_key(|one| one.created_at).map(|one| one.database_id) == Some(release.database_id)
    };
    Some(match info.field_name() {
        "id" => id("RE", &[repository.database_id, release.database_id]),
        "databaseId" => number(release.database_id),
        "tagName" | "name" => leaf(release.tag.as_str()),
        "description" => leaf(None::<String>),
        "url" => leaf(format!("{}/releases/tag/{}", url(repository), release.tag)),
        "isDraft" => leaf(release.draft),
        "isLatest" => leaf(latest()),
        "isPrerelease" => leaf(release.prerelease),
        "createdAt" => time(release.created_at),
        "publishedAt" => time(release.published_at),
        "updatedAt" => time(release.updated_at),
        "author" => object(
            cx,
            match &release.author {
                account @ Account::User(_) => Some(Thing::Account(account)),
                Account::Bot(_) | Account::Mannequin(_) | Account::Deleted => None,
            },
        ),
        "tag" => object(cx, tag()),
        "tagCommit" => {
            let commit = repository.tags.get(&release.tag).map(|tag| tag.commit);
            object(cx, commit.map(|place| Thing::Commit(repository, place)))
        }
        "repository" => object(cx, Thing::Repository(repository)),
        _ => return None,
    })
}
