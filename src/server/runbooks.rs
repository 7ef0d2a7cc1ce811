//! What to do about an alert: `docs/runbooks`, as it was when this daemon was built. So the link in an alert is never
//! dead, and never about another version.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

const RUNBOOKS: [&str; 2] =
    [include_str!("../../docs/runbooks/collector.md"), include_str!("../../docs/runbooks/delivery.md")];

/// `GET /runbooks/{alert}`: the text under the heading of this name.
pub(super) async fn runbook(Path(alert): Path<String>) -> Response {
    match section(&alert) {
        Some(text) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => Problem::NotFound.into_response(),
    }
}

fn section(alert: &str) -> Option<&'static str> {
    RUNBOOKS.into_iter().flat_map(|runbook| runbook.split("\n## ").skip(1)).find(|section| {
        let heading = section.lines().next();
        heading == Some(alert)
    })
}
