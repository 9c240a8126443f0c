//! Opening: the file's mode, the pragmas, the migrations.

pub(crate) mod migrations;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::file_owner::{self, hand_over};
use crate::ledger::access;
use crate::ledger::access::wal_path;
use crate::ledger::error::LedgerError;
use crate::private_file;

/// How long SQLite waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a user's small act waits for a service that is taking in a large batch.
const BESIDE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn make_folder(ledger: &Path) -> Result<(), LedgerError> {
    let folder = file_owner::folder_of(ledger);
    file_owner::make_folder(folder, 0o700).map_err(|source| access::refused(folder, source))
}

/// A connection that may write; the caller holds the `Lock`.
///
/// # Errors
/// The file cannot be made, is no ledger, or is newer than this program.
pub fn writer(path: &Path) -> Result<Connection, LedgerError> {
    // SQLite gives the -wal and -shm files the mode and the owner of the main file. One that is there keeps its mode.
    let refused = |source| access::refused(path, source);
    let opened = match path.try_exists() {
        Ok(false) => private_file::open(path, 0o600),
        _ => OpenOptions::new().read(true).write(true).open(path),
    };
    let file = opened.map_err(refused)?;
    if file.metadata().map_err(refused)?.len() == 0 {
        hand_over(&file, path).map_err(refused)?;
    }
    drop(file);
    // SQLite keeps its log in the ledger's folder, and says only that it cannot open something.
    let explained = |error: LedgerError| access::must_be_usable(path, true).err().unwrap_or(error);
    let mut connection = Connection::open(path)?;
    prepare(&connection).map_err(explained)?;
    refuse_newer(&connection)?;
    migrations::to_newest(&mut connection).map_err(LedgerError::Migration)?;
    Ok(connection)
}

/// A second writing connection beside the process that holds the `Lock`, for small acts: never makes, never migrates.
///
/// # Errors
/// The file is missing, unreadable, or of another schema.
pub(crate) fn shared_writer(path: &Path) -> Result<Connection, LedgerError> {
    access::must_be_usable(path, true)?;
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&connection)?;
    connection.busy_timeout(BESIDE_TIMEOUT)?;
    refuse_newer(&connection)?;
    refuse_older(&connection)?;
    Ok(connection)
}

/// A read-only connection: never makes, never migrates, works beside the writer.
///
/// # Errors
/// The file is missing, unreadable, or newer than this program.
pub fn reader(path: &Path) -> Result<Connection, LedgerError> {
    access::must_be_usable(path, false)?;
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let connection = match migrations::version(&connection) {
        Err(error) if cannot_make_index(&error) && !wal_path(path).exists() => unchanging(path)?,
        Err(error) if has_no_room_for_index(&error) && is_log_empty(path) => unchanging(path)?,
        _ => connection,
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    refuse_newer(&connection)?;
    Ok(connection)
}

/// Whether SQLite wanted to put its `-shm` file beside the ledger and could not: the folder is read-only to us.
fn cannot_make_index(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The same on a full disk. By then SQLite has made an empty log; whoever had the ledger open would have the index.
fn has_no_room_for_index(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

fn is_log_empty(path: &Path) -> bool {
    std::fs::metadata(wal_path(path)).map_or_else(|error| error.kind() == ErrorKind::NotFound, |log| log.len() == 0)
}

/// Without a `-wal` file no one has the ledger open for writing, so it may be read as a file that does not change.
fn unchanging(path: &Path) -> Result<Connection, LedgerError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Ok(Connection::open_with_flags(uri, flags)?)
}

/// The writer's page cache in KiB. A large scan sweeps through its indexes in the order of its sorted rows, which no cache
/// of a size worth having makes faster: the memory serves better as rows of one transaction.
/// Given back after each scan ([`crate::ledger::Ledger::release_memory`]).
const CACHE_KIB: i64 = 4 * 1024;

/// Pages in the write-ahead log (4 KiB each) before they are copied into the ledger.
const CHECKPOINT_PAGES: i64 = 16 * 1024;

/// The same in the midst of a large scan. Its transactions rewrite the same index pages again and again: copied less
/// often, they are copied fewer times, which makes a scan of a million new items a fifth faster.
const BULK_CHECKPOINT_PAGES: i64 = 48 * 1024;

/// What the write-ahead log is cut back to, in bytes, once everything in it was copied.
const LARGEST_IDLE_WAL: i64 = 64 * 1024 * 1024;

/// An empty ledger in memory, for tests of single statements.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().expect("memory is there");
    prepare(&connection).expect("pragmas work in memory");
    migrations::to_newest(&mut connection).expect("the migrations run");
    connection
}

/// How much a transaction asks of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// References are looked up, and a commit waits until the disk has it.
    Full,
    /// Neither, and the log may grow: a power cut may take the last commits back, in order and each as a whole.
    Bulk,
}

