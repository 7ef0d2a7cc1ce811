//! Writing: one transaction for each batch. Every upsert ends with a guard that leaves a row alone which is the same
//! already, so that the engine below tells how many rows really changed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::model::batch::{Applied, Contact, CountedKey, CounterKey, Coverage, Cursor, Scope};
use crate::model::fact::{Attempt, Change, Commit, Exclusion, HoldingTeam, Incident, Repository};
use crate::model::name::{CommitId, ExternalId, RepositoryId, SourceName};
use crate::model::time::Timestamp;
use crate::store::settled::{IncidentWord, RepositoryRows, Settled};
use crate::store::sqlite::packed::{Writer, pack, pack_origin};

/// Stores a settled batch, whole or not at all.
pub(super) fn apply(
    connection: &mut Connection,
    source: &SourceName,
    settled: Settled,
) -> rusqlite::Result<Applied> {
    let Settled { repositories, teams, incidents, cursors, covered, contact } = settled;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut applied = Applied::default();
    for (id, rows) in repositories {
        let repo_key = repo_key(&transaction, &id)?;
        let named = rows.named_commits();
        let written = write_repository(&transaction, repo_key, &rows, contact)?;
        let missing = missing(&transaction, repo_key, named)?;
        applied.missing_commits.extend(missing.into_iter().map(|commit| (id.clone(), commit)));
        applied.rows_written += written;
        if written > 0 {
            applied.repositories.push(id);
        }
    }
    let incidents = write_incidents(&transaction, &incidents, contact)?;
    let inventory = write_teams(&transaction, &teams)? + write_covered(&transaction, &covered)?;
    applied.rows_written += incidents + inventory;
    applied.incidents = incidents > 0;
    applied.inventory = inventory > 0;
    write_cursors(&transaction, source, &cursors)?;
    transaction.commit()?;
    Ok(applied)
}

/// Adds to counters and notes what was counted.
pub(super) fn count(
    connection: &mut Connection,
    increments: &[(CounterKey, f64)],
    counted: &[CountedKey],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut add = transaction.prepare_cached(
            "INSERT INTO counters (name, labels, value) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET value = value + excluded.value",
        )?;
        for (CounterKey { name, labels }, increment) in increments {
            let labels = pack(labels, |writer, label| writer.text(label));
            add.execute(params![name, labels, increment])?;
        }
        let mut note =
            transaction.prepare_cached("INSERT INTO counted VALUES (?1) ON CONFLICT DO NOTHING")?;
        for key in counted {
            note.execute([pack(std::slice::from_ref(key), Writer::counted)])?;
        }
    }
    transaction.commit()
}

/// The number that stands for a repository in this file; the first fact of it makes one.
fn repo_key(transaction: &Transaction<'_>, id: &RepositoryId) -> rusqlite::Result<i64> {
    let RepositoryId { source, number } = id;
    let number = number.cast_signed();
    let known = transaction
        .prepare_cached("SELECT repo_key FROM repositories WHERE source = ?1 AND number = ?2")?
        .query_row(params![source, number], |row| row.get(0))
        .optional()?;
    if let Some(key) = known {
        return Ok(key);
    }
    transaction
        .prepare_cached("INSERT INTO repositories (source, number) VALUES (?1, ?2)")?
        .insert(params![source, number])
}

fn write_repository(
    transaction: &Transaction<'_>,
    repo_key: i64,
    rows: &RepositoryRows,
    contact: Contact,
) -> rusqlite::Result<u64> {
    let RepositoryRows { row, commits, changes, attempts } = rows;
    let mut written = 0;
    if let Some(row) = row {
        written += write_row(transaction, repo_key, row)?;
    }
    written += write_commits(transaction, repo_key, commits)?;
    written += write_changes(transaction, repo_key, changes, contact)?;
    written += write_attempts(transaction, repo_key, attempts, contact)?;
    Ok(written)
}

fn write_row(transaction: &Transaction<'_>, repo_key: i64, row: &Repository) -> rusqlite::Result<u64> {
    let Repository { id: _, name, reach, default_branch, head, created_at } = row;
    let written = transaction
        .prepare_cached(
            "UPDATE repositories
             SET (name, reach, default_branch, head, created_at) = (?2, ?3, ?4, ?5, ?6)
             WHERE repo_key = ?1 AND (name, reach, default_branch, head, created_at) IS NOT (?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            repo_key,
            name,
            reach,
            default_branch,
            head,
            created_at
        ])?;
    Ok(rows(written))
}

