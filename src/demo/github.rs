//! A simulated GitHub: GraphQL over the published schema (the part of it in `github.graphql`), and the REST resources
//! that GraphQL has nothing for: workflow runs, the files of a commit, and a server's word about itself.
//!
//! It parses, validates and executes real GraphQL, refuses what GitHub refuses, counts points by the published
//! formula, and pages by opaque cursors. Not simulated: search, comparisons, mutations.

mod account;
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

use std::sync::{Mutex, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use serde_json::{Value, json};

use super::budget::Budget;
use super::exchange::{Answer, Request};
use super::world::World;
use crate::model::time::Span;

/// The part of GitHub's public schema that is answered.
pub const SDL: &str = include_str!("github.graphql");

/// Requests per hour of the REST API.
const REST_REQUESTS_PER_HOUR: u64 = 5_000;

const HOUR: Span = Span::from_hours(1);

const DOCUMENTATION_URL: &str = "https://docs.github.com/rest";

/// The server's own state: what it accepts, and what is left of the budgets.
#[derive(Debug)]
pub struct GitHub {
    schema: Valid<Schema>,
    token: String,
    graphql: Mutex<Budget>,
    rest: Mutex<Budget>,
}

impl GitHub {
    /// A server that accepts this token and grants so many GraphQL points per hour. Fails if the schema is broken.
    pub fn new(token: &str, points_per_hour: u64) -> Result<Self, String> {
        let schema = Schema::parse_and_validate(SDL, "github.graphql").map_err(|error| error.to_string())?;
        Ok(Self {
            schema,
            token: token.to_owned(),
            graphql: Mutex::new(Budget::new(points_per_hour, HOUR)),
            rest: Mutex::new(Budget::new(REST_REQUESTS_PER_HOUR, HOUR)),
        })
    }

    /// The answer to a request, as of the world's present.
    pub fn answer(&self, world: &World, request: &Request) -> Answer {
        let mut answer = self.route(world, request);
        answer.headers.push(("x-github-media-type", "github.v3; format=json".to_owned()));
        answer
    }

    fn route(&self, world: &World, request: &Request) -> Answer {
        if request.user_agent.as_deref().unwrap_or_default().is_empty() {
            return refusal(
                403,
                "Request forbidden by administrative rules. A User-Agent header is required.",
            );
        }
        if !request.carries(&["Bearer ", "bearer ", "token "], &self.token) {
            return refusal(401, "Bad credentials");
        }
        let path = request.path.strip_prefix("/api/v3").unwrap_or(&request.path);
        match (request.method.as_str(), path) {
            ("POST", "/graphql" | "/api/graphql") => {
                let mut budget = self.graphql.lock().unwrap_or_else(PoisonError::into_inner);
                let mut answer = execute::answer(&self.schema, world, &mut budget, &request.body);
                answer.headers.extend(limits(&budget, "graphql"));
                answer
            }
            ("GET", "/rate_limit") => Answer::json(200, &self.rate_limit(world)),
            ("GET", "/meta") => {
                self.rest(world, || Answer::json(200, &json!({"verifiable_password_authentication": false})))
            }
            _ => self.rest(world, || {
                let prefix = request.path.strip_suffix(path).unwrap_or_default();
                let base = format!("http://{}{prefix}", request.host.as_deref().unwrap_or("localhost"));
                rest::answer(rest::Ask { world, request, base: &base }, path)
            }),
        }
    }

    /// A REST answer, charged to its own budget.
    fn rest(&self, world: &World, answer: impl FnOnce() -> Answer) -> Answer {
        let mut budget = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        budget.renew(world.now);
        let mut answer = if budget.is_spent() {
            refusal(403, "API rate limit exceeded for user ID 1.")
        } else {
            budget.spend(1);
            answer()
        };
        answer.headers.extend(limits(&budget, "core"));
        answer
    }

    fn rate_limit(&self, world: &World) -> Value {
        let state = |budget: &Mutex<Budget>| {
            let mut budget = budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.renew(world.now);
            state_of(&budget)
        };
        let core = state(&self.rest);
        json!({"resources": {"core": core, "graphql": state(&self.graphql)}, "rate": core})
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
