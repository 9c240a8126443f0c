//! `report retries`: attempts one by one, or put together.

use jiff::tz::TimeZone;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::history::{AttemptRow, RetryRow};
use crate::report::store::selection::clause::Clause;
use crate::report::store::{QueryError, ReportView, value};

const FROM: &str = "attempt a JOIN intent n ON n.intent_id = a.intent_id \
     JOIN item i ON i.item_key = a.item_key \
     JOIN error_group g ON g.group_key = a.group_key \
     JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)";

const SUMS: &str = "count(*), sum(a.outcome IN ('recovered', 'already_processed')), \
     sum(a.outcome = 'failed_same'), sum(a.outcome = 'failed_differently'), sum(a.outcome = 'running'), \
     sum(a.outcome = 'unknown'), sum(a.outcome IN ('cancelled', 'expired')), sum(a.credits), sum(a.billed)";

/// The attempts that match, newest first.
pub(crate) fn attempts(view: &ReportView<'_>) -> Result<Vec<AttemptRow>, QueryError> {
    let clause = clause(view)?;
    let mut statement = view.connection.prepare(&format!(
        "SELECT a.attempt_id, a.intent_id, i.item_id, s.group_id, a.n, a.trigger, a.batch_id, a.outcome,
                a.started_at, a.finished_at, a.job_id,
                (SELECT z.group_id FROM error_group y
                 JOIN error_group z ON z.group_key = coalesce(y.merged_into, y.group_key)
                 WHERE y.group_key = a.group_after),
                a.credits, n.actor, n.reason, a.billed
         FROM {FROM} WHERE {} ORDER BY a.started_at DESC, a.attempt_id DESC LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok(AttemptRow {
            attempt_id: row.get(0)?,
            intent_id: row.get(1)?,
            item_id: row.get(2)?,
            group_id: row.get(3)?,
            n: value::count(row, 4)?,
            trigger: row.get(5)?,
            batch_id: row.get(6)?,
            outcome: row.get(7)?,
            started_at: value::time(row, 8)?,
            finished_at: value::maybe_time(row, 9)?,
            job_id: row.get(10)?,
            group_after: row.get(11)?,
            credits: row.get(12)?,
            actor: row.get(13)?,
            reason: row.get(14)?,
            billed: row.get(15)?,
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
        "SELECT CAST({key} AS TEXT), {title}, {SUMS} FROM {FROM} WHERE {} GROUP BY 1 ORDER BY 3 DESC, 1",
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
pub(crate) fn of_groups(view: &ReportView<'_>, members: &[i64]) -> Result<Option<RetryRow>, QueryError> {
    let mut clause = Clause::all();
    clause.one_of_keys("a.group_key", members, "");
    all(view, &clause)
}

/// What retries begun in the view's window did, of those that match the filters; none if there were none.
pub(crate) fn in_window(view: &ReportView<'_>) -> Result<Option<RetryRow>, QueryError> {
    all(view, &clause(view)?)
}

fn all(view: &ReportView<'_>, clause: &Clause) -> Result<Option<RetryRow>, QueryError> {
    let mut statement =
        view.connection.prepare(&format!("SELECT 'all', NULL, {SUMS} FROM {FROM} WHERE {}", clause.text()))?;
    let values = params_from_iter(clause.values());
    let attempts = statement.query_row(values, |row| match value::count(row, 2)? {
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
        key: row.get(0)?,
        title: row.get(1)?,
        attempts: value::count(row, 2)?,
        recovered: value::count(row, 3)?,
        failed_same: value::count(row, 4)?,
        failed_differently: value::count(row, 5)?,
        running: value::count(row, 6)?,
        unknown: value::count(row, 7)?,
        ended_otherwise: value::count(row, 8)?,
        credits: row.get(9)?,
        billed: row.get(10)?,
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
