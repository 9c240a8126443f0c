//! `report skipped`: skipped items by reason.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::{QueryError, View, value};
use crate::core::item::HARMLESS_SKIP;
use crate::core::report::rows::SkipRow;

/// Skip reasons, those that matter first, then by items.
///
/// # Errors
/// The ledger cannot be read.
pub fn skipped(view: &View<'_>) -> Result<Vec<SkipRow>, QueryError> {
    let mut clause = view.item_clause_in_window();
    clause.and("i.kind = ?", [Value::from("skipped".to_owned())]);
    // Skipped items are found through their groups' index: failed ones are never touched.
    clause.and("i.group_key IN (SELECT group_key FROM error_group WHERE kind = 'skipped')", []);
    let mut statement = view.connection.prepare(&format!(
        "SELECT o.skip_reason, count(*), sum(i.state = 'open'), min(i.first_seen), max(i.last_seen)
         FROM item i JOIN observation o ON o.observation_key = i.observation_key
         WHERE {} GROUP BY o.skip_reason
         ORDER BY o.skip_reason IS '{HARMLESS_SKIP}', 2 DESC LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        let skip_reason: Option<String> = row.get(0)?;
        Ok(SkipRow {
            matters: skip_reason.as_deref() != Some(HARMLESS_SKIP),
            skip_reason,
            items: value::count(row, 1)?,
            open_items: value::count(row, 2)?,
            first_seen: value::time(row, 3)?,
            last_seen: value::time(row, 4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
