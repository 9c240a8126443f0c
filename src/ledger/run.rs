//! Scheduled work that was done: a due time is worked once.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// When the work last was due; none if it never ran.
pub(crate) fn last(connection: &Connection, name: &str) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT max(due_at) FROM run WHERE name = ?1")?;
    let last: Option<Millis> = statement.query_row([name], |row| row.get(0))?;
    Ok(last.map(|last| last.0))
}

/// Takes a due time for oneself; false if it was worked already.
pub(crate) fn begin(tx: &Transaction<'_>, name: &str, due_at: Timestamp, now: Timestamp) -> Result<bool, LedgerError> {
    let taken = tx.execute(
        "INSERT INTO run (name, due_at, ran_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![name, Millis(due_at), Millis(now)],
    )?;
    Ok(taken > 0)
}

/// Notes how the work ended.
pub(crate) fn end(tx: &Transaction<'_>, name: &str, due_at: Timestamp, outcome: &str) -> Result<(), LedgerError> {
    tx.execute("UPDATE run SET outcome = ?3 WHERE name = ?1 AND due_at = ?2", params![name, Millis(due_at), outcome])?;
    Ok(())
}
