//! Incidents open at a paging provider: one for each channel and episode.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

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
         ON CONFLICT (channel, group_key, episode) DO UPDATE SET
           ack_id = CASE WHEN resolved_at IS NULL THEN ack_id END, resolved_at = NULL",
        params![channel, group_key, episode, Millis(now)],
    )?;
    Ok(())
}

/// An open incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The channel that holds it.
    pub channel: String,
    /// The group.
    pub group_key: i64,
    /// The episode that it was opened for.
    pub episode: u32,
    /// The ack that the channel does not know of; none where none is asked for.
    pub ack_id: Option<i64>,
}

/// Open incidents whose episode has ended.
///
/// One whose group was merged into another that is open goes on: its cause is still there.
///
/// # Errors
/// SQLite refuses.
pub fn over(connection: &Connection) -> Result<Vec<Incident>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.channel, i.group_key, i.episode, NULL FROM incident i JOIN error_group g USING (group_key)
         JOIN episode e ON e.group_key = i.group_key AND e.ordinal = i.episode
         WHERE i.resolved_at IS NULL AND e.closed_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM episode s
                           WHERE e.closed_how = 'merged' AND s.group_key = g.merged_into AND s.closed_at IS NULL)
         ORDER BY i.channel, i.group_key, i.episode",
    )?;
    let rows = statement.query_map([], incident)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open incidents whose episode is acknowledged and whose channel does not know of that ack.
///
/// # Errors
/// SQLite refuses.
pub fn acked(connection: &Connection, now: Timestamp) -> Result<Vec<Incident>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.channel, i.group_key, i.episode, a.ack_id FROM incident i
         JOIN ack a ON a.group_key = i.group_key AND a.episode = i.episode
         WHERE i.resolved_at IS NULL AND a.ended_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > ?1)
           AND i.ack_id IS NOT a.ack_id
         ORDER BY i.channel, i.group_key, i.episode",
    )?;
    let rows = statement.query_map([Millis(now)], incident)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident { channel: row.get(0)?, group_key: row.get(1)?, episode: row.get(2)?, ack_id: row.get(3)? })
}

/// Notes that the channel was asked to resolve the incident.
///
/// # Errors
/// SQLite refuses.
pub fn resolve(tx: &Transaction<'_>, incident: &Incident, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE incident SET resolved_at = ?4 WHERE channel = ?1 AND group_key = ?2 AND episode = ?3",
        params![incident.channel, incident.group_key, incident.episode, Millis(now)],
    )?;
    Ok(())
}

/// Notes that the channel was told of the incident's ack.
///
/// # Errors
/// SQLite refuses.
pub fn take(tx: &Transaction<'_>, incident: &Incident) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE incident SET ack_id = ?4 WHERE channel = ?1 AND group_key = ?2 AND episode = ?3",
        params![incident.channel, incident.group_key, incident.episode, incident.ack_id],
    )?;
    Ok(())
}
