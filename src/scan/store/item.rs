//! Changes of an item's state that do not come from its own observations; the counters follow in the same transaction,
//! once the caller has written them.

use rusqlite::{OptionalExtension, Transaction};

use crate::ledger::error::LedgerError;
use crate::model::item::ItemState;
use crate::scan::store::counter_key::Slot;
use crate::scan::store::counters::Counters;
use crate::scan::store::item_state::KnownItem;

/// The evidence of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery<'a> {
    /// When the evidence was seen, in milliseconds.
    pub at: i64,
    /// A batch id or an attempt id.
    pub by: &'a str,
    /// The success came after this event time: failures up to it never open the item again. 0 if that is not known.
    pub answered_until: i64,
}

/// Calls an item recovered; false if it is not open, being retried or cancelled, or not known.
pub(crate) fn recover(
    tx: &Transaction<'_>,
    item_key: i64,
    recovery: &Recovery<'_>,
    counters: &mut Counters,
) -> Result<bool, LedgerError> {
    let lacks_result = |item: &KnownItem| item.state.is_unsolved() || item.is_cancelled();
    if !change(tx, item_key, ItemState::Recovered, lacks_result, counters)? {
        return Ok(false);
    }
    tx.prepare_cached(
        "UPDATE item SET recovered_at = ?2, recovered_by = ?3, answered_until = max(answered_until, ?4)
         WHERE item_key = ?1",
    )?
    .execute((item_key, recovery.at, recovery.by, recovery.answered_until))?;
    Ok(true)
}

/// Puts an item into another state if it is in one that `from` allows, and counts what that changes.
///
/// False if it is unknown or in another state. A newer failure opens it again whatever it was.
pub(crate) fn change_state(
    tx: &Transaction<'_>,
    item_key: i64,
    to: ItemState,
    from: impl Fn(ItemState) -> bool,
    counters: &mut Counters,
) -> Result<bool, LedgerError> {
    change(tx, item_key, to, |item| from(item.state), counters)
}

fn change(
    tx: &Transaction<'_>,
    item_key: i64,
    to: ItemState,
    from: impl Fn(&KnownItem) -> bool,
    counters: &mut Counters,
) -> Result<bool, LedgerError> {
    let item = tx.prepare_cached(KnownItem::BY_KEY)?.query_row([item_key], KnownItem::read).optional()?;
    let Some(item) = item.filter(from) else {
        return Ok(false);
    };
    let slot = item.slot(tx)?;
    tx.prepare_cached(
        "UPDATE item SET state = ?2,
             recovered_at = CASE WHEN ?2 = 'recovered' THEN recovered_at END,
             recovered_by = CASE WHEN ?2 = 'recovered' THEN recovered_by END
         WHERE item_key = ?1",
    )?
    .execute((item_key, to.as_str()))?;
    counters.add_item(Slot { state: to, ..slot.clone() });
    counters.remove_item(slot);
    Ok(true)
}
