//! Items and what was observed of them.
//!
//! An item is a document in a batch; an observation is one state of it without a result, as seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What kind of problem an observation reports. Kinds differ in what they count: documents, or batches.
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
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// The item failed.
    Failed,
    /// The item was skipped.
    Skipped,
    /// Someone stopped the item, or its batch before its turn.
    Cancelled,
    /// The batch has not ended for far longer than such batches usually take. Its item stands for the batch.
    Overdue,
    /// LlamaCloud counts items of the batch that it does not show. Its item stands for the batch.
    Missing,
}

impl Kind {
    /// Whether an item of this kind is a document that failed or was skipped, which is what counts of items mean.
    pub fn is_failure(self) -> bool {
        matches!(self, Kind::Failed | Kind::Skipped)
    }

    /// Whether an item of this kind stands for a batch.
    pub fn is_of_batch(self) -> bool {
        matches!(self, Kind::Overdue | Kind::Missing)
    }

    /// What items of this kind are called, one and many.
    pub fn unit(self) -> (&'static str, &'static str) {
        if self.is_of_batch() { ("batch", "batches") } else { ("item", "items") }
    }

    /// All words, as an error names them.
    pub(crate) fn words() -> String {
        <Kind as strum::VariantNames>::VARIANTS.join(", ")
    }

    /// The word used in SQL and JSON; of documents also that of the API's `status` filter.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state an item gets by an observation of this kind.
    pub fn opens(self, skip_reason: Option<&str>) -> ItemState {
        match self {
            Kind::Skipped if skip_reason == Some(HARMLESS_SKIP) => ItemState::Ignored,
            Kind::Cancelled => ItemState::Ignored,
            _ => ItemState::Open,
        }
    }
}

/// The state of an item.
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
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ItemState {
    /// Failed, or skipped for a reason that matters.
    Open,
    /// Resubmitted by us; the outcome is not known yet.
    Retrying,
    /// A later success was seen.
    Recovered,
    /// A person dismissed it.
    Dismissed,
    /// Skipped for a harmless reason such as `already_processed`, or cancelled: never counted as failing.
    Ignored,
}

impl ItemState {
    /// The word used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it counts among a group's open items: a retry under way is no success yet.
    pub fn is_unsolved(self) -> bool {
        matches!(self, ItemState::Open | ItemState::Retrying)
    }
}

/// The skip reason that means "nothing is wrong": the same work was done before.
pub(crate) const HARMLESS_SKIP: &str = "already_processed";

/// One state of an item without a result, as a listing showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The source item's id; the ledger's key.
    pub item_id: String,
    /// Display name, as given by the API; outside text.
    pub item_name: String,
    /// What kind of problem it is.
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
#[derive(Clone, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum ItemStatus {
    /// Not begun.
    Pending,
    /// Being worked on.
    #[strum(to_string = "processing", serialize = "running")]
    Processing,
    /// Done well.
    #[strum(to_string = "completed", serialize = "success", serialize = "partial_success")]
    Completed,
    /// Failed.
    #[strum(to_string = "failed", serialize = "error")]
    Failed,
    /// Skipped.
    Skipped,
    /// Cancelled by someone.
    Cancelled,
    /// A word this version does not know.
    #[strum(default)]
    Unknown(String),
}

impl ItemStatus {
    /// The lower-case word of API v1.
    pub fn as_str(&self) -> &str {
        if let ItemStatus::Unknown(word) = self { word } else { self.into() }
    }
}
