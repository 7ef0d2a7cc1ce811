-- The values of north stars and signals. A signal is its team ('': the organisation's), its name and its query
-- ('': it is pushed).
CREATE TABLE signals (
    signal_key INTEGER NOT NULL PRIMARY KEY,
    team       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    promql     TEXT    NOT NULL,
    UNIQUE (team, name, promql)
) STRICT;

-- The latest value of each hour since 1970.
CREATE TABLE signal_values (
    signal_key INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    value      REAL    NOT NULL,
    PRIMARY KEY (signal_key, hour)
) STRICT, WITHOUT ROWID;
