//! Who takes care of an episode of a group. It is kept with the episode, so the next one begins with no one.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;

/// Who takes care of an episode, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// A person or a team; none if no one does.
    pub assigned: Option<String>,
    /// The address of a ticket; none if there is none.
    pub ticket: Option<String>,
}

/// The assignment of an episode; an empty one if there is none.
pub(crate) fn of_episode(connection: &Connection, group_key: i64, episode: u32) -> Result<Assignment, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT assigned, ticket FROM episode WHERE group_key = ?1 AND ordinal = ?2")?;
    let found = statement.query_row(params![group_key, episode], |row| {
        Ok(Assignment { assigned: row.get("assigned")?, ticket: row.get("ticket")? })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Assigns an episode; an empty assignment withdraws the last one.
pub(crate) fn assign(tx: &Transaction<'_>, group_key: i64, episode: u32, to: &Assignment) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE episode SET assigned = ?3, ticket = ?4 WHERE group_key = ?1 AND ordinal = ?2")?
        .execute(params![group_key, episode, to.assigned, to.ticket])?;
    Ok(())
}

/// Gives the assignment of a merged group's last episode to the open one of its survivor, if that has none.
pub(crate) fn absorb(tx: &Transaction<'_>, merged: i64, survivor: i64) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE episode SET (assigned, ticket) = (SELECT m.assigned, m.ticket FROM episode m WHERE m.group_key = ?1
             AND m.closed_how = 'merged' ORDER BY m.ordinal DESC LIMIT 1)
         WHERE group_key = ?2 AND closed_at IS NULL AND assigned IS NULL",
        [merged, survivor],
    )?;
    Ok(())
}
