//! Connections: sorted, cut into pages, shown as nodes and as edges.
//!
//! A cursor names the place between two items by what they are sorted by, not by a number of items: what is added
//! before it moves nothing, and an item that moves is met again or missed, as on GitHub.

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;

use super::execute::{Context, problem};
use super::node::{Node, Resolved, Thing, leaf};
use super::opaque;
use crate::demo::world::organization::Permission;

const CURSOR_PREFIX: &str = "cursor:v2:";

/// What items are sorted by; the id after it makes the order total.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A number: an instant in milliseconds, or a place.
    Number(i64),
    /// A name, case folded by whoever makes it.
    Name(String),
}

/// One item of a connection.
pub(super) struct Item<'a> {
    pub(super) rank: (Rank, u64),
    pub(super) thing: Thing<'a>,
    pub(super) permission: Option<Permission>,
}

impl<'a> Item<'a> {
    pub(super) fn new(rank: Rank, id: u64, thing: Thing<'a>) -> Self {
        Self { rank: (rank, id), thing, permission: None }
    }

    /// An item of a list that has an order of its own.
    pub(super) fn placed((place, thing): (usize, Thing<'a>)) -> Self {
        Self::new(Rank::Number(0), place as u64, thing)
    }

    fn cursor(&self) -> String {
        let (rank, id) = &self.rank;
        let text = match rank {
            Rank::Number(number) => format!("{CURSOR_PREFIX}{id}:n:{number}"),
            Rank::Name(name) => format!("{CURSOR_PREFIX}{id}:t:{name}"),
        };
        opaque::encode(text.as_bytes())
    }
}

/// Reads the cursor in this argument.
pub(super) fn cursor(info: &ResolveInfo<'_>, name: &str) -> Result<Option<(Rank, u64)>, FieldError> {
    let Some(text) = info.arguments().get(name).and_then(JsonValue::as_str) else {
        return Ok(None);
    };
    let invalid = || {
        let message = format!("`{text}` does not appear to be a valid cursor.");
        problem("INVALID_CURSOR_ARGUMENTS", &message)
    };
    let bytes = opaque::decode(text).ok_or_else(invalid)?;
    let plain = String::from_utf8(bytes).map_err(|_| invalid())?;
    let read = || {
        let mut parts = plain.strip_prefix(CURSOR_PREFIX)?.splitn(3, ':');
        let id = parts.next()?.parse().ok()?;
        match (parts.next()?, parts.next()?) {
            ("n", number) => Some((Rank::Number(number.parse().ok()?), id)),
            ("t", name) => Some((Rank::Name(name.to_owned()), id)),
            _ => None,
        }
    };
    read().map(Some).ok_or_else(invalid)
}

/// The page of these items that the arguments `first`, `after`, `last`, `before` ask for.
pub(super) fn connection<'a>(
    cx: &'a Context<'a>,
    info: &ResolveInfo<'a>,
    mut items: Vec<Item<'a>>,
    descending: bool,
) -> Resolved<'a> {
    let order = |a: &(Rank, u64), b: &(Rank, u64)| if descending { b.cmp(a) } else { a.cmp(b) };
    items.sort_by(|a, b| order(&a.rank, &b.rank));
    let total = items.len();
    let mut begin = 0;
    let mut end = total;
    if let Some(after) = cursor(info, "after")? {
        begin = items.partition_point(|item| order(&item.rank, &after).is_le());
    }
    if let Some(before) = cursor(info, "before")? {
        end = items.partition_point(|item| order(&item.rank, &before).is_lt()).max(begin);
    }
    let asked = |name| {
        let given = info.arguments().get(name).and_then(JsonValue::as_i64);
        given.and_then(|items| usize::try_from(items).ok())
    };
    if let Some(first) = asked("first") {
        end = end.min(begin.saturating_add(first));
    } else if let Some(last) = asked("last") {
        begin = begin.max(end.saturating_sub(last));
    }
    items.truncate(end);
    let page: Vec<_> = items.into_iter().skip(begin).collect();
    Ok(ResolvedValue::object(Connection {
        cx,
        type_name: info.field_definition().ty.inner_named_type().as_str(),
        has_previous: begin > 0,
        has_next: end < total,
        page,
        total,
    }))
}

struct Connection<'a> {
    cx: &'a Context<'a>,
    type_name: &'a str,
    page: Vec<Item<'a>>,
    total: usize,
    has_previous: bool,
    has_next: bool,
}

impl ObjectValue for Connection<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "totalCount" => leaf(count(self.total)),
            "nodes" => {
                let key =
                    info.field_selections().first().map_or("nodes", |field| field.response_key().as_str());
                let shown = self.page.iter().enumerate().map(move |(place, item)| {
                    let lifted = self.cx.lift(&item.thing, key, place);
                    ResolvedValue::nullable_object(lifted.then_some(Node { cx: self.cx, thing: item.thing }))
                });
                Ok(ResolvedValue::list(shown))
            }
            "edges" => Ok(ResolvedValue::list(self.page.iter().map(|item| {
                ResolvedValue::object(Edge {
                    cx: self.cx,
                    type_name: info.field_definition().ty.inner_named_type().as_str(),
                    item,
                })
            }))),
            "pageInfo" => Ok(ResolvedValue::object(PageInfo {
                start: self.page.first().map(Item::cursor),
                end: self.page.last().map(Item::cursor),
                has_previous: self.has_previous,
                has_next: self.has_next,
            })),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct Edge<'a> {
    cx: &'a Context<'a>,
    type_name: &'a str,
    item: &'a Item<'a>,
}

impl ObjectValue for Edge<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "cursor" => leaf(self.item.cursor()),
            "node" => Ok(ResolvedValue::object(Node { cx: self.cx, thing: self.item.thing })),
            "permission" => leaf(self.item.permission.map_or("READ", |permission| match permission {
                Permission::Read => "READ",
                Permission::Triage => "TRIAGE",
                Permission::Write => "WRITE",
                Permission::Maintain => "MAINTAIN",
                Permission::Admin => "ADMIN",
            })),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct PageInfo {
    start: Option<String>,
    end: Option<String>,
    has_previous: bool,
    has_next: bool,
}

impl ObjectValue for PageInfo {
    fn type_name(&self) -> &'static str {
        "PageInfo"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "startCursor" => leaf(self.start.clone()),
            "endCursor" => leaf(self.end.clone()),
            "hasPreviousPage" => leaf(self.has_previous),
            "hasNextPage" => leaf(self.has_next),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

/// A count as GraphQL has numbers.
pub(super) fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}
