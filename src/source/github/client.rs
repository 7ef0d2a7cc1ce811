//! The one place that posts an operation: admits it to the budget, reads the envelope, and asks for less if it was too
//! much. Clones are the same client, so that several questions can be under way.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use serde::de::DeserializeOwned;

use crate::clock::SharedClock;
use crate::http::{Failure, Governors, Http, Options, Priority, Reason};
use crate::model::secret::Credential;
use crate::model::time::{Span, Timestamp};
use crate::telemetry::SourceTelemetry;

use super::config::{App, Config, SignIn};
use super::heavy::Shrunk;
use super::operations::Request;
use super::reply::{Node, Reply, Trouble, malformed, rate_limit, sort, stated};
use super::server::{self, MetaWire, Version};
use super::sign_in::{Identity, Signer};
use super::wire::Envelope;

/// The rate limit that GraphQL operations share.
const RESOURCE: &str = "graphql";
/// The rate limit that REST requests share.
const REST_RESOURCE: &str = "core";
/// Within one question: each attempt is one that the HTTP client has repeated already.
const HALVINGS_PER_QUESTION_MAX: u32 = 2;
/// Questions that are under way together, or wait for a place among those that are.
const AT_ONCE: usize = 2;

/// Asks GitHub, as one identity. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: Http,
    rest: Http,
    clock: SharedClock,
    telemetry: SourceTelemetry,
    /// The version of an enterprise server; `None`: it is GitHub's own, or has not been asked.
    version: Arc<Mutex<Option<Version>>>,
    /// Operations whose pages, or lists of ids, are smaller at present.
    shrunk: Arc<Mutex<BTreeMap<&'static str, Shrunk>>>,
}

