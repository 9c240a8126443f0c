//! Dismissing the open items of a group, and taking that back: item states, counters and the last word on it.

use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;

/// Dismisses the open items of a group; those that are being retried are left to their retry. Returns how many.
pub(crate) fn dismiss(tx: &Transaction<'_>, group_key: i64) -> Result<u64, LedgerError> {
    move_items(tx, group_key, "open", "dismissed")
}

/// Opens the dismissed items of a group again. Returns how many.
pub(crate) fn undismiss(tx: &Transaction<'_>, group_key: i64) -> Result<u64, LedgerError> {
    move_items(tx, group_key, "dismissed", "open")
}

fn move_items(tx: &Transaction<'_>, group_key: i64, from: &str, to: &str) -> Result<u64, LedgerError> {
    for sql in COUNTERS {
        tx.execute(sql, params![group_key, from, to])?;
    }
    let moved =
        tx.execute("UPDATE item SET state = ?3 WHERE group_key = ?1 AND state = ?2", params![group_key, from, to])?;
    tx.execute(
        "UPDATE error_group SET open_items =
           (SELECT count(*) FROM item WHERE group_key = ?1 AND state IN ('open', 'retrying')) WHERE group_key = ?1",
        [group_key],
    )?;
    Ok(u64::try_from(moved).unwrap_or(u64::MAX))
}

/// All of the group's items in one state go to another. Hours of items are found by the group's own hours.
const COUNTERS: [&str; 4] = [
    "INSERT INTO item_count SELECT group_key, project_key, ?3, skip_reason, items FROM item_count
         WHERE group_key = ?1 AND state = ?2
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    "DELETE FROM item_count WHERE group_key = ?1 AND state = ?2 AND ?3 = ?3",
    "INSERT INTO item_hour SELECT hour, group_key, project_key, ?3, items FROM item_hour
         WHERE hour IN (SELECT hour FROM group_hour WHERE group_key = ?1) AND group_key = ?1 AND state = ?2
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    "DELETE FROM item_hour WHERE hour IN (SELECT hour FROM group_hour WHERE group_key = ?1) AND group_key = ?1
         AND state = ?2 AND ?3 = ?3",
];
