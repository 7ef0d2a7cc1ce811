//! One request and its answer: the token goes out, the answer comes in, and neither is larger or goes further than
//! it may.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::governor::Permit;
use super::{Answer, Failure, Http, Reason, address, limits, verdict};

/// Same-host redirects that are followed: a renamed repository needs one.
const REDIRECTS_MAX: usize = 3;
/// Of an error's body only a message is of interest.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
/// What is said where nobody vouches for a server.
const UNTRUSTED: &str = "invalid peer certificate: UnknownIssuer";
/// What to do about that.
const TRUST: &str = "; if the server's certificate is your own, name the authority that signed it in ca_file";
/// Not even a chain of causes is worth more.
const CAUSES_MAX: usize = 8;

/// A question as it is sent, perhaps several times.
pub(super) struct Question<'a> {
    /// How.
    pub(super) method: Method,
    /// Where, with its query.
    pub(super) url: Url,
    /// What is sent along, as JSON.
    pub(super) body: Option<&'a [u8]>,
}

/// A failed exchange, with what the whole identity is to do about it.
pub(super) struct Refused {
    /// Why.
    pub(super) failure: Failure,
    /// Whether nothing at all is to be asked before its `retry_at`.
    pub(super) everything: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, everything: false }
    }
}

impl Http {
    /// One question and its answer, redirects on the same host included.
    pub(super) async fn exchange(
        &self,
        question: &Question<'_>,
        permit: &mut Permit,
    ) -> Result<Answer, Refused> {
        let (secret, authorization) = self.authorization()?;
        let mut url = question.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = self
                .shared
                .client
                .request(question.method.clone(), url.clone())
                .headers(self.shared.headers.clone());
            if let Some(authorization) = &authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if let Some(body) = question.body {
                request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
            }
            self.reserve(permit)?;
            self.throttle(permit.pace()).await;
            self.shared.telemetry.request();
            permit.sent();
            let response = request.send().await.map_err(|error| {
                permit.settle(!error.is_connect());
                self.broken(question, &error, &secret)
            })?;
            let stated = self.observe_headers(response.headers());
            permit.settle(stated.as_deref() != Some(permit.resource()));
            self.warn_of_the_end(&url, response.headers());
            if response.status().is_success() {
                return Ok(self.answer(question, response, &secret).await?);
            }
            match address::redirect(response.status(), &question.method, &url, response.headers()) {
                address::Redirect::Here(next) => url = next,
                address::Redirect::Elsewhere(origin) => {
                    let what = format!("{}: redirected to {origin}, which is not followed", question.name());
                    return Err(self.failure(Reason::Malformed, &what).into());
                }
                address::Redirect::None => return Err(self.refused(question, response, &secret).await),
            }
        }
        let what = format!("{}: redirected more than {REDIRECTS_MAX} times", question.name());
        Err(self.failure(Reason::Malformed, &what).into())
    }

    /// Takes note of the limit that the headers state, and says of which resource.
    fn observe_headers(&self, headers: &HeaderMap) -> Option<String> {
        let (resource, stated) = limits::stated(headers, self.now())?;
        self.observe_limit(resource, stated.total, stated.remaining, stated.reset_at);
        Some(resource.to_owned())
    }

    /// Tells once what will not be answered for ever.
    fn warn_of_the_end(&self, url: &Url, headers: &HeaderMap) {
        let said = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let (deprecated, sunset) = (said("deprecation"), said("sunset"));
        if deprecated.is_none() && sunset.is_none() {
            return;
        }
        let family = address::family(url);
        if self.shared.governor.announce(&family) {
            let source = &self.shared.options.source;
            tracing::warn!(%source, family, deprecated, sunset, "the source will stop to answer such requests");
        }
    }

    /// The secret as it is now, and the header that shows it to the source and hides it from `Debug`; none where
    /// nobody signs in.
    fn authorization(&self) -> Result<(SecretString, Option<HeaderValue>), Failure> {
        if self.shared.options.scheme.is_empty() {
            return Ok((SecretString::default(), None));
        }
        let unusable = |what: &str| self.failure(Reason::Auth, what);
        let secret = self.shared.options.credential.secret().map_err(|what| unusable(&what))?;
        let trimmed = secret.expose_secret().trim();
        if trimmed.is_empty() {
            return Err(unusable("the token is empty"));
        }
        let mut header = HeaderValue::from_str(&format!("{}{trimmed}", self.shared.options.scheme))
            .map_err(|_| unusable("the token has characters that no token has"))?;
        header.set_sensitive(true);
        Ok((SecretString::from(trimmed), Some(header)))
    }

    async fn answer(
        &self,
        question: &Question<'_>,
        mut response: Response,
        secret: &SecretString,
    ) -> Result<Answer, Failure> {
        let cap = self.shared.bounds.body_bytes;
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.broken(question, &error, secret))?
        {
            if body.len().saturating_add(chunk.len()) > cap {
                let what = format!("{}: the answer is larger than {cap} bytes", question.name());
                return Err(self.failure(Reason::Malformed, &what));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// What a status other than 2xx means. Its body is read as far as it comes and no further than it is of use.
    async fn refused(
        &self,
        question: &Question<'_>,
        mut response: Response,
        secret: &SecretString,
    ) -> Refused {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_BODY_BYTES_MAX {
                body.truncate(ERROR_BODY_BYTES_MAX);
                break;
            }
        }
        let text = String::from_utf8_lossy(&body);
        let status = response.status().as_u16();
        let verdict = verdict::read(status, response.headers(), &text, self.now());
        let said = (self.shared.said)(&text);
        let said = verdict::snippet(said.as_deref().unwrap_or(&text), Some(secret));
        let what = format!("{}: answered {status}: {said}", question.name());
        Refused {
            failure: Failure {
                retry_at: verdict.retry_at,
                ..self.failure(verdict.reason, what.trim_end_matches(": "))
            },
            everything: verdict.everything,
        }
    }

    /// No answer, or not all of it.
    fn broken(&self, question: &Question<'_>, error: &reqwest::Error, secret: &SecretString) -> Failure {
        let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Network };
        let said = verdict::snippet(&causes(error), Some(secret));
        self.failure(reason, &format!("{}: {said}{}", question.name(), advice(&said)))
    }
}

impl Question<'_> {
    /// For messages: without the query, which can be long and is nobody's business.
    pub(super) fn name(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        format!("{} {url}", self.method)
    }
}

/// What to do about a connection that failed, where that is not plain.
pub(super) fn advice(said: &str) -> &'static str {
    if said.contains(UNTRUSTED) { TRUST } else { "" }
}

/// The error and what is behind it, without the address, which has the query in it.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut said = Vec::new();
    while let Some(error) = cause.filter(|_| said.len() < CAUSES_MAX) {
        said.push(error.to_string());
        cause = error.source();
    }
    if said.is_empty() {
        said.push("the request was not answered".to_owned());
    }
    said.dedup();
    said.join(": ")
}
