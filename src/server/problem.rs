//! Errors as `application/problem+json` (RFC 9457): what, which, and how to mend.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nothing is at this path.
    NotFound,
    /// Something is, but not for this method.
    MethodNotAllowed,
    /// Nothing has been published yet.
    NotReady,
    /// `[server.push]` is off.
    NoPush,
    /// A template failed, which no input can cause.
    PageFailed,
}

impl Problem {
    const fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoPush => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::PageFailed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::NotFound => "nothing is served at this path; / links to what is",
            Self::MethodNotAllowed => "this path can only be read: use GET or HEAD",
            Self::NotReady => "the first snapshot has not been computed yet; try again in a second",
            Self::NoPush => {
                "there is no [server.push] in the configuration; send SIGHUP to the process to reload it"
            }
            Self::PageFailed => "the page could not be rendered; the log says why",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = (status, format!("{body}\n")).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self == Self::NotReady {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
