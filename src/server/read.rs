//! `POST /api/v1/read`: history for Prometheus's `remote_read` (docs/history.md).

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::ServerState;
use super::problem::Problem;
use crate::exposition::history::{self, Known, Wanted};
use crate::model::time::{Span, Timestamp};
use crate::remote_read::{self, Answers, Query, Refused};

/// A question packed: some kilobytes even with a long regular expression.
const BODY_BYTES_MAX: usize = 256 * 1024;

pub(super) async fn read(State(state): State<ServerState>, headers: HeaderMap, body: Body) -> Response {
    match answered(&state, &headers, body).await {
        Ok(packed) => {
            let fields = [(CONTENT_TYPE, "application/x-protobuf"), (CONTENT_ENCODING, "snappy")];
            (fields, packed).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn answered(state: &ServerState, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let body = state.bodies.read(headers, body, BODY_BYTES_MAX).await?;
    let queries = remote_read::queries(&body.bytes)?;
    let published = state.newest().ok_or(Problem::NotReady)?;
    let (past, resolution) = published.past.clone().ok_or(Problem::NotReady)?;
    state
        .computing
        .run(move || {
            let tracker = &published.background.tracker;
            let known = Known { past: &past, tracker };
            Ok(answer(known, resolution, published.snapshot.at, &queries)?)
        })
        .await
}

/// The history that is asked for, until `now`: what comes later is not known yet.
fn answer(known: Known<'_>, resolution: Span, now: Timestamp, queries: &[Query]) -> Result<Vec<u8>, Refused> {
    let mut answers = Answers::default();
    for query in queries {
        answers.begin();
        let instants = query.instants(resolution, now)?;
        let wanted = Wanted {
            instants: &instants,
            metric: &|metric| query.wants(metric.name, metric.labels),
            label: &|name, value| query.admits(name, value),
        };
        history::each(known, &wanted, |series| {
            let labels = series.labels.iter().map(|(name, value)| (*name, value.as_str()));
            answers.series(series.metric.name, labels, &series.points)
        })?;
    }
    answers.pack()
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(detail) => Self::Malformed(detail),
            Refused::TooMuch(detail) => Self::TooMuch(detail),
        }
    }
}
