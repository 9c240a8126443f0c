//! What is concluded when a listing ends: which open items were missing from it, and what recovers them.

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::ledger::error::LedgerError;
use crate::model::batch::Batch;
use crate::model::time::DAY;
use crate::scan::rules::{OpenFailure, OpenFailures};
use crate::scan::store::batch::Answering;
use crate::scan::store::counters::Counters;
use crate::scan::store::ingest_record::{Finish, ListingContext};
use crate::scan::store::{batch, item};

/// An open item that failed in a batch, and failed nowhere else since but in a retry of ours, and is no longer listed there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VanishedItem {
    /// Its key.
    pub item_key: i64,
    /// Its id.
    pub item_id: String,
}

/// What followed from one finished listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Items to be looked at; the batch counts as listed only once that is done.
    pub vanished: Vec<VanishedItem>,
}

/// Ends a listing: finds what is missing if it was complete, and else marks the batch as listed.
pub(crate) fn finish_listing(tx: &Transaction<'_>, finish: &Finish) -> Result<Finished, LedgerError> {
    if !finish.complete {
        return Ok(Finished::default());
    }
    let vanished = if is_first_sight(tx, finish.place)? { Vec::new() } else { vanished(tx, finish.place)? };
    if vanished.is_empty() {
        batch::mark_listed(tx, finish)?;
    }
    Ok(Finished { vanished })
}

