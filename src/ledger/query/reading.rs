//! A ledger opened for one report.

use std::path::Path;

use rusqlite::Connection;

use crate::ledger::{LedgerError, open};

/// A read-only connection inside one read transaction: every query of a report sees the same instant,
/// also while the service writes.
pub struct Reading {
    connection: Connection,
}

impl Reading {
    /// Opens the ledger and begins to read.
    ///
    /// # Errors
    /// The file is missing, no ledger, newer or older than this program, or unreadable.
    pub fn open(path: &Path) -> Result<Reading, LedgerError> {
        let connection = open::reader(path)?;
        open::refuse_older(&connection)?;
        Reading::over(connection)
    }

    /// Reads over a connection that is open already.
    ///
    /// # Errors
    /// SQLite refuses to begin.
    pub fn over(connection: Connection) -> Result<Reading, LedgerError> {
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("BEGIN")?;
        Ok(Reading { connection })
    }

    /// The connection, for functions of this folder.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}
