//! `report groups`.
//!
//! Without filters on single items everything comes from the groups' own counters; with such filters the items that
//! match are counted. Only the groups that are shown are looked into further.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::model::group_state::GroupState;
use crate::model::item::{ItemState, Kind};
use crate::report::rows::{GroupRow, SampleRow};
use crate::report::store::error::QueryError;
use crate::report::store::lists::items;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::selection::{counts, item_counts};
use crate::report::store::value;
use crate::report::summary::GroupCounts;
use crate::triage::group_state::{GroupFigures, LastAnnouncement, LatestEpisode, group_state};
use crate::triage::store::incident;

/// Groups and what all that match add up to, whatever the limit.
pub(crate) struct Groups {
    /// At most as many as asked, in the asked order.
    pub rows: Vec<GroupRow>,
    /// All that match, by state.
    pub counts: GroupCounts,
    /// Open items of all that match.
    pub open_items: u64,
    /// Items in the window of all that match.
    pub items_in_window: u64,
}

/// What the lists are sorted and counted by.
pub(crate) struct Base {
    pub(crate) key: i64,
    pub(crate) group_id: String,
    pub(crate) kind: Kind,
    pub(crate) class: String,
    class_percent: Option<u8>,
    classes: BTreeMap<String, u64>,
    pub(crate) title: String,
    pub(crate) state: GroupState,
    pub(crate) episode: Option<u32>,
    pub(crate) open_items: u64,
    pub(crate) total_items: u64,
    pub(crate) items_in_window: u64,
    first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    assigned: Option<String>,
    ticket: Option<String>,
}

/// The groups that match.
pub(crate) fn groups(view: &ReportView<'_>) -> Result<Groups, QueryError> {
    let mut bases = matching(view, Keep::InWindow)?;
    let mut sums = Groups { rows: Vec::new(), counts: GroupCounts::default(), open_items: 0, items_in_window: 0 };
    for base in &bases {
        sums.open_items += base.open_items;
        sums.items_in_window += base.items_in_window;
        sums.counts.add(base.state, base.open_items);
    }
    sort(&mut bases, view.filter.sort.as_deref().unwrap_or("urgency"));
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    let shown: Vec<Base> = bases
        .into_iter()
        .skip(usize::try_from(view.filter.offset).unwrap_or(usize::MAX))
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    let remarks = counts::Remarks::read(view)?;
    let together = counts::Together::read(view, shown.len())?;
    for base in shown {
        sums.rows.push(complete(view, base, &remarks, together.as_ref())?);
    }
    Ok(sums)
}

/// Which groups a window keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Those with items in the window.
    InWindow,
    /// All; the window only counts.
    All,
}

/// The groups that match, without what only shown groups need.
pub(crate) fn matching(view: &ReportView<'_>, keep: Keep) -> Result<Vec<Base>, QueryError> {
    let mut bases = all(view)?;
    count_in_window(view, &mut bases)?;
    if view.filter.narrows_items() {
        drop_unmatched(view, &mut bases)?;
    }
    if keep == Keep::InWindow {
        bases.retain(|base| base.items_in_window > 0 || view.window().is_none());
    }
    let states = &view.filter.state;
    bases.retain(|base| states.is_empty() || states.iter().any(|state| state == base.state.as_str()));
    Ok(bases)
}

/// One group whatever the window, with the window's count; none if there is no such key.
pub(crate) fn single(view: &ReportView<'_>, key: i64) -> Result<Option<Base>, QueryError> {
    let mut base = all(view)?.into_iter().find(|base| base.key == key);
    if let (Some(base), Some(window)) = (base.as_mut(), view.window()) {
        base.items_in_window = counts::items_in_window(view, &view.members(key), window)?;
    }
    Ok(base)
}

/// Everything a row shows.
pub(crate) fn complete(
    view: &ReportView<'_>,
    base: Base,
    remarks: &counts::Remarks,
    together: Option<&counts::Together>,
) -> Result<GroupRow, QueryError> {
    let members = view.members(base.key);
    let sample = items::newest_of(view, &members)?;
    let (batches, hourly) = match together {
        // What is part of another group has no counters of its own.
        Some(together) => (together.batches(base.key), together.hourly(base.key)),
        None => (counts::batches(view, &members)?, counts::hourly(view, &members)?),
    };
    let (in_window, before) = counts::failures_in_window(view, &members)?;
    Ok(GroupRow {
        acked: remarks.acked(base.key, base.episode),
        silenced_until: remarks.silenced_until(view, base.key, &base.group_id)?,
        batches,
        sample: sample.as_ref().map(SampleRow::from),
        hourly,
        failures_in_window: in_window,
        failures_before_window: before,
        retry_outlook: remarks.retry_outlook(view, &base.group_id),
        incident_id: match base.episode {
            Some(episode) => incident::of_episode(view.connection, base.key, episode)?,
            None => None,
        },
        note: remarks.note(base.key),
        links: view.linker.of_group(&base.group_id),
        assigned: base.assigned,
        ticket: base.ticket,
        group_id: base.group_id,
        kind: base.kind,
        state: base.state,
        class: base.class,
        class_probability: base.class_percent.map(|percent| f64::from(percent) / 100.0),
        classes: base.classes,
        title: base.title,
        open_items: base.open_items,
        total_items: base.total_items,
        items_in_window: base.items_in_window,
        first_seen: base.first_seen,
        last_seen: base.last_seen,
    })
}

