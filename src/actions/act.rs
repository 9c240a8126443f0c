//! What the small acts of people have in common: who acts, what can go wrong, finding a group.
//!
//! They work on a ledger opened with [`Ledger::open_shared`](crate::ledger::Ledger::open_shared), so a running service
//! does not get in their way. Each leaves an audit row in the transaction of the act itself.

use jiff::Timestamp;

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger};
use crate::report::store::error::unknown;
use crate::report::store::{QueryError, group_named, incident_named};
use crate::triage::store::group_row::{GroupRecord, by_key};
use crate::triage::store::incident;

/// Who acts, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The user's name, for the audit.
    pub name: String,
    /// Now.
    pub now: Timestamp,
}

/// An act that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// The line to print.
    pub said: String,
    /// The row of the audit log that records it.
    pub audit_id: i64,
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

impl From<QueryError> for ActError {
    fn from(error: QueryError) -> ActError {
        match error {
            QueryError::Ledger(error) => ActError::Ledger(error),
            QueryError::NotFound { what, id, nearest } => ActError::NotFound(unknown(what, &id, &nearest)),
            error @ QueryError::Ambiguous { .. } => ActError::Several(error.to_string()),
            error => ActError::Refused(error.to_string()),
        }
    }
}

/// The group with this id, which may be shortened, or the one it was merged into.
///
/// # Errors
/// There is none, or there are several.
pub(crate) fn find(tx: &Connection, typed: &str) -> Result<GroupRecord, ActError> {
    let found = group_named(tx, typed).map_err(ActError::from).and_then(|key| {
        let none = || ActError::NotFound(format!("group {typed}"));
        by_key(tx, key)?.ok_or_else(none)
    });
    found.map_err(|error| match error {
        ActError::NotFound(what) => ActError::NotFound(format!("{what}; `llama-triage report groups` lists them")),
        error => error,
    })
}

/// The ids as typed, with the open groups of an incident where its id (`n-…`, may be shortened) stands.
///
/// # Errors
/// There is no such incident, or none of its groups is open.
pub(crate) async fn expand_incidents(ledger: &Ledger, typed: &[String]) -> Result<Vec<String>, ActError> {
    let typed = typed.to_vec();
    let read = move |connection: &Connection| {
        let ids = typed.iter().map(|id| match id.starts_with("n-") {
            true => open_groups(connection, id),
            false => Ok(vec![id.clone()]),
        });
        Ok(ids.collect::<Result<Vec<_>, ActError>>())
    };
    Ok(ledger.read(read).await??.concat())
}

fn open_groups(connection: &Connection, typed: &str) -> Result<Vec<String>, ActError> {
    let incident_id = incident_named(connection, typed).map_err(ActError::from).map_err(|error| match error {
        ActError::NotFound(what) => ActError::NotFound(format!("{what}; `llama-triage report incidents` lists them")),
        error => error,
    })?;
    let open = incident::members(connection, &incident_id)?.into_iter().filter(|member| !member.ended);
    let open: Vec<String> = open.map(|member| member.group_id).collect();
    match open.is_empty() {
        true => Err(ActError::Refused(format!("no group of {incident_id} is open"))),
        false => Ok(open),
    }
}

/// The reason without blanks around it.
///
/// # Errors
/// The reason is empty: the audit log requires one.
pub(crate) fn reason(text: &str) -> Result<String, ActError> {
    match text.trim() {
        "" => Err(ActError::Refused("a reason is needed: --reason TEXT".to_owned())),
        reason => Ok(reason.to_owned()),
    }
}
