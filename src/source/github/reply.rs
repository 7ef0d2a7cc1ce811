//! What an answer says, and what went wrong with all of it or with a part.
//!
//! GitHub answers 200 to most of what fails: a used-up limit, a query that was too heavy, a repository that is gone
//! from the middle of a batch. What fails in a part stays with that part.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::{Failure, Reason};
use crate::model::dirty::Stream;
use crate::model::time::Timestamp;

use super::wire::{Envelope, GraphError, NodesData, RateLimit};

/// A message of GitHub's is cut there: it is for people, and could be anything.
const MESSAGE_CHARS_MAX: usize = 200;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// `data`, perhaps with holes.
    pub(super) data: Value,
    /// What is missing in it.
    pub(super) faults: Vec<Fault>,
    /// When it was read.
    pub(super) read_at: Timestamp,
}

/// A part of an answer that failed.
#[derive(Debug)]
pub(super) struct Fault {
    path: Vec<Value>,
    pub(super) trouble: Trouble,
}

impl Fault {
    /// Where in the answer: names of fields and places in lists.
    pub(super) fn path(&self) -> &[Value] {
        &self.path
    }
}

/// What went wrong with a question or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// As it says.
    Failed(Failure),
    /// This stream of a repository is there and not for us: the rest can be had without it.
    Denied(Stream, Failure),
    /// The page's cursor is not known any more: begin again.
    StaleCursor,
    /// It took GitHub too much: ask for less.
    TooHeavy(Failure),
    /// It was not asked at all: it can wait, and what is left of the budget is kept for what is new.
    Held(Failure),
}

impl Trouble {
    /// As a failure.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Failed(failure)
            | Self::TooHeavy(failure)
            | Self::Held(failure)
            | Self::Denied(_, failure) => failure,
            Self::StaleCursor => malformed("a page's cursor is not known any more"),
        }
    }
}

/// One entry of `nodes(ids:)`: what it is, nothing if it is not there, or what went wrong with it.
pub(super) type Node<T> = (String, Result<Option<T>, Trouble>);

impl Reply {
    /// The first thing that failed below the field `name` of the query, or at the top.
    pub(super) fn fault(&self, name: &str) -> Option<&Trouble> {
        self.faults
            .iter()
            .find(|fault| fault.path.first().is_none_or(|first| first == name))
            .map(|fault| &fault.trouble)
    }

    /// The data, or what went wrong with the field `name`, if it is not there.
    pub(super) fn read<T: DeserializeOwned>(self, name: &str) -> Result<T, Failure> {
        if let Some(trouble) = self.fault(name) {
            return Err(trouble.clone().failure());
        }
        serde_json::from_value(self.data)
            .map_err(|error| malformed(&format!("{name}: {}", shortened(&error.to_string()))))
    }

    /// The same without what is said of default branches that are not for us: each repository has a note of it, and
    /// the rest of it can be read.
    pub(super) fn excusing_branches(mut self) -> Self {
        let Self { data, faults, read_at: _ } = &mut self;
        faults.retain(|fault| {
            let refused = matches!(&fault.trouble,
                Trouble::Failed(failure) | Trouble::Denied(_, failure) if failure.reason == Reason::Forbidden);
            let Some((Value::String(field), above)) = fault.path.split_last() else {
                return true;
            };
            let place = above.iter().fold(String::new(), |place, part| match part.as_str() {
                Some(name) => format!("{place}/{name}"),
                None => format!("{place}/{part}"),
            });
            match data.pointer_mut(&place).and_then(Value::as_object_mut) {
                Some(repository) if refused && field == "defaultBranchRef" => {
                    repository.insert("branchHidden".to_owned(), Value::Bool(true));
                    false
                }
                Some(_) | None => true,
            }
        });
        self
    }