fn write_commits(
    transaction: &Transaction<'_>,
    repo_key: i64,
    commits: &BTreeMap<CommitId, Commit>,
) -> rusqlite::Result<u64> {
    if commits.is_empty() {
        return Ok(0);
    }
    // A read that did not ask for the pull request or the paths does not take away what an earlier one found.
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO commits
             (repo_key, id, parents, authored_at, committed_at, author, pull_request, reverts, paths)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET
             parents = excluded.parents, authored_at = excluded.authored_at,
             committed_at = excluded.committed_at, author = excluded.author,
             pull_request = coalesce(excluded.pull_request, pull_request), reverts = excluded.reverts,
             paths = coalesce(excluded.paths, paths)
         WHERE (parents, authored_at, committed_at, author, pull_request, reverts, paths) IS NOT
             (excluded.parents, excluded.authored_at, excluded.committed_at, excluded.author,
              coalesce(excluded.pull_request, pull_request), excluded.reverts, coalesce(excluded.paths, paths))",
    )?;
    let mut written = 0;
    for commit in commits.values() {
        let Commit {
            repository: _,
            id,
            parents,
            authored_at,
            committed_at,
            author,
            pull_request,
            reverts,
            paths,
        } = commit;
        written += upsert.execute(params![
            repo_key,
            id,
            pack(parents, Writer::commit),
            authored_at,
            committed_at,
            author,
            pull_request.map(u64::cast_signed),
            pack(reverts, Writer::revert),
            pack_paths(paths.as_ref()),
        ])?;
    }
    Ok(rows(written))
}

fn write_changes(
    transaction: &Transaction<'_>,
    repo_key: i64,
    changes: &BTreeMap<u64, Change>,
    contact: Contact,
) -> rusqlite::Result<u64> {
    if changes.is_empty() {
        return Ok(0);
    }
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO changes
             (repo_key, number, title, base, head, labels, author, landing, own_commits,
              opened_at, ready_at, reviewed_at, merged_at, reverts, corrections, contact, paths)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT DO UPDATE SET
             title = excluded.title, base = excluded.base, head = excluded.head, labels = excluded.labels,
             author = excluded.author, landing = excluded.landing, own_commits = excluded.own_commits,
             opened_at = excluded.opened_at, ready_at = excluded.ready_at, reviewed_at = excluded.reviewed_at,
             merged_at = excluded.merged_at, reverts = excluded.reverts, corrections = excluded.corrections,
             paths = coalesce(excluded.paths, paths)
         WHERE (title, base, head, labels, author, landing, own_commits,
                opened_at, ready_at, reviewed_at, merged_at, reverts, corrections, paths) IS NOT
             (excluded.title, excluded.base, excluded.head, excluded.labels, excluded.author, excluded.landing,
              excluded.own_commits, excluded.opened_at, excluded.ready_at, excluded.reviewed_at,
              excluded.merged_at, excluded.reverts, excluded.corrections, coalesce(excluded.paths, paths))",
    )?;
    let mut written = 0;
    for change in changes.values() {
        let Change {
            repository: _,
            number,
            title,
            base,
            head,
            labels,
            author,
            landing,
            own_commits,
            opened_at,
            ready_at,
            reviewed_at,
            merged_at,
            reverts,
            paths,
            corrections,
        } = change;
        written += upsert.execute(params![
            repo_key,
            number.cast_signed(),
            title,
            base,
            head,
            pack(labels, |writer, label| writer.text(label)),
            author,
            landing,
            pack(own_commits, Writer::own_commit),
            opened_at,
            ready_at,
            reviewed_at,
            merged_at,
            pack(reverts, Writer::revert),
            corrections,
            contact,
            pack_paths(paths.as_ref()),
        ])?;
    }
    Ok(rows(written))
}

fn write_attempts(
    transaction: &Transaction<'_>,
    repo_key: i64,
    attempts: &BTreeMap<ExternalId, Attempt>,
    contact: Contact,
) -> rusqlite::Result<u64> {
    if attempts.is_empty() {
        return Ok(0);
    }
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO attempts
             (repo_key, id, commit_id, environment, created_at, outcome, finished_at, url, corrections, contact,
              origin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET
             commit_id = excluded.commit_id, environment = excluded.environment,
             created_at = excluded.created_at, outcome = excluded.outcome, finished_at = excluded.finished_at,
             url = excluded.url, corrections = excluded.corrections, origin = excluded.origin,
             contact = iif(excluded.outcome IS NOT NULL AND excluded.outcome IS NOT outcome,
                           excluded.contact, contact)
         WHERE (commit_id, environment, created_at, outcome, finished_at, url, corrections, origin) IS NOT
             (excluded.commit_id, excluded.environment, excluded.created_at, excluded.outcome,
              excluded.finished_at, excluded.url, excluded.corrections, excluded.origin)",
    )?;
    let mut written = 0;
    for attempt in attempts.values() {
        let Attempt {
            repository: _,
            id,
            origin,
            commit,
            environment,
            created_at,
            finished,
            url,
            corrections,
        } = attempt;
        let (outcome, finished_at) = finished.unzip();
        written += upsert.execute(params![
            repo_key,
            id,
            commit,
            environment,
            created_at,
            outcome,
            finished_at,
            url,
            corrections,
            contact,
            pack_origin(origin),
        ])?;
    }
    Ok(rows(written))
}

/// Nothing where they were not read, which an empty list is not.
fn pack_paths(paths: Option<&Vec<String>>) -> Option<Vec<u8>> {
    paths.map(|paths| pack(paths, |writer, path| writer.text(path)))
}

