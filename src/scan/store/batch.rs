//! Batches as the job list last showed them, and as they were when their items were last listed completely.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{millis, optional_millis, timestamp};
use crate::model::batch::{Batch, BatchStatus, Counted, LastListing, ListingState};
use crate::model::time::DAY;
use crate::scan::store::ingest_record::Finish;
use crate::scan::store::project::signed;
use crate::scan::unread::is_resting;

/// A newer batch whose completed items may answer failures of earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answering {
    /// Its project.
    pub project_key: i64,
    /// Its key.
    pub batch_key: i64,
    /// Its id: the evidence.
    pub batch_id: String,
    /// The directory it was made from; none if it was made from item ids, of whatever batch.
    pub directory_id: Option<String>,
    /// When it was made: its successes came later.
    pub made_at: i64,
    /// Time of the scan.
    pub seen_at: i64,
}

/// How a known batch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownBatch {
    /// Its key.
    pub batch_key: i64,
    /// Its last complete listing.
    pub listing: Option<LastListing>,
    /// Whether the job list must not stop before it: unfinished, not listed completely, or not settled by that.
    pub awaited: bool,
    /// When the job list last showed it, to the hour.
    pub last_seen: i64,
    /// The API has said that it does not exist.
    pub gone: bool,
    /// It was set aside because it cannot be read, and is not asked for now.
    pub rests: bool,
}

/// Milliseconds for which a batch that is said not to exist is still asked for: a server failing says so of anything.
const GONE_FOR_GOOD: i64 = DAY;

/// The batches of a project by id, at this time of a scan.
pub(crate) fn known_batches(
    connection: &Connection,
    project_key: i64,
    at: i64,
) -> Result<HashMap<String, KnownBatch>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id, b.batch_key, b.status, b.last_seen, b.gone_at, u.until,
             b.listed_as, b.listing_state, b.odd_since, b.relist_at
         FROM batch b LEFT JOIN unread u ON u.project_key = b.project_key AND u.batch_id = b.batch_id
         WHERE b.project_key = ?1",
    )?;
    let rows = statement.query_map([project_key], |row| {
        let status = BatchStatus::from(row.get_ref("status")?.as_str()?);
        let listing = last_listing(row)?;
        let gone_at: Option<i64> = row.get("gone_at")?;
        let followed = gone_at.is_none_or(|gone_at| at - gone_at < GONE_FOR_GOOD);
        let unsettled = !status.is_terminal() || listing.as_ref().is_none_or(|listed| listed.is_unsettled(at));
        let rests = is_resting(row.get("until")?, at);
        let known = KnownBatch {
            batch_key: row.get("batch_key")?,
            awaited: followed && unsettled && !rests,
            listing,
            last_seen: row.get("last_seen")?,
            gone: gone_at.is_some(),
            rests,
        };
        Ok((row.get("batch_id")?, known))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records batches as the job list shows them, and returns their keys in order.
///
/// Counts that it does not show stay as they were last shown, or counted by a listing.
pub(crate) fn record(
    tx: &Transaction<'_>,
    project_key: i64,
    batches: &[Batch],
    at: i64,
) -> Result<Vec<i64>, LedgerError> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO batch (project_key, batch_id, job_type, directory_id, status, total_items, processed_items,
             failed_items, skipped_items, error_message, created_at, updated_at, started_at, completed_at,
             first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)
         ON CONFLICT (project_key, batch_id) DO UPDATE SET
             job_type = excluded.job_type, directory_id = coalesce(excluded.directory_id, directory_id),
             status = excluded.status, total_items = coalesce(excluded.total_items, total_items),
             processed_items = coalesce(excluded.processed_items, processed_items),
             failed_items = coalesce(excluded.failed_items, failed_items),
             skipped_items = coalesce(excluded.skipped_items, skipped_items),
             error_message = excluded.error_message, created_at = coalesce(excluded.created_at, created_at),
             updated_at = excluded.updated_at, started_at = excluded.started_at, completed_at = excluded.completed_at,
             last_seen = excluded.last_seen, gone_at = NULL
         RETURNING batch_key",
    )?;
    let mut keys = Vec::with_capacity(batches.len());
    for batch in batches {
        keys.push(upsert.query_row(
            (
                project_key,
                &batch.batch_id,
                &batch.job_type,
                &batch.directory_id,
                batch.status.as_str(),
                batch.total_items.map(signed),
                batch.processed_items.map(signed),
                batch.failed_items.map(signed),
                batch.skipped_items.map(signed),
                &batch.error_message,
                optional_millis(batch.created_at),
                optional_millis(batch.updated_at),
                optional_millis(batch.started_at),
                optional_millis(batch.completed_at),
                at,
            ),
            |row| row.get(0),
        )?);
    }
    Ok(keys)
}