    /// `nodes` beside their ids.
    pub(super) fn nodes<T: DeserializeOwned>(self, ids: &[String]) -> Vec<Node<T>> {
        let mut troubles: BTreeMap<usize, Trouble> = BTreeMap::new();
        for fault in self.faults {
            let index = fault.path.get(1).and_then(Value::as_u64);
            if let Some(index) = index.and_then(|index| usize::try_from(index).ok()) {
                troubles.entry(index).or_insert(fault.trouble);
            }
        }
        let data: NodesData = serde_json::from_value(self.data).unwrap_or_default();
        let mut values = data.nodes.unwrap_or_default().into_iter();
        let mut read = |index: usize| -> Result<Option<T>, Trouble> {
            let value = values.next().unwrap_or(Value::Null);
            match troubles.remove(&index) {
                Some(Trouble::Failed(Failure { reason: Reason::NotFound, what: _, retry_at: _ }))
                    if value.is_null() =>
                {
                    return Ok(None);
                }
                Some(trouble) => return Err(trouble),
                None => {}
            }
            if value.is_null() {
                return Ok(None);
            }
            serde_json::from_value(value)
                .map(Some)
                .map_err(|error| Trouble::Failed(malformed(&shortened(&error.to_string()))))
        };
        ids.iter().enumerate().map(|(index, id)| (id.clone(), read(index))).collect()
    }
}

/// An answer, or why there is none: an error with a path into data is a matter of that part.
pub(super) fn sort(operation: &str, envelope: Envelope, read_at: Timestamp) -> Result<Reply, Trouble> {
    let Envelope { data, errors } = envelope;
    let data = data.unwrap_or(Value::Null);
    let retry_at = rate_limit(Some(&data)).and_then(|limit| Timestamp::parse(&limit.reset_at?));
    let mut faults = Vec::new();
    for error in errors.unwrap_or_default() {
        let trouble = trouble(operation, &error, retry_at);
        let path = error.path.unwrap_or_default();
        let whole = match &trouble {
            Trouble::TooHeavy(_) => true,
            Trouble::Failed(failure) => failure.reason == Reason::RateLimited,
            Trouble::StaleCursor | Trouble::Held(_) | Trouble::Denied(..) => false,
        };
        if whole || data.is_null() || path.is_empty() {
            return Err(trouble);
        }
        faults.push(Fault { path, trouble });
    }
    if data.is_null() {
        return Err(Trouble::TooHeavy(malformed(&format!("{operation}: an answer without data"))));
    }
    Ok(Reply { data, faults, read_at })
}

fn trouble(operation: &str, error: &GraphError, reset_at: Option<Timestamp>) -> Trouble {
    let extensions = error.extensions.as_ref();
    let code = extensions.and_then(|extensions| extensions.code.as_deref());
    let kind = error.kind.as_deref().or(code).unwrap_or_default();
    let message = error.message.as_deref().unwrap_or("no message");
    let saml = extensions.and_then(|extensions| extensions.saml_failure) == Some(true);
    let fail =
        |reason| Failure { reason, what: format!("{operation}: {}", shortened(message)), retry_at: None };
    match kind {
        "RATE_LIMITED" | "RATE_LIMIT" => Trouble::Failed(Failure {
            retry_at: reset_at.map(Timestamp::datetime),
            ..fail(Reason::RateLimited)
        }),
        _ if message.contains("secondary rate limit") => Trouble::Failed(fail(Reason::RateLimited)),
        "RESOURCE_LIMITS_EXCEEDED" | "MAX_NODE_LIMIT_EXCEEDED" | "TIMEOUT" => {
            Trouble::TooHeavy(fail(Reason::Server))
        }
        _ if message.starts_with("Something went wrong") => Trouble::TooHeavy(fail(Reason::Server)),
        "INVALID_CURSOR_ARGUMENTS" => Trouble::StaleCursor,
        "NOT_FOUND" => Trouble::Failed(fail(Reason::NotFound)),
        _ if saml => match error.path.as_deref() {
            Some([Value::String(nodes), ..]) if nodes == "nodes" => {
                Trouble::Denied(Stream::Repository, fail(Reason::Forbidden))
            }
            Some(_) | None => Trouble::Failed(fail(Reason::Forbidden)),
        },
        "FORBIDDEN" | "INSUFFICIENT_SCOPES" => forbidden(fail(Reason::Forbidden), error),
        _ if message.starts_with("Resource not accessible by") => forbidden(fail(Reason::Forbidden), error),
        "INTERNAL" | "SERVICE_UNAVAILABLE" => Trouble::TooHeavy(fail(Reason::Server)),
        _ => Trouble::Failed(fail(Reason::Malformed)),
    }
}

