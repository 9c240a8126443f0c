//! Updates that only pager channels get, before the next digest: resolves and acks of alerts, and the
//! ends of the worker's faults that opened one, once they have lasted. None of it pages, so quiet hours and caps do not apply.
//!
//! Other channels get it with the next digest, so this one does not count as a report. It is read from the
//! alerts themselves: an episode may end, and the next one begin, between two looks.

use crate::ledger::Transaction;

use crate::ledger::error::LedgerError;
use crate::ledger::fault;
use crate::model::fault::Fault;
use crate::model::group_state::GroupState;
use crate::triage::digest::build::{self, by_urgency};
use crate::triage::digest::incident::{IncidentEntry, IncidentReason};
use crate::triage::digest::model::{Digest, GroupEntry, Reason};
use crate::triage::draft;
use crate::triage::group_cases::{Context, GroupCase};
use crate::triage::group_entry::plain_entry;
use crate::triage::incident::entry::entry as incident_entry;
use crate::triage::incident::track::{IncidentCase, known};
use crate::triage::settings::Route;
use crate::triage::store::pager_alert::{self, AlertSubject, PagerAlert};
use crate::triage::store::{digest, group_row, outbox};

/// Pending resolves and acks for all pager channels.
struct PendingAlerts {
    ends: Vec<PagerAlert>,
    acks: Vec<PagerAlert>,
    faults: Vec<Fault>,
}

impl PendingAlerts {
    fn read(
        tx: &Transaction<'_>,
        context: &Context<'_>,
        incidents: &[IncidentCase],
    ) -> Result<PendingAlerts, LedgerError> {
        let mut acks = pager_alert::acked(tx, context.moment.now)?;
        for case in incidents.iter().filter(|case| case.acked && case.record.ended_at.is_none()) {
            acks.extend(pager_alert::unacked_of_incident(tx, &case.record.incident_id)?);
        }
        Ok(PendingAlerts {
            ends: pager_alert::ended(tx)?,
            acks,
            faults: fault::ended_with_open_alert(tx, context.moment.now)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.acks.is_empty() && self.faults.is_empty()
    }
}

/// Freezes the pending resolves and acks as a separate digest; none if there are none.
pub(crate) fn store_pending_digest(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    cases: &[GroupCase],
    incidents: &[IncidentCase],
) -> Result<Option<Digest>, LedgerError> {
    let routes = || context.settings.routes.iter().filter(|route| route.pager);
    if routes().next().is_none() {
        return Ok(None);
    }
    let owed = PendingAlerts::read(tx, context, incidents)?;
    if owed.is_empty() {
        return Ok(None);
    }
    let mut whole = draft(tx, context, cases)?;
    let contents = routes()
        .map(|route| Ok((route, content(tx, context, route, &whole, (&owed, incidents))?)))
        .collect::<Result<Vec<_>, LedgerError>>()?;
    fault::mark_resolve_sent(tx, &owed.faults, context.moment.now)?;
    // The first channel's content stands for all: they differ only where one of them was set up later.
    let Some((_, first)) = contents.iter().find(|(_, content)| !is_empty(content)) else { return Ok(None) };
    whole = first.clone();
    digest::insert(tx, &whole, &reasons(&whole))?;
    digest::set_announced_until(tx, whole.window.from)?;
    for (route, content) in contents.iter().filter(|(_, content)| !is_empty(content)) {
        outbox::enqueue(tx, &route.name, content, outbox::For::Pager, true, context.moment.now)?;
        note(tx, context, route, &owed)?;
    }
    Ok(Some(whole))
}

fn content(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    draft: &Digest,
    (owed, cases): (&PendingAlerts, &[IncidentCase]),
) -> Result<Digest, LedgerError> {
    let entries = |alerts: &[PagerAlert], reason, state| {
        let own = alerts.iter().filter(|alert| alert.channel == route.name);
        let entries = own.map(|alert| entry(tx, context, alert, reason, state));
        entries.filter_map(Result::transpose).collect::<Result<Vec<GroupEntry>, LedgerError>>()
    };
    let changes = by_urgency(entries(&owed.ends, Reason::Resolved, GroupState::Resolved)?);
    let taken = entries(&owed.acks, Reason::Reminder, GroupState::Ongoing)?;
    let own = |alerts: &[PagerAlert], reason| {
        let own = alerts.iter().filter(|alert| alert.channel == route.name);
        let entries = own.map(|alert| entry_of_incident(tx, cases, alert, reason));
        entries.filter_map(Result::transpose).collect::<Result<Vec<IncidentEntry>, LedgerError>>()
    };
    let mut incidents = own(&owed.ends, IncidentReason::Resolved)?;
    incidents.extend(own(&owed.acks, IncidentReason::Acked)?);
    let own_trouble = format!("delivery:{}", route.name);
    let faults: Vec<Fault> = owed.faults.iter().filter(|fault| fault.fault != own_trouble).cloned().collect();
    let totals = build::count_changes(draft.totals, &changes, &faults);
    Ok(Digest { incidents, changes, taken, faults, totals, ..draft.clone() })
}

/// The group as its alert knows it: by the episode that it was opened for.
fn entry(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    alert: &PagerAlert,
    reason: Reason,
    state: GroupState,
) -> Result<Option<GroupEntry>, LedgerError> {
    let AlertSubject::Group { group_key, episode } = alert.subject else { return Ok(None) };
    let Some(row) = group_row::by_key(tx, group_key)? else { return Ok(None) };
    let plain = plain_entry(tx, context.settings, &row)?;
    let alert_scope = Some(alert.scope.clone());
    Ok(Some(GroupEntry { episode, reason, state, page: true, alert_scope, ..plain }))
}

/// The incident of an alert; none if it is about a group.
fn entry_of_incident(
    tx: &Transaction<'_>,
    cases: &[IncidentCase],
    alert: &PagerAlert,
    reason: IncidentReason,
) -> Result<Option<IncidentEntry>, LedgerError> {
    let AlertSubject::Incident(incident_id) = &alert.subject else { return Ok(None) };
    let entry = match cases.iter().find(|case| case.record.incident_id == *incident_id) {
        Some(case) => Some(incident_entry(case)),
        None => known(tx, incident_id)?.as_ref().map(incident_entry),
    };
    let alert_scope = Some(alert.scope.clone());
    Ok(entry.map(|entry| IncidentEntry { reason, page: true, alert_scope, ..entry }))
}

fn is_empty(digest: &Digest) -> bool {
    digest.incidents.is_empty() && digest.changes.is_empty() && digest.taken.is_empty() && digest.faults.is_empty()
}

/// Words that no digest for everybody has, but for "resolved": by them the caps know what to leave out.
fn reasons(digest: &Digest) -> String {
    let says = |reason| digest.incidents.iter().any(|entry| entry.reason == reason);
    let words = [
        (!digest.changes.is_empty() || says(IncidentReason::Resolved), "resolved"),
        (!digest.taken.is_empty() || says(IncidentReason::Acked), "acked"),
        (!digest.faults.is_empty(), "fault_over"),
    ];
    let said: Vec<&str> = words.iter().filter(|(said, _)| *said).map(|(_, word)| *word).collect();
    said.join(",")
}

fn note(tx: &Transaction<'_>, context: &Context<'_>, route: &Route, owed: &PendingAlerts) -> Result<(), LedgerError> {
    for end in owed.ends.iter().filter(|alert| alert.channel == route.name) {
        pager_alert::resolve(tx, end, context.moment.now)?;
    }
    for taken in owed.acks.iter().filter(|alert| alert.channel == route.name) {
        pager_alert::mark_acked(tx, taken)?;
    }
    Ok(())
}
