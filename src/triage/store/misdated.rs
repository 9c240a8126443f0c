//! Digests that were sent with the date of a clock that was ahead: kept until they are reported.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};
use crate::ledger::time::Millis;

/// The name of the list in `meta`.
const NAME: &str = "misdated_digests";

/// Names shown; more are counted.
const SHOWN: usize = 5;

/// Records the digests dated later than `limit` that may have been delivered. Call it before their dates are corrected.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn note(tx: &Transaction<'_>, limit: Timestamp) -> Result<(), LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT digest_id FROM digest d WHERE created_at > ?1
             AND EXISTS (SELECT 1 FROM delivery v WHERE v.digest_id = d.digest_id AND v.attempts > 0)
         ORDER BY created_at, digest_id",
    )?;
    let found = statement.query_map([Millis(limit)], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    if found.is_empty() {
        return Ok(());
    }
    let mut ids = known(tx)?;
    ids.extend(found);
    ids.dedup();
    set_meta(tx, NAME, &ids.join(" "))
}

/// What people must know of them; none if there are none.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn remark(connection: &Connection) -> Result<Option<String>, LedgerError> {
    let ids = known(connection)?;
    let more = match ids.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = ids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    Ok((!ids.is_empty())
        .then(|| format!("The clock of this host was ahead. Digests sent with a wrong date: {shown}{more}.")))
}

/// Records that they were reported.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn forget(tx: &Transaction<'_>) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM meta WHERE name = ?1", [NAME])?;
    Ok(())
}

fn known(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let kept = meta(connection, NAME)?.unwrap_or_default();
    Ok(kept.split_whitespace().map(str::to_owned).collect())
}
