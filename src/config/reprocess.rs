//! `[reprocess]`: what is retried, how often and within which budget.

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
    /// Items an hour, apart from those that recovered.
    pub per_hour: u32,
    /// Items a day, apart from those that recovered; a fifth is reserved for manual retries.
    pub per_day: u32,
    /// Items of one group a day, apart from those that recovered.
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
    #[cfg_attr(test, schemars(with = "Vec<crate::config::tests::DurationText>"))]
    pub delays: Vec<SignedDuration>,
    /// How long a group rests after each document that was tried in vain; after one more a person decides.
    #[serde(with = "crate::config::duration::list")]
    #[cfg_attr(test, schemars(with = "Vec<crate::config::tests::DurationText>"))]
    pub rests: Vec<SignedDuration>,
    /// A group goes on while so large a share of its next retries is expected to recover; below it, one document at a time is tried.
    pub worth: f64,
    /// What happens to failures of class "unknown": most failures are, at first.
    pub unknown: Unknown,
    /// Whether failures from before the first start may be retried automatically.
    pub baseline: bool,
    /// What one item costs in credits, to estimate with; none if not known.
    pub credits_per_item: Option<f64>,
    /// Job configurations, the narrowest match wins.
    pub job_config: Vec<JobConfigRule>,
    /// Of an earlier version; see [`ReprocessConfig::removed_keys`].
    #[cfg_attr(test, serde(skip_serializing), schemars(skip))]
    pub(crate) canaries: Option<toml::Value>,
    /// Of an earlier version; see [`ReprocessConfig::removed_keys`].
    #[cfg_attr(test, serde(skip_serializing), schemars(skip))]
    pub(crate) breaker_open: Option<toml::Value>,
    /// Of an earlier version; see [`ReprocessConfig::removed_keys`].
    #[cfg_attr(test, serde(skip_serializing), schemars(skip))]
    pub(crate) hold: Option<toml::Value>,
    /// Of an earlier version; see [`ReprocessConfig::removed_keys`].
    #[cfg_attr(test, serde(skip_serializing), schemars(skip))]
    pub(crate) unknown_canary: Option<bool>,
}

impl ReprocessConfig {
    /// Keys of earlier versions, as they are written.
    pub(crate) const GONE: [&str; 4] = ["canaries", "breaker-open", "hold", "unknown-canary"];

    /// The keys of earlier versions that are set, each with what to write instead.
    pub(crate) fn removed_keys(&self) -> Vec<(&'static str, &'static str)> {
        let keys = [
            (self.canaries.is_some(), "canaries", "was replaced by `rests`: one entry fewer than probes"),
            (self.breaker_open.is_some(), "breaker-open", "was replaced: use rests = [\"6h\", …]"),
            (self.hold.is_some(), "hold", "was removed: an incident holds retries for 30 minutes; remove the key"),
            (
                self.unknown_canary == Some(true),
                "unknown-canary",
                "is the default now: remove it, or write unknown = \"probe\"",
            ),
            (
                self.unknown_canary == Some(false),
                "unknown-canary",
                "was replaced: write unknown = \"plan\", which has the same effect",
            ),
        ];
        keys.into_iter().filter(|(set, ..)| *set).map(|(_, key, text)| (key, text)).collect()
    }

    /// Whether failures of class "unknown" are retried automatically.
    pub fn probes_unknown(&self) -> bool {
        self.unknown == Unknown::Probe && self.unknown_canary != Some(false)
    }
}

/// What happens to failures of class "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// They are retried as others are; of each group one document first.
    #[default]
    Probe,
    /// They are retried only by hand.
    Plan,
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
            rests: [1, 3, 9, 27, 48].map(SignedDuration::from_hours).to_vec(),
            worth: 0.25,
            unknown: Unknown::Probe,
            baseline: false,
            credits_per_item: None,
            job_config: Vec::new(),
            canaries: None,
            breaker_open: None,
            hold: None,
            unknown_canary: None,
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
