//! Who may use the ledger's files, and what a refusal of the file system means.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::file_owner::{self, folder_of, name_of};
use crate::ledger::error::LedgerError;

/// What the file system's refusal to open `path` means: no permission names whose the files are.
pub(crate) fn refused(path: &Path, source: std::io::Error) -> LedgerError {
    match source.kind() {
        ErrorKind::PermissionDenied => denied(path),
        _ => LedgerError::File { path: absolute(path), source },
    }
}

/// The error for a file that this process may not use.
fn denied(path: &Path) -> LedgerError {
    let path = absolute(path);
    LedgerError::Denied { remedy: file_owner::remedy(&path), path }
}

/// The absolute form of a path, for messages.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether the file is there.
///
/// # Errors
/// It cannot be known, for lack of permission or because of the disk.
pub(crate) fn exists(path: &Path) -> Result<bool, LedgerError> {
    path.try_exists().map_err(|source| refused(path, source))
}

/// Refuses what SQLite would only call "unable to open" or "readonly": there is no file, or this user may not use it.
///
/// # Errors
/// It is missing, or this process may not read it; if it is for `writing`, also if this process may not write to it, or not
/// to its folder, where SQLite keeps its log.
pub(crate) fn must_be_usable(path: &Path, writing: bool) -> Result<(), LedgerError> {
    use rustix::fs::Access;
    if !exists(path)? {
        return Err(LedgerError::Missing(absolute(path)));
    }
    let may = |place: &Path, wanted| rustix::fs::access(place, wanted).map_err(|error| refused(place, error.into()));
    may(path, Access::READ_OK)?;
    if writing {
        may(path, Access::WRITE_OK)?;
        may(folder_of(path), Access::WRITE_OK | Access::EXEC_OK)?;
    }
    Ok(())
}

/// The ledger's files that belong to another user than its folder, with that user's name and the folder's owner's.
/// The folder's owner is who the service runs as; empty if all is well, or nothing can be seen.
pub(crate) fn foreign_files(ledger: &Path) -> Vec<(PathBuf, String, String)> {
    let Ok(owner) = std::fs::metadata(folder_of(ledger)).map(|found| found.uid()) else { return Vec::new() };
    let files = [ledger.to_owned(), wal_path(ledger), shm_path(ledger), lock_path(ledger)];
    let foreign = files.into_iter().filter_map(|file| {
        let uid = std::fs::metadata(&file).ok()?.uid();
        (uid != owner).then(|| (file, name_of(uid), name_of(owner)))
    });
    foreign.collect()
}

pub(crate) fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

pub(crate) fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn shm_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-shm");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whose_the_file_is_and_never_that_it_is_missing() {
        let is_root = rustix::process::geteuid().is_root();
        let text = denied(Path::new("not/there")).to_string();
        let here = std::env::current_dir().unwrap().join("not/there").display().to_string();
        assert!(text.contains(&here) && text.contains(if is_root { "chmod" } else { "llama-triage …" }), "{text}");
        let refusal =
            crate::ledger::access::refused(Path::new("/x/ledger.db"), std::io::ErrorKind::PermissionDenied.into());
        assert!(matches!(refusal, LedgerError::Denied { .. }), "{refusal}");
        let other = crate::ledger::access::refused(Path::new("/x/ledger.db"), std::io::ErrorKind::NotADirectory.into());
        assert!(matches!(other, LedgerError::File { .. }), "{other}");
    }

    #[test]
    fn files_of_another_user_than_the_folder_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.db");
        std::fs::write(&ledger, "").unwrap();
        assert_eq!(foreign_files(&ledger), []);
        // Only root can give files away; elsewhere there is nothing to find.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&ledger, Some(4242), Some(4242)).unwrap();
            assert_eq!(foreign_files(&ledger), [(ledger, "4242".to_owned(), "root".to_owned())]);
        }
    }
}
