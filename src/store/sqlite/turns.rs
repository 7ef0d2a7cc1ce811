//! Changes of the states of teams: recorded, sometimes withdrawn, never deleted.

use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, TransactionBehavior, params};

use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::transition::{SeenTurn, StoredTurn, Turn, Withdrawal};
use crate::store::sqlite::columns::damaged;

impl ToSql for Measure {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.label().into())
    }
}

impl FromSql for Measure {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::named(value.as_str()?).ok_or_else(damaged)
    }
}

impl ToSql for Day {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for Day {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(|date: chrono::NaiveDate| Self::from(date)).map_err(|_| damaged())
    }
}

/// All of them, by id.
pub(super) fn read(connection: &mut Connection) -> rusqlite::Result<Vec<StoredTurn>> {
    connection
        .prepare_cached(
            "SELECT id, team, measure, day, from_state, to_state, evidence, recorded_at, contact, withdrawn_at, reason
             FROM turns ORDER BY id",
        )?
        .query_map([], turn)?
        .collect()
}

/// Adds what was seen, and marks what is no longer so: both or neither.
pub(super) fn record(
    connection: &mut Connection,
    seen: &[SeenTurn],
    withdrawn: &[(u64, Withdrawal)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut mark = transaction.prepare_cached(
            "UPDATE turns SET (withdrawn_at, reason) = (?2, ?3) WHERE id = ?1 AND withdrawn_at IS NULL",
        )?;
        for (id, Withdrawal { at, reason }) in withdrawn {
            mark.execute(params![id.cast_signed(), at, reason])?;
        }
        let mut add = transaction.prepare_cached(
            "INSERT INTO turns (team, measure, day, from_state, to_state, evidence, recorded_at, contact)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for SeenTurn { turn, evidence, recorded_at, contact } in seen {
            let Turn { team, measure, day, from, to } = turn;
            add.execute(params![team.as_str(), measure, day, from, to, evidence, recorded_at, contact])?;
        }
    }
    transaction.commit()
}

fn turn(row: &Row<'_>) -> rusqlite::Result<StoredTurn> {
    let at: Option<_> = row.get(9)?;
    let reason: Option<String> = row.get(10)?;
    Ok(StoredTurn {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        seen: SeenTurn {
            turn: Turn {
                team: TeamSlug::new(row.get::<_, String>(1)?),
                measure: row.get(2)?,
                day: row.get(3)?,
                from: row.get(4)?,
                to: row.get(5)?,
            },
            evidence: row.get(6)?,
            recorded_at: row.get(7)?,
            contact: row.get(8)?,
        },
        withdrawn: at.zip(reason).map(|(at, reason)| Withdrawal { at, reason }),
    })
}
