//! `ledger restore FILE`: puts a backup in the ledger's place.

use std::path::Path;

use crate::actions::act::Person;
use crate::exit::Exit;
use crate::ledger::restore::restore;
use crate::model::text::count;
use crate::progress;
use crate::{complain, say};

/// Restores, and says what that means.
///
/// # Errors
/// The service uses the ledger, the file is no ledger or newer than this program, or a file cannot be written.
pub(crate) fn run(copy: &Path, ledger: &Path, by: &Person) -> anyhow::Result<Exit> {
    let bar = progress::show();
    let done = restore(copy, ledger, &by.name, by.now)?;
    drop(bar);
    if !done.discrepancies.is_empty() {
        for line in &done.discrepancies {
            say!("{line}");
        }
        complain!(
            "{} is damaged ({}); nothing was restored: use another backup",
            copy.display(),
            count(done.discrepancies.len() as u64, "discrepancy", "discrepancies")
        );
        return Ok(Exit::Failed);
    }
    say!("{}: restored from {}", ledger.display(), copy.display());
    if let Some(kept) = &done.kept {
        say!("The previous ledger is kept as {}.", kept.display());
    }
    say!(
        "New ledger id: {} (before: {}), so that new digests never share an id with earlier ones.",
        done.renewed.id,
        done.renewed.before
    );
    say!(
        "Events since the backup are missing: digests may repeat and later retries are unknown. Set reprocess.mode = \"off\" for the first cycle of the service."
    );
    Ok(Exit::Done)
}
