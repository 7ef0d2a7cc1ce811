//! The one outbound client: timeouts, retry classes, Retry-After, the budget, size caps, redaction, request metrics.
//!
//! It must never follow an address on another host with our token, retry what is refused for good, send more than
//! the configured share of a limit, or put a secret or a query into an error. Here is what is asked again, and when;
//! one request and its answer are in `exchange`, and who shares limits with whom in `governor`. What an answer means
//! is read in `verdict`, what a limit allows in `limits`, how fast in `pace`, what may be asked in `address`: all pure.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use crate::clock::SharedClock;
use crate::model::secret::Credential;
use crate::model::time::{Span, Timestamp};
use crate::telemetry::SourceTelemetry;

use exchange::{Question, Refused, causes};
use limits::{Claim, Limit};

mod address;
mod exchange;
mod foreign;
mod governor;
mod limits;
mod pace;
mod verdict;

pub use self::governor::{Governor, Governors, Permit};
pub use self::limits::Priority;

/// How we introduce ourselves; GitHub refuses requests that do not.
const USER_AGENT: &str = concat!("sextant/", env!("CARGO_PKG_VERSION"));

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
    /// What stands before the secret in `Authorization`: `Bearer `, `Token token=`. Empty: nobody signs in, and the
    /// secret is not asked for.
    pub scheme: &'static str,
    /// The secret.
    pub credential: Credential,
    /// Who that is: a label, never the secret. Clients of one host with the same identity share its limits.
    pub identity: String,
    /// Headers of every request.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The share of the rate limit that may be used, in (0, 1].
    pub budget: f64,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca_pem: Option<Vec<u8>>,
}

/// How long a client waits, how often it tries again, and how much it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the last byte of an answer. GitHub gives up on a query after 10 s; a large page takes its time.
    pub whole: Duration,
    /// Repetitions after a 5xx, a timeout, a broken connection or a short limit. A time-out of GitHub's costs points
    /// also in the hour after it, so they are few.
    pub retries: u32,
    /// The wait before the first repetition; it doubles, and half of it is chance.
    pub backoff: Duration,
    /// The longest wait that a source may ask for and get inside a poll; beyond it the poll ends.
    pub short_wait: Duration,
    /// The largest body that is read, decompressed: a hundred pull requests with long texts are a tenth of it.
    pub body_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            whole: Duration::from_mins(1),
            retries: 2,
            backoff: Duration::from_millis(500),
            short_wait: Duration::from_secs(10),
            body_bytes: 32 * 1024 * 1024,
        }
    }
}

/// An answer with a 2xx status; everything else is a [`Failure`].
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed, no larger than the cap.
    pub body: Vec<u8>,
}

/// A client for one identity of a source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
struct Shared {
    options: Options,
    bounds: Bounds,
    base: Url,
    headers: HeaderMap,
    client: reqwest::Client,
    clock: SharedClock,
    telemetry: SourceTelemetry,
    governor: Governor,
    /// What a refusal's body says, where that can be told; else its beginning is shown.
    said: fn(&str) -> Option<String>,
}

impl Http {
    /// A client; fails if the base URL is none, or a certificate.
    pub fn new(
        options: Options,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        Self::with_bounds(options, Bounds::default(), governors, clock, telemetry)
    }

