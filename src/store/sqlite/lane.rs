//! A lane: a thread that owns one connection and does one job after the other.

use std::io;
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

/// Jobs that may wait: a few for each collect task, which waits for its answer before it asks again. Who comes later
/// waits to be queued.
const JOBS_QUEUED: usize = 64;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

enum Order {
    Run(Job),
    Stop(oneshot::Sender<rusqlite::Result<()>>),
}

/// A handle of a lane.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    orders: mpsc::Sender<Order>,
    place: Arc<str>,
}

impl Lane {
    /// Starts the thread. `finish` is its last act, when it was stopped or when no handle is left.
    pub(super) fn start(
        name: &'static str,
        place: &Arc<str>,
        mut connection: Connection,
        finish: impl FnOnce(Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, mut queue) = mpsc::channel(JOBS_QUEUED);
        let work = move || {
            let mut stopped = None;
            while let Some(order) = queue.blocking_recv() {
                match order {
                    Order::Run(job) => job(&mut connection),
                    Order::Stop(answer) => {
                        stopped = Some(answer);
                        break;
                    }
                }
            }
            drop(queue);
            let finished = finish(connection);
            if let Some(Err(unheard)) = stopped.map(|answer| answer.send(finished)) {
                tracing::debug!(lane = name, ?unheard, "nobody waited for the store to close");
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { orders, place: Arc::clone(place) })
    }

    /// Does a job on the connection. It is done even if nobody waits for its answer any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if sender.send(job(connection)).is_err() {
                tracing::debug!(doing, "nobody waited for the store's answer");
            }
        });
        self.ask(doing, Order::Run(job), answer).await
    }

    /// Finishes what is queued before, and ends the thread.
    pub(super) async fn stop(&self, doing: &'static str) -> Result<(), StoreError> {
        let (sender, answer) = oneshot::channel();
        self.ask(doing, Order::Stop(sender), answer).await
    }

    async fn ask<T>(
        &self,
        doing: &'static str,
        order: Order,
        answer: oneshot::Receiver<rusqlite::Result<T>>,
    ) -> Result<T, StoreError> {
        let failed = |cause: String| StoreError { doing, place: self.place.to_string(), cause };
        let sent = self.orders.send(order).await;
        sent.map_err(|_| failed("the store is closed".to_owned()))?;
        let answered = answer.await;
        answered
            .map_err(|_| failed("the store's thread ended before it answered".to_owned()))?
            .map_err(|error| failed(explain(&error)))
    }
}

/// Closes a connection that only read.
pub(super) fn close(connection: Connection) -> rusqlite::Result<()> {
    connection.close().map_err(|(_, error)| error)
}

/// Moves the log into the file, so that the file alone is the store, and closes it.
pub(super) fn checkpoint_and_close(connection: Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    close(connection)
}

/// What to do about failures that somebody can mend.
const MENDS: [(ErrorCode, &str); 6] = [
    (ErrorCode::DiskFull, "make room on its disk; nothing of this was stored"),
    (ErrorCode::ReadOnly, "let sextant's user write the file and its directory"),
    (ErrorCode::CannotOpen, "let sextant's user read and write the file and its directory"),
    (ErrorCode::NotADatabase, "it is no SQLite file: name another one in store.url, or move it away"),
    (
        ErrorCode::DatabaseCorrupt,
        "the file is damaged: restore a backup, or move it away, and the sources are read again",
    ),
    (ErrorCode::DatabaseBusy, "another program has locked the file: end it"),
];

/// What SQLite said, and how to mend it where that is known.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    let mend = MENDS.iter().find(|(code, _)| error.sqlite_error_code() == Some(*code));
    mend.map_or_else(|| error.to_string(), |(_, mend)| format!("{error}; {mend}"))
}
