//! Alerts open at a paging provider: one for each channel and episode of a group, or incident.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AlertSubject {
    /// One episode of a group.
    Group {
        /// The group.
        group_key: i64,
        /// The episode that it was opened for.
        episode: u32,
    },
    /// An incident.
    Incident(String),
}

impl AlertSubject {
    /// The condition that finds its alerts, with the values of its parameters.
    fn condition(&self) -> (&'static str, Vec<Value>) {
        match self {
            AlertSubject::Group { group_key, episode } => {
                ("group_key = ? AND episode = ?", vec![(*group_key).into(), i64::from(*episode).into()])
            }
            AlertSubject::Incident(incident_id) => ("incident_id = ?", vec![incident_id.clone().into()]),
        }
    }
}

/// An open alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PagerAlert {
    /// The channel that holds it.
    pub channel: String,
    /// What it is about.
    pub subject: AlertSubject,
    /// The ack that the channel does not know of; none where none is due.
    pub ack_id: Option<i64>,
    /// The scope that it was opened under.
    pub scope: String,
}

const ALERT: &str = "i.channel, i.group_key, i.episode, i.incident_id, i.scope";

/// Notes that a channel was asked to open an alert, under this scope; again if it is known already.
pub(crate) fn open(
    tx: &Transaction<'_>,
    channel: &str,
    subject: &AlertSubject,
    scope: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (group_key, episode, incident_id) = match subject {
        AlertSubject::Group { group_key, episode } => (Some(group_key), Some(episode), None),
        AlertSubject::Incident(incident_id) => (None, None, Some(incident_id)),
    };
    let again = "DO UPDATE SET ack_id = CASE WHEN resolved_at IS NULL THEN ack_id END, resolved_at = NULL";
    tx.prepare_cached(&format!(
        "INSERT INTO pager_alert (channel, group_key, episode, incident_id, opened_at, scope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (group_key, episode, channel) {again} ON CONFLICT (incident_id, channel) {again}"
    ))?
    .execute(params![channel, group_key, episode, incident_id, Millis(now), scope])?;
    Ok(())
}

/// The scope under which an alert is known, this channel's before others'; none if there never was one.
pub(crate) fn scope(
    connection: &Connection,
    channel: &str,
    subject: &AlertSubject,
) -> Result<Option<String>, LedgerError> {
    let (condition, mut values) = subject.condition();
    values.push(channel.to_owned().into());
    let sql = format!("SELECT scope FROM pager_alert WHERE {condition} ORDER BY channel = ? DESC, opened_at LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params_from_iter(values), |row| row.get(0)).optional()?)
}

/// Whether a channel was ever asked to open an alert about this.
pub(crate) fn is_known(connection: &Connection, channel: &str, subject: &AlertSubject) -> Result<bool, LedgerError> {
    let (condition, mut values) = subject.condition();
    values.push(channel.to_owned().into());
    let sql = format!("SELECT 1 FROM pager_alert WHERE {condition} AND channel = ?");
    Ok(connection.prepare_cached(&sql)?.exists(params_from_iter(values))?)
}

/// Gives the open alerts of a channel that is gone to another one, which resolves them when their subjects end.
///
/// Those that it holds itself stay as they are. Returns how many there were.
pub(crate) fn transfer(tx: &Transaction<'_>, gone: &str, to: &str) -> Result<usize, LedgerError> {
    Ok(tx.execute(
        "INSERT INTO pager_alert (channel, group_key, episode, incident_id, opened_at, ack_id, scope)
         SELECT ?2, group_key, episode, incident_id, opened_at, ack_id, scope FROM pager_alert
         WHERE channel = ?1 AND resolved_at IS NULL
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

/// Open alerts whose episode has ended, or whose incident is over.
///
/// One whose group was merged into another that is open goes on: its cause is still there.
pub(crate) fn ended(connection: &Connection) -> Result<Vec<PagerAlert>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ALERT}, NULL AS ack_id FROM pager_alert i JOIN error_group g USING (group_key)
         JOIN episode e ON e.group_key = i.group_key AND e.ordinal = i.episode
         WHERE i.resolved_at IS NULL AND e.closed_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM episode s
                           WHERE e.closed_how = 'merged' AND s.group_key = g.merged_into AND s.closed_at IS NULL)
         UNION ALL SELECT {ALERT}, NULL FROM pager_alert i JOIN incident n USING (incident_id)
         WHERE i.resolved_at IS NULL AND n.ended_at IS NOT NULL
         ORDER BY 1, 2, 3, 4"
    ))?;
    let rows = statement.query_map([], read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open alerts whose episode is acknowledged and whose channel does not know of that ack.
pub(crate) fn acked(connection: &Connection, now: Timestamp) -> Result<Vec<PagerAlert>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ALERT}, a.ack_id FROM pager_alert i
         JOIN ack a ON a.group_key = i.group_key AND a.episode = i.episode
         WHERE i.resolved_at IS NULL AND a.ended_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > ?1)
           AND i.ack_id IS NOT a.ack_id
         ORDER BY i.channel, i.group_key, i.episode"
    ))?;
    let rows = statement.query_map([Millis(now)], read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Open alerts of an incident whose channel knows of no ack, with the newest ack.
pub(crate) fn unacked_of_incident(connection: &Connection, incident_id: &str) -> Result<Vec<PagerAlert>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ALERT}, (SELECT max(ack_id) FROM ack) AS ack_id FROM pager_alert i
         WHERE i.incident_id = ?1 AND i.resolved_at IS NULL AND i.ack_id IS NULL ORDER BY i.channel"
    ))?;
    let rows = statement.query_map([incident_id], read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_alert(row: &Row<'_>) -> rusqlite::Result<PagerAlert> {
    let incident_id: Option<String> = row.get("incident_id")?;
    let subject = match incident_id {
        Some(incident_id) => AlertSubject::Incident(incident_id),
        None => AlertSubject::Group { group_key: row.get("group_key")?, episode: row.get("episode")? },
    };
    Ok(PagerAlert { channel: row.get("channel")?, subject, ack_id: row.get("ack_id")?, scope: row.get("scope")? })
}

/// Notes that the channel was asked to resolve the alert.
pub(crate) fn resolve(tx: &Transaction<'_>, alert: &PagerAlert, now: Timestamp) -> Result<(), LedgerError> {
    set(tx, alert, "resolved_at", now.as_millisecond().into())
}

/// Notes that the channel got the alert's ack.
pub(crate) fn mark_acked(tx: &Transaction<'_>, alert: &PagerAlert) -> Result<(), LedgerError> {
    set(tx, alert, "ack_id", alert.ack_id.map_or(Value::Null, Value::from))
}

fn set(tx: &Transaction<'_>, alert: &PagerAlert, column: &str, to: Value) -> Result<(), LedgerError> {
    let (condition, of_subject) = alert.subject.condition();
    let values = std::iter::once(to).chain(of_subject).chain([alert.channel.clone().into()]);
    let sql = format!("UPDATE pager_alert SET {column} = ? WHERE {condition} AND channel = ?");
    tx.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}