/// Adds the permission that is missing, as far as the place of the error tells.
fn forbidden(mut failure: Failure, error: &GraphError) -> Trouble {
    let path = error.path.as_deref().unwrap_or_default();
    if let Some(permission) = path.iter().rev().filter_map(Value::as_str).find_map(permission) {
        failure.what = format!("{}; the token needs {permission}", failure.what);
    }
    let stream = match path {
        [nodes, _, field, ..] if nodes == "nodes" => field.as_str().and_then(stream),
        _ => None,
    };
    match stream {
        Some(stream) => Trouble::Denied(stream, failure),
        None => Trouble::Failed(failure),
    }
}

/// The stream that a field of a repository holds, if the rest of the repository can be read without it.
fn stream(field: &str) -> Option<Stream> {
    match field {
        "deployments" => Some(Stream::Deployments),
        "pullRequests" => Some(Stream::Changes),
        "issues" => Some(Stream::Issues),
        "defaultBranchRef" | "object" => Some(Stream::Commits),
        _ => None,
    }
}

/// The permission that a field needs.
pub(super) fn permission(field: &str) -> Option<&'static str> {
    match field {
        "deployments" | "statuses" => Some("read access to deployments"),
        "pullRequests" | "associatedPullRequests" | "reviews" => Some("read access to pull requests"),
        "issues" => Some("read access to issues"),
        "defaultBranchRef" | "object" | "history" => Some("read access to contents"),
        "teams" | "team" => Some("read access to the organization's members"),
        _ => None,
    }
}

pub(super) fn rate_limit(data: Option<&Value>) -> Option<RateLimit> {
    data?.get("rateLimit").and_then(|limit| serde_json::from_value(limit.clone()).ok())
}

/// What a rate limit says, if it says all of it; null is no limit.
pub(super) fn stated(limit: &RateLimit) -> Option<(u64, u64, Timestamp)> {
    let reset_at = Timestamp::parse(limit.reset_at.as_deref()?)?;
    Some((limit.limit?, limit.remaining?, reset_at))
}

