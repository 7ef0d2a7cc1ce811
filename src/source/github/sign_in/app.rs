//! A GitHub App as itself: it signs with its private key, finds its installations, and mints their tokens.
//!
//! The requests go through octocrab, over our connections; neither its retries nor its caches are compiled in. Pages
//! are asked for by path: octocrab sends no authorization to an absolute address on an Enterprise Server.

use std::fmt;
use std::pin::Pin;

use http_body::Body;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::http::{Failure, Http, Priority, Reason};
use crate::model::secret::Credential;
use crate::model::time::{Span, Timestamp};

/// What the App's own requests are counted as; they have a limit of their own, which is never near.
const RESOURCE: &str = "app";
/// GitHub accepts a signature from the near past only, and clocks differ.
const SIGNED_BEFORE: Span = Span::from_minutes(1);
/// GitHub accepts no signature that holds for more than ten minutes.
const SIGNED_FOR: Span = Span::from_minutes(9);
/// The largest page that GitHub serves.
const PAGE_INSTALLATIONS: usize = 100;
/// An App in more organizations than these pages hold is not one of a company; name the installation then.
const PAGES_MAX: usize = 20;
/// A hundred installations are a fifth of it.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// GitHub's tokens hold for an hour; who does not say until when is believed for less.
const UNSTATED_LIFE: Span = Span::from_minutes(30);

/// An App.
pub(super) struct App {
    pub(super) http: Http,
    pub(super) api_url: String,
    /// Its number or its client id.
    pub(super) id: String,
    pub(super) private_key: Credential,
}

/// Where an App is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    /// Its number.
    pub(super) id: u64,
    /// The organization or account that it is for.
    pub(super) account: String,
    /// Whether its owner suspended it.
    pub(super) suspended: bool,
}

/// A token of an installation, of whatever length and form.
#[derive(Debug)]
pub(super) struct Token {
    /// The token itself.
    pub(super) secret: SecretString,
    /// Not from then on.
    pub(super) expires_at: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct InstallationWire {
    id: u64,
    account: Option<AccountWire>,
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct AccountWire {
    login: Option<String>,
    /// What an enterprise has instead of a login.
    slug: Option<String>,
}

#[derive(Deserialize)]
struct TokenWire {
    token: String,
    expires_at: Option<String>,
}

/// A question of the App.
enum Question {
    Get,
    Post,
}

struct Page {
    body: Vec<u8>,
    /// Whether GitHub says that there is another.
    next: bool,
}

impl App {
    /// Where it is installed.
    pub(super) async fn installations(&self, now: Timestamp) -> Result<Vec<Installation>, Failure> {
        let mut found = Vec::new();
        for page in 1..=PAGES_MAX {
            let path = format!("/app/installations?per_page={PAGE_INSTALLATIONS}&page={page}");
            let answer = self.ask(&Question::Get, &path, now).await?;
            let read: Vec<InstallationWire> = self.read(&answer, &path)?;
            let last = read.is_empty() || (read.len() < PAGE_INSTALLATIONS && !answer.next);
            found.extend(read.into_iter().map(Installation::from));
            if last {
                return Ok(found);
            }
        }
        tracing::warn!(
            app = self.id,
            installations = found.len(),
            "the App has more installations than are read"
        );
        Ok(found)
    }

    /// One installation of it.
    pub(super) async fn installation(&self, id: u64, now: Timestamp) -> Result<Installation, Failure> {
        let path = format!("/app/installations/{id}");
        let answer = self.ask(&Question::Get, &path, now).await.map_err(|failure| self.gone(id, failure))?;
        self.read::<InstallationWire>(&answer, &path).map(Installation::from)
    }

    /// A new token of an installation.
    pub(super) async fn mint(&self, id: u64, now: Timestamp) -> Result<Token, Failure> {
        let path = format!("/app/installations/{id}/access_tokens");
        let answer = self.ask(&Question::Post, &path, now).await.map_err(|failure| self.gone(id, failure))?;
        let TokenWire { token, expires_at } = self.read(&answer, &path)?;
        let expires_at = expires_at.and_then(|text| Timestamp::parse(&text));
        Ok(Token { secret: token.into(), expires_at: expires_at.unwrap_or(now.plus(UNSTATED_LIFE)) })
    }

    /// An installation that is not there any more.
    fn gone(&self, id: u64, failure: Failure) -> Failure {
        let Failure { reason, what, retry_at } = failure;
        let what = if reason == Reason::NotFound {
            format!("{what}; the installation {id} of the App {} is gone: install it again", self.id)
        } else {
            what
        };
        Failure { reason, what, retry_at }
    }

    async fn ask(&self, question: &Question, path: &str, now: Timestamp) -> Result<Page, Failure> {
        let bare = path.split('?').next().unwrap_or(path);
        let _place = self.http.admit(RESOURCE, 1, Priority::Live).await?;
        let jwt = self.signature(now)?;
        let octocrab = Octocrab::builder()
            .base_uri(self.api_url.as_str())
            .and_then(|builder| {
                builder.personal_token(jwt.clone()).build_with_reqwest(self.http.connections())
            })
            .map_err(|_| self.http.unsent(Reason::Malformed, "the api_url cannot be asked for an App"))?;
        self.http.asked();
        let response = match question {
            Question::Get => octocrab._get(path).await,
            Question::Post => octocrab._post(path, None::<&()>).await,
        };
        let response = response.map_err(|error| self.http.unanswered(bare, &error, &jwt))?;
        let (parts, body) = response.into_parts();
        let body = match whole(body).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let what = format!("{bare}: the answer is larger than {BODY_BYTES_MAX} bytes");
                return Err(self.http.malformed(&what));
            }
            Err(error) => return Err(self.http.unanswered(bare, &error, &jwt)),
        };
        if !parts.status.is_success() {
            let failure = self.http.refusal(bare, parts.status.as_u16(), &parts.headers, &body, &jwt);
            return Err(self.explained(failure));
        }
        let link = parts.headers.get("link").and_then(|link| link.to_str().ok());
        Ok(Page { body, next: link.is_some_and(|link| link.contains("rel=\"next\"")) })
    }

