//! A ledger opened for one report.

use std::cell::RefCell;
use std::path::Path;

use rusqlite::Connection;

use super::QueryError;
use super::picked::{Picked, Wanted};
use crate::ledger::{LedgerError, open};

/// A read-only connection inside one read transaction: every query of a report sees the same instant,
/// also while the service writes.
pub struct Reading {
    connection: Connection,
    /// What was picked last: the queries of one report pick the same.
    picked: RefCell<Option<(String, Picked)>>,
}

impl Reading {
    /// Opens the ledger and begins to read.
    ///
    /// # Errors
    /// The file is missing, no ledger, newer or older than this program, or unreadable.
    pub fn open(path: &Path) -> Result<Reading, LedgerError> {
        let connection = open::reader(path)?;
        refuse_older(&connection)?;
        Reading::over(connection)
    }

    /// Reads over a connection that is open already.
    ///
    /// # Errors
    /// SQLite refuses to begin.
    pub fn over(connection: Connection) -> Result<Reading, LedgerError> {
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("BEGIN")?;
        Ok(Reading { connection, picked: RefCell::new(None) })
    }

    /// The connection, for functions of this folder.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The items that are wanted; asked again for the same it looks only once.
    pub(super) fn picked(&self, wanted: &Wanted) -> Result<Picked, QueryError> {
        let asked = format!("{wanted:?}");
        if let Some((last, picked)) = &*self.picked.borrow()
            && *last == asked
        {
            return Ok(picked.clone());
        }
        let picked = Picked::find(&self.connection, wanted)?;
        *self.picked.borrow_mut() = Some((asked, picked.clone()));
        Ok(picked)
    }
}

/// A ledger of an older program lacks tables that reports read; the next writing command migrates it.
fn refuse_older(connection: &Connection) -> Result<(), LedgerError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = open::schema_version();
    if found < known { Err(LedgerError::Older { found, known }) } else { Ok(()) }
}
