//! A simulated `PagerDuty`: incidents and services over REST v2, read only.
//!
//! What its documentation warns of is all here: `since` and `until` look at the creation alone and default to a month,
//! instants are written and read in the account's time zone unless another is asked for, pages end at ten thousand,
//! acknowledgements are gone once an incident is resolved. Not simulated: analytics, log entries, webhooks, writes.

mod query;
mod record;

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use self::query::Query;
use super::budget::Budget;
use super::exchange::{Answer, Request};
use super::world::World;
use super::world::incident::{Incident, IncidentState, Urgency};
use crate::model::time::Span;

const MINUTE: Span = Span::from_minutes(1);

/// The server's own state.
#[derive(Debug)]
pub struct PagerDutyApi {
    token: String,
    budget: Mutex<Budget>,
}

/// A request that is refused: status, code, what it says, and the details.
pub(super) struct Refusal {
    status: u16,
    code: u16,
    message: &'static str,
    details: Vec<String>,
}

impl Refusal {
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self { status: 400, code: 2001, message: "Invalid Input Provided", details: vec![detail.into()] }
    }
}

impl PagerDutyApi {
    /// A server that accepts this token and so many requests per minute.
    pub fn new(token: &str, requests_per_minute: u64) -> Self {
        Self { token: token.to_owned(), budget: Mutex::new(Budget::new(requests_per_minute, MINUTE)) }
    }

    /// The answer to a request, as of the world's present.
    pub fn answer(&self, world: &World, request: &Request) -> Answer {
        if !request.carries(&["Token token=", "Bearer "], &self.token) {
            return refuse(&Refusal {
                status: 401,
                code: 2006,
                message: "Authentication failed",
                details: Vec::new(),
            });
        }
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.renew(world.now);
        let mut answer = if budget.is_spent() {
            refuse(&Refusal { status: 429, code: 2020, message: "Rate Limit Exceeded", details: Vec::new() })
        } else {
            budget.spend(1);
            route(world, request).map_or_else(|refusal| refuse(&refusal), |body| Answer::json(200, &body))
        };
        let left = budget.resets_at.since(world.now).millis().max(0) / 1_000;
        answer.headers.extend([
            ("ratelimit-limit", budget.limit.to_string()),
            ("ratelimit-remaining", budget.remaining().to_string()),
            ("ratelimit-reset", left.to_string()),
        ]);
        answer
    }
}

fn route(world: &World, request: &Request) -> Result<Value, Refusal> {
    let path: Vec<_> = request.path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["incidents"]) => Ok(incidents(world, &Query::read(world, request)?)),
        ("GET", ["incidents", id]) => {
            let zone = query::zone(world, request)?;
            let found = world.pagerduty.incidents.iter().find(|incident| incident.id == *id);
            let incident = found.ok_or_else(not_found)?;
            Ok(json!({"incident": record::incident(&world.pagerduty, incident, zone)}))
        }
        ("GET", ["services"]) => services(world, request),
        _ => Err(not_found()),
    }
}

fn incidents(world: &World, query: &Query) -> Value {
    let pagerduty = &world.pagerduty;
    let mut found: Vec<&Incident> =
        pagerduty.incidents.iter().filter(|incident| query.wants(pagerduty, incident)).collect();
    query.sort(&mut found);
    let total = found.len();
    let shown: Vec<_> = found
        .into_iter()
        .skip(query.page.offset)
        .take(query.page.limit)
        .map(|incident| record::incident(pagerduty, incident, query.zone))
        .collect();
    query.page.body("incidents", &shown, total)
}

fn services(world: &World, request: &Request) -> Result<Value, Refusal> {
    let page = query::Page::read(request)?;
    let zone = query::zone(world, request)?;
    let wanted = request.parameter("query").unwrap_or_default().to_lowercase();
    let services = &world.pagerduty.services;
    let named = services.iter().filter(|service| service.name.to_lowercase().contains(&wanted));
    let found: Vec<_> = named.collect();
    let total = found.len();
    let shown = found.into_iter().skip(page.offset).take(page.limit);
    let shown: Vec<_> = shown.map(|service| record::service(&world.pagerduty, service, zone)).collect();
    Ok(page.body("services", &shown, total))
}

fn not_found() -> Refusal {
    Refusal { status: 404, code: 2100, message: "Not Found", details: Vec::new() }
}

fn refuse(refusal: &Refusal) -> Answer {
    let Refusal { status, code, message, details } = refusal;
    let mut error = json!({"message": message, "code": code});
    if let (false, Some(object)) = (details.is_empty(), error.as_object_mut()) {
        object.insert("errors".to_owned(), json!(details));
    }
    Answer::json(*status, &json!({"error": error}))
}

pub(super) const fn state_word(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Triggered => "triggered",
        IncidentState::Acknowledged => "acknowledged",
        IncidentState::Resolved => "resolved",
    }
}

pub(super) const fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}
