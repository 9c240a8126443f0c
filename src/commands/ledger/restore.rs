//! `ledger restore FILE`: puts a backup in the ledger's place.

use std::path::Path;

use crate::commands::group::act::Person;
use crate::exit::Exit;
use crate::ledger::restore::restore;
use crate::model::text::count;
use crate::{complain, say};

/// Restores, and says what that means.
///
/// # Errors
/// The service uses the ledger, the file is no ledger or newer than this program, or a file cannot be written.
pub(crate) fn run(copy: &Path, ledger: &Path, by: &Person) -> anyhow::Result<Exit> {
    let done = restore(copy, ledger, &by.name, by.now)?;
    if !done.discrepancies.is_empty() {
        for line in &done.discrepancies {
            say!("{line}");
        }
        complain!(
            "{} is damaged ({}), and nothing was restored: take another backup",
            copy.display(),
            count(done.discrepancies.len() as u64, "discrepancy", "discrepancies")
        );
        return Ok(Exit::Failed);
    }
    say!("{}: restored from {}", ledger.display(), copy.display());
    if let Some(kept) = &done.kept {
        say!("The ledger before is kept as {}.", kept.display());
    }
    say!(
        "Its id is now {} (before: {}): what it sends from now on never has the id of what was sent before.",
        done.renewed.id,
        done.renewed.before
    );
    say!(
        "What happened since the backup is not in it: news may be sent a second time, and retries of that time are not known. Before the service starts, set reprocess.mode = \"off\" for the first cycle."
    );
    Ok(Exit::Done)
}
