//! Organisations and teams.

use apollo_compiler::resolvers::ResolveInfo;

use super::execute::Context;
use super::node::{Resolved, Thing, id, leaf, number, object, order, text, time, truth};
use super::paging::{Item, Rank, connection};
use super::query;
use crate::demo::world::organization::{Organization, Team};
use crate::demo::world::repository::Repository;
use crate::model::time::Timestamp;

pub(super) fn organization_field<'a>(
    cx: &'a Context<'a>,
    organization: &'a Organization,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let login = &organization.login;
    Some(match info.field_name() {
        "id" => id("O", &[organization.database_id]),
        "databaseId" => number(organization.database_id),
        "login" | "name" => leaf(login.as_str()),
        "url" => leaf(format!("https://github.com/{login}")),
        "createdAt" => time(organization.created_at),
        "repository" => query::repository(cx, login, info),
        "repositories" => {
            let owned = cx.world.repositories.iter().filter(|repository| {
                cx.caller.sees(repository)
                    && repository.owner.eq_ignore_ascii_case(login)
                    && truth(info, "isFork").is_none_or(|fork| fork == repository.fork)
                    && truth(info, "isArchived").is_none_or(|it| it == repository.archived_at.is_some())
                    && text(info, "privacy").is_none_or(|it| (it == "PRIVATE") == repository.private)
            });
            let (field, descending) = order(info);
            let items = owned.map(|repository| repository_item(field, repository));
            connection(cx, info, items.collect(), descending)
        }
        "team" => {
            let slug = text(info, "slug").unwrap_or_default();
            let team = organization.teams.iter().find(|team| team.slug == slug);
            object(cx, team.map(|team| Thing::Team(organization, team)))
        }
        "teams" => {
            let asked = text(info, "privacy").is_none_or(|privacy| privacy == "VISIBLE");
            let items = organization.teams.iter().filter(|_| asked).map(|team| {
                let rank = Rank::Name(team.name.to_lowercase());
                Item::new(rank, team.database_id, Thing::Team(organization, team))
            });
            connection(cx, info, items.collect(), order(info).1)
        }
        _ => return None,
    })
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    organization: &'a Organization,
    team: &'a Team,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("T", &[organization.database_id, team.database_id]),
        "databaseId" => number(team.database_id),
        "slug" => leaf(team.slug.as_str()),
        "name" => leaf(team.name.as_str()),
        "description" => leaf(None::<String>),
        "privacy" => leaf("VISIBLE"),
        "combinedSlug" => leaf(format!("{}/{}", organization.login, team.slug)),
        "url" => leaf(format!("https://github.com/orgs/{}/teams/{}", organization.login, team.slug)),
        "createdAt" | "updatedAt" => time(team.created_at),
        "organization" => object(cx, Thing::Organization(organization)),
        "parentTeam" => {
            let slug = team.parent.as_ref();
            let parent = organization.teams.iter().find(|other| Some(&other.slug) == slug);
            object(cx, parent.map(|parent| Thing::Team(organization, parent)))
        }
        "repositories" => {
            let (field, descending) = order(info);
            let items = team.repositories.iter().filter_map(|(key, permission)| {
                let repository = Some(cx.world.at(*key)).filter(|repository| cx.caller.sees(repository))?;
                let mut item = repository_item(field, repository);
                item.permission = Some(*permission);
                Some(item)
            });
            connection(cx, info, items.collect(), descending)
        }
        _ => return None,
    })
}

/// A repository as an item of a list ordered by this field.
fn repository_item<'a>(field: &str, repository: &'a Repository) -> Item<'a> {
    let rank = match field {
        "NAME" => Rank::Name(repository.name.to_lowercase()),
        "PUSHED_AT" => Rank::Number(repository.pushed_at.map_or(0, Timestamp::millis)),
        "UPDATED_AT" => Rank::Number(repository.updated_at.millis()),
        _ => Rank::Number(repository.created_at.millis()),
    };
    Item::new(rank, repository.database_id, Thing::Repository(repository))
}