/// An answer that cannot be read.
pub(super) fn malformed(what: &str) -> Failure {
    Failure { reason: Reason::Malformed, what: what.to_owned(), retry_at: None }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::github::wire::NameWire;

    fn sorted(text: &str) -> Result<Reply, Trouble> {
        sort("Probe", serde_json::from_str(text).unwrap(), Timestamp::default())
    }

    fn reason(text: &str) -> (Reason, bool) {
        match sorted(text).unwrap_err() {
            Trouble::Failed(failure) => (failure.reason, false),
            Trouble::TooHeavy(failure) => (failure.reason, true),
            other @ (Trouble::StaleCursor | Trouble::Held(_) | Trouble::Denied(..)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_fails_as_a_whole_is_sorted_by_its_type() {
        for (text, expected) in [
            (r#"{"errors":[{"type":"RATE_LIMITED","message":"m"}]}"#, (Reason::RateLimited, false)),
            (
                r#"{"data":{"nodes":[]},"errors":[{"type":"RATE_LIMIT","path":["nodes"]}]}"#,
                (Reason::RateLimited, false),
            ),
            (
                r#"{"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#,
                (Reason::RateLimited, false),
            ),
            (
                r#"{"data":{"nodes":[null]},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","path":["nodes",0]}]}"#,
                (Reason::Server, true),
            ),
            (
                r#"{"errors":[{"message":"Something went wrong while executing your query."}]}"#,
                (Reason::Server, true),
            ),
            (r#"{"data":null,"errors":[{"type":"FORBIDDEN","message":"m"}]}"#, (Reason::Forbidden, false)),
            (
                r#"{"data":null,"errors":[{"message":"m","extensions":{"saml_failure":true}}]}"#,
                (Reason::Forbidden, false),
            ),
            (r#"{"errors":[{"type":"BRAND_NEW"}]}"#, (Reason::Malformed, false)),
            (r#"{"errors":[{}]}"#, (Reason::Malformed, false)),
            (r"{}", (Reason::Malformed, true)),
        ] {
            assert_eq!(reason(text), expected, "{text}");
        }
        assert_eq!(
            sorted(r#"{"errors":[{"type":"INVALID_CURSOR_ARGUMENTS"}]}"#).unwrap_err(),
            Trouble::StaleCursor
        );
    }

    #[test]
    fn a_used_up_limit_says_when_it_is_renewed() {
        let text =
            r#"{"data":{"rateLimit":{"resetAt":"2026-11-22T18:00:00Z"}},"errors":[{"type":"RATE_LIMITED"}]}"#;
        let failure = sorted(text).unwrap_err().failure();
        assert_eq!(failure.retry_at.unwrap().to_rfc3339(), "2026-11-22T18:00:00+00:00");
    }

    #[test]
    fn a_node_that_fails_does_not_spoil_its_neighbours() {
        let text = r#"{"data":{"nodes":[{"name":"a"},null,{"name":"c"},null,{"name":5}]},"errors":[
            {"type":"NOT_FOUND","path":["nodes",1],"message":"gone"},
            {"type":"FORBIDDEN","path":["nodes",2,"deployments"],"message":"Resource not accessible by integration"}]}"#;
        let ids: Vec<String> = ["1", "2", "3", "4", "5", "6"].map(str::to_owned).into();
        let nodes = sorted(text).unwrap().nodes::<NameWire>(&ids);
        let shown: Vec<_> = nodes
            .into_iter()
            .map(|(id, found)| match found {
                Ok(Some(node)) => format!("{id} {}", node.name.unwrap()),
                Ok(None) => format!("{id} gone"),
                Err(trouble) => format!("{id} {}", trouble.failure().reason.as_str()),
            })
            .collect();
        assert_eq!(shown, ["1 a", "2 gone", "3 forbidden", "4 gone", "5 malformed", "6 gone"]);
    }

    #[test]
    fn a_branch_that_is_not_for_us_is_noted_and_nothing_else_is_excused() {
        let text = r#"{"data":{"organization":{"repositories":{"nodes":[{"id":"a","defaultBranchRef":null},{"id":"b"}]}}},
            "errors":[{"type":"FORBIDDEN","path":["organization","repositories","nodes",0,"defaultBranchRef"],"message":"no"},
                      {"type":"FORBIDDEN","path":["organization","repositories","nodes",1,"issues"],"message":"no"},
                      {"type":"NOT_FOUND","path":["organization","repositories","nodes",1,"defaultBranchRef"]}]}"#;
        let reply = sorted(text).unwrap().excusing_branches();
        assert_eq!(reply.faults.len(), 2);
        let noted =
            |place| reply.data.pointer(&format!("/organization/repositories/nodes/{place}/branchHidden"));
        assert_eq!((noted(0), noted(1)), (Some(&Value::Bool(true)), None));
    }

    #[test]
    fn a_missing_permission_is_named() {
        let text = r#"{"data":null,"errors":[{"type":"FORBIDDEN","path":["nodes",2,"deployments"],"message":"no"}]}"#;
        assert!(sorted(text).unwrap_err().failure().what.ends_with("read access to deployments"));
    }
}
