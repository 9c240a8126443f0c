//! Batches whose work has not ended, how long such batches take, and what is recorded of them.

use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::model::batch::BatchStatus;
use crate::scan::outstanding::duplicates::ComparedBatch;
use crate::scan::outstanding::overdue::{FinishedBatch, RunningBatch};
use crate::scan::store::counters::Counters;
use crate::scan::store::item::{Recovery, recover};

/// Whether the work of batch `b` has not ended: the batch has not, or jobs of it have not, which only v2 counts apart.
const IS_OUTSTANDING: &str =
    "(b.status NOT IN ('completed', 'failed', 'cancelled') OR b.status = 'completed' AND b.total_items IS NULL)";

/// That batch `b`, if it is completed, is one of v2 with jobs that have not ended: one of v1 may never be counted at all.
const HAS_OPEN_JOBS: &str =
    "(b.status <> 'completed' OR b.batch_id LIKE 'bat-%' AND b.listing_state IN ('unsettled', 'odd'))";

/// The batches of a project that were made before `made_before` (milliseconds), whose work has not ended, and that are not
/// recorded as overdue yet.
pub(crate) fn unrecorded(
    connection: &Connection,
    project_key: i64,
    made_before: i64,
) -> Result<Vec<RunningBatch>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT b.batch_key, b.batch_id, b.job_type, b.status, b.total_items,
             coalesce(b.created_at, b.first_seen) AS since
         FROM batch b
         WHERE b.project_key = ?1 AND coalesce(b.created_at, b.first_seen) <= ?2 AND b.gone_at IS NULL
             AND {IS_OUTSTANDING} AND {HAS_OPEN_JOBS}
             AND NOT EXISTS (SELECT 1 FROM item i WHERE i.item_id = b.batch_id AND i.kind = 'overdue' AND i.state <> 'recovered')"
    ))?;
    let rows = statement.query_map((project_key, made_before), |row| {
        Ok(RunningBatch {
            batch_key: row.get("batch_key")?,
            batch_id: row.get("batch_id")?,
            job_type: row.get("job_type")?,
            status: BatchStatus::from(row.get_ref("status")?.as_str()?),
            items: row.get::<_, Option<Count>>("total_items")?.map(|Count(items)| items),
            since: row.get::<_, Millis>("since")?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Finished batches of a project and job type that are looked at, at most: the last ones.
const MOST_FINISHED: i64 = 200;

/// How long the last batches of a project and job type took that completed.
pub(crate) fn finished(
    connection: &Connection,
    project_key: i64,
    job_type: &str,
) -> Result<Vec<FinishedBatch>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT total_items, completed_at - created_at AS took FROM batch
         WHERE project_key = ?1 AND job_type = ?2 AND status = 'completed' AND completed_at > created_at
         ORDER BY completed_at DESC LIMIT ?3",
    )?;
    let rows = statement.query_map((project_key, job_type, MOST_FINISHED), |row| {
        Ok(FinishedBatch {
            items: row.get::<_, Option<Count>>("total_items")?.map(|Count(items)| items),
            took: jiff::SignedDuration::from_millis(row.get("took")?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The open overdue items and duplicates of a project whose batch has ended, the missing ones whose batch was listed again without a gap, and
/// those whose batch is gone since before `gone_before` (milliseconds), and those that were overdue by a clock that was ahead of
/// `now`: item key and batch id.
pub(crate) fn ended(
    connection: &Connection,
    project_key: i64,
    gone_before: i64,
    now: i64,
) -> Result<Vec<(i64, String)>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT i.item_key, b.batch_id FROM error_group g CROSS JOIN item i ON i.group_key = g.group_key AND i.state = 'open'
             CROSS JOIN observation o USING (observation_key) CROSS JOIN batch b USING (batch_key)
         WHERE g.open_items > 0 AND g.kind IN ('overdue', 'missing', 'duplicate') AND i.project_key = ?1
             AND (b.gone_at <= ?2 OR CASE g.kind WHEN 'missing' THEN b.listing_state = 'settled'
                 ELSE g.kind = 'overdue' AND o.effective_at > ?3 OR NOT ({IS_OUTSTANDING} AND {HAS_OPEN_JOBS}) END)"
    ))?;
    let rows = statement.query_map((project_key, gone_before, now), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Closes items that stand for a batch; returns how many.
pub(crate) fn close(tx: &Transaction<'_>, ended: &[(i64, String)], at: i64) -> Result<u64, LedgerError> {
    let mut counters = Counters::default();
    let mut closed = 0;
    for (item_key, batch_id) in ended {
        let by = Recovery { at, by: batch_id, answered_until: 0 };
        closed += u64::from(recover(tx, *item_key, &by, &mut counters)?);
    }
    counters.write(tx)?;
    Ok(closed)
}

/// The batches of a project that have not ended and that no retry made, oldest first; none if all of them were held against each
/// other.
pub(crate) fn to_compare(connection: &Connection, project_key: i64) -> Result<Vec<ComparedBatch>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_key, b.batch_id, b.job_type, b.directory_id, b.total_items, b.compared, b.first_seen FROM batch b
         WHERE b.gone_at IS NULL AND b.status NOT IN ('completed', 'failed', 'cancelled') AND b.project_key = ?1
             AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
         ORDER BY coalesce(b.created_at, b.first_seen), b.batch_key",
    )?;
    let rows = statement.query_map([project_key], |row| {
        Ok(ComparedBatch {
            batch_key: row.get("batch_key")?,
            batch_id: row.get("batch_id")?,
            job_type: row.get("job_type")?,
            directory_id: row.get("directory_id")?,
            total_items: row.get::<_, Option<Count>>("total_items")?.map(|Count(items)| items),
            is_compared: row.get("compared")?,
            first_seen: row.get("first_seen")?,
        })
    })?;
    let batches: Vec<ComparedBatch> = rows.collect::<Result<_, _>>()?;
    Ok(if batches.iter().all(|batch| batch.is_compared) { Vec::new() } else { batches })
}

/// Notes that these batches were held against the others.
pub(crate) fn mark_compared(tx: &Transaction<'_>, batch_keys: &[i64]) -> Result<(), LedgerError> {
    let mut update = tx.prepare_cached("UPDATE batch SET compared = 1 WHERE batch_key = ?1")?;
    for batch_key in batch_keys {
        update.execute([batch_key])?;
    }
    Ok(())
}
