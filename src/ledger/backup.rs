//! A copy of the ledger while it is in use, by SQLite's online backup: consistent, private, and whole or not there.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use crate::ledger::error::LedgerError;
use crate::ledger::identity;
use crate::private_file;

/// Pages copied between two pauses: a few milliseconds of reading.
const PAGES: i32 = 4_096;

/// The pause between two steps, in which writers go on.
const PAUSE: Duration = Duration::from_millis(1);

/// The end of the name of a copy that is not whole yet.
const ENDING: &str = ".llama-triage-partial";

/// What every SQLite file begins with (<https://sqlite.org/fileformat.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Copies a ledger to `target` (0600), replacing an older copy; returns the copy's size in bytes.
///
/// The copy is written beside its target, checked to reach the disk, and then renamed: a reader of `target` sees the old
/// copy or the new one. The copy is one file, in rollback mode: it needs no `-wal` beside it.
/// What a copy that was killed left in the same folder is removed first.
///
/// # Errors
/// The target is the ledger itself or a file that is no copy of one, its folder cannot be written, or SQLite's.
pub(crate) fn backup(source: &Connection, target: &Path) -> Result<u64, LedgerError> {
    spare(source, target).map_err(|source| LedgerError::File { path: target.to_owned(), source })?;
    sweep(folder_of(target)).map_err(|source| LedgerError::File { path: folder_of(target).to_owned(), source })?;
    let part = beside(target);
    let failed = |source| LedgerError::File { path: part.clone(), source };
    let file = private_file::make(&part, 0o600).map_err(failed)?;
    // Tells the next copy that this one is at work.
    let _unless_the_file_system_has_no_locks = file.try_lock();
    let outcome = copy(source, &part).and_then(|()| settle(&file, &part, target));
    if outcome.is_err() {
        // What is half written is of no use to anyone.
        let _ = std::fs::remove_file(&part);
    }
    outcome
}

/// Removes what copies that were killed left in a folder; one that is at work holds a lock on its file.
fn sweep(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        // Said better by what follows.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.to_string_lossy().ends_with(ENDING) && name.to_string_lossy().starts_with('.');
        if !is_ours || !entry.file_type()?.is_file() {
            continue;
        }
        match File::open(entry.path()).and_then(|file| Ok(file.try_lock()?)) {
            Ok(()) => std::fs::remove_file(entry.path())?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => tracing::warn!("cannot tell whether {} is in use: {error}", entry.path().display()),
        }
    }
    Ok(())
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

pub(crate) fn copy(source: &Connection, part: &Path) -> Result<(), LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // No one else opens this file, and SQLite's locks would meet our own where a file system makes them one kind.
    let mut copy = Connection::open_with_flags_and_vfs(part, flags, "unix-none")?;
    // A copy that is cut short is thrown away, so it needs no journal, which would stay beside it.
    copy.pragma_update(None, "locking_mode", "exclusive")?;
    copy.pragma_update(None, "journal_mode", "off")?;
    copy.pragma_update(None, "synchronous", "off")?;
    Backup::new(source, &mut copy)?.run_to_completion(PAGES, PAUSE, None)?;
    copy.pragma_update(None, "journal_mode", "delete")?;
    identity::mark_as_copy(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

fn settle(file: &File, part: &Path, target: &Path) -> Result<u64, LedgerError> {
    let failed = |source| LedgerError::File { path: target.to_owned(), source };
    file.sync_all().map_err(failed)?;
    std::fs::rename(part, target).map_err(failed)?;
    File::open(folder_of(target)).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}{ENDING}", std::process::id()));
    folder_of(target).join(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::ledger::check::check;
    use crate::ledger::lock::Lock;
    use crate::ledger::open::{reader, writer};

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
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".copy")), "{names:?}");
    }

    #[test]
    fn what_a_killed_copy_left_is_removed_by_the_next_one_and_a_copy_at_work_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("ledger.db"), folder.path().join("tuesday.db"));
        let _lock = Lock::take(&path).unwrap();
        drop(writer(&path).unwrap());
        let [killed, working, other] = [".monday.db.7", ".sunday.db.8", "notes"].map(|name| {
            let path = folder.path().join(format!("{name}{ENDING}"));
            std::fs::write(&path, "half of a ledger").unwrap();
            path
        });
        let at_work = File::open(&working).unwrap();
        at_work.try_lock().unwrap();
        backup(&reader(&path).unwrap(), &target).unwrap();
        assert_eq!([killed.exists(), working.exists(), other.exists()], [false, true, true]);
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
