//! `report items`, and single items wherever a report shows one.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use crate::model::item::ItemState;
use crate::model::links::LinkFacts;
use crate::report::rows::ItemRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::item_counts::{self, Newest, Tally};
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;
use crate::report::summary::ItemCounts;

/// What an item row is made of; `i` is the item.
const COLUMNS: &str = "i.item_id, i.item_name, p.name AS project, p.project_id, i.kind, i.state, s.group_id, m.text, \
     o.skip_reason, b.batch_id, o.job_id, o.job_record_id, i.first_seen, i.last_seen, i.failures, i.attempts";

const JOINS: &str = "JOIN project p ON p.project_key = i.project_key \
     JOIN error_group g ON g.group_key = i.group_key \
     JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key) \
     JOIN observation o ON o.observation_key = i.observation_key \
     JOIN batch b ON b.batch_key = o.batch_key \
     LEFT JOIN message m ON m.message_key = o.message_key";

/// The items that match.
pub(crate) fn items(view: &ReportView<'_>) -> Result<Vec<ItemRow>, QueryError> {
    let order = match view.filter.sort.as_deref().unwrap_or("last") {
        "first" => "i.first_seen DESC",
        "failures" => "i.failures DESC, i.last_seen DESC",
        "attempts" => "i.attempts DESC, i.last_seen DESC",
        "name" => "i.item_name",
        _ => "i.last_seen DESC",
    };
    let mut clause = view.item_clause_in_window()?;
    if let (Some(most), "last") = (view.filter.limit, view.filter.sort.as_deref().unwrap_or("last"))
        && let Some(newest) = item_counts::newest(view, most.saturating_add(view.filter.offset))?
    {
        by_newest(view, &newest, &mut clause);
    }
    select(view, &clause, order, &view.filter.sql_limit())
}

