//! What retries have cost of the budgets, counted from intents so that no restart resets it.
//! Everything here fails if SQLite refuses.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::reprocess::policy::budget::Spent;

/// Intents whose items were submitted, or may have been. What was certainly not submitted costs nothing.
const COSTS: &str = "n.state IN ('posting', 'submitted', 'unknown', 'finished')";

/// What was spent until `now`; `run` is left at 0 for the caller. Items that recovered are not in it, their credits are.
pub(crate) fn until(connection: &Connection, now: Timestamp) -> Result<Spent, LedgerError> {
    let day = now - SignedDuration::from_hours(24);
    let hour = now - SignedDuration::from_hours(1);
    let sql = format!(
        "WITH spent AS (
             SELECT n.group_key, n.posting_at, n.estimated_credits, n.item_count - (SELECT count(*) FROM attempt a
                 WHERE a.intent_id = n.intent_id AND a.outcome IN ('recovered', 'already_processed')) AS items
             FROM intent n INDEXED BY intent_by_posting WHERE n.posting_at > ?1 AND {COSTS})
         SELECT coalesce(g.group_id, '') AS of_group, sum(n.items) AS day, sum(n.items) FILTER (WHERE n.posting_at > ?2) AS hour,
                coalesce(sum(n.estimated_credits), 0.0) AS credits
         FROM spent n LEFT JOIN error_group y ON y.group_key = n.group_key
         LEFT JOIN error_group g ON g.group_key = coalesce(y.merged_into, y.group_key) GROUP BY 1"
    );
    let mut spent = Spent { processed_day: processed(connection, day)?, ..Spent::default() };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![Millis(day), Millis(hour)])?;
    while let Some(row) = rows.next()? {
        let items = row.get::<_, Option<u32>>("day")?.unwrap_or(0);
        spent.day += items;
        spent.hour += row.get::<_, Option<u32>>("hour")?.unwrap_or(0);
        spent.credits_day += row.get::<_, f64>("credits")?;
        spent.group_day.insert(row.get("of_group")?, items);
    }
    Ok(spent)
}

/// Items of all batches that changed since `since`, whoever sent them: the base of `max-share`.
fn processed(connection: &Connection, since: Timestamp) -> Result<u64, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(coalesce(processed_items, total_items, 0)), 0) FROM batch
         WHERE coalesce(completed_at, updated_at, created_at, last_seen) > ?1",
    )?;
    let Count(processed) = statement.query_row([Millis(since)], |row| row.get(0))?;
    Ok(processed)
}
