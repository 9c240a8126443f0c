//! `[reprocess]`: what is retried, how often and within which budget.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::model::batch_api::BatchApi;

/// `[reprocess]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ReprocessConfig {
    /// Whether failed items are retried automatically.
    pub mode: Mode,
    /// Items a cycle may submit.
    pub per_run: u32,
    /// Items an hour.
    pub per_hour: u32,
    /// Items a day; a fifth is reserved for manual retries.
    pub per_day: u32,
    /// Items of one group a day.
    pub per_group_per_day: u32,
    /// Retries that did not recover, as a share of the items processed in the last 24 hours; 0 for no such limit.
    pub max_share: f64,
    /// Items that a quiet account may retry a day although `max-share` allows fewer.
    pub share_floor: u32,
    /// Credits a day, of which a fifth is kept for people; needs `credits-per-item`.
    pub credits_per_day: Option<f64>,
    /// Automatic attempts for one item in one episode.
    pub attempts: u32,
    /// Attempts for one item in total, manual ones included.
    pub attempts_in_life: u32,
    /// The wait before each attempt; the last one repeats.
    #[serde(with = "crate::config::duration::list")]
    #[cfg_attr(test, schemars(with = "Vec<crate::config::reference::DurationText>"))]
    pub delays: Vec<SignedDuration>,
    /// Canaries for a group whose message hides its cause, one at a time, before it needs a decision.
    pub canaries: u32,
    /// How long a group rests after a step that failed; doubles up to 7 days.
    #[serde(with = "crate::config::duration")]
    #[cfg_attr(test, schemars(with = "crate::config::reference::DurationText"))]
    pub breaker_open: Duration,
    /// How long all retries are held in an incident, before one item is retried as a probe.
    #[serde(with = "crate::config::duration")]
    #[cfg_attr(test, schemars(with = "crate::config::reference::DurationText"))]
    pub hold: Duration,
    /// Whether groups of class "unknown" may get one canary.
    pub unknown_canary: bool,
    /// Whether failures from before the first start may be retried automatically.
    pub baseline: bool,
    /// What one item costs in credits, to estimate with; none if not known.
    pub credits_per_item: Option<f64>,
    /// Job configurations, the narrowest match wins.
    pub job_config: Vec<JobConfigRule>,
}

impl Default for ReprocessConfig {
    fn default() -> Self {
        ReprocessConfig {
            mode: Mode::Off,
            per_run: 50,
            per_hour: 200,
            per_day: 500,
            per_group_per_day: 100,
            max_share: 0.10,
            share_floor: 50,
            credits_per_day: None,
            attempts: 3,
            attempts_in_life: 6,
            delays: vec![SignedDuration::from_mins(15), SignedDuration::from_hours(2), SignedDuration::from_hours(12)],
            canaries: 1,
            breaker_open: Duration::from_secs(6 * 3600),
            hold: Duration::from_secs(30 * 60),
            unknown_canary: false,
            baseline: false,
            credits_per_item: None,
            job_config: Vec::new(),
        }
    }
}

/// Whether failed items are retried automatically.
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
pub struct JobConfigRule {
    /// Which job type it is for.
    pub job_type: String,
    /// Only for batches of this directory.
    #[serde(default)]
    pub directory_id: Option<String>,
    /// Only for this batch.
    #[serde(default)]
    pub batch_id: Option<String>,
    /// The job configuration that the API takes: for parse jobs of v1 beta with a table `parameters`, for v2 without.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, serde_json::Value>"))]
    pub config: toml::Table,
}

impl JobConfigRule {
    /// Job types of which batches can be made again.
    pub const JOB_TYPES: [&str; 3] = ["parse", "extract", "classify"];

    /// Whether an API understands it. One that does not would take what it knows of it and do the work with its defaults,
    /// which is paid for and wrong.
    pub fn is_taken_by(&self, api: BatchApi) -> bool {
        let parameters = self.config.get("parameters");
        match api {
            BatchApi::V1Beta if self.job_type == "parse" => {
                parameters.and_then(toml::Value::as_table).is_some_and(|parameters| !parameters.is_empty())
            }
            BatchApi::V1Beta => !self.config.is_empty(),
            BatchApi::V2 => !self.config.is_empty() && parameters.is_none(),
        }
    }
}
