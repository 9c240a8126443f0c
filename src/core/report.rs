//! The rows that `report` answers with; their field names are the frozen JSON contract.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::core::digest::model::GroupState;
use crate::core::item::{ItemState, Kind};

/// One group, as `report groups` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupRow {
    /// `g-…`.
    pub group_id: String,
    /// Failed or skipped.
    pub kind: Kind,
    /// Where it stands.
    pub state: GroupState,
    /// What may be done about it.
    pub class: String,
    /// What a person would call it.
    pub title: String,
    /// Open items now.
    pub open_items: u64,
    /// Items ever in it.
    pub total_items: u64,
    /// Items of it that failed within the asked window.
    pub items_in_window: u64,
    /// Event time of its first observation.
    pub first_seen: Timestamp,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Whether somebody acknowledged its current episode.
    pub acked: bool,
    /// When the silence that covers it ends; none when not silenced.
    pub silenced_until: Option<Timestamp>,
    /// Batches with items of it.
    pub batches: u64,
    /// One item to look at; none only if the ledger has none.
    pub sample: Option<SampleRow>,
}

/// The item shown for a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRow {
    /// The item.
    pub item_id: String,
    /// Its display name.
    pub item_name: String,
    /// The batch it was last seen in.
    pub batch_id: String,
    /// The underlying job.
    pub job_id: Option<String>,
    /// The job record.
    pub job_record_id: Option<String>,
    /// Its error message.
    pub error_message: Option<String>,
    /// Links by template name.
    pub links: BTreeMap<String, String>,
}

/// One item, as `report items` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ItemRow {
    /// The item.
    pub item_id: String,
    /// Its display name.
    pub item_name: String,
    /// The configured project name.
    pub project: String,
    /// What its newest observation was.
    pub status: Kind,
    /// Where it stands.
    pub state: ItemState,
    /// Its group.
    pub group_id: String,
    /// Its newest error message.
    pub error_message: Option<String>,
    /// Why it was skipped.
    pub skip_reason: Option<String>,
    /// The batch it was last seen in.
    pub batch_id: String,
    /// The underlying job.
    pub job_id: Option<String>,
    /// The job record.
    pub job_record_id: Option<String>,
    /// Event time of its first observation.
    pub first_seen: Timestamp,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Failed observations.
    pub failures: u64,
    /// Our reprocessing attempts.
    pub attempts: u64,
    /// Links by template name.
    pub links: BTreeMap<String, String>,
}
