//! How many items recovered in a window: whole hours from `recovery_hour`, the hour it begins in by the items' index.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::ledger::time::hour;
use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::item_counts;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// What recovers is a document, unless the filter names another kind.
const OF_FAILURES: &str = "IN (SELECT group_key FROM error_group WHERE kind IN ('failed', 'skipped'))";

/// Items that match the filters but for the state, whose recovery was seen in the window and still stands.
pub(crate) fn recovered(view: &ReportView<'_>, window: TimeRange) -> Result<u64, QueryError> {
    let [since, until] = [window.since, window.until].map(|end| end.as_millisecond());
    if view.filter.needs_items() || window.until < view.now {
        return by_items(view, since, until);
    }
    let begun = hour(since);
    let mut clause = item_counts::counter_clause(view);
    clause.and("c.hour > ?", [begun.into()]);
    if view.filter.kind.is_none() {
        clause.and(&format!("c.group_key {OF_FAILURES}"), []);
    }
    let sql = format!("SELECT coalesce(sum(c.items), 0) FROM recovery_hour c WHERE {}", clause.text());
    Ok(count(view, &sql, &clause)? + by_items(view, since, (begun + 1).saturating_mul(HOUR).min(until))?)
}

/// The same in a range of times, from the items alone.
pub(crate) fn by_items(view: &ReportView<'_>, since: i64, until: i64) -> Result<u64, QueryError> {
    let mut clause = view.item_clause()?;
    if view.filter.kind.is_none() {
        clause.and(&format!("i.group_key {OF_FAILURES}"), []);
    }
    clause.and("i.recovered_at >= ? AND i.recovered_at < ?", [since, until].map(Value::from));
    let sql = format!("SELECT count(*) FROM item i INDEXED BY item_by_recovery WHERE {}", clause.text());
    count(view, &sql, &clause)
}

fn count(view: &ReportView<'_>, sql: &str, clause: &Clause) -> Result<u64, QueryError> {
    Ok(view.connection.query_row(sql, params_from_iter(clause.values()), |row| value::count(row, 0))?)
}
