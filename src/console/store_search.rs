//! Searching the ledger for what a person types.

use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, params};

use crate::ledger::error::LedgerError;
use crate::report::store::read_transaction::ReadTransaction;

/// What was found, of each kind at most as many as asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Groups by the beginning of their id, and those of messages that hold the text.
    pub group_ids: Vec<String>,
    /// Items by the beginning of their id, by a job, and by their name.
    pub item_ids: Vec<String>,
    /// Batches by the beginning of their id.
    pub batch_ids: Vec<String>,
    /// Plans by a part of their id.
    pub plan_ids: Vec<String>,
    /// Digests by the beginning of their id.
    pub digest_ids: Vec<String>,
    /// Whether names, jobs and messages were not looked through to their end.
    pub is_stopped: bool,
}

/// Looks for `text` as an id or its beginning; only if that finds nothing, in names, jobs and messages, for at most `limit`.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn search(reading: &ReadTransaction, text: &str, most: u64, limit: Duration) -> Result<Found, LedgerError> {
    let connection = reading.connection();
    let begins = |table: &str, column: &str| {
        format!(
            "SELECT DISTINCT {column} FROM {table} WHERE {column} >= ?1 AND {column} < ?1 || char(1114111) \
             ORDER BY {column} LIMIT ?2"
        )
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let ids = |sql: &str| -> Result<Vec<String>, rusqlite::Error> {
        connection.prepare_cached(sql)?.query_map(params![text, most], |row| row.get(0))?.collect()
    };
    let mut found = Found {
        group_ids: ids(&begins("error_group", "group_id"))?,
        item_ids: ids(&begins("item", "item_id"))?,
        batch_ids: ids(&begins("batch", "batch_id"))?,
        plan_ids: ids("SELECT plan_id FROM plan WHERE instr(plan_id, upper(?1)) ORDER BY plan_id DESC LIMIT ?2")?,
        digest_ids: ids(&begins("digest", "digest_id"))?,
        is_stopped: false,
    };
    if found == Found::default() {
        reading.stop_at(Some(Instant::now() + limit));
        let looked = look_through(&ids, &mut found);
        reading.stop_at(None);
        found.is_stopped = match looked {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => true,
            looked => {
                looked?;
                false
            }
        };
    }
    Ok(found)
}

/// What no index knows.
fn look_through(
    ids: &impl Fn(&str) -> Result<Vec<String>, rusqlite::Error>,
    found: &mut Found,
) -> Result<(), rusqlite::Error> {
    found.item_ids = ids("SELECT item_id FROM item WHERE instr(lower(item_name), lower(?1)) LIMIT ?2")?;
    if found.item_ids.is_empty() {
        found.item_ids = ids("SELECT DISTINCT i.item_id FROM observation o JOIN item i ON i.item_key = o.item_key \
             WHERE o.job_id = ?1 OR o.job_record_id = ?1 LIMIT ?2")?;
    }
    found.group_ids =
        ids("SELECT DISTINCT g.group_id FROM message m JOIN observation o ON o.message_key = m.message_key \
         JOIN error_group x ON x.group_key = o.group_key \
         JOIN error_group g ON g.group_key = coalesce(x.merged_into, x.group_key) \
         WHERE instr(lower(m.text), lower(?1)) LIMIT ?2")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{crowd_sql, t};
    use crate::report::store::tests::fixture::filled;

    #[test]
    fn an_id_is_found_by_its_beginning_and_a_name_or_message_by_a_part() {
        let ledger = filled();
        let connection = &ledger.writer;
        let reading = ReadTransaction::open(&ledger.path).unwrap();
        let search = |text: &str| search(&reading, text, 20, Duration::from_secs(60)).unwrap();
        let id: String = connection.query_row("SELECT min(item_id) FROM item", [], |row| row.get(0)).unwrap();
        assert_eq!(search(&id).item_ids, std::slice::from_ref(&id));
        let name: String =
            connection.query_row("SELECT item_name FROM item WHERE item_id = ?", [&id], |row| row.get(0)).unwrap();
        assert!(search(&name.to_uppercase()).item_ids.contains(&id), "{name}");
        assert_eq!(search("%"), Found::default(), "nothing is a pattern");
    }

    #[test]
    fn a_search_that_takes_too_long_is_stopped_and_the_next_one_is_not() {
        let ledger = filled();
        let [group, batch] = ["SELECT min(group_id) FROM error_group", "SELECT min(batch_id) FROM batch"]
            .map(|sql| ledger.writer.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap());
        ledger.writer.execute_batch(&crowd_sql(&group, &batch, 5_000, t(0))).unwrap();
        let reading = ReadTransaction::open(&ledger.path).unwrap();
        let stopped = |limit| search(&reading, "no such words", 20, limit).unwrap().is_stopped;
        assert!(stopped(Duration::ZERO));
        assert!(!stopped(Duration::from_secs(60)));
    }
}
