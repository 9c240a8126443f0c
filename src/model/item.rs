//! Items and what was observed of them.
//!
//! An item is a document in a batch; an observation is one failed or skipped state of it, as seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of problem an observation reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The item failed.
    Failed,
    /// The item was skipped.
    Skipped,
}

impl Kind {
    /// The word used in SQL, JSON and the API's `status` filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Skipped => "skipped",
        }
    }

    /// Reads the word back; none for any other word.
    pub fn from_word(word: &str) -> Option<Kind> {
        match word {
            "failed" => Some(Kind::Failed),
            "skipped" => Some(Kind::Skipped),
            _ => None,
        }
    }

    /// The state an item gets by an observation of this kind.
    pub fn opens(self, skip_reason: Option<&str>) -> ItemState {
        match self {
            Kind::Skipped if skip_reason == Some(HARMLESS_SKIP) => ItemState::Ignored,
            _ => ItemState::Open,
        }
    }
}

/// Where an item stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// Failed, or skipped for a reason that matters.
    Open,
    /// Resubmitted by us; the outcome is not known yet.
    Retrying,
    /// A later success was seen.
    Recovered,
    /// A person said that it does not matter.
    Dismissed,
    /// Skipped for a harmless reason such as `already_processed`: never counted as failing.
    Ignored,
}

impl ItemState {
    /// The word used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ItemState::Open => "open",
            ItemState::Retrying => "retrying",
            ItemState::Recovered => "recovered",
            ItemState::Dismissed => "dismissed",
            ItemState::Ignored => "ignored",
        }
    }

    /// Whether it counts among a group's open items: a retry under way is no success yet.
    pub fn is_unsolved(self) -> bool {
        matches!(self, ItemState::Open | ItemState::Retrying)
    }

    /// Reads the word back; none for any other word.
    pub fn from_word(word: &str) -> Option<ItemState> {
        Some(match word {
            "open" => ItemState::Open,
            "retrying" => ItemState::Retrying,
            "recovered" => ItemState::Recovered,
            "dismissed" => ItemState::Dismissed,
            "ignored" => ItemState::Ignored,
            _ => return None,
        })
    }
}

/// The skip reason that means "nothing is wrong": the same work was done before.
pub(crate) const HARMLESS_SKIP: &str = "already_processed";

/// One failed or skipped state of an item, as a listing showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The source item's id; the ledger's key.
    pub item_id: String,
    /// Display name, as given by the API; outside text.
    pub item_name: String,
    /// Failed or skipped.
    pub kind: Kind,
    /// Error message with secrets masked; none if the API gave none or only blanks.
    pub message: Option<String>,
    /// Free text such as `size_limit_exceeded`; none for failed items.
    pub skip_reason: Option<String>,
    /// The underlying parse or extract job; none if the item never started.
    pub job_id: Option<String>,
    /// The record of this state.
    pub job_record_id: Option<String>,
    /// When work on it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The API's undocumented `effective_at`.
    pub effective_at: Option<Timestamp>,
}

/// The current status of an item as the API tells it when asked about that item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemStatus {
    /// Not begun.
    Pending,
    /// Being worked on.
    Processing,
    /// Done well.
    Completed,
    /// Failed.
    Failed,
    /// Skipped.
    Skipped,
    /// Cancelled by someone.
    Cancelled,
    /// A word this version does not know.
    Unknown(String),
}

impl ItemStatus {
    /// Reads the API's word, in any case.
    pub fn from_word(word: &str) -> ItemStatus {
        match word.to_ascii_lowercase().as_str() {
            "pending" => ItemStatus::Pending,
            "processing" | "running" => ItemStatus::Processing,
            "completed" | "success" | "partial_success" => ItemStatus::Completed,
            "failed" | "error" => ItemStatus::Failed,
            "skipped" => ItemStatus::Skipped,
            "cancelled" => ItemStatus::Cancelled,
            _ => ItemStatus::Unknown(word.to_owned()),
        }
    }

    /// The lower-case word of API v1.
    pub fn as_str(&self) -> &str {
        match self {
            ItemStatus::Pending => "pending",
            ItemStatus::Processing => "processing",
            ItemStatus::Completed => "completed",
            ItemStatus::Failed => "failed",
            ItemStatus::Skipped => "skipped",
            ItemStatus::Cancelled => "cancelled",
            ItemStatus::Unknown(word) => word,
        }
    }
}
