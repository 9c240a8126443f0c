//! Groups as the grouper keeps them, and what happens to them when two turn out to be one.

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::grouping::group_change::GroupChange;
use crate::grouping::grouper::Grouper;
use crate::grouping::id::GroupId;
use crate::grouping::state::StoredGroup;
use crate::ledger::error::LedgerError;
use crate::model::item::Kind;

/// Every group, for `Grouper::restore`, oldest first.
///
/// # Errors
/// SQLite's, or a kind that is none.
pub(crate) fn load(connection: &Connection) -> Result<Vec<StoredGroup>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT g.group_id, g.kind, g.template, g.title, g.mining, s.group_id, g.grouping_version
         FROM error_group g LEFT JOIN error_group s ON s.group_key = g.merged_into
         ORDER BY g.group_key",
    )?;
    let mut rows = statement.query(())?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        let merged_into: Option<String> = row.get(5)?;
        groups.push(StoredGroup {
            id: read_id(row.get(0)?)?,
            kind: Kind::try_from(kind.as_str())
                .ok()
                .ok_or(LedgerError::Unreadable { what: "kind of group", value: kind })?,
            template: row.get(2)?,
            title: row.get(3)?,
            state: row.get(4)?,
            merged_into: merged_into.map(read_id).transpose()?,
            version: row.get(6)?,
        });
    }
    Ok(groups)
}

/// The grouper as the ledger knows it.
///
/// # Errors
/// SQLite's, or a stored group that cannot be read back.
pub(crate) fn restore(connection: &Connection) -> Result<Grouper, LedgerError> {
    Grouper::restore(load(connection)?)
        .map_err(|error| LedgerError::Unreadable { what: "group", value: error.to_string() })
}

fn read_id(text: String) -> Result<GroupId, LedgerError> {
    text.parse().map_err(|_| LedgerError::Unreadable { what: "group id", value: text })
}

/// The key of the group that an id stands for today, whatever it was merged into.
pub(crate) fn key(connection: &Connection, id: &str) -> Result<Option<i64>, LedgerError> {
    let mut find =
        connection.prepare_cached("SELECT coalesce(merged_into, group_key) FROM error_group WHERE group_id = ?1")?;
    Ok(find.query_row([id], |row| row.get(0)).optional()?)
}

/// What a group is called; none if there is no such group.
pub(crate) fn title(connection: &Connection, group_id: &str) -> Result<Option<String>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(renamed, title) FROM error_group WHERE group_id = ?1")?;
    Ok(statement.query_row([group_id], |row| row.get(0)).optional()?)
}

/// Adds new groups with their class, updates changed ones, carries out merges.
///
/// # Errors
/// SQLite's, or a merge into a group that is neither known nor among the changes.
pub(crate) fn store(tx: &Transaction<'_>, changes: &[GroupChange], now: i64) -> Result<(), LedgerError> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO error_group (group_id, kind, template, title, class, rule, mining, grouping_version,
             first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
         ON CONFLICT (group_id) DO UPDATE SET template = excluded.template, title = excluded.title,
             mining = excluded.mining, grouping_version = excluded.grouping_version",
    )?;
    for GroupChange { stored, classified } in changes {
        upsert.execute((
            stored.id.as_str(),
            stored.kind.as_str(),
            &stored.template,
            &stored.title,
            &classified.class,
            &classified.rule,
            &stored.state,
            stored.version,
            now,
        ))?;
    }
    for GroupChange { stored, .. } in changes {
        if let Some(into) = &stored.merged_into {
            merge_ids(tx, stored.id.as_str(), into.as_str())?;
        }
    }
    Ok(())
}

fn merge_ids(tx: &Transaction<'_>, from: &str, into: &str) -> Result<(), LedgerError> {
    let unknown = |id: &str| LedgerError::Unreadable { what: "group", value: id.to_owned() };
    let from_key = key(tx, from)?.ok_or_else(|| unknown(from))?;
    let into_key = key(tx, into)?.ok_or_else(|| unknown(into))?;
    merge(tx, from_key, into_key)
}

