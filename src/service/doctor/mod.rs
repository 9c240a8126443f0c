//! `doctor`: checks everything the service needs, with advice for each problem.
//!
//! Each check is a line of its own, so one failure hides no other. Nothing is sent, changed or pinged.

pub(crate) mod channels;
pub(crate) mod host;
pub(crate) mod ledger;
pub(crate) mod projects;
pub(crate) mod reach;
pub(crate) mod unit;

use std::path::Path;

use serde::Serialize;

use crate::config::Config;
use crate::config::check::warnings::warnings;
use crate::config::load::{self, ConfigError};
use crate::credentials::Credentials;
use crate::model::text::count;
use crate::secrets;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStatus {
    /// As it should be.
    Ok,
    /// Works, but needs attention.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CheckResult {
    /// What was looked at, such as "dns".
    pub check: &'static str,
    /// Whose: the name of a project or channel, or a path; empty for the host.
    pub subject: String,
    /// How it ended.
    pub verdict: CheckStatus,
    /// What was found.
    pub says: String,
    /// What to do; none if there is nothing to do.
    pub advice: Option<String>,
}

impl CheckResult {
    fn ok(check: &'static str, subject: &str, says: impl Into<String>) -> CheckResult {
        CheckResult { check, subject: subject.to_owned(), verdict: CheckStatus::Ok, says: masked(says), advice: None }
    }

    fn warn(check: &'static str, subject: &str, says: impl Into<String>, advice: impl Into<String>) -> CheckResult {
        let advice = Some(advice.into());
        CheckResult { check, subject: subject.to_owned(), verdict: CheckStatus::Warn, says: masked(says), advice }
    }

    fn fail(check: &'static str, subject: &str, says: impl Into<String>, advice: impl Into<String>) -> CheckResult {
        CheckResult { verdict: CheckStatus::Fail, ..CheckResult::warn(check, subject, says, advice) }
    }
}

/// What is found is often what others said.
fn masked(says: impl Into<String>) -> String {
    secrets::mask(&says.into()).into_owned()
}

/// Looks at everything. Without a readable configuration only that is reported, because all else follows from it.
pub(crate) async fn examine(
    path: &Path,
    config: Result<Config, ConfigError>,
    credentials: &Credentials,
) -> Vec<CheckResult> {
    let config = match config {
        Ok(config) => config,
        Err(error) => return vec![unreadable(path, &error)],
    };
    let says = format!(
        "{}, {}",
        count(config.project.len() as u64, "project", "projects"),
        count(config.channel.len() as u64, "channel", "channels")
    );
    let mut findings = vec![CheckResult::ok("config", &path.display().to_string(), says)];
    for project in &config.project {
        findings.extend(projects::examine(project, credentials).await);
    }
    for (key, doubt) in warnings(&config) {
        findings.push(CheckResult::warn("config", &key, doubt, "see docs/configuration.md"));
    }
    for exposed in credentials.exposed(&config, path) {
        findings.push(CheckResult::warn("secrecy", &exposed.path.display().to_string(), exposed.says, exposed.advice));
    }
    for channel in &config.channel {
        findings.extend(channels::examine(channel, credentials).await);
    }
    findings.extend(ledger::examine(&config.ledger.path).await);
    findings.extend(reach::examine(&config, path));
    findings.push(host::disk(&config.ledger));
    findings.extend(unit::examine(path, &config).await);
    findings.extend(host::check_monitoring(&config, credentials));
    findings
}

fn unreadable(path: &Path, error: &ConfigError) -> CheckResult {
    let advice = match error {
        ConfigError::NotFound(_) => {
            format!("set --config FILE; default locations: {}", load::PLACES.join(", "))
        }
        ConfigError::Read { why, .. } => {
            let advice = match why.kind() {
                std::io::ErrorKind::NotFound => "it is not there: name the right file with --config",
                std::io::ErrorKind::PermissionDenied => "no permission to read it: run this as root or as its owner",
                _ => "set --config to a readable file",
            };
            return CheckResult::fail("config", &path.display().to_string(), error.to_string(), advice);
        }
        _ => "correct the lines named above; config/example.toml shows every key".to_owned(),
    };
    CheckResult::fail("config", &path.display().to_string(), error.to_string(), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::project::ProjectConfig;

    fn of<'a>(findings: &'a [CheckResult], check: &str) -> &'a CheckResult {
        findings.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("no {check} in {findings:#?}"))
    }

    #[tokio::test]
    async fn one_failure_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.ledger.path = dir.path().join("ledger.db");
        // Nothing listens on port 1 of loopback.
        let base_url = "http://127.0.0.1:1".to_owned();
        config.project = vec![ProjectConfig { name: "prod".to_owned(), base_url, ..ProjectConfig::default() }];
        let findings = examine(Path::new("x.toml"), Ok(config), &Credentials::default()).await;
        assert_eq!(of(&findings, "config").verdict, CheckStatus::Ok);
        assert_eq!(of(&findings, "api key").verdict, CheckStatus::Fail);
        assert_eq!(of(&findings, "address").verdict, CheckStatus::Fail);
        assert!(findings.iter().any(|finding| finding.subject == "channel" && finding.verdict == CheckStatus::Warn));
        assert_eq!(of(&findings, "ledger").verdict, CheckStatus::Warn);
        assert_eq!(of(&findings, "disk").verdict, CheckStatus::Ok);
    }

    #[tokio::test]
    async fn every_mistake_of_the_configuration_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "[log]\nformat = \"xml\"\n[ledger]\npaht = \"x\"\n").unwrap();
        let findings = examine(&path, load::read(&path), &Credentials::default()).await;
        assert!(findings[0].says.contains("log.format") && findings[0].says.contains("paht"), "{findings:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_not_called_mistaken() {
        let path = Path::new("/nowhere/c.toml");
        let findings = examine(path, load::read(path), &Credentials::default()).await;
        assert!(findings[0].says.contains("No such file"), "{findings:?}");
        assert!(findings[0].advice.as_ref().unwrap().contains("it is not there"), "{findings:?}");
    }

    #[tokio::test]
    async fn a_skewed_clock_is_reported() {
        let now: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let verdict = |date| projects::clock("prod", date, now).map(|finding| finding.verdict);
        assert_eq!(verdict("Sun, 01 Mar 2026 12:00:20 GMT"), Some(CheckStatus::Ok));
        assert_eq!(verdict("Sun, 01 Mar 2026 12:02:00 GMT"), Some(CheckStatus::Warn));
        assert_eq!(verdict("Sun, 01 Mar 2026 11:00:00 GMT"), Some(CheckStatus::Fail));
        assert_eq!(verdict("yesterday"), None);
    }
}