/// Notes a batch that was just made, so that scans follow it even if the job list does not show it.
pub(crate) fn expect(
    tx: &Transaction<'_>,
    project: &str,
    batch_id: &str,
    job_type: &str,
    items: usize,
    at: i64,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO batch (project_key, batch_id, job_type, status, total_items, first_seen, last_seen)
         SELECT project_key, ?2, ?3, 'pending', ?4, ?5, ?5 FROM project WHERE name = ?1
         ON CONFLICT (project_key, batch_id) DO NOTHING",
    )?
    .execute((project, batch_id, job_type, i64::try_from(items).unwrap_or(i64::MAX), at))?;
    Ok(())
}

/// The names of the projects that know each of these batches; those that none knows are missing.
pub(crate) fn projects_of(
    connection: &Connection,
    batch_ids: &[String],
) -> Result<HashMap<String, Vec<String>>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id, p.name FROM project p JOIN batch b USING (project_key)
         WHERE b.batch_id IN (SELECT value FROM json_each(?1))",
    )?;
    let mut names: HashMap<String, Vec<String>> = HashMap::new();
    let mut rows = statement.query([serde_json::json!(batch_ids).to_string()])?;
    while let Some(row) = rows.next()? {
        names.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(names)
}

/// Whether the job list has shown a batch that may do the work of another one a second time: same job type and number of
/// items, first seen since by our own clock, and no retry's own.
pub(crate) fn has_double(
    connection: &Connection,
    project: &str,
    job_type: &str,
    items: usize,
    since: i64,
) -> Result<bool, LedgerError> {
    let mut find = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM batch b JOIN project p USING (project_key)
             WHERE p.name = ?1 AND b.job_type IN (?2, '') AND (b.total_items IS NULL OR b.total_items IN (0, ?3))
                 AND b.first_seen > ?4
                 AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
                 AND b.batch_id NOT IN (SELECT j.value FROM intent n, json_each(n.duplicate_batch_ids) j
                     WHERE n.duplicate_batch_ids IS NOT NULL))",
    )?;
    Ok(find.query_row((project, job_type, i64::try_from(items).unwrap_or(i64::MAX), since), |row| row.get(0))?)
}