fn all(view: &ReportView<'_>) -> Result<Vec<Base>, QueryError> {
    let mut clause = Clause::all();
    clause.one_of_keys("g.group_key", &view.group_keys, "");
    clause.one_of("g.class", &view.filter.class, "");
    if let Some(kind) = view.filter.kind {
        clause.and("g.kind = ?", [Value::from(kind.as_str().to_owned())]);
    }
    if let Some(words) = &view.filter.words {
        let holds = "(instr(lower(coalesce(g.renamed, g.title)), ?) OR instr(lower(g.template), ?) OR g.group_id = ?)";
        let words = Value::from(words.to_lowercase());
        clause.and(holds, [words.clone(), words.clone(), words]);
    }
    let mut statement = view.connection.prepare_cached(&format!(
        "SELECT g.group_key, g.group_id, g.kind, g.class, g.class_percent, g.classes, coalesce(g.renamed, g.title) AS title,
                g.open_items, g.total_items, g.first_seen, g.last_seen,
                e.ordinal, e.closed_at, e.assigned, e.ticket, a.episode AS announced_episode, a.state AS announced_state, a.announced_at
         FROM error_group g
         LEFT JOIN episode e ON e.group_key = g.group_key
              AND e.ordinal = (SELECT max(ordinal) FROM episode WHERE group_key = g.group_key)
         LEFT JOIN announcement a ON a.group_key = g.group_key
         WHERE g.merged_into IS NULL AND {}",
        clause.text()
    ))?;
    let bases = statement.query_map(params_from_iter(clause.values()), |row| base(row, view.now))?;
    Ok(bases.collect::<rusqlite::Result<_>>()?)
}

fn base(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Base> {
    let ordinal: Option<u32> = row.get("ordinal")?;
    let closed_at = value::maybe_time(row, "closed_at")?;
    let announced: Option<u32> = row.get("announced_episode")?;
    let announced_at = value::maybe_time(row, "announced_at")?.unwrap_or_default();
    let standing = GroupFigures {
        now,
        open_items: value::count(row, "open_items")?,
        last_seen: value::time(row, "last_seen")?,
        episode: ordinal.map(|ordinal| LatestEpisode { ordinal, closed_at }),
        announced: announced
            .zip(value::group_state(row, "announced_state")?)
            .map(|(episode, state)| LastAnnouncement { episode, state, at: announced_at }),
    };
    let total_items = value::count(row, "total_items")?;
    Ok(Base {
        key: row.get("group_key")?,
        group_id: row.get("group_id")?,
        kind: value::kind(row, "kind")?,
        class: row.get("class")?,
        class_percent: row.get("class_percent")?,
        classes: value::maybe_json(row, "classes")?.unwrap_or_default(),
        title: row.get("title")?,
        state: group_state(&standing),
        episode: ordinal,
        open_items: standing.open_items,
        total_items,
        items_in_window: total_items,
        first_seen: value::time(row, "first_seen")?,
        last_seen: standing.last_seen,
        assigned: row.get("assigned")?,
        ticket: row.get("ticket")?,
    })
}

/// Counts each group's items in the window.
fn count_in_window(view: &ReportView<'_>, bases: &mut [Base]) -> Result<(), QueryError> {
    let Some(window) = view.window() else {
        return Ok(());
    };
    let in_window = item_counts::by_group(&item_counts::count_matching(view, Some(window))?, |_| true);
    for base in bases {
        base.items_in_window = in_window.get(&base.key).copied().unwrap_or_default();
    }
    Ok(())
}

/// Counts the items that match what only items know, and drops groups without any.
fn drop_unmatched(view: &ReportView<'_>, bases: &mut Vec<Base>) -> Result<(), QueryError> {
    let tally = item_counts::count_matching(view, None)?;
    let total = item_counts::by_group(&tally, |_| true);
    let open = item_counts::by_group(&tally, ItemState::is_unsolved);
    bases.retain_mut(|base| {
        base.total_items = total.get(&base.key).copied().unwrap_or_default();
        base.open_items = open.get(&base.key).copied().unwrap_or_default();
        if view.window().is_none() {
            base.items_in_window = base.total_items;
        }
        if base.open_items == 0 {
            base.state = GroupState::Resolved;
        }
        base.total_items > 0
    });
    Ok(())
}

pub(crate) fn sort(bases: &mut [Base], by: &str) {
    let urgency = |state| match state {
        GroupState::New => 0,
        GroupState::Regressed => 1,
        GroupState::Escalating => 2,
        GroupState::Ongoing => 3,
        GroupState::Resolved => 4,
    };
    bases.sort_by(|a, b| {
        let order = match by {
            "open" => b.open_items.cmp(&a.open_items),
            "new" => b.items_in_window.cmp(&a.items_in_window),
            "count" => b.total_items.cmp(&a.total_items),
            "last" => b.last_seen.cmp(&a.last_seen),
            "first" => b.first_seen.cmp(&a.first_seen),
            _ => urgency(a.state).cmp(&urgency(b.state)),
        };
        order
            .then(b.open_items.cmp(&a.open_items))
            .then(b.last_seen.cmp(&a.last_seen))
            .then(a.group_id.cmp(&b.group_id))
    });
}
