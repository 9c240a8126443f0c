//! Times, counts, words and JSON as the ledger keeps them: times are milliseconds since 1970-01-01 UTC, words are those of an enum.

pub(crate) mod known_time;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::DeserializeOwned;

use crate::model::time::HOUR;

/// A time on its way into or out of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) Timestamp);

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_millisecond()))
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        Timestamp::from_millisecond(millis).map(Millis).map_err(|_| FromSqlError::OutOfRange(millis))
    }
}

/// A count, which is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Count).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // Counts of items never come near the limit; one that did is stored as the largest.
        Ok(ToSqlOutput::from(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

/// A word that stands for a variant of an enum. One that the enum does not have cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T: for<'a> TryFrom<&'a str>> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        T::try_from(word).map(Word).map_err(|_| FromSqlError::other(UnknownWord(word.to_owned())))
    }
}

/// A value that is kept as JSON text. Text that does not describe one cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown word {0:?}")]
struct UnknownWord(String);

/// The stored form of a time.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The stored form of a time that may be unknown.
pub(crate) fn optional_millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(millis)
}

/// A stored time; a number beyond what a time can be becomes the nearest one.
pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let fallback = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(fallback)
}

/// The hour bucket of a stored time: hours since 1970-01-01 UTC.
pub(crate) fn hour(millis: i64) -> i64 {
    millis.div_euclid(HOUR)
}
