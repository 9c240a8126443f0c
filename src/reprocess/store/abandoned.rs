//! Intents that were posted and then given up, because no batch of theirs was found: one may still show up.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::reprocess::store::intent::{self, StoredIntent};

/// That an intent `e` was posted and then given up, by the service or by a person.
const GIVEN_UP: &str = "(e.state = 'not_submitted' OR (e.state = 'finished' AND e.batch_id IS NULL))";

/// Intents that are finished and were posted since, each with the earlier one of the same items that was given up: the batch
/// of that one may still show up.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn finished_after(
    connection: &Connection,
    since: Timestamp,
) -> Result<Vec<(StoredIntent, StoredIntent)>, LedgerError> {
    let tail = format!(
        "WHERE n.state = 'finished' AND n.batch_id IS NOT NULL AND n.duplicate_batch_ids IS NULL AND n.posting_at >= ?1
            AND n.items_hash IN (SELECT e.items_hash FROM intent e WHERE {GIVEN_UP}) ORDER BY n.intent_id"
    );
    let mut doubtful = Vec::new();
    for later in intent::select(connection, &tail, [Millis(since)])? {
        let earlier = before(connection, &later.intent_id)?;
        let earlier = earlier.map(|id| intent::get(connection, &id)).transpose()?.flatten();
        doubtful.extend(earlier.map(|earlier| (later, earlier)));
    }
    Ok(doubtful)
}

/// Projects with the number of their newest tries, none older than `since`, that made no batch and were not refused either.
/// Nothing was tried where a document lacks what its request needs: that says nothing about the project.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn unheard(connection: &Connection, since: Timestamp) -> Result<Vec<(String, u32)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.name, count(*) FROM intent n JOIN project p USING (project_key)
         WHERE n.state IN ('not_submitted', 'not_sent') AND n.intent_id NOT IN (SELECT intent_id FROM refused_item)
             AND n.posting_at > max(?1, coalesce((
             SELECT max(y.posting_at) FROM intent y WHERE y.project_key = n.project_key AND y.posting_at > ?1
                 AND y.state IN ('submitted', 'finished', 'rejected')), 0))
         GROUP BY 1 ORDER BY 1",
    )?;
    let rows = statement.query_map([Millis(since)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest earlier intent of exactly the same items that was posted and then given up, because no batch of it was found.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn before(connection: &Connection, intent_id: &str) -> Result<Option<String>, LedgerError> {
    let mut find = connection.prepare_cached(&format!(
        "SELECT e.intent_id FROM intent n JOIN intent e ON e.project_key = n.project_key AND e.items_hash = n.items_hash
         WHERE n.intent_id = ?1 AND e.intent_id < n.intent_id AND e.job_type = n.job_type AND {GIVEN_UP}
         ORDER BY e.intent_id DESC LIMIT 1"
    ))?;
    Ok(find.query_row([intent_id], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn a_document_that_lacks_what_its_request_needs_says_nothing_about_its_project() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 3, t(0));
        for n in 1..=3 {
            seed.retried("g-1", n, "unknown", "h", 0);
        }
        seed.run(
            "UPDATE intent SET state = 'not_sent', items = '[{\"item_id\": \"g-1-' || substr(intent_id, 2) || '\"}]'",
            (),
        );
        assert_eq!(unheard(&seed.connection, t(0)).unwrap(), [("prod".to_owned(), 3)]);
        seed.write(|tx| ["i1", "i2", "i3"].map(|id| intent::refuse_item(tx, id).unwrap()));
        assert_eq!(unheard(&seed.connection, t(0)).unwrap(), []);
    }
}