    /// A client with other bounds than the usual ones.
    pub fn with_bounds(
        options: Options,
        bounds: Bounds,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        let unusable = |what: String| Failure {
            reason: Reason::Malformed,
            what: format!("{}: {what}", options.source),
            retry_at: None,
        };
        let base =
            address::base(&options.base_url).map_err(|what| unusable(format!("the api_url {what}")))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let value =
                HeaderValue::from_str(value).map_err(|_| unusable(format!("the header {name} is none")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let client = client(bounds, options.ca_pem.as_deref()).map_err(unusable)?;
        let governor = governors.of(&base.origin().ascii_serialization(), &options.identity);
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                bounds,
                base,
                headers,
                client,
                clock,
                telemetry,
                governor,
                said: |_| None,
            }),
        })
    }

    /// The same client, with a reader of what the bodies of refusals say.
    #[must_use]
    pub fn reading_refusals(&self, said: fn(&str) -> Option<String>) -> Self {
        Self { shared: Arc::new(Shared { said, ..Shared::clone(&self.shared) }) }
    }

    /// The same client as somebody else: over the same connections, with limits of its own.
    #[must_use]
    pub fn signed_in_as(&self, identity: String, credential: Credential, governors: &Governors) -> Self {
        let shared = Shared::clone(&self.shared);
        let governor = governors.of(&shared.base.origin().ascii_serialization(), &identity);
        let options = Options { credential, identity, ..shared.options };
        Self { shared: Arc::new(Shared { options, governor, ..shared }) }
    }

    /// `GET base_url + path?query`. Retries what may be retried within the poll; counts every request.
    ///
    /// `path` is plain text, not percent-encoded; a segment of it that is empty, `.` or `..` is refused, so that an
    /// id out of an answer cannot lead elsewhere.
    pub async fn get(&self, permit: Permit, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.ask(permit, Method::GET, path, query, None).await
    }

    /// `POST base_url + path` with a JSON body that only reads (GraphQL), so that it may be retried like a GET.
    pub async fn post(
        &self,
        permit: Permit,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Answer, Failure> {
        let body = body.to_string();
        self.ask(permit, Method::POST, path, &[], Some(body.as_bytes())).await
    }

    /// `PUT base_url + path` with a JSON body that is a whole state, so that it may be sent again like a GET.
    pub async fn put(&self, permit: Permit, path: &str, body: &serde_json::Value) -> Result<Answer, Failure> {
        let body = body.to_string();
        self.ask(permit, Method::PUT, path, &[], Some(body.as_bytes())).await
    }

    /// Reads the JSON of an answer to `what`; counted as malformed if it is none.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T, Failure> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            let secret = self.shared.options.credential.secret().ok();
            let error = verdict::snippet(&error.to_string(), secret.as_ref());
            self.malformed(&format!("{what}: the answer cannot be read: {error}"))
        })
    }

    /// An answer that makes no sense, counted; `what` says which and why.
    pub fn malformed(&self, what: &str) -> Failure {
        self.shared.telemetry.failure(Reason::Malformed.as_str());
        self.failure(Reason::Malformed, what)
    }

    /// Takes note of a rate limit that the source states in a body (GraphQL's `rateLimit`); headers are read here.
    pub fn observe_limit(&self, resource: &str, limit: u64, remaining: u64, reset_at: DateTime<Utc>) {
        let limit = Limit { total: limit, remaining, reset_at };
        let kept = self.shared.governor.observe(resource, limit, self.now());
        if let Some(kept) = kept {
            self.shared.telemetry.rate_limit(
                resource,
                limits::float(kept.total),
                limits::float(kept.remaining),
                Timestamp::from(kept.reset_at).seconds(),
            );
        }
    }

    /// Waits for a place among the requests that are under way, and fails with `RateLimited` if `cost` more would
    /// exceed what may be used of `resource` before it is renewed. GitHub names its resources (`core`, `graphql`);
    /// PagerDuty has one, here `rest`. What is not known is not limited. The cost counts as used until the answer
    /// says what was. Whoever holds a permit must not wait for another: there are few.
    pub async fn admit(&self, resource: &str, cost: u64, priority: Priority) -> Result<Permit, Failure> {
        let mut permit = self.shared.governor.enter(resource, cost, self.claim(priority)).await;
        self.rest(resource).await?;
        self.reserve(&mut permit)?;
        Ok(permit)
    }

    /// How many points or requests of `resource` may be spent in the next `over`, so that what is left of our share
    /// lasts until it is renewed; `None`: nothing is known of a limit.
    pub fn allowance(&self, resource: &str, over: Span) -> Option<u64> {
        let claim = self.claim(Priority::Live);
        self.shared.governor.allowance(resource, claim, over.seconds(), self.now())
    }

    /// A limit that an answer spoke of in its body (GraphQL's secondary one): nothing is asked as this identity for a
    /// while, at least a minute, longer if it was limited just before. The failure says until when.
    pub fn limited(&self, failure: Failure) -> Failure {
        let until = self.shared.governor.pause(failure.retry_at, self.now());
        Failure { retry_at: Some(until), ..failure }
    }

    fn claim(&self, priority: Priority) -> Claim {
        Claim { share: self.shared.options.budget, priority }
    }

    /// Sits out a short pause; a longer one is a failure.
    async fn rest(&self, resource: &str) -> Result<(), Failure> {
        let paused = || self.shared.governor.paused(self.now());
        let wait = paused().and_then(|until| self.short(until));
        if let Some(wait) = wait {
            self.throttle(wait).await;
        }
        let Some(until) = paused() else {
            return Ok(());
        };
        let what = format!("{resource}: not asked, the source wants a pause");
        Err(Failure { retry_at: Some(until), ..self.failure(Reason::RateLimited, &what) })
    }

    fn reserve(&self, permit: &mut Permit) -> Result<(), Failure> {
        permit.reserve(self.now()).map_err(|at| {
            let what = format!("our share of the limit of {} is used up", permit.resource());
            Failure { retry_at: Some(at), ..self.failure(Reason::RateLimited, &what) }
        })
    }

    async fn throttle(&self, wait: Duration) {
        if !wait.is_zero() {
            self.shared.telemetry.throttled(wait.as_secs_f64());
            tokio::time::sleep(wait).await;
        }
    }

    /// How long it is until then, if that may be waited for.
    fn short(&self, until: DateTime<Utc>) -> Option<Duration> {
        let wait = (until - self.now()).to_std().unwrap_or_default();
        (wait <= self.shared.bounds.short_wait).then_some(wait)
    }

    async fn ask(
        &self,
        mut permit: Permit,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, Failure> {
        let url = address::join(&self.shared.base, path, query).ok_or_else(|| {
            self.malformed(&format!("no path to ask for: {}", verdict::snippet(path, None)))
        })?;
        let question = Question { method, url, body };
        let mut tried = 0;
        loop {
            let Refused { mut failure, everything } = match self.exchange(&question, &mut permit).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            self.shared.telemetry.failure(failure.reason.as_str());
            if everything {
                failure = self.limited(failure);
            }
            let Some(wait) = self.wait(&failure, tried) else {
                return Err(failure);
            };
            tracing::debug!(%failure, ?wait, "asking again");
            if failure.reason == Reason::RateLimited {
                self.throttle(wait).await;
            } else {
                tokio::time::sleep(wait).await;
            }
            tried += 1;
        }
    }

    /// How long to wait before asking again; `None`: not at all in this poll.
    fn wait(&self, failure: &Failure, tried: u32) -> Option<Duration> {
        let Bounds { retries, backoff, .. } = self.shared.bounds;
        let may_be_repeated = match failure.reason {
            Reason::RateLimited | Reason::Timeout | Reason::Server | Reason::Network => true,
            Reason::Auth | Reason::Forbidden | Reason::NotFound | Reason::Malformed => false,
        };
        if !may_be_repeated || tried >= retries {
            return None;
        }
        match failure.retry_at {
            Some(at) => self.short(at),
            None => Some(jittered(backoff.saturating_mul(1 << tried.min(16)))),
        }
    }

    fn failure(&self, reason: Reason, what: &str) -> Failure {
        Failure { reason, what: format!("{}: {what}", self.shared.options.source), retry_at: None }
    }

    fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }
}

/// What requests go out through. Proxies come from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
fn client(bounds: Bounds, ca_pem: Option<&[u8]>) -> Result<reqwest::Client, String> {
    let unusable = |error: &reqwest::Error| match ca_pem {
        Some(_) => format!("no client can be made with these CA certificates: {}", causes(error)),
        None => format!("no client can be made: {}", causes(error)),
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(bounds.connect)
        .timeout(bounds.whole)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .gzip(true);
    if let Some(pem) = ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| format!("the CA certificates cannot be read: {}", causes(&error)))?;
        if certificates.is_empty() {
            return Err("the CA certificates cannot be read: there is none in PEM".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| unusable(&error))
}

/// At least half of `wait`, and the rest by chance, so that clients who failed together do not return together.
fn jittered(wait: Duration) -> Duration {
    let half = u64::try_from(wait.as_millis() / 2).unwrap_or(u64::MAX / 2);
    let chance = std::collections::hash_map::RandomState::new().hash_one(half);
    Duration::from_millis(half + chance % (half + 1))
}
