//! `POST /-/reload`: reads the configuration again, as SIGHUP does, and says whether that worked.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::problem::Problem;
use super::{ServerState, signature};

/// Longer than the tasks of a generation may take to end.
const RELOAD_MAX: Duration = Duration::from_secs(30);

pub(super) async fn reload(State(state): State<ServerState>, headers: HeaderMap) -> Response {
    match asked(&state, &headers).await {
        Ok(()) => "the configuration was read again\n".into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn asked(state: &ServerState, headers: &HeaderMap) -> Result<(), Problem> {
    let inbound = state.inbound().ok_or(Problem::NoPush)?;
    signature::admit(&inbound.token, headers)?;
    let (answer, outcome) = oneshot::channel();
    inbound.reload.try_send(answer).map_err(|_| Problem::Unanswered)?;
    let outcome = timeout(RELOAD_MAX, outcome).await.map_err(|_| Problem::Unanswered)?;
    let outcome = outcome.map_err(|_| Problem::Unanswered)?;
    outcome.map_err(|errors| Problem::Unprocessable(format!("the running configuration stays: {errors}")))
}
