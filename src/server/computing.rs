//! Work that takes longer than an answer should: beside the server's own thread, and not much of it at once, so that a
//! scrape never waits for it and memory stays bounded. It ends when nobody waits for it any more: when the client has
//! gone away, and when the server stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;

/// As many at once: one may be long while others are short.
const AT_ONCE: usize = 2;
/// How long one waits for its turn: less than Prometheus waits for an answer, which is a minute.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What long work asks again and again: it ends with the error, if there is one.
pub(super) type GoOn<'a> = &'a dyn Fn() -> Result<(), Problem>;

/// Places for long work.
#[derive(Debug, Clone)]
pub(super) struct Computing {
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Computing {
    /// Places until `stop`.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), stop }
    }

    /// Does it when it is its turn. If this future is dropped, the work is told so, and holds its place until it ends.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(GoOn<'_>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let stop = self.stop.child_token();
        let _waits = stop.clone().drop_guard();
        let place = timeout(WAIT_MAX, Arc::clone(&self.places).acquire_owned());
        let place = stop.run_until_cancelled(place).await.ok_or(Problem::Unanswered)?;
        let place = place.map_err(|_| Problem::Busy)?.map_err(|_| Problem::Unanswered)?;
        let done = tokio::task::spawn_blocking({
            let stop = stop.clone();
            move || {
                let go_on = || if stop.is_cancelled() { Err(Problem::Unanswered) } else { Ok(()) };
                let outcome = go_on().and_then(|()| work(&go_on));
                drop(place);
                outcome
            }
        });
        done.await.map_err(|error| {
            tracing::error!("an answer was not computed: {error}");
            Problem::Failed
        })?
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc::{Receiver, Sender, channel};
    use tokio::task::JoinSet;

    use super::*;
    use crate::server::connection::{self, ConnectionLimits};

    /// Work that never ends by itself, and tells when it begins and what it ends with.
    fn endless(
        tell: Sender<Result<(), Problem>>,
    ) -> impl FnOnce(GoOn<'_>) -> Result<(), Problem> + Send + 'static {
        move |go_on| {
            tell.blocking_send(Ok(())).unwrap();
            // Also when the test is over, so that it can fail.
            while !tell.is_closed() {
                if let Err(problem) = go_on() {
                    tell.blocking_send(Err(problem.clone())).unwrap();
                    return Err(problem);
                }
                std::thread::yield_now();
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn who_goes_away_gives_the_place_back() {
        let computing = Computing::new(CancellationToken::new());
        let (tell, mut told) = channel(2 * AT_ONCE);
        let mut waiting = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (computing, work) = (computing.clone(), endless(tell.clone()));
            waiting.spawn(async move { computing.run(work).await });
            assert_eq!(told.recv().await, Some(Ok(())));
        }
        assert_eq!(computing.places.available_permits(), 0, "nobody else can compute anything");
        waiting.shutdown().await;
        assert_eq!(computing.run(|_| Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn who_waits_for_a_place_when_the_server_stops_is_told_so() {
        let stop = CancellationToken::new();
        let computing = Computing::new(stop.clone());
        let place = || Arc::clone(&computing.places).try_acquire_owned().unwrap();
        let all = [(); AT_ONCE].map(|()| place());
        let (outcome, ()) = tokio::join!(computing.run(|_| Ok(())), async { stop.cancel() });
        assert_eq!(outcome, Err(Problem::Unanswered));
        drop(all);
        assert_eq!(computing.run(|_| Ok(())).await, Err(Problem::Unanswered), "nothing is begun any more");
    }

    /// A server whose page takes for ever, and a client that waits for it.
    struct Waiting {
        client: TcpStream,
        told: Receiver<Result<(), Problem>>,
        serving: JoinSet<()>,
        shutdown: CancellationToken,
    }

    impl Waiting {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let shutdown = CancellationToken::new();
            let computing = Computing::new(shutdown.clone());
            let (tell, mut told) = channel(2);
            let page = async move || computing.run(endless(tell)).await.into_response();
            let router = Router::new().route("/", get(page));
            let mut serving = JoinSet::new();
            let limits = ConnectionLimits::default();
            serving.spawn(connection::accept(listener, router, limits, shutdown.clone()));
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
            assert_eq!(told.recv().await, Some(Ok(())));
            Self { client, told, serving, shutdown }
        }
    }

    #[tokio::test]
    async fn a_client_that_goes_away_ends_the_work() {
        let Waiting { client, mut told, serving, shutdown } = Waiting::new().await;
        drop(client);
        // A limit, so that it fails rather than hangs.
        assert_eq!(timeout(WAIT_MAX, told.recv()).await, Ok(Some(Err(Problem::Unanswered))));
        shutdown.cancel();
        serving.join_all().await;
    }

    #[tokio::test]
    async fn a_server_that_stops_ends_the_work_and_says_so() {
        let Waiting { mut client, mut told, serving, shutdown } = Waiting::new().await;
        shutdown.cancel();
        assert_eq!(told.recv().await, Some(Err(Problem::Unanswered)));
        serving.join_all().await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
