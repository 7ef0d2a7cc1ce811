//! The values of signals.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::model::name::TeamSlug;
use crate::model::signal::{HOURS_KEPT_MAX, History, SignalKey, SignalPoint};
use crate::store::sqlite::columns::damaged;

/// How a signal is found: a team, a name and a query, each empty where there is none.
fn columns(key: &SignalKey) -> [&str; 3] {
    let SignalKey { team, name, promql } = key;
    [team.as_ref().map_or("", TeamSlug::as_str), name.as_str(), promql.as_deref().unwrap_or("")]
}

/// Notes values, and forgets the hours that are too many.
pub(super) fn note(
    connection: &mut Connection,
    key: &SignalKey,
    points: &[SignalPoint],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "INSERT INTO signals (team, name, promql) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(columns(key))?;
    if let Some(signal) = signal_key(&transaction, key)? {
        write(&transaction, signal, points)?;
    }
    transaction.commit()
}

fn signal_key(transaction: &Transaction<'_>, key: &SignalKey) -> rusqlite::Result<Option<i64>> {
    transaction
        .prepare_cached("SELECT signal_key FROM signals WHERE team = ?1 AND name = ?2 AND promql = ?3")?
        .query_row(columns(key), |row| row.get(0))
        .optional()
}

fn write(transaction: &Transaction<'_>, signal: i64, points: &[SignalPoint]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO signal_values (signal_key, hour, at, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET at = excluded.at, value = excluded.value WHERE excluded.at >= signal_values.at",
    )?;
    for point in points {
        upsert.execute(params![signal, point.hour(), point.at(), point.value()])?;
    }
    let mut forget = transaction.prepare_cached(
        "DELETE FROM signal_values WHERE signal_key = ?1 AND hour <=
             (SELECT hour FROM signal_values WHERE signal_key = ?1 ORDER BY hour DESC LIMIT 1 OFFSET ?2)",
    )?;
    forget.execute(params![signal, i64::try_from(HOURS_KEPT_MAX).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// The values that are kept; none of a signal that nobody has noted.
pub(super) fn read(connection: &mut Connection, key: &SignalKey) -> rusqlite::Result<History> {
    let transaction = connection.transaction()?;
    let Some(signal) = signal_key(&transaction, key)? else {
        return Ok(History::default());
    };
    transaction
        .prepare_cached("SELECT at, value FROM signal_values WHERE signal_key = ?1 ORDER BY hour")?
        .query_map([signal], |row| {
            SignalPoint::new(row.get(0)?, row.get(1)?).ok_or_else(|| damaged().into())
        })?
        .collect()
}
