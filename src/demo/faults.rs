//! Scripted misbehaviour of a simulated server: what a test says goes wrong, with which requests, and how often.
//!
//! The world and its answers stay right; a fault spoils what is sent. Not to be confused with the refusals that the
//! servers make by themselves (a wrong token, invalid GraphQL, a used-up budget).

mod rewrite;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::exchange::{Answer, Request};

/// Which requests a fault is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All.
    Any,
    /// Those of the GraphQL operation of this name.
    Operation(String),
    /// Those whose path begins like this.
    Path(String),
    /// Those whose body or query holds this text.
    Mentions(String),
}

impl Which {
    fn matches(&self, request: &Request) -> bool {
        match self {
            Self::Any => true,
            Self::Operation(name) => request.operation.as_ref() == Some(name),
            Self::Path(begin) => request.path.starts_with(begin.as_str()),
            Self::Mentions(text) => {
                String::from_utf8_lossy(&request.body).contains(text.as_str())
                    || request.query.iter().any(|(name, value)| name.contains(text) || value.contains(text))
            }
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another status, with these headers and this body, in place of the answer.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The answer comes so much later.
    Late(Duration),
    /// No answer comes, ever.
    Hang,
    /// The body ends in the middle of the JSON, and says that this is all.
    Truncated,
    /// The connection breaks in the middle of the body.
    Reset,
    /// A page of HTML in place of JSON, with status 200.
    Html,
    /// GitHub's primary limit: status 200, an error and no data.
    RateLimited,
    /// GitHub gave up half-way: the objects of every list but the first are null, with the errors that say so.
    ResourceLimits,
    /// The n-th element (from 0) of every array of this name is null.
    NullItem(&'static str, usize),
    /// The first value that is this text becomes that one: an enum value that nobody has heard of. Quotation marks
    /// around them may be left out.
    Word(&'static str, &'static str),
    /// Every object has one more field.
    ExtraFields,
    /// There is always another page, and its cursor is always the same.
    EndlessPages,
}

impl Fault {
    /// A status with GitHub's JSON around a message.
    pub fn status(status: u16, message: &str) -> Self {
        let body =
            serde_json::json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
        Self::Status(status, Vec::new(), body.to_string())
    }

    /// 403 because single sign-on was not done.
    pub fn single_sign_on() -> Self {
        let headers = vec![("x-github-sso", "required; url=https://github.com/orgs/acme/sso".to_owned())];
        let message = "Resource protected by organization SAML enforcement.";
        Self::Status(403, headers, serde_json::json!({"message": message}).to_string())
    }

    /// 403 because of GitHub's secondary limit, which may or may not say for how long.
    pub fn secondary_limit(retry_after_seconds: Option<u32>) -> Self {
        let told = retry_after_seconds.map(|seconds| ("retry-after", seconds.to_string()));
        let message =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        let body = serde_json::json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        });
        Self::Status(403, told.into_iter().collect(), body.to_string())
    }

    /// 429, with the seconds to wait.
    pub fn too_many_requests(retry_after_seconds: u32) -> Self {
        let headers = vec![("retry-after", retry_after_seconds.to_string())];
        let body = serde_json::json!({"error": {"message": "Rate Limit Exceeded", "code": 2020}});
        Self::Status(429, headers, body.to_string())
    }
}

#[derive(Debug)]
struct Rule {
    which: Which,
    skip: u32,
    times: Option<u32>,
    fault: Fault,
}

/// The script of one server.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// The next `times` requests go wrong.
    pub fn next(&self, times: u32, which: Which, fault: Fault) {
        self.script(which, 0, Some(times), fault);
    }

    /// The n-th request from now (from 1) goes wrong.
    pub fn nth(&self, n: u32, which: Which, fault: Fault) {
        self.script(which, n.saturating_sub(1), Some(1), fault);
    }

    /// All requests go wrong from now on.
    pub fn always(&self, which: Which, fault: Fault) {
        self.script(which, 0, None, fault);
    }

    /// All is well again.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many scripted faults have not come yet; those without an end are not counted.
    pub fn pending(&self) -> u32 {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter().filter_map(|rule| rule.times).sum()
    }

    fn script(&self, which: Which, skip: u32, times: Option<u32>, fault: Fault) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.push(Rule { which, skip, times, fault });
    }

    /// What goes wrong with this request; every matching rule counts it.
    pub(super) fn of(&self, request: &Request) -> Vec<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut struck = Vec::new();
        for rule in rules.iter_mut().filter(|rule| rule.which.matches(request)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            struck.push(rule.fault.clone());
        }
        rules.retain(|rule| rule.times != Some(0));
        struck
    }
}

/// How an answer goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    Broken,
    Never,
}

/// An answer after all that went wrong with it.
pub(super) struct Spoiled {
    pub(super) answer: Answer,
    pub(super) delivery: Delivery,
    pub(super) late: Duration,
}

/// Applies faults to an answer, in their order.
pub(super) fn spoil(answer: Answer, faults: Vec<Fault>) -> Spoiled {
    let mut spoiled = Spoiled { answer, delivery: Delivery::Whole, late: Duration::ZERO };
    for fault in faults {
        let answer = &mut spoiled.answer;
        match fault {
            Fault::Status(status, headers, body) => {
                answer.status = status;
                answer.headers.retain(|(name, _)| headers.iter().all(|(other, _)| name != other));
                answer.headers.extend(headers);
                answer.body = body.into_bytes();
            }
            Fault::Late(by) => spoiled.late += by,
            Fault::Hang => spoiled.delivery = Delivery::Never,
            Fault::Truncated => answer.body.truncate(answer.body.len() / 2),
            Fault::Reset => spoiled.delivery = Delivery::Broken,
            Fault::Html => {
                answer.headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
                answer.body = b"<!DOCTYPE html><html><body>Something went wrong</body></html>".to_vec();
            }
            Fault::RateLimited => rewrite::rate_limited(answer),
            Fault::ResourceLimits => rewrite::resource_limits(answer),
            Fault::NullItem(name, place) => rewrite::null_item(answer, name, place),
            Fault::Word(old, new) => rewrite::word(answer, old, new),
            Fault::ExtraFields => rewrite::extra_fields(answer),
            Fault::EndlessPages => rewrite::endless_pages(answer),
        }
    }
    spoiled
}
