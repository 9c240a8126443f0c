//! `report skipped`: skipped items by reason.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::item::{HARMLESS_SKIP, ItemState};
use crate::report::rows::SkipRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::item_counts::{self, Tally};
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// Skip reasons, those that matter first, then by items.
///
/// Nearly every group has one reason, and the counters know its items; only groups of several are looked into.
pub(crate) fn skipped(view: &ReportView<'_>) -> Result<Vec<SkipRow>, QueryError> {
    let tally = item_counts::count_matching(view, view.window())?;
    by_reason(view, Some(tally))
}

/// [`skipped`] without the counters.
#[cfg(test)]
pub(crate) fn by_item_alone(view: &ReportView<'_>) -> Result<Vec<SkipRow>, QueryError> {
    by_reason(view, None)
}

fn by_reason(view: &ReportView<'_>, tally: Option<Tally>) -> Result<Vec<SkipRow>, QueryError> {
    let groups = groups(view)?;
    let mut reasons: BTreeMap<Option<String>, SkipSum> = BTreeMap::new();
    let mut unclear: Vec<i64> = Vec::new();
    match tally {
        Some(tally) => {
            let by_group = by_group(view, &tally);
            for (key, group) in &groups {
                match (group.reasons.as_slice(), by_group.get(key)) {
                    ([reason], Some(sum)) => reasons.entry(reason.clone()).or_default().add(sum),
                    (_, Some(_)) => unclear.push(*key),
                    (_, None) => {}
                }
            }
        }
        None => unclear.extend(groups.keys()),
    }
    if !unclear.is_empty() {
        for (reason, sum) in by_item(view, &unclear)? {
            reasons.entry(reason).or_default().add(&sum);
        }
    }
    let mut rows: Vec<SkipRow> = reasons.into_iter().map(|(reason, sum)| row(reason, &sum, &groups)).collect();
    rows.sort_by_key(|row| (!row.matters, std::cmp::Reverse(row.items)));
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    rows.truncate(limit.unwrap_or(usize::MAX));
    Ok(rows)
}

/// A group of skipped items, with the reasons that its present items have.
struct SkipGroup {
    reasons: Vec<Option<String>>,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

#[derive(Clone, Copy, Default)]
struct SkipSum {
    items: u64,
    open: u64,
}

impl SkipSum {
    fn add(&mut self, other: &SkipSum) {
        self.items += other.items;
        self.open += other.open;
    }
}

fn row(reason: Option<String>, sum: &SkipSum, groups: &HashMap<i64, SkipGroup>) -> SkipRow {
    let with_it = || groups.values().filter(|group| group.reasons.contains(&reason));
    SkipRow {
        matters: reason.as_deref() != Some(HARMLESS_SKIP),
        items: sum.items,
        open_items: sum.open,
        first_seen: with_it().map(|group| group.first_seen).min().unwrap_or_default(),
        last_seen: with_it().map(|group| group.last_seen).max().unwrap_or_default(),
        skip_reason: reason,
    }
}

fn groups(view: &ReportView<'_>) -> Result<HashMap<i64, SkipGroup>, QueryError> {
    let mut statement = view.connection.prepare(
        "SELECT DISTINCT g.group_key, nullif(c.skip_reason, '') AS skip_reason, g.first_seen, g.last_seen
         FROM error_group g JOIN item_count c ON c.group_key = g.group_key WHERE g.kind = 'skipped'",
    )?;
    let mut groups: HashMap<i64, SkipGroup> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (first_seen, last_seen) = (value::time(row, "first_seen")?, value::time(row, "last_seen")?);
        let group = groups.entry(row.get("group_key")?);
        group.or_insert(SkipGroup { reasons: Vec::new(), first_seen, last_seen }).reasons.push(row.get("skip_reason")?);
    }
    Ok(groups)
}

/// The counted items of each group, in the asked states.
fn by_group(view: &ReportView<'_>, tally: &Tally) -> HashMap<i64, SkipSum> {
    let asked: HashSet<&str> = view.filter.state.iter().map(String::as_str).collect();
    let mut sums: HashMap<i64, SkipSum> = HashMap::new();
    for ((group, state), items) in tally {
        if *items > 0 && (asked.is_empty() || asked.contains(state.as_str())) {
            let open = if *state == ItemState::Open { *items } else { 0 };
            sums.entry(*group).or_default().add(&SkipSum { items: *items, open });
        }
    }
    sums
}

/// The items of some groups, one by one.
fn by_item(view: &ReportView<'_>, groups: &[i64]) -> Result<Vec<(Option<String>, SkipSum)>, QueryError> {
    let mut clause = view.item_clause_in_window()?;
    clause.one_of_keys("i.group_key", groups, "");
    let mut statement = view.connection.prepare(&format!(
        "SELECT o.skip_reason, count(*) AS items, sum(i.state = 'open') AS open
         FROM item i JOIN observation o ON o.observation_key = i.observation_key
         WHERE {} GROUP BY o.skip_reason",
        clause.text()
    ))?;
    let read = |row: &Row<'_>| {
        let sum = SkipSum { items: value::count(row, "items")?, open: value::count(row, "open")? };
        Ok((row.get("skip_reason")?, sum))
    };
    let values: Vec<&Value> = clause.values().collect();
    let rows = statement.query_map(params_from_iter(values), read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
