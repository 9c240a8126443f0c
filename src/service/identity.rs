//! Detects that a ledger is a copy when it is opened for writing, and gives it a new id.

use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::ledger::identity::{self, FileIdentity};

/// Where hosts keep an id of their own (`man 5 machine-id`). Containers often have none.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// Gives a ledger that is a copy another id. Once, at the start, by the holder of the ledger's lock.
///
/// # Errors
/// The file cannot be looked at, or the ledger refuses.
pub(crate) async fn settle(ledger: &Ledger, now: Timestamp) -> anyhow::Result<()> {
    let file = std::fs::metadata(ledger.path()).with_context(|| format!("cannot use {}", ledger.path().display()))?;
    let place = FileIdentity { inode: file.ino(), host: host() };
    let renewed = ledger
        .write(move |tx| {
            let renewed = identity::check_copy(tx, &place)?;
            if let Some(renewed) = &renewed {
                let detail = serde_json::json!({ "id_before": renewed.before }).to_string();
                let actor = "auto:copy";
                let act = Act { actor, action: "renew-id", subject: "ledger", detail: Some(detail), ..Act::default() };
                audit::record(tx, &act, now)?;
            }
            Ok(renewed)
        })
        .await?;
    if let Some(renewed) = renewed {
        let (before, id) = (renewed.before, renewed.id);
        tracing::warn!(
            ledger.id = id,
            "this ledger is a copy of {before}: new id {id}, so that their digests have different ids"
        );
    }
    Ok(())
}

/// A hash of the host's id: the id itself is not for others to see.
fn host() -> Option<String> {
    let id = MACHINE_IDS.iter().find_map(|path| std::fs::read_to_string(path).ok())?;
    let id = id.trim();
    (!id.is_empty()).then(|| hex::encode(&Sha256::digest(format!("llama-triage {id}"))[..8]))
}
