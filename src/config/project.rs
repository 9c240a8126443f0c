//! `[[project]]`: one LlamaCloud project to watch.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;
use strum::VariantArray as _;

use serde::Deserialize;

use crate::config::{days, duration as friendly};
use crate::model::batch_api::BatchApi;

/// One LlamaCloud project.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProjectConfig {
    /// The name people use for it, in reports and digests.
    #[serde(default)]
    pub name: String,
    /// The API's address.
    #[serde(default = "default_base_url")]
    pub base_url: String,
    /// A file with the API key; else the systemd credential, else `LLAMA_CLOUD_API_KEY`.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// The project's bare uuid; none takes the key's own project.
    #[serde(default)]
    pub project_id: Option<String>,
    /// The organization's bare uuid; none takes the key's own.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// Which batch APIs of LlamaCloud to read. `auto` finds out which of them answer, and goes on finding out.
    #[serde(default)]
    pub api: Api,
    /// Whether failed pages of a completed parse make its item a failed one. For v2; costs a request for each file.
    #[serde(default)]
    pub page_failures: bool,
    /// Batches created longer ago than this, counted from the last complete scan, are not looked at, unless they still have open items.
    #[serde(default = "default_look_back", with = "friendly")]
    #[cfg_attr(test, schemars(with = "crate::config::tests::DurationText"))]
    pub look_back: Duration,
    /// Rows asked for in one page, 1 to 1000.
    #[serde(default = "default_page_size")]
    pub page_size: NonZeroUsize,
    /// Requests a second, at most.
    #[serde(default = "default_requests_per_second")]
    pub requests_per_second: NonZeroU32,
    /// Requests under way at once, at most.
    #[serde(default = "default_concurrency")]
    pub concurrency: NonZeroUsize,
    /// The time one request may take.
    #[serde(default = "default_request_timeout", with = "friendly")]
    #[cfg_attr(test, schemars(with = "crate::config::tests::DurationText"))]
    pub request_timeout: Duration,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        ProjectConfig {
            name: String::new(),
            base_url: default_base_url(),
            api_key_file: None,
            project_id: None,
            organization_id: None,
            api: Api::default(),
            page_failures: false,
            look_back: default_look_back(),
            page_size: default_page_size(),
            requests_per_second: default_requests_per_second(),
            concurrency: default_concurrency(),
            request_timeout: default_request_timeout(),
        }
    }
}

/// Which batch APIs of LlamaCloud a project is watched through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, clap::ValueEnum, strum::IntoStaticStr)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum Api {
    /// Every API that answers: v2, v1 beta, or both.
    #[default]
    #[serde(rename = "auto")]
    #[value(name = "auto")]
    #[strum(serialize = "auto")]
    Auto,
    /// `/api/v1/beta/batch-processing` alone.
    #[serde(rename = "v1-beta")]
    #[value(name = "v1-beta")]
    #[strum(serialize = "v1-beta")]
    V1Beta,
    /// `/api/v2/batches` alone.
    #[serde(rename = "v2")]
    #[value(name = "v2")]
    #[strum(serialize = "v2")]
    V2,
}

impl Api {
    /// The value of `api` that means it.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The batch APIs that it allows, in the order in which they are read.
    pub fn batch_apis(self) -> &'static [BatchApi] {
        match self {
            Api::Auto => BatchApi::VARIANTS,
            Api::V1Beta => &[BatchApi::V1Beta],
            Api::V2 => &[BatchApi::V2],
        }
    }
}

fn default_base_url() -> String {
    "https://api.cloud.llamaindex.ai".to_owned()
}

fn default_look_back() -> Duration {
    days(7)
}

fn default_page_size() -> NonZeroUsize {
    NonZeroUsize::new(1000).expect("a constant above zero")
}

fn default_requests_per_second() -> NonZeroU32 {
    NonZeroU32::new(10).expect("a constant above zero")
}

fn default_concurrency() -> NonZeroUsize {
    NonZeroUsize::new(4).expect("a constant above zero")
}

fn default_request_timeout() -> Duration {
    Duration::from_secs(60)
}
