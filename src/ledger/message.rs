//! Distinct message texts, each stored once.

use rusqlite::{CachedStatement, Transaction};
use rustc_hash::FxHashMap;

use super::LedgerError;

/// Finds and adds texts within one transaction.
pub struct Messages<'t, 'w> {
    find: CachedStatement<'t>,
    add: CachedStatement<'t>,
    /// Texts of this transaction by hash: a million equal errors cost one look-up.
    recent: FxHashMap<i64, (i64, &'w str)>,
    next: i64,
}

impl<'t, 'w> Messages<'t, 'w> {
    /// Prepares the statements.
    ///
    /// # Errors
    /// SQLite's.
    pub fn new(tx: &'t Transaction<'_>) -> Result<Messages<'t, 'w>, LedgerError> {
        Ok(Messages {
            find: tx.prepare_cached("SELECT message_key FROM message WHERE hash = ?1 AND text = ?2")?,
            add: tx.prepare_cached(
                "INSERT INTO message (message_key, hash, text)
                 SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM message WHERE hash = ?2 AND text = ?3)",
            )?,
            recent: FxHashMap::default(),
            next: tx.query_row("SELECT coalesce(max(message_key), 0) + 1 FROM message", (), |row| row.get(0))?,
        })
    }

    /// The key of a text. Equal hashes are told apart by the text itself.
    ///
    /// # Errors
    /// SQLite's.
    pub fn key(&mut self, hash: i64, text: &'w str) -> Result<i64, LedgerError> {
        if let Some((key, known)) = self.recent.get(&hash)
            && *known == text
        {
            return Ok(*key);
        }
        // Most texts of a first listing are new: one statement finds that out and adds them.
        let key = if self.add.execute((self.next, hash, text))? > 0 {
            self.next += 1;
            self.next - 1
        } else {
            self.find.query_row((hash, text), |row| row.get(0))?
        };
        self.recent.insert(hash, (key, text));
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_row_and_equal_hashes_do_not() {
        let mut connection = super::super::open::in_memory();
        let tx = connection.transaction().unwrap();
        let mut messages = Messages::new(&tx).unwrap();
        let first = messages.key(7, "one").unwrap();
        let other = messages.key(7, "two").unwrap();
        assert_ne!(first, other);
        assert_eq!(messages.key(7, "one").unwrap(), first);
        assert_eq!(messages.key(7, "two").unwrap(), other);
    }
}
