//! `report batches` and `report batch`.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::links::LinkFacts;
use crate::report::detail::{BatchDetail, GroupHit};
use crate::report::rows::BatchRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::find;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// The time a batch is placed at in windows and lists: when it was made, else when it was first seen.
const MADE_AT: &str = "coalesce(b.created_at, b.first_seen)";

/// The batches that match.
pub(crate) fn batches(view: &ReportView<'_>) -> Result<Vec<BatchRow>, QueryError> {
    let filter = view.filter;
    let mut clause = Clause::all();
    clause.one_of("p.name", &filter.project, "");
    clause.one_of("b.job_type", &filter.job_type, "");
    clause.one_of("b.directory_id", &filter.directory, "");
    clause.one_of("b.status", &filter.state, "");
    clause.one_of_keys("b.batch_key", &view.batch_keys, "");
    hit_by(view, &mut clause);
    if let Some(window) = view.window() {
        let ends = [window.since, window.until].map(|t| Value::from(t.as_millisecond()));
        clause.and(&format!("{MADE_AT} >= ? AND {MADE_AT} < ?"), ends);
    }
    let order = match filter.sort.as_deref().unwrap_or("newest") {
        "failed" => "b.failed_items DESC",
        "share" => {
            "CASE WHEN b.failed_items <= b.total_items THEN CAST(b.failed_items AS REAL) / nullif(b.total_items, 0) END DESC"
        }
        "open" => "observations DESC",
        _ => "TRUE",
    };
    select(view, &clause, "TRUE", order, &filter.sql_limit())
}

/// Narrows to batches with observations of a group that matches.
fn hit_by(view: &ReportView<'_>, clause: &mut Clause) {
    let mut groups = Clause::all();
    groups.one_of_keys("g.group_key", &view.group_keys, "");
    groups.one_of("g.class", &view.filter.class, "");
    if let Some(kind) = view.filter.kind {
        groups.and("g.kind = ?", [Value::from(kind.as_str().to_owned())]);
    }
    if groups.is_narrow() {
        let hit = "b.batch_key IN (SELECT gb.batch_key FROM group_batch gb JOIN error_group g USING (group_key) WHERE";
        clause.and(&format!("{hit} {})", groups.text()), groups.values().cloned());
    }
}

/// All about the batches with this id, which may be shortened; several when projects share it.
///
/// # Errors
/// It is not there, or the shortened id fits several.
pub(crate) fn batch(view: &ReportView<'_>, typed: &str) -> Result<Vec<BatchDetail>, QueryError> {
    let mut details = Vec::new();
    for key in find::batches(view.connection, typed)? {
        let mut clause = Clause::all();
        clause.one_of_keys("b.batch_key", &[key], "");
        for batch in select(view, &clause, &format!("gb.batch_key = {key}"), "TRUE", "1")? {
            details.push(BatchDetail { batch, groups_in_it: groups_in(view, key)? });
        }
    }
    Ok(details)
}

/// `counted`: which batches' observations are worth counting.
fn select(
    view: &ReportView<'_>,
    clause: &Clause,
    counted: &str,
    order: &str,
    limit: &str,
) -> Result<Vec<BatchRow>, QueryError> {
    // A group that became part of another has no counters left: every row is a group of its own.
    let mut statement = view.connection.prepare(&format!(
        "WITH counted AS (
             SELECT gb.batch_key, sum(gb.failures) AS observations, count(*) AS groups_hit
             FROM group_batch gb
             WHERE {counted} GROUP BY gb.batch_key)
         SELECT b.batch_id, p.name AS project, p.project_id, b.job_type, b.directory_id, b.status, b.total_items,
                b.failed_items, b.skipped_items, coalesce(c.observations, 0) AS observations,
                coalesce(c.groups_hit, 0) AS groups_hit, b.error_message, b.created_at, b.completed_at, b.last_seen,
                b.listed_at, b.gone_at
         FROM batch b JOIN project p ON p.project_key = b.project_key
         LEFT JOIN counted c ON c.batch_key = b.batch_key
         WHERE {} ORDER BY {order}, {MADE_AT} DESC, b.batch_key DESC LIMIT {limit}",
        clause.text()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| batch_row(view, row))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn batch_row(view: &ReportView<'_>, row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    let batch_id: String = row.get("batch_id")?;
    let project: String = row.get("project")?;
    let project_id: Option<String> = row.get("project_id")?;
    let links = view.linker.make(
        &project,
        &LinkFacts { project_id: project_id.as_deref(), batch_id: Some(&batch_id), ..LinkFacts::default() },
    );
    let total_items = value::maybe_count(row, "total_items")?;
    let failed_items = value::maybe_count(row, "failed_items")?;
    Ok(BatchRow {
        batch_id,
        project,
        job_type: row.get("job_type")?,
        directory_id: row.get("directory_id")?,
        status: row.get("status")?,
        total_items,
        failed_items,
        skipped_items: value::maybe_count(row, "skipped_items")?,
        failed_share: share(failed_items, total_items),
        observations: value::count(row, "observations")?,
        groups: value::count(row, "groups_hit")?,
        error_message: row.get("error_message")?,
        created_at: value::maybe_time(row, "created_at")?,
        completed_at: value::maybe_time(row, "completed_at")?,
        last_seen: value::time(row, "last_seen")?,
        listed_at: value::maybe_time(row, "listed_at")?,
        gone_at: value::maybe_time(row, "gone_at")?,
        links,
    })
}

/// The share of a batch's items that failed; none if it is not known.
///
/// Both counts are the API's own. One that says that more items failed than there are contradicts itself: its failed
/// ones may be tries, or its total that of an earlier moment, and no share follows from that.
fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    let (part, whole) = (part?, whole.filter(|whole| *whole > 0)?);
    (part <= whole).then(|| part as f64 / whole as f64)
}

fn groups_in(view: &ReportView<'_>, batch_key: i64) -> Result<Vec<GroupHit>, QueryError> {
    let mut statement = view.connection.prepare(
        "SELECT s.group_id, s.kind, s.class, coalesce(s.renamed, s.title) AS title, sum(gb.failures) AS failures
         FROM group_batch gb JOIN error_group g ON g.group_key = gb.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE gb.batch_key = ? GROUP BY s.group_key ORDER BY 5 DESC, s.group_id",
    )?;
    let rows = statement.query_map([batch_key], |row| {
        Ok(GroupHit {
            group_id: row.get("group_id")?,
            kind: value::kind(row, "kind")?,
            class: row.get("class")?,
            title: row.get("title")?,
            failures: value::count(row, "failures")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
