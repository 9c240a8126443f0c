//! The host: disk space, and whether the service is monitored.

use std::path::Path;

use crate::config::{self, Config};
use crate::credentials::Credentials;
use crate::service::disk_space::Space;
use crate::service::doctor::CheckResult;

/// With less than this free, the ledger's next checkpoint may fail.
const OUT: u64 = 64 << 20;

/// Free space where the ledger is, or will be.
pub(crate) fn disk(ledger: &config::LedgerConfig) -> CheckResult {
    let place = ledger.path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let name = place.display().to_string();
    let space = match Space::measure(place) {
        Ok(space) => space,
        Err(error) => return CheckResult::fail("disk", &name, error.to_string(), "check the folder of ledger.path"),
    };
    let limit = space.limit(ledger.low_disk);
    let says = format!("{} MiB free; warning below {} MiB (ledger.low-disk)", space.free >> 20, limit >> 20);
    let advice = "free space on the disk, or in the ledger: \"Make room\" in docs/operations.md";
    match space.free {
        free if free < OUT.min(limit) => CheckResult::fail("disk", &name, says, advice),
        _ if space.is_low(ledger.low_disk) => CheckResult::warn("disk", &name, says, advice),
        _ => CheckResult::ok("disk", &name, says),
    }
}

/// Warns if neither a heartbeat nor `/metrics` is configured.
pub(crate) fn check_monitoring(config: &Config, credentials: &Credentials) -> Option<CheckResult> {
    let service = &config.service;
    let pinged = credentials.heartbeat_url(service.heartbeat_url_file.as_deref());
    let watched = service.heartbeat_url.is_some() || service.listen.is_some() || !matches!(pinged, Ok(None));
    let advice = "set service.heartbeat-url (a dead-man's switch), or service.listen and scrape /metrics";
    (!watched).then(|| CheckResult::warn("watched", "", "no monitoring: a stopped service goes unnoticed", advice))
}
