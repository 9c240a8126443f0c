//! `report missing`: which items still lack a result, and of how many it is only known that they do.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::item::Kind;
use crate::model::links::LinkFacts;
use crate::report::rows::{ItemRow, Lack, MissingRow};
use crate::report::store::error::QueryError;
use crate::report::store::lists::items;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// What lacks a result.
pub(crate) struct MissingResults {
    /// Batches first, then items, as many as asked.
    pub rows: Vec<MissingRow>,
    /// How many items lack a result for each reason, whatever the limit.
    pub items: BTreeMap<Lack, u64>,
    /// All rows there are.
    pub all: u64,
}

/// The states of documents without a result.
const WITHOUT_RESULT: &str = "i.state IN ('open', 'retrying', 'dismissed', 'ignored')
    AND (i.state <> 'ignored' OR i.kind = 'cancelled')
    AND i.group_key IN (SELECT group_key FROM error_group WHERE kind IN ('failed', 'skipped', 'cancelled'))";

/// What still lacks a result.
pub(crate) fn missing(view: &ReportView<'_>) -> Result<MissingResults, QueryError> {
    let mut rows = batches(view)?;
    let mut sums: BTreeMap<Lack, u64> = BTreeMap::new();
    for row in &rows {
        *sums.entry(row.lack).or_default() += row.items.unwrap_or_default();
    }
    let mut clause = view.item_clause()?;
    clause.and(WITHOUT_RESULT, []);
    let mut all = rows.len() as u64;
    for (kind, items) in count(view, &clause)? {
        all += items;
        *sums.entry(Lack::of(kind)).or_default() += items;
    }
    let limit = view.filter.limit.map(|limit| limit.saturating_sub(rows.len() as u64));
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let found = items::select(view, &clause, "i.last_seen DESC", &limit.to_string())?;
    rows.extend(found.into_iter().map(of_item));
    Ok(MissingResults { rows, items: sums, all })
}

fn of_item(item: ItemRow) -> MissingRow {
    let is_whole_batch = item.item_id == item.batch_id;
    MissingRow {
        project: item.project,
        batch_id: item.batch_id,
        lack: Lack::of(item.status),
        items: (!is_whole_batch).then_some(1),
        item_id: Some(item.item_id),
        item_name: Some(item.item_name),
        state: Some(item.state),
        group_id: Some(item.group_id),
        text: item.error_message.or(item.skip_reason),
        since: item.last_seen,
        links: item.links,
    }
}

fn count(view: &ReportView<'_>, clause: &Clause) -> Result<Vec<(Kind, u64)>, QueryError> {
    let mut statement = view
        .connection
        .prepare(&format!("SELECT i.kind, count(*) AS items FROM item i WHERE {} GROUP BY i.kind", clause.text()))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok((value::kind(row, "kind")?, value::count(row, "items")?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Batches with items that are not listed one by one: those that run, and those whose items are not shown.
fn batches(view: &ReportView<'_>) -> Result<Vec<MissingRow>, QueryError> {
    let filter = view.filter;
    let mut clause = Clause::all();
    clause.one_of("p.name", &filter.project, "");
    clause.one_of("b.job_type", &filter.job_type, "");
    clause.one_of("b.directory_id", &filter.directory, "");
    clause.one_of_keys("b.batch_key", &view.batch_keys, "");
    // The items of a retry are listed one by one.
    let mut statement = view.connection.prepare(&format!(
        "SELECT b.batch_id, p.name AS project, p.project_id, 'running' AS lack, s.group_id, m.text,
             CASE WHEN b.total_items >= b.processed_items THEN b.total_items - b.processed_items ELSE b.total_items END AS items,
             coalesce(b.started_at, b.created_at, b.first_seen) AS since
         FROM batch b JOIN project p USING (project_key)
         LEFT JOIN item i ON i.item_id = b.batch_id AND i.kind = 'overdue' AND i.state = 'open'
         LEFT JOIN error_group g ON g.group_key = i.group_key
         LEFT JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         LEFT JOIN observation o ON o.observation_key = i.observation_key
         LEFT JOIN message m ON m.message_key = o.message_key
         WHERE b.gone_at IS NULL AND (b.status NOT IN ('completed', 'failed', 'cancelled') OR i.item_id IS NOT NULL)
             AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL) AND {0}
         UNION ALL
         SELECT b.batch_id, p.name, p.project_id, 'not_shown', s.group_id, m.text,
             nullif(max(0, coalesce(b.failed_items, 0) + coalesce(b.skipped_items, 0)
                 + CASE WHEN b.status = 'completed' AND b.total_items > b.processed_items + b.failed_items + b.skipped_items
                       THEN b.total_items - b.processed_items - b.failed_items - b.skipped_items ELSE 0 END
                 - (SELECT count(*) FROM observation f WHERE f.batch_key = b.batch_key AND f.kind IN ('failed', 'skipped'))), 0),
             i.last_seen
         FROM error_group g CROSS JOIN item i ON i.group_key = g.group_key AND i.state = 'open'
         CROSS JOIN observation o ON o.observation_key = i.observation_key CROSS JOIN batch b ON b.batch_key = o.batch_key
         JOIN project p ON p.project_key = b.project_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         LEFT JOIN message m ON m.message_key = o.message_key
         WHERE g.kind = 'missing' AND {0}
         ORDER BY since, batch_id",
        clause.text()
    ))?;
    let twice: Vec<&Value> = clause.values().chain(clause.values()).collect();
    let rows = statement.query_map(params_from_iter(twice), |row| of_batch(view, row))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn of_batch(view: &ReportView<'_>, row: &Row<'_>) -> rusqlite::Result<MissingRow> {
    let (batch_id, project): (String, String) = (row.get("batch_id")?, row.get("project")?);
    let project_id: Option<String> = row.get("project_id")?;
    let facts = LinkFacts { project_id: project_id.as_deref(), batch_id: Some(&batch_id), ..LinkFacts::default() };
    let links = view.linker.make(&project, &facts);
    let is_running = row.get_ref("lack")?.as_str()? == "running";
    Ok(MissingRow {
        lack: if is_running { Lack::Running } else { Lack::NotShown },
        items: value::maybe_count(row, "items")?,
        item_id: None,
        item_name: None,
        state: None,
        group_id: row.get("group_id")?,
        text: row.get("text")?,
        since: value::time(row, "since")?,
        project,
        batch_id,
        links,
    })
}
