//! What the small acts of people have in common: who acts, what can go wrong, finding a group.
//!
//! They work on a ledger opened with [`Ledger::open_beside`](crate::ledger::Ledger::open_beside), so a running service
//! does not get in their way. Each leaves an audit row in the transaction of the act itself.

use jiff::Timestamp;

use crate::ledger::standing::{GroupRow, by_id};
use crate::ledger::{LedgerError, Transaction};

/// Who acts, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user's name, for the audit.
    pub name: String,
    /// Now.
    pub now: Timestamp,
}

/// Why an act was not done; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// What it was to be done to does not exist. Exits with 3.
    #[error("no {0}")]
    NotFound(String),
    /// It makes no sense as asked. Exits with 2.
    #[error("{0}")]
    Refused(String),
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The group with this id, or the one it was merged into.
pub(super) fn find(tx: &Transaction<'_>, group_id: &str) -> Result<Result<GroupRow, ActError>, LedgerError> {
    let found = by_id(tx, group_id)?;
    Ok(found.ok_or_else(|| ActError::NotFound(format!("group {group_id}; `llama-triage report groups` lists them"))))
}

/// The reason without blanks around it.
///
/// # Errors
/// There is none: whoever reads the audit must learn why.
pub(super) fn reason(text: &str) -> Result<String, ActError> {
    match text.trim() {
        "" => Err(ActError::Refused("a reason is needed: --reason TEXT".to_owned())),
        reason => Ok(reason.to_owned()),
    }
}
