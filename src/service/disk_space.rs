//! Free space on the ledger's disk: reported as a problem before the disk is full.

use std::path::Path;

use jiff::Timestamp;

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, fault};

/// The key of the problem in the ledger.
const FAULT: &str = "disk:ledger";

/// Of a small volume no more than this share need be free.
const LARGEST_SHARE: u64 = 10;

/// The space of the volume that holds a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// Free for this user, in bytes.
    pub(crate) free: u64,
    /// The volume's size, in bytes.
    pub(crate) total: u64,
}

impl Space {
    /// Looks at the volume where the ledger is, or will be.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn measure(ledger: &Path) -> std::io::Result<Space> {
        let place = ledger.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
        let volume = rustix::fs::statvfs(place)?;
        let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
        Ok(Space { free: bytes(volume.f_bavail), total: bytes(volume.f_blocks) })
    }

    /// The free space below which it is low: `least` bytes, or a tenth of a smaller volume.
    pub(crate) fn limit(self, least: u64) -> u64 {
        least.min(self.total / LARGEST_SHARE)
    }

    /// Whether it is low.
    pub(crate) fn is_low(self, least: u64) -> bool {
        self.free < self.limit(least)
    }

    /// Whether there is enough again: clearly more than the limit, so that the problem does not flap.
    fn is_well(self, least: u64) -> bool {
        self.free >= self.limit(least) / 4 * 5
    }

    /// What is wrong, for people; none if nothing is.
    pub(crate) fn problem(self, least: u64) -> Option<String> {
        self.is_low(least).then(|| {
            let (free, limit) = (self.free >> 20, self.limit(least) >> 20);
            format!("the disk under the ledger has {free} MiB free, less than {limit} MiB (ledger.low-disk)")
        })
    }
}

/// Raises the problem when space is low and ends it when there is enough again.
pub(crate) async fn note(ledger: &Ledger, least: u64, now: Timestamp) -> Result<(), LedgerError> {
    match Space::measure(ledger.path()) {
        Ok(space) => note_space(ledger, space, least, now).await,
        Err(error) => {
            tracing::warn!("cannot read the free disk space of {}: {error}", ledger.path().display());
            Ok(())
        }
    }
}

async fn note_space(ledger: &Ledger, space: Space, least: u64, now: Timestamp) -> Result<(), LedgerError> {
    if let Some(problem) = space.problem(least) {
        let text = format!(
            "{problem}; when it is full, nothing is recorded or sent. Free space on that disk, or see \"Make room\" in docs/operations.md"
        );
        return ledger.write(move |tx| fault::raise(tx, FAULT, &text, now)).await;
    }
    if space.is_well(least) && !ledger.read(|connection| fault::active_with_prefix(connection, FAULT)).await?.is_empty()
    {
        return ledger.write(move |tx| fault::clear(tx, FAULT, now)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_small_volume_needs_less_free_space() {
        let space = |free, total| Space { free: free * MIB, total: total * MIB };
        assert!(space(900, 100_000).is_low(1024 * MIB) && !space(1024, 100_000).is_low(1024 * MIB));
        assert!(!space(101, 1000).is_low(1024 * MIB) && space(99, 1000).is_low(1024 * MIB));
        assert!(!space(0, 1000).is_low(0), "0 switches it off");
        let problem = space(900, 100_000).problem(1024 * MIB).unwrap();
        assert!(problem.contains("900 MiB") && problem.contains("1024 MiB"), "{problem}");
    }

    #[tokio::test]
    async fn low_space_is_one_problem_until_there_is_clearly_enough() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.db")).await.unwrap();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut found = Vec::new();
        for free in [2000, 900, 1100, 900, 1279, 1280, 1100] {
            let space = Space { free: free * MIB, total: 100_000 * MIB };
            note_space(&ledger, space, 1024 * MIB, now).await.unwrap();
            found.push(ledger.read(|c| fault::active_with_prefix(c, FAULT)).await.unwrap().len());
        }
        assert_eq!(found, [0, 1, 1, 1, 1, 0, 0]);
    }
}
