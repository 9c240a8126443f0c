//! The frozen digest: every fact a channel may show, decided once and stored as JSON.
//!
//! Rendering must depend on this value alone, so that every try of a delivery is byte-equal.
//! All text in it is outside text with secrets masked; each renderer escapes it for its own format.

use crate::model::fault::Fault;
use crate::model::group_state::GroupState;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::item::Kind;
use crate::triage::digest::incident::IncidentEntry;
use crate::triage::digest::remark::Remark;

/// The version of this model's JSON, for webhooks and stored digests.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// One digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Always [`SCHEMA_VERSION`] when made by this version.
    pub schema_version: u32,
    /// `D-YYYYMMDD-NN`, the date in the digest's zone: the short name for people. For programs: `Digest::global_id`.
    pub digest_id: String,
    /// The id of the ledger that decided it; empty in digests of versions whose ledgers had none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ledger_id: String,
    /// Where people reach the console, without a trailing slash; none if they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Random text, drawn when it was decided; empty in digests of versions that drew none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// The instance's name from the configuration; empty when there is only one.
    pub instance: String,
    /// When it was decided.
    pub created_at: Timestamp,
    /// The IANA zone that people read times in.
    pub zone: String,
    /// What it covers.
    pub window: Window,
    /// The end of the newest complete scan; none before the first.
    pub ledger_as_of: Option<Timestamp>,
    /// When the next scheduled digest is due; none if there is no schedule.
    pub next_digest_at: Option<Timestamp>,
    /// Whether this is the daily one, which repeats what is still open.
    pub scheduled: bool,
    /// The first digest of a ledger: an inventory rather than news.
    pub baseline: bool,
    /// Complete numbers, whatever is cut below.
    pub totals: Totals,
    /// Incidents with news, and those of groups with news; most urgent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentEntry>,
    /// Groups with news, most urgent first.
    pub changes: Vec<GroupEntry>,
    /// Groups that are open without changes; only in scheduled digests.
    pub still_open: Vec<GroupEntry>,
    /// Groups with an acknowledged alert; only for pager channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<GroupEntry>,
    /// The worker's own faults.
    pub faults: Vec<Fault>,
    /// What reprocessing did in the window; none when it did nothing.
    pub retries: Option<RetrySummary>,
    /// What silences held back.
    pub silenced: Silenced,
    /// Budget line, ready to read; none while reprocessing is off.
    pub budget: Option<String>,
    /// Sentences about this digest itself: "covers a gap of 3 h".
    pub remarks: Vec<Remark>,
    /// The ids of earlier digests that could not be delivered and are part of this one, oldest first; versions before
    /// this field named them in a remark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<String>,
    /// What was left out of `changes` and `still_open`.
    pub left_out: LeftOut,
}

/// The time a digest covers: after `from`, up to and with `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The end of the digest before; the first start for the first one.
    pub from: Timestamp,
    /// When this one was decided.
    pub to: Timestamp,
}

/// Complete counts. Items are documents that failed or were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Items open now.
    pub open_items: u64,
    /// Groups with open items.
    pub open_groups: u64,
    /// Items that failed for the first time in the window.
    pub new_items: u64,
    /// Items that recovered in the window.
    pub recovered_items: u64,
    /// Groups in `changes`, by reason, before anything was left out.
    pub new: u64,
    /// As `new`.
    pub regressed: u64,
    /// As `new`.
    pub escalated: u64,
    /// As `new`.
    pub resolved: u64,
    /// As `new`; more items, reminders, ended silences.
    pub other: u64,
    /// Worker faults that last.
    pub faults: u64,
    /// Batches that have not ended for far longer than such batches usually take.
    #[serde(default)]
    pub overdue_batches: u64,
    /// Batches with items that LlamaCloud counts and does not show.
    #[serde(default)]
    pub missing_batches: u64,
}

impl Totals {
    /// Whether nothing is open, of documents or batches.
    pub(crate) fn is_all_clear(&self) -> bool {
        self.open_items == 0 && self.overdue_batches == 0 && self.missing_batches == 0
    }
}

/// Groups and items that exist but are not listed in this digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Groups.
    pub groups: u64,
    /// Open items of these groups.
    pub items: u64,
}

