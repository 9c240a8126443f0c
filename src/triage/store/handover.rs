//! What channels that are no longer configured have not got: read, so that others get it, and settled.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::triage::digest::model::Digest;
use crate::triage::digest::remark::Remark;
use crate::triage::store::digest;

/// A delivery that its channel will never get.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UndeliveredDelivery {
    /// The delivery.
    pub delivery_id: String,
    /// The channel that is gone.
    pub channel: String,
    /// It passes quiet hours.
    pub page: bool,
    /// What it says.
    pub content: Digest,
}

/// What waits, may have arrived, or died because of the channel, of all channels but the `configured` ones; oldest first.
///
/// A try that is under way is waited for: it ends within its lease.
pub(crate) fn undelivered(
    connection: &Connection,
    configured: &[&str],
    now: Timestamp,
) -> Result<Vec<UndeliveredDelivery>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT delivery_id, channel, page, content FROM delivery
         WHERE (state = 'pending' OR (state = 'sending' AND lease_until <= ?2) OR (state = 'dead' AND lease_until > ?2))
           AND channel NOT IN (SELECT value FROM json_each(?1))
         ORDER BY created_at, delivery_id",
    )?;
    let rows = statement
        .query_map(params![serde_json::json!(configured).to_string(), Millis(now)], |row| row.try_into())?
        .collect::<Result<Vec<(String, String, bool, String)>, _>>()?;
    rows.into_iter()
        .map(|(delivery_id, channel, page, content)| {
            Ok(UndeliveredDelivery { delivery_id, channel, page, content: digest::deserialize(&content)? })
        })
        .collect()
}

/// What a channel was sent, or will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SentContent {
    /// Group ids with their episodes.
    pub groups: HashSet<(String, u32)>,
    /// Keys of worker faults.
    pub faults: HashSet<String>,
    /// What else digests said.
    pub remarks: HashSet<Remark>,
}

/// What a channel was sent by digests decided since `since`, or will be.
pub(crate) fn sent_to(connection: &Connection, channel: &str, since: Timestamp) -> Result<SentContent, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM delivery WHERE channel = ?1 AND created_at >= ?2
           AND (state <> 'dead' OR lease_until IS NOT NULL)",
    )?;
    let rows = statement.query_map(params![channel, Millis(since)], |row| row.get::<_, String>(0))?;
    let mut got = SentContent::default();
    for content in rows {
        let content = digest::deserialize(&content?)?;
        let entries = content.changes.into_iter().chain(content.still_open);
        got.groups.extend(entries.map(|entry| (entry.group_id, entry.episode)));
        got.faults.extend(content.faults.into_iter().map(|fault| fault.fault));
        got.remarks.extend(content.remarks);
    }
    Ok(got)
}

/// Notes that what a delivery says went to another channel, or is known there: `by` is that delivery.
pub(crate) fn mark_handed_over(tx: &Transaction<'_>, delivery_id: &str, by: Option<&str>) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE delivery SET state = 'superseded', superseded_by = ?2, lease_until = NULL,
           last_error = 'the channel is no longer configured' WHERE delivery_id = ?1",
        params![delivery_id, by],
    )?;
    Ok(())
}
