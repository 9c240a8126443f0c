//! Notes that people leave on groups; they stay.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// Leaves a note.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    group_key: i64,
    author: &str,
    text: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO note (group_key, author, text, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![group_key, author, text, Millis(now)],
    )?;
    Ok(())
}

/// A group's newest note as "text (author)"; none if there is none.
pub(crate) fn newest(connection: &Connection, group_key: i64) -> Result<Option<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT text || ' (' || author || ')' FROM note WHERE group_key = ?1 ORDER BY note_id DESC LIMIT 1",
    )?;
    Ok(statement.query_row([group_key], |row| row.get(0)).optional()?)
}
