//! Where an item is counted, and the changes to the counts of items: `item_count` and `item_hour`.

use rusqlite::Transaction;
use rustc_hash::FxHashMap;

use crate::ledger::error::LedgerError;
use crate::ledger::time::hour;
use crate::model::item::ItemState;

/// All that the counters of items distinguish items by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// Its present group.
    pub group_key: i64,
    /// The project it was last seen in.
    pub project_key: i64,
    /// Where it stands.
    pub state: ItemState,
    /// The skip reason of its newest observation; none for failed items.
    pub skip_reason: Option<String>,
    /// The hour of that observation's event time.
    pub hour: i64,
}

impl Slot {
    /// The slot of an item that was last seen at `last_seen`, in milliseconds.
    pub(crate) fn new(
        group_key: i64,
        project_key: i64,
        state: ItemState,
        skip_reason: Option<&str>,
        last_seen: i64,
    ) -> Slot {
        Slot { group_key, project_key, state, skip_reason: skip_reason.map(str::to_owned), hour: hour(last_seen) }
    }
}

/// Pending changes, by slot; nothing is written before [`Slots::write`].
#[derive(Debug, Default)]
pub(crate) struct Slots {
    changes: FxHashMap<Slot, i64>,
}

impl Slots {
    /// An item more in a slot, or one less.
    pub(crate) fn add(&mut self, slot: Slot, change: i64) {
        *self.changes.entry(slot).or_default() += change;
    }

    /// Writes the changes.
    pub(crate) fn write(self, tx: &Transaction<'_>) -> Result<(), LedgerError> {
        let mut counts: FxHashMap<(i64, i64, ItemState, Option<String>), i64> = FxHashMap::default();
        let mut hours: FxHashMap<(i64, i64, i64, ItemState), i64> = FxHashMap::default();
        for (slot, change) in self.changes.into_iter().filter(|(_, change)| *change != 0) {
            *hours.entry((slot.hour, slot.group_key, slot.project_key, slot.state)).or_default() += change;
            *counts.entry((slot.group_key, slot.project_key, slot.state, slot.skip_reason)).or_default() += change;
        }
        write_counts(tx, counts)?;
        write_hours(tx, hours)
    }
}

fn write_counts(
    tx: &Transaction<'_>,
    changes: FxHashMap<(i64, i64, ItemState, Option<String>), i64>,
) -> Result<(), LedgerError> {
    let mut add = tx.prepare_cached(
        "INSERT INTO item_count (group_key, project_key, state, skip_reason, items) VALUES (?1, ?2, ?3, ifnull(?4, ''), ?5)
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    )?;
    let mut clear = tx.prepare_cached(
        "DELETE FROM item_count WHERE group_key = ?1 AND project_key = ?2 AND state = ?3 AND skip_reason = ifnull(?4, '')
             AND items = 0",
    )?;
    for ((group, project, state, reason), change) in changes.into_iter().filter(|(_, change)| *change != 0) {
        add.execute((group, project, state.as_str(), &reason, change))?;
        if change < 0 {
            clear.execute((group, project, state.as_str(), &reason))?;
        }
    }
    Ok(())
}

fn write_hours(tx: &Transaction<'_>, changes: FxHashMap<(i64, i64, i64, ItemState), i64>) -> Result<(), LedgerError> {
    let mut add = tx.prepare_cached(
        "INSERT INTO item_hour (hour, group_key, project_key, state, items) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET items = items + excluded.items",
    )?;
    let mut clear = tx.prepare_cached(
        "DELETE FROM item_hour WHERE hour = ?1 AND group_key = ?2 AND project_key = ?3 AND state = ?4 AND items = 0",
    )?;
    for ((hour, group, project, state), change) in changes.into_iter().filter(|(_, change)| *change != 0) {
        add.execute((hour, group, project, state.as_str(), change))?;
        if change < 0 {
            clear.execute((hour, group, project, state.as_str()))?;
        }
    }
    Ok(())
}
