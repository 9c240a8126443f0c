//! What the small acts of people have in common: who acts, what can go wrong, finding a group.
//!
//! They work on a ledger opened with [`Ledger::open_shared`](crate::ledger::Ledger::open_shared), so a running service
//! does not get in their way. Each leaves an audit row in the transaction of the act itself.

use jiff::Timestamp;

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::report::store::{QueryError, group_named};
use crate::triage::store::group_row::{GroupRecord, by_key};

/// Who acts, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The user's name, for the audit.
    pub name: String,
    /// Now.
    pub now: Timestamp,
}

/// Why an act was not done; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    /// What it was to be done to does not exist. Exits with 3.
    #[error("no {0}")]
    NotFound(String),
    /// What it was to be done to is not named clearly enough. Exits with 3.
    #[error("{0}")]
    Several(String),
    /// It makes no sense as asked. Exits with 2.
    #[error("{0}")]
    Refused(String),
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The group with this id, which may be shortened, or the one it was merged into.
pub(crate) fn find(tx: &Transaction<'_>, typed: &str) -> Result<Result<GroupRecord, ActError>, LedgerError> {
    let none = |text: &str| ActError::NotFound(format!("{text}; `llama-triage report groups` lists them"));
    match group_named(tx, typed) {
        Ok(key) => Ok(by_key(tx, key)?.ok_or_else(|| none(&format!("group {typed}")))),
        Err(QueryError::Ledger(error)) => Err(error),
        Err(error @ QueryError::Ambiguous { .. }) => Ok(Err(ActError::Several(error.to_string()))),
        // `ActError` begins with a "no" of its own.
        Err(error) => Ok(Err(none(error.to_string().trim_start_matches("no ")))),
    }
}

/// The reason without blanks around it.
///
/// # Errors
/// There is none: whoever reads the audit must learn why.
pub(crate) fn reason(text: &str) -> Result<String, ActError> {
    match text.trim() {
        "" => Err(ActError::Refused("a reason is needed: --reason TEXT".to_owned())),
        reason => Ok(reason.to_owned()),
    }
}