/// The batches of an intent's project that were known before its POST, which cannot have made them.
///
/// Clocks are not asked: one that was set back would make a batch older than the POST that made it.
pub(crate) fn known_before(connection: &Connection, intent_id: &str) -> Result<HashSet<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id FROM intent n JOIN batch b USING (project_key) WHERE n.intent_id = ?1
         AND CASE WHEN n.batches_known IS NULL THEN b.first_seen <= coalesce(n.posting_at, n.created_at)
             ELSE b.batch_key <= n.batches_known END",
    )?;
    let ids = statement.query_map([intent_id], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The ids of all batches of a project, and of the jobs of its retries.
///
/// # Errors
/// SQLite's.
pub(crate) fn all_of(connection: &Connection, project: &str) -> Result<HashSet<String>, LedgerError> {
    let mut statement = connection
        .prepare_cached("SELECT b.batch_id FROM batch b JOIN project p USING (project_key) WHERE p.name = ?1")?;
    let ids = statement.query_map([project], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Batches of a project that have not ended, as far as the job list has shown, and that are no retry's; newest first.
/// Beside them those that ended otherwise than well after `since`, in milliseconds: what was under way in them may go on.
///
/// # Errors
/// SQLite's.
pub(crate) fn running_of_others(connection: &Connection, project: &str, since: i64) -> Result<Vec<Batch>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id, b.job_type, b.directory_id, b.status, b.total_items, b.processed_items, b.failed_items,
             b.skipped_items, b.created_at, b.updated_at, b.started_at, b.completed_at
         FROM batch b JOIN project p USING (project_key)
         WHERE p.name = ?1 AND b.gone_at IS NULL
             AND (b.status NOT IN ('completed', 'failed', 'cancelled')
                 OR b.status <> 'completed' AND coalesce(b.completed_at, b.updated_at) > ?2)
             AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
         ORDER BY b.created_at DESC, b.batch_key DESC",
    )?;
    let rows = statement.query_map((project, since), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Remembers the project's id as the API names it.
pub(crate) fn name_project(tx: &Transaction<'_>, project_key: i64, project_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE project SET project_id = ?2 WHERE project_key = ?1 AND project_id IS NOT ?2")?
        .execute((project_key, project_id))?;
    Ok(())
}

/// The id under which the API last named a project; none if it never did.
pub(crate) fn project_id(connection: &Connection, project_key: i64) -> Result<Option<String>, LedgerError> {
    let mut find = connection.prepare_cached("SELECT project_id FROM project WHERE project_key = ?1")?;
    Ok(find.query_row([project_key], |row| row.get(0)).optional()?.flatten())
}

/// Marks a batch's items as completely listed, if its appearance is worth remembering.
pub(crate) fn mark_listed(tx: &Transaction<'_>, finish: &Finish) -> Result<(), LedgerError> {
    let count = |of: fn(Counted) -> u64| finish.counted.map(|counted| signed(of(counted)));
    tx.prepare_cached(
        "UPDATE batch SET listed_at = ?2, total_items = coalesce(?3, total_items),
             processed_items = coalesce(?3, processed_items), failed_items = coalesce(?4, failed_items),
             skipped_items = CASE WHEN ?3 IS NULL THEN skipped_items ELSE coalesce(skipped_items, 0) END
         WHERE batch_key = ?1",
    )?
    .execute((
        finish.place.batch_key,
        finish.place.seen_at,
        count(|counted| counted.total),
        count(|counted| counted.failed),
    ))?;
    let Some(listing) = &finish.listing else {
        tx.prepare_cached("UPDATE batch SET listed_as = NULL WHERE batch_key = ?1")?
            .execute([finish.place.batch_key])?;
        return Ok(());
    };
    // A listing that came to something else may have shown other completed items: they are searched again.
    tx.prepare_cached(
        "UPDATE batch SET listed_as = ?2, listing_state = ?3, odd_since = ?4, relist_at = ?5,
             searched_as = CASE WHEN listing_state IS ?3 AND relist_at IS ?5 THEN searched_as END
         WHERE batch_key = ?1",
    )?
    .execute((
        finish.place.batch_key,
        &listing.appearance,
        <&str>::from(listing.state),
        listing.odd_since,
        listing.relist_at,
    ))?;
    Ok(())
}

/// Has the batches listed again in which an item failed before its retry did: it may have completed there in the meantime,
/// which is only asked of items that are open.
pub(crate) fn list_again(tx: &Transaction<'_>, item_key: i64) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE batch SET listed_as = NULL
         WHERE batch_key IN (SELECT batch_key FROM observation WHERE item_key = ?1)
             AND batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)",
    )?
    .execute([item_key])?;
    Ok(())
}

/// Marks a batch's completed items as held against open ones.
pub(crate) fn mark_searched(tx: &Transaction<'_>, batch_key: i64) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE batch SET searched_as = listed_as WHERE batch_key = ?1")?.execute([batch_key])?;
    Ok(())
}

/// Remembers that the API no longer knows a batch. Nothing is concluded about its items.
pub(crate) fn mark_gone(tx: &Transaction<'_>, project_key: i64, batch_id: &str, at: i64) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE batch SET gone_at = coalesce(gone_at, ?3) WHERE project_key = ?1 AND batch_id = ?2")?
        .execute((project_key, batch_id, at))?;
    Ok(())
}

/// Those of these batches that the API has not known for a day.
pub(crate) fn gone_for_good(
    connection: &Connection,
    batch_ids: &[String],
    at: i64,
) -> Result<HashSet<String>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM batch WHERE batch_id = ?1 AND gone_at <= ?2")?;
    let mut gone = HashSet::new();
    for batch_id in batch_ids {
        if statement.exists((batch_id, at - GONE_FOR_GOOD))? {
            gone.insert(batch_id.clone());
        }
    }
    Ok(gone)
}

/// Milliseconds that a server may take to show what it has made.
const SHOWN_AFTER: i64 = 300_000;

