//! Whether our operations cost what we predict: GitHub calculates it without answering them.

use serde_json::Value;

use crate::http::Priority;
use crate::source::github::client::Client;
use crate::source::github::operations::{Operation, Request, largest};
use crate::source::github::reply::{Trouble, rate_limit};
use crate::source::github::wire::RateLimit;
use crate::source::report::Report;

/// What calculating costs showed.
#[derive(Debug, Default)]
pub(super) struct Costs {
    asked: usize,
    /// What costs something else than predicted.
    differing: Vec<String>,
    failed: Vec<String>,
    /// The limit on points; `None`: there is none, or nothing was answered.
    pub(super) limit: Option<RateLimit>,
}

/// Asks for the price of each operation at its largest.
pub(super) async fn costs(client: &Client) -> Costs {
    let mut costs = Costs::default();
    for request in largest() {
        let Request { operation, variables, cost: predicted } = request;
        let name = operation.name;
        match client.post(&dry(operation, variables), Priority::Live).await {
            Ok(reply) => {
                costs.asked += 1;
                let limit = rate_limit(Some(&reply.data));
                let cost = limit.as_ref().and_then(|limit| limit.cost);
                if let Some(cost) = cost.filter(|cost| *cost != predicted) {
                    costs.differing.push(format!("{name} costs {cost}, predicted {predicted}"));
                }
                costs.limit = limit.or(costs.limit);
            }
            Err(Trouble::StaleCursor) => costs.asked += 1,
            Err(trouble) => costs.failed.push(format!("{name}: {}", trouble.failure().what)),
        }
    }
    costs
}

/// The same operation, for its price alone.
fn dry(operation: &Operation, variables: Value) -> Request {
    let text = operation.text.replacen("rateLimit {", "rateLimit(dryRun: true) {", 1);
    // Operations live as long as the process, and this one asks a few of these and ends.
    let operation: &'static Operation =
        Box::leak(Box::new(Operation { name: operation.name, text: String::leak(text) }));
    Request { operation, variables, cost: 1 }
}

impl Costs {
    /// Tells them.
    pub(super) fn tell(&self, report: &mut Report) {
        if let Some(first) = self.failed.first() {
            let failed = self.failed.len();
            report.fault("costs", format!("{failed} operations could not be priced, the first one: {first}"));
        }
        if self.asked > 0 && self.limit.is_none() {
            report
                .say("costs", format!("none: {} operations are understood, and none is charged", self.asked));
        } else if self.asked > 0 && self.differing.is_empty() {
            report.say("costs", format!("{} operations cost what was predicted", self.asked));
        }
        for differing in &self.differing {
            report.fault(
                "costs",
                format!("{differing} points; the budget is kept all the same, please report it"),
            );
        }
    }
}
