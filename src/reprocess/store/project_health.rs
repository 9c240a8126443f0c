//! What the ledger saw lately of a project: how retries ended, which incidents began, whether the account works.
//!
//! Reads only batches that changed in the time asked for, never all observations.
//! Everything here fails if SQLite refuses.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::reprocess::policy::hold::{EndedTry, HOLD};
use crate::reprocess::policy::item::Said;
use crate::reprocess::store::items::{SAID, SAID_JOINS, read_said};

/// Failures of one group that are looked at, at most.
const MOST_OF_A_GROUP: u32 = 100;

/// When the open incidents of a project were noticed; only those that failed then, for after a pause old failures are noticed
/// all at once.
pub(crate) fn fresh_incidents(connection: &Connection, project: &str) -> Result<Vec<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT n.noticed_at FROM incident n
         WHERE n.end_announced = 0 AND n.ended_at IS NULL AND n.last_failure_at > n.noticed_at - ?2 AND EXISTS (
             SELECT 1 FROM onset o JOIN item_count c USING (group_key) JOIN project p USING (project_key)
             WHERE o.incident_id = n.incident_id AND p.name = ?1 AND c.items > 0)",
    )?;
    let fresh = i64::try_from(HOLD.as_millis()).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![project, fresh], |row| row.get::<_, Millis>(0))?;
    rows.map(|at| Ok(at?.0)).collect()
}

/// Attempts of a project that ended after `since` with a recovery or a failure of the item's own.
pub(crate) fn ended(connection: &Connection, project: &str, since: Timestamp) -> Result<Vec<EndedTry>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.finished_at, s.group_id, a.outcome <> 'recovered' AS lost
         FROM attempt a JOIN intent n USING (intent_id) JOIN project p USING (project_key)
         JOIN error_group g ON g.group_key = a.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE a.finished_at > ?2 AND p.name = ?1 AND a.counts = 1
             AND a.outcome IN ('recovered', 'failed_same', 'failed_differently', 'expired')",
    )?;
    let rows = statement.query_map(params![project, Millis(since)], |row| {
        Ok(EndedTry {
            at: row.get::<_, Millis>("finished_at")?.0,
            group_id: row.get("group_id")?,
            lost: row.get("lost")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When a batch of a project that began after `since` last brought a completed item; none if none did.
pub(crate) fn completion_since(
    connection: &Connection,
    project: &str,
    since: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(coalesce(completed_at, updated_at, last_seen)) FROM batch
         WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)
             AND coalesce(started_at, created_at, first_seen) > ?2
             AND coalesce(processed_items, 0) > coalesce(failed_items, 0) + coalesce(skipped_items, 0)",
    )?;
    let newest: Option<Millis> = statement.query_row(params![project, Millis(since)], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

/// An open item that failed lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecentFailure {
    /// What it said.
    pub said: Said,
    /// The job type of its batch.
    pub job_type: String,
    /// Its batch.
    pub batch_key: i64,
    /// When it failed.
    pub at: Timestamp,
}

/// The open items of a project that failed after `since`, of each group the newest: whether they failed for the account is said by
/// each itself, and a few are enough to prove it.
pub(crate) fn recent_failures(
    connection: &Connection,
    project: &str,
    since: Timestamp,
) -> Result<Vec<RecentFailure>, LedgerError> {
    let mut groups = connection.prepare_cached("SELECT group_key FROM error_group WHERE last_seen > ?1")?;
    let mut items = connection.prepare_cached(&format!(
        "SELECT b.job_type, w.batch_key, i.last_seen, {SAID}
         FROM item i JOIN project p USING (project_key) JOIN observation w ON w.observation_key = i.observation_key
         JOIN batch b ON b.batch_key = w.batch_key {SAID_JOINS}
         WHERE i.group_key = ?1 AND i.state = 'open' AND i.last_seen > ?2 AND p.name = ?3 ORDER BY i.last_seen DESC LIMIT ?4"
    ))?;
    let mut failures = Vec::new();
    let mut found = groups.query([Millis(since)])?;
    while let Some(group) = found.next()? {
        let group_key: i64 = group.get("group_key")?;
        let rows = items.query_map(params![group_key, Millis(since), project, MOST_OF_A_GROUP], |row| {
            Ok(RecentFailure {
                said: read_said(row)?,
                job_type: row.get("job_type")?,
                batch_key: row.get("batch_key")?,
                at: row.get::<_, Millis>("last_seen")?.0,
            })
        })?;
        failures.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(failures)
}
