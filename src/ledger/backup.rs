//! A copy of the ledger while it is in use, by SQLite's online backup: consistent, private, and whole or not there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::{LedgerError, identity};

/// Pages copied between two pauses: a few milliseconds of reading.
const PAGES: i32 = 4_096;

/// The pause between two steps, in which writers go on.
const PAUSE: Duration = Duration::from_millis(1);

/// What every SQLite file begins with (<https://sqlite.org/fileformat.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Copies a ledger to `target` (0600), replacing an older copy; returns the copy's size in bytes.
///
/// The copy is written beside its target, checked to reach the disk, and then renamed: a reader of `target` sees the old
/// copy or the new one. The copy is one file, in rollback mode: it needs no `-wal` beside it.
///
/// # Errors
/// The target is the ledger itself or a file that is no copy of one, its folder cannot be written, or SQLite's.
pub fn backup(source: &Connection, target: &Path) -> Result<u64, LedgerError> {
    spare(source, target).map_err(|source| LedgerError::File { path: target.to_owned(), source })?;
    let part = beside(target);
    let outcome = copy(source, &part).and_then(|()| settle(&part, target));
    if outcome.is_err() {
        // What is half written is of no use to anybody.
        let _ = std::fs::remove_file(&part);
    }
    outcome
}

/// Refuses what must not be replaced. A service that writes to a ledger that was renamed over would lose all it writes.
fn spare(source: &Connection, target: &Path) -> std::io::Result<()> {
    let found = match std::fs::metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let refuse = |why: &str| Err(std::io::Error::new(ErrorKind::AlreadyExists, why));
    if !found.is_file() {
        return refuse("it is not a file; name the file to write");
    }
    let own = source.path().and_then(|path| std::fs::metadata(path).ok());
    if own.is_some_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino())) {
        return refuse("it is the ledger itself; name another file");
    }
    let mut start = Vec::new();
    File::open(target)?.take(16).read_to_end(&mut start)?;
    if start.is_empty() || start == MAGIC { Ok(()) } else { refuse("it is there and is no ledger; name another file") }
}

pub(super) fn copy(source: &Connection, part: &Path) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::File { path: part.to_owned(), source };
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).map_err(failed)?;
    let mut copy = Connection::open(part)?;
    Backup::new(source, &mut copy)?.run_to_completion(PAGES, PAUSE, None)?;
    copy.pragma_update(None, "journal_mode", "delete")?;
    identity::mark_as_copy(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

fn settle(part: &Path, target: &Path) -> Result<u64, LedgerError> {
    let failed = |source| LedgerError::File { path: target.to_owned(), source };
    let file = File::open(part).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(part, target).map_err(failed)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::ledger::check::check;
    use crate::ledger::open::{Lock, reader, writer};

    #[test]
    fn a_backup_is_private_whole_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("ledger.db"), folder.path().join("copy.db"));
        let _lock = Lock::take(&path).unwrap();
        let connection = writer(&path).unwrap();
        for value in ["one", "two"] {
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('name', ?1)", [value]).unwrap();
            assert!(backup(&reader(&path).unwrap(), &target).unwrap() > 0);
            let copy = reader(&target).unwrap();
            let kept: String =
                copy.query_row("SELECT value FROM meta WHERE name = 'name'", (), |row| row.get(0)).unwrap();
            assert_eq!((kept.as_str(), check(&copy).unwrap()), (value, Vec::new()));
        }
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!beside(&target).exists());
    }

    #[test]
    fn a_backup_replaces_neither_the_ledger_nor_a_file_of_another_kind() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link, other) =
            (folder.path().join("ledger.db"), folder.path().join("link.db"), folder.path().join("config.toml"));
        let _lock = Lock::take(&path).unwrap();
        drop(writer(&path).unwrap());
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::write(&other, "[ledger]\n").unwrap();
        for target in [&path, &link, &other, &folder.path().to_owned()] {
            let before = std::fs::metadata(target).unwrap().ino();
            let refused = backup(&reader(&path).unwrap(), target);
            assert!(matches!(refused, Err(LedgerError::File { .. })), "{}", target.display());
            assert_eq!(std::fs::metadata(target).unwrap().ino(), before, "{}", target.display());
        }
        assert_eq!(std::fs::read_to_string(other).unwrap(), "[ledger]\n");
    }

    #[test]
    fn a_backup_that_fails_leaves_nothing_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("missing/copy.db");
        assert!(matches!(backup(&Connection::open_in_memory().unwrap(), &target), Err(LedgerError::File { .. })));
    }
}
