//! Distinct message texts, each stored once.

use rusqlite::{CachedStatement, OptionalExtension, Transaction};
use rustc_hash::FxHashMap;

use super::LedgerError;

/// Finds and adds texts within one transaction.
pub struct Messages<'t> {
    find: CachedStatement<'t>,
    add: CachedStatement<'t>,
    /// Texts of this transaction by hash: a million equal errors cost one look-up.
    recent: FxHashMap<i64, (i64, Box<str>)>,
}

impl<'t> Messages<'t> {
    /// Prepares the statements.
    ///
    /// # Errors
    /// SQLite's.
    pub fn new(tx: &'t Transaction<'_>) -> Result<Messages<'t>, LedgerError> {
        Ok(Messages {
            find: tx.prepare_cached("SELECT message_key FROM message WHERE hash = ?1 AND text = ?2")?,
            add: tx.prepare_cached("INSERT INTO message (hash, text) VALUES (?1, ?2)")?,
            recent: FxHashMap::default(),
        })
    }

    /// The key of a text. Equal hashes are told apart by the text itself.
    ///
    /// # Errors
    /// SQLite's.
    pub fn key(&mut self, hash: i64, text: &str) -> Result<i64, LedgerError> {
        if let Some((key, known)) = self.recent.get(&hash)
            && **known == *text
        {
            return Ok(*key);
        }
        let found = self.find.query_row((hash, text), |row| row.get(0)).optional()?;
        let key = match found {
            Some(key) => key,
            None => self.add.insert((hash, text))?,
        };
        self.recent.insert(hash, (key, text.into()));
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
