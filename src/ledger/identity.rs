//! Which ledger this is: a random id, made with the ledger, and renewed when the file turns out to be a copy of it.

use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};

/// The name of the ledger's id in `meta`.
const ID: &str = "ledger_id";

/// The name of the place where the ledger was last opened for writing.
const PLACE: &str = "ledger_place";

/// What a backup of earlier versions has instead of a place: wherever it is opened, it is a copy.
const COPY: &str = "copy";

/// The same of a backup since, in the header of its file, where it can be written without SQLite.
pub(crate) const COPY_MARK: [u8; 4] = *b"LTcp";

/// Where SQLite keeps the id of the program that a file is for (<https://sqlite.org/fileformat.html#the_database_header>).
pub(crate) const COPY_MARK_AT: u64 = 68;

/// Where a ledger's file is. A file keeps its inode through restarts, reboots, VACUUM, upgrades and renames; a copy gets another.
///
/// The number of its device is no part of it: kernels give it out anew at each boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    /// The file's inode.
    pub inode: u64,
    /// An id of the host; none if the host has none, which matches any host.
    pub host: Option<String>,
}

/// A ledger that got another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renewed {
    /// The id until now.
    pub before: String,
    /// The id from now on.
    pub id: String,
}

impl FileIdentity {
    fn written(&self) -> String {
        format!("{} {}", self.inode, self.host.as_deref().unwrap_or_default())
    }

    fn read(text: &str) -> Option<FileIdentity> {
        let (inode, host) = text.split_once(' ')?;
        let host = Some(host).filter(|host| !host.is_empty()).map(str::to_owned);
        Some(FileIdentity { inode: inode.parse().ok()?, host })
    }

    fn matches(&self, other: &FileIdentity) -> bool {
        let same_host = match (&self.host, &other.host) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.inode == other.inode && same_host
    }
}

/// The ledger's id: 16 hexadecimal digits.
///
/// # Errors
/// SQLite refuses, or the ledger has none.
pub(crate) fn id(connection: &Connection) -> Result<String, LedgerError> {
    meta(connection, ID)?.ok_or(LedgerError::Unreadable { what: "ledger id", value: "none".to_owned() })
}

/// Eight random hexadecimal digits.
pub(crate) fn nonce(connection: &Connection) -> Result<String, LedgerError> {
    Ok(connection.query_row("SELECT lower(hex(randomblob(4)))", [], |row| row.get(0))?)
}

/// Notes where the ledger is. If it is a copy, it gets an id of its own; none if it is what it was.
pub(crate) fn check_copy(tx: &Transaction<'_>, place: &FileIdentity) -> Result<Option<Renewed>, LedgerError> {
    let known = meta(tx, PLACE)?;
    let is_copy = match known.as_deref() {
        _ if is_marked(tx)? => true,
        None => false,
        Some(COPY) => true,
        Some(text) => FileIdentity::read(text).is_some_and(|known| !known.matches(place)),
    };
    let renewed = if is_copy { Some(renew(tx)?) } else { None };
    if is_copy || known.as_deref() != Some(&place.written()) {
        set_meta(tx, PLACE, &place.written())?;
    }
    Ok(renewed)
}

/// Gives the ledger another id.
///
/// Digests and alerts that were decided under the id before keep it.
pub(crate) fn renew(tx: &Transaction<'_>) -> Result<Renewed, LedgerError> {
    let before = id(tx)?;
    let id: String = tx.query_row("SELECT lower(hex(randomblob(8)))", [], |row| row.get(0))?;
    set_meta(tx, ID, &id)?;
    tx.execute("DELETE FROM meta WHERE name = ?1", [PLACE])?;
    tx.pragma_update(None, "application_id", 0)?;
    Ok(Renewed { before, id })
}

fn is_marked(connection: &Connection) -> Result<bool, LedgerError> {
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(mark.to_be_bytes() == COPY_MARK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::Seed;

    fn place(inode: u64, host: Option<&str>) -> FileIdentity {
        FileIdentity { inode, host: host.map(str::to_owned) }
    }

    #[test]
    fn a_ledger_keeps_its_id_where_it_is_and_a_copy_gets_another() {
        let mut seed = Seed::new();
        let first = id(&seed.connection).unwrap();
        assert_eq!(first.len(), 16);
        let mut renewed = |place: FileIdentity| seed.write(|tx| check_copy(tx, &place)).unwrap().is_some();
        for (what, place, expected) in [
            ("the first start", place(7, Some("a")), false),
            ("a restart", place(7, Some("a")), false),
            ("a container without a machine id", place(7, None), false),
            ("with one again", place(7, Some("a")), false),
            ("another file", place(8, Some("a")), true),
            ("it again", place(8, Some("a")), false),
            ("another host with the same number", place(8, Some("b")), true),
        ] {
            assert_eq!(renewed(place), expected, "{what}");
        }
        let second = id(&seed.connection).unwrap();
        assert!(second != first && second.len() == 16);
        // A backup put into the same file, of this version and of earlier ones: once, and then it is known where it is.
        let mark = format!("PRAGMA application_id = {}", i32::from_be_bytes(COPY_MARK));
        for sql in [mark.as_str(), "UPDATE meta SET value = 'copy' WHERE name = 'ledger_place'"] {
            seed.connection.execute_batch(sql).unwrap();
            let mut renewed = |inode| seed.write(|tx| check_copy(tx, &place(inode, Some("b")))).unwrap().is_some();
            assert_eq!([renewed(8), renewed(9), renewed(9), renewed(8)], [true, true, false, true], "{sql}");
        }
        assert_ne!(nonce(&seed.connection).unwrap(), nonce(&seed.connection).unwrap());
    }
}
