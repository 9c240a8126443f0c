//! Dismissing the open items of a group, and taking that back: item states, counters and the last word on it.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::LedgerError;
use super::millis::{Count, Millis};

/// Dismisses the open items of a group; those that are being retried are left to their retry. Returns how many.
///
/// # Errors
/// SQLite refuses.
pub fn dismiss(tx: &Transaction<'_>, group_key: i64) -> Result<u64, LedgerError> {
    move_items(tx, group_key, "open", "dismissed")
}

/// Opens the dismissed items of a group again. Returns how many.
///
/// # Errors
/// SQLite refuses.
pub fn undismiss(tx: &Transaction<'_>, group_key: i64) -> Result<u64, LedgerError> {
    move_items(tx, group_key, "dismissed", "open")
}

fn move_items(tx: &Transaction<'_>, group_key: i64, from: &str, to: &str) -> Result<u64, LedgerError> {
    let moved =
        tx.execute("UPDATE item SET state = ?3 WHERE group_key = ?1 AND state = ?2", params![group_key, from, to])?;
    tx.execute(
        "UPDATE error_group SET open_items =
           (SELECT count(*) FROM item WHERE group_key = ?1 AND state IN ('open', 'retrying')) WHERE group_key = ?1",
        [group_key],
    )?;
    Ok(u64::try_from(moved).unwrap_or(u64::MAX))
}

/// Episodes that opened and closed since `since` without people being told of their group in between: title and id.
///
/// # Errors
/// SQLite refuses.
pub fn came_and_went(connection: &Connection, since: Timestamp, most: u32) -> Result<(u64, Vec<String>), LedgerError> {
    let from = "FROM episode e JOIN error_group g USING (group_key)
         WHERE e.noticed_at > ?1 AND e.closed_at IS NOT NULL AND e.closed_how <> 'merged'
           AND NOT EXISTS (SELECT 1 FROM announcement a WHERE a.group_key = e.group_key AND a.episode >= e.ordinal)";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT g.group_id {from} GROUP BY g.group_key ORDER BY max(e.noticed_at) DESC LIMIT ?2"
    ))?;
    let ids = statement.query_map(params![Millis(since), most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let Count(all) = connection
        .prepare_cached(&format!("SELECT count(DISTINCT e.group_key) {from}"))?
        .query_row([Millis(since)], |row| row.get(0))?;
    Ok((all, ids))
}
