//! Message texts: a long one is stored once, a short one once for each transaction.

use rusqlite::{CachedStatement, OptionalExtension, Transaction};
use rustc_hash::FxHashMap;

use crate::ledger::error::LedgerError;

/// Bytes up to which a text is not looked for in the whole ledger: to find it again costs more than to store it again.
/// The index of long texts (`migrations/06-message`) begins at the same number of characters.
const SHORT: usize = 256;

/// Finds and adds texts within one transaction.
pub(crate) struct Messages<'t, 'w> {
    find: CachedStatement<'t>,
    add: CachedStatement<'t>,
    /// Texts of this transaction by hash: a million equal errors are one row.
    recent: FxHashMap<i64, (i64, &'w str)>,
    next: i64,
}

impl<'t, 'w> Messages<'t, 'w> {
    /// Prepares the statements.
    pub(crate) fn new(tx: &'t Transaction<'_>) -> Result<Messages<'t, 'w>, LedgerError> {
        Ok(Messages {
            find: tx.prepare_cached(
                "SELECT message_key FROM message WHERE hash = ?1 AND text = ?2 AND length(text) > 256",
            )?,
            add: tx.prepare_cached("INSERT INTO message (message_key, hash, text) VALUES (?1, ?2, ?3)")?,
            recent: FxHashMap::default(),
            next: tx.query_row("SELECT coalesce(max(message_key), 0) + 1 FROM message", (), |row| row.get(0))?,
        })
    }

    /// The key of a text. Equal hashes are distinguished by the text itself.
    pub(crate) fn key(&mut self, hash: i64, text: &'w str) -> Result<i64, LedgerError> {
        if let Some((key, known)) = self.recent.get(&hash)
            && *known == text
        {
            return Ok(*key);
        }
        let known = if text.len() > SHORT { self.find(hash, text)? } else { None };
        let key = match known {
            Some(key) => key,
            None => self.add(hash, text)?,
        };
        self.recent.insert(hash, (key, text));
        Ok(key)
    }

    fn find(&mut self, hash: i64, text: &str) -> Result<Option<i64>, LedgerError> {
        Ok(self.find.query_row((hash, text), |row| row.get(0)).optional()?)
    }

    fn add(&mut self, hash: i64, text: &str) -> Result<i64, LedgerError> {
        self.add.execute((self.next, hash, text))?;
        self.next += 1;
        Ok(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_row_and_equal_hashes_do_not() {
        let mut connection = crate::ledger::open::in_memory();
        let tx = connection.transaction().unwrap();
        let mut messages = Messages::new(&tx).unwrap();
        let first = messages.key(7, "one").unwrap();
        assert_eq!(messages.key(7, "one").unwrap(), first);
        let other = messages.key(7, "two").unwrap();
        assert_ne!(first, other);
        assert_eq!(messages.key(7, "two").unwrap(), other);
    }

    #[test]
    fn a_long_text_is_stored_once_by_index_and_a_short_one_once_for_each_transaction() {
        let mut connection = crate::ledger::open::in_memory();
        let (long, other) = ("long".repeat(100), "gnol".repeat(100));
        for _ in 0..2 {
            let tx = connection.transaction().unwrap();
            let mut messages = Messages::new(&tx).unwrap();
            for (hash, text) in [(1, "short"), (7, &long), (7, &other), (1, "short"), (7, &long)] {
                messages.key(hash, text).unwrap();
            }
            drop(messages);
            tx.commit().unwrap();
        }
        let count = |text: &str| -> i64 {
            connection.query_row("SELECT count(*) FROM message WHERE text = ?1", [text], |row| row.get(0)).unwrap()
        };
        assert_eq!((count("short"), count(&long), count(&other)), (2, 1, 1));
        let sql =
            "EXPLAIN QUERY PLAN SELECT message_key FROM message WHERE hash = ?1 AND text = ?2 AND length(text) > 256";
        let plan: String = connection.query_row(sql, (7, "long"), |row| row.get("detail")).unwrap();
        assert!(plan.contains("long_message_by_hash"), "{plan}");
    }
}
