//! What a query costs, before it runs: the published formula, and the limits that refuse a query.
//!
//! Each connection costs one request for every parent that it hangs on, as if every page were full; points are
//! hundredths of that, rounded, and at least one.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::schema::Value as Literal;

/// Items on one page at most, and ids in one `nodes(ids:)`.
const PAGE_ITEMS_MAX: i64 = 100;
/// Nodes that one query may ask for.
const NODES_MAX: u64 = 500_000;
/// Requests that make a point.
const REQUESTS_PER_POINT: u64 = 100;

/// What a query would cost if every page were full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) requests: u64,
    pub(super) nodes: u64,
}

impl Cost {
    pub(super) fn points(self) -> u64 {
        ((self.requests + REQUESTS_PER_POINT / 2) / REQUESTS_PER_POINT).max(1)
    }
}

/// Why a query is refused: GitHub's type of error, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) path: Vec<String>,
}

/// The cost of an operation with these (coerced) variables.
pub(super) fn cost(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &JsonMap,
) -> Result<Cost, Refusal> {
    let mut walk = Walk { document, variables, cost: Cost::default(), path: Vec::new() };
    walk.visit(&[&operation.selection_set], 1)?;
    if walk.cost.nodes > NODES_MAX {
        return Err(Refusal {
            kind: "MAX_NODE_LIMIT_EXCEEDED",
            message: format!(
                "This query requests up to {} possible nodes which exceeds the maximum limit of 500,000.",
                walk.cost.nodes
            ),
            path: Vec::new(),
        });
    }
    Ok(walk.cost)
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    cost: Cost,
    path: Vec<String>,
}

/// The selections of one field of the answer: fields of the same type and key are one.
struct Group<'a> {
    on: &'a str,
    key: &'a str,
    fields: Vec<&'a Field>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, sets: &[&'a SelectionSet], parents: u64) -> Result<(), Refusal> {
        let mut groups = Vec::new();
        for set in sets {
            self.collect(set, &mut groups);
        }
        for Group { key, fields, .. } in groups {
            let Some(first) = fields.first() else { continue };
            self.path.push(key.to_owned());
            let multiplier = if is_connection(first) {
                let items = self.page_items(first)?;
                self.cost.requests = self.cost.requests.saturating_add(parents);
                let nodes = parents.saturating_mul(items);
                self.cost.nodes = self.cost.nodes.saturating_add(nodes);
                items
            } else {
                self.ids(first)?
            };
            let below: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
            self.visit(&below, parents.saturating_mul(multiplier))?;
            self.path.pop();
        }
        Ok(())
    }

    fn collect(&self, set: &'a SelectionSet, groups: &mut Vec<Group<'a>>) {
        for selection in &set.selections {
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
                Selection::InlineFragment(inline) => &inline.directives,
            };
            let condition = |name, otherwise| {
                let given = directives.get(name).and_then(|it| it.specified_argument_by_name("if"));
                given.and_then(|value| self.value(value).as_bool()).unwrap_or(otherwise)
            };
            if condition("skip", false) || !condition("include", true) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let (on, key) = (set.ty.as_str(), field.response_key().as_str());
                    match groups.iter_mut().find(|group| group.on == on && group.key == key) {
                        Some(group) => group.fields.push(field),
                        None => groups.push(Group { on, key, fields: vec![field] }),
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.collect(&fragment.selection_set, groups);
                    }
                }
                Selection::InlineFragment(inline) => self.collect(&inline.selection_set, groups),
            }
        }
    }

    /// How many items a page of this connection holds; refused without a boundary, or with one out of range.
    fn page_items(&self, field: &Field) -> Result<u64, Refusal> {
        for name in ["first", "last"] {
            let Some(items) = self.argument(field, name).as_i64() else {
                continue;
            };
            if (1..=PAGE_ITEMS_MAX).contains(&items) {
                return Ok(u64::try_from(items).unwrap_or(0));
            }
            return Err(self.refusal(
                "EXCESSIVE_PAGINATION",
                format!(
                    "Requesting {items} records on the `{}` connection exceeds the `{name}` limit of {PAGE_ITEMS_MAX} records.",
                    field.name
                ),
            ));
        }
        Err(self.refusal(
            "MISSING_PAGINATION_BOUNDARIES",
            format!(
                "You must provide a `first` or `last` value to properly paginate the `{}` connection.",
                field.name
            ),
        ))
    }

    /// How many nodes a field by ids looks at; 1 for every other field.
    fn ids(&self, field: &Field) -> Result<u64, Refusal> {
        let given = self.argument(field, "ids");
        let Some(ids) = given.as_array() else { return Ok(1) };
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        if i64::try_from(count).is_ok_and(|count| count > PAGE_ITEMS_MAX) {
            let message =
                format!("You may not provide more than {PAGE_ITEMS_MAX} node ids; you provided {count}.");
            return Err(self.refusal("ARGUMENT_LIMIT", message));
        }
        Ok(count)
    }

    fn refusal(&self, kind: &'static str, message: String) -> Refusal {
        Refusal { kind, message, path: self.path.clone() }
    }

    fn argument(&self, field: &Field, name: &str) -> JsonValue {
        let given = field.specified_argument_by_name(name);
        given.map_or(JsonValue::Null, |value| self.value(value))
    }

    /// As much of a literal as the arguments above can be.
    fn value(&self, literal: &Literal) -> JsonValue {
        if let Some(name) = literal.as_variable() {
            return self.variables.get(name.as_str()).cloned().unwrap_or_default();
        }
        if let Some(number) = literal.to_i32() {
            return JsonValue::from(number);
        }
        if let Some(truth) = literal.to_bool() {
            return JsonValue::from(truth);
        }
        let items = literal.as_list().map(|items| items.iter().map(|item| self.value(item)).collect());
        items.map_or(JsonValue::Null, JsonValue::Array)
    }
}

fn is_connection(field: &Field) -> bool {
    field.definition.argument_by_name("first").is_some()
        && field.definition.argument_by_name("last").is_some()
}
