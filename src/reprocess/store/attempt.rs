//! Attempts: one item in one intent, from the POST to its real outcome. The item's state follows in the same transaction.
//! Everything here fails if SQLite refuses.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::model::item::{HARMLESS_SKIP, ItemState};
use crate::reprocess::policy::item::Said;
use crate::reprocess::protocol::outcome::Outcome;
use crate::reprocess::store::intent::{self, Intent};
use crate::reprocess::store::items::{SAID, SAID_JOINS, read_said};
use crate::scan::store::batch;
use crate::scan::store::counters::Counters;
use crate::scan::store::item::{Recovery, change_state, recover};

/// An attempt, and how it ended if it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its id.
    pub attempt_id: String,
    /// The item.
    pub item_key: i64,
    /// The item.
    pub item_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// It has expired, and its batch may still run.
    pub expired: bool,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether it counts against the caps.
    pub counts: bool,
    /// Whether the item may be called recovered.
    pub recovers: bool,
    /// What the new batch said, if it failed or was skipped.
    pub seen: Option<Seen>,
}

/// What the ledger saw of an item in the batches of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The group of that failure or skip.
    pub group_key: i64,
    /// Its id.
    pub group_id: String,
    /// What it said.
    pub said: Said,
    /// Whether it was skipped because the same work had been done before.
    pub harmless: bool,
    /// The underlying job.
    pub job_id: Option<String>,
}

/// Begins the attempts of an intent that was posted: `running` in a known batch, `unknown` if it is not known whether there is one.
/// The items are being retried from now on, and scans follow the batch even if the job list does not show it.
pub(crate) fn begin(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    expect(tx, intent, now)?;
    let mut add = tx.prepare_cached(
        "INSERT INTO attempt (attempt_id, intent_id, item_key, group_key, n, before, trigger, batch_id, outcome, started_at,
             credits)
         SELECT ?1, ?2, item_key, group_key, attempts + 1, ?4, ?5, ?6, ?7, ?8,
             (SELECT estimated_credits / item_count FROM intent WHERE intent_id = ?2) FROM item WHERE item_id = ?3
         RETURNING item_key",
    )?;
    let batch_id = intent.batch_ids.first();
    let outcome = if batch_id.is_some() { "running" } else { "unknown" };
    let started_at = intent.sent_at();
    let mut counters = Counters::default();
    for (number, item) in intent.items.iter().enumerate() {
        let attempt_id = format!("{}-{}", intent.intent_id, number + 1);
        let added: Option<i64> = add
            .query_row(
                params![
                    attempt_id,
                    intent.intent_id,
                    item.item_id,
                    item.attempts,
                    intent.trigger,
                    batch_id,
                    outcome,
                    Millis(started_at),
                ],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(item_key) = added {
            tx.prepare_cached("UPDATE item SET attempts = attempts + 1 WHERE item_key = ?1")?.execute([item_key])?;
            change_state(tx, item_key, ItemState::Retrying, |state| state == ItemState::Open, &mut counters)?;
        }
    }
    counters.write(tx)
}

/// The batch of an intent of unknown outcome was found: its attempts are under way there.
pub(crate) fn adopt(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    expect(tx, intent, now)?;
    tx.execute(
        "UPDATE attempt SET outcome = 'running', batch_id = ?2
         WHERE intent_id = ?1 AND outcome = 'unknown' AND finished_at IS NULL",
        params![intent.intent_id, intent.batch_ids.first()],
    )?;
    Ok(())
}

fn expect(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    let Some(batch_id) = intent.batch_ids.first() else { return Ok(()) };
    batch::expect(tx, &intent.project, batch_id, &intent.job_type, intent.items.len(), now.as_millisecond())
}

/// No batch was ever made: these were no attempts. The items are open again.
pub(crate) fn withdraw(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    let mut counters = Counters::default();
    for attempt in running(tx, intent_id)? {
        tx.prepare_cached("DELETE FROM attempt WHERE attempt_id = ?1")?.execute([&attempt.attempt_id])?;
        tx.prepare_cached("UPDATE item SET attempts = attempts - 1 WHERE item_key = ?1")?
            .execute([attempt.item_key])?;
        change_state(tx, attempt.item_key, ItemState::Open, |state| state == ItemState::Retrying, &mut counters)?;
    }
    counters.write(tx)
}

/// The attempts of an intent that have not ended, and those that expired: their batch may still end them otherwise.
pub(crate) fn running(connection: &Connection, intent_id: &str) -> Result<Vec<Attempt>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.attempt_id, a.item_key, i.item_id, a.started_at, a.outcome = 'expired' AS expired
         FROM attempt a JOIN item i USING (item_key)
         WHERE a.intent_id = ?1 AND (a.finished_at IS NULL OR a.outcome = 'expired') ORDER BY a.attempt_id",
    )?;
    let rows = statement.query_map([intent_id], |row| {
        Ok(Attempt {
            attempt_id: row.get("attempt_id")?,
            item_key: row.get("item_key")?,
            item_id: row.get("item_id")?,
            started_at: row.get::<_, Millis>("started_at")?.0,
            expired: row.get("expired")?,
            outcome: Outcome::Running,
            counts: false,
            recovers: false,
            seen: None,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest failure or skip of an item that a scan recorded in one of these batches; none if there is none yet.
pub(crate) fn seen(connection: &Connection, item_key: i64, batch_ids: &[String]) -> Result<Option<Seen>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT s.group_key, s.group_id, w.kind = 'skipped' AND w.skip_reason IS ?3 AS harmless, w.job_id, {SAID}
         FROM observation w JOIN batch b USING (batch_key) JOIN error_group g ON g.group_key = w.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key) {SAID_JOINS}
         WHERE w.item_key = ?1 AND w.kind IN ('failed', 'skipped') AND b.batch_id IN (SELECT value FROM json_each(?2))
         ORDER BY w.event_at DESC, w.observation_key DESC LIMIT 1"
    ))?;
    let batches = serde_json::json!(batch_ids).to_string();
    let found = statement.query_row(params![item_key, batches, HARMLESS_SKIP], |row| {
        Ok(Seen {
            group_key: row.get("group_key")?,
            group_id: row.get("group_id")?,
            said: read_said(row)?,
            harmless: row.get("harmless")?,
            job_id: row.get("job_id")?,
        })
    });
    Ok(found.optional()?)
}

