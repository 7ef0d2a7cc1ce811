//! Issues, labels and releases.

use apollo_compiler::resolvers::ResolveInfo;
use apollo_compiler::response::JsonValue;

use super::account::or_null;
use super::execute::Context;
use super::node::{Resolved, Thing, asked, id, leaf, number, object, order, time, truth, words};
use super::opaque;
use super::paging::{Item, Rank, connection};
use super::repository::url;
use crate::demo::world::issue::{Issue, StateReason};
use crate::demo::world::repository::Repository;
use crate::model::time::Timestamp;

/// The issues of a repository that the arguments ask for.
pub(super) fn list<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let filter = info.arguments().get("filterBy").and_then(JsonValue::as_object);
    let part = |name| filter.and_then(|filter| filter.get(name));
    let since = part("since").and_then(JsonValue::as_str).and_then(Timestamp::parse);
    let all_of = words(part("labels"));
    let any_of = words(info.arguments().get("labels"));
    let states = words(info.arguments().get("states"));
    let states_too = words(part("states"));
    let has = |issue: &Issue, label: &str| issue.labels.iter().any(|held| held.eq_ignore_ascii_case(label));
    let held = repository.issues.iter().filter(|issue| {
        since.is_none_or(|since| issue.updated_at >= since)
            && asked(states.as_deref(), state(issue))
            && asked(states_too.as_deref(), state(issue))
            && all_of.as_ref().is_none_or(|labels| labels.iter().all(|label| has(issue, label)))
            && any_of.as_ref().is_none_or(|labels| labels.iter().any(|label| has(issue, label)))
    });
    let (field, descending) = order(info);
    let items = held.map(|issue| {
        let rank = match field {
            "UPDATED_AT" => Rank::Number(issue.updated_at.millis()),
            "COMMENTS" => Rank::Number(0),
            _ => Rank::Number(issue.created_at.millis()),
        };
        Item::new(rank, issue.database_id, Thing::Issue(repository, issue))
    });
    connection(cx, info, items.collect(), descending)
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    issue: &'a Issue,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("I", &[repository.database_id, issue.number]),
        "databaseId" => number(issue.database_id),
        "fullDatabaseId" => leaf(issue.database_id.to_string()),
        "number" => number(issue.number),
        "title" => leaf(issue.title.as_str()),
        "body" => leaf(issue.body.as_str()),
        "url" => leaf(format!("{}/issues/{}", url(repository), issue.number)),
        "state" => leaf(state(issue)),
        "stateReason" => leaf(issue.state_reason.map(|reason| match reason {
            StateReason::Completed => "COMPLETED",
            StateReason::Duplicate if truth(info, "enableDuplicate") == Some(true) => "DUPLICATE",
            StateReason::Duplicate | StateReason::NotPlanned => "NOT_PLANNED",
            StateReason::Reopened => "REOPENED",
        })),
        "closed" => leaf(issue.closed_at.is_some()),
        "createdAt" => time(issue.created_at),
        "updatedAt" => time(issue.updated_at),
        "closedAt" => time(issue.closed_at),
        "author" => object(cx, or_null(&issue.author)),
        "repository" => object(cx, Thing::Repository(repository)),
        "labels" => labels(cx, repository, &issue.labels, info),
        _ => return None,
    })
}

/// The labels of an issue or of a pull request.
pub(super) fn labels<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    labels: &'a [String],
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let things = labels.iter().map(|label| Thing::Label(repository, label));
    connection(cx, info, things.enumerate().map(Item::placed).collect(), order(info).1)
}

pub(super) fn label_field<'a>(
    repository: &'a Repository,
    name: &'a str,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => leaf(opaque::node_id_of_words("LA", &[&repository.database_id.to_string(), name])),
        "name" => leaf(name),
        "color" => leaf("d73a4a"),
        "description" => leaf(None::<String>),
        _ => return None,
    })
}

const fn state(issue: &Issue) -> &'static str {
    if issue.closed_at.is_some() { "CLOSED" } else { "OPEN" }
}
