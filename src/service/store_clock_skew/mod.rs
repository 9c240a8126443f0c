//! Corrects stored times in the future: they were written while the host's clock was ahead.
//!
//! The one place for it; which columns there are is in `time_columns`. It is called at the start of a process that holds
//! the ledger's lock, and when the clock was seen to be set back (`service::clock`), so that whatever reads the ledger may
//! take moments for past.

pub(crate) mod events;
#[cfg(test)]
mod tests;
pub(crate) mod time_columns;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::meta::set_meta;
use crate::ledger::time::Millis;
use crate::model::clock::TOLERANCE;
use crate::notify::store_delivery;
use crate::reprocess::store::plan;
use crate::service::store_clock_skew::time_columns::{ColumnRepair, META, TIMES};
use crate::triage::store::misdated;

/// What times are held against.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// Now, by a clock that is right.
    pub now: Timestamp,
    /// When the next digest is due: what was worked at a later time comes again. None without a schedule.
    pub next_digest: Option<Timestamp>,
    /// The clock was set back: items and their failures are looked at even if nothing else lies ahead.
    pub set_back: bool,
}

/// Sets right what lies ahead. Returns how many values there were.
///
/// A moment becomes now, and what was to end some time after it ends as long after now. A process writes by the time at
/// which its cycle began, so a minute is left alone.
pub fn set_right(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    misdated::note(tx, limit(right).0)?;
    let mut changed = ends(tx, right)?;
    changed += outbox(tx, right)?;
    changed += episodes_and_acks(tx, right)?;
    changed += plans(tx, right)?;
    changed += runs(tx, right)?;
    changed += moments(tx, right)?;
    changed += longest_ends(tx, right)?;
    changed += names(tx, right)?;
    if changed > 0 || right.set_back {
        changed += events::set_right(tx, limit(right).0, right.now)?;
    }
    Ok(changed)
}

/// What is later than this was not written by a clock that shows now.
fn limit(right: Right) -> Millis {
    after(right, TOLERANCE)
}

fn after(right: Right, time: SignedDuration) -> Millis {
    Millis(right.now.checked_add(time).unwrap_or(Timestamp::MAX))
}

fn columns() -> impl Iterator<Item = (&'static str, &'static str, ColumnRepair)> {
    TIMES.iter().flat_map(|(table, columns)| columns.iter().map(|(column, repair)| (*table, *column, *repair)))
}

/// Before the beginnings themselves are set right.
fn ends(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = 0;
    for (table, column, repair) in columns() {
        if let ColumnRepair::EndOf(from) | ColumnRepair::EndWithin(from, _) = repair {
            let sql = format!(
                "UPDATE {table} SET {column} = {column} - ({from} - ?1) WHERE {column} IS NOT NULL AND {from} > ?2"
            );
            changed += tx.execute(&sql, params![Millis(right.now), limit(right)])?;
        }
    }
    Ok(changed)
}

fn moments(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = 0;
    for (table, column, repair) in columns() {
        if repair == ColumnRepair::Past {
            let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?2");
            changed += tx.execute(&sql, params![Millis(right.now), limit(right)])?;
        }
    }
    Ok(changed)
}

/// An end that began at the right time may have been put off at a wrong one.
fn longest_ends(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = 0;
    for (table, column, repair) in columns() {
        let (latest, instead) = match repair {
            // A delivery that waits for a retry is due at once.
            ColumnRepair::EndWithin(_, longest) if table == "delivery" => {
                (after(right, SignedDuration::from_millis(longest)), Millis(right.now))
            }
            ColumnRepair::EndWithin(_, longest) => {
                let latest = after(right, SignedDuration::from_millis(longest));
                (latest, latest)
            }
            _ => continue,
        };
        changed += tx.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?2"), [instead, latest])?;
    }
    Ok(changed)
}

