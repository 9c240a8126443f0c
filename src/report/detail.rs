//! All about one thing: a group, an item with its time line, a batch.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::item::Kind;
use crate::report::history::RetryRow;
use crate::report::rows::{BatchRow, GroupRow, IncidentRow, ItemRow};

/// All about one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct GroupDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub group: GroupRow,
    /// The message with its variable parts masked.
    pub template: String,
    /// What decided the class: the team's rule, `text`, `code`, `status` or `skip-reason` for an exact signal, `model`,
    /// `set by hand`; none: there was no text.
    pub rule: Option<String>,
    /// The words that decided the class; none if none did.
    pub class_words: Option<String>,
    /// What the job record says beyond the message.
    pub cause: Option<String>,
    /// Groups that were found to be this one.
    pub merged: Vec<String>,
    /// Its open times, newest first.
    pub episodes: Vec<EpisodeRow>,
    /// Batches it hit, most hit first, at most 10.
    pub batches_hit: Vec<BatchHit>,
    /// Real messages, newest first, distinct, at most 5.
    pub messages: Vec<MessageRow>,
    /// Items whose newest observation is in this group: those that `report items --group` lists.
    pub present_items: u64,
    /// Items to look at: newest first, at most 5.
    pub samples: Vec<ItemRow>,
    /// What retries of it did; none if there were none.
    pub retries: Option<RetryRow>,
    /// Silences, acks and notes, newest first.
    pub remarks: Vec<Remark>,
}

/// One open time of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct EpisodeRow {
    /// From 1.
    pub ordinal: u32,
    /// Event time of the failure that opened it.
    pub opened_at: Timestamp,
    /// None while open.
    pub closed_at: Option<Timestamp>,
    /// `recovered`, `dismissed`, `quiet`, `ignored`.
    pub closed_how: Option<String>,
    /// A person, a retry, a batch.
    pub closed_by: Option<String>,
    /// The person or team that it is assigned to; none if it is assigned to no one.
    pub assigned: Option<String>,
    /// The address of its ticket; none if there is none.
    pub ticket: Option<String>,
}

/// A batch and how much of a group it had.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BatchHit {
    /// The batch.
    pub batch_id: String,
    /// The configured project name.
    pub project: String,
    /// `parse`, `extract`, …
    pub job_type: String,
    /// Observations of the group in it.
    pub failures: u64,
    /// All its items; none if the API did not say.
    pub total_items: Option<u64>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// A real message and how often it is among the newest items looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MessageRow {
    /// The message, secrets masked.
    pub text: String,
    /// When an item last had it, event time.
    pub last_seen: Timestamp,
}

/// What people said about a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Remark {
    /// The time of it.
    pub at: Timestamp,
    /// `silence`, `ack` or `note`.
    pub what: String,
    /// Who.
    pub author: String,
    /// What was said.
    pub text: Option<String>,
    /// When it ends or ended.
    pub until: Option<Timestamp>,
    /// Whether it holds now; notes always do.
    pub active: bool,
}

/// All about one incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct IncidentDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub incident: IncidentRow,
    /// The arithmetic: which groups, which share, and from when on that is an incident.
    pub why: String,
    /// Its groups, in the order in which they began.
    pub members: Vec<IncidentMember>,
}

/// A group of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct IncidentMember {
    /// The group.
    pub group_id: String,
    /// What a user would call it.
    pub title: String,
    /// What may be done about it.
    pub class: String,
    /// Event time of its first failure in the incident.
    pub began_at: Timestamp,
    /// It was known before, and escalated.
    pub escalated: bool,
    /// Items that failed in it since.
    pub items: u64,
    /// Items open now.
    pub open_items: u64,
}

/// One item with its whole time line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ItemDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub item: ItemRow,
    /// What a user would call its group.
    pub group_title: String,
    /// What the record of its job says beyond the message, or of another job of its group; none if none was asked or none says more.
    pub cause: Option<String>,
    /// When it recovered; none if it did not.
    pub recovered_at: Option<Timestamp>,
    /// The evidence for it: a batch, an attempt.
    pub recovered_by: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<ItemEvent>,
}

/// One thing that happened to an item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ItemEvent {
    /// Event time.
    pub at: Timestamp,
    /// `failed`, `skipped`, `attempt`, `attempt_ended`, `refused`, `digest`, `recovered`, or an action of the audit log.
    pub event: String,
    /// The sentence: the message, the outcome, the reason.
    pub text: Option<String>,
    /// The group it was in.
    pub group_id: Option<String>,
    /// The batch.
    pub batch_id: Option<String>,
    /// The job.
    pub job_id: Option<String>,
    /// The job record.
    pub job_record_id: Option<String>,
    /// The attempt.
    pub attempt_id: Option<String>,
    /// The digest that named it.
    pub digest_id: Option<String>,
    /// Who, where a user or rule acted.
    pub actor: Option<String>,
    /// When the worker first and last saw it; observations only.
    pub first_seen: Option<Timestamp>,
    /// See `first_seen`.
    pub last_seen: Option<Timestamp>,
}

impl ItemEvent {
    /// An event with nothing but its time and kind.
    pub(crate) fn new(at: Timestamp, event: &str) -> ItemEvent {
        ItemEvent {
            at,
            event: event.to_owned(),
            text: None,
            group_id: None,
            batch_id: None,
            job_id: None,
            job_record_id: None,
            attempt_id: None,
            digest_id: None,
            actor: None,
            first_seen: None,
            last_seen: None,
        }
    }
}

/// All about one batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BatchDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub batch: BatchRow,
    /// Its groups, most observations first.
    pub groups_in_it: Vec<GroupHit>,
}

/// A group and how much of a batch it took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct GroupHit {
    /// The group.
    pub group_id: String,
    /// Failed or skipped.
    pub kind: Kind,
    /// What may be done about it.
    pub class: String,
    /// What a user would call it.
    pub title: String,
    /// Its observations in the batch.
    pub failures: u64,
}
