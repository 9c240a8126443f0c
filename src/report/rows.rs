//! Rows of the lists: groups, items, batches, skip reasons.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::group_state::GroupState;
use crate::model::item::{ItemState, Kind};
use crate::model::links::linker::Links;
use crate::triage::digest::incident::IncidentState;

/// One group, as `report groups` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct GroupRow {
    /// `g-…`.
    pub group_id: String,
    /// What kind of problem it is.
    pub kind: Kind,
    /// Where it stands.
    pub state: GroupState,
    /// What may be done about it: the class of most of its open items.
    pub class: String,
    /// How likely the class is right, from 0 to 1; none where no learnt model decided.
    pub class_probability: Option<f64>,
    /// The classes of its open items and of how many, of at most 200 of the newest; empty if it was not judged yet.
    pub classes: BTreeMap<String, u64>,
    /// What a user would call it.
    pub title: String,
    /// Items open or being retried now, of those that match the filters.
    pub open_items: u64,
    /// Items ever in it, of those that match the filters.
    pub total_items: u64,
    /// Items of it that failed within the asked window; all if none was asked.
    pub items_in_window: u64,
    /// Event time of its first observation.
    pub first_seen: Timestamp,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Whether someone acknowledged its current episode.
    pub acked: bool,
    /// When the silence that covers it ends; none when not silenced.
    pub silenced_until: Option<Timestamp>,
    /// Batches with items of it.
    pub batches: u64,
    /// One item to look at; none only if the ledger has none.
    pub sample: Option<SampleRow>,
    /// Observations in each of the last 24 hours, oldest first.
    pub hourly: Vec<u64>,
    /// Observations in the hours of the asked window, and in as many hours before it; none if none was asked.
    pub failures_in_window: Option<u64>,
    /// See `failures_in_window`.
    pub failures_before_window: Option<u64>,
    /// What its retries have shown and what goes next, with the numbers; none if it was never retried.
    pub retry_outlook: Option<String>,
    /// The incident that its newest episode is part of; none if of none.
    pub incident_id: Option<String>,
    /// The newest note people left.
    pub note: Option<String>,
    /// The person or team that its newest episode is assigned to; none if it is assigned to no one.
    pub assigned: Option<String>,
    /// The address of that episode's ticket; none if there is none.
    pub ticket: Option<String>,
    /// `console`: its page, where the address of the console is configured.
    pub links: Links,
}

/// One incident, as `report incidents` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct IncidentRow {
    /// `n-…`
    pub incident_id: String,
    /// Where it stands.
    pub state: IncidentState,
    /// Event time of the first failure of the group that began first.
    pub started_at: Timestamp,
    /// That of the last failure, once it is over; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// The projects that its groups were seen in.
    pub projects: Vec<String>,
    /// Its groups, in the order in which they began.
    pub groups: Vec<String>,
    /// Items that failed in them since it started.
    pub items: u64,
    /// Items that ended in its projects in that time, those included.
    pub ended_items: u64,
    /// The share of the one in the other, from 0 to 1.
    pub share: f64,
    /// Items of its groups that are open or being retried now.
    pub open_items: u64,
    /// Its items by the class of their group.
    pub classes: BTreeMap<String, u64>,
    /// Whether all its open groups are acknowledged.
    pub acked: bool,
    /// The person or team that all its open groups are assigned to; none if they are not.
    pub assigned: Option<String>,
    /// `console`: its page, where the address of the console is configured.
    pub links: Links,
}

/// The item shown for a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SampleRow {
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
    pub links: Links,
}

/// One item, as `report items` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ItemRow {
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
    pub links: Links,
}

impl From<&ItemRow> for SampleRow {
    fn from(item: &ItemRow) -> SampleRow {
        SampleRow {
            item_id: item.item_id.clone(),
            item_name: item.item_name.clone(),
            batch_id: item.batch_id.clone(),
            job_id: item.job_id.clone(),
            job_record_id: item.job_record_id.clone(),
            error_message: item.error_message.clone(),
            links: item.links.clone(),
        }
    }
}

/// One batch, as `report batches` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BatchRow {
    /// LlamaCloud's id.
    pub batch_id: String,
    /// The configured project name.
    pub project: String,
    /// `parse`, `extract`, `classify`, …
    pub job_type: String,
    /// The directory it was made from, if any.
    pub directory_id: Option<String>,
    /// The API's word, lower case.
    pub status: String,
    /// All its items; none if the API did not say.
    pub total_items: Option<u64>,
    /// Failed items by the API's own count.
    pub failed_items: Option<u64>,
    /// Skipped items by the API's own count.
    pub skipped_items: Option<u64>,
    /// Failed items as a share of all, 0 to 1; none if either is unknown.
    pub failed_share: Option<f64>,
    /// Observations the ledger has of it, failed and skipped.
    pub observations: u64,
    /// Groups with observations in it.
    pub groups: u64,
    /// The batch's own error.
    pub error_message: Option<String>,
    /// When it was made, as the API says.
    pub created_at: Option<Timestamp>,
    /// When it ended, as the API says.
    pub completed_at: Option<Timestamp>,
    /// When a scan last saw it.
    pub last_seen: Timestamp,
    /// When its items were last listed completely; none if never.
    pub listed_at: Option<Timestamp>,
    /// When the API said that it is gone.
    pub gone_at: Option<Timestamp>,
    /// Links by template name.
    pub links: Links,
}

/// Why an item has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Lack {
    /// Its batch has not ended.
    Running,
    /// LlamaCloud counts it and does not show it.
    NotShown,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
    /// Someone cancelled it.
    Cancelled,
}

impl Lack {
    /// Why an item of this kind has no result.
    pub(crate) fn of(kind: Kind) -> Lack {
        match kind {
            Kind::Failed => Lack::Failed,
            Kind::Skipped => Lack::Skipped,
            Kind::Cancelled => Lack::Cancelled,
            Kind::Overdue => Lack::Running,
            Kind::Missing => Lack::NotShown,
        }
    }

    /// The word in JSON and tables.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Items without a result, as `report missing` answers: one item, or those of a batch that are not listed one by one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MissingRow {
    /// Why there is no result.
    pub lack: Lack,
    /// How many items; none if that is not known.
    pub items: Option<u64>,
    /// The item; none in rows of a batch.
    pub item_id: Option<String>,
    /// Its display name.
    pub item_name: Option<String>,
    /// Where it stands.
    pub state: Option<ItemState>,
    /// The batch; of an item the one that it was last seen in.
    pub batch_id: String,
    /// The configured project name.
    pub project: String,
    /// The group of the item, or of the batch where it is overdue or has items that are not shown.
    pub group_id: Option<String>,
    /// What LlamaCloud says of the item, or what is known of the batch.
    pub text: Option<String>,
    /// Event time of the item's newest observation, or when the batch began.
    pub since: Timestamp,
    /// Links by template name.
    pub links: Links,
}

/// One skip reason, as `report skipped` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SkipRow {
    /// Why they were skipped; none if the API gave no reason.
    pub skip_reason: Option<String>,
    /// Whether it needs action; `already_processed` does not.
    pub matters: bool,
    /// Items whose newest observation is this.
    pub items: u64,
    /// Of them: open.
    pub open_items: u64,
    /// Event time of the first observation in the groups that have this reason, whatever was asked.
    pub first_seen: Timestamp,
    /// Event time of the newest one.
    pub last_seen: Timestamp,
}