/// What waits unsent, and was never tried, is dated by now; a lease lasts no longer than one that begins now.
fn outbox(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = store_delivery::redate(tx, limit(right).0, right.now)?;
    changed +=
        tx.execute("UPDATE delivery SET created_at = ?1 WHERE created_at > ?2", [Millis(right.now), limit(right)])?;
    for (state, longest) in [("sending", store_delivery::LEASE), ("dead", store_delivery::CARRIED)] {
        changed += tx.execute(
            "UPDATE delivery SET lease_until = ?2 WHERE state = ?1 AND lease_until > ?2",
            params![state, after(right, longest)],
        )?;
    }
    // After a step back it is unknown how much of a wait has passed; an early try does no harm.
    if right.set_back {
        changed += tx.execute(
            "UPDATE delivery SET not_before = ?1 WHERE state = 'pending' AND not_before > ?1",
            [Millis(right.now)],
        )?;
    }
    Ok(changed)
}

/// By the right time, a group that was quiet for too long may not be; then its ack holds again, too.
fn episodes_and_acks(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = tx.execute(
        "UPDATE episode AS e SET closed_at = NULL, closed_how = NULL, closed_by = NULL
         WHERE closed_at > ?1 AND closed_how = 'quiet'
             AND ordinal = (SELECT max(n.ordinal) FROM episode n WHERE n.group_key = e.group_key)",
        [limit(right)],
    )?;
    changed += tx.execute(
        "UPDATE ack AS a SET ended_at = NULL, ended_how = NULL
         WHERE ended_at > ?1 AND ended_how = 'closed'
             AND ack_id = (SELECT max(n.ack_id) FROM ack n WHERE n.group_key = a.group_key)
             AND EXISTS (SELECT 1 FROM episode e WHERE e.group_key = a.group_key AND e.ordinal = a.episode
                 AND e.closed_at IS NULL)",
        [limit(right)],
    )?;
    for sql in
        ["UPDATE episode SET closed_at = ?1 WHERE closed_at > ?2", "UPDATE ack SET ended_at = ?1 WHERE ended_at > ?2"]
    {
        changed += tx.execute(sql, [Millis(right.now), limit(right)])?;
    }
    Ok(changed)
}

/// No one knows how long ago it was made or approved: one that is not over is too old, which costs a new plan and no money.
fn plans(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let too_old = Millis(right.now.checked_sub(plan::LIFE + TOLERANCE).unwrap_or(Timestamp::MIN));
    let (now, limit) = (Millis(right.now), limit(right));
    let mut changed = 0;
    for (sql, time) in [
        (
            "UPDATE plan SET expires_at = ?1, created_at = ?1 WHERE created_at > ?2 AND applied_at IS NULL AND result IS NULL",
            too_old,
        ),
        ("UPDATE plan SET applied_at = ?1 WHERE applied_at > ?2 AND result IS NULL", too_old),
        ("UPDATE plan SET applied_at = ?1 WHERE applied_at > ?2", now),
        ("UPDATE plan SET expires_at = expires_at - (created_at - ?1), created_at = ?1 WHERE created_at > ?2", now),
    ] {
        changed += tx.execute(sql, [time, limit])?;
    }
    Ok(changed)
}

/// Cycles come again at once; a digest that was reported comes again only where another would have come before it.
fn runs(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let next_digest = right.next_digest.map_or(limit(right), Millis);
    Ok(tx.execute(
        "DELETE FROM run WHERE due_at > CASE name WHEN 'digest' THEN max(?1, ?2) ELSE ?1 END",
        [limit(right), next_digest],
    )?)
}

fn names(tx: &Transaction<'_>, right: Right) -> Result<usize, LedgerError> {
    let mut changed = 0;
    for name in META {
        let sql = "UPDATE meta SET value = CAST(?2 AS TEXT) WHERE name = ?1 AND CAST(value AS INTEGER) > ?3";
        changed += tx.execute(sql, params![name, Millis(right.now), limit(right)])?;
    }
    Ok(changed)
}

/// Keeps the time that is known to be right, and how far the host's clock is ahead of it.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn note_known(tx: &Transaction<'_>, now: Timestamp, host_ahead: SignedDuration) -> Result<(), LedgerError> {
    set_meta(tx, "host_ahead", &host_ahead.as_millis().to_string())?;
    set_meta(tx, "clock", &now.as_millisecond().to_string())
}