/// The items that fulfil a clause, in this order. `limit` is what follows `LIMIT`.
pub(crate) fn select(
    view: &ReportView<'_>,
    clause: &Clause,
    order: &str,
    limit: &str,
) -> Result<Vec<ItemRow>, QueryError> {
    // Sorted and cut before anything is joined: the joins then touch only what is shown.
    let mut statement = view.connection.prepare(&format!(
        "WITH picked AS MATERIALIZED (
             SELECT i.rowid AS picked_row FROM item i WHERE {}
             ORDER BY {order}, i.item_id LIMIT {limit})
         SELECT {COLUMNS} FROM picked CROSS JOIN item i ON i.rowid = picked_row {JOINS}
         ORDER BY {order}, i.item_id",
        clause.text(),
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| item(view, row))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Narrows to the newest items, so that the groups' index finds them.
fn by_newest(view: &ReportView<'_>, newest: &Newest, clause: &mut Clause) {
    match &newest.groups {
        Some(groups) => {
            let keys: Vec<String> = groups.iter().map(i64::to_string).collect();
            clause.and(&format!("i.group_key IN ({})", keys.join(", ")), []);
        }
        None => clause.and(item_counts::ANY_GROUP, []),
    }
    if view.filter.state.is_empty() {
        clause.and(item_counts::ANY_STATE, []);
    }
    clause.and("i.last_seen >= ?", [newest.since.into()]);
}

/// How many items match, by state, whatever the limit.
pub(crate) fn count_items(view: &ReportView<'_>) -> Result<ItemCounts, QueryError> {
    let tally = item_counts::count_matching(view, view.window())?;
    let states = &view.filter.state;
    Ok(sum(&tally, |_, state| states.is_empty() || states.iter().any(|asked| asked == state.as_str())))
}

/// How many items match the filters but for the window and the state, by state.
pub(crate) fn count_all(view: &ReportView<'_>) -> Result<ItemCounts, QueryError> {
    count_in_groups(view, |_| true)
}

/// The same of items of these groups.
pub(crate) fn count_in_groups(view: &ReportView<'_>, of_group: impl Fn(i64) -> bool) -> Result<ItemCounts, QueryError> {
    Ok(sum(&item_counts::count_matching(view, None)?, |group_key, _| of_group(group_key)))
}

fn sum(tally: &Tally, of: impl Fn(i64, ItemState) -> bool) -> ItemCounts {
    let mut sums: HashMap<ItemState, u64> = HashMap::new();
    for ((_, state), items) in tally.iter().filter(|((group_key, state), _)| of(*group_key, *state)) {
        *sums.entry(*state).or_default() += items;
    }
    let mut counts = ItemCounts::default();
    sums.into_iter().for_each(|(state, items)| counts.set(state, items));
    counts
}

/// How many items fulfil the clause, by state, without the counters.
#[cfg(test)]
pub(crate) fn count(view: &ReportView<'_>, clause: &Clause) -> Result<ItemCounts, QueryError> {
    let mut statement = view
        .connection
        .prepare(&format!("SELECT i.state, count(*) FROM item i WHERE {} GROUP BY i.state", clause.text()))?;
    let mut counts = ItemCounts::default();
    let mut rows = statement.query(params_from_iter(clause.values()))?;
    while let Some(row) = rows.next()? {
        counts.set(value::item_state(row, 0)?, value::count(row, 1)?);
    }
    Ok(counts)
}

/// One item by its whole id.
pub(crate) fn one(view: &ReportView<'_>, item_id: &str) -> Result<Option<ItemRow>, QueryError> {
    let mut statement =
        view.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM item i {JOINS} WHERE i.item_id = ?"))?;
    Ok(statement.query_row([item_id], |row| item(view, row)).optional()?)
}

/// The items with these whole ids, in this order; those that are not there are left out.
pub(crate) fn items_by_id(view: &ReportView<'_>, ids: &[String]) -> Result<Vec<ItemRow>, QueryError> {
    let rows = ids.iter().map(|id| one(view, id)).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// The newest items of groups, open ones first, at most `limit`.
pub(crate) fn newest(view: &ReportView<'_>, members: &[i64], limit: usize) -> Result<Vec<ItemRow>, QueryError> {
    let mut clause = Clause::all();
    clause.one_of("i.project_key IN (SELECT project_key FROM project WHERE name", &view.filter.project, ")");
    if view.matching_items()?.is_some() {
        clause.and("picked_row(i.rowid)", []);
    }
    let mut statement = view.connection.prepare_cached(&format!(
        "SELECT i.last_seen, i.rowid FROM item i WHERE i.group_key = ? AND i.state = ? AND {}
         ORDER BY i.last_seen DESC LIMIT ?",
        clause.text()
    ))?;
    let mut found: Vec<(i64, i64)> = Vec::new();
    for state in ["open", "retrying", "recovered", "dismissed", "ignored"] {
        let missing = limit - found.len();
        if missing == 0 {
            break;
        }
        let mut of_state: Vec<(i64, i64)> = Vec::new();
        for member in members {
            let place: [Value; 2] = [(*member).into(), state.to_owned().into()];
            let most = Value::from(i64::try_from(missing).unwrap_or(i64::MAX));
            let bound = place.iter().chain(clause.values()).chain([&most]);
            let rows = statement.query_map(params_from_iter(bound), |row| Ok((row.get(0)?, row.get(1)?)))?;
            of_state.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        of_state.sort_by(|a, b| b.cmp(a));
        of_state.truncate(missing);
        found.extend(of_state);
    }
    let mut statement =
        view.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM item i {JOINS} WHERE i.rowid = ?"))?;
    let rows = found.iter().map(|(_, rowid)| Ok(statement.query_row([rowid], |row| item(view, row))?));
    rows.collect()
}

/// The newest item of groups, open ones first.
pub(crate) fn newest_of(view: &ReportView<'_>, members: &[i64]) -> Result<Option<ItemRow>, QueryError> {
    Ok(newest(view, members, 1)?.pop())
}

fn item(view: &ReportView<'_>, row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    let project: String = row.get("project")?;
    let project_id: Option<String> = row.get("project_id")?;
    let item_id: String = row.get("item_id")?;
    let batch_id: String = row.get("batch_id")?;
    let job_id: Option<String> = row.get("job_id")?;
    let job_record_id: Option<String> = row.get("job_record_id")?;
    let kind = value::kind(row, "kind")?;
    let links = view.linker.make(
        &project,
        &LinkFacts {
            project_id: project_id.as_deref(),
            batch_id: Some(&batch_id),
            job_id: job_id.as_deref(),
            job_record_id: job_record_id.as_deref(),
            item_id: Some(&item_id),
            kind: Some(kind),
            ..LinkFacts::default()
        },
    );
    Ok(ItemRow {
        item_id,
        item_name: row.get("item_name")?,
        project,
        status: kind,
        state: value::item_state(row, "state")?,
        group_id: row.get("group_id")?,
        error_message: row.get("text")?,
        skip_reason: row.get("skip_reason")?,
        batch_id,
        job_id,
        job_record_id,
        first_seen: value::time(row, "first_seen")?,
        last_seen: value::time(row, "last_seen")?,
        failures: value::count(row, "failures")?,
        attempts: value::count(row, "attempts")?,
        links,
    })
}
