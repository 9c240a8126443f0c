//! What scans could not read: a batch, or rows of the batch list.

use jiff::SignedDuration;
use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::model::batch_api::BatchApi;
use crate::scan::store::project_api::OF_V2;
use crate::scan::unread::UnreadCount;

/// What stands for the batch list of an API itself; no batch has an id that begins with a blank.
pub(crate) fn batch_list(api: BatchApi) -> &'static str {
    match api {
        BatchApi::V2 => " v2",
        BatchApi::V1Beta => " v1-beta",
    }
}

/// Notes that a batch could not be read by the scan at `at` (milliseconds), and says how often in a row that is now.
pub(crate) fn note(
    tx: &Transaction<'_>,
    project_key: i64,
    batch_id: &str,
    at: i64,
) -> Result<UnreadCount, LedgerError> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO unread (project_key, batch_id, scans, since, at) VALUES (?1, ?2, 1, ?3, ?3)
         ON CONFLICT (project_key, batch_id) DO UPDATE SET scans = scans + (at <> ?3), at = ?3, since = min(since, ?3)
         RETURNING scans, at - since",
    )?;
    Ok(upsert.query_row((project_key, batch_id, at), |row| {
        Ok(UnreadCount { scans: row.get(0)?, lasting: SignedDuration::from_millis(row.get(1)?) })
    })?)
}

/// Lets a batch rest until then (milliseconds).
pub(crate) fn rest(tx: &Transaction<'_>, project_key: i64, batch_id: &str, until: i64) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE unread SET until = ?3 WHERE project_key = ?1 AND batch_id = ?2")?.execute((
        project_key,
        batch_id,
        until,
    ))?;
    Ok(())
}

/// Forgets that a batch could not be read. Nothing happens if it always could.
pub(crate) fn forget(tx: &Transaction<'_>, project_key: i64, batch_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM unread WHERE project_key = ?1 AND batch_id = ?2")?
        .execute((project_key, batch_id))?;
    Ok(())
}

/// The ids of the batches of a project that could not be read; batch lists are among them as [`batch_list`].
pub(crate) fn all(connection: &Connection, project_key: i64) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT batch_id FROM unread WHERE project_key = ?1")?;
    let ids = statement.query_map([project_key], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The newest batch of each API of a project that was read to its end, by the prefixes of their ids.
pub(crate) fn readable(connection: &Connection, project_key: i64) -> Result<Vec<String>, LedgerError> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT b.batch_id, max(b.listed_at) FROM batch b
         WHERE b.project_key = ?1 AND b.listed_at IS NOT NULL AND b.gone_at IS NULL
             AND b.batch_id NOT IN (SELECT batch_id FROM unread WHERE project_key = ?1)
         GROUP BY {OF_V2} ORDER BY 2 DESC"
    ))?;
    let ids = find.query_map([project_key], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A batch that LlamaCloud has not known for a while although it had not ended, or its items were never listed to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VanishedBatch {
    /// Its id.
    pub batch_id: String,
    /// When it was last seen, in milliseconds.
    pub last_seen: i64,
    /// Since when LlamaCloud has not known it, in milliseconds.
    pub gone_at: i64,
}

/// The batches of a project that vanished unread between these times (milliseconds), in the order in which they did; without those
/// that retries made.
pub(crate) fn vanished(
    connection: &Connection,
    project_key: i64,
    (from, until): (i64, i64),
) -> Result<Vec<VanishedBatch>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.batch_id, b.last_seen, b.gone_at FROM batch b
         WHERE b.project_key = ?1 AND b.gone_at > ?2 AND b.gone_at <= ?3
             AND (b.listed_at IS NULL OR b.status NOT IN ('completed', 'failed', 'cancelled'))
             AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
             AND b.batch_id NOT IN (SELECT batch_id FROM unread WHERE project_key = ?1)
         ORDER BY b.gone_at, b.batch_key",
    )?;
    let rows = statement.query_map((project_key, from, until), |row| {
        Ok(VanishedBatch {
            batch_id: row.get("batch_id")?,
            last_seen: row.get("last_seen")?,
            gone_at: row.get("gone_at")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest batch of each API, by the prefixes of their ids, that was made between these times (milliseconds) and that its batch
/// list showed before `seen_before`, but not since: if it is gone, the list has been cut off.
pub(crate) fn newest_hidden(
    connection: &Connection,
    project_key: i64,
    (made_from, made_until): (i64, i64),
    seen_before: i64,
) -> Result<Vec<String>, LedgerError> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT b.batch_id, max(b.created_at) FROM batch b
         WHERE b.project_key = ?1 AND b.created_at >= ?2 AND b.created_at < ?3 AND b.last_seen < ?4
             AND (b.gone_at IS NULL OR b.gone_at >= ?4)
             AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
         GROUP BY {OF_V2} ORDER BY 2 DESC"
    ))?;
    let ids = find.query_map((project_key, made_from, made_until, seen_before), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::Seed;

    #[test]
    fn scans_are_counted_once_each_and_forgotten_when_it_reads_well() {
        let mut seed = Seed::new();
        let key: i64 =
            seed.connection.query_row("SELECT project_key FROM project LIMIT 1", [], |row| row.get(0)).unwrap();
        let mut noted = |at| seed.write(|tx| note(tx, key, "b", at)).unwrap();
        assert_eq!(noted(1_000), UnreadCount { scans: 1, lasting: SignedDuration::ZERO });
        assert_eq!(noted(1_000).scans, 1, "twice in one scan");
        assert_eq!(noted(4_000), UnreadCount { scans: 2, lasting: SignedDuration::from_secs(3) });
        seed.write(|tx| forget(tx, key, "b")).unwrap();
        assert_eq!(all(&seed.connection, key).unwrap(), Vec::<String>::new());
        assert_eq!(seed.write(|tx| note(tx, key, "b", 9_000)).unwrap().scans, 1);
    }
}
