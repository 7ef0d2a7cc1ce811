//! SQLite: one file, one writer.
//!
//! Two threads own a connection each: all writes go through one, all reads through the other, so that neither a
//! checkpoint nor a long read ever blocks a worker of tokio, and so that no write ever meets a lock. Every batch is a
//! transaction of its own: in WAL mode with `synchronous=NORMAL` a commit does not wait for the disk, so that there
//! is nothing to gain from committing several batches together.
//!
//! A killed process loses nothing that was acknowledged. A power failure may take the last commits with it, whole
//! and in order: cursors and facts go back together, and the source reads again what was lost.
//!
//! `open` has the file and its guard, `lane` the threads, `write`, `read` and `signals` the statements, `columns` and
//! `packed` how values are kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::batch::{
    Applied, Batch, CountedKey, CounterKey, Cursor, Inventory, RepositoryFacts, Scope, StoredIncident,
};
use crate::model::name::{RepositoryId, SourceName};
use crate::model::signal::{History, SignalKey, SignalPoint};
use crate::model::transition::{SeenTurn, StoredTurn, Withdrawal};
use crate::store::settled::Settled;
use crate::store::sqlite::lane::Lane;
use crate::store::{Counters, FactStore, StoreError};

mod columns;
mod lane;
mod open;
mod packed;
mod read;
mod signals;
mod turns;
mod write;

/// How `store.url` begins for SQLite.
const SCHEME: &str = "sqlite:";

/// A store in an SQLite file. Its threads end when its last handle is dropped, or with [`SqliteStore::close`].
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Lane,
    reader: Lane,
}

impl SqliteStore {
    /// Opens the store in `path`, and makes it, with its directory, if it does not exist. Fails if another process
    /// has it open, if it is anything else than a store, or if a newer sextant has written it.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        const OPEN: &str = "open the store";
        let path = path.into();
        let place: Arc<str> = place_of(&path).into();
        let failed = |cause: String| StoreError { doing: OPEN, place: place.to_string(), cause };
        let opened = tokio::task::spawn_blocking(move || open::open(&path)).await;
        let open::Opened { writer, reader, guard } =
            opened.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
        let reader = Lane::start("store-reader", &place, reader, lane::close);
        let writer = Lane::start("store-writer", &place, writer, move |connection| {
            let closed = lane::checkpoint_and_close(connection);
            // Said, and not left to the end of the file handle: a process that is being started may hold a copy of it.
            if let Err(error) = guard.unlock() {
                tracing::warn!(%error, "the store's lock was not released before the end of the process");
            }
            closed
        });
        Ok(Self {
            writer: writer.map_err(|error| failed(error.to_string()))?,
            reader: reader.map_err(|error| failed(error.to_string()))?,
        })
    }

    /// Opens the store in `path` beside whoever writes it, which may be nobody. Nothing can be stored through this handle.
    /// Fails if there is none, or if it is of another version.
    pub async fn open_to_read(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        const OPEN: &str = "open the store to read it";
        let path = path.into();
        let place: Arc<str> = place_of(&path).into();
        let failed = |cause: String| StoreError { doing: OPEN, place: place.to_string(), cause };
        let opened = tokio::task::spawn_blocking(move || open::open_to_read(&path)).await;
        let reader = opened.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
        let reader = Lane::start("store-reader", &place, reader, lane::close);
        let reader = reader.map_err(|error| failed(error.to_string()))?;
        Ok(Self { writer: reader.clone(), reader })
    }

    /// Finishes what is queued, moves the log into the file, and lets another process open it. Other handles of this
    /// store fail from now on.
    pub async fn close(self) -> Result<(), StoreError> {
        let read = self.reader.stop("close the store").await;
        self.writer.stop("close the store").await.and(read)
    }
}

impl FactStore for SqliteStore {
    async fn apply(&self, source: &SourceName, batch: Batch) -> Result<Applied, StoreError> {
        let source = source.clone();
        self.writer
            .run("store a batch", move |connection| write::apply(connection, &source, Settled::new(batch)))
            .await
    }

    async fn cursors(&self, source: &SourceName) -> Result<Vec<(Scope, Cursor)>, StoreError> {
        let source = source.clone();
        self.reader.run("read cursors", move |connection| read::cursors(connection, &source)).await
    }

    async fn inventory(&self) -> Result<Inventory, StoreError> {
        self.reader.run("read the inventory", read::inventory).await
    }

    async fn repository(&self, id: &RepositoryId) -> Result<Option<RepositoryFacts>, StoreError> {
        let id = id.clone();
        self.reader.run("read a repository", move |connection| read::repository(connection, &id)).await
    }

    async fn incidents(&self) -> Result<Vec<StoredIncident>, StoreError> {
        self.reader.run("read incidents", read::incidents).await
    }

    async fn counts(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.reader.run("count facts", read::counts).await
    }

