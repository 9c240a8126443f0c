//! The jobs that were there before a POST, where jobs carry no note of their intent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What tells the job of a POST from those of others where jobs carry no note of their intent: taken down before the POST.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorJobs {
    /// What the job is made from.
    pub input: String,
    /// The saved configuration that it is made with; none if that is written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// The jobs of this input that were there already.
    pub jobs: BTreeSet<String>,
}
