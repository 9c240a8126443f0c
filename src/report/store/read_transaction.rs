//! A ledger opened for one report.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;

use crate::ledger::error::LedgerError;
use crate::ledger::{access, open};
use crate::report::store::error::QueryError;
use crate::report::store::selection::matching_items::{ItemCriteria, Picked};

/// KiB of pages that are kept, taken as they are read: a report looks up hundreds of items in trees of millions, and
/// SQLite's own 2 MiB forget the upper pages of these in between.
const CACHE: i64 = 32 * 1024;

/// A read-only connection inside one read transaction: every query of a report sees the same instant,
/// also while the service writes.
pub(crate) struct ReadTransaction {
    connection: Connection,
    /// What was picked last: the queries of one report pick the same.
    picked: RefCell<Option<(String, Picked)>>,
    /// When a statement is stopped; none for no end.
    deadline: Arc<Mutex<Option<Instant>>>,
}

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

impl ReadTransaction {
    /// Opens the ledger and begins to read.
    ///
    /// # Errors
    /// The file is missing, no ledger, newer or older than this program, or unreadable.
    pub(crate) fn open(path: &Path) -> Result<ReadTransaction, LedgerError> {
        if path.is_dir() {
            let source = std::io::ErrorKind::IsADirectory.into();
            return Err(LedgerError::File { path: path.to_owned(), source });
        }
        let connection = open::reader(path)?;
        refuse_foreign_file(&connection, path)?;
        open::refuse_older(&connection)?;
        ReadTransaction::over(connection)
    }

    /// Reads over a connection that is open already.
    ///
    /// # Errors
    /// SQLite refuses to begin.
    pub(crate) fn over(mut connection: Connection) -> Result<ReadTransaction, LedgerError> {
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "cache_size", -CACHE)?;
        connection.execute_batch("BEGIN")?;
        let deadline: Arc<Mutex<Option<Instant>>> = Arc::default();
        let ends = Arc::clone(&deadline);
        let is_over = move || ends.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| Instant::now() > at);
        connection.progress_handler(STEPS, Some(is_over))?;
        Ok(ReadTransaction { connection, picked: RefCell::new(None), deadline })
    }

    /// Statements are stopped at this time from now on; none for no end.
    pub(crate) fn stop_at(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    /// The connection, for functions of this folder.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The items that are wanted; asked again for the same it looks only once.
    pub(crate) fn picked(&self, wanted: &ItemCriteria) -> Result<Picked, QueryError> {
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

/// Refuses a file that was never a ledger: an empty one, or another program's data, which must not be migrated.
fn refuse_foreign_file(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let written: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let filled = connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_master)", [], |row| row.get(0))?;
    match (written, filled) {
        (0, false) => Err(LedgerError::Missing(access::absolute(path))),
        (0, true) => {
            let source = std::io::Error::other("it is a SQLite database, but no llama-triage ledger");
            Err(LedgerError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
