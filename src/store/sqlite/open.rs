//! Opening: the file, the guard that keeps a second sextant out, the settings of a connection, the migrations.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::sqlite::lane::explain;

/// The migrations, in order; the first one makes version 1. They are never edited, only added to.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/sqlite/0001_facts.sql"),
    include_str!("../migrations/sqlite/0002_origins_and_paths.sql"),
    include_str!("../migrations/sqlite/0003_turns.sql"),
    include_str!("../migrations/sqlite/0004_signals.sql"),
];

/// `PRAGMA application_id` of our files: `SXTN`.
const APPLICATION: i32 = 0x5358_544e;

/// The oldest SQLite without the defect that damages a file when a log is started over.
const ENGINE_OLDEST: i32 = 3_051_003;

/// How long to wait for the lock of another program, such as `sqlite3` in the middle of a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Page caches, in KiB: enough for the pages that a batch touches, small against the 40 MB of the daemon.
const WRITER_CACHE_KIB: i32 = 2_048;
const READER_CACHE_KIB: i32 = 1_024;

/// Pages in the log before it is moved into the file: 4 MiB.
const CHECKPOINT_PAGES: i32 = 1_000;

/// What the log is cut to after a checkpoint, should a long read have made it grow.
const LOG_BYTES: i64 = 16 * 1024 * 1024;

/// Statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 40;

/// An opened store.
pub(super) struct Opened {
    /// The only connection that writes.
    pub(super) writer: Connection,
    /// A connection that cannot write.
    pub(super) reader: Connection,
    /// Locked for as long as it is open, against a second sextant; the system unlocks it however a process ends.
    pub(super) guard: File,
}

/// Opens the file, or makes it; why not, and how to mend it, if it cannot.
pub(super) fn open(path: &Path) -> Result<Opened, String> {
    engine_is_sound(rusqlite::version_number())?;
    let path = prepare(path)?;
    let guard = lock(&path)?;
    let said = |error: rusqlite::Error| explain(&error);
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = Connection::open_with_flags(
        &path,
        flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )
    .map_err(said)?;
    writer.busy_timeout(BUSY_TIMEOUT).map_err(said)?;
    let version = version_of_ours(&writer)?;
    if writer.is_readonly("main").map_err(said)? {
        return Err("the file is read-only: let sextant's user write it and its directory".to_owned());
    }
    settle_in(&writer, WRITER_CACHE_KIB).map_err(said)?;
    keep_a_log(&writer)?;
    migrate(&mut writer, version).map_err(said)?;
    let reader =
        Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(said)?;
    settle_in(&reader, READER_CACHE_KIB).map_err(said)?;
    Ok(Opened { writer, reader, guard })
}

/// Opens a file that another process may be writing; why not, and how to mend it, if it cannot.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, String> {
    engine_is_sound(rusqlite::version_number())?;
    if !path.is_file() {
        return Err("there is no such file: `sextant run` makes it, and collects what it holds".to_owned());
    }
    let said = |error: rusqlite::Error| explain(&error);
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_ONLY;
    let reader = Connection::open_with_flags(path, flags).map_err(said)?;
    reader.busy_timeout(BUSY_TIMEOUT).map_err(said)?;
    let version = version_of_ours(&reader)?;
    if version < MIGRATIONS.len() {
        return Err("an older sextant has written it: `sextant run` brings it up to date".to_owned());
    }
    settle_in(&reader, READER_CACHE_KIB).map_err(said)?;
    Ok(reader)
}

fn engine_is_sound(version: i32) -> Result<(), String> {
    if version >= ENGINE_OLDEST {
        return Ok(());
    }
    Err(format!(
        "this sextant is linked with SQLite {version}, and versions before {ENGINE_OLDEST} may damage the file: \
         build it with the bundled one"
    ))
}

/// Makes the directory, and finds the one name of the file, so that two ways to it meet at one guard.
fn prepare(path: &Path) -> Result<PathBuf, String> {
    if path.is_dir() {
        return Err("it is a directory: name a file in store.url".to_owned());
    }
    let name = path.file_name().ok_or("it names no file: write `sqlite:PATH`")?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(directory).map_err(|error| {
        format!(
            "cannot make the directory {}: {error}; make it, or name another one in store.url",
            directory.display()
        )
    })?;
    let directory = fs::canonicalize(directory)
        .map_err(|error| format!("cannot find the directory {}: {error}", directory.display()))?;
    let path = directory.join(name);
    // A file that does not exist yet has no other name.
    Ok(fs::canonicalize(&path).unwrap_or(path))
}

fn lock(path: &Path) -> Result<File, String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = Path::new(&beside);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(beside).map_err(|error| {
        format!("cannot write {}: {error}; let sextant's user write the directory", beside.display())
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err("another sextant has it open: end that one, or name another file in store.url".to_owned())
        }
        Err(TryLockError::Error(error)) => {
            Err(format!("cannot lock {}: {error}; its file system must have locks", beside.display()))
        }
    }
}

/// The version of the schema, 0 in a new file; refuses files which are not ours, before anything is written.
fn version_of_ours(connection: &Connection) -> Result<usize, String> {
    let said = |error: rusqlite::Error| explain(&error);
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(said)?;
    let version = number("user_version").map_err(said)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(said)?;
    let new = application == 0 && version == 0 && tables == 0;
    if !new && application != APPLICATION {
        return Err("the file belongs to another program: name another one in store.url".to_owned());
    }
    let known = MIGRATIONS.len();
    usize::try_from(version).ok().filter(|version| *version <= known).ok_or(format!(
        "a newer sextant has written it (schema {version}, this one knows {known}): \
             run that one, or restore a backup from before"
    ))
}

fn settle_in(connection: &Connection, cache_kib: i32) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A negative size is in KiB. Mapped memory would count as ours, and made a defect of older SQLites worse.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn keep_a_log(connection: &Connection) -> Result<(), String> {
    let said = |error: rusqlite::Error| explain(&error);
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(said)?;
    if mode != "wal" {
        return Err(format!(
            "its file system allows only the journal `{mode}`: put the file on a local disk"
        ));
    }
    let set = || {
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))
    };
    set().map_err(said)
}

/// Brings the schema to the newest version, each step whole or not at all.
fn migrate(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    for (number, migration) in (1_i32..).zip(MIGRATIONS).skip(version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a: enough to notice an edit.
    fn checksum(text: &str) -> u64 {
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn migrations_are_never_edited() {
        let known = [
            13_186_826_899_350_117_673,
            11_270_907_586_441_880_794,
            225_482_904_766_132_954,
            18_116_804_461_168_194_449,
        ];
        assert_eq!(MIGRATIONS.map(checksum), known, "add a migration instead");
    }

    #[test]
    fn an_engine_that_damages_files_is_refused() {
        assert!(engine_is_sound(rusqlite::version_number()).is_ok());
        assert!(engine_is_sound(3_051_002).unwrap_err().contains("3051002"));
    }
}
