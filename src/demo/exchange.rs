//! One request and its answer, as the simulated servers see them, and how many there were.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Host`.
    pub host: Option<String>,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// How many requests are being answered at this moment, this one included.
    pub concurrent: usize,
    /// The body.
    pub body: Vec<u8>,
    /// The name of the GraphQL operation, if it is one and has one.
    pub operation: Option<String>,
}

impl Request {
    /// Whether the credential is `<one of the schemes> <token>`.
    pub(super) fn carries(&self, schemes: &[&str], token: &str) -> bool {
        let Some(authorization) = &self.authorization else {
            return false;
        };
        schemes.iter().any(|scheme| authorization.strip_prefix(scheme) == Some(token))
    }

    /// The path with everything after its first part left out, so that there are few of them.
    fn resource(&self) -> String {
        let mut parts = self.path.trim_start_matches('/').splitn(2, '/');
        let first = parts.next().unwrap_or_default();
        let more = if parts.next().is_some() { "/…" } else { "" };
        format!("/{first}{more}")
    }

    /// The values of a parameter, which may be repeated.
    pub(super) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_asked = move |pair: &&'a (String, String)| pair.0 == name;
        self.query.iter().filter(is_asked).map(|(_, value)| value.as_str())
    }

    /// The last value of a parameter.
    pub(super) fn parameter<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.parameters(name).last()
    }

    /// The operation that a GraphQL body names, or the first that its text declares.
    pub(super) fn name_operation(&mut self) {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return;
        };
        let named = body.get("operationName").and_then(Value::as_str).map(str::to_owned);
        let declared = || {
            let text = body.get("query")?.as_str()?.trim_start();
            let rest = text.split_once("query ")?.1;
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            (!name.is_empty()).then_some(name)
        };
        self.operation = named.or_else(declared);
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// GraphQL points charged for it.
    pub points: u64,
}

impl Answer {
    /// A JSON answer that cost nothing.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes(), points: 0 }
    }
}

/// How many requests came, and what they cost.
#[derive(Debug, Default)]
pub struct Tally {
    requests: AtomicU64,
    points: AtomicU64,
    by_operation: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    /// Requests so far, refused and failed ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// GraphQL points charged so far.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    /// Requests by GraphQL operation, or by the first part of the path where there is none: `/incidents`,
    /// `/incidents/…`.
    pub fn by_operation(&self) -> BTreeMap<String, u64> {
        self.by_operation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn arrived(&self, request: &Request) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let name = request.operation.clone().unwrap_or_else(|| request.resource());
        let mut counts = self.by_operation.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name).or_default() += 1;
    }

    pub(super) fn charged(&self, points: u64) {
        self.points.fetch_add(points, Ordering::Relaxed);
    }
}
