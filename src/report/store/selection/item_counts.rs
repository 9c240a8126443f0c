//! Items counted by group and state.
//!
//! The ledger's own counters know group, class, kind, project, and windows that reach to the present: whole hours are
//! counted there, and the items of the hour that a window begins in one by one. Other filters count items by the index
//! of groups, states and times.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Rows, params_from_iter};

use crate::model::item::ItemState;
use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::{ReportView, failed_within};
use crate::report::store::value;

/// Any group: see [`ANY_STATE`].
pub(crate) const ANY_GROUP: &str = "i.group_key IN (SELECT group_key FROM error_group)";
/// Any state, so that the index of groups, states and times is used for the times too.
pub(crate) const ANY_STATE: &str = "i.state IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored')";

/// How many items there are, by group and state.
pub(crate) type Tally = HashMap<(i64, ItemState), u64>;

/// The items that match the filters but for the state; in the window if there is one.
pub(crate) fn count_matching(view: &ReportView<'_>, window: Option<TimeRange>) -> Result<Tally, QueryError> {
    if view.filter.needs_items() || window.is_some_and(|window| window.until < view.now) {
        return by_items(view, window);
    }
    let Some(window) = window else {
        return sums(view, "item_count", &counter_clause(view));
    };
    let since = window.since.as_millisecond();
    let whole_from = since.div_euclid(HOUR) + i64::from(since.rem_euclid(HOUR) != 0);
    let mut clause = counter_clause(view);
    clause.and("c.hour >= ?", [whole_from.into()]);
    let mut tally = sums(view, "item_hour", &clause)?;
    if whole_from * HOUR != since {
        add_begun_hour(view, since, &mut tally)?;
    }
    Ok(tally)
}

/// [`count_matching`] from the items alone.
pub(crate) fn by_items(view: &ReportView<'_>, window: Option<TimeRange>) -> Result<Tally, QueryError> {
    let mut clause = view.item_clause()?;
    if let Some(window) = window {
        let (condition, values) = failed_within(window, view.now);
        clause.and(&condition, values);
        // One range of the index for each group and state.
        clause.and(ANY_GROUP, []);
        clause.and(ANY_STATE, []);
    }
    let mut statement = view.connection.prepare(&format!(
        "SELECT i.group_key, i.state, count(*) AS items FROM item i WHERE {} GROUP BY i.group_key, i.state",
        clause.text()
    ))?;
    tallied(statement.query(params_from_iter(clause.values()))?)
}

/// How many items each group has.
pub(crate) fn by_group(tally: &Tally, of: impl Fn(ItemState) -> bool) -> HashMap<i64, u64> {
    let mut sums = HashMap::new();
    for ((group, _), items) in tally.iter().filter(|((_, state), _)| of(*state)) {
        *sums.entry(*group).or_default() += items;
    }
    sums
}

/// What the newest items that match are found by.
pub(crate) struct Newest {
    /// So many items, or all there are, were last seen at or after this time, in milliseconds.
    pub(crate) since: i64,
    /// The groups that they are in; none if any may have them.
    pub(crate) groups: Option<Vec<i64>>,
}

/// Where the newest `most` items that match are, states included. None if all of them have to be looked at.
pub(crate) fn newest(view: &ReportView<'_>, most: u64) -> Result<Option<Newest>, QueryError> {
    if view.window().is_some_and(|window| window.until < view.now) || most == 0 {
        return Ok(None);
    }
    if view.filter.needs_items() {
        return newest_picked(view, most).map(Some);
    }
    let mut clause = counter_clause(view);
    clause.one_of("c.state", &view.filter.state, "");
    if let Some(window) = view.window() {
        // Items of the hour that the window begins in may be before it: they only make the search reach further back.
        clause.and("c.hour > ?", [window.since.as_millisecond().div_euclid(HOUR).into()]);
    }
    let begun = view.window().map_or(i64::MIN, |window| window.since.as_millisecond()).div_euclid(HOUR);
    let hour = hour_of(view, &clause, most)?.unwrap_or(begun);
    let mut within = counter_clause(view);
    within.one_of("c.state", &view.filter.state, "");
    within.and("c.hour >= ?", [hour.into()]);
    let mut statement =
        view.connection.prepare(&format!("SELECT DISTINCT c.group_key FROM item_hour c WHERE {}", within.text()))?;
    let groups = statement.query_map(params_from_iter(within.values()), |row| row.get(0))?;
    Ok(Some(Newest { since: hour.saturating_mul(HOUR), groups: Some(groups.collect::<rusqlite::Result<_>>()?) }))
}

