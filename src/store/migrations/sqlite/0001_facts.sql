-- The tables of sextant. Instants are milliseconds since the Unix epoch. Commits are the 20 bytes of their SHA-1.
-- Columns of type BLOB which are no commit are packed lists: src/store/sqlite/packed.rs has the format.
-- An external id is an INTEGER where it is written as one, else TEXT; so numbers sort as numbers, before words.
-- Facts are clustered by (repository, id): what is read together lies together. Nothing is ever deleted.

-- repo_key stands for (source, number) in the tables below. name is NULL while only facts of it are known.
-- reach: 0 ok, 1 empty, 2 inaccessible.
CREATE TABLE repositories (
    repo_key       INTEGER PRIMARY KEY,
    source         TEXT    NOT NULL,
    number         INTEGER NOT NULL,
    name           TEXT,
    reach          INTEGER,
    default_branch TEXT,
    head           BLOB,
    created_at     INTEGER,
    UNIQUE (source, number)
) STRICT;

-- All teams of a source with what they hold.
CREATE TABLE teams (
    source TEXT NOT NULL PRIMARY KEY,
    teams  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- author: 0 human, 1 bot. No person is stored.
CREATE TABLE commits (
    repo_key     INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    parents      BLOB    NOT NULL,
    authored_at  INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    author       INTEGER NOT NULL,
    pull_request INTEGER,
    reverts      BLOB    NOT NULL,
    PRIMARY KEY (repo_key, id)
) STRICT, WITHOUT ROWID;

-- contact: 0 live, 1 first: when it was first read.
CREATE TABLE changes (
    repo_key    INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    title       TEXT    NOT NULL,
    base        TEXT    NOT NULL,
    head        TEXT    NOT NULL,
    labels      BLOB    NOT NULL,
    author      INTEGER NOT NULL,
    landing     BLOB,
    own_commits BLOB    NOT NULL,
    opened_at   INTEGER NOT NULL,
    ready_at    INTEGER,
    reviewed_at INTEGER,
    merged_at   INTEGER NOT NULL,
    reverts     BLOB    NOT NULL,
    corrections INTEGER NOT NULL,
    contact     INTEGER NOT NULL,
    PRIMARY KEY (repo_key, number)
) STRICT, WITHOUT ROWID;

-- outcome: 0 success, 1 failure. contact: 0 live, 1 first: when the outcome became known.
CREATE TABLE attempts (
    repo_key    INTEGER NOT NULL,
    id          ANY     NOT NULL,
    commit_id   BLOB    NOT NULL,
    environment TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    outcome     INTEGER,
    finished_at INTEGER,
    url         TEXT,
    corrections INTEGER NOT NULL,
    contact     INTEGER NOT NULL,
    PRIMARY KEY (repo_key, id),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

-- verdict: 'none', or 'deployment:' and what names it. excluded: the place of the reason in definitions.md 4.1.
-- appeared, resolved: 0 live, 1 first: when it, and its resolution, became known.
CREATE TABLE incidents (
    source          TEXT    NOT NULL,
    id              ANY     NOT NULL,
    title           TEXT    NOT NULL,
    url             TEXT,
    started_at      INTEGER NOT NULL,
    acknowledged_at INTEGER,
    resolved_at     INTEGER,
    severity        TEXT    NOT NULL,
    urgency         TEXT,
    subjects        BLOB    NOT NULL,
    named           BLOB    NOT NULL,
    verdict         TEXT,
    excluded        INTEGER,
    corrections     INTEGER NOT NULL,
    appeared        INTEGER NOT NULL,
    resolved        INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    source TEXT NOT NULL,
    scope  TEXT NOT NULL,
    cursor TEXT NOT NULL,
    PRIMARY KEY (source, scope)
) STRICT, WITHOUT ROWID;

-- Since when history is complete. kind: 0 a repository by number, 1 the incidents of the source (number is 0).
CREATE TABLE coverage (
    kind   INTEGER NOT NULL,
    source TEXT    NOT NULL,
    number INTEGER NOT NULL,
    since  INTEGER NOT NULL,
    PRIMARY KEY (kind, source, number)
) STRICT, WITHOUT ROWID;

-- The persistent counters, and what they have counted.
CREATE TABLE counters (
    name   TEXT NOT NULL,
    labels BLOB NOT NULL,
    value  REAL NOT NULL,
    PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;

CREATE TABLE counted (
    thing BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Rows by fact, kept by triggers, since counting millions of rows reads all of them. An update of a row in an upsert
-- is no insert; a repository is counted when its name becomes known.
CREATE TABLE tallies (
    fact TEXT    NOT NULL PRIMARY KEY,
    rows INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO tallies VALUES ('attempt', 0), ('change', 0), ('commit', 0), ('incident', 0), ('repository', 0);

CREATE TRIGGER attempts_tallied AFTER INSERT ON attempts
BEGIN UPDATE tallies SET rows = rows + 1 WHERE fact = 'attempt'; END;

CREATE TRIGGER changes_tallied AFTER INSERT ON changes
BEGIN UPDATE tallies SET rows = rows + 1 WHERE fact = 'change'; END;

CREATE TRIGGER commits_tallied AFTER INSERT ON commits
BEGIN UPDATE tallies SET rows = rows + 1 WHERE fact = 'commit'; END;

CREATE TRIGGER incidents_tallied AFTER INSERT ON incidents
BEGIN UPDATE tallies SET rows = rows + 1 WHERE fact = 'incident'; END;

CREATE TRIGGER repositories_tallied AFTER UPDATE OF name ON repositories WHEN old.name IS NULL
BEGIN UPDATE tallies SET rows = rows + 1 WHERE fact = 'repository'; END;