/// By item of an intent: the event time of the newest failure, or skip that matters, that its batches did not bring.
pub(crate) fn failed_before(
    connection: &Connection,
    intent_id: &str,
) -> Result<HashMap<String, Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT i.item_id, max(o.event_at)
         FROM attempt a JOIN item i USING (item_key) JOIN observation o USING (item_key) JOIN batch b USING (batch_key)
         JOIN intent n ON n.intent_id = a.intent_id
         WHERE a.intent_id = ?1 AND o.kind IN ('failed', 'skipped') AND NOT (o.kind = 'skipped' AND o.skip_reason IS ?2) AND b.batch_id IS NOT n.batch_id
             AND b.batch_id NOT IN (SELECT value FROM json_each(coalesce(n.duplicate_batch_ids, '[]')))
         GROUP BY i.item_id",
    )?;
    let rows = statement.query_map([intent_id, HARMLESS_SKIP], |row| Ok((row.get(0)?, row.get::<_, Millis>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends an attempt and gives its item back: recovered with this attempt as the evidence, or open.
pub(crate) fn end(tx: &Transaction<'_>, intent: &Intent, ended: &Attempt, now: Timestamp) -> Result<(), LedgerError> {
    let Attempt { attempt_id, item_key, .. } = ended;
    tx.prepare_cached(
        "UPDATE attempt SET outcome = ?2, counts = ?3, group_after = ?4, job_id = ?5, finished_at = ?6 WHERE attempt_id = ?1",
    )?
    .execute(params![
        attempt_id,
        <&str>::from(ended.outcome),
        ended.counts,
        ended.seen.as_ref().map(|seen| seen.group_key),
        ended.seen.as_ref().and_then(|seen| seen.job_id.as_deref()),
        Millis(now),
    ])?;
    let mut counters = Counters::default();
    // The item was given back when the attempt expired; only a recovery is news then.
    if !ended.expired {
        intent::release(tx, *item_key, &intent.intent_id)?;
        // A harmless skip of our own retry is no proof that the document was ever done well.
        let unproven = matches!(ended.outcome, Outcome::AlreadyProcessed | Outcome::Unknown);
        let given_back = |state| state == ItemState::Retrying || (unproven && state == ItemState::Ignored);
        change_state(tx, *item_key, ItemState::Open, given_back, &mut counters)?;
    }
    if !ended.recovers && !ended.expired {
        batch::list_again(tx, *item_key)?;
    }
    if ended.recovers {
        let answered_until = intent.posting_at.map_or(0, |at| at.as_millisecond());
        let recovery = Recovery { at: now.as_millisecond(), by: attempt_id, answered_until };
        recover(tx, *item_key, &recovery, &mut counters)?;
    }
    counters.write(tx)
}

/// Attempts through API v2 that recovered their item since then and of which it is not known what they were billed, the newest
/// `most`: each with its project and batch.
pub(crate) fn unbilled(
    connection: &Connection,
    since: Timestamp,
    most: u32,
) -> Result<Vec<(String, String, String)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.attempt_id, p.name, a.batch_id FROM attempt a JOIN intent n USING (intent_id) JOIN project p USING (project_key)
         WHERE a.finished_at > ?1 AND a.outcome = 'recovered' AND a.billed IS NULL AND a.batch_id IS NOT NULL AND n.api = 'v2'
         ORDER BY a.finished_at DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![Millis(since), most], |row| {
        Ok((row.get("attempt_id")?, row.get("name")?, row.get("batch_id")?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes what LlamaCloud says that an attempt was billed, in credits.
pub(crate) fn bill(tx: &Transaction<'_>, attempt_id: &str, credits: f64) -> Result<(), LedgerError> {
    tx.execute("UPDATE attempt SET billed = ?2 WHERE attempt_id = ?1", params![attempt_id, credits])?;
    Ok(())
}

/// What the newest retries of these groups were billed each, in credits, and of how many that is known; none if of none.
pub(crate) fn billed_each(connection: &Connection, group_ids: &[String]) -> Result<Option<(f64, u32)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT avg(billed), count(*) FROM (
             SELECT a.billed FROM error_group g JOIN error_group y ON y.group_key = g.group_key OR y.merged_into = g.group_key
             JOIN attempt a ON a.group_key = y.group_key
             WHERE g.group_id IN (SELECT value FROM json_each(?1)) AND a.billed IS NOT NULL
             ORDER BY a.started_at DESC LIMIT 100)",
    )?;
    let ids = serde_json::json!(group_ids).to_string();
    let (each, known): (Option<f64>, u32) = statement.query_row([ids], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(each.map(|each| (each, known)))
}

/// How many attempts of an intent ended how.
pub(crate) fn outcomes(connection: &Connection, intent_id: &str) -> Result<Vec<(String, u32)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT outcome, count(*) FROM attempt WHERE intent_id = ?1 GROUP BY outcome ORDER BY 2 DESC, 1",
    )?;
    let rows = statement.query_map([intent_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
