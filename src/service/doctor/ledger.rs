//! Whether the ledger can be read, is consistent, and is up to date.

use std::path::Path;

use jiff::{Timestamp, Unit};

use crate::ledger::error::LedgerError;
use crate::ledger::{access, check, open};
use crate::service::doctor::CheckResult;
use crate::service::store_health;

/// A last complete scan older than this is a warning.
const STALE_HOURS: i64 = 24;

/// All checks of the ledger.
pub(crate) async fn examine(path: &Path) -> Vec<CheckResult> {
    let path = path.to_owned();
    let name = path.display().to_string();
    match tokio::task::spawn_blocking(move || look(&path)).await {
        Ok(findings) => findings,
        Err(error) => vec![CheckResult::fail("ledger", &name, error.to_string(), "this is a bug: please report it")],
    }
}

fn look(path: &Path) -> Vec<CheckResult> {
    let name = path.display().to_string();
    let connection = match open::reader(path) {
        Ok(connection) => connection,
        Err(LedgerError::Missing(_)) => {
            return vec![CheckResult::warn(
                "ledger",
                &name,
                "no ledger yet",
                "the first cycle creates it; then run doctor again",
            )];
        }
        Err(error @ LedgerError::Newer { .. }) => {
            let advice = "this llama-triage is too old for it: upgrade, or restore the backup from before the upgrade";
            return vec![CheckResult::fail("ledger", &name, error.to_string(), advice)];
        }
        Err(error) => return vec![unreadable(&name, &error)],
    };
    match open::refuse_older(&connection) {
        Ok(()) => {}
        Err(error @ LedgerError::Older { .. }) => {
            let advice = "nothing is lost: start the service, or run llama-triage cycle once, then run doctor again";
            return vec![CheckResult::warn("ledger", &name, error.to_string(), advice)];
        }
        Err(error) => return vec![unreadable(&name, &error)],
    }
    let mut findings: Vec<CheckResult> = wrong_owner(path).collect();
    findings.push(match check::check(&connection) {
        Ok(discrepancies) if discrepancies.is_empty() => CheckResult::ok("ledger", &name, "consistent"),
        Ok(discrepancies) => {
            let more = discrepancies.len() - 1;
            let says = discrepancies[0].clone() + &if more > 0 { format!(" (and {more} more)") } else { String::new() };
            CheckResult::fail(
                "ledger",
                &name,
                says,
                "see llama-triage ledger check; restore a backup (docs/operations.md)",
            )
        }
        Err(error) => unreadable(&name, &error),
    });
    match store_health::read(&connection) {
        Ok(health) => findings.extend(upgrade_notice(&health, Timestamp::now())),
        Err(error) => {
            findings.push(CheckResult::fail("health", &name, error.to_string(), "see llama-triage ledger check"))
        }
    }
    findings
}

/// What to do about a ledger that cannot be read depends on why.
fn unreadable(name: &str, error: &LedgerError) -> CheckResult {
    let source = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    let advice = match error {
        LedgerError::Denied { remedy, .. } => {
            return CheckResult::fail("ledger", name, "this user has no permission to use it", remedy.as_str());
        }
        LedgerError::Corrupt(_) | LedgerError::Unreadable { .. } => "restore a backup (docs/operations.md)".to_owned(),
        error if error.is_transient() => "another process uses it: run doctor again in a minute".to_owned(),
        LedgerError::Full(_) => "free space on its disk, then run doctor again".to_owned(),
        _ => "check the disk and the kernel's log; then run llama-triage ledger check".to_owned(),
    };
    CheckResult::fail("ledger", name, format!("{error}{source}"), advice)
}

/// Files that the service cannot use although root, who asks, can: the service runs as the owner of the ledger's folder.
fn wrong_owner(path: &Path) -> impl Iterator<Item = CheckResult> {
    access::foreign_files(path).into_iter().map(|(file, has, wants)| {
        let name = file.display().to_string();
        let says = format!("owned by {has}, its directory by {wants}: a service of {wants} cannot use it");
        CheckResult::fail("ledger", &name, says, format!("chown {wants}: {name}"))
    })
}

fn upgrade_notice(health: &store_health::Health, now: Timestamp) -> Vec<CheckResult> {
    let mut findings = Vec::new();
    for (project, scanned) in &health.last_complete_scan {
        let advice = "is the service running? journalctl -u llama-triage says why a scan is incomplete";
        findings.push(match scanned {
            None => CheckResult::warn("last scan", project, "no complete scan yet", advice),
            Some(at) => {
                let hours = now.since((Unit::Hour, *at)).map_or(0, |span| i64::from(span.get_hours()));
                let says = format!("complete at {at:.0}");
                if hours >= STALE_HOURS {
                    CheckResult::warn("last scan", project, says, advice)
                } else {
                    CheckResult::ok("last scan", project, says)
                }
            }
        });
    }
    for channel in &health.dead_channels {
        let advice = "fix the channel (see its line above) and test it: llama-triage notify test NAME; \
                      the next digest uses it again, at the latest the scheduled one";
        findings.push(CheckResult::fail("deliveries", channel, "the newest delivery is undeliverable", advice));
    }
    if health.faults > 0 {
        let advice = "see llama-triage report summary";
        findings.push(CheckResult::warn("faults", "", format!("{} active", health.faults), advice));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::doctor::CheckStatus;

    #[tokio::test]
    async fn a_file_that_is_no_ledger_is_reported_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(&path, "not a database, but long enough to be read as one".repeat(100)).unwrap();
        let findings = examine(&path).await;
        assert_eq!(findings[0].verdict, CheckStatus::Fail);
        assert!(findings[0].advice.as_ref().unwrap().contains("backup"), "{findings:?}");
    }

    #[tokio::test]
    async fn a_ledger_of_an_older_program_is_not_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        open::writer(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
        let findings = examine(&path).await;
        assert_eq!((findings.len(), findings[0].verdict), (1, CheckStatus::Warn), "{findings:?}");
        assert!(findings[0].advice.as_ref().unwrap().contains("nothing is lost"), "{findings:?}");
    }

    #[tokio::test]
    async fn a_file_that_root_left_in_the_services_folder_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        drop(open::writer(&path).unwrap());
        assert!(examine(&path).await.iter().all(|finding| finding.verdict == CheckStatus::Ok));
        // Only root can make what it looks like.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(4242), Some(4242)).unwrap();
            let findings = examine(&path).await;
            assert_eq!(findings[0].verdict, CheckStatus::Fail, "{findings:?}");
            assert!(findings[0].advice.as_ref().unwrap().starts_with("chown 4242: "), "{findings:?}");
        }
    }

    #[tokio::test]
    async fn an_old_scan_and_a_dead_channel_are_reported() {
        let now: Timestamp = "2026-03-03T12:00:00Z".parse().unwrap();
        let scans = [("a", Some("2026-03-03T11:00:00Z")), ("b", Some("2026-03-01T11:00:00Z")), ("c", None)];
        let health = store_health::Health {
            last_complete_scan: scans.map(|(name, at)| (name.to_owned(), at.map(|at| at.parse().unwrap()))).into(),
            dead_channels: vec!["oncall".to_owned()],
            ..store_health::Health::default()
        };
        let verdicts: Vec<CheckStatus> =
            upgrade_notice(&health, now).into_iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [CheckStatus::Ok, CheckStatus::Warn, CheckStatus::Warn, CheckStatus::Fail]);
    }
}
