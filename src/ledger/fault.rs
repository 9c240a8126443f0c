//! The worker's own faults: one row each, until their end is reported.
//!
//! Call [`raise`] whenever a fault is seen and [`clear`] when it is over; a digest reports the
//! beginning and the end once each. A fault that recurs within an hour, before its end was reported, simply goes on,
//! for its alert, too, which ends only after that hour; one that recurs later is reported again, as news like any
//! other, for no one waits for the daily digest to learn that it was over between.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::model::fault::Fault;
use crate::model::time::HOUR;

/// How long a fault must have been over to be news when it recurs, and for its alert to end, in milliseconds.
const OVER: i64 = HOUR;

/// The value of `announced` if only an earlier beginning was reported, whose end may still be unreported.
const EARLIER: &str = "";

/// Notes that a fault is there. `fault` is a stable key such as `scan:prod`; `text` says what happened and what to do.
pub(crate) fn raise(tx: &Transaction<'_>, fault: &str, text: &str, now: Timestamp) -> Result<(), LedgerError> {
    let text = crate::secrets::mask(text);
    tx.prepare_cached(
        // Where the end was reported, the fault is news however soon it is back: the clock may have been set back.
        "INSERT INTO worker_fault (fault, text, since, last_seen) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (fault) DO UPDATE SET text = ?2, last_seen = ?3, count = count + 1, ended_at = NULL, over_told = NULL,
             since = CASE WHEN ended_at <= ?3 - ?4 OR over_told IS NOT NULL THEN ?3 ELSE since END,
             scope = CASE WHEN over_told IS NULL THEN scope END,
             announced = CASE WHEN announced IS NOT NULL AND (ended_at <= ?3 - ?4 OR over_told IS NOT NULL) THEN ?5
                              ELSE announced END",
    )?
    .execute(params![fault, text, Millis(now), OVER, EARLIER])?;
    Ok(())
}

/// Notes that a fault is over. One that was not reported is deleted.
pub(crate) fn clear(tx: &Transaction<'_>, fault: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM worker_fault WHERE fault = ?1 AND announced IS NULL")?.execute([fault])?;
    tx.prepare_cached("UPDATE worker_fault SET ended_at = ?2 WHERE fault = ?1 AND ended_at IS NULL")?
        .execute(params![fault, Millis(now)])?;
    Ok(())
}

/// Makes these the only faults that begin with `prefix`: raises each, by the rest of its key, and ends the others.
pub(crate) fn replace(
    tx: &Transaction<'_>,
    prefix: &str,
    faults: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    for key in active_with_prefix(tx, prefix)? {
        if !faults.contains_key(&key[prefix.len()..]) {
            clear(tx, &key, now)?;
        }
    }
    faults.iter().try_for_each(|(key, text)| raise(tx, &format!("{prefix}{key}"), text, now))
}

/// Ends the faults that begin with this, were reported and began before then.
pub(crate) fn clear_announced(
    tx: &Transaction<'_>,
    prefix: &str,
    before: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE worker_fault SET ended_at = ?3 WHERE substr(fault, 1, length(?1)) = ?1 AND ended_at IS NULL
             AND since < ?2 AND coalesce(announced, '') <> ''",
    )?
    .execute(params![prefix, Millis(before), Millis(now)])?;
    Ok(())
}

/// The keys of faults that have not ended and begin with this.
pub(crate) fn active_with_prefix(connection: &Connection, prefix: &str) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT fault FROM worker_fault WHERE substr(fault, 1, length(?1)) = ?1 AND ended_at IS NULL ORDER BY fault",
    )?;
    let keys = statement.query_map([prefix], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// A fault, and whether people know of its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownFault {
    /// What a digest shows.
    pub fault: Fault,
    /// It was reported that it began.
    pub announced: bool,
}

impl KnownFault {
    /// Whether a digest must be sent for it: its beginning is unreported.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.announced && !self.fault.ended
    }

    /// Whether it is news at all: its beginning or its end is not known.
    pub(crate) fn is_unannounced(&self) -> bool {
        !self.announced || self.fault.ended
    }
}

/// Faults that ended an hour ago or earlier, whose alerts are still open.
pub(crate) fn ended_with_open_alert(connection: &Connection, now: Timestamp) -> Result<Vec<Fault>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT fault, text, since, ended_at, scope FROM worker_fault
         WHERE announced IS NOT NULL AND ended_at <= ?1 - ?2 AND over_told IS NULL ORDER BY since, fault",
    )?;
    let rows = statement.query_map(params![Millis(now), OVER], fault)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that the alerts of these faults, which are over, were asked to end.
pub(crate) fn mark_resolve_sent(tx: &Transaction<'_>, faults: &[Fault], now: Timestamp) -> Result<(), LedgerError> {
    for fault in faults {
        tx.execute("UPDATE worker_fault SET over_told = ?2 WHERE fault = ?1", params![fault.fault, Millis(now)])?;
    }
    Ok(())
}

/// The faults that are over and whose alerts were asked to end.
pub(crate) fn resolve_sent(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection
        .prepare_cached("SELECT fault FROM worker_fault WHERE over_told IS NOT NULL AND ended_at IS NOT NULL")?;
    let keys = statement.query_map([], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn fault(row: &Row<'_>) -> rusqlite::Result<Fault> {
    Ok(Fault {
        fault: row.get("fault")?,
        text: row.get("text")?,
        since: row.get::<_, Millis>("since")?.0,
        ended: row.get::<_, Option<Millis>>("ended_at")?.is_some(),
        alert_scope: row.get("scope")?,
    })
}

/// All faults that last, or ended unreported; the oldest first.
pub(crate) fn all(connection: &Connection) -> Result<Vec<KnownFault>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT fault, text, since, ended_at, scope, announced FROM worker_fault ORDER BY since, fault",
    )?;
    let rows = statement.query_map([], |row| {
        let announced: Option<String> = row.get("announced")?;
        Ok(KnownFault { fault: fault(row)?, announced: announced.is_some_and(|digest| digest != EARLIER) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a digest reported these faults, under this scope where they had none; the ended ones are forgotten.
pub(crate) fn mark_announced(
    tx: &Transaction<'_>,
    faults: &[Fault],
    digest_id: &str,
    scope: &str,
) -> Result<(), LedgerError> {
    for fault in faults {
        if fault.ended {
            tx.execute("DELETE FROM worker_fault WHERE fault = ?1 AND ended_at IS NOT NULL", [&fault.fault])?;
        } else {
            tx.execute(
                "UPDATE worker_fault SET announced = coalesce(nullif(announced, ?3), ?2), scope = coalesce(scope, ?4)
                 WHERE fault = ?1",
                [&fault.fault, digest_id, EARLIER, scope],
            )?;
        }
    }
    Ok(())
}