/// The same for items that no counter knows: the index has their times.
fn newest_picked(view: &ReportView<'_>, most: u64) -> Result<Newest, QueryError> {
    let clause = view.item_clause_in_window()?;
    let sql = format!("SELECT i.last_seen FROM item i WHERE {} ORDER BY 1 DESC LIMIT 1 OFFSET ?", clause.text());
    let before = Value::from(i64::try_from(most - 1).unwrap_or(i64::MAX));
    let bound = params_from_iter(clause.values().chain([&before]));
    let since = view.connection.query_row(&sql, bound, |row| row.get(0)).optional()?;
    Ok(Newest { since: since.unwrap_or(i64::MIN), groups: None })
}

/// The newest hour such that it and those after it have so many items; none if there are not so many.
fn hour_of(view: &ReportView<'_>, clause: &Clause, most: u64) -> Result<Option<i64>, QueryError> {
    let mut statement = view
        .connection
        .prepare(&format!("SELECT c.hour, c.items FROM item_hour c WHERE {} ORDER BY c.hour DESC", clause.text()))?;
    let mut rows = statement.query(params_from_iter(clause.values()))?;
    let mut sum = 0;
    while let Some(row) = rows.next()? {
        sum += value::count(row, 1)?;
        if sum >= most {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
}

/// Conditions on `item_count AS c` or `item_hour AS c` from everything but the window and the state.
pub(crate) fn counter_clause(view: &ReportView<'_>) -> Clause {
    let filter = view.filter;
    let mut clause = Clause::all();
    clause.one_of_keys("c.group_key", &view.group_keys, "");
    clause.one_of("c.group_key IN (SELECT group_key FROM error_group WHERE class", &filter.class, ")");
    if let Some(kind) = filter.kind {
        let kind = Value::from(kind.as_str().to_owned());
        clause.and("c.group_key IN (SELECT group_key FROM error_group WHERE kind = ?)", [kind]);
    }
    clause.one_of("c.project_key IN (SELECT project_key FROM project WHERE name", &filter.project, ")");
    clause
}

fn sums(view: &ReportView<'_>, table: &str, clause: &Clause) -> Result<Tally, QueryError> {
    let mut statement = view
        .connection
        .prepare(&format!("SELECT c.group_key, c.state, c.items FROM {table} c WHERE {}", clause.text()))?;
    tallied(statement.query(params_from_iter(clause.values()))?)
}

fn tallied(mut rows: Rows<'_>) -> Result<Tally, QueryError> {
    let mut tally = Tally::new();
    while let Some(row) = rows.next()? {
        *tally.entry((row.get("group_key")?, value::item_state(row, "state")?)).or_default() +=
            value::count(row, "items")?;
    }
    Ok(tally)
}

/// Adds the items of the hour that holds `since`, from there on, found by the index of the groups that have any then.
fn add_begun_hour(view: &ReportView<'_>, since: i64, tally: &mut Tally) -> Result<(), QueryError> {
    let hour = since.div_euclid(HOUR);
    let mut clause = counter_clause(view);
    clause.and("c.hour = ?", [hour.into()]);
    let mut items = Clause::all();
    items.one_of("i.project_key IN (SELECT project_key FROM project WHERE name", &view.filter.project, ")");
    let mut count = view.connection.prepare(&format!(
        "SELECT count(*) FROM item i WHERE i.group_key = ? AND i.state = ? AND i.last_seen >= ? AND i.last_seen < ?
         AND {}",
        items.text()
    ))?;
    for (group_key, state) in sums(view, "item_hour", &clause)?.into_keys() {
        let range: [Value; 4] =
            [group_key.into(), state.as_str().to_owned().into(), since.into(), ((hour + 1) * HOUR).into()];
        let bound = range.iter().chain(items.values());
        *tally.entry((group_key, state)).or_default() +=
            count.query_row(params_from_iter(bound), |row| value::count(row, 0))?;
    }
    Ok(())
}
