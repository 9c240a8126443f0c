//! Alerts open at a paging provider: one for each channel and episode.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};

/// Notes that a channel was asked to open an alert for an episode, under this scope; again if it is known already.
pub(crate) fn open(
    tx: &Transaction<'_>,
    channel: &str,
    group_key: i64,
    episode: u32,
    scope: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO pager_alert (channel, group_key, episode, opened_at, scope) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (channel, group_key, episode) DO UPDATE SET
           ack_id = CASE WHEN resolved_at IS NULL THEN ack_id END, resolved_at = NULL",
        params![channel, group_key, episode, Millis(now), scope],
    )?;
    Ok(())
}

/// An open alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PagerAlert {
    /// The channel that holds it.
    pub channel: String,
    /// The group.
    pub group_key: i64,
    /// The episode that it was opened for.
    pub episode: u32,
    /// The ack that the channel does not know of; none where none is asked for.
    pub ack_id: Option<i64>,
    /// The scope that it was opened under.
    pub scope: String,
}

/// The scope under which an episode's alert is known, this channel's before others'; none if it never had one.
pub(crate) fn scope(
    connection: &Connection,
    channel: &str,
    group_key: i64,
    episode: u32,
) -> Result<Option<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT scope FROM pager_alert WHERE group_key = ?2 AND episode = ?3 ORDER BY channel = ?1 DESC, opened_at LIMIT 1",
    )?;
    Ok(statement.query_row(params![channel, group_key, episode], |row| row.get(0)).optional()?)
}

/// Whether a channel was ever asked to open an alert for an episode.
pub(crate) fn is_known(
    connection: &Connection,
    channel: &str,
    group_key: i64,
    episode: u32,
) -> Result<bool, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM pager_alert WHERE channel = ?1 AND group_key = ?2 AND episode = ?3")?;
    Ok(statement.exists(params![channel, group_key, episode])?)
}

/// Gives the open alerts of a channel that is gone to another one, which resolves them when their episodes end.
///
/// Those that it holds itself stay as they are. Returns how many there were.
pub(crate) fn transfer(tx: &Transaction<'_>, gone: &str, to: &str) -> Result<usize, LedgerError> {
    Ok(tx.execute(
        "INSERT INTO pager_alert (channel, group_key, episode, opened_at, ack_id, scope)
         SELECT ?2, group_key, episode, opened_at, ack_id, scope FROM pager_alert WHERE channel = ?1 AND resolved_at IS NULL
         ON CONFLICT DO NOTHING",
        [gone, to],
    )?)
}

/// Ends the record of a channel's open alerts; they are others' now. Returns how many there were.
pub(crate) fn forget_all(tx: &Transaction<'_>, gone: &str, now: Timestamp) -> Result<usize, LedgerError> {
    let sql = "UPDATE pager_alert SET resolved_at = ?2 WHERE channel = ?1 AND resolved_at IS NULL";
    Ok(tx.execute(sql, params![gone, Millis(now)])?)
}

/// How many alerts of a channel are open.
pub(crate) fn count_open(connection: &Connection, channel: &str) -> Result<u64, LedgerError> {
    let sql = "SELECT count(*) FROM pager_alert WHERE channel = ?1 AND resolved_at IS NULL";
    Ok(connection.query_row(sql, [channel], |row| row.get::<_, Count>(0))?.0)
}

/// Open alerts whose episode has ended.
///
/// One whose group was merged into another that is open goes on: its cause is still there.
pub(crate) fn with_closed_episode(connection: &Connection) -> Result<Vec<PagerAlert>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.channel, i.group_key, i.episode, NULL AS ack_id, i.scope FROM pager_alert i JOIN error_group g USING (group_key)
         JOIN episode e ON e.group_key = i.group_key AND e.ordinal = i.episode
         WHERE i.resolved_at IS NULL AND e.closed_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM episode s
                           WHERE e.closed_how = 'merged' AND s.group_key = g.merged_into AND s.closed_at IS NULL)
         ORDER BY i.channel, i.group_key, i.episode",
    )?;
    let rows = statement.query_map([], read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open alerts whose episode is acknowledged and whose channel does not know of that ack.
pub(crate) fn acked(connection: &Connection, now: Timestamp) -> Result<Vec<PagerAlert>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.channel, i.group_key, i.episode, a.ack_id, i.scope FROM pager_alert i
         JOIN ack a ON a.group_key = i.group_key AND a.episode = i.episode
         WHERE i.resolved_at IS NULL AND a.ended_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > ?1)
           AND i.ack_id IS NOT a.ack_id
         ORDER BY i.channel, i.group_key, i.episode",
    )?;
    let rows = statement.query_map([Millis(now)], read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_alert(row: &Row<'_>) -> rusqlite::Result<PagerAlert> {
    Ok(PagerAlert {
        channel: row.get("channel")?,
        group_key: row.get("group_key")?,
        episode: row.get("episode")?,
        ack_id: row.get("ack_id")?,
        scope: row.get("scope")?,
    })
}

/// Notes that the channel was asked to resolve the alert.
pub(crate) fn resolve(tx: &Transaction<'_>, alert: &PagerAlert, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE pager_alert SET resolved_at = ?4 WHERE channel = ?1 AND group_key = ?2 AND episode = ?3",
        params![alert.channel, alert.group_key, alert.episode, Millis(now)],
    )?;
    Ok(())
}

/// Notes that the channel got the alert's ack.
pub(crate) fn mark_acked(tx: &Transaction<'_>, alert: &PagerAlert) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE pager_alert SET ack_id = ?4 WHERE channel = ?1 AND group_key = ?2 AND episode = ?3",
        params![alert.channel, alert.group_key, alert.episode, alert.ack_id],
    )?;
    Ok(())
}