    async fn counters(&self) -> Result<Counters, StoreError> {
        self.reader.run("read counters", read::counters).await
    }

    async fn count(
        &self,
        increments: Vec<(CounterKey, f64)>,
        counted: Vec<CountedKey>,
    ) -> Result<(), StoreError> {
        self.writer
            .run("store counters", move |connection| write::count(connection, &increments, &counted))
            .await
    }

    async fn turns(&self) -> Result<Vec<StoredTurn>, StoreError> {
        self.reader.run("read changes of states", turns::read).await
    }

    async fn record_turns(
        &self,
        seen: Vec<SeenTurn>,
        withdrawn: Vec<(u64, Withdrawal)>,
    ) -> Result<(), StoreError> {
        self.writer
            .run("store changes of states", move |connection| turns::record(connection, &seen, &withdrawn))
            .await
    }

    async fn note_signal(&self, key: SignalKey, points: Vec<SignalPoint>) -> Result<(), StoreError> {
        self.writer.run("store a signal", move |connection| signals::note(connection, &key, &points)).await
    }

    async fn signal(&self, key: SignalKey) -> Result<History, StoreError> {
        self.reader.run("read a signal", move |connection| signals::read(connection, &key)).await
    }
}

/// The file that a `store.url` of the form `sqlite:PATH` names; why not, if it is of another form.
pub fn path_of(url: &str) -> Result<PathBuf, StoreError> {
    let refused = |cause: &str| StoreError {
        doing: "understand the URL of the store",
        place: url.to_owned(),
        cause: cause.to_owned(),
    };
    let path = url.strip_prefix(SCHEME).ok_or_else(|| refused("it does not begin with `sqlite:`"))?;
    if path.is_empty() || path.starts_with(':') {
        return Err(refused("it names no file: write `sqlite:PATH`"));
    }
    if path.starts_with("//") {
        return Err(refused("a file has no host: write `sqlite:PATH` without the slashes"));
    }
    Ok(PathBuf::from(path))
}

fn place_of(path: &Path) -> String {
    format!("{SCHEME}{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::Coverage;
    use crate::model::fact::{Author, Commit, Fact};
    use crate::model::name::CommitId;
    use crate::model::time::Timestamp;

    fn batch(numbers: std::ops::Range<u8>) -> Batch {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let commit = |n: u8| Commit {
            paths: None,
            repository: repository.clone(),
            id: CommitId::new([n; 20]),
            parents: vec![CommitId::new([n; 20]); 200],
            authored_at: Timestamp::from_seconds(1),
            committed_at: Timestamp::from_seconds(2),
            author: Author::Human,
            pull_request: None,
            reverts: Vec::new(),
        };
        Batch {
            facts: numbers.clone().map(|n| Fact::Commit(commit(n))).collect(),
            cursors: vec![("commits".to_owned(), Some(numbers.end.to_string()))],
            covered: vec![(Coverage::Repository(repository.clone()), Timestamp::from_seconds(0))],
            ..Batch::default()
        }
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_batch_whole_and_leaves_the_store_usable() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("s.db")).await.unwrap();
        let source = SourceName::from("acme");
        store.apply(&source, batch(0..3)).await.unwrap();
        let limit = |pages: u32| {
            store.writer.run("limit", move |connection| {
                connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            })
        };
        limit(1).await.unwrap();
        let failure = store.apply(&source, batch(3..200)).await.unwrap_err();
        assert_eq!(failure.doing, "store a batch");
        assert!(failure.cause.contains("full"), "{failure}");
        assert_eq!(store.cursors(&source).await.unwrap(), [("commits".to_owned(), "3".to_owned())]);
        assert_eq!(store.counts().await.unwrap()[2], ("commit", 3));
        limit(u32::MAX).await.unwrap();
        assert_eq!(store.apply(&source, batch(3..200)).await.unwrap().rows_written, 197);
    }

    #[tokio::test]
    async fn a_thread_that_ended_is_an_error_for_whoever_asks() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("s.db")).await.unwrap();
        let asked = store.writer.run::<()>("fall over", |_| panic!("on purpose")).await;
        assert!(asked.unwrap_err().cause.contains("thread"));
        let source = SourceName::from("acme");
        let failure = store.apply(&source, batch(0..1)).await.unwrap_err();
        assert_eq!(failure.doing, "store a batch");
    }

    #[test]
    fn only_files_are_urls_of_sqlite() {
        for (url, expected) in [
            ("sqlite:data/sextant.db", Some("data/sextant.db")),
            ("sqlite:/var/lib/sextant.db", Some("/var/lib/sextant.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("sqlite://data/sextant.db", None),
            ("postgres://host/db", None),
        ] {
            assert_eq!(path_of(url).ok(), expected.map(PathBuf::from), "{url}");
        }
    }
}
