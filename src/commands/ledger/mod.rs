//! `ledger check|backup|prune|regroup`: the life of a ledger, by hand or from a timer.

pub(crate) mod restore;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};

use crate::actions::act::Person;

use crate::exit::Exit;
use crate::grouping::store_regroup;
use crate::ledger::audit::{self, Act};
use crate::ledger::prune::{PruneCutoff, prune};
use crate::ledger::time::known_time;
use crate::ledger::time::millis;
use crate::ledger::{Ledger, backup, check, open};
use crate::model::text::count;
use crate::progress;
use crate::{complain, say};

/// `ledger`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check for damage and inconsistent counts; safe while the service runs
    Check,
    /// Back up the ledger to a file; safe while the service runs
    Backup {
        /// Target file; an older backup is replaced
        file: PathBuf,
    },
    /// Replace the ledger with a backup and give it a new id; stop the service first
    Restore {
        /// Backup file; opened read-only
        file: PathBuf,
    },
    /// Delete data older than ledger.keep and ledger.keep-digests; keeps everything open or unsent
    Prune,
    /// Regroup all messages after an upgrade; old group ids keep working, nothing is announced as new
    Regroup,
}

/// Groups every message again with this version's grouping. Returns how many groups became one with another.
///
/// # Errors
/// Another process writes to the ledger, or it cannot be written; nothing has changed then.
pub(crate) async fn regroup(path: &Path, by: Person) -> anyhow::Result<Exit> {
    open::reader(path)?;
    let ledger = Ledger::open(path).await?;
    let now = by.now;
    let bar = progress::show();
    let (messages, joined) = ledger
        .write(move |tx| {
            let done = store_regroup::regroup(tx, now)?;
            let act = Act { actor: &by.name, action: "regroup", subject: "ledger", ..Act::default() };
            audit::record(tx, &act, now)?;
            Ok(done)
        })
        .await?;
    drop(bar);
    ledger.close().await?;
    let messages = count(messages, "message", "messages");
    let joined = count(joined, "group", "groups");
    say!("{messages} regrouped; {joined} merged (old ids keep working)");
    Ok(Exit::Done)
}

/// Names every discrepancy, one a line; fails if there is one. Works beside the service.
///
/// # Errors
/// The ledger is missing, newer or older, or cannot be read.
pub(crate) fn check(ledger: &Path) -> anyhow::Result<Exit> {
    let connection = open::reader(ledger)?;
    open::refuse_older(&connection)?;
    let bar = progress::show();
    let found = check::check(&connection)?;
    drop(bar);
    for line in &found {
        say!("{line}");
    }
    if found.is_empty() {
        say!("{}: ok", ledger.display());
        return Ok(Exit::Done);
    }
    complain!(
        "{}: {}: keep a copy, then restore a backup, or report it with this output",
        ledger.display(),
        count(found.len() as u64, "discrepancy", "discrepancies")
    );
    Ok(Exit::Failed)
}

/// Copies the ledger to a file, beside a running service.
///
/// # Errors
/// The ledger cannot be read, or the copy cannot be written.
pub(crate) fn backup(ledger: &Path, target: &Path) -> anyhow::Result<Exit> {
    let bar = progress::show();
    let bytes = backup::backup(&open::reader(ledger)?, target)?;
    drop(bar);
    say!("{}: {bytes} bytes", target.display());
    Ok(Exit::Done)
}

/// Forgets settled items not seen for `keep`, and digests older than `keep_digests`. Needs the service to be stopped.
///
/// # Errors
/// Another process writes to the ledger, or it cannot be written.
pub(crate) async fn prune_old(
    path: &Path,
    keep: Duration,
    keep_digests: Duration,
    now: Timestamp,
) -> anyhow::Result<Exit> {
    // A clock that jumped ahead would have all of it forgotten: nothing is older than the worker's last time says.
    let now = known_time::last_known(&open::reader(path)?)?.map_or(now, |known| known.min(now));
    let before = PruneCutoff { items: ago(now, keep), digests: ago(now, keep_digests) };
    let gone = Ledger::open(path).await?.write(move |tx| prune(tx, &before)).await?;
    for (table, rows) in gone.iter().filter(|(_, rows)| **rows > 0) {
        say!("{table}: {} deleted", count(*rows, "row", "rows"));
    }
    if gone.values().all(|rows| *rows == 0) {
        say!("nothing to delete: all data is newer than keep and keep-digests");
    }
    Ok(Exit::Done)
}

fn ago(now: Timestamp, span: Duration) -> i64 {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    millis(now.checked_sub(span).unwrap_or(Timestamp::MIN))
}