    /// Says what to do about a signature that is not accepted.
    fn explained(&self, failure: Failure) -> Failure {
        let Failure { reason, what, retry_at } = failure;
        let advice = match reason {
            Reason::Auth
                if what.contains("'Issued at' claim") || what.contains("'Expiration time' claim") =>
            {
                "the clock of this machine is wrong, or GitHub's is".to_owned()
            }
            Reason::Auth => {
                format!("the private key is not one of the App {}, or there is no such App", self.id)
            }
            Reason::Forbidden
            | Reason::NotFound
            | Reason::RateLimited
            | Reason::Timeout
            | Reason::Server
            | Reason::Network
            | Reason::Malformed => return Failure { reason, what, retry_at },
        };
        Failure { reason, what: format!("{what}; {advice}"), retry_at }
    }

    /// The App's word that it is itself. The key is read each time, so that one that was replaced is found.
    fn signature(&self, now: Timestamp) -> Result<SecretString, Failure> {
        let unusable = |what: &str| self.http.unsent(Reason::Auth, what);
        let no_key = |_| unusable("the private key of the App is no RSA private key in PEM");
        let pem = self.private_key.secret().map_err(|what| unusable(&what))?;
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(no_key)?;
        let claims = Claims {
            iss: &self.id,
            iat: now.minus(SIGNED_BEFORE).millis() / 1_000,
            exp: now.plus(SIGNED_FOR).millis() / 1_000,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key)
            .map(SecretString::from)
            .map_err(no_key)
    }

    fn read<T: DeserializeOwned>(&self, page: &Page, path: &str) -> Result<T, Failure> {
        // What serde says could repeat a part of the answer, which may be a token.
        serde_json::from_slice(&page.body)
            .map_err(|_| self.http.malformed(&format!("{path}: the answer cannot be read")))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<InstallationWire> for Installation {
    fn from(wire: InstallationWire) -> Self {
        let InstallationWire { id, account, suspended_at } = wire;
        let account = account.and_then(|AccountWire { login, slug }| login.or(slug)).unwrap_or_default();
        Self { id, account, suspended: suspended_at.is_some() }
    }
}

/// A body as far as it may go; `None` if it goes further.
async fn whole<B>(mut body: B) -> Result<Option<Vec<u8>>, B::Error>
where
    B: Body<Data = bytes::Bytes> + Unpin,
{
    let mut read = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            if read.len().saturating_add(data.len()) > BODY_BYTES_MAX {
                return Ok(None);
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(Some(read))
}
