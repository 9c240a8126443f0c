//! Grouping again what is there, after an upgrade that groups better.
//!
//! A group is never split: whatever its messages are grouped into now becomes part of it, and its id stays.
//! Two old groups whose messages now belong together become one; the older id lives on.

use jiff::Timestamp;
use rusqlite::Transaction;

use super::sighting::GroupChange;
use super::{LedgerError, group};
use crate::core::grouping::{GroupHandle, Grouper, Subject};
use crate::core::item::Kind;

/// Groups every stored message again. Returns the messages read and the groups that became part of another.
///
/// # Errors
/// SQLite's, or a stored group that cannot be read back.
pub fn regroup(tx: &Transaction<'_>, now: Timestamp) -> Result<(u64, u64), LedgerError> {
    let mut grouper = group::restore(tx)?;
    let before = grouper.survivors().count();
    let mut messages = 0;
    // Oldest group first, so that the older of two lives on.
    let mut read = tx.prepare(
        "SELECT DISTINCT s.group_id, o.kind, b.job_type, o.skip_reason, m.text
         FROM observation o JOIN error_group g USING (group_key) JOIN batch b USING (batch_key)
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         LEFT JOIN message m USING (message_key) ORDER BY s.group_key",
    )?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let (id, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let (job_type, skip_reason, text): (String, Option<String>, Option<String>) =
            (row.get(2)?, row.get(3)?, row.get(4)?);
        let unreadable = |what| LedgerError::Unreadable { what, value: id.clone() };
        let kind = Kind::from_word(&kind).ok_or_else(|| unreadable("kind"))?;
        let home = id.parse().ok().and_then(|id| grouper.handle_of(&id)).ok_or_else(|| unreadable("group id"))?;
        let subject =
            Subject { kind, job_type: &job_type, skip_reason: skip_reason.as_deref(), message: text.as_deref() };
        let found = grouper.assign(&subject);
        join(&mut grouper, found, home);
        messages += 1;
    }
    let changes: Vec<GroupChange> = grouper.take_changes().into_iter().map(GroupChange::unclassified).collect();
    group::store(tx, &changes, now.as_millisecond())?;
    group::next_generation(tx)?;
    let after = grouper.survivors().count();
    Ok((messages, u64::try_from(before.saturating_sub(after)).unwrap_or(0)))
}

/// Makes two groups one, the one with the smaller handle, which is the older, living on.
fn join(grouper: &mut Grouper, one: GroupHandle, other: GroupHandle) {
    let (one, other) = (grouper.resolve(one), grouper.resolve(other));
    if one != other {
        let (older, younger) = if one < other { (one, other) } else { (other, one) };
        grouper.merge(younger, older);
    }
}
