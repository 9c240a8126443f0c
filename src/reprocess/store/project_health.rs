//! What the ledger saw lately of a project: how much went well and badly, which groups turned, whether the account works.
//!
//! Reads only batches that changed in the time asked for, never all observations.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::ledger::error::LedgerError;
use crate::ledger::millis::{Count, Millis};
use crate::reprocess::policy::holds::gate::AttemptResult;
use crate::reprocess::policy::holds::outage_signal::Work;

/// Classes that may be a passing trouble: a batch of protected PDFs is none.
const PASSING: &str = "('transient', 'throttled', 'unknown')";

/// The work of batches of a project that changed after `since`: when each ran, and how many of its items went well.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn work(connection: &Connection, project: &str, since: Timestamp) -> Result<Vec<Work>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(started_at, created_at, first_seen), coalesce(completed_at, updated_at, last_seen), max(0,
             CASE WHEN completed_at IS NULL THEN coalesce(processed_items, 0) ELSE coalesce(total_items, processed_items, 0) END
                 - coalesce(failed_items, 0) - coalesce(skipped_items, 0))
         FROM batch WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)
             AND coalesce(completed_at, updated_at, last_seen) > ?2 AND status NOT IN ('failed', 'cancelled')",
    )?;
    let rows = statement.query_map(params![project, Millis(since)], |row| {
        let Count(done) = row.get(2)?;
        Ok(Work { from: row.get::<_, Millis>(0)?.0, to: row.get::<_, Millis>(1)?.0, done })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Items of a project that failed after `since`, by `until`, with a class that may be a passing trouble.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn failed(
    connection: &Connection,
    project: &str,
    since: Timestamp,
    until: Timestamp,
) -> Result<u64, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*) FROM batch b JOIN project p USING (project_key) JOIN observation o USING (batch_key)
         JOIN error_group g USING (group_key) JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE p.name = ?1 AND coalesce(b.completed_at, b.updated_at, b.last_seen) > ?2
             AND o.event_at > ?2 AND o.event_at <= ?3 AND o.kind = 'failed' AND s.class IN {PASSING}"
    ))?;
    let Count(failed) = statement.query_row(params![project, Millis(since), Millis(until)], |row| row.get(0))?;
    Ok(failed)
}

/// Groups of a project that turned new, came back or escalated after `since`, with when; those that may be a passing trouble.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn turned(connection: &Connection, project: &str, since: Timestamp) -> Result<Vec<Turned>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT t.at, g.group_id, t.began FROM (
             SELECT group_key, first_seen AS at, 1 AS began FROM error_group WHERE first_seen > ?2
             UNION ALL SELECT group_key, opened_at, 1 FROM episode WHERE opened_at > ?2
             -- Noticed is not enough: after a pause, or at the first start, old failures are noticed all at once.
             UNION ALL SELECT e.group_key, e.fired_at, 0 FROM escalation e JOIN error_group n USING (group_key)
                 WHERE e.fired_at > ?2 AND n.last_seen > ?2) t
         JOIN error_group g USING (group_key) JOIN project p ON p.name = ?1
         WHERE g.class IN {PASSING} AND g.merged_into IS NULL AND EXISTS (
             SELECT 1 FROM item i WHERE i.group_key = g.group_key AND i.project_key = p.project_key)"
    ))?;
    let rows = statement.query_map(params![project, Millis(since)], |row| {
        Ok(Turned { at: row.get::<_, Millis>(0)?.0, group_id: row.get(1)?, began: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A group that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turned {
    /// When, in event time.
    pub at: Timestamp,
    /// It.
    pub group_id: String,
    /// It began or came back; else it grew.
    pub began: bool,
}

/// Attempts of a project that ended after `since` with a recovery or a failure of the item's own.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn attempts(
    connection: &Connection,
    project: &str,
    since: Timestamp,
) -> Result<Vec<AttemptResult>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.finished_at, s.group_id, a.outcome <> 'recovered'
         FROM attempt a JOIN intent n USING (intent_id) JOIN project p USING (project_key)
         JOIN error_group g ON g.group_key = a.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE a.finished_at > ?2 AND p.name = ?1 AND a.counts = 1
             AND a.outcome IN ('recovered', 'failed_same', 'failed_differently', 'expired')",
    )?;
    let rows = statement.query_map(params![project, Millis(since)], |row| {
        Ok(AttemptResult { at: row.get::<_, Millis>(0)?.0, group_id: row.get(1)?, failed: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When a batch of a project that began after `since` last brought a completed item; none if none did.
///
/// # Errors
/// SQLite refuses.
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

/// When an item of a project last failed because the account cannot go on, if that was after `since`.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn account_failure(
    connection: &Connection,
    project: &str,
    since: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(i.last_seen) FROM error_group g JOIN item i USING (group_key) JOIN project p USING (project_key)
         WHERE p.name = ?1 AND g.class = 'account' AND g.last_seen > ?2 AND i.state = 'open' AND i.last_seen > ?2",
    )?;
    let newest: Option<Millis> = statement.query_row(params![project, Millis(since)], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

/// Whether an item of a group recovered after `since` without a retry of ours: somebody has shown that it can be done.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn recovered_by_others(
    connection: &Connection,
    group_id: &str,
    since: Timestamp,
) -> Result<bool, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM item i JOIN error_group g USING (group_key)
             WHERE g.group_id = ?1 AND i.state = 'recovered' AND i.recovered_at > ?2
                 AND i.recovered_by NOT IN (SELECT attempt_id FROM attempt WHERE item_key = i.item_key))",
    )?;
    Ok(statement.query_row(params![group_id, Millis(since)], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn failures_of_a_clock_that_was_ahead_are_no_weather_of_now() {
        let seed = Seed::new();
        seed.batch("b", "completed");
        seed.run("UPDATE batch SET last_seen = ?1", [t(60 * 24).as_millisecond()]);
        seed.fail("g-1", "b", 3, t(20));
        seed.fail("g-2", "b", 5, t(60 * 24));
        assert_eq!(failed(&seed.connection, "prod", t(0), t(60)).unwrap(), 3);
    }
}
