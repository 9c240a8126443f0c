//! What is concluded when a listing ends: which open items were missing from it, and what recovers them.

use rusqlite::{OptionalExtension, Transaction};

use crate::ledger::error::LedgerError;
use crate::model::batch::Batch;
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
pub(crate) fn finish_listing(
    tx: &Transaction<'_>,
    finish: &Finish,
    has_changes: bool,
) -> Result<Finished, LedgerError> {
    if has_changes {
        search_again(tx, finish.place)?;
    }
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

fn vanished(tx: &Transaction<'_>, place: ListingContext) -> Result<Vec<VanishedItem>, LedgerError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT DISTINCT i.item_key, i.item_id FROM observation o JOIN item i USING (item_key)
         JOIN observation w ON w.observation_key = i.observation_key
         WHERE o.batch_key = ?1 AND o.last_seen < ?2 AND i.state = 'open'
             AND (w.batch_key = o.batch_key OR {IS_RETRIED})"
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
         WHERE i.item_id = ?1 AND i.state = 'open' AND i.last_seen < ?2 AND o.batch_key <> ?3 AND b.project_key = ?4
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

/// Leaves out the batches that were made before any open item was last seen: they count as searched from now on.
///
/// # Errors
/// SQLite's.
pub(crate) fn leave_out_early(
    tx: &Transaction<'_>,
    candidates: Vec<(Batch, Answering)>,
) -> Result<Vec<(Batch, Answering)>, LedgerError> {
    let open = tx.query_row("SELECT min(last_seen) FROM item WHERE state = 'open'", (), |row| row.get(0))?;
    let open: Option<i64> = open;
    let (left, early): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|(_, answering)| open.is_some_and(|seen| seen < answering.made_at));
    for (_, answering) in early {
        batch::mark_searched(tx, answering.batch_key)?;
    }
    Ok(left)
}

/// Whether any open item could be answered by this batch; if not, the batch counts as searched from now on.
pub(crate) fn is_awaited(tx: &Transaction<'_>, answering: &Answering) -> Result<bool, LedgerError> {
    let awaited: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM batch b
                 JOIN observation o ON o.batch_key = b.batch_key
                 JOIN item i ON i.item_key = o.item_key AND i.observation_key = o.observation_key
                 WHERE b.project_key = ?3 AND b.batch_key <> ?2 AND (?4 IS NULL OR b.directory_id = ?4)
                     AND i.state = 'open' AND i.last_seen < ?1)",
        )?
        .query_row((answering.made_at, answering.batch_key, answering.project_key, &answering.directory_id), |row| {
            row.get(0)
        })?;
    if !awaited {
        batch::mark_searched(tx, answering.batch_key)?;
    }
    Ok(awaited)
}

/// Failures that became known late must be held against the newer batches that were searched before.
fn search_again(tx: &Transaction<'_>, place: ListingContext) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE batch SET searched_as = NULL
         WHERE project_key = ?1 AND batch_key <> ?2 AND searched_as IS NOT NULL
             AND created_at > (SELECT min(event_at) FROM observation WHERE batch_key = ?2 AND first_seen = ?3)",
    )?
    .execute((place.project_key, place.batch_key, place.seen_at))?;
    Ok(())
}
