//! A simulated GitHub: GraphQL over the published schema (the part of it in `github.graphql`), and the REST resources
//! that GraphQL has nothing for: workflow runs, the files of a commit, and a server's word about itself.
//!
//! It parses, validates and executes real GraphQL, refuses what GitHub refuses, counts points by the published
//! formula, and pages by opaque cursors. Not simulated: search, comparisons, mutations.

mod access;
mod account;
mod caller;
mod commit;
mod cost;
mod deployment;
mod execute;
mod issue;
mod node;
mod opaque;
mod paging;
mod pull;
mod query;
mod release;
mod repository;
mod rest;
mod team;
mod workflow;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use serde_json::{Value, json};

use self::caller::Caller;
use super::budget::Budget;
use super::exchange::{Answer, Request};
use super::identity::{Identities, SharedIdentities};
use super::world::World;
use crate::model::time::Span;

/// The part of GitHub's public schema that is answered.
pub const SDL: &str = include_str!("github.graphql");

const HOUR: Span = Span::from_hours(1);

const DOCUMENTATION_URL: &str = "https://docs.github.com/rest";

/// The server's own state: whom it knows, and what is left of everybody's budgets.
#[derive(Debug)]
pub struct GitHub {
    schema: Valid<Schema>,
    identities: SharedIdentities,
    budgets: Mutex<BTreeMap<String, Budgets>>,
}

/// What is left to somebody.
#[derive(Debug)]
struct Budgets {
    graphql: Budget,
    rest: Budget,
}

impl GitHub {
    /// A server that knows these identities. Fails if the schema is broken.
    pub fn new(identities: SharedIdentities) -> Result<Self, String> {
        let schema = Schema::parse_and_validate(SDL, "github.graphql").map_err(|error| error.to_string())?;
        Ok(Self { schema, identities, budgets: Mutex::default() })
    }

    /// The answer to a request, as of the world's present.
    pub fn answer(&self, world: &World, request: &Request) -> Answer {
        let mut answer = self.admit(world, request);
        answer.headers.push(("x-github-media-type", "github.v3; format=json".to_owned()));
        answer
    }

    fn admit(&self, world: &World, request: &Request) -> Answer {
        if request.user_agent.as_deref().unwrap_or_default().is_empty() {
            return refusal(
                403,
                "Request forbidden by administrative rules. A User-Agent header is required.",
            );
        }
        let mut identities = self.identities.lock();
        let caller = match Caller::of(request, &identities, world.now) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let mut answer = self.route(world, request, &caller, &mut identities);
        if let Some(scopes) = caller.scopes() {
            answer.headers.push(("x-oauth-scopes", scopes.join(", ")));
        }
        answer
    }

    fn route(
        &self,
        world: &World,
        request: &Request,
        caller: &Caller,
        identities: &mut Identities,
    ) -> Answer {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budgets = budgets.entry(caller.budget()).or_insert_with(|| Budgets::of(caller));
        budgets.graphql.renew(world.now);
        budgets.rest.renew(world.now);
        let path = request.path.strip_prefix(rest::ENTERPRISE_PREFIX).unwrap_or(&request.path);
        match (request.method.as_str(), path) {
            ("POST", "/graphql" | "/api/graphql") => {
                if matches!(caller, Caller::App(_)) {
                    return refusal(401, "Requires authentication");
                }
                let budget = &mut budgets.graphql;
                let mut answer = execute::answer(&self.schema, world, caller, budget, &request.body);
                answer.headers.extend(limits(budget, "graphql"));
                answer
            }
            ("GET", "/rate_limit") => Answer::json(200, &budgets.record()),
            _ if budgets.rest.is_spent() => {
                let mut answer = refusal(403, &format!("API rate limit exceeded for {}.", caller.budget()));
                answer.headers.extend(limits(&budgets.rest, "core"));
                answer
            }
            _ => {
                budgets.rest.spend(1);
                let prefix = request.path.strip_suffix(path).unwrap_or_default();
                let base = format!("http://{}{prefix}", request.host.as_deref().unwrap_or("localhost"));
                let ask = rest::Ask { world, request, caller, base: &base };
                let mut answer = rest::answer(ask, identities, path);
                answer.headers.extend(limits(&budgets.rest, "core"));
                answer
            }
        }
    }
}

impl Budgets {
    fn of(caller: &Caller) -> Self {
        let (points, requests) = caller.allowance();
        Self { graphql: Budget::new(points, HOUR), rest: Budget::new(requests, HOUR) }
    }

    /// What `/rate_limit` says.
    fn record(&self) -> Value {
        let core = state_of(&self.rest);
        json!({"resources": {"core": core, "graphql": state_of(&self.graphql)}, "rate": core})
    }
}

fn refusal(status: u16, message: &str) -> Answer {
    let body =
        json!({"message": message, "documentation_url": DOCUMENTATION_URL, "status": status.to_string()});
    Answer::json(status, &body)
}

/// The headers with which every answer tells what is left.
fn limits(budget: &Budget, resource: &str) -> [(&'static str, String); 5] {
    [
        ("x-ratelimit-limit", budget.limit.to_string()),
        ("x-ratelimit-remaining", budget.remaining().to_string()),
        ("x-ratelimit-used", budget.used.to_string()),
        ("x-ratelimit-reset", budget.resets_at_seconds().to_string()),
        ("x-ratelimit-resource", resource.to_owned()),
    ]
}

fn state_of(budget: &Budget) -> Value {
    json!({
        "limit": budget.limit,
        "used": budget.used,
        "remaining": budget.remaining(),
        "reset": budget.resets_at_seconds(),
    })
}
