//! The configuration: what may be set, its units, defaults and limits.
//!
//! One file per table family; `load` reads and checks a file. Secrets are not here: see `credentials`.
//! The rest of the program gets these plain values and never reads files or the environment for settings.

pub(crate) mod channel;
pub(crate) mod check;
pub(crate) mod console;
pub(crate) mod duration;
pub(crate) mod load;
pub(crate) mod page;
pub(crate) mod paths;
pub(crate) mod project;
pub(crate) mod reprocess;
pub(crate) mod schedule;
pub(crate) mod size;
pub(crate) mod status_page;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::classify::rules::parse::Rule;
use crate::model::links::LinkTemplates;
use crate::model::links::linker::{Host, Linker};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// Where the ledger is.
    pub ledger: LedgerConfig,
    /// LlamaCloud projects to watch.
    pub project: Vec<project::ProjectConfig>,
    /// Where digests go.
    pub channel: Vec<channel::ChannelConfig>,
    /// When scans and digests happen.
    pub schedule: schedule::ScheduleConfig,
    /// Where the vendor reports its own incidents.
    pub status_page: status_page::StatusPageConfig,
    /// What digests hold.
    pub digest: DigestConfig,
    /// What passes quiet hours and opens an alert at a paging provider.
    pub page: page::PageConfig,
    /// Link templates.
    pub links: LinksConfig,
    /// Retrying.
    pub reprocess: reprocess::ReprocessConfig,
    /// Classification rules before the shipped ones; first match wins.
    pub rule: Vec<Rule>,
    /// Health, metrics, heartbeat.
    pub service: ServiceConfig,
    /// Pages and actions in a browser.
    pub console: console::ConsoleConfig,
    /// Logging.
    pub log: Log,
}

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// The SQLite file; its directory is created if it is missing. As every relative path, it follows the folder of this file.
    pub path: PathBuf,
    /// How long closed observations are kept by `ledger prune`; open items are kept always.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub keep: Duration,
    /// How long digests, deliveries and audit rows are kept by `ledger prune`.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub keep_digests: Duration,
    /// Less free space than this on the ledger's disk is reported as a problem; a tenth of a smaller disk; "0" for never.
    #[serde(with = "size")]
    #[cfg_attr(test, schemars(with = "tests::SizeText"))]
    pub low_disk: u64,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        LedgerConfig {
            path: PathBuf::from("/var/lib/llama-triage/ledger.db"),
            keep: days(400),
            keep_digests: days(400),
            low_disk: 1 << 30,
        }
    }
}

/// `[digest]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DigestConfig {
    /// Shown in subjects, "[triage NAME]"; empty for none.
    pub instance: String,
    /// Groups shown in full; the totals are always complete.
    pub groups: usize,
    /// Sample items for each group.
    pub samples: usize,
    /// A new group is reported once its batch has ended, at the latest this long after its first failure.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub group_wait: Duration,
    /// An open, unacknowledged group is reported again after this time.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub reminder: Duration,
    /// A group without new items for this long is closed as "quiet".
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub quiet_after: Duration,
    /// The least time between two unscheduled digests.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "tests::DurationText"))]
    pub min_gap: Duration,
    /// The most unscheduled digests in 24 hours.
    pub per_day: u32,
    /// Send an "all quiet" digest on Mondays when there is nothing to report.
    pub all_quiet: bool,
    /// Of an earlier version; see [`DigestConfig::removed_keys`].
    #[cfg_attr(test, serde(skip_serializing), schemars(skip))]
    pub(crate) page_classes: Option<Vec<String>>,
}

impl DigestConfig {
    /// Keys of earlier versions, as they are written.
    pub(crate) const GONE: [&str; 1] = ["page-classes"];

    /// The keys of earlier versions that are set, each with what to write instead.
    pub(crate) fn removed_keys(&self) -> Vec<(&'static str, String)> {
        let classes = self.page_classes.iter();
        let said = classes.map(|classes| format!("was replaced: write [page] classes = {classes:?}"));
        Self::GONE.into_iter().zip(said).collect()
    }
}

impl Default for DigestConfig {
    fn default() -> Self {
        DigestConfig {
            instance: String::new(),
            groups: 20,
            samples: 3,
            group_wait: minutes(10),
            reminder: hours(24),
            quiet_after: days(14),
            min_gap: minutes(15),
            per_day: 12,
            all_quiet: false,
            page_classes: None,
        }
    }
}

/// `[links]`: templates by name; an empty template switches a shipped one off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinksConfig {
    /// The console's address; none takes the one that belongs to the project's `base-url`.
    pub console: Option<String>,
    /// Templates by name.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub templates: LinkTemplates,
}

impl Config {
    /// Makes the links of this configuration's projects.
    pub fn linker(&self) -> Linker {
        let console = self.links.console.as_deref();
        let hosts = self.project.iter().map(|project| {
            let host = Host::new(&project.base_url, console, project.project_id.as_deref());
            (project.name.clone(), host)
        });
        Linker::new(self.links.templates.clone(), hosts.collect())
    }

    /// The classes that page: those of `[page]`, or what an earlier version's key says.
    pub(crate) fn page_classes(&self) -> &[String] {
        self.digest.page_classes.as_deref().unwrap_or(&self.page.classes)
    }

    /// Where people reach the console, without a trailing slash; none if it is not configured.
    pub(crate) fn public_url(&self) -> Option<String> {
        self.service.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned())
    }

    /// The same links, for readers who are not in the console: they lead to it where its address is configured.
    pub(crate) fn linker_to_console(&self) -> Linker {
        self.linker().with_console(self.public_url())
    }
}

impl Default for LinksConfig {
    fn default() -> Self {
        LinksConfig { console: None, templates: LinkTemplates::shipped() }
    }
}

/// `[service]`
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Address of `/healthz`, `/metrics` and `/webhooks/llamacloud`, such as "127.0.0.1:9180"; none switches them off.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub listen: Option<std::net::SocketAddr>,
    /// The address under which people reach the console, such as `https://triage.example.com`; digests then link to it.
    pub public_url: Option<String>,
    /// A URL fetched after each complete cycle.
    pub heartbeat_url: Option<String>,
    /// A file that holds the heartbeat URL, where the URL is a secret.
    pub heartbeat_url_file: Option<PathBuf>,
    /// A file that holds the signing secret of LlamaCloud's webhooks; without a secret no event is taken.
    pub webhook_secret_file: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Log {
    /// How log lines look.
    pub format: LogFormat,
    /// A filter such as `info` or `llama_triage=debug`; `-v` and `-q` go before it.
    pub level: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// The journal's own fields under systemd, text elsewhere.
    #[default]
    Auto,
    /// Human lines.
    Text,
    /// One JSON object a line.
    Json,
    /// The systemd journal.
    Journald,
}

pub(crate) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub(crate) const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

pub(crate) const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}
