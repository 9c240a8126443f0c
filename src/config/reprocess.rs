//! `[reprocess]`: what is retried, how often and within which budget.

use jiff::SignedDuration;
use serde::Deserialize;

/// `[reprocess]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Reprocess {
    /// Whether anything is retried by itself.
    pub mode: Mode,
    /// Items a cycle may submit.
    pub per_run: u32,
    /// Items an hour.
    pub per_hour: u32,
    /// Items a day, of which a fifth is kept for people.
    pub per_day: u32,
    /// Items of one group a day.
    pub per_group_per_day: u32,
    /// Retries as a share of the items processed in the last 24 hours; 0 for no such limit.
    pub max_share: f64,
    /// Automatic attempts for one item in one episode.
    pub attempts: u32,
    /// The wait before each attempt; the last one repeats.
    #[serde(with = "super::duration::list")]
    #[cfg_attr(test, schemars(with = "Vec<super::reference::DurationText>"))]
    pub delays: Vec<SignedDuration>,
    /// Whether groups of class "unknown" may get one canary.
    pub unknown_canary: bool,
    /// Whether what failed before the first start may be retried by itself.
    pub baseline: bool,
    /// What one page costs in credits, to estimate with; none if not known.
    pub credits_per_item: Option<f64>,
    /// Job configurations, the narrowest match wins.
    pub job_config: Vec<JobConfig>,
}

impl Default for Reprocess {
    fn default() -> Self {
        Reprocess {
            mode: Mode::Off,
            per_run: 50,
            per_hour: 200,
            per_day: 500,
            per_group_per_day: 100,
            max_share: 0.10,
            attempts: 3,
            delays: vec![SignedDuration::from_mins(15), SignedDuration::from_hours(2), SignedDuration::from_hours(12)],
            unknown_canary: false,
            baseline: false,
            credits_per_item: None,
            job_config: Vec::new(),
        }
    }
}

/// Whether anything is retried by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing is; commands still work.
    #[default]
    Off,
    /// Digests say what would be retried, and the cost.
    Plan,
    /// What is worth retrying is retried, within the budget.
    Auto,
}

/// `[[reprocess.job-config]]`: how to resubmit items.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JobConfig {
    /// Which job type it is for.
    pub job_type: String,
    /// Only for batches of this directory.
    #[serde(default)]
    pub directory_id: Option<String>,
    /// Only for this batch.
    #[serde(default)]
    pub batch_id: Option<String>,
    /// The job configuration that the API takes.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, serde_json::Value>"))]
    pub config: toml::Table,
}
