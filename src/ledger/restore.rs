//! Putting a copy in a ledger's place: checked first, under an id of its own, with the ledger before kept beside it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::ledger::access::wal_path;
use crate::ledger::audit::{self, Act};
use crate::ledger::backup::{self, Name};
use crate::ledger::check;
use crate::ledger::error::LedgerError;
use crate::ledger::identity::{self, Renewed};
use crate::ledger::lock::Lock;
use crate::ledger::open::{reader, writer};

/// What a restore came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// The ledger's id before and from now on.
    pub renewed: Renewed,
    /// Where the ledger is that was there before; none if there was none.
    pub kept: Option<PathBuf>,
    /// What is wrong with the copy, one line each; nothing was restored unless this is empty.
    pub discrepancies: Vec<String>,
}

/// Puts `copy`, a ledger or a backup of one, in the place of `ledger`. Takes the ledger's lock.
///
/// The copy itself is only read. The ledger that was there, damaged or not, is renamed with its log.
///
/// # Errors
/// Another process uses the ledger, the copy is none or newer than this program, or a file cannot be written; the ledger is
/// then as it was.
pub(crate) fn restore(copy: &Path, ledger: &Path, actor: &str, now: Timestamp) -> Result<Restored, LedgerError> {
    let _lock = Lock::take(ledger)?;
    refuse_non_backup(copy, ledger)?;
    let part = with_ending(ledger, ".restore");
    remove_all(&part)?;
    let prepared = prepare(copy, &part, actor, now);
    let (renewed, discrepancies) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            remove_all(&part)?;
            return Err(error);
        }
    };
    if !discrepancies.is_empty() {
        remove_all(&part)?;
        return Ok(Restored { renewed, kept: None, discrepancies });
    }
    copy_ownership(ledger, &part)?;
    let kept = set_aside(ledger, now)?;
    rename(&part, ledger)?;
    sync_folder(ledger)?;
    Ok(Restored { renewed, kept, discrepancies })
}

/// Refuses what is no copy.
fn refuse_non_backup(copy: &Path, ledger: &Path) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::File { path: copy.to_owned(), source };
    let found = std::fs::metadata(copy).map_err(failed)?;
    let same = std::fs::metadata(ledger).is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()));
    match same {
        true => {
            Err(failed(std::io::Error::new(ErrorKind::AlreadyExists, "it is the ledger itself; name a backup of it")))
        }
        false => Ok(()),
    }
}

/// Copies, brings up to date, checks, and gives another id.
fn prepare(copy: &Path, part: &Path, actor: &str, now: Timestamp) -> Result<(Renewed, Vec<String>), LedgerError> {
    backup::copy(&reader(copy)?, part, Name::Kept)?;
    let mut connection = writer(part)?;
    let tx = connection.transaction()?;
    let renewed = identity::renew(&tx)?;
    let detail = serde_json::json!({ "file": copy.display().to_string(), "id_before": renewed.before }).to_string();
    let act = Act { actor, action: "restore", subject: "ledger", detail: Some(detail), ..Act::default() };
    audit::record(&tx, &act, now)?;
    tx.commit()?;
    let discrepancies = check::check(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok((renewed, discrepancies))
}

/// The service must be able to use what root restored: it gets the owner of the ledger before, else of the folder.
fn copy_ownership(ledger: &Path, part: &Path) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::File { path: part.to_owned(), source };
    let model = std::fs::metadata(ledger).or_else(|_| std::fs::metadata(folder(ledger))).map_err(failed)?;
    let own = std::fs::metadata(part).map_err(failed)?;
    if (model.uid(), model.gid()) != (own.uid(), own.gid()) {
        chown(part, Some(model.uid()), Some(model.gid())).map_err(failed)?;
    }
    Ok(())
}

