//! Incidents as digests list them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::triage::digest::incident::{IncidentEntry, IncidentReason, IncidentState};
use crate::triage::digest::model::GroupEntry;
use crate::triage::incident::rule;
use crate::triage::incident::track::{IncidentCase, known};
use crate::triage::store::incident::{IncidentRecord, Member};

/// The incidents of a digest: those with news, only pages in quiet hours, and those of its groups.
pub(crate) fn entries(
    tx: &Transaction<'_>,
    cases: &[IncidentCase],
    changes: &[GroupEntry],
    page_only: bool,
) -> Result<Vec<IncidentEntry>, LedgerError> {
    let is_news = |case: &&IncidentCase| case.notification.is_some() && (!page_only || case.pages_now());
    let mut listed: Vec<IncidentEntry> = cases.iter().filter(is_news).map(entry).collect();
    let named: BTreeSet<&String> = changes.iter().filter_map(|entry| entry.incident_id.as_ref()).collect();
    for incident_id in named {
        if listed.iter().any(|entry| entry.incident_id == *incident_id) {
            continue;
        }
        let as_known = |case: &IncidentCase| IncidentEntry { reason: IncidentReason::Known, ..entry(case) };
        match cases.iter().find(|case| case.record.incident_id == *incident_id) {
            Some(case) => listed.push(as_known(case)),
            None => listed.extend(known(tx, incident_id)?.as_ref().map(as_known)),
        }
    }
    listed.sort_by(|a, b| {
        let key = |entry: &IncidentEntry| (!entry.reason.is_alarm(), !entry.page, std::cmp::Reverse(entry.items));
        key(a).cmp(&key(b)).then_with(|| a.incident_id.cmp(&b.incident_id))
    });
    Ok(listed)
}

/// An incident as a digest lists it.
pub(crate) fn entry(case: &IncidentCase) -> IncidentEntry {
    let (record, members) = (&case.record, &case.members);
    IncidentEntry {
        incident_id: record.incident_id.clone(),
        reason: case.notification.map_or(IncidentReason::Known, |(reason, _)| reason),
        state: state(record),
        page: case.page,
        started_at: record.started_at,
        ended_at: record.ended_at,
        projects: case.projects.iter().cloned().collect(),
        groups: members.iter().map(|member| member.group_id.clone()).collect(),
        items: record.share.items,
        ended_items: record.share.ended,
        share: record.share.value(),
        open_items: open_items(members),
        classes: items_by_class(members),
        why: arithmetic(record, members),
        acked: case.acked,
        assigned: case.assigned.clone(),
        alert_scope: None,
    }
}

/// Where an incident stands.
pub(crate) fn state(record: &IncidentRecord) -> IncidentState {
    if record.ended_at.is_some() { IncidentState::Over } else { IncidentState::Open }
}

/// Items that failed in groups of each class.
pub(crate) fn items_by_class(members: &[Member]) -> BTreeMap<String, u64> {
    let mut classes = BTreeMap::new();
    for member in members {
        *classes.entry(member.class.clone()).or_insert(0) += member.items;
    }
    classes
}

/// Items of its groups that are open now.
pub(crate) fn open_items(members: &[Member]) -> u64 {
    members.iter().map(|member| member.open_items).sum()
}

/// Why these groups are an incident, in numbers. `members` in the order in which they began.
pub(crate) fn arithmetic(record: &IncidentRecord, members: &[Member]) -> String {
    let last = members.last().map_or(record.started_at, |member| member.at);
    rule::arithmetic(members.len(), last - record.started_at, record.share)
}
