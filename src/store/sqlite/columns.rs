//! How single values are kept in columns.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

use crate::model::batch::Contact;
use crate::model::fact::{Author, Corrections, Exclusion, Outcome, Reach, Verdict};
use crate::model::name::{CommitId, Environment, ExternalId, RepositoryName, Severity, SourceName};
use crate::model::time::Timestamp;

/// A value that no column of ours can hold: somebody else has written it.
#[derive(Debug, thiserror::Error)]
#[error("the value is damaged")]
pub(super) struct Damaged;

/// The error of a column whose value is damaged.
pub(super) fn damaged() -> FromSqlError {
    FromSqlError::Other(Box::new(Damaged))
}

/// Names are kept as text.
macro_rules! names {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str().map(Self::from)
            }
        }
    )*};
}

names! { SourceName RepositoryName Environment Severity }

/// Choices are kept as numbers, which never change their meaning.
macro_rules! choices {
    ($($name:ident { $($choice:ident = $code:literal),* })*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let code: i64 = match self { $(Self::$choice => $code,)* };
                Ok(code.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($code => Ok(Self::$choice),)*
                    _ => Err(damaged()),
                }
            }
        }
    )*};
}

choices! {
    Reach { Ok = 0, Empty = 1, Inaccessible = 2 }
    Author { Human = 0, Bot = 1 }
    Outcome { Success = 0, Failure = 1 }
    Contact { Live = 0, First = 1 }
    Exclusion {
        Merged = 0, Duplicate = 1, NotPlanned = 2, Cancelled = 3, Declined = 4, Test = 5, Filtered = 6
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.millis().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_millis)
    }
}

impl ToSql for CommitId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.bytes())))
    }
}

impl FromSql for CommitId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?.try_into().map_err(|_| damaged())?;
        Ok(Self::new(bytes))
    }
}

impl ToSql for Corrections {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.bits().into())
    }
}

impl FromSql for Corrections {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u8::column_result(value).map(Self::from_bits)
    }
}

impl ToSql for ExternalId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(plain_number(self.as_str()).map_or_else(|| self.as_str().into(), Into::into))
    }
}

impl FromSql for ExternalId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self::new(number.to_string())),
            ValueRef::Text(_) => value.as_str().map(Self::new),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Err(FromSqlError::InvalidType),
        }
    }
}

/// The number, if the text is exactly what that number is written as: `12`, but not `012` or `+12`.
fn plain_number(text: &str) -> Option<i64> {
    const DIGITS_MAX: usize = 18;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && text.len() <= DIGITS_MAX
        && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

const VERDICT_NONE: &str = "none";
const VERDICT_DEPLOYMENT: &str = "deployment:";

impl ToSql for Verdict {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::None => VERDICT_NONE.into(),
            Self::Deployment(which) => {
                ToSqlOutput::Owned(Value::Text(format!("{VERDICT_DEPLOYMENT}{which}")))
            }
        })
    }
}

impl FromSql for Verdict {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            VERDICT_NONE => Ok(Self::None),
            text => text
                .strip_prefix(VERDICT_DEPLOYMENT)
                .map(|which| Self::Deployment(which.to_owned()))
                .ok_or_else(damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_as_a_number_is_kept_as_one() {
        for (text, expected) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("9223372036854775808", None),
            ("012", None),
            ("+12", None),
            ("-12", None),
            ("", None),
            ("Q1", None),
        ] {
            assert_eq!(plain_number(text), expected, "{text:?}");
        }
    }
}
