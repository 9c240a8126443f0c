//! What can go wrong with the ledger.

use std::path::PathBuf;

/// Why a ledger operation failed. Texts are fragments that fit after "failed: ".
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is not there; readers never make one.
    #[error("no ledger at {0}: run `llama-triage scan` first, or name it with --ledger")]
    Missing(PathBuf),
    /// Another process writes to it.
    #[error(
        "the ledger {path} is locked by another llama-triage ({holder}): stop it, or read the ledger with `llama-triage report`"
    )]
    Locked {
        /// The ledger.
        path: PathBuf,
        /// What the lock file says about the holder.
        holder: String,
    },
    /// It was written by a newer program.
    #[error(
        "the ledger's schema is version {found}, newer than this program's {known}: install the newer llama-triage again"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// It was written by an older program; readers never migrate.
    #[error(
        "the ledger's schema is version {found}, older than this program's {known}: run `llama-triage cycle` once (or restart the service) to bring it up to date"
    )]
    Older {
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// This user may not use it.
    #[error("no permission to use {path}: {remedy}")]
    Denied {
        /// The file.
        path: PathBuf,
        /// The owner of the file, and what to do.
        remedy: String,
    },
    /// The file or its folder cannot be used.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// Another file has taken the name of the one that is open, or none has it any more.
    #[error(
        "the ledger {path} was replaced or removed while in use; data recorded since then is in the old file, if it still exists{}. Stop llama-triage before replacing its ledger; the next start uses the file at this path",
        if *log_stays { format!(", and {}-wal belongs to it: remove that, and -shm, before the next start", path.display()) } else { String::new() }
    )]
    Replaced {
        /// The ledger.
        path: PathBuf,
        /// The log of the old file could not be emptied, for someone reads it.
        log_stays: bool,
    },
    /// A migration failed.
    #[error("cannot migrate the ledger")]
    Migration(#[source] rusqlite::Error),
    /// The disk is full; the transaction was rolled back.
    #[error(
        "the disk under the ledger is full: free space, or move ledger.path to a larger disk; what was committed is safe, the next scan lists the rest again"
    )]
    Full(#[source] rusqlite::Error),
    /// The file is damaged, or no ledger at all.
    #[error(
        "the ledger file is damaged or not a ledger: stop llama-triage, keep a copy of the file with its -wal and -shm, then restore the newest `llama-triage ledger backup`, or run `sqlite3 OLD .recover | sqlite3 NEW`; without either move the file away, and the next scan records again what LlamaCloud still shows"
    )]
    Corrupt(#[source] rusqlite::Error),
    /// The disk or file system failed, or forbids the file to grow.
    #[error(
        "the disk under the ledger failed: check the kernel's log, quotas and file size limits; what was committed is safe, the next scan lists the rest again"
    )]
    Disk(#[source] rusqlite::Error),
    /// SQLite refused. The error is in the text, and no source beside it: both would say the same.
    #[error("ledger error: {0}")]
    Sqlite(rusqlite::Error),
    /// A stored value cannot be understood.
    #[error("the ledger holds an unreadable {what}: {value}")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// The thread that owns the connection has ended; the process must be restarted.
    #[error("the ledger's thread has ended")]
    Closed,
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> LedgerError {
        // SQLite takes room for its index of the log as it opens a ledger, and says only that it could not.
        let no_room =
            error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => LedgerError::Full(error),
            Some(rusqlite::ErrorCode::SystemIoFailure) if no_room => LedgerError::Full(error),
            Some(rusqlite::ErrorCode::SystemIoFailure) => LedgerError::Disk(error),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                LedgerError::Corrupt(error)
            }
            _ if misses_schema(&error) => LedgerError::Corrupt(error),
            _ => LedgerError::Sqlite(error),
        }
    }
}

/// Whether a table or column is not there although the schema's version is right: its text on disk is damaged.
fn misses_schema(error: &rusqlite::Error) -> bool {
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) | rusqlite::Error::SqlInputError { msg: text, .. } => text,
        _ => return false,
    };
    text.starts_with("no such column") || text.starts_with("no such table")
}

impl LedgerError {
    /// Whether the same call may succeed later without an action.
    pub fn is_transient(&self) -> bool {
        match self {
            LedgerError::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            LedgerError::Locked { .. } => true,
            _ => false,
        }
    }

    /// Whether an open connection may work again after an outside change: the lock released, space freed,
    /// the file system writable again.
    pub fn is_recoverable(&self) -> bool {
        match self {
            // A file that was moved away is read-only, too; only opening another one helps.
            LedgerError::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => {
                error.sqlite_error().is_none_or(|error| error.extended_code != rusqlite::ffi::SQLITE_READONLY_DBMOVED)
            }
            LedgerError::Sqlite(_) => self.is_transient(),
            LedgerError::Full(_) => true,
            _ => false,
        }
    }

    /// Whether the ledger is there and may yet be opened without anyone having to start the program again.
    pub fn may_open_later(&self) -> bool {
        match self {
            LedgerError::Migration(error) => error.sqlite_error().is_some_and(|error| {
                use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
                matches!(error.code, DatabaseBusy | DatabaseLocked | DiskFull)
                    || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
            }),
            LedgerError::File { source, .. } => {
                matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            }
            // A failing disk needs an operator, who is alerted when the service ends.
            error => error.is_recoverable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::lock::Lock;
    use crate::ledger::open::{reader, writer};

    #[test]
    fn a_full_disk_says_what_to_do_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let _lock = Lock::take(&path).unwrap();
        let mut connection = writer(&path).unwrap();
        connection.execute("INSERT INTO meta VALUES ('kept', 'yes')", ()).unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        // SQLite answers the same at its own limit as on a full disk.
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        let tx = connection.transaction().unwrap();
        let error = tx.execute("INSERT INTO meta VALUES ('more', hex(zeroblob(1000000)))", ()).unwrap_err();
        drop(tx);
        let error = LedgerError::from(error);
        assert!(matches!(error, LedgerError::Full(_)) && error.to_string().contains("free space"));
        let kept: String =
            reader(&path).unwrap().query_row("SELECT group_concat(name) FROM meta", (), |row| row.get(0)).unwrap();
        assert!(kept.contains("kept") && !kept.contains("more"));
    }

    #[test]
    fn a_damaged_file_says_how_to_recover() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        std::fs::write(&path, "this is no database, however long it is made to look".repeat(100)).unwrap();
        for error in [reader(&path).err(), writer(&path).err()] {
            assert!(matches!(&error, Some(LedgerError::Corrupt(_))), "{error:?}");
        }
    }

    #[test]
    fn a_schema_that_lacks_a_column_is_damage() {
        let error = crate::ledger::open::in_memory().prepare("SELECT item_nbme FROM item").err().unwrap();
        assert!(matches!(LedgerError::from(error), LedgerError::Corrupt(_)));
    }
}