fn missing(
    transaction: &Transaction<'_>,
    repo_key: i64,
    mut named: BTreeSet<CommitId>,
) -> rusqlite::Result<BTreeSet<CommitId>> {
    let mut find = transaction.prepare_cached("SELECT 1 FROM commits WHERE repo_key = ?1 AND id = ?2")?;
    let mut known = Vec::new();
    for id in &named {
        if find.exists(params![repo_key, id])? {
            known.push(*id);
        }
    }
    for id in known {
        named.remove(&id);
    }
    Ok(named)
}

fn write_incidents(
    transaction: &Transaction<'_>,
    incidents: &BTreeMap<(SourceName, ExternalId), IncidentWord>,
    contact: Contact,
) -> rusqlite::Result<u64> {
    let mut dismiss = transaction.prepare_cached(
        "UPDATE incidents SET excluded = ?3 WHERE source = ?1 AND id = ?2 AND excluded IS NOT ?3",
    )?;
    let mut written = 0;
    for ((source, id), word) in incidents {
        written += match word {
            IncidentWord::Is(incident) => write_incident(transaction, incident, contact)?,
            IncidentWord::Not => dismiss.execute(params![source, id, Exclusion::Filtered])?,
        };
    }
    Ok(rows(written))
}

fn write_incident(
    transaction: &Transaction<'_>,
    incident: &Incident,
    contact: Contact,
) -> rusqlite::Result<usize> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO incidents
             (source, id, title, url, started_at, acknowledged_at, resolved_at, severity, urgency, subjects, named,
              verdict, excluded, corrections, appeared, resolved)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)
         ON CONFLICT DO UPDATE SET
             title = excluded.title, url = excluded.url, started_at = excluded.started_at,
             acknowledged_at = excluded.acknowledged_at, resolved_at = excluded.resolved_at,
             severity = excluded.severity, urgency = excluded.urgency, subjects = excluded.subjects,
             named = excluded.named, verdict = excluded.verdict, excluded = excluded.excluded,
             corrections = excluded.corrections,
             resolved = iif(resolved_at IS NULL AND excluded.resolved_at IS NOT NULL,
                            excluded.resolved, resolved)
         WHERE (title, url, started_at, acknowledged_at, resolved_at, severity, urgency, subjects, named,
                verdict, incidents.excluded, corrections) IS NOT
             (excluded.title, excluded.url, excluded.started_at, excluded.acknowledged_at, excluded.resolved_at,
              excluded.severity, excluded.urgency, excluded.subjects, excluded.named, excluded.verdict,
              excluded.excluded, excluded.corrections)",
    )?;
    let Incident {
        source,
        id,
        title,
        url,
        started_at,
        acknowledged_at,
        resolved_at,
        severity,
        urgency,
        subjects,
        references,
        verdict,
        excluded,
        corrections,
    } = incident;
    upsert.execute(params![
        source,
        id,
        title,
        url,
        started_at,
        acknowledged_at,
        resolved_at,
        severity,
        urgency,
        pack(subjects, Writer::subject),
        pack(references, Writer::reference),
        verdict,
        excluded,
        corrections,
        contact,
    ])
}

fn write_teams(
    transaction: &Transaction<'_>,
    teams: &BTreeMap<SourceName, Vec<HoldingTeam>>,
) -> rusqlite::Result<u64> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO teams (source, teams) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET teams = excluded.teams WHERE teams IS NOT excluded.teams",
    )?;
    let mut written = 0;
    for (source, teams) in teams {
        written += upsert.execute(params![source, pack(teams, Writer::team)])?;
    }
    Ok(rows(written))
}

fn write_covered(
    transaction: &Transaction<'_>,
    covered: &BTreeMap<Coverage, Timestamp>,
) -> rusqlite::Result<u64> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO coverage (kind, source, number, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET since = excluded.since WHERE since > excluded.since",
    )?;
    let mut written = 0;
    for (what, since) in covered {
        let (kind, source, number) = match what {
            Coverage::Repository(RepositoryId { source, number }) => (0, source, *number),
            Coverage::Incidents(source) => (1, source, 0),
        };
        written += upsert.execute(params![kind, source, number.cast_signed(), since])?;
    }
    Ok(rows(written))
}

fn write_cursors(
    transaction: &Transaction<'_>,
    source: &SourceName,
    cursors: &BTreeMap<Scope, Option<Cursor>>,
) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO cursors (source, scope, cursor) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET cursor = excluded.cursor WHERE cursor IS NOT excluded.cursor",
    )?;
    let mut forget = transaction.prepare_cached("DELETE FROM cursors WHERE source = ?1 AND scope = ?2")?;
    for (scope, cursor) in cursors {
        match cursor {
            Some(cursor) => upsert.execute(params![source, scope, cursor])?,
            None => forget.execute(params![source, scope])?,
        };
    }
    Ok(())
}

fn rows(written: usize) -> u64 {
    u64::try_from(written).unwrap_or(u64::MAX)
}
