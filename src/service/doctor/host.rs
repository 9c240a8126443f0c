//! The host: disk space, the systemd unit, and whether anybody would notice that the service has stopped.

use std::path::Path;
use std::process::Stdio;

use super::Finding;
use crate::config::Config;

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
    let advice = "make room: llama-triage ledger prune, or move the ledger (docs/operations.md)";
    match free {
        ..OUT => Finding::fail("disk", &name, says, advice),
        OUT..LOW => Finding::warn("disk", &name, says, advice),
        _ => Finding::ok("disk", &name, says),
    }
}

/// The state of the unit, where there is systemd.
pub(super) async fn unit() -> Finding {
    if !Path::new("/run/systemd/system").exists() {
        return Finding::ok("unit", "", "this host does not run systemd");
    }
    let asked = tokio::process::Command::new("systemctl")
        .args(["show", "llama-triage.service", "llama-triage-cycle.timer"])
        .args(["--property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload"])
        .stdin(Stdio::null())
        .output()
        .await;
    match asked {
        Ok(answer) if answer.status.success() => judge_units(&String::from_utf8_lossy(&answer.stdout)),
        Ok(answer) => {
            let says = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            Finding::warn("unit", "", says, "ask as root: systemctl status llama-triage")
        }
        Err(error) => Finding::warn("unit", "", format!("systemctl: {error}"), "ask: systemctl status llama-triage"),
    }
}

/// Judges what `systemctl show` printed: a block of `key=value` lines for each unit.
fn judge_units(shown: &str) -> Finding {
    let mut best: Option<Finding> = None;
    for block in shown.split("\n\n") {
        let get =
            |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
        let (name, active, enabled) = (get("Id"), get("ActiveState"), get("UnitFileState"));
        let says = format!("{active}, {enabled}");
        let start = format!("systemctl enable --now {name}");
        let finding = match (get("LoadState"), active, enabled) {
            ("not-found", ..) => continue,
            (_, "failed", _) => Finding::fail("unit", name, says, format!("journalctl -u {name}; then {start}")),
            _ if get("NeedDaemonReload") == "yes" => {
                Finding::warn("unit", name, "the file has changed since it was read", "systemctl daemon-reload")
            }
            (_, "active" | "reloading", "enabled") => return Finding::ok("unit", name, says),
            _ => Finding::warn("unit", name, says, start),
        };
        let worse = best.as_ref().is_none_or(|best| finding.verdict > best.verdict);
        if worse {
            best = Some(finding);
        }
    }
    best.unwrap_or_else(|| Finding::warn("unit", "", "llama-triage.service is not installed", "see docs/install.md"))
}

/// A service that nobody watches can die in silence.
pub(super) fn unwatched(config: &Config) -> Option<Finding> {
    let service = &config.service;
    let watched = service.heartbeat_url.is_some() || service.heartbeat_url_file.is_some() || service.listen.is_some();
    let advice = "set service.heartbeat-url (a dead-man's switch), or service.listen and scrape /metrics";
    (!watched).then(|| Finding::warn("watched", "", "nobody would notice if the service stopped", advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::doctor::Verdict;

    fn shown(load: &str, active: &str, enabled: &str, reload: &str) -> String {
        format!(
            "Id=llama-triage.service\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n\n\
             Id=llama-triage-cycle.timer\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
        )
    }

    #[test]
    fn the_unit_is_fine_only_if_it_runs_and_starts_at_boot() {
        let verdict = |shown: String| judge_units(&shown).verdict;
        assert_eq!(verdict(shown("loaded", "active", "enabled", "no")), Verdict::Ok);
        assert_eq!(verdict(shown("loaded", "active", "disabled", "no")), Verdict::Warn);
        assert_eq!(verdict(shown("loaded", "active", "enabled", "yes")), Verdict::Warn);
        assert_eq!(verdict(shown("loaded", "failed", "enabled", "no")), Verdict::Fail);
        assert_eq!(verdict(shown("not-found", "inactive", "", "no")), Verdict::Warn);
    }
}
