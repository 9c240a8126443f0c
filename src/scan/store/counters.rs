//! Changes to the counters of groups and items, collected in memory and written once at the end of a transaction.
//!
//! What they count: `open_items` items whose present group it is and that are open or being retried; `total_items` items
//! that have an observation in it; `failures` observations in it, also by hour of event time and by batch.
//! Items are counted where they stand: see [`Slot`].

use rusqlite::Transaction;
use rustc_hash::FxHashMap;

use crate::ledger::error::LedgerError;
use crate::ledger::time::hour;
use crate::scan::store::counter_key::{Slot, Slots};

#[derive(Clone, Copy, Debug)]
struct Delta {
    open_items: i64,
    total_items: i64,
    failures: i64,
    first_seen: i64,
    last_seen: i64,
}

impl Default for Delta {
    fn default() -> Self {
        Delta { open_items: 0, total_items: 0, failures: 0, first_seen: i64::MAX, last_seen: i64::MIN }
    }
}

/// Pending changes; nothing is written before [`Counters::write`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    groups: FxHashMap<i64, Delta>,
    hours: FxHashMap<(i64, i64), i64>,
    batches: FxHashMap<(i64, i64), i64>,
    slots: Slots,
}

impl Counters {
    /// One observation more in a group.
    pub(crate) fn add_observation(&mut self, group_key: i64, batch_key: i64, event_at: i64) {
        self.count_observation(group_key, batch_key, event_at, 1);
        let delta = self.groups.entry(group_key).or_default();
        delta.first_seen = delta.first_seen.min(event_at);
        delta.last_seen = delta.last_seen.max(event_at);
    }

    /// One observation less in a group.
    pub(crate) fn remove_observation(&mut self, group_key: i64, batch_key: i64, event_at: i64) {
        self.count_observation(group_key, batch_key, event_at, -1);
    }

    /// An item stands here from now on.
    pub(crate) fn add_item(&mut self, slot: Slot) {
        self.count_item(slot, 1);
    }

    /// An item stands here no longer.
    pub(crate) fn remove_item(&mut self, slot: Slot) {
        self.count_item(slot, -1);
    }

    /// Items that came into a group, or left it altogether (negative).
    pub(crate) fn total_items(&mut self, group_key: i64, change: i64) {
        self.groups.entry(group_key).or_default().total_items += change;
    }

    fn count_item(&mut self, slot: Slot, change: i64) {
        if slot.state.is_unsolved() {
            self.groups.entry(slot.group_key).or_default().open_items += change;
        }
        self.slots.add(slot, change);
    }

    fn count_observation(&mut self, group_key: i64, batch_key: i64, event_at: i64, change: i64) {
        self.groups.entry(group_key).or_default().failures += change;
        *self.hours.entry((group_key, hour(event_at))).or_default() += change;
        *self.batches.entry((group_key, batch_key)).or_default() += change;
    }

    /// Writes the changes.
    pub(crate) fn write(self, tx: &Transaction<'_>) -> Result<(), LedgerError> {
        // A group without observations has no times of its own yet.
        let mut update = tx.prepare_cached(
            "UPDATE error_group SET
                 open_items = open_items + ?2, total_items = total_items + ?3, failures = failures + ?4,
                 first_seen = CASE WHEN failures = 0 AND ?5 <= ?6 THEN ?5 ELSE min(first_seen, ?5) END,
                 last_seen  = CASE WHEN failures = 0 AND ?5 <= ?6 THEN ?6 ELSE max(last_seen, ?6) END
             WHERE group_key = ?1",
        )?;
        for (group_key, delta) in self.groups {
            update.execute((
                group_key,
                delta.open_items,
                delta.total_items,
                delta.failures,
                delta.first_seen,
                delta.last_seen,
            ))?;
        }
        write_table(tx, "group_hour", "hour", self.hours)?;
        write_table(tx, "group_batch", "batch_key", self.batches)?;
        self.slots.write(tx)
    }
}

fn write_table(
    tx: &Transaction<'_>,
    table: &str,
    column: &str,
    changes: FxHashMap<(i64, i64), i64>,
) -> Result<(), LedgerError> {
    let mut add = tx.prepare_cached(&format!(
        "INSERT INTO {table} (group_key, {column}, failures) VALUES (?1, ?2, ?3)
         ON CONFLICT (group_key, {column}) DO UPDATE SET failures = failures + excluded.failures"
    ))?;
    let mut clear =
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE group_key = ?1 AND {column} = ?2 AND failures = 0"))?;
    for ((group_key, place), change) in changes {
        if change != 0 {
            add.execute((group_key, place, change))?;
        }
        if change < 0 {
            clear.execute((group_key, place))?;
        }
    }
    Ok(())
}
