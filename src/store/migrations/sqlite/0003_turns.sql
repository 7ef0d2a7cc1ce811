-- Changes of the states of teams, as they were seen; later ones have larger ids. day is a date: 2026-11-22.
-- contact: 0 live, 1 first: its day was over before the team was looked at for the first time. withdrawn_at and reason
-- are set, once and together, when the past, looked at again, has it no more.
CREATE TABLE turns (
    id           INTEGER PRIMARY KEY,
    team         TEXT    NOT NULL,
    measure      TEXT    NOT NULL,
    day          TEXT    NOT NULL,
    from_state   TEXT    NOT NULL,
    to_state     TEXT    NOT NULL,
    evidence     TEXT    NOT NULL,
    recorded_at  INTEGER NOT NULL,
    contact      INTEGER NOT NULL,
    withdrawn_at INTEGER,
    reason       TEXT
) STRICT;
