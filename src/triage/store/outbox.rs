//! The outbox: one delivery for each digest and channel, put there in the transaction that decides the digest.

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::triage::digest::merge::{merge, merge_alerts};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::keep;
use crate::triage::store::digest;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

/// The kind of receiver of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// People who read it: what may have arrived stays as it is, or they would read the same news twice.
    Readers,
    /// A pager channel: it drops a second copy of each event, so that everything it may not have got is merged.
    /// Were the end of an alert to overtake its beginning, the alert would stay open for good.
    Pager,
}

/// Puts a digest's content for a channel into the outbox.
///
/// What the channel has not got yet is merged into it and superseded: after an outage one message comes. The retry
/// schedule goes on where it was, so that a channel which is down for good is found dead. What died because of the
/// channel is merged too: once it is repaired, it gets what it missed.
pub(crate) fn enqueue(
    tx: &Transaction<'_>,
    channel: &str,
    content: &Digest,
    whom: For,
    page: bool,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let pager = whom == For::Pager;
    let delivery_id = format!("{}.{channel}", content.digest_id);
    let waiting = waiting(tx, channel, pager, now)?;
    let merge = if pager { merge_alerts } else { merge };
    let mut content = content.clone();
    for older in &waiting {
        content = keep(&merge(&digest::deserialize(&older.content)?, &content), MOST_GROUPS, usize::MAX);
        tx.execute(
            "UPDATE delivery SET state = 'superseded', superseded_by = ?2, lease_until = NULL WHERE delivery_id = ?1",
            [&older.delivery_id, &delivery_id],
        )?;
    }
    let is_page = page || waiting.iter().any(|older| older.page && !older.dead);
    // A page never goes on with the long waits of news: it would come late, or be given up with it.
    let pending = || waiting.iter().filter(|older| !older.dead && (older.page || !is_page));
    let attempts = pending().map(|older| older.attempts).max().unwrap_or(0);
    let not_before = if page { now } else { pending().map(|older| older.not_before).fold(now, Timestamp::max) };
    tx.execute(
        "INSERT INTO delivery (delivery_id, digest_id, channel, state, content, page, attempts, not_before, created_at)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8)",
        params![
            delivery_id,
            content.digest_id,
            channel,
            digest::serialize(&content)?,
            is_page,
            attempts,
            Millis(not_before),
            Millis(now)
        ],
    )?;
    Ok(())
}

/// What each channel gets with a digest, by channel; what it had not got before is merged into it.
///
/// # Errors
/// SQLite refuses, or a stored digest cannot be read.
pub(crate) fn contents(connection: &Connection, digest_id: &str) -> Result<Vec<(String, Digest)>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT channel, content FROM delivery WHERE digest_id = ?1 ORDER BY channel")?;
    let rows = statement.query_map([digest_id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        row.map_err(LedgerError::from).and_then(|(channel, text)| Ok((channel, digest::deserialize(&text)?)))
    })
    .collect()
}

pub(crate) struct Waiting {
    delivery_id: String,
    content: String,
    attempts: u32,
    not_before: Timestamp,
    page: bool,
    dead: bool,
}

/// What a channel has surely not got yet, oldest first.
///
/// What is finished in part is left to be finished, and what may have arrived is sent again under its own id, by which
/// receivers drop a second copy; under another id people would read the same news twice.
pub(crate) fn waiting(
    connection: &Connection,
    channel: &str,
    pager: bool,
    now: Timestamp,
) -> Result<Vec<Waiting>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT delivery_id, content, attempts, not_before, page, state = 'dead' AS dead FROM delivery
         WHERE channel = ?1 AND ((state = 'pending' AND (?3 OR (done = '[]' AND uncertain = 0)))
             OR (state = 'dead' AND lease_until > ?2))
         ORDER BY created_at, delivery_id",
    )?;
    let rows = statement.query_map(params![channel, Millis(now), pager], |row| {
        Ok(Waiting {
            delivery_id: row.get("delivery_id")?,
            content: row.get("content")?,
            attempts: row.get("attempts")?,
            not_before: row.get::<_, Millis>("not_before")?.0,
            page: row.get("page")?,
            dead: row.get("dead")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The most groups of a digest that others were joined to; what is beyond is counted as left out.
pub(crate) const MOST_GROUPS: usize = 200;
