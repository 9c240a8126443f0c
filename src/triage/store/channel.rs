//! The channels that the ledger has seen in the configuration: since when, and what each of them knows.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// A channel as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownChannel {
    /// The name in the configuration.
    pub name: String,
    /// It opens alerts at a paging provider.
    pub pager: bool,
    /// When it was first seen in the configuration.
    pub since: Timestamp,
    /// It got the inventory of groups that were open when it was added.
    pub greeted: bool,
    /// When it was first missing in the configuration; none while it is there.
    pub gone_at: Option<Timestamp>,
    /// Its addition was reported.
    pub said: bool,
}

/// All of them, by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<KnownChannel>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT name, pager, since, greeted, gone_at, said FROM channel ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        Ok(KnownChannel {
            name: row.get("name")?,
            pager: row.get("pager")?,
            since: row.get::<_, Millis>("since")?.0,
            greeted: row.get("greeted")?,
            gone_at: row.get::<_, Option<Millis>>("gone_at")?.map(|at| at.0),
            said: row.get("said")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes a channel as it is now.
pub(crate) fn upsert(tx: &Transaction<'_>, known: &KnownChannel) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO channel (name, pager, since, greeted, gone_at, said) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET pager = ?2, since = ?3, greeted = ?4, gone_at = ?5, said = ?6",
        params![known.name, known.pager, Millis(known.since), known.greeted, known.gone_at.map(Millis), known.said],
    )?;
    Ok(())
}

/// Notes that a channel knows what was open when it came.
pub(crate) fn mark_inventory_sent(tx: &Transaction<'_>, name: &str) -> Result<(), LedgerError> {
    tx.execute("UPDATE channel SET greeted = 1 WHERE name = ?1", [name])?;
    Ok(())
}

/// Notes that added and removed channels were reported.
pub(crate) fn mark_changes_announced(tx: &Transaction<'_>) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM channel WHERE gone_at IS NOT NULL", [])?;
    tx.execute("UPDATE channel SET said = 1 WHERE said = 0", [])?;
    Ok(())
}

/// Whether any digest was ever decided.
pub(crate) fn has_any_digest(connection: &Connection) -> Result<bool, LedgerError> {
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM digest)", [], |row| row.get(0))?)
}
