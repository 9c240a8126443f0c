//! A copy of the ledger while it is in use, by SQLite's online backup: consistent, private, and whole or not there.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, Progress};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::FallocateFlags;

use crate::ledger::error::LedgerError;
use crate::ledger::identity;
use crate::private_file;
use crate::progress;

/// Pages copied between two pauses: a few milliseconds of reading.
const PAGES: i32 = 4_096;

/// The pause between two steps, in which writers go on.
const PAUSE: Duration = Duration::from_millis(1);

/// The end of the name of a copy that is not whole yet.
const ENDING: &str = ".llama-triage-partial";

/// Bytes that are moved at once.
const PIECE: usize = 1 << 20;

/// What the header says of a file that has no write-ahead log, and where (<https://sqlite.org/fileformat.html#file_format_version_numbers>).
const ROLLBACK: [u8; 2] = [1, 1];
const ROLLBACK_AT: u64 = 18;

/// What every SQLite file begins with (<https://sqlite.org/fileformat.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Copies a ledger to `target` (0600), replacing an older copy; returns the copy's size in bytes.
///
/// A reader of `target` sees the old copy or the new one, which is one file, in rollback mode, without a `-wal` beside it.
/// Until it is whole the copy has no name, so that a process that is killed leaves nothing; only where the file system
/// knows no such files it has one, and the next copy into the same folder removes it.
///
/// # Errors
/// The target is the ledger itself or a file that is no copy of one, its folder cannot be written, or SQLite's.
pub(crate) fn backup(source: &Connection, target: &Path) -> Result<u64, LedgerError> {
    let folder = folder_of(target);
    refuse_protected_target(source, target).map_err(|source| LedgerError::File { path: target.to_owned(), source })?;
    remove_stale_copies(folder).map_err(|source| LedgerError::File { path: folder.to_owned(), source })?;
    let part = beside(target);
    let pages = copy(source, &part, Name::Removed)?;
    let outcome = put(&pages, &part, target).map_err(|source| LedgerError::File { path: target.to_owned(), source });
    if outcome.is_err() {
        // What is half written is of no use to anyone.
        let _ = std::fs::remove_file(&part);
    }
    outcome
}

/// Gives `target` the pages of a copy, which are moved: the disk never holds both.
fn put(pages: &File, part: &Path, target: &Path) -> std::io::Result<u64> {
    let unnamed = private_file::make_unnamed(folder_of(target), 0o600);
    let (file, is_named) = match unnamed {
        Ok(file) => (file, false),
        Err(_) => (private_file::make(part, 0o600)?, true),
    };
    // Tells the next copy that this one is at work.
    let _unless_the_file_system_has_no_locks = file.try_lock();
    pour(pages, &file)?;
    file.write_all_at(&ROLLBACK, ROLLBACK_AT)?;
    file.write_all_at(&identity::COPY_MARK, identity::COPY_MARK_AT)?;
    file.sync_all()?;
    if !is_named {
        private_file::give_name(&file, part)?;
    }
    std::fs::rename(part, target)?;
    File::open(folder_of(target))?.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Moves the content of a file into another, piece by piece.
fn pour(from: &File, to: &File) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let length = from.read_at(&mut piece, at)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all_at(&piece[..length], at)?;
        // Where holes are not known the room is free a little later.
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let _ = rustix::fs::fallocate(from, hole, at, length as u64);
        at += length as u64;
    }
}

/// Removes what copies that were killed left in a folder; one that is at work holds a lock on its file.
fn remove_stale_copies(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        // Said better by what follows.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // Earlier versions left a log or journal of theirs, too.
        let endings = ["", "-wal", "-journal", "-shm"].map(|ending| format!("{ENDING}{ending}"));
        let is_partial = |name: &str| name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending));
        if !is_partial(&name.to_string_lossy()) || !entry.file_type()?.is_file() {
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
fn refuse_protected_target(source: &Connection, target: &Path) -> std::io::Result<()> {
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
    if start.is_empty() || start == MAGIC { Ok(()) } else { refuse("it exists and is not a ledger; name another file") }
}

/// Whether the file of a copy keeps its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It does.
    Kept,
    /// It loses it as soon as SQLite has it open.
    Removed,
}

/// Copies all pages of a ledger into a new file, under this name.
///
/// # Errors
/// The file cannot be made, or SQLite's.
pub(crate) fn copy(source: &Connection, path: &Path, name: Name) -> Result<File, LedgerError> {
    let failed = |source| LedgerError::File { path: path.to_owned(), source };
    let file = private_file::make(path, 0o600).map_err(failed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // No one else opens this file, and SQLite's locks would meet our own where a file system makes them one kind.
    let opened = Connection::open_with_flags_and_vfs(path, flags, "unix-none");
    if name == Name::Removed {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let mut copy = opened?;
    // A copy that is cut short is thrown away, so it needs no journal, which would be a file of its own.
    copy.pragma_update(None, "journal_mode", "off")?;
    copy.pragma_update(None, "synchronous", "off")?;
    Backup::new(source, &mut copy)?.run_to_completion(PAGES, PAUSE, Some(show_copied))?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(file)
}

fn show_copied(copied: Progress) {
    let pages = |n: i32| u64::try_from(n).unwrap_or_default();
    progress::at("copying pages", pages(copied.pagecount - copied.remaining), pages(copied.pagecount));
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
        let left = [
            (".monday.db.7.llama-triage-partial", false),
            (".monday.db.7.llama-triage-partial-wal", false),
            (".monday.db.7.llama-triage-partial-journal", false),
            (".monday.db.7.llama-triage-partial-shm", false),
            (".sunday.db.8.llama-triage-partial", true),
            ("notes.llama-triage-partial", true),
        ]
        .map(|(name, stays)| (folder.path().join(name), stays));
        left.iter().for_each(|(path, _)| std::fs::write(path, "").unwrap());
        let at_work = File::open(&left[4].0).unwrap();
        at_work.try_lock().unwrap();
        backup(&reader(&path).unwrap(), &target).unwrap();
        left.iter().for_each(|(path, stays)| assert_eq!(path.exists(), *stays, "{}", path.display()));
    }

    #[test]
    fn a_copy_under_way_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, out) = (folder.path().join("ledger.db"), folder.path().join("out"));
        std::fs::create_dir(&out).unwrap();
        drop(writer(&path).unwrap());
        let (part, target) = (out.join("part"), out.join("copy.db"));
        let names = || std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let pages = copy(&reader(&path).unwrap(), &part, Name::Removed).unwrap();
        assert!(names().is_empty() && pages.metadata().unwrap().len() > 0);
        put(&pages, &part, &target).unwrap();
        assert_eq!(names(), ["copy.db"]);
        let mode: String = reader(&target).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete", "it needs no other file");
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
