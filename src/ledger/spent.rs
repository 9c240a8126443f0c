//! What retries have cost of the budgets, counted from intents so that no restart resets it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::LedgerError;
use super::millis::{Count, Millis};
use crate::core::reprocess::Spent;

/// Intents whose items were submitted, or may have been. What was certainly not submitted costs nothing.
pub(super) const COSTS: &str = "n.state IN ('posting', 'submitted', 'unknown', 'finished')";

/// When an intent was posted: no later than it was settled, or the clock was ahead then and has been set back since.
pub(super) const POSTED: &str = "min(n.posting_at, coalesce(n.settled_at, n.posting_at))";

/// The condition of what was spent between two parameters. What is under way counts by whatever clock it was posted;
/// what was settled by one that was ahead does not count until that date.
pub(super) fn within(since: &str, until: &str) -> String {
    format!("n.posting_at > {since} AND {POSTED} > {since} AND (n.settled_at IS NULL OR {POSTED} <= {until})")
}

/// What was spent until `now`; `run` is left at 0 for the caller.
///
/// # Errors
/// SQLite refuses.
pub fn until(connection: &Connection, now: Timestamp) -> Result<Spent, LedgerError> {
    let day = now - SignedDuration::from_hours(24);
    let hour = now - SignedDuration::from_hours(1);
    let sql = format!(
        "SELECT coalesce(g.group_id, ''), sum(n.item_count), sum(n.item_count) FILTER (WHERE {POSTED} > ?2),
                coalesce(sum(n.estimated_credits), 0.0)
         FROM intent n LEFT JOIN error_group y ON y.group_key = n.group_key
         LEFT JOIN error_group g ON g.group_key = coalesce(y.merged_into, y.group_key)
         WHERE {} AND {COSTS} GROUP BY 1",
        within("?1", "?3")
    );
    let mut spent = Spent {
        processed_day: processed(connection, day)?,
        recovered_day: recovered(connection, day, now)?,
        ..Spent::default()
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![Millis(day), Millis(hour), Millis(now)])?;
    while let Some(row) = rows.next()? {
        let items = row.get::<_, Option<u32>>(1)?.unwrap_or(0);
        spent.day += items;
        spent.hour += row.get::<_, Option<u32>>(2)?.unwrap_or(0);
        spent.credits_day += row.get::<_, f64>(3)?;
        spent.group_day.insert(row.get(0)?, items);
    }
    Ok(spent)
}

/// Items of the retries between `since` and `now` that recovered.
fn recovered(connection: &Connection, since: Timestamp, now: Timestamp) -> Result<u32, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*) FROM intent n JOIN attempt a USING (intent_id)
         WHERE {} AND a.outcome IN ('recovered', 'already_processed')",
        within("?1", "?2")
    ))?;
    Ok(statement.query_row(params![Millis(since), Millis(now)], |row| row.get(0))?)
}

/// Items of anybody in batches that changed since `since`: what the retry share is a share of.
fn processed(connection: &Connection, since: Timestamp) -> Result<u64, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(coalesce(processed_items, total_items, 0)), 0) FROM batch
         WHERE coalesce(completed_at, updated_at, created_at, last_seen) > ?1",
    )?;
    let Count(processed) = statement.query_row([Millis(since)], |row| row.get(0))?;
    Ok(processed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::seed::{Seed, t};

    #[test]
    fn what_a_clock_that_was_ahead_has_posted_counts_for_a_day_after_it_was_settled_and_no_longer() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 1, t(0));
        let (day, month) = (24 * 60, 30 * 24 * 60);
        seed.retried("g-1", month, "recovered", "calm", "h", 0);
        let spent = |seed: &mut Seed, at| {
            let spent = until(&seed.connection, t(at)).unwrap();
            (spent.hour, spent.day, spent.group_day.get("g-1").copied().unwrap_or(0), spent.recovered_day)
        };
        assert_eq!(spent(&mut seed, 10), (1, 1, 1, 1), "it is under way");
        seed.run("UPDATE intent SET settled_at = ?1", [Millis(t(20))]);
        assert_eq!(spent(&mut seed, 30), (1, 1, 1, 1), "it was settled by the right clock");
        assert_eq!(spent(&mut seed, 20 + day), (0, 0, 0, 0));
        seed.run("UPDATE intent SET settled_at = ?1", [Millis(t(month + 5))]);
        assert_eq!(spent(&mut seed, 30), (0, 0, 0, 0), "nobody knows when");
        assert_eq!(spent(&mut seed, month + 10), (1, 1, 1, 1), "the clock was right");
    }
}
