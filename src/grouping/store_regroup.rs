//! Grouping again what is there, after an upgrade that groups better.
//!
//! A group is never split: whatever its messages are grouped into now becomes part of it, and its id stays.
//! Two old groups whose messages now belong together become one; the older id lives on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::grouping::group_change::GroupChange;
use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::GroupHandle;
use crate::grouping::{VERSION, store_group};
use crate::ledger::error::LedgerError;
use crate::model::item::Kind;
use crate::progress;

/// Whether some group was made by a version of this program that grouped otherwise: its messages would found new groups
/// beside it.
pub(crate) fn is_due(connection: &Connection) -> Result<bool, LedgerError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM error_group WHERE grouping_version < ?1)";
    Ok(connection.query_row(sql, [VERSION], |row| row.get(0))?)
}

/// Groups every stored message again. Returns the messages read and the groups that became part of another.
///
/// # Errors
/// SQLite's, or a stored group that cannot be read back.
pub(crate) fn regroup(tx: &Transaction<'_>, now: Timestamp) -> Result<(u64, u64), LedgerError> {
    let mut grouper = store_group::restore(tx)?;
    // What today's rules make of the messages alone: a group that was stored as its own stays so when it is taken up again.
    let mut fresh = Grouper::new();
    let mut homes = BTreeSet::new();
    let before = grouper.survivors().count();
    let mut messages = 0;
    // Oldest group first, so that the older of two lives on.
    let mut read = tx.prepare(
        "SELECT DISTINCT s.group_id, o.kind, b.job_type, o.skip_reason, m.text, i.item_name
         FROM observation o JOIN error_group g USING (group_key) JOIN batch b USING (batch_key)
         JOIN item i USING (item_key)
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         LEFT JOIN message m USING (message_key) ORDER BY s.group_key",
    )?;
    // A message may stand for several subjects, so the number is not exact.
    let known: u32 = tx.query_row("SELECT count(*) FROM message", [], |row| row.get(0))?;
    progress::begin("regrouping messages", known.into());
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        progress::advance();
        let (id, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let (job_type, skip_reason, text, name): (String, Option<String>, Option<String>, Option<String>) =
            (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        let unreadable = |what| LedgerError::Unreadable { what, value: id.clone() };
        let kind = Kind::try_from(kind.as_str()).map_err(|_| unreadable("kind"))?;
        let home = id.parse().ok().and_then(|id| grouper.handle_of(&id)).ok_or_else(|| unreadable("group id"))?;
        let subject = Subject {
            kind,
            job_type: &job_type,
            skip_reason: skip_reason.as_deref(),
            message: text.as_deref(),
            item_name: name.as_deref(),
        };
        let found = grouper.assign(&subject);
        join(&mut grouper, found, home);
        homes.insert((fresh.assign(&subject), home));
        messages += 1;
    }
    let mut first_homes = BTreeMap::new();
    for (group, home) in homes {
        let first = *first_homes.entry(fresh.resolve(group)).or_insert(home);
        join(&mut grouper, first, home);
    }
    grouper.renew_titles();
    let changes: Vec<GroupChange> = grouper.take_changes().into_iter().map(GroupChange::unclassified).collect();
    store_group::store(tx, &changes, now.as_millisecond())?;
    tx.execute("UPDATE error_group SET grouping_version = ?1 WHERE grouping_version < ?1", [VERSION])?;
    store_group::next_generation(tx)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grouping::state::StoredGroup;
    use crate::ledger::check::check;
    use crate::ledger::open::in_memory;
    use crate::model::item::Observation;
    use crate::scan::store::ingest::ingest;
    use crate::scan::store::ingest_record::{IngestWork, ListingContext, Sighting};

    /// Two messages that are one group today, each in a group of its own, as an earlier version might have left them.
    const MESSAGES: [&str; 2] = ["password required for report.pdf", "password required for 契約書 final.pdf"];

    fn take_in(connection: &mut Connection, message: &str, at: i64) {
        // A grouper that knows nothing else keeps it apart.
        let mut grouper = Grouper::new();
        let subject = Subject {
            kind: Kind::Failed,
            job_type: "parse",
            skip_reason: None,
            message: Some(message),
            item_name: None,
        };
        let group = grouper.assign(&subject);
        let stored = grouper.take_changes().into_iter().map(|stored| StoredGroup { version: VERSION - 1, ..stored });
        let observation = Observation {
            item_id: format!("i{at}"),
            item_name: "a.pdf".to_owned(),
            kind: Kind::Failed,
            message: Some(message.to_owned()),
            skip_reason: None,
            job_id: None,
            job_record_id: None,
            started_at: None,
            completed_at: None,
            effective_at: None,
        };
        let place = ListingContext { project_key: 1, batch_key: 1, seen_at: at, baseline_until: 0 };
        let work = IngestWork {
            changes: stored.map(GroupChange::unclassified).collect(),
            groups: vec![grouper.id(group).clone()],
            sightings: vec![Sighting::new(place, &observation)],
            finished: Vec::new(),
        };
        let tx = connection.transaction().unwrap();
        ingest(&tx, &work, at).unwrap();
        tx.commit().unwrap();
    }

    #[test]
    fn groups_of_an_earlier_version_join_once_and_their_ids_keep_resolving() {
        let mut connection = in_memory();
        let account = "INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'p', NULL, 100, NULL);
            INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
            VALUES (1, 1, 'a', 'parse', 'completed', 0, 0)";
        connection.execute_batch(account).unwrap();
        for (message, at) in MESSAGES.into_iter().zip(1..) {
            take_in(&mut connection, message, at);
        }
        let ids: Vec<String> = {
            let mut statement = connection.prepare("SELECT group_id FROM error_group ORDER BY group_key").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(ids.len(), 2);
        assert!(is_due(&connection).unwrap());
        let tx = connection.transaction().unwrap();
        assert_eq!(regroup(&tx, Timestamp::UNIX_EPOCH).unwrap(), (2, 1));
        tx.commit().unwrap();
        assert!(!is_due(&connection).unwrap(), "once is enough");
        assert_eq!(check(&connection).unwrap(), Vec::<String>::new());
        let older = store_group::key(&connection, &ids[0]).unwrap();
        assert!(older.is_some());
        assert_eq!(
            store_group::key(&connection, &ids[1]).unwrap(),
            older,
            "the younger id resolves to the older group"
        );
        let open: i64 = connection
            .query_row("SELECT open_items FROM error_group WHERE group_key = ?1", [older], |row| row.get(0))
            .unwrap();
        assert_eq!(open, 2);
    }
}
