//! Acks: somebody knows of an episode. They stop reminders and end with the episode.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::LedgerError;
use super::millis::{Count, Millis};

/// An ack to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAck {
    /// The group.
    pub group_key: i64,
    /// Its open episode.
    pub episode: u32,
    /// Who.
    pub author: String,
    /// Open items now: an escalation to the double breaks the ack.
    pub open_items: u64,
    /// When it ends by itself; none with the episode.
    pub expires_at: Option<Timestamp>,
}

/// Gives an ack; an earlier one of the group ends.
///
/// # Errors
/// SQLite refuses.
pub fn give(tx: &Transaction<'_>, ack: &NewAck, now: Timestamp) -> Result<(), LedgerError> {
    end_all(tx, ack.group_key, "renewed", now)?;
    tx.execute(
        "INSERT INTO ack (group_key, episode, author, open_items, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            ack.group_key,
            ack.episode,
            ack.author,
            Count(ack.open_items),
            Millis(now),
            ack.expires_at.map(Millis)
        ],
    )?;
    Ok(())
}

/// Ends a group's acks; says whether there was one.
///
/// # Errors
/// SQLite refuses.
pub fn end_all(tx: &Transaction<'_>, group_key: i64, how: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let ended = tx
        .prepare_cached("UPDATE ack SET ended_at = ?3, ended_how = ?2 WHERE group_key = ?1 AND ended_at IS NULL")?
        .execute(params![group_key, how, Millis(now)])?;
    Ok(ended > 0)
}

/// The open items at which the episode was acknowledged; none if it is not, or no longer.
///
/// # Errors
/// SQLite refuses.
pub fn level(
    connection: &Connection,
    group_key: i64,
    episode: u32,
    now: Timestamp,
) -> Result<Option<u64>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT open_items FROM ack WHERE group_key = ?1 AND episode = ?2 AND ended_at IS NULL
         AND (expires_at IS NULL OR expires_at > ?3) ORDER BY ack_id DESC LIMIT 1",
    )?;
    let level = statement.query_row(params![group_key, episode, Millis(now)], |row| row.get::<_, Count>(0));
    Ok(level.optional()?.map(|count| count.0))
}
