//! Small facts that the ledger remembers by name.

use crate::ledger::error::LedgerError;
use rusqlite::{Connection, OptionalExtension, Transaction};

/// A small fact that the ledger remembers by name; none if it is not known.
pub(crate) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Remembers a small fact.
pub(crate) fn set_meta(tx: &Transaction<'_>, name: &str, value: &str) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        [name, value],
    )?;
    Ok(())
}
