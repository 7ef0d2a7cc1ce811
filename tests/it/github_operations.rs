//! Every GraphQL operation, as it is sent at its largest, against GitHub's public schema and its formula of costs.

use std::fmt::Write as _;

use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::Value;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

use sextant::source::github::operations::{Request, largest};
use sextant::source::github::server::oldest;

const SCHEMA: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/node_modules/@octokit/graphql-schema/schema.graphql");

/// The most nodes of one query, by GitHub's rules; ours stay below a tenth of it.
const NODES_MAX: u64 = 500_000 / 10;

fn schema() -> Valid<Schema> {
    let text = std::fs::read_to_string(SCHEMA)
        .unwrap_or_else(|error| panic!("cannot read {SCHEMA} ({error}): run scripts/fetch-schemas"));
    // The published schema defines two fields twice, so that it is no valid SDL; operations can be held against it.
    match Schema::parse_and_validate(text, "schema.graphql") {
        Ok(schema) => schema,
        Err(error) => Valid::assume_valid(error.partial),
    }
}

/// GitHub's formula: one request for each parent of each connection, as if every page were full.
struct Cost<'a> {
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    requests: u64,
    nodes: u64,
}

impl Cost<'_> {
    fn of(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> (u64, u64) {
        let mut cost = Cost { document, variables, requests: 0, nodes: 0 };
        cost.visit(&operation.selection_set, 1);
        (((cost.requests + 50) / 100).max(1), cost.nodes)
    }

    fn visit(&mut self, set: &SelectionSet, parents: u64) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.field(field, parents),
                Selection::InlineFragment(fragment) => self.visit(&fragment.selection_set, parents),
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.document.fragments[&spread.fragment_name];
                    self.visit(&fragment.selection_set, parents);
                }
            }
        }
    }

    fn field(&mut self, field: &Field, parents: u64) {
        let skipped = field.directives.get("include").is_some_and(|include| {
            let condition = include.specified_argument_by_name("if").unwrap();
            self.value(condition).as_bool() == Some(false)
        });
        if skipped {
            return;
        }
        let argument = |name: &str| {
            let argument = field.arguments.iter().find(|argument| argument.name == *name)?;
            Some(self.value(&argument.value))
        };
        let parents = if let Some(ids) = argument("ids") {
            u64::try_from(ids.as_array().unwrap().len()).unwrap()
        } else if field.ty().inner_named_type().ends_with("Connection") {
            let size = argument("first").or_else(|| argument("last")).unwrap().as_u64().unwrap();
            assert!((1..=100).contains(&size), "{} of {size}", field.name);
            self.requests += parents;
            self.nodes += parents * size;
            parents * size
        } else {
            parents
        };
        self.visit(&field.selection_set, parents);
    }

    fn value(&self, value: &Value) -> serde_json::Value {
        match value {
            Value::Variable(name) => {
                let value = self.variables.get(name.as_str()).cloned().unwrap_or_default();
                serde_json::to_value(value).unwrap()
            }
            Value::Int(number) => number.as_str().parse::<u64>().unwrap().into(),
            Value::Boolean(value) => (*value).into(),
            Value::Null
            | Value::Enum(_)
            | Value::String(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Object(_) => panic!("a size or condition is {value}"),
        }
    }
}

#[test]
fn every_operation_is_valid_and_costs_what_is_predicted() {
    let schema = schema();
    let mut shown = String::new();
    for request in largest() {
        let Request { operation, variables, cost } = request;
        let document = ExecutableDocument::parse_and_validate(&schema, operation.text, operation.name)
            .unwrap_or_else(|error| panic!("{}: {}", operation.name, error.errors));
        let older = oldest(operation.text);
        ExecutableDocument::parse_and_validate(&schema, &older, operation.name)
            .unwrap_or_else(|error| panic!("{} for an old server: {}", operation.name, error.errors));
        let text = document.operations.get(Some(operation.name)).unwrap();
        let variables: JsonMap = serde_json::from_value(variables).unwrap();
        let variables = coerce_variable_values(&schema, text, &variables)
            .unwrap_or_else(|error| panic!("{}: {error:?}", operation.name));
        let (points, nodes) = Cost::of(&document, text, &variables);
        assert_eq!(cost, points, "{}", operation.name);
        assert!(nodes <= NODES_MAX, "{} asks for up to {nodes} nodes", operation.name);
        writeln!(shown, "{} {points}", operation.name).unwrap();
    }
    insta::assert_snapshot!(shown, @r"
    Discover 1
    Discover 1
    RepositoriesByName 1
    Teams 1
    TeamRepositories 1
    Probe 1
    Probe 1
    RepositoryPages 11
    RepositoryPages 9
    RepositoryPages 5
    CommitWalks 10
    CommitPullRequests 1
    PullRequestRest 1
    RepositoryPlaces 1
    DeploymentsById 1
    StreamProbe 1
    StreamProbe 1
    ReleasePages 1
    ReleasesById 1
    TagPages 1
    WorkflowProbe 1
    PullRequestFiles 1
    CommitsByOid 1
    Inspect 1
    ");
}

#[test]
fn a_wrong_operation_is_refused() {
    let text =
        "query Wrong { organization(login: \"acme\") { repositories(first: 1) { nodes { noSuchField } } } }";
    let refused = ExecutableDocument::parse_and_validate(&schema(), text, "wrong.graphql");
    assert!(refused.unwrap_err().to_string().contains("noSuchField"));
}
