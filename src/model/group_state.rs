//! Where a group stands, as reports, digests and the configuration name it.

use serde::{Deserialize, Serialize};

/// Where a group stands (contract of reports and of `only`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Its first episode, not reported yet.
    New,
    /// Told, open, nothing special.
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
        match self {
            GroupState::New => "new",
            GroupState::Ongoing => "ongoing",
            GroupState::Regressed => "regressed",
            GroupState::Escalating => "escalating",
            GroupState::Resolved => "resolved",
        }
    }

    /// Reads the word back; none for any other word.
    pub fn from_word(word: &str) -> Option<GroupState> {
        Some(match word {
            "new" => GroupState::New,
            "ongoing" => GroupState::Ongoing,
            "regressed" => GroupState::Regressed,
            "escalating" => GroupState::Escalating,
            "resolved" => GroupState::Resolved,
            _ => return None,
        })
    }
}