/// Those of these batches that the API has shown since they were made, or has had the time to show.
pub(crate) fn shown_or_old(
    connection: &Connection,
    batch_ids: &[String],
    at: i64,
) -> Result<HashSet<String>, LedgerError> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM batch WHERE batch_id = ?1 AND gone_at IS NOT NULL AND (last_seen > first_seen OR first_seen <= ?2)")?;
    let mut shown = HashSet::new();
    for batch_id in batch_ids {
        if statement.exists((batch_id, at - SHOWN_AFTER))? {
            shown.insert(batch_id.clone());
        }
    }
    Ok(shown)
}

/// Batches whose completed items may answer open failures and have not been read for that, oldest first.
///
/// Made from item ids, or from the directory of the failure's batch; after the failure; finished and listed.
pub(crate) fn unsearched(connection: &Connection, project_key: i64) -> Result<Vec<(Batch, Answering)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id, b.job_type, b.directory_id, b.status, b.total_items, b.processed_items, b.failed_items,
             b.skipped_items, b.created_at, b.updated_at, b.started_at, b.completed_at, b.batch_key
         FROM batch b
         WHERE b.project_key = ?1 AND b.gone_at IS NULL AND b.created_at IS NOT NULL AND b.listed_as IS NOT NULL
             AND b.searched_as IS NOT b.listed_as
             AND b.total_items > coalesce(b.failed_items, 0) + coalesce(b.skipped_items, 0)
             AND b.batch_id NOT IN (SELECT batch_id FROM unread WHERE project_key = ?1 AND until IS NOT NULL)
         ORDER BY b.created_at, b.batch_key",
    )?;
    let rows = statement.query_map([project_key], |row| {
        let batch = read(row)?;
        let answering = Answering {
            project_key,
            batch_key: row.get("batch_key")?,
            batch_id: batch.batch_id.clone(),
            directory_id: batch.directory_id.clone(),
            made_at: batch.created_at.map_or(0, millis),
            seen_at: 0,
        };
        Ok((batch, answering))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Known batches that the job list has not shown since `before` although they have open items, longest unseen first.
pub(crate) fn unseen_with_open_items(
    connection: &Connection,
    project_key: i64,
    before: i64,
) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id FROM batch b
         WHERE b.project_key = ?1 AND b.last_seen < ?2 AND b.gone_at IS NULL AND EXISTS (
             SELECT 1 FROM observation o
             JOIN item i ON i.item_key = o.item_key AND i.observation_key = o.observation_key
             WHERE o.batch_key = b.batch_key AND i.state IN ('open', 'retrying'))
         ORDER BY b.last_seen",
    )?;
    let ids = statement.query_map((project_key, before), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    Ok(Batch {
        batch_id: row.get("batch_id")?,
        project_id: None,
        job_type: row.get("job_type")?,
        directory_id: row.get("directory_id")?,
        status: BatchStatus::from(row.get_ref("status")?.as_str()?),
        total_items: count(row.get("total_items")?),
        processed_items: count(row.get("processed_items")?),
        failed_items: count(row.get("failed_items")?),
        skipped_items: count(row.get("skipped_items")?),
        error_message: None,
        created_at: row.get::<_, Option<i64>>("created_at")?.map(timestamp),
        updated_at: row.get::<_, Option<i64>>("updated_at")?.map(timestamp),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(timestamp),
        completed_at: row.get::<_, Option<i64>>("completed_at")?.map(timestamp),
    })
}

/// The last complete listing of a batch's items; none if there is none that still counts.
pub(crate) fn listing(
    connection: &Connection,
    project_key: i64,
    batch_id: &str,
) -> Result<Option<LastListing>, LedgerError> {
    let mut find = connection.prepare_cached(
        "SELECT listed_as, listing_state, odd_since, relist_at FROM batch WHERE project_key = ?1 AND batch_id = ?2",
    )?;
    Ok(find.query_row((project_key, batch_id), last_listing).optional()?.flatten())
}

/// The listing of a row of batches. A state that this version does not know is listed again.
fn last_listing(row: &Row<'_>) -> rusqlite::Result<Option<LastListing>> {
    let Some(appearance) = row.get("listed_as")? else { return Ok(None) };
    let state = row.get_ref("listing_state")?.as_str_or_null()?.and_then(|word| word.parse().ok());
    Ok(Some(LastListing {
        appearance,
        state: state.unwrap_or(ListingState::Unsettled),
        odd_since: row.get("odd_since")?,
        relist_at: row.get("relist_at")?,
    }))
}
