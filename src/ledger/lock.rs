//! The exclusive right to write: a lock on the ledger file itself, whatever name it was reached by, and one on a file
//! beside it, which says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::file_owner::hand_over;
use crate::ledger::access;
use crate::ledger::access::lock_path;
use crate::ledger::error::LedgerError;
use crate::ledger::open::make_folder;
use crate::private_file;

/// How long this process waits for itself: connections that were dropped close a moment later.
const CLOSING: Duration = Duration::from_secs(3);

/// Between two looks at that.
const PAUSE: Duration = Duration::from_millis(5);

/// The text for a holder that is not in the lock file.
const UNKNOWN_HOLDER: &str = "unknown process: it opened the ledger by another path, or its lock file was removed";

/// File systems that make one lock of the kind that SQLite takes on parts of a file and the kind that is taken here on the
/// whole (NFS, SMB, CIFS, 9p, by their numbers in `statfs`): the program would lock itself out.
const SHARED_KINDS: [i64; 4] = [0x6969, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997];

/// The exclusive right to write, held until dropped or the process ends.
pub(crate) struct Lock {
    /// Let go before the file beside it: whoever gets that one must find this one free.
    ledger: Option<File>,
    _beside: File,
}

impl Lock {
    /// Takes the lock, or says who holds it. Makes the ledger's folder (0700) if it is missing.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] or [`LedgerError::File`].
    pub(crate) fn take(ledger: &Path) -> Result<Lock, LedgerError> {
        let real = real_path(ledger);
        make_folder(&real)?;
        let mut lock = Lock { ledger: None, _beside: take_beside(ledger, &lock_path(&real))? };
        lock.lock_file(ledger)?;
        Ok(lock)
    }

    /// Locks the ledger file itself, once it is there.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] or [`LedgerError::File`].
    pub(crate) fn lock_file(&mut self, ledger: &Path) -> Result<(), LedgerError> {
        let failed = |source| access::refused(ledger, source);
        if self.ledger.is_some() || cannot_be_locked(ledger) {
            return Ok(());
        }
        let file = match OpenOptions::new().read(true).write(true).open(ledger) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Locked { path: ledger.to_owned(), holder: UNKNOWN_HOLDER.to_owned() });
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        self.ledger = Some(file);
        Ok(())
    }

    /// Whether another file, or none, has the ledger's name now. False where that cannot be seen.
    pub(crate) fn is_of_another_file(&self, ledger: &Path) -> bool {
        let Some(Ok(own)) = self.ledger.as_ref().map(File::metadata) else { return false };
        match std::fs::metadata(ledger) {
            Ok(found) => (found.dev(), found.ino()) != (own.dev(), own.ino()),
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }

    /// Keeps the lock for as long as `connection` is open. Closing any file of the ledger ends SQLite's own locks on it,
    /// and SQLite lets go of a function only after it has closed its files.
    pub(crate) fn keep_with(self: &Arc<Lock>, connection: &Connection) -> Result<(), LedgerError> {
        let lock = Arc::clone(self);
        let holds = move |_: &mut rusqlite::functions::Context<'_>| Ok(lock.ledger.is_some());
        connection.create_scalar_function("llama_triage_holds_lock", 0, FunctionFlags::SQLITE_DIRECTONLY, holds)?;
        Ok(())
    }
}

/// Locks the file beside the ledger, and writes into it who did.
fn take_beside(ledger: &Path, path: &Path) -> Result<File, LedgerError> {
    let failed = |source| access::refused(path, source);
    let (own, deadline) = (format!("process {}", std::process::id()), Instant::now() + CLOSING);
    loop {
        let mut file = private_file::open(path, 0o600).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed)?;
                let holder = holder.trim().to_owned();
                if holder == own && Instant::now() < deadline {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                return Err(LedgerError::Locked { path: ledger.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // One that was removed in between locks no one out.
        let named = std::fs::metadata(path).map(|found| found.ino()).ok();
        if named == Some(file.metadata().map_err(failed)?.ino()) {
            hand_over(&file, path).map_err(failed)?;
            file.set_len(0).map_err(failed)?;
            file.rewind().map_err(failed)?;
            writeln!(file, "{own}").map_err(failed)?;
            return Ok(file);
        }
    }
}

fn cannot_be_locked(ledger: &Path) -> bool {
    rustix::fs::statfs(ledger).is_ok_and(|found| SHARED_KINDS.contains(&found.f_type))
}

/// Where the ledger really is: a symbolic link to it must not lead to another lock file. A file that is not there yet is
/// looked for by its folder.
fn real_path(ledger: &Path) -> PathBuf {
    if let Ok(real) = std::fs::canonicalize(ledger) {
        return real;
    }
    let folder = ledger.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (std::fs::canonicalize(folder), ledger.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => ledger.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::ledger::open::writer;

    #[test]
    fn no_other_name_leads_past_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (dir.path().join("ledger.db"), dir.path().join("elsewhere"));
        std::fs::create_dir(&elsewhere).unwrap();
        let mut lock = Lock::take(&path).unwrap();
        drop(writer(&path).unwrap());
        lock.lock_file(&path).unwrap();
        let (link, hard, folder) = (elsewhere.join("link.db"), elsewhere.join("hard.db"), dir.path().join("folder"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::hard_link(&path, &hard).unwrap();
        std::os::unix::fs::symlink(dir.path(), &folder).unwrap();
        for name in [&path, &link, &hard, &folder.join("ledger.db")] {
            assert!(matches!(Lock::take(name), Err(LedgerError::Locked { .. })), "{}", name.display());
        }
        std::fs::remove_file(dir.path().join("ledger.db.lock")).unwrap();
        let refused = Lock::take(&path).err().unwrap().to_string();
        assert!(refused.contains("lock file was removed"), "{refused}");
        drop(lock);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_file_is_refused_and_its_target_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, precious) = (dir.path().join("ledger.db"), dir.path().join("precious"));
        std::fs::write(&precious, "do not touch").unwrap();
        std::os::unix::fs::symlink(&precious, lock_path(&path)).unwrap();
        assert!(matches!(Lock::take(&path), Err(LedgerError::File { .. })));
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "do not touch");
    }

    #[tokio::test]
    async fn a_ledger_that_was_replaced_or_removed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let ledger = Ledger::open(&path).await.unwrap();
        assert!(!ledger.is_replaced());
        std::fs::rename(&path, dir.path().join("old.db")).unwrap();
        assert!(ledger.is_replaced(), "none is there");
        std::fs::copy(dir.path().join("old.db"), &path).unwrap();
        assert!(ledger.is_replaced(), "another one is there");
        std::fs::rename(dir.path().join("old.db"), &path).unwrap();
        assert!(!ledger.is_replaced());
    }

    #[tokio::test]
    async fn a_ledger_that_was_only_dropped_can_be_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        for _ in 0..20 {
            drop(Ledger::open(&path).await.unwrap());
        }
    }

    #[tokio::test]
    async fn the_lock_lasts_until_the_ledger_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let ledger = Ledger::open(&path).await.unwrap();
        let other = ledger.clone();
        drop(ledger);
        assert!(matches!(Lock::take(&path), Err(LedgerError::Locked { .. })));
        other.close().await.unwrap();
        Lock::take(&path).unwrap();
    }
}
