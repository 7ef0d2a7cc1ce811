//! Errors as `application/problem+json` (RFC 9457): what, which, and how to mend.

use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nothing is at this path.
    NotFound,
    /// Something is, but not for this method.
    MethodNotAllowed,
    /// Nothing has been published yet.
    NotReady,
    /// `[server.push]` is off.
    NoPush,
    /// `[server.push]` names no secret for webhooks.
    NoWebhooks,
    /// The signature is missing, malformed or wrong.
    NotSigned,
    /// The push token is missing or wrong.
    NoToken,
    /// The token or the secret cannot be read: ours to mend.
    SecretUnreadable,
    /// The body is larger than so many bytes.
    TooLarge(usize),
    /// The body did not arrive in time.
    TooSlow,
    /// Too many bodies are being read.
    TooMany,
    /// Too much is being computed.
    Busy,
    /// It asks for more than is answered at once.
    TooMuch(String),
    /// The body cannot be read as what it should be.
    Malformed(String),
    /// It can, and what it says cannot be.
    Unprocessable(String),
    /// Something else is there already.
    Conflict(String),
    /// There is no such thing to withdraw.
    Unknown(String),
    /// It was begun and has not ended yet, or the daemon is ending.
    Unanswered,
    /// Something broke that no input can break.
    Failed,
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoPush | Self::NoWebhooks | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady | Self::SecretUnreadable | Self::Unanswered => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotSigned | Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::TooLarge(_) | Self::TooMuch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany | Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotFound => "nothing is served at this path; / links to what is",
            Self::MethodNotAllowed => {
                "this path does not take that method; the header Allow names those that it takes"
            }
            Self::NotReady => "the first snapshot has not been computed yet; try again in a second",
            Self::NoPush => {
                "there is no [server.push] in the configuration; send SIGHUP to the process to reload it"
            }
            Self::NoWebhooks => {
                "[server.push] of the configuration names no secret for GitHub's webhooks; add it, and give \
                 the webhook the same"
            }
            Self::NotSigned => {
                "the header X-Hub-Signature-256 is not the signature of this body; the secret of the webhook \
                 and that of [server.push] must be the same"
            }
            Self::NoToken => "this needs the push token: Authorization: Bearer …",
            Self::SecretUnreadable => {
                "the secret of [server.push] cannot be read; the log says why, and nothing was accepted"
            }
            Self::TooSlow => "the body did not arrive in time; send it again",
            Self::TooMany => "too many bodies are being read; try again in a second",
            Self::Busy => "too many answers are being computed; try again in a second",
            Self::Unanswered => {
                "it was not done in time, or the process is ending; /metrics and the log say what became of it"
            }
            Self::Failed => "something went wrong here; the log says why",
            Self::TooLarge(bytes_max) => return format!("the body is larger than {bytes_max} bytes").into(),
            Self::TooMuch(detail)
            | Self::Malformed(detail)
            | Self::Unprocessable(detail)
            | Self::Conflict(detail)
            | Self::Unknown(detail) => {
                return detail.into();
            }
        };
        Cow::Borrowed(fixed)
    }

    /// A header that belongs to it.
    fn header(&self) -> Option<(axum::http::HeaderName, &'static str)> {
        match self {
            Self::NotReady | Self::TooMany | Self::Busy => Some((RETRY_AFTER, "1")),
            Self::NoToken => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::NoPush
            | Self::NoWebhooks
            | Self::NotSigned
            | Self::SecretUnreadable
            | Self::TooLarge(_)
            | Self::TooSlow
            | Self::TooMuch(_)
            | Self::Malformed(_)
            | Self::Unprocessable(_)
            | Self::Conflict(_)
            | Self::Unknown(_)
            | Self::Unanswered
            | Self::Failed => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, header) = (self.status(), self.header());
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = (status, format!("{body}\n")).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
