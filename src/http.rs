//! The one outbound client: timeouts, retry classes, Retry-After, the budget, size caps, redaction, request metrics.

use chrono::{DateTime, Utc};

use crate::clock::SharedClock;
use crate::model::secret::Credential;
use crate::telemetry::SourceTelemetry;

/// Why a request, or a poll, failed: a closed set, the values of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The token is wrong, expired or revoked. Not retried before the next poll, and that one is backed off.
    Auth,
    /// The token lacks a permission, or single sign-on refuses it.
    Forbidden,
    /// It is not there, or the token may not know that it is.
    NotFound,
    /// The source's limit or our share of it is used up.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// The source failed (5xx).
    Server,
    /// No connection, or it broke.
    Network,
    /// An answer that cannot be read.
    Malformed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Auth,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::Timeout,
        Self::Server,
        Self::Network,
        Self::Malformed,
    ];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Network => "network",
            Self::Malformed => "malformed",
        }
    }
}

/// A failure of a source: why, and in words what and which, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({})", reason.as_str())]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// What was asked of whom, and what came back: a lowercase fragment.
    pub what: String,
    /// Not before then, if the source said so.
    pub retry_at: Option<DateTime<Utc>>,
}

/// Whom to ask, as whom, and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// The source's configured name, for messages.
    pub source: String,
    /// Scheme, host and path prefix: `https://api.github.com`.
    pub base_url: String,
    /// What stands before the secret in `Authorization`: `Bearer `, `Token token=`.
    pub scheme: &'static str,
    /// The secret.
    pub credential: Credential,
    /// Headers of every request.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The share of the rate limit that may be used, in (0, 1].
    pub budget: f64,
}

/// An answer with a 2xx status; everything else is a [`Failure`].
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, decompressed, no larger than the cap.
    pub body: Vec<u8>,
}

/// A client for one source. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct Http {}

impl Http {
    /// A client; fails if the base URL is none.
    pub fn new(_options: Options, _clock: SharedClock, _telemetry: SourceTelemetry) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// `GET base_url + path?query`. Retries what may be retried within the poll; counts every request.
    pub async fn get(&self, _path: &str, _query: &[(&str, &str)]) -> Result<Answer, Failure> {
        Err(Failure {
            reason: Reason::Network,
            what: "to be written".into(),
            retry_at: None,
        })
    }

    /// `POST base_url + path` with a JSON body that only reads (GraphQL), so that it may be retried like a GET.
    pub async fn post(&self, _path: &str, _body: &serde_json::Value) -> Result<Answer, Failure> {
        Err(Failure {
            reason: Reason::Network,
            what: "to be written".into(),
            retry_at: None,
        })
    }

    /// Takes note of a rate limit that the source states in a body (GraphQL's `rateLimit`); headers are read here.
    pub fn observe_limit(&self, _resource: &str, _limit: u64, _remaining: u64, _reset_at: DateTime<Utc>) {}

    /// Fails with `RateLimited` if `cost` more would exceed our share of `resource` before it is renewed.
    pub fn admit(&self, _resource: &str, _cost: u64) -> Result<(), Failure> {
        Ok(())
    }
}
