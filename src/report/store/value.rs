//! Stored values to core types and back.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, RowIndex};
use serde::de::DeserializeOwned;

use crate::model::group_state::GroupState;
use crate::model::item::{ItemState, Kind};

/// Milliseconds to a time.
pub(crate) fn time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Timestamp> {
    let index = column.idx(row.as_ref())?;
    let millis: i64 = row.get(index)?;
    Timestamp::from_millisecond(millis).map_err(|error| bad(index, Type::Integer, error))
}

/// As [`time`], for a column that may be null.
pub(crate) fn maybe_time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<Timestamp>> {
    let index = column.idx(row.as_ref())?;
    let millis: Option<i64> = row.get(index)?;
    millis
        .map(|millis| Timestamp::from_millisecond(millis).map_err(|error| bad(index, Type::Integer, error)))
        .transpose()
}

/// A count; negative ones cannot be and are refused.
pub(crate) fn count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    let index = column.idx(row.as_ref())?;
    let count: i64 = row.get(index)?;
    u64::try_from(count).map_err(|error| bad(index, Type::Integer, error))
}

/// As [`count`], for a column that may be null.
pub(crate) fn maybe_count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<u64>> {
    let index = column.idx(row.as_ref())?;
    let count: Option<i64> = row.get(index)?;
    count.map(|count| u64::try_from(count).map_err(|error| bad(index, Type::Integer, error))).transpose()
}

/// `failed` or `skipped`.
pub(crate) fn kind(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Kind> {
    let index = column.idx(row.as_ref())?;
    let word: String = row.get(index)?;
    Kind::try_from(word.as_str()).map_err(|_| unknown(index, &word))
}

/// An item's state.
pub(crate) fn item_state(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<ItemState> {
    let index = column.idx(row.as_ref())?;
    let word: String = row.get(index)?;
    ItemState::try_from(word.as_str()).map_err(|_| unknown(index, &word))
}

/// A group's state as announced; none for null.
pub(crate) fn group_state(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<GroupState>> {
    let index = column.idx(row.as_ref())?;
    let word: Option<String> = row.get(index)?;
    word.map(|word| GroupState::try_from(word.as_str()).map_err(|_| unknown(index, &word))).transpose()
}

/// JSON in a text column; none for null.
pub(crate) fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<T>> {
    let index = column.idx(row.as_ref())?;
    let text: Option<String> = row.get(index)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| bad(index, Type::Text, error))).transpose()
}

fn unknown(index: usize, word: &str) -> rusqlite::Error {
    bad(index, Type::Text, Unknown(word.to_owned()))
}

fn bad(index: usize, found: Type, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, found, Box::new(error))
}

#[derive(Debug, thiserror::Error)]
#[error("unknown word {0:?}")]
struct Unknown(String);