/// Counts what people changed in the grouping: a worker that sees another number reads its groups again.
pub(crate) fn generation(connection: &Connection) -> Result<u64, LedgerError> {
    let mut find =
        connection.prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'grouping_generation'")?;
    Ok(find.query_row([], |row| row.get::<_, i64>(0)).optional()?.unwrap_or(0).unsigned_abs())
}

/// Tells running workers that the grouping has changed under them.
pub(crate) fn next_generation(tx: &Transaction<'_>) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO meta (name, value) VALUES ('grouping_generation', '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )?;
    Ok(())
}

/// Makes one group part of another: its items, hours and batches become the survivor's, its counters zero.
///
/// Observations keep the group that they were given; `merged_into` says whose they are now.
/// Both keys must be of groups that are not merged themselves; equal keys are no change.
pub(crate) fn merge(tx: &Transaction<'_>, from: i64, into: i64) -> Result<(), LedgerError> {
    if from == into {
        return Ok(());
    }
    for statement in MERGE {
        tx.prepare_cached(statement)?.execute((from, into))?;
    }
    Ok(())
}

/// In this order: the item rows decide which memberships are left to keep; hours of items are found by the
/// group's own hours, so they move first; counters are counted afresh at the end.
const MERGE: [&str; 14] = [
    "UPDATE error_group SET merged_into = ?2 WHERE group_key = ?1 OR merged_into = ?1",
    "UPDATE item SET group_key = ?2 WHERE group_key = ?1",
    "INSERT OR IGNORE INTO item_group (group_key, item_key) SELECT ?2, item_key FROM item_group WHERE group_key = ?1",
    "DELETE FROM item_group WHERE group_key = ?1 AND ?2 = ?2",
    "DELETE FROM item_group WHERE ?1 = ?1 AND group_key = ?2
         AND (SELECT group_key FROM item WHERE item.item_key = item_group.item_key) = ?2",
    "INSERT INTO item_count SELECT ?2, project_key, state, skip_reason, items FROM item_count WHERE group_key = ?1
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    "DELETE FROM item_count WHERE group_key = ?1 AND ?2 = ?2",
    "INSERT INTO item_hour SELECT hour, ?2, project_key, state, items FROM item_hour
         WHERE hour IN (SELECT hour FROM group_hour WHERE group_key = ?1) AND group_key = ?1
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    "DELETE FROM item_hour WHERE hour IN (SELECT hour FROM group_hour WHERE group_key = ?1) AND group_key = ?1 AND ?2 = ?2",
    "INSERT INTO group_hour (group_key, hour, failures) SELECT ?2, hour, failures FROM group_hour WHERE group_key = ?1
         ON CONFLICT DO UPDATE SET failures = failures + excluded.failures",
    "INSERT INTO group_batch (group_key, batch_key, failures) SELECT ?2, batch_key, failures FROM group_batch WHERE group_key = ?1
         ON CONFLICT DO UPDATE SET failures = failures + excluded.failures",
    "DELETE FROM group_hour WHERE group_key = ?1 AND ?2 = ?2",
    "DELETE FROM group_batch WHERE group_key = ?1 AND ?2 = ?2",
    "UPDATE error_group AS g SET
         open_items  = CASE WHEN g.group_key = ?1 THEN 0 ELSE
             (SELECT count(*) FROM item WHERE group_key = ?2 AND state IN ('open', 'retrying')) END,
         total_items = CASE WHEN g.group_key = ?1 THEN 0 ELSE
             (SELECT count(*) FROM item WHERE group_key = ?2) + (SELECT count(*) FROM item_group WHERE group_key = ?2) END,
         failures    = CASE WHEN g.group_key = ?1 THEN 0 ELSE g.failures + f.failures END,
         first_seen  = CASE WHEN g.group_key = ?1 OR f.failures = 0 THEN g.first_seen
                            WHEN g.failures = 0 THEN f.first_seen ELSE min(g.first_seen, f.first_seen) END,
         last_seen   = CASE WHEN g.group_key = ?1 OR f.failures = 0 THEN g.last_seen
                            WHEN g.failures = 0 THEN f.last_seen ELSE max(g.last_seen, f.last_seen) END
     FROM (SELECT failures, first_seen, last_seen FROM error_group WHERE group_key = ?1) AS f
     WHERE g.group_key IN (?1, ?2)",
];
