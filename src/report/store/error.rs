//! What can go wrong when a report asks the ledger.

use crate::ledger::error::LedgerError;

/// What can go wrong. Texts are fragments that fit after "failed: ".
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An id is not in the ledger.
    #[error("no {}", unknown(what, id, nearest))]
    NotFound {
        /// `group`, `item`, `batch`, `project`.
        what: &'static str,
        /// As typed.
        id: String,
        /// What it may have meant.
        nearest: Vec<String>,
    },
    /// A shortened id fits several.
    #[error("{what} {id:?} is ambiguous: {}; add a few characters", .candidates.join(", "))]
    Ambiguous {
        /// `group`, `item`, `batch`.
        what: &'static str,
        /// As typed.
        id: String,
        /// Some of what it fits.
        candidates: Vec<String>,
    },
    /// The user's own statement is refused.
    #[error("statement refused: {0}")]
    Statement(String),
    /// The user's own statement asked for too much.
    #[error("the statement was stopped, {what} {mib} MiB: select less data")]
    TooLarge {
        /// What was too much, up to the number.
        what: &'static str,
        /// The limit.
        mib: i64,
    },
    /// The user's own statement took too long.
    #[error("the statement was stopped after {0} s: select less data")]
    TooSlow(u64),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> QueryError {
        QueryError::Ledger(error.into())
    }
}

impl QueryError {
    /// Whether the same question may be answered later without an action.
    pub fn is_transient(&self) -> bool {
        matches!(self, QueryError::Ledger(error) if error.is_transient())
    }
}

/// What is not in the ledger, and what may have been meant.
pub(crate) fn unknown(what: &str, id: &str, nearest: &[String]) -> String {
    format!("{what} {id:?} in the ledger{}", did_you_mean(nearest))
}

fn did_you_mean(ids: &[String]) -> String {
    match ids {
        [] => String::new(),
        ids => format!("; did you mean {}?", ids.join(" or ")),
    }
}
