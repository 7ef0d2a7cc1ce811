//! Work that takes longer than an answer should: beside the server's own thread, and not much of it at once, so that a
//! scrape never waits for it and memory stays bounded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;

/// As many at once: one may be long while others are short.
const AT_ONCE: usize = 2;
/// How long one waits for its turn: less than Prometheus waits for an answer, which is a minute.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Places for long work.
#[derive(Debug, Clone)]
pub(super) struct Computing {
    places: Arc<Semaphore>,
}

impl Computing {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Does it when it is its turn. It goes on, and holds its place, if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = timeout(WAIT_MAX, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| Problem::Busy)?.map_err(|_| Problem::Unanswered)?;
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(place);
            outcome
        });
        done.await.map_err(|error| {
            tracing::error!("an answer was not computed: {error}");
            Problem::Failed
        })?
    }
}
