//! Something wrong with llama-triage itself, as it is reported.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A fault of llama-triage itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable key, such as `scan:prod`.
    pub fault: String,
    /// What happened and what to do, one or two sentences.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether it has ended.
    pub ended: bool,
    /// Under which scope its alert is known at a paging provider; none where the digest's own applies.
    #[serde(rename = "incident_scope", default, skip_serializing_if = "Option::is_none")]
    pub alert_scope: Option<String>,
}
