//! What can go wrong with the ledger.

use std::path::PathBuf;

/// What can go wrong with the ledger. Texts are fragments that fit after "failed: ".
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is not there; readers never make one.
    #[error("no ledger at {0}: run `llama-triage scan` first, or name it with --ledger")]
    Missing(PathBuf),
    /// Another process writes to it.
    #[error(
        "another llama-triage ({holder}) is using the ledger {path}: stop it, or ask it instead with `llama-triage report`"
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
    /// The file or its folder cannot be used.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A migration failed.
    #[error("cannot migrate the ledger")]
    Migration(#[source] rusqlite_migration::Error),
    /// SQLite refused.
    #[error("the ledger refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
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

impl LedgerError {
    /// Whether the same call may succeed later without anybody doing anything.
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

    /// Unwraps the error of a call to a connection's thread.
    pub(super) fn from_call(error: tokio_rusqlite::Error<LedgerError>) -> LedgerError {
        match error {
            tokio_rusqlite::Error::Error(inner) => inner,
            tokio_rusqlite::Error::Close((_, inner)) => LedgerError::Sqlite(inner),
            _ => LedgerError::Closed,
        }
    }
}
