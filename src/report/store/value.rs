//! Stored values as the types of their fields.

use jiff::Timestamp;
use rusqlite::{Row, RowIndex};
use serde::de::DeserializeOwned;

use crate::ledger::time::{Count, Json, Millis, Word};
use crate::model::group_state::GroupState;
use crate::model::item::{ItemState, Kind};

/// A time.
pub(crate) fn time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Timestamp> {
    row.get::<_, Millis>(column).map(|at| at.0)
}

/// As [`time`], for a column that may be null.
pub(crate) fn maybe_time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<Millis>>(column).map(|at| at.map(|at| at.0))
}

/// A count; negative ones cannot be and are refused.
pub(crate) fn count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    row.get::<_, Count>(column).map(|count| count.0)
}

/// As [`count`], for a column that may be null.
pub(crate) fn maybe_count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<Count>>(column).map(|count| count.map(|count| count.0))
}

/// `failed` or `skipped`.
pub(crate) fn kind(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Kind> {
    row.get::<_, Word<Kind>>(column).map(|kind| kind.0)
}

/// An item's state.
pub(crate) fn item_state(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<ItemState> {
    row.get::<_, Word<ItemState>>(column).map(|state| state.0)
}

/// A group's state as announced; none for null.
pub(crate) fn group_state(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<GroupState>> {
    row.get::<_, Option<Word<GroupState>>>(column).map(|state| state.map(|state| state.0))
}

/// JSON in a text column; none for null.
pub(crate) fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<T>> {
    row.get::<_, Option<Json<T>>>(column).map(|json| json.map(|json| json.0))
}
