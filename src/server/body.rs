//! Bodies of requests: capped, in time, and all of them together bounded in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Problem;

/// How long a body may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// Memory for all bodies that are being read: two of the largest, or some hundreds of the usual size.
const ALL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What memory is counted in; a body takes at least one.
const UNIT_BYTES: usize = 16 * 1024;

/// The memory for bodies.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    units: Arc<Semaphore>,
}

/// A body, with its part of the memory.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    units: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self { units: Arc::new(Semaphore::new(ALL_BYTES_MAX / UNIT_BYTES)) }
    }

    /// Reads a body of at most so many bytes.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        bytes_max: usize,
    ) -> Result<Received, Problem> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > bytes_max) {
            return Err(Problem::TooLarge(bytes_max));
        }
        timeout(ARRIVAL_MAX, self.take_in(body, bytes_max)).await.map_err(|_| Problem::TooSlow)?
    }

    async fn take_in(&self, body: Body, bytes_max: usize) -> Result<Received, Problem> {
        let mut received = Received { bytes: Vec::new(), units: None };
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
            let bytes = received.bytes.len().saturating_add(chunk.len());
            if bytes > bytes_max {
                return Err(Problem::TooLarge(bytes_max));
            }
            self.admit(&mut received, bytes)?;
            received.bytes.extend_from_slice(&chunk);
        }
        Ok(received)
    }

    /// Counts the body's memory as it grows, so that whoever only promises a large body takes none.
    fn admit(&self, received: &mut Received, bytes: usize) -> Result<(), Problem> {
        let held = received.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes.div_ceil(UNIT_BYTES).saturating_sub(held);
        let wanted = u32::try_from(wanted).map_err(|_| Problem::TooMany)?;
        if wanted == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.units).try_acquire_many_owned(wanted).map_err(|_| Problem::TooMany)?;
        match &mut received.units {
            Some(units) => units.merge(more),
            None => received.units = Some(more),
        }
        Ok(())
    }
}
