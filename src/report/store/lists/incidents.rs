//! `report incidents` and `report incident`.

use std::collections::BTreeSet;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::llamacloud::status_page::store_status;
use crate::model::vendor::VendorStatus;
use crate::report::detail::{IncidentDetail, IncidentMember};
use crate::report::rows::IncidentRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::selection::{counts, find};
use crate::triage::digest::incident::IncidentState;
use crate::triage::incident::entry::{arithmetic, items_by_class, open_items, state};
use crate::triage::store::assignment;
use crate::triage::store::group_row;
use crate::triage::store::incident::{self, IncidentRecord, Member};

/// The incidents that match, newest first.
pub(crate) fn incidents(view: &ReportView<'_>) -> Result<Vec<IncidentRow>, QueryError> {
    let mut clause = Clause::all();
    if let Some(window) = view.window() {
        let ends = [window.until.as_millisecond().into(), window.since.as_millisecond().into()];
        clause.and("started_at <= ? AND last_failure_at >= ?", ends);
    }
    let of_state = |state: IncidentState| view.filter.state.iter().any(|word| word == state.as_str());
    match (of_state(IncidentState::Open), of_state(IncidentState::Over)) {
        (true, false) => clause.and("ended_at IS NULL", Vec::<Value>::new()),
        (false, true) => clause.and("ended_at IS NOT NULL", Vec::<Value>::new()),
        _ => {}
    }
    let sql = format!("SELECT incident_id FROM incident WHERE {} ORDER BY started_at DESC, incident_id", clause.text());
    let mut statement = view.connection.prepare(&sql)?;
    let ids = statement.query_map(params_from_iter(clause.values()), |row| row.get::<_, String>(0))?;
    let (remarks, vendor) = (counts::Remarks::read(view)?, store_status::known(view.connection)?);
    let mut rows = Vec::new();
    for id in ids {
        let Some((record, members)) = read(view, &id?)? else { continue };
        let row = row(view, &record, &members, &remarks, vendor.as_ref())?;
        let wanted = &view.filter.project;
        if wanted.is_empty() || row.projects.iter().any(|name| wanted.contains(name)) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The incident with this id, which may be shortened.
///
/// # Errors
/// It is not there, or the shortened id fits several.
pub(crate) fn incident(view: &ReportView<'_>, typed: &str) -> Result<IncidentDetail, QueryError> {
    let id = find::incident(view.connection, typed)?;
    let none = || QueryError::NotFound { what: "incident", id: id.clone(), nearest: Vec::new() };
    let (record, members) = read(view, &id)?.ok_or_else(none)?;
    let remarks = counts::Remarks::read(view)?;
    let vendor = store_status::known(view.connection)?;
    Ok(IncidentDetail {
        why: arithmetic(&record, &members),
        members: members.iter().map(|one| member(view, one)).collect::<Result<_, _>>()?,
        incident: row(view, &record, &members, &remarks, vendor.as_ref())?,
    })
}

fn read(view: &ReportView<'_>, incident_id: &str) -> Result<Option<(IncidentRecord, Vec<Member>)>, QueryError> {
    let Some(record) = incident::get(view.connection, incident_id)? else { return Ok(None) };
    Ok(Some((record, incident::members(view.connection, incident_id)?)))
}

fn row(
    view: &ReportView<'_>,
    record: &IncidentRecord,
    members: &[Member],
    remarks: &counts::Remarks,
    vendor: Option<&VendorStatus>,
) -> Result<IncidentRow, QueryError> {
    let (mut projects, mut assigned) = (BTreeSet::new(), BTreeSet::new());
    let open: Vec<&Member> = members.iter().filter(|member| !member.ended).collect();
    for member in members {
        projects.extend(incident::projects(view.connection, member.group_key)?);
    }
    for member in &open {
        assigned.insert(assignment::of_episode(view.connection, member.group_key, member.episode)?.assigned);
    }
    Ok(IncidentRow {
        incident_id: record.incident_id.clone(),
        state: state(record),
        started_at: record.started_at,
        ended_at: record.ended_at,
        projects: projects.into_iter().collect(),
        groups: members.iter().map(|member| member.group_id.clone()).collect(),
        items: record.share.items,
        ended_items: record.share.ended,
        share: record.share.value(),
        open_items: open_items(members),
        classes: items_by_class(members),
        vendor: vendor
            .map_or_else(Vec::new, |status| status.during(record.started_at, record.ended_at.unwrap_or(view.now))),
        acked: !open.is_empty() && open.iter().all(|member| remarks.acked(member.group_key, Some(member.episode))),
        assigned: if assigned.len() == 1 { assigned.pop_first().flatten() } else { None },
        links: view.linker.of_incident(&record.incident_id),
    })
}

fn member(view: &ReportView<'_>, member: &Member) -> Result<IncidentMember, QueryError> {
    let title = group_row::by_key(view.connection, member.group_key)?.map_or_else(String::new, |row| row.title);
    Ok(IncidentMember {
        group_id: member.group_id.clone(),
        title,
        class: member.class.clone(),
        began_at: member.at,
        escalated: member.escalated,
        items: member.items,
        open_items: member.open_items,
    })
}