/// Why a group is reported.
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
pub enum Reason {
    /// Never reported before.
    New,
    /// It had ended and recurred.
    Regressed,
    /// Much more than what was reported.
    Escalated,
    /// It ended; the entry says how.
    Resolved,
    /// Opened and closed several times within a day.
    Flapping,
    /// More items of what is known.
    MoreItems,
    /// Still open a day after the last report.
    Reminder,
    /// A silence ended and it is still open.
    SilenceExpired,
    /// The worker itself is failing.
    WorkerFault,
    /// All is quiet, and it is the day to say so.
    Heartbeat,
    /// The inventory of the first run.
    Baseline,
}

impl Reason {
    /// The word in JSON, headers and text.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One group in a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupEntry {
    /// `g-…`.
    pub group_id: String,
    /// What kind of problem it is.
    pub kind: Kind,
    /// Which of the group's open times this is, from 1.
    pub episode: u32,
    /// Why it is here.
    pub reason: Reason,
    /// Where it stands.
    pub state: GroupState,
    /// What may be done about it: a class word such as `transient`.
    pub class: String,
    /// Whether it may page: passes quiet hours and opens an alert.
    pub page: bool,
    /// Its title.
    pub title: String,
    /// The message with its variable parts masked.
    pub template: String,
    /// The arithmetic or circumstances behind the reason: "47 in the last hour, normally up to 4/h; alert at 20/h".
    pub why: Option<String>,
    /// What the job record says beyond the message.
    pub cause: Option<String>,
    /// The newest note people left, and a runbook link of the rule.
    pub note: Option<String>,
    /// A link from the rule that classified it.
    pub runbook: Option<String>,
    /// Who acknowledged it, and until when; none if no one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<String>,
    /// The person or team that its episode is assigned to; none if it is assigned to no one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<String>,
    /// The address of its episode's ticket; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The incident that its episode is part of; none if of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<String>,
    /// Under which scope its alert is known at a paging provider; none where the digest's own applies.
    #[serde(rename = "incident_scope", default, skip_serializing_if = "Option::is_none")]
    pub alert_scope: Option<String>,
    /// Open items now.
    pub open_items: u64,
    /// Items that joined since the last report.
    pub new_items: u64,
    /// Items ever in it.
    pub total_items: u64,
    /// Batches with items of it.
    pub batches: u64,
    /// Job types of these batches.
    pub job_types: Vec<String>,
    /// Projects of these batches, by configured name.
    pub projects: Vec<String>,
    /// Event time of its first observation.
    pub first_seen: Timestamp,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Observations in each of the last 24 hours before `window.to`, oldest first.
    pub hourly: Vec<u32>,
    /// Retries of it that have ended, ever.
    #[serde(default)]
    pub retried: u64,
    /// Of them: recovered.
    #[serde(default)]
    pub recovered: u64,
    /// Items to look at: newest, and different from each other.
    pub samples: Vec<Sample>,
}

impl GroupEntry {
    /// Its open items, if they are documents that failed or were skipped.
    pub(crate) fn open_failures(&self) -> u64 {
        if self.kind.is_failure() { self.open_items } else { 0 }
    }
}

/// One item shown for a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The item.
    pub item_id: String,
    /// Its display name.
    pub item_name: String,
    /// The configured project name.
    pub project: String,
    /// The batch it was last seen in.
    pub batch_id: String,
    /// The underlying job, if it ever started.
    pub job_id: Option<String>,
    /// The job record, if any.
    pub job_record_id: Option<String>,
    /// Its error message, or none.
    pub error_message: Option<String>,
    /// Why it was skipped, or none.
    pub skip_reason: Option<String>,
    /// Event time.
    pub seen_at: Timestamp,
    /// Links by template name.
    pub links: BTreeMap<String, String>,
}

/// What reprocessing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrySummary {
    /// Attempts that began or ended in the window, or still run at its end.
    pub attempts: u64,
    /// Of them: recovered.
    pub recovered: u64,
    /// Of them: the same error again.
    pub failed_same: u64,
    /// Of them: another error.
    pub failed_differently: u64,
    /// Of them: still running.
    pub running: u64,
    /// Of them: cancelled, expired, unknown.
    pub other: u64,
    /// What a plan would retry now, where the mode is `plan`.
    pub would_retry: u64,
    /// Credits that LlamaCloud says it billed for those that ended, rounded; 0 if it says so of none.
    #[serde(default)]
    pub billed: u64,
    /// The estimated credits of those attempts, rounded; 0 if not known.
    #[serde(default)]
    pub estimated: u64,
}

/// What silences held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silenced {
    /// Groups with news that were held back.
    pub groups: u64,
    /// Their open items.
    pub items: u64,
    /// When the next of these silences ends.
    pub next_expiry: Option<Timestamp>,
}
