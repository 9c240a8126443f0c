//! An incident in a digest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Groups that began to fail together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentEntry {
    /// `n-…`
    pub incident_id: String,
    /// Why it is here.
    pub reason: IncidentReason,
    /// Where it stands.
    pub state: IncidentState,
    /// Whether it pages: passes quiet hours and opens an alert, instead of those of its groups.
    pub page: bool,
    /// Event time of the first failure of the group that began first.
    pub started_at: Timestamp,
    /// That of the last one, once it is over; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// Projects that its groups were seen in, by configured name.
    pub projects: Vec<String>,
    /// Its groups, in the order in which they began.
    pub groups: Vec<String>,
    /// Items that failed in them since it started.
    pub items: u64,
    /// Items that ended in its projects in that time, those included.
    pub ended_items: u64,
    /// The share of the one in the other, from 0 to 1.
    pub share: f64,
    /// Items of its groups that are open now.
    pub open_items: u64,
    /// Its items by the class of their group.
    pub classes: BTreeMap<String, u64>,
    /// The arithmetic: which groups, which share, and from when on that is an incident.
    pub why: String,
    /// Whether all its open groups are acknowledged.
    pub acked: bool,
    /// The person or team that all its open groups are assigned to; none if they are not.
    pub assigned: Option<String>,
    /// Under which scope its alert is known at a paging provider; none where the digest's own applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_scope: Option<String>,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentState {
    /// It fails, or no work has shown that it does not.
    Open,
    /// It fails no more.
    Over,
}

impl IncidentState {
    /// The word in JSON and reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why an incident is in a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentReason {
    /// Never reported before.
    New,
    /// Reported before, and large enough to page now.
    Escalated,
    /// It is over.
    Resolved,
    /// Nothing of it is news but its groups.
    Known,
    /// It was acknowledged; only for pager channels.
    Acked,
}

impl IncidentReason {
    /// Whether it says that the incident is there, which people do not know.
    pub(crate) fn is_alarm(self) -> bool {
        matches!(self, IncidentReason::New | IncidentReason::Escalated)
    }
}

/// What both lists say, each incident once: the later numbers, with news of the earlier one that was never received.
pub(crate) fn merge(older: &[IncidentEntry], newer: &[IncidentEntry]) -> Vec<IncidentEntry> {
    let mut merged = newer.to_vec();
    for before in older {
        let is_acked = before.reason == IncidentReason::Acked;
        let same = |entry: &&mut IncidentEntry| {
            entry.incident_id == before.incident_id && (entry.reason == IncidentReason::Acked) == is_acked
        };
        match merged.iter_mut().find(same) {
            Some(entry) => {
                entry.page |= before.page;
                if entry.reason == IncidentReason::Known && before.reason.is_alarm() {
                    entry.reason = before.reason;
                }
            }
            None => merged.push(before.clone()),
        }
    }
    // An alarm is sent before its acknowledgement.
    merged.sort_by_key(|entry| entry.reason == IncidentReason::Acked);
    merged
}