fn set_aside(ledger: &Path, now: Timestamp) -> Result<Option<PathBuf>, LedgerError> {
    if !ledger.exists() {
        remove(&wal_path(ledger))?;
        return Ok(None);
    }
    let kept = with_ending(ledger, &format!(".{}", now.strftime("%Y%m%dT%H%M%SZ")));
    // The log first: a ledger that is killed in between still finds it under one of the names.
    if wal_path(ledger).exists() {
        rename(&wal_path(ledger), &wal_path(&kept))?;
    }
    rename(ledger, &kept)?;
    remove(&with_ending(ledger, "-shm"))?;
    Ok(Some(kept))
}

fn rename(from: &Path, to: &Path) -> Result<(), LedgerError> {
    std::fs::rename(from, to).map_err(|source| LedgerError::File { path: to.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), LedgerError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LedgerError::File { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Removes what a restore that was killed left: SQLite would read its log into the next one.
fn remove_all(part: &Path) -> Result<(), LedgerError> {
    ["", "-wal", "-shm"].iter().try_for_each(|ending| remove(&with_ending(part, ending)))
}

fn sync_folder(ledger: &Path) -> Result<(), LedgerError> {
    let folder = folder(ledger);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| LedgerError::File { path: folder.to_owned(), source })
}

fn folder(ledger: &Path) -> &Path {
    ledger.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::backup::backup;

    fn value(path: &Path, name: &str) -> String {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        reader(path).unwrap().query_row(sql, [name], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_restored_ledger_has_another_id_and_the_one_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("ledger.db"), folder.path().join("copy.db"));
        let connection = writer(&path).unwrap();
        connection.execute("INSERT INTO meta VALUES ('state', 'old')", []).unwrap();
        backup(&reader(&path).unwrap(), &copy).unwrap();
        connection.execute("UPDATE meta SET value = 'new' WHERE name = 'state'", []).unwrap();
        // Killed: its last change is in the log only.
        std::mem::forget(connection);
        let id = value(&path, "ledger_id");
        // What a restore that was killed left would be read into this one.
        let left = ["-wal", "-shm"].map(|ending| with_ending(&path, &format!(".restore{ending}")));
        left.iter().for_each(|left| std::fs::write(left, "of another").unwrap());
        let done = restore(&copy, &path, "ann", Timestamp::UNIX_EPOCH).unwrap();
        assert!(!left.iter().any(|left| left.exists()));
        assert!(!wal_path(&path).exists(), "nothing of the log before is left to be read into it");
        assert_eq!((done.renewed.before.as_str(), value(&path, "state").as_str()), (id.as_str(), "old"));
        assert_eq!(done.renewed.id, value(&path, "ledger_id"));
        assert_ne!(done.renewed.id, id);
        let kept = done.kept.unwrap();
        assert_eq!((value(&kept, "state").as_str(), value(&kept, "ledger_id")), ("new", id.clone()));
        assert_eq!(value(&copy, "ledger_id"), id, "the copy is only read");
        assert!(!with_ending(&path, ".restore").exists());
    }

    #[test]
    fn nothing_is_restored_from_what_is_no_ledger_or_while_it_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("ledger.db"), folder.path().join("notes.txt"));
        drop(writer(&path).unwrap());
        std::fs::write(&other, "not a ledger, but as long as a page of one. ".repeat(200)).unwrap();
        let before = std::fs::metadata(&path).unwrap().ino();
        for wrong in [&other, &path, &folder.path().join("missing.db")] {
            restore(wrong, &path, "ann", Timestamp::UNIX_EPOCH).unwrap_err();
        }
        let lock = Lock::take(&path).unwrap();
        let copy = folder.path().join("copy.db");
        backup(&reader(&path).unwrap(), &copy).unwrap();
        assert!(matches!(restore(&copy, &path, "ann", Timestamp::UNIX_EPOCH), Err(LedgerError::Locked { .. })));
        drop(lock);
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), before);
        assert!(!with_ending(&path, ".restore").exists());
    }
}
