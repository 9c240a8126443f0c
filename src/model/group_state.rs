//! The state of a group, as in reports, digests and the configuration.

use serde::{Deserialize, Serialize};

/// Where a group stands (contract of reports and of `only`).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GroupState {
    /// Its first episode, not reported yet.
    New,
    /// Reported and open, none of the other states.
    Ongoing,
    /// Open again after it had ended.
    Regressed,
    /// Growing far beyond what is usual.
    Escalating,
    /// No open items.
    Resolved,
}

impl GroupState {
    /// The word in JSON, SQL and configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
