//! Reading: each method sees one state of the store, whatever is written meanwhile.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::model::batch::{
    CounterKey, Coverage, Cursor, Inventory, RepositoryFacts, Scope, Seen, StoredIncident,
};
use crate::model::fact::{Attempt, Change, Commit, Incident, Outcome, Repository};
use crate::model::name::{RepositoryId, SourceName};
use crate::model::time::Timestamp;
use crate::store::sqlite::columns::damaged;
use crate::store::sqlite::packed::{Reader, unpack, unpack_origin, unpack_some};
use crate::store::{Counters, FACTS};

/// The columns of [`repository_row`], in its order.
macro_rules! repository_columns {
    () => {
        "SELECT repo_key, source, number, name, reach, default_branch, head, created_at
         FROM repositories WHERE name IS NOT NULL"
    };
}

/// All cursors of a source.
pub(super) fn cursors(
    connection: &mut Connection,
    source: &SourceName,
) -> rusqlite::Result<Vec<(Scope, Cursor)>> {
    connection
        .prepare_cached("SELECT scope, cursor FROM cursors WHERE source = ?1 ORDER BY scope")?
        .query_map([source], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Repositories, teams and coverage.
pub(super) fn inventory(connection: &mut Connection) -> rusqlite::Result<Inventory> {
    let transaction = connection.transaction()?;
    let mut repositories = transaction
        .prepare_cached(repository_columns!())?
        .query_map([], |row| repository_row(row).map(|(_, repository)| repository))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    repositories.sort_by(|a, b| a.id.cmp(&b.id));
    let teams = transaction
        .prepare_cached("SELECT source, teams FROM teams")?
        .query_map([], |row| Ok((row.get(0)?, unpack(row, 1, Reader::team)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let covered = transaction
        .prepare_cached("SELECT kind, source, number, since FROM coverage")?
        .query_map([], coverage)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Inventory { repositories, teams, covered })
}

/// Everything known of one repository.
pub(super) fn repository(
    connection: &mut Connection,
    id: &RepositoryId,
) -> rusqlite::Result<Option<RepositoryFacts>> {
    let transaction = connection.transaction()?;
    let found = transaction
        .prepare_cached(concat!(repository_columns!(), " AND source = ?1 AND number = ?2"))?
        .query_row(params![id.source, id.number.cast_signed()], repository_row)
        .optional()?;
    let Some((repo_key, repository)) = found else {
        return Ok(None);
    };
    Ok(Some(RepositoryFacts {
        commits: commits(&transaction, repo_key, id)?,
        changes: changes(&transaction, repo_key, id)?,
        attempts: attempts(&transaction, repo_key, id)?,
        repository,
    }))
}

/// All incidents.
pub(super) fn incidents(connection: &mut Connection) -> rusqlite::Result<Vec<StoredIncident>> {
    let mut incidents = connection
        .prepare_cached(
            "SELECT source, id, title, url, started_at, acknowledged_at, resolved_at, severity, urgency, subjects,
                 named, verdict, excluded, corrections, appeared, resolved
             FROM incidents ORDER BY source, id",
        )?
        .query_map([], incident)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    incidents.sort_by(|a, b| (&a.incident.source, &a.incident.id).cmp(&(&b.incident.source, &b.incident.id)));
    Ok(incidents)
}

/// Rows by fact, in the order of [`FACTS`]: as the triggers of the tables have tallied them.
pub(super) fn counts(connection: &mut Connection) -> rusqlite::Result<Vec<(&'static str, u64)>> {
    let transaction = connection.transaction()?;
    let mut tally = transaction.prepare_cached("SELECT rows FROM tallies WHERE fact = ?1")?;
    let rows = |fact| Ok((fact, tally.query_row([fact], |row| row.get::<_, i64>(0))?.cast_unsigned()));
    FACTS.into_iter().map(rows).collect()
}

/// The persistent counters and what they have counted.
pub(super) fn counters(connection: &mut Connection) -> rusqlite::Result<Counters> {
    let transaction = connection.transaction()?;
    let mut values = transaction
        .prepare_cached("SELECT name, labels, value FROM counters")?
        .query_map([], |row| {
            let labels = unpack(row, 1, Reader::text)?;
            Ok((CounterKey { name: row.get(0)?, labels }, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(CounterKey, f64)>>>()?;
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut counted = Vec::new();
    let mut things = transaction.prepare_cached("SELECT thing FROM counted")?;
    let mut rows = things.query([])?;
    while let Some(row) = rows.next()? {
        counted.extend(unpack(row, 0, Reader::counted)?);
    }
    counted.sort();
    Ok(Counters { values, counted })
}

fn repository_row(row: &Row<'_>) -> rusqlite::Result<(i64, Repository)> {
    let repository = Repository {
        id: RepositoryId { source: row.get(1)?, number: row.get::<_, i64>(2)?.cast_unsigned() },
        name: row.get(3)?,
        reach: row.get(4)?,
        default_branch: row.get(5)?,
        head: row.get(6)?,
        created_at: row.get(7)?,
    };
    Ok((row.get(0)?, repository))
}

fn coverage(row: &Row<'_>) -> rusqlite::Result<(Coverage, Timestamp)> {
    let source = row.get(1)?;
    let number = row.get::<_, i64>(2)?.cast_unsigned();
    let what = match row.get::<_, i64>(0)? {
        0 => Coverage::Repository(RepositoryId { source, number }),
        1 => Coverage::Incidents(source),
        _ => return Err(damaged().into()),
    };
    Ok((what, row.get(3)?))
}

fn commits(
    transaction: &Transaction<'_>,
    repo_key: i64,
    repository: &RepositoryId,
) -> rusqlite::Result<Vec<Commit>> {
    transaction
        .prepare_cached(
            "SELECT id, parents, authored_at, committed_at, author, pull_request, reverts, paths
             FROM commits WHERE repo_key = ?1 ORDER BY id",
        )?
        .query_map([repo_key], |row| {
            Ok(Commit {
                repository: repository.clone(),
                id: row.get(0)?,
                parents: unpack(row, 1, Reader::commit)?,
                authored_at: row.get(2)?,
                committed_at: row.get(3)?,
                author: row.get(4)?,
                pull_request: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
                reverts: unpack(row, 6, Reader::revert)?,
                paths: unpack_some(row, 7, Reader::text)?,
            })
        })?
        .collect()
}

fn changes(
    transaction: &Transaction<'_>,
    repo_key: i64,
    repository: &RepositoryId,
) -> rusqlite::Result<Vec<Seen<Change>>> {
    let mut changes = transaction
        .prepare_cached(
            "SELECT number, title, base, head, labels, author, landing, own_commits, opened_at, ready_at,
                 reviewed_at, merged_at, reverts, corrections, contact, paths
             FROM changes WHERE repo_key = ?1 ORDER BY number",
        )?
        .query_map([repo_key], |row| {
            let fact = Change {
                repository: repository.clone(),
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                title: row.get(1)?,
                base: row.get(2)?,
                head: row.get(3)?,
                labels: unpack(row, 4, Reader::text)?,
                author: row.get(5)?,
                landing: row.get(6)?,
                own_commits: unpack(row, 7, Reader::own_commit)?,
                opened_at: row.get(8)?,
                ready_at: row.get(9)?,
                reviewed_at: row.get(10)?,
                merged_at: row.get(11)?,
                reverts: unpack(row, 12, Reader::revert)?,
                paths: unpack_some(row, 15, Reader::text)?,
                corrections: row.get(13)?,
            };
            Ok(Seen { fact, contact: row.get(14)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    // The file sorts numbers above 2^63 first; sorting what is sorted costs one pass.
    changes.sort_by_key(|seen| seen.fact.number);
    Ok(changes)
}

fn attempts(
    transaction: &Transaction<'_>,
    repo_key: i64,
    repository: &RepositoryId,
) -> rusqlite::Result<Vec<Seen<Attempt>>> {
    let mut attempts = transaction
        .prepare_cached(
            "SELECT id, commit_id, environment, created_at, outcome, finished_at, url, corrections, contact,
                 origin
             FROM attempts WHERE repo_key = ?1 ORDER BY id",
        )?
        .query_map([repo_key], |row| {
            let outcome: Option<Outcome> = row.get(4)?;
            let finished_at: Option<Timestamp> = row.get(5)?;
            let fact = Attempt {
                repository: repository.clone(),
                id: row.get(0)?,
                origin: unpack_origin(row, 9)?,
                commit: row.get(1)?,
                environment: row.get(2)?,
                created_at: row.get(3)?,
                finished: outcome.zip(finished_at),
                url: row.get(6)?,
                corrections: row.get(7)?,
            };
            Ok(Seen { fact, contact: row.get(8)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    // The file has `010` after all numbers, not between 9 and 10, and `run:10` before `run:9`.
    attempts.sort_by(|a, b| a.fact.id.cmp(&b.fact.id));
    Ok(attempts)
}

fn incident(row: &Row<'_>) -> rusqlite::Result<StoredIncident> {
    let incident = Incident {
        source: row.get(0)?,
        id: row.get(1)?,
        title: row.get(2)?,
        url: row.get(3)?,
        started_at: row.get(4)?,
        acknowledged_at: row.get(5)?,
        resolved_at: row.get(6)?,
        severity: row.get(7)?,
        urgency: row.get(8)?,
        subjects: unpack(row, 9, Reader::subject)?,
        references: unpack(row, 10, Reader::reference)?,
        verdict: row.get(11)?,
        excluded: row.get(12)?,
        corrections: row.get(13)?,
    };
    Ok(StoredIncident { incident, appeared: row.get(14)?, resolved: row.get(15)? })
}