/// Sets how much care the next transactions take.
pub(crate) fn set_care(connection: &Connection, care: Care) -> Result<(), LedgerError> {
    let is_full = care == Care::Full;
    connection.pragma_update(None, "synchronous", if is_full { "full" } else { "normal" })?;
    connection.pragma_update(None, "foreign_keys", is_full)?;
    let pages = if is_full { CHECKPOINT_PAGES } else { BULK_CHECKPOINT_PAGES };
    connection.pragma_update(None, "wal_autocheckpoint", pages)?;
    Ok(())
}

fn prepare(connection: &Connection) -> Result<(), LedgerError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    set_care(connection, Care::Full)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", LARGEST_IDLE_WAL)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// The newest schema this program knows.
pub(crate) fn schema_version() -> i64 {
    i64::try_from(migrations::NEWEST).expect("a handful of migrations")
}

/// A ledger of an older program lacks tables that readers ask; the next writing command migrates it.
///
/// # Errors
/// It is one.
pub(crate) fn refuse_older(connection: &Connection) -> Result<(), LedgerError> {
    let found = migrations::version(connection)?;
    let known = schema_version();
    if found < known { Err(LedgerError::Older { found, known }) } else { Ok(()) }
}

fn refuse_newer(connection: &Connection) -> Result<(), LedgerError> {
    let found = migrations::version(connection)?;
    let known = schema_version();
    if found > known { Err(LedgerError::Newer { found, known }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::lock::Lock;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn intents_of_an_older_ledger_know_the_api_that_they_were_posted_through() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::to(&mut connection, 10).unwrap();
        let add = "INSERT INTO intent (intent_id, project_key, job_type, trigger, actor, state, job_config,
                parameters_hash, items_hash, item_count, created_at, batch_id)
            SELECT 'n-' || ?1 || key, json_extract(?1, '$.project'), 'parse', 'auto', 'auto', 'unknown', '{}', '', '', 1, 0, value
            FROM json_each(?1, '$.batches')";
        connection
            .execute_batch(
                "INSERT INTO project (project_key, name, first_seen) VALUES (1, 'old', 0), (2, 'new', 0);
                 INSERT INTO batch (project_key, batch_id, job_type, status, first_seen, last_seen)
                 VALUES (1, 'bjb-1', 'parse', 'completed', 0, 0), (2, 'bat-1', 'parse', 'completed', 0, 0)",
            )
            .unwrap();
        connection.execute(add, [r#"{"project": 1, "batches": ["bjb-2", null]}"#]).unwrap();
        connection.execute(add, [r#"{"project": 2, "batches": ["pjb-2", "bare"]}"#]).unwrap();
        migrations::to_newest(&mut connection).unwrap();
        let mut read = connection.prepare("SELECT project_key || ' ' || api FROM intent ORDER BY 1").unwrap();
        let apis = read.query_map((), |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
        assert_eq!(apis, ["1 v1-beta", "1 v1-beta", "2 v2", "2 v2"]);
    }

    #[test]
    fn a_new_ledger_is_private_and_locked_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/ledger.db");
        let lock = Lock::take(&path).unwrap();
        drop(writer(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Lock::take(&path), Err(LedgerError::Locked { .. })));
        drop(lock);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_small_act_writes_beside_the_holder_of_the_lock_but_never_makes_or_migrates() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        assert!(matches!(shared_writer(&path), Err(LedgerError::Missing(_))));
        let _lock = Lock::take(&path).unwrap();
        let service = writer(&path).unwrap();
        let beside = shared_writer(&path).unwrap();
        beside.execute("INSERT INTO meta VALUES ('a', 'b')", []).unwrap();
        service.execute("INSERT INTO meta VALUES ('c', 'd')", []).unwrap();
        service.pragma_update(None, "user_version", 1).unwrap();
        assert!(matches!(shared_writer(&path), Err(LedgerError::Older { found: 1, .. })));
    }

    #[test]
    fn a_newer_ledger_is_refused_and_a_missing_one_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        assert!(matches!(reader(&path), Err(LedgerError::Missing(_))));
        writer(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(writer(&path), Err(LedgerError::Newer { found: 99, .. })));
        assert!(matches!(reader(&path), Err(LedgerError::Newer { .. })));
    }
}
