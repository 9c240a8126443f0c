//! The worker's last known time, for commands that run beside it: the worker may have found the host's clock wrong.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::meta::meta;
use crate::ledger::time::Millis;
use crate::model::clock;

/// What time it is for a person's act beside the worker: by the host's clock, or where that is wrong, as the worker has found.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn beside(ledger: &Ledger, host: Timestamp) -> Result<Timestamp, LedgerError> {
    let read = |connection: &Connection| Ok((last_known(connection)?, host_ahead(connection)?));
    let (known, ahead) = ledger.read(read).await?;
    Ok(known.map_or(host, |known| clock::beside(host, known, ahead)))
}

/// The newest time that the worker knew, or wrote before it kept that; none in a new ledger.
pub(crate) fn last_known(connection: &Connection) -> Result<Option<Timestamp>, LedgerError> {
    let kept = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'clock'";
    let kept: Option<Millis> = connection.query_row(kept, [], |row| row.get(0)).optional()?;
    if let Some(kept) = kept {
        return Ok(Some(kept.0));
    }
    let newest: Option<Millis> = connection.query_row("SELECT max(started_at) FROM scan", [], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

/// How far the host's clock was ahead of that time; zero where that was not noted.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn host_ahead(connection: &Connection) -> Result<SignedDuration, LedgerError> {
    let kept = meta(connection, "host_ahead")?;
    Ok(SignedDuration::from_millis(kept.and_then(|kept| kept.parse().ok()).unwrap_or_default()))
}
