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
mod limits;
mod node;
pub(in crate::demo) mod opaque;
mod paging;
mod pull;
mod query;
pub(in crate::demo) mod record;
mod release;
mod repository;
mod rest;
pub(in crate::demo) mod run_record;
mod team;
mod workflow;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use serde_json::{Value, json};

use self::caller::Caller;
use self::limits::Minutes;
pub use self::limits::{Heaviness, Secondary};
pub(in crate::demo) use self::node::written;
use self::record::Site;
pub(in crate::demo) use self::repository::url;
use super::budget::Budget;
use super::exchange::{Answer, Request};
use super::identity::{Identities, SharedIdentities};
use super::world::World;
use crate::model::time::Span;

/// The part of GitHub's public schema that is answered.
pub const SDL: &str = include_str!("github.graphql");

/// Where GitHub Enterprise Server has GraphQL: not below its REST API.
const GRAPHQL_OF_ENTERPRISE: &str = "/api/graphql";

/// What `/rate_limit` says of search, which is not simulated.
const SEARCHES_PER_MINUTE: u64 = 30;

const HOUR: Span = Span::from_hours(1);

const DOCUMENTATION_URL: &str = "https://docs.github.com/rest";

/// The server's own state: whom it knows, and what is left of everybody's budgets.
#[derive(Debug)]
pub struct GitHub {
    schema: Valid<Schema>,
    identities: SharedIdentities,
    budgets: Mutex<BTreeMap<String, Budgets>>,
    minutes: Mutex<Minutes>,
    rules: Rules,
}

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The secondary limits; `None`: there are none.
    pub secondary: Option<Secondary>,
    /// How heavy a query may be.
    pub heaviness: Heaviness,
    /// It is an enterprise server.
    pub enterprise: Option<Enterprise>,
}

/// What is different about GitHub Enterprise Server: where it is (`/api/v3` and `/api/graphql`), what it says of
/// itself, and an older schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enterprise {
    /// `installed_version`.
    pub version: String,
    /// Whether somebody switched rate limiting on.
    pub rate_limiting: bool,
    /// Fields of the schema that are too young for it; a line of the schema that begins with such a word is left out.
    pub missing_fields: Vec<&'static str>,
    /// Lists of arguments, with their brackets, that are too young for it.
    pub missing_arguments: Vec<&'static str>,
}

impl Default for Enterprise {
    fn default() -> Self {
        Self {
            version: "3.19.1".to_owned(),
            rate_limiting: false,
            missing_fields: vec!["fullDatabaseId"],
            missing_arguments: Vec::new(),
        }
    }
}

/// What is left to somebody.
#[derive(Debug)]
struct Budgets {
    graphql: Budget,
    rest: Budget,
}

impl GitHub {
    /// A server that knows these identities. Fails if the schema is broken.
    pub fn new(identities: SharedIdentities, rules: Rules) -> Result<Self, String> {
        let missing = rules.enterprise.as_ref().map_or(&[][..], |enterprise| &enterprise.missing_fields);
        let is_there = |line: &&str| !missing.iter().any(|field| line.trim_start().starts_with(field));
        let text: Vec<&str> = SDL.lines().filter(is_there).collect();
        let mut text = text.join("\n");
        for argument in rules.enterprise.iter().flat_map(|enterprise| &enterprise.missing_arguments) {
            text = text.replace(argument, "");
        }
        let schema = Schema::parse_and_validate(text, "github.graphql");
        let schema = schema.map_err(|error| error.to_string())?;
        Ok(Self { schema, identities, budgets: Mutex::default(), minutes: Mutex::default(), rules })
    }

    /// The answer to a request, as of the world's present.
    pub fn answer(&self, world: &World, request: &Request) -> Answer {
        let mut answer = self.admit(world, request);
        answer.headers.push(("x-github-media-type", "github.v3; format=json".to_owned()));
        if let Some(enterprise) = &self.rules.enterprise {
            answer.headers.push(("x-github-enterprise-version", enterprise.version.clone()));
            if !enterprise.rate_limiting {
                answer.headers.retain(|(name, _)| !name.starts_with("x-ratelimit-"));
            }
        }
        answer
    }

    /// The path below the root of the API; `None`: it is not where this server has it.
    fn path<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let path = request.path.as_str();
        if path == GRAPHQL_OF_ENTERPRISE {
            return Some(path);
        }
        match (path.strip_prefix(rest::ENTERPRISE_PREFIX), &self.rules.enterprise) {
            (Some(path), _) => Some(path),
            (None, Some(_)) => None,
            (None, None) => Some(path),
        }
    }

    /// Whether nobody is limited.
    fn is_unlimited(&self) -> bool {
        self.rules.enterprise.as_ref().is_some_and(|enterprise| !enterprise.rate_limiting)
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
        let Some(path) = self.path(request) else {
            return refusal(404, "Not Found");
        };
        let unlimited = self.is_unlimited();
        if let (Some(limits), false) = (&self.rules.secondary, unlimited) {
            let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(refused) = minutes.admit(limits, caller, request, world.now) {
                return refused;
            }
        }
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budgets = budgets.entry(caller.budget()).or_insert_with(|| Budgets::of(caller, unlimited));
        budgets.graphql.renew(world.now);
        budgets.rest.renew(world.now);
        match (request.method.as_str(), path) {
            ("POST", "/graphql" | GRAPHQL_OF_ENTERPRISE) => {
                if matches!(caller, Caller::App(_)) {
                    return refusal(401, "Requires authentication");
                }
                let budget = &mut budgets.graphql;
                let asked = execute::Asked { world, caller, heaviness: self.rules.heaviness, unlimited };
                let mut answer = execute::answer(&self.schema, asked, budget, &request.body);
                answer.headers.extend(limits(budget, "graphql"));
                answer
            }
            ("GET", "/rate_limit") if unlimited => refusal(404, "Rate limiting is not enabled."),
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
                let version = self.rules.enterprise.as_ref().map(|enterprise| enterprise.version.as_str());
                let ask = rest::Ask { site: Site { world, base: &base }, request, caller, version };
                let mut answer = rest::answer(ask, identities, path);
                answer.headers.extend(limits(&budgets.rest, "core"));
                answer
            }
        }
    }
}

impl Budgets {
    fn of(caller: &Caller, unlimited: bool) -> Self {
        let (points, requests) = if unlimited { (u64::MAX, u64::MAX) } else { caller.allowance() };
        Self { graphql: Budget::new(points, HOUR), rest: Budget::new(requests, HOUR) }
    }

    /// What `/rate_limit` says.
    fn record(&self) -> Value {
        let core = state_of(&self.rest);
        // Nobody searches here.
        let reset = self.rest.resets_at_seconds();
        let search = json!({"limit": SEARCHES_PER_MINUTE, "used": 0, "remaining": SEARCHES_PER_MINUTE, "reset": reset});
        let graphql = state_of(&self.graphql);
        json!({"resources": {"core": core, "graphql": graphql, "search": search}, "rate": core})
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
