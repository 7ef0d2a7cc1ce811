//! One GraphQL request: read, validated, priced, executed.

use std::cell::{Cell, RefCell};

use apollo_compiler::executable::{Operation, Selection};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{Execution, FieldError};
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Caller, SAML_MESSAGE};
use super::cost::{Cost, Refusal, cost};
use super::limits::{Heaviness, took_too_long};
use super::node::{Node, Thing};
use crate::demo::budget::Budget;
use crate::demo::exchange::Answer;
use crate::demo::world::World;
use crate::demo::world::account::Account;

/// Stands between an error's type and its message on the way through the executor, which knows messages alone.
const TYPE_MARK: char = '\u{1f}';
/// What the executor puts before the message of a resolver.
const RESOLVER_PREFIX: &str = "resolver error: ";
/// The type of the error that refuses a whole query, since a classic token lacks a scope.
pub(super) const INSUFFICIENT_SCOPES: &str = "INSUFFICIENT_SCOPES";

#[derive(Deserialize)]
struct Body {
    query: Option<String>,
    #[serde(default)]
    variables: Option<JsonMap>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

/// Who asks what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) world: &'a World,
    pub(super) caller: &'a Caller,
    pub(super) heaviness: Heaviness,
    /// Rate limiting is switched off.
    pub(super) unlimited: bool,
}

/// What resolvers share during one request.
pub(super) struct Context<'w> {
    pub(super) world: &'w World,
    pub(super) budget: Budget,
    pub(super) cost: Cost,
    pub(super) caller: &'w Caller,
    /// The account behind the token.
    pub(super) viewer: Account,
    /// The account that stands in for deleted ones where GitHub cannot answer null.
    pub(super) ghost: Account,
    pub(super) heaviness: Heaviness,
    /// How heavy the answer is so far.
    pub(super) weight: Cell<u64>,
    pub(super) unlimited: bool,
    /// Errors that leave a null in a list, which a resolver cannot report.
    pub(super) problems: RefCell<Vec<Value>>,
}

impl Context<'_> {
    /// Takes on the n-th item of a list; not once the answer is too heavy, which is reported.
    pub(super) fn lift(&self, thing: &Thing<'_>, list: &str, place: usize) -> bool {
        if let Thing::Pull(_, pull) = thing {
            self.weight.set(self.weight.get().saturating_add(pull.weight));
        }
        let light = self.weight.get() <= self.heaviness.partial_above;
        if !light {
            self.problems.borrow_mut().push(json!({
                "type": "RESOURCE_LIMITS_EXCEEDED",
                "path": [list, place],
                "message": "Resource limits for this query exceeded.",
            }));
        }
        light
    }
}

/// An error of a field with GitHub's type for it.
pub(super) fn problem(kind: &str, message: &str) -> FieldError {
    FieldError { message: format!("{kind}{TYPE_MARK}{message}") }
}

