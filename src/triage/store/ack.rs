//! Acks: someone knows of an episode. They stop reminders and end with the episode.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::triage::ack::{Ack, Until};
use crate::triage::store::group_row;

/// An ack to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewAck {
    /// The group.
    pub group_key: i64,
    /// Its open episode.
    pub episode: u32,
    /// Who.
    pub author: String,
    /// Open items now: an escalation to the double breaks the ack.
    pub open_items: u64,
    /// Items ever in it now: what joins later is more.
    pub total_items: u64,
    /// What breaks it instead.
    pub until: Option<Until>,
    /// When it ends automatically; none with the episode.
    pub expires_at: Option<Timestamp>,
}

/// Gives an ack; an earlier one of the group ends.
pub(crate) fn insert(tx: &Transaction<'_>, ack: &NewAck, now: Timestamp) -> Result<(), LedgerError> {
    end_all(tx, ack.group_key, "renewed", now)?;
    tx.execute(
        "INSERT INTO ack (group_key, episode, author, open_items, created_at, expires_at, until, total_items)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            ack.group_key,
            ack.episode,
            ack.author,
            Count(ack.open_items),
            Millis(now),
            ack.expires_at.map(Millis),
            ack.until.map(|until| until.to_string()),
            Count(ack.total_items)
        ],
    )?;
    Ok(())
}

/// Ends a group's acks; says whether there was one.
pub(crate) fn end_all(tx: &Transaction<'_>, group_key: i64, how: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let ended = tx
        .prepare_cached("UPDATE ack SET ended_at = ?3, ended_how = ?2 WHERE group_key = ?1 AND ended_at IS NULL")?
        .execute(params![group_key, how, Millis(now)])?;
    Ok(ended > 0)
}

/// Lets the survivor's ack hold although a merged group's items joined: what was reported of them does not count as growth.
///
/// Items of the merged group that were not reported count, as they would have without the merge. The sum is no more
/// than the survivor has, for an item may have been in both, and the ack may have been given after the merge.
pub(crate) fn raise_limit(tx: &Transaction<'_>, merged: i64, survivor: i64) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE ack SET total_items = max(ack.total_items, min(ack.total_items + m.total_items, g.total_items))
         FROM announcement m, error_group g
         WHERE ack.group_key = ?2 AND ack.ended_at IS NULL AND m.group_key = ?1 AND g.group_key = ?2",
        [merged, survivor],
    )?;
    Ok(())
}

/// The ack of a group's episode that holds; none if it is not acknowledged, or no longer.
pub(crate) fn in_force(
    connection: &Connection,
    group: &group_row::GroupRecord,
    episode: u32,
    now: Timestamp,
) -> Result<Option<Ack>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT author, open_items, until, coalesce(total_items, ?4) AS total_items, created_at, expires_at FROM ack
         WHERE group_key = ?1 AND episode = ?2 AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)
         ORDER BY ack_id DESC LIMIT 1",
    )?;
    let row = statement.query_row(params![group.group_key, episode, Millis(now), Count(group.total_items)], |row| {
        let until: Option<String> = row.get("until")?;
        let Count(total_items) = row.get("total_items")?;
        let ack = Ack {
            author: row.get("author")?,
            open_items: row.get::<_, Count>("open_items")?.0,
            until: until.and_then(|until| until.parse().ok()),
            expires_at: row.get::<_, Option<Millis>>("expires_at")?.map(|at| at.0),
            more: group.total_items.saturating_sub(total_items),
            lately: 0,
        };
        Ok((ack, row.get::<_, Millis>("created_at")?.0))
    });
    let Some((mut ack, given_at)) = row.optional()? else { return Ok(None) };
    if let Some(window) = ack.until.and_then(Until::window) {
        let since = now.checked_sub(window).unwrap_or(given_at).max(given_at);
        ack.lately = group_row::failed_since(connection, group.group_key, since, now)?;
    }
    Ok(Some(ack))
}
