//! Why a plan or an intent cannot be ended by hand.

use crate::ledger::error::LedgerError;

/// Why a plan or an intent was not ended; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// There is none with this id.
    #[error("there is no such plan or intent")]
    Unknown,
    /// It is in no state to be ended.
    #[error("{0}")]
    Refused(String),
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
