//! Prometheus as a place to ask: the value of a query now, and its values of the last 90 days.
//!
//! It is no [`Source`](crate::source::Source): what it gives are no facts, and there is no cursor to go on from. It
//! must never take what is no single number for one: several series, NaN and a text are failures that say so, and
//! nothing at all is no value. `answer` reads answers; who asks, and keeps what is read, is `collect::signals`.
//! The API is that of <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::SharedClock;
use crate::http::{Bounds, Failure, Governors, Http, Options, Priority, Reason};
use crate::model::secret::Credential;
use crate::model::signal::SignalPoint;
use crate::model::time::{Span, Timestamp};
use crate::telemetry::SourceTelemetry;

use answer::Answer;
use config::{Config, SignIn};

mod answer;
pub mod config;

/// What metrics and pages call it: there is one.
pub const NAME: &str = "prometheus";
/// The value of the label `kind`.
pub const KIND: &str = "prometheus";

/// The name that the HTTP client has for its one limit, which Prometheus does not state.
const RESOURCE: &str = "rest";
/// How far back the first read of a signal goes: what its sparkline shows.
const HISTORY: Span = Span::from_days(90);
/// From one point of it to the next: 361 points, a thirtieth of what Prometheus gives at most, and more than the
/// sparkline has pixels for.
const HISTORY_STEP: Span = Span::from_hours(6);

/// How long and how much: a value takes milliseconds and some hundred bytes. Nothing is asked twice in a poll, since
/// the next one is near. Ten thousand series, by mistake, are some megabytes, and then their number can be told.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(10),
    retries: 0,
    backoff: Duration::ZERO,
    short_wait: Duration::ZERO,
    body_bytes: 4 * 1024 * 1024,
};

/// Asks a Prometheus.
#[derive(Debug)]
pub struct Promql {
    http: Http,
    /// A password is sent encoded: should an answer repeat it as it is, it is taken out here.
    password: Option<Credential>,
}

/// Why a query has no value, in words without a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The query or its answer.
    #[error(transparent)]
    Query(Failure),
    /// Prometheus, whatever is asked: it cannot be reached, or does not let us in.
    #[error(transparent)]
    Prometheus(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure.reason {
            Reason::Auth | Reason::Forbidden | Reason::Network | Reason::RateLimited => {
                Self::Prometheus(failure)
            }
            Reason::NotFound | Reason::Timeout | Reason::Server | Reason::Malformed => Self::Query(failure),
        }
    }
}

/// What a query gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The value; `None`: the query returned nothing.
    pub point: Option<SignalPoint>,
    /// What Prometheus says besides.
    pub warnings: Vec<String>,
}

impl Promql {
    /// A client; fails if its URL is none.
    pub fn new(
        config: &Config,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        Self::with_bounds(config, BOUNDS, governors, clock, telemetry)
    }

    /// A client with other bounds than the usual ones.
    pub fn with_bounds(
        config: &Config,
        bounds: Bounds,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        let Config { url, sign_in, ca_pem, poll_interval: _ } = config;
        let (scheme, credential, password) = match sign_in {
            SignIn::Nobody => ("", Credential::none(), None),
            SignIn::Token(token) => ("Bearer ", token.clone(), None),
            SignIn::Password { user, password } => ("Basic ", basic(user, password), Some(password.clone())),
        };
        let options = Options {
            source: NAME.to_owned(),
            base_url: url.clone(),
            scheme,
            identity: credential.identity().to_owned(),
            credential,
            headers: vec![("accept", "application/json")],
            budget: 1.0,
            ca_pem: ca_pem.clone(),
        };
        let http = Http::with_bounds(options, bounds, governors, clock, telemetry)?;
        Ok(Self { http: http.reading_refusals(answer::refusal), password })
    }

    /// The value of a query at an instant.
    pub async fn value(&self, query: &str, at: Timestamp) -> Result<Value, Trouble> {
        let time = at.to_string();
        let Answer { data, warnings } =
            self.ask("/api/v1/query", &[("query", query), ("time", &time)]).await?;
        let point = data.value(at).map_err(|flaw| self.http.malformed(&flaw))?;
        Ok(Value { point, warnings })
    }

    /// The values of a query over the last 90 days, as far as there was exactly one.
    pub async fn history(&self, query: &str, now: Timestamp) -> Result<Vec<SignalPoint>, Trouble> {
        let (start, end) = (now.minus(HISTORY).to_string(), now.to_string());
        let step = (HISTORY_STEP.millis() / 1_000).to_string();
        let question = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        let Answer { data, warnings: _ } = self.ask("/api/v1/query_range", &question).await?;
        Ok(data.history().map_err(|flaw| self.http.malformed(&flaw))?)
    }

    async fn ask(&self, path: &str, question: &[(&str, &str)]) -> Result<Answer, Failure> {
        let asked = async {
            let permit = self.http.admit(RESOURCE, 1, Priority::Live).await?;
            let answer = self.http.get(permit, path, question).await?;
            Answer::read(self.http.read(&answer, path)?).map_err(|flaw| self.http.malformed(&flaw))
        };
        asked.await.map_err(|failure| self.redacted(failure))
    }

    fn redacted(&self, failure: Failure) -> Failure {
        let Some(Ok(password)) = self.password.as_ref().map(Credential::secret) else {
            return failure;
        };
        Failure { what: failure.what.replace(password.expose_secret(), "<secret>"), ..failure }
    }
}

/// What signs in with a user and a password (RFC 7617).
fn basic(user: &str, password: &Credential) -> Credential {
    let (user, read, identity) = (user.to_owned(), password.clone(), password.identity().to_owned());
    let credential = Credential::new(move || {
        let password = read.secret()?;
        Ok(SecretString::from(BASE64.encode(format!("{user}:{}", password.expose_secret()))))
    });
    credential.named(&identity)
}
