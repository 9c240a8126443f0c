//! `report retries`: attempts one by one, or put together.

use jiff::tz::TimeZone;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::history::{AttemptRow, RetryRow};
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

const FROM: &str = "attempt a JOIN intent n ON n.intent_id = a.intent_id \
     JOIN item i ON i.item_key = a.item_key \
     JOIN error_group g ON g.group_key = a.group_key \
     JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)";

const SUMS: &str = "count(*) AS attempts, sum(a.outcome IN ('recovered', 'already_processed')) AS recovered, \
     sum(a.outcome = 'failed_same') AS failed_same, sum(a.outcome = 'failed_differently') AS failed_differently, \
     sum(a.outcome = 'running') AS running, sum(a.outcome = 'unknown') AS unknown, \
     sum(a.outcome IN ('cancelled', 'expired')) AS ended_otherwise, sum(a.credits) AS credits_asked, \
     sum(a.billed) AS credits_billed";

/// The attempts that match, newest first.
pub(crate) fn attempts(view: &ReportView<'_>) -> Result<Vec<AttemptRow>, QueryError> {
    let clause = clause(view)?;
    let mut statement = view.connection.prepare(&format!(
        "SELECT a.attempt_id, a.intent_id, i.item_id, s.group_id, a.n, a.trigger, a.batch_id, a.outcome,
                a.started_at, a.finished_at, a.job_id,
                (SELECT z.group_id FROM error_group y
                 JOIN error_group z ON z.group_key = coalesce(y.merged_into, y.group_key)
                 WHERE y.group_key = a.group_after) AS group_after_id,
                a.credits, n.actor, n.reason, a.billed
         FROM {FROM} WHERE {} ORDER BY a.started_at DESC, a.attempt_id DESC LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok(AttemptRow {
            attempt_id: row.get("attempt_id")?,
            intent_id: row.get("intent_id")?,
            item_id: row.get("item_id")?,
            group_id: row.get("group_id")?,
            n: value::count(row, "n")?,
            trigger: row.get("trigger")?,
            batch_id: row.get("batch_id")?,
            outcome: row.get("outcome")?,
            started_at: value::time(row, "started_at")?,
            finished_at: value::maybe_time(row, "finished_at")?,
            job_id: row.get("job_id")?,
            group_after: row.get("group_after_id")?,
            credits: row.get("credits")?,
            actor: row.get("actor")?,
            reason: row.get("reason")?,
            billed: row.get("billed")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The attempts that match, put together by what `--by` names; days are calendar days in `zone`.
pub(crate) fn retries(view: &ReportView<'_>, zone: &TimeZone) -> Result<Vec<RetryRow>, QueryError> {
    let (key, title) = match view.filter.by.as_deref() {
        Some("group") => ("s.group_id", "coalesce(s.renamed, s.title)"),
        Some("rule") => ("coalesce(s.rule, '(no rule)')", "NULL"),
        Some("class") => ("s.class", "NULL"),
        Some("trigger") => ("a.trigger", "NULL"),
        Some("outcome") => ("a.outcome", "NULL"),
        Some("day") => ("a.started_at / 3600000", "NULL"),
        _ => ("'all'", "NULL"),
    };
    let clause = clause(view)?;
    let mut statement = view.connection.prepare(&format!(
        "SELECT CAST({key} AS TEXT) AS summed_by, {title} AS title, {SUMS} FROM {FROM} WHERE {} GROUP BY 1 ORDER BY 3 DESC, 1",
        clause.text()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), retry)?;
    let mut rows: Vec<RetryRow> = rows.collect::<rusqlite::Result<_>>()?;
    if view.filter.by.as_deref() == Some("day") {
        rows = by_day(rows, zone);
    }
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    rows.truncate(limit.unwrap_or(usize::MAX));
    Ok(rows)
}

/// What retries of these groups did, ever; none if there were none.
pub(crate) fn for_groups(view: &ReportView<'_>, members: &[i64]) -> Result<Option<RetryRow>, QueryError> {
    let mut clause = Clause::all();
    clause.one_of_keys("a.group_key", members, "");
    all(view, &clause)
}

/// What retries begun in the view's window did, of those that match the filters; none if there were none.
pub(crate) fn in_window(view: &ReportView<'_>) -> Result<Option<RetryRow>, QueryError> {
    all(view, &clause(view)?)
}

fn all(view: &ReportView<'_>, clause: &Clause) -> Result<Option<RetryRow>, QueryError> {
    let mut statement = view
        .connection
        .prepare(&format!("SELECT 'all' AS summed_by, NULL AS title, {SUMS} FROM {FROM} WHERE {}", clause.text()))?;
    let values = params_from_iter(clause.values());
    let attempts = statement.query_row(values, |row| match value::count(row, "attempts")? {
        0 => Ok(None),
        _ => retry(row).map(Some),
    })?;
    Ok(attempts)
}

fn clause(view: &ReportView<'_>) -> Result<Clause, QueryError> {
    let mut clause = Clause::all();
    if view.filter.narrows_items() || view.filter.kind.is_some() || !view.filter.class.is_empty() {
        // The group filter is about the group that was retried; the item may be in another by now.
        let items = view.item_clause_of_any_group()?;
        clause.and(items.text(), items.values().cloned());
    }
    clause.one_of_keys("a.group_key", &view.group_keys, "");
    clause.one_of("a.outcome", &view.filter.state, "");
    if let Some(window) = view.window() {
        started_within(&mut clause, window);
    }
    Ok(clause)
}

fn started_within(clause: &mut Clause, window: TimeRange) {
    let ends = [window.since, window.until].map(|t| Value::from(t.as_millisecond()));
    clause.and("a.started_at >= ? AND a.started_at < ?", ends);
}

fn retry(row: &Row<'_>) -> rusqlite::Result<RetryRow> {
    let mut retry = RetryRow {
        key: row.get("summed_by")?,
        title: row.get("title")?,
        attempts: value::count(row, "attempts")?,
        recovered: value::count(row, "recovered")?,
        failed_same: value::count(row, "failed_same")?,
        failed_differently: value::count(row, "failed_differently")?,
        running: value::count(row, "running")?,
        unknown: value::count(row, "unknown")?,
        ended_otherwise: value::count(row, "ended_otherwise")?,
        credits: row.get("credits_asked")?,
        billed: row.get("credits_billed")?,
        ..RetryRow::default()
    };
    retry.rate();
    Ok(retry)
}

/// Rows by hour to rows by calendar day, newest first.
fn by_day(hours: Vec<RetryRow>, zone: &TimeZone) -> Vec<RetryRow> {
    let mut days: std::collections::BTreeMap<String, RetryRow> = Default::default();
    for hour in hours {
        let start = hour.key.parse::<i64>().unwrap_or_default().saturating_mul(HOUR);
        let start = jiff::Timestamp::from_millisecond(start).unwrap_or_default();
        let day = start.to_zoned_datetime(zone.clone()).date().to_string();
        let sum = days.entry(day.clone()).or_insert_with(|| RetryRow { key: day, ..RetryRow::default() });
        sum.add(&hour);
    }
    days.into_values().rev().collect()
}
