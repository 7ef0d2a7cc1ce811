//! Stores pushed values of signals, one after the other.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::collect::signals::Board;
use crate::model::signal::SignalPoint;
use crate::model::time::{Span, Timestamp};
use crate::server::{PushedValue, Refused, ToldSignal};
use crate::store::FactStore;

/// How far the clock of whoever pushes may be ahead of ours: what is a little ahead is of now.
const AHEAD_MAX: Span = Span::from_minutes(5);

/// Stores what is told until it is cancelled.
pub(super) async fn run<F: FactStore>(
    board: Board<F>,
    clock: SharedClock,
    mut told: mpsc::Receiver<ToldSignal>,
    shutdown: CancellationToken,
) {
    loop {
        let ToldSignal { key, pushed, answer } = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            Some(told) = told.recv() => told,
            else => return,
        };
        let outcome = match point(pushed, clock.now().into()) {
            Ok(point) => board.note(&key, vec![point]).await.map_err(|error| {
                tracing::error!("a pushed value was not stored: {error}");
                Refused::NotStored
            }),
            Err(refused) => Err(refused),
        };
        if answer.send(outcome).is_err() {
            tracing::debug!("whoever pushed a value did not wait for the answer");
        }
    }
}

fn point(pushed: PushedValue, now: Timestamp) -> Result<SignalPoint, Refused> {
    let PushedValue { value, at } = pushed;
    let at = at.unwrap_or(now);
    if at > now.plus(AHEAD_MAX) {
        return Err(Refused::Impossible(format!("`at` is in the future: it is {now} here")));
    }
    SignalPoint::new(at.min(now), value).ok_or_else(|| Refused::Impossible("`value` is no number".to_owned()))
}
