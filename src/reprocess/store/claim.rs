//! Claims: an item belongs to at most one intent that is not over.

use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;

/// Claims an item for an intent; false if it is unknown or another intent has it.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn take(tx: &Transaction<'_>, item_id: &str, intent_id: &str) -> Result<bool, LedgerError> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO claim (item_key, intent_id) SELECT item_key, ?2 FROM item WHERE item_id = ?1
             ON CONFLICT (item_key) DO NOTHING",
        )?
        .execute(params![item_id, intent_id])?;
    Ok(changed > 0)
}

/// Gives one item back.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn release(tx: &Transaction<'_>, item_key: i64, intent_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM claim WHERE item_key = ?1 AND intent_id = ?2")?
        .execute(params![item_key, intent_id])?;
    Ok(())
}

/// Gives all items of an intent back.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn release_all(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM claim WHERE intent_id = ?1")?.execute([intent_id])?;
    Ok(())
}