impl Client {
    /// A client for a source. GitHub Enterprise Server has its GraphQL beside `/api/v3`, not below.
    pub(super) fn new(
        config: &Config,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        // An App asks as its installations, each with a client of its own.
        let credential = match &config.sign_in {
            SignIn::Token(token) => token.clone(),
            SignIn::App(app) => {
                let nobody = Credential::new(|| Err("the App has not signed in".to_owned()));
                nobody.named(&format!("app {}", app.id))
            }
        };
        let options = Options {
            source: config.name.to_string(),
            base_url: graphql_base(&config.api_url).to_owned(),
            scheme: "Bearer ",
            identity: credential.identity().to_owned(),
            credential,
            headers: vec![("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
            budget: config.budget,
            ca_pem: config.ca_pem.clone(),
        };
        let rest = Options { base_url: config.api_url.clone(), ..options.clone() };
        Ok(Self {
            http: Http::new(options, governors, Arc::clone(&clock), telemetry.clone())?,
            rest: Http::new(rest, governors, Arc::clone(&clock), telemetry.clone())?,
            clock,
            telemetry,
            version: Arc::default(),
            shrunk: Arc::default(),
        })
    }

    /// How this source signs in.
    pub(super) fn signer(&self, config: &Config) -> Signer {
        match &config.sign_in {
            SignIn::Token(token) => Signer::token(token.clone(), token.identity().to_owned()),
            SignIn::App(App { id, private_key, installation }) => Signer::app(
                self.http.clone(),
                config.api_url.clone(),
                id.clone(),
                private_key.clone(),
                *installation,
            ),
        }
    }

    /// The same client as somebody else, with limits of its own.
    pub(super) fn signed_in_as(&self, identity: &Identity, governors: &Governors) -> Self {
        let signed =
            |http: &Http| http.signed_in_as(identity.label.clone(), identity.credential.clone(), governors);
        Self { http: signed(&self.http), rest: signed(&self.rest), ..self.clone() }
    }

    /// Asks the REST API for what GraphQL does not have; and whether another page follows.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(T, bool), Failure> {
        let permit = self.rest.admit(REST_RESOURCE, 1, Priority::Live).await?;
        let answer = self.rest.get(permit, path, query).await?;
        let links = answer.headers.get("link").and_then(|links| links.to_str().ok());
        let has_next = links.is_some_and(|links| links.contains("rel=\"next\""));
        Ok((self.rest.read(&answer, path)?, has_next))
    }

    /// Now, by the clock of this source.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Points that may be spent in this time, so that the budget lasts; `None`: nothing is known of a limit.
    pub(super) fn allowance(&self, over: Span) -> Option<u64> {
        self.http.allowance(RESOURCE, over)
    }

    /// Counts items that could not be read.
    pub(super) fn count_malformed(&self, items: u64, what: &str) {
        if items > 0 {
            self.telemetry.failure(Reason::Malformed.as_str());
            tracing::warn!(items, what, "left out what could not be read");
        }
    }

    /// Asks, and asks for less if it was too much; `build` gets the number of halvings.
    pub(super) async fn ask(&self, build: impl Fn(u32) -> Request) -> Result<Reply, Trouble> {
        let mut halved = 0;
        loop {
            let operation = build(0).operation.name;
            match self.post(&build(self.shrunk(operation).halvings()), Priority::Live).await {
                Ok(reply) => {
                    self.answered(operation);
                    return Ok(reply);
                }
                Err(Trouble::TooHeavy(_)) if halved < HALVINGS_PER_QUESTION_MAX => {
                    self.halve(operation);
                    halved += 1;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Asks for nodes by id, so many at once or fewer; answers come in the order of the ids.
    pub(super) async fn nodes<T: DeserializeOwned + Send>(
        &self,
        ids: &[String],
        at_once: usize,
        build: impl Fn(&[String]) -> Request + Sync,
    ) -> Result<(Vec<Node<T>>, Timestamp), Trouble> {
        let mut questions = Vec::new();
        for chunk in ids.chunks(at_once.max(1)) {
            questions.push(self.few_nodes(chunk, &build));
        }
        let mut answers = stream::iter(questions).buffered(AT_ONCE);
        let mut found = Vec::with_capacity(ids.len());
        while let Some(answer) = answers.next().await {
            found.extend(answer?);
        }
        Ok((found, self.now()))
    }

    /// Asks for what fits one request, unless it is too heavy.
    async fn few_nodes<T: DeserializeOwned>(
        &self,
        ids: &[String],
        build: &(impl Fn(&[String]) -> Request + Sync),
    ) -> Result<Vec<Node<T>>, Trouble> {
        let operation = build(&[]).operation.name;
        let mut rest = ids;
        let mut found = Vec::with_capacity(ids.len());
        let mut halved = 0;
        while !rest.is_empty() {
            let size = self.shrunk(operation).size(u64::try_from(ids.len()).unwrap_or(u64::MAX));
            let size = usize::try_from(size).unwrap_or(1).clamp(1, rest.len());
            let (now, later) = rest.split_at(size);
            match self.post(&build(now), Priority::Live).await {
                Ok(reply) => {
                    self.answered(operation);
                    found.extend(reply.nodes(now));
                    rest = later;
                }
                Err(Trouble::TooHeavy(_)) if now.len() > 1 && halved < HALVINGS_PER_QUESTION_MAX => {
                    self.halve(operation);
                    halved += 1;
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(found)
    }

    fn shrunk(&self, operation: &'static str) -> Shrunk {
        let shrunk = self.shrunk.lock().unwrap_or_else(PoisonError::into_inner);
        shrunk.get(operation).copied().unwrap_or_default()
    }

    fn halve(&self, operation: &'static str) {
        self.shrunk.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default().halve();
    }

    fn answered(&self, operation: &'static str) {
        let mut shrunk = self.shrunk.lock().unwrap_or_else(PoisonError::into_inner);
        if shrunk.get_mut(operation).is_some_and(|shrunk| !shrunk.answered()) {
            shrunk.remove(operation);
        }
    }

    /// What it means that a question was not admitted: what is new may still be asked for, or nothing at all.
    async fn refused(&self, cost: u64, priority: Priority, failure: Failure) -> Trouble {
        match priority {
            Priority::Live => Trouble::Failed(failure),
            Priority::Backfill => match self.http.admit(RESOURCE, cost, Priority::Live).await {
                Ok(_given_back) => Trouble::Held(failure),
                Err(failure) => Trouble::Failed(failure),
            },
        }
    }

    /// Asks an enterprise server for its version. One that does not tell is treated as the oldest; if it could not be
    /// asked, what is known of it stays.
    pub(super) async fn learn_version(&self) {
        let told = match self.get::<MetaWire>("/meta", &[]).await {
            Ok((meta, _)) => meta.installed_version,
            Err(failure) => {
                let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
                let assumed = known.is_none();
                known.get_or_insert(Version::UNKNOWN);
                tracing::warn!(%failure, assumed, "the server was not asked which version it is");
                return;
            }
        };
        let version = told.as_deref().and_then(Version::parse).unwrap_or(Version::UNKNOWN);
        let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replace(version) != Some(version) {
            tracing::info!(version = told.as_deref().unwrap_or("unknown"), "GitHub Enterprise Server");
        }
    }

    fn understood(&self, text: &'static str) -> Cow<'static, str> {
        let version = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        version.map_or(Cow::Borrowed(text), |version| Cow::Owned(server::understood(text, version)))
    }

    /// Asks once.
    pub(super) async fn post(&self, request: &Request, priority: Priority) -> Result<Reply, Trouble> {
        let name = request.operation.name;
        let permit = match self.http.admit(RESOURCE, request.cost, priority).await {
            Ok(permit) => permit,
            Err(failure) => return Err(self.refused(request.cost, priority, failure).await),
        };
        let body = serde_json::json!({
            "query": self.understood(request.operation.text),
            "operationName": name,
            "variables": request.variables,
        });
        let answer =
            self.http.post(permit, "/graphql", &body).await.map_err(|failure| match failure.reason {
                Reason::Timeout | Reason::Server => Trouble::TooHeavy(failure),
                Reason::Auth
                | Reason::Forbidden
                | Reason::NotFound
                | Reason::RateLimited
                | Reason::Network
                | Reason::Malformed => Trouble::Failed(failure),
            })?;
        let envelope: Envelope = serde_json::from_slice(&answer.body).map_err(|_| {
            self.telemetry.failure(Reason::Malformed.as_str());
            Trouble::TooHeavy(malformed(&format!("{name}: the answer is not the JSON of an answer")))
        })?;
        let limit = rate_limit(envelope.data.as_ref());
        if let Some((limit, remaining, reset_at)) = limit.as_ref().and_then(stated) {
            self.http.observe_limit(RESOURCE, limit, remaining, reset_at.datetime());
        }
        let cost = limit.and_then(|limit| limit.cost);
        tracing::debug!(operation = name, predicted = request.cost, cost, "asked");
        let reply = sort(name, envelope, self.now()).map_err(|trouble| self.limited(trouble));
        let failed = match &reply {
            Ok(reply) => reply.faults.iter().map(|fault| &fault.trouble).collect(),
            Err(trouble) => vec![trouble],
        };
        for trouble in failed {
            self.telemetry.failure(trouble.clone().failure().reason.as_str());
        }
        reply
    }

    /// A limit that does not say until when it holds is one on all that we ask.
    fn limited(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Failed(failure)
                if failure.reason == Reason::RateLimited && failure.retry_at.is_none() =>
            {
                Trouble::Failed(self.http.limited(failure))
            }
            Trouble::Failed(_)
            | Trouble::Denied(..)
            | Trouble::TooHeavy(_)
            | Trouble::StaleCursor
            | Trouble::Held(_) => trouble,
        }
    }
}

/// Where `/graphql` is to be added.
fn graphql_base(api_url: &str) -> &str {
    let url = api_url.trim_end_matches('/');
    match url.strip_suffix("/api/v3") {
        Some(_) => url.strip_suffix("/v3").unwrap_or(url),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_beside_the_rest_api_of_an_enterprise_server() {
        for (api_url, expected) in [
            ("https://api.github.com", "https://api.github.com"),
            ("https://api.github.com/", "https://api.github.com"),
            ("https://ghe.acme.example/api/v3", "https://ghe.acme.example/api"),
            ("https://ghe.acme.example/api/v3/", "https://ghe.acme.example/api"),
            ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
            ("http://127.0.0.1:1234", "http://127.0.0.1:1234"),
        ] {
            assert_eq!(graphql_base(api_url), expected);
        }
    }
}
