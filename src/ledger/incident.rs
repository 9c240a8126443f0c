//! Incidents open at a paging provider: one for each channel and episode.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::LedgerError;
use super::millis::Millis;

/// Notes that a channel was asked to open an incident for an episode; again if it is known already.
///
/// # Errors
/// SQLite refuses.
pub fn open(
    tx: &Transaction<'_>,
    channel: &str,
    group_key: i64,
    episode: u32,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO incident (channel, group_key, episode, opened_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (channel, group_key, episode) DO UPDATE SET resolved_at = NULL",
        params![channel, group_key, episode, Millis(now)],
    )?;
    Ok(())
}

/// The channels that hold an open incident for an episode of the group that has ended, with that episode.
///
/// # Errors
/// SQLite refuses.
pub fn over(connection: &Connection) -> Result<Vec<(String, i64, u32)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.channel, i.group_key, i.episode FROM incident i
         JOIN episode e ON e.group_key = i.group_key AND e.ordinal = i.episode
         WHERE i.resolved_at IS NULL AND e.closed_at IS NOT NULL ORDER BY i.channel, i.group_key, i.episode",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that the channel was asked to resolve the incident.
///
/// # Errors
/// SQLite refuses.
pub fn resolve(
    tx: &Transaction<'_>,
    channel: &str,
    group_key: i64,
    episode: u32,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE incident SET resolved_at = ?4 WHERE channel = ?1 AND group_key = ?2 AND episode = ?3",
        params![channel, group_key, episode, Millis(now)],
    )?;
    Ok(())
}
