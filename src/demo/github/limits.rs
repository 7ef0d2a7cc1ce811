//! Limits besides the hourly budgets: the secondary ones, and pages that are too heavy.

use std::collections::BTreeMap;

use super::caller::Caller;
use super::refusal;
use crate::demo::budget::Budget;
use crate::demo::exchange::{Answer, Request};
use crate::model::time::{Span, Timestamp};

const MINUTE: Span = Span::from_minutes(1);
/// What a request that changes something counts as; one that looks counts one.
const POINTS_OF_A_CHANGE: u64 = 5;
const SECONDARY_MESSAGE: &str = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID.";

/// GitHub's secondary limits, as its documentation has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secondary {
    /// Requests at once.
    pub concurrent_max: usize,
    /// REST points in a minute.
    pub rest_per_minute: u64,
    /// GraphQL points in a minute, which are not those of the budget: a query counts one.
    pub graphql_per_minute: u64,
    /// The status of the refusal: 403 or 429.
    pub status: u16,
    /// What `retry-after` says, where it says anything.
    pub retry_after_seconds: Option<u32>,
}

impl Default for Secondary {
    fn default() -> Self {
        Self {
            concurrent_max: 100,
            rest_per_minute: 900,
            graphql_per_minute: 2_000,
            status: 403,
            retry_after_seconds: Some(60),
        }
    }
}

/// How heavy a query may be. A pull request weighs one unless the world says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heaviness {
    /// What is beyond is null, with `RESOURCE_LIMITS_EXCEEDED`.
    pub partial_above: u64,
    /// The whole query fails with status 502 beyond.
    pub failing_above: u64,
}

impl Default for Heaviness {
    fn default() -> Self {
        Self { partial_above: 20_000, failing_above: 60_000 }
    }
}

/// What everybody asked in the last minute.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<(String, bool), Budget>);

impl Minutes {
    /// Refuses what is too much at once or too much in a minute.
    pub(super) fn admit(
        &mut self,
        limits: &Secondary,
        caller: &Caller,
        request: &Request,
        now: Timestamp,
    ) -> Result<(), Answer> {
        let is_graphql = request.path.ends_with("/graphql");
        let allowance = if is_graphql { limits.graphql_per_minute } else { limits.rest_per_minute };
        let minute = self.0.entry((caller.budget(), is_graphql));
        let minute = minute.or_insert_with(|| Budget::new(allowance, MINUTE));
        minute.renew(now);
        if request.concurrent > limits.concurrent_max || minute.is_spent() {
            return Err(limits.refusal());
        }
        let changes = !is_graphql && request.method != "GET" && request.method != "HEAD";
        minute.spend(if changes { POINTS_OF_A_CHANGE } else { 1 });
        Ok(())
    }
}

impl Secondary {
    fn refusal(&self) -> Answer {
        let mut answer = refusal(self.status, SECONDARY_MESSAGE);
        let told = self.retry_after_seconds.map(|seconds| ("retry-after", seconds.to_string()));
        answer.headers.extend(told);
        answer
    }
}

/// What GitHub sends when a query took too long.
pub(super) fn took_too_long() -> Answer {
    refusal(
        502,
        "We couldn't respond to your request in time. Sorry about that. Please try resubmitting your request and contact us if the problem persists.",
    )
}
