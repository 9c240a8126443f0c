//! A group as digests list it.

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::model::group_state::GroupState;
use crate::triage::digest::model::{GroupEntry, Reason};
use crate::triage::group_cases::GroupCase;
use crate::triage::settings::TriageSettings;
use crate::triage::store::assignment::{self, Assignment};
use crate::triage::store::group_row::{self, GroupRecord};
use crate::triage::store::{incident, note};

/// A group's entry without samples and history, which are read only for what is shown.
pub(crate) fn entry(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    case: &GroupCase,
) -> Result<GroupEntry, LedgerError> {
    let before = case.announced.as_ref().map_or(0, |announced| announced.total_items);
    let (reason, why) = match &case.notification {
        Some(notification) => (notification.reason, notification.why.clone()),
        None => (Reason::Reminder, None),
    };
    // An escalation that is reported breaks the ack.
    let ack = case.ack.as_ref().filter(|_| reason != Reason::Escalated && case.episode.closed.is_none());
    let Assignment { assigned, ticket } = assignment::of_episode(tx, case.row.group_key, case.episode.ordinal)?;
    Ok(GroupEntry {
        episode: case.episode.ordinal,
        reason,
        state: case.state,
        page: case.page,
        why,
        acked: ack.map(|ack| ack.describe(&settings.zone)),
        assigned,
        ticket,
        incident_id: incident::of_episode(tx, case.row.group_key, case.episode.ordinal)?,
        new_items: case.row.total_items.saturating_sub(before),
        ..plain_entry(tx, settings, &case.row)?
    })
}

/// What is the same whatever is reported a group; the rest is as for one that nothing is reported.
pub(crate) fn plain_entry(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    row: &GroupRecord,
) -> Result<GroupEntry, LedgerError> {
    let (batches, job_types, projects) = group_row::batches_and_projects(tx, row.group_key)?;
    let (retried, recovered) = group_row::retries(tx, row.group_key)?;
    Ok(GroupEntry {
        group_id: row.group_id.clone(),
        kind: row.kind,
        episode: 0,
        reason: Reason::Reminder,
        state: GroupState::Ongoing,
        class: row.class.clone(),
        page: false,
        title: row.title.clone(),
        template: row.template.clone(),
        why: None,
        cause: row.cause.clone(),
        note: note::newest(tx, row.group_key)?,
        runbook: row.rule.as_ref().and_then(|rule| settings.runbooks.get(rule)).cloned(),
        acked: None,
        assigned: None,
        ticket: None,
        incident_id: None,
        alert_scope: None,
        open_items: row.open_items,
        new_items: 0,
        total_items: row.total_items,
        batches,
        job_types,
        projects,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        hourly: Vec::new(),
        retried,
        recovered,
        samples: Vec::new(),
    })
}

/// A group as the table of open groups lists it, whatever is news of it.
pub(crate) fn plain_case(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    case: &GroupCase,
) -> Result<GroupEntry, LedgerError> {
    let entry = entry(tx, settings, case)?;
    Ok(GroupEntry { reason: Reason::Reminder, why: None, ..entry })
}