/// Answers the body of a request, at the cost of the budget.
pub(super) fn answer(schema: &Valid<Schema>, asked: Asked<'_>, budget: &mut Budget, body: &[u8]) -> Answer {
    let Asked { world, caller, heaviness, unlimited } = asked;
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return super::refusal(400, "Problems parsing JSON");
    };
    let Some(query) = body.query else {
        return errors(&[json!({"message": "A query attribute must be specified and must be a string."})]);
    };
    budget.renew(world.now);
    if budget.is_spent() {
        let message = format!("API rate limit exceeded for {}.", caller.budget());
        return errors(&[json!({"type": "RATE_LIMITED", "message": message})]);
    }
    let document = match ExecutableDocument::parse_and_validate(schema, query, "query.graphql") {
        Ok(document) => document,
        Err(invalid) => {
            let reported = invalid.errors.iter().map(|diagnostic| typed(diagnostic.to_json()));
            return errors(&reported.collect::<Vec<_>>());
        }
    };
    let operation = match document.operations.get(body.operation_name.as_deref()) {
        Ok(operation) => operation,
        Err(error) => return errors(&[typed(error.to_graphql_error(&document.sources))]),
    };
    let variables = body.variables.unwrap_or_default();
    let variables = match coerce_variable_values(schema, operation, &variables) {
        Ok(variables) => variables,
        Err(error) => return errors(&[typed(error.to_graphql_error(&document.sources))]),
    };
    let cost = match cost(&document, operation, &variables) {
        Ok(cost) => cost,
        Err(Refusal { kind, message, path }) => {
            return errors(&[json!({"type": kind, "path": path, "message": message})]);
        }
    };
    let dry = is_dry_run(operation);
    if !dry {
        budget.spend(cost.points());
    }
    let context = Context {
        world,
        budget: budget.clone(),
        cost,
        caller,
        viewer: caller.account(),
        ghost: Account::User("ghost".to_owned()),
        heaviness,
        weight: Cell::new(0),
        unlimited,
        problems: RefCell::default(),
    };
    let mut answer = run(schema, &document, operation, &variables, &context, dry);
    answer.points = if dry { 0 } else { cost.points() };
    if context.weight.get() > heaviness.failing_above {
        // What took too long costs once more.
        budget.spend(cost.points());
        let points = answer.points + cost.points();
        answer = took_too_long();
        answer.points = points;
    }
    answer
}

fn run(
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &Valid<JsonMap>,
    context: &Context<'_>,
    dry: bool,
) -> Answer {
    let root = Node { cx: context, thing: Thing::Query { dry } };
    let executed = Execution::new(schema, document)
        .operation(operation)
        .coerced_variable_values(variables)
        .enable_schema_introspection(true)
        .execute_sync(&root);
    let executed = match executed {
        Ok(executed) => executed,
        Err(error) => return errors(&[typed(error.to_graphql_error(&document.sources))]),
    };
    let mut reported: Vec<Value> = executed.errors.into_iter().map(typed).collect();
    reported.extend(context.problems.take());
    // A scope is missed before anything is looked up.
    let mut unscoped = reported.iter().filter(|error| error["type"] == INSUFFICIENT_SCOPES).peekable();
    if unscoped.peek().is_some() {
        return errors(&unscoped.cloned().collect::<Vec<_>>());
    }
    if reported.is_empty() {
        return Answer::json(200, &json!({"data": executed.data}));
    }
    Answer::json(200, &json!({"data": executed.data, "errors": reported}))
}

/// Whether the query asks for its price alone.
fn is_dry_run(operation: &Operation) -> bool {
    operation.selection_set.selections.iter().any(|selection| match selection {
        Selection::Field(field) => {
            let asked = field.specified_argument_by_name("dryRun");
            field.name == "rateLimit" && asked.and_then(|value| value.to_bool()) == Some(true)
        }
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    })
}

fn errors(reported: &[Value]) -> Answer {
    Answer::json(200, &json!({"errors": reported}))
}

/// An error as GitHub writes it: with its type, where it has one.
fn typed(error: GraphQLError) -> Value {
    let GraphQLError { message, locations, path, extensions } = error;
    let message = message.strip_prefix(RESOLVER_PREFIX).unwrap_or(&message);
    let mut written = json!({"message": message});
    let Some(object) = written.as_object_mut() else {
        return written;
    };
    if let Some((kind, message)) = message.split_once(TYPE_MARK) {
        object.insert("type".to_owned(), json!(kind));
        object.insert("message".to_owned(), json!(message));
        if message == SAML_MESSAGE {
            object.insert("extensions".to_owned(), json!({"saml_failure": true}));
        }
    }
    if !locations.is_empty() {
        object.insert("locations".to_owned(), json!(locations));
    }
    if !path.is_empty() {
        object.insert("path".to_owned(), json!(path));
    }
    if !extensions.is_empty() {
        object.insert("extensions".to_owned(), json!(extensions));
    }
    written
}
