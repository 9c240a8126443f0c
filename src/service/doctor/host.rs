//! The host: disk space, and whether anybody would notice that the service has stopped.

use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::credentials::Credentials;

/// With less than this free, a large account could fill the disk within days.
const LOW: u64 = 1 << 30;

/// With less than this free, the ledger's next checkpoint may fail.
const OUT: u64 = 64 << 20;

/// Free space where the ledger is, or will be.
pub(super) fn disk(ledger: &Path) -> Finding {
    let place = ledger.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let name = place.display().to_string();
    let free = match rustix::fs::statvfs(place) {
        Ok(volume) => volume.f_bavail.saturating_mul(volume.f_frsize),
        Err(error) => return Finding::fail("disk", &name, error.to_string(), "check the folder of ledger.path"),
    };
    let says = format!("{} MiB free", free >> 20);
    let advice = "make room on the disk, or in the ledger: \"Make room\" in docs/operations.md";
    match free {
        ..OUT => Finding::fail("disk", &name, says, advice),
        OUT..LOW => Finding::warn("disk", &name, says, advice),
        _ => Finding::ok("disk", &name, says),
    }
}

/// A service that nobody watches can die in silence.
pub(super) fn unwatched(config: &Config, credentials: &Credentials) -> Option<Finding> {
    let service = &config.service;
    let pinged = credentials.heartbeat_url(service.heartbeat_url_file.as_deref());
    let watched = service.heartbeat_url.is_some() || service.listen.is_some() || !matches!(pinged, Ok(None));
    let advice = "set service.heartbeat-url (a dead-man's switch), or service.listen and scrape /metrics";
    (!watched).then(|| Finding::warn("watched", "", "nobody would notice if the service stopped", advice))
}
