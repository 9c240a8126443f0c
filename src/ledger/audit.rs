//! Who did what, when and why: rows are only ever added.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// One act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Act<'a> {
    /// A user, or `auto:…`.
    pub actor: &'a str,
    /// A verb: ack, unack, silence, unsilence, note, dismiss, undismiss, …
    pub action: &'a str,
    /// The group, item, plan or silence it was done to.
    pub subject: &'a str,
    /// Why; none where the contract asks for none.
    pub reason: Option<&'a str>,
    /// More, as JSON.
    pub detail: Option<String>,
}

/// Records an act. Returns the number of its row.
pub(crate) fn record(tx: &Transaction<'_>, act: &Act<'_>, now: Timestamp) -> Result<i64, LedgerError> {
    let row = tx
        .prepare_cached(
            "INSERT INTO audit (at, actor, action, subject, reason, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert(params![Millis(now), act.actor, act.action, act.subject, act.reason, act.detail])?;
    Ok(row)
}