/// Whether this scan is the first that saw the batch: nothing can be missing then, and to look takes a tenth of a first scan.
fn is_first_sight(tx: &Transaction<'_>, place: ListingContext) -> Result<bool, LedgerError> {
    let mut statement = tx.prepare_cached("SELECT first_seen >= ?2 FROM batch WHERE batch_key = ?1")?;
    Ok(statement.query_row((place.batch_key, place.seen_at), |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Open items of the batch that this listing does not show; one that failed again there has another job record.
fn vanished(tx: &Transaction<'_>, place: ListingContext) -> Result<Vec<VanishedItem>, LedgerError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT DISTINCT i.item_key, i.item_id FROM observation o JOIN item i USING (item_key)
         JOIN observation w ON w.observation_key = i.observation_key
         WHERE o.batch_key = ?1 AND o.last_seen < ?2 AND i.state = 'open' AND i.kind IN ('failed', 'skipped')
             AND (w.batch_key = o.batch_key OR {IS_RETRIED})
             AND NOT EXISTS (SELECT 1 FROM observation n
                 WHERE n.item_key = i.item_key AND n.batch_key = ?1 AND n.last_seen >= ?2)"
    ))?;
    let rows = statement.query_map((place.batch_key, place.seen_at), |row| {
        Ok(VanishedItem { item_key: row.get(0)?, item_id: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Recovers items that were seen completed in the batch they had failed in, then marks the batch as listed.
pub(crate) fn conclude_listing(
    tx: &Transaction<'_>,
    finish: &Finish,
    batch_id: &str,
    recovered: &[i64],
) -> Result<u64, LedgerError> {
    let mut count = 0;
    let mut counters = Counters::default();
    for item_key in recovered {
        if !failed_last_in(tx, *item_key, finish.place.batch_key)? {
            continue;
        }
        let by = item::Recovery {
            at: finish.place.seen_at,
            by: batch_id,
            // When it completed is not reported; a failure newer than the one known must open it again.
            answered_until: 0,
        };
        count += u64::from(item::recover(tx, *item_key, &by, &mut counters)?);
    }
    counters.write(tx)?;
    batch::mark_listed(tx, finish)?;
    Ok(count)
}

/// That the newest observation `w` is of a retry of ours: whatever became of that, a document that completes in the batch it had
/// failed in before has its result.
const IS_RETRIED: &str =
    "EXISTS (SELECT 1 FROM batch b JOIN intent n USING (batch_id) WHERE b.batch_key = w.batch_key)";

/// Whether the newest failure of an item is still one of this batch, or of a retry of ours.
///
/// While the statuses of this batch were asked for, another batch that is read beside it may have shown a newer failure.
fn failed_last_in(tx: &Transaction<'_>, item_key: i64, batch_key: i64) -> Result<bool, LedgerError> {
    let failed_there = tx
        .prepare_cached(&format!(
            "SELECT w.batch_key = ?2 OR {IS_RETRIED} FROM item i JOIN observation w USING (observation_key)
             WHERE i.item_key = ?1"
        ))?
        .query_row((item_key, batch_key), |row| row.get(0))
        .optional()?;
    Ok(failed_there.unwrap_or(false))
}

/// Recovers the open items among `completed`, which a newer batch has done: those that failed before it was made, in
/// another batch, of the same directory if that batch was made from one. `is_all`: nothing else can have completed in it,
/// and it need not be searched again.
pub(crate) fn recover_completed(
    tx: &Transaction<'_>,
    answering: &Answering,
    completed: &[String],
    is_all: bool,
) -> Result<u64, LedgerError> {
    let mut find = tx.prepare_cached(
        "SELECT i.item_key FROM item i
         JOIN observation o ON o.observation_key = i.observation_key
         JOIN batch b ON b.batch_key = o.batch_key
         WHERE i.item_id = ?1 AND (i.state = 'open' OR i.state = 'ignored' AND i.kind = 'cancelled') AND i.last_seen < ?2 AND o.batch_key <> ?3 AND b.project_key = ?4
             AND (?5 IS NULL OR b.directory_id = ?5)",
    )?;
    let mut count = 0;
    let mut counters = Counters::default();
    for item_id in completed {
        let failed_before =
            (item_id, answering.made_at, answering.batch_key, answering.project_key, &answering.directory_id);
        let found: Option<i64> = find.query_row(failed_before, |row| row.get(0)).optional()?;
        if let Some(item_key) = found {
            let by =
                item::Recovery { at: answering.seen_at, by: &answering.batch_id, answered_until: answering.made_at };
            count += u64::from(item::recover(tx, item_key, &by, &mut counters)?);
        }
    }
    counters.write(tx)?;
    if is_all {
        batch::mark_searched(tx, answering.batch_key)?;
    }
    Ok(count)
}

/// Leaves out the batches that can answer no open item of their project: they count as searched from now on.
pub(crate) fn leave_out_unawaited(
    tx: &Transaction<'_>,
    project_key: i64,
    at: i64,
    candidates: Vec<(Batch, Answering)>,
) -> Result<Vec<(Batch, Answering)>, LedgerError> {
    let open = open_failures(tx, project_key, at)?;
    let (awaited, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(_, answering)| {
        open.may_be_answered(answering.made_at, answering.batch_key, answering.directory_id.as_deref())
    });
    for (_, answering) in others {
        batch::mark_searched(tx, answering.batch_key)?;
    }
    Ok(awaited)
}

/// Open items that are looked at, at most, and one of each group: an outage leaves hundreds of thousands, and each scan asks.
const MOST_LOOKED_AT: usize = 2_000;

/// Milliseconds for which newer batches are searched for items that were cancelled: none of them is a failure, and a search costs
/// requests.
const CANCELLED_AWAITED: i64 = 7 * DAY;

/// The open failures of a project, the oldest of each group, and what was cancelled lately.
fn open_failures(connection: &Connection, project_key: i64, at: i64) -> Result<OpenFailures, LedgerError> {
    let mut groups = connection.prepare_cached(
        "SELECT group_key, 'open' AS state, ?1 AS since FROM error_group WHERE open_items > 0 AND kind IN ('failed', 'skipped')
         UNION ALL SELECT group_key, 'ignored', ?2 FROM error_group WHERE kind = 'cancelled' AND last_seen > ?2",
    )?;
    let groups = groups.query_map((i64::MIN, at - CANCELLED_AWAITED), |row| {
        Ok((row.get("group_key")?, row.get("state")?, row.get("since")?))
    })?;
    let groups: Vec<(i64, String, i64)> = groups.collect::<Result<_, _>>()?;
    let most = (MOST_LOOKED_AT / groups.len().max(1)).max(1);
    // The project is compared afterwards, so that a group of many projects is not walked for the few items of one.
    let mut oldest = connection.prepare_cached(
        "SELECT i.last_seen, b.project_key, b.batch_key, b.directory_id
         FROM (SELECT last_seen, observation_key FROM item WHERE group_key = ?1 AND state = ?3 AND last_seen > ?4
               ORDER BY last_seen LIMIT ?2) i
         JOIN observation o USING (observation_key) JOIN batch b USING (batch_key)",
    )?;
    let mut open = OpenFailures::default();
    for (group_key, state, since) in groups {
        let mut rows = oldest.query((group_key, i64::try_from(most).unwrap_or(i64::MAX), state, since))?;
        let (mut count, mut newest) = (0, i64::MIN);
        while let Some(row) = rows.next()? {
            let failure = OpenFailure {
                at: row.get("last_seen")?,
                batch_key: row.get("batch_key")?,
                directory_id: row.get("directory_id")?,
            };
            (count, newest) = (count + 1, newest.max(failure.at));
            if row.get::<_, i64>("project_key")? == project_key {
                open.add(failure);
            }
        }
        if count == most {
            open.unseen_from(newest);
        }
    }
    Ok(open)
}

/// Failures of a project that became known late must be held against the newer batches that were searched before:
/// those made after `oldest`.
pub(crate) fn search_again(tx: &Transaction<'_>, project_key: i64, oldest: i64) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE batch SET searched_as = NULL WHERE project_key = ?1 AND created_at > ?2 AND searched_as IS NOT NULL",
    )?
    .execute((project_key, oldest))?;
    Ok(())
}
