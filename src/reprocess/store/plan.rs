//! Plans: frozen sets of items to retry, and what people decided about them. Everything here fails if SQLite refuses.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// How long a plan may be approved after it was made, and executed after it was approved.
pub const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A stored plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredPlan {
    /// Its id.
    pub plan_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this it can no longer be approved.
    pub expires_at: Timestamp,
    /// Who asked for it.
    pub actor: String,
    /// What was asked, JSON.
    pub request: String,
    /// The frozen plan, JSON.
    pub model: String,
    /// When a person approved it.
    pub applied_at: Option<Timestamp>,
    /// Who did.
    pub applied_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When its execution began, or it was cancelled.
    pub executed_at: Option<Timestamp>,
    /// What came of it, in a line; none while it is not over.
    pub result: Option<String>,
    /// Items that may have been submitted when it ended.
    pub unclear_items: u32,
    /// Who ended it by hand.
    pub cancelled_by: Option<String>,
}

/// Keeps a plan that was just made.
pub(crate) fn add(tx: &Transaction<'_>, plan: &StoredPlan) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO plan (plan_id, created_at, expires_at, actor, request, model) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![plan.plan_id, Millis(plan.created_at), Millis(plan.expires_at), plan.actor, plan.request, plan.model],
    )?;
    Ok(())
}

/// The plan with this id; none if there is none.
pub fn get(connection: &Connection, plan_id: &str) -> Result<Option<StoredPlan>, LedgerError> {
    Ok(select(connection, "WHERE plan_id = ?1", [plan_id])?.pop())
}

/// Plans, newest first: at most `most` after the first `offset`.
pub(crate) fn newest(connection: &Connection, most: u64, offset: u64) -> Result<Vec<StoredPlan>, LedgerError> {
    let bounds = [most, offset].map(|bound| i64::try_from(bound).unwrap_or(i64::MAX));
    select(connection, "ORDER BY created_at DESC, plan_id DESC LIMIT ?1 OFFSET ?2", bounds)
}

/// Plans that may still be approved at this time and were not, newest first.
pub(crate) fn unapplied(connection: &Connection, now: Timestamp) -> Result<Vec<StoredPlan>, LedgerError> {
    let tail =
        "WHERE applied_at IS NULL AND executed_at IS NULL AND expires_at >= ?1 ORDER BY created_at DESC, plan_id DESC";
    select(connection, tail, [Millis(now)])
}

/// Approved plans that are not over: not begun, or not executed to their end; oldest approval first.
pub(crate) fn unfinished(connection: &Connection) -> Result<Vec<StoredPlan>, LedgerError> {
    select(connection, "WHERE applied_at IS NOT NULL AND result IS NULL ORDER BY applied_at, plan_id", ())
}

/// Plans that were approved at this time or later and are over, newest approval first.
pub(crate) fn ended_since(connection: &Connection, since: Timestamp) -> Result<Vec<StoredPlan>, LedgerError> {
    let tail = "WHERE applied_at >= ?1 AND result IS NOT NULL ORDER BY applied_at DESC, plan_id DESC";
    select(connection, tail, [Millis(since)])
}

/// Notes that a person approved a plan; false if it was approved before.
pub fn approve(tx: &Transaction<'_>, plan_id: &str, by: &str, why: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let changed = tx.execute(
        "UPDATE plan SET applied_at = ?2, applied_by = ?3, reason = ?4
         WHERE plan_id = ?1 AND applied_at IS NULL AND executed_at IS NULL",
        params![plan_id, Millis(now), by, why],
    )?;
    Ok(changed > 0)
}

/// Takes an approved plan for execution, or continues it; false if it is over.
pub fn take(tx: &Transaction<'_>, plan_id: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let changed = tx.execute(
        "UPDATE plan SET executed_at = coalesce(executed_at, ?2)
         WHERE plan_id = ?1 AND applied_at IS NOT NULL AND result IS NULL",
        params![plan_id, Millis(now)],
    )?;
    Ok(changed > 0)
}

/// How a plan ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanEnd {
    /// What came of it, in a line.
    pub result: String,
    /// Items that may have been submitted.
    pub unclear_items: u32,
    /// Who ended it by hand.
    pub cancelled_by: Option<String>,
}

/// Ends a plan that is not over, approved or not: it can be neither approved nor executed any further.
pub(crate) fn end(tx: &Transaction<'_>, plan_id: &str, end: &PlanEnd, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE plan SET executed_at = coalesce(executed_at, ?2), result = ?3, unclear_items = ?4, cancelled_by = ?5
         WHERE plan_id = ?1 AND result IS NULL",
        params![plan_id, Millis(now), end.result, end.unclear_items, end.cancelled_by],
    )?;
    Ok(())
}

/// Says what came of a plan whose execution is over, also of one that a person ended meanwhile.
pub(crate) fn finish(tx: &Transaction<'_>, plan_id: &str, end: &PlanEnd) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE plan SET result = ?2, unclear_items = ?3 WHERE plan_id = ?1",
        params![plan_id, end.result, end.unclear_items],
    )?;
    Ok(())
}

fn select(
    connection: &Connection,
    tail: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<StoredPlan>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("SELECT * FROM plan {tail}"))?;
    let rows = statement.query_map(parameters, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredPlan> {
    let time = |column| row.get::<_, Option<Millis>>(column).map(|at| at.map(|at| at.0));
    Ok(StoredPlan {
        plan_id: row.get("plan_id")?,
        created_at: row.get::<_, Millis>("created_at")?.0,
        expires_at: row.get::<_, Millis>("expires_at")?.0,
        actor: row.get("actor")?,
        request: row.get("request")?,
        model: row.get("model")?,
        applied_at: time("applied_at")?,
        applied_by: row.get("applied_by")?,
        reason: row.get("reason")?,
        executed_at: time("executed_at")?,
        result: row.get("result")?,
        unclear_items: row.get("unclear_items")?,
        cancelled_by: row.get("cancelled_by")?,
    })
}
