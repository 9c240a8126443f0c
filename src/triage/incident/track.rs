//! Follows incidents: notes onsets, finds which are one incident, counts their items, and sees when they are over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::ledger::hash::hash;
use crate::triage::decide::Urgency;
use crate::triage::digest::incident::IncidentReason;
use crate::triage::group_cases::{Context, Examined, IncidentRole, Inventory};
use crate::triage::incident::news::{self, IncidentNow};
use crate::triage::incident::rule::{self, Join, Onset, OpenIncident, Progress, Share};
use crate::triage::store::group_row;
use crate::triage::store::incident::{self, IncidentRecord, Member, NewOnset, OnsetRecord};

/// An onset that was noted longer ago is part of no new incident.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// Onsets that are part of none are kept so long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An incident with what is news of it.
pub(crate) struct IncidentCase {
    pub(crate) record: IncidentRecord,
    pub(crate) members: Vec<Member>,
    pub(crate) projects: BTreeSet<String>,
    /// It pages now.
    pub(crate) page: bool,
    pub(crate) acked: bool,
    pub(crate) assigned: Option<String>,
    /// What is reported of it, and how soon; none if nothing.
    pub(crate) notification: Option<(IncidentReason, Urgency)>,
}

impl IncidentCase {
    /// Whether its news is a page now.
    pub(crate) fn pages_now(&self) -> bool {
        self.notification.is_some_and(|(_, urgency)| urgency == Urgency::Page)
    }
}

/// Brings the incidents up to date, and returns those that are open or whose end was not reported.
///
/// Before the first complete scan there are none: what failed before the start did not begin together.
pub(crate) fn track(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    examined: &[Examined],
) -> Result<Vec<IncidentCase>, LedgerError> {
    if context.inventory == Inventory::Awaited {
        return Ok(Vec::new());
    }
    let now = context.moment.now;
    incident::forget_before(tx, now - KEPT)?;
    examined.iter().try_for_each(|one| note_onset(tx, one, now))?;
    find(tx, now)?;
    let by_key: HashMap<i64, &Examined> = examined.iter().map(|one| (one.case.row.group_key, one)).collect();
    let cases = incident::unsettled(tx)?.into_iter().map(|record| {
        let (record, members) = refresh(tx, record, context)?;
        case(tx, context, record, members, &by_key)
    });
    cases.collect()
}

/// The part of each group in the incidents that were tracked.
pub(crate) fn roles(cases: &[IncidentCase]) -> HashMap<i64, IncidentRole> {
    let role = |case: &IncidentCase| IncidentRole { pages_now: case.pages_now() };
    let of_case = |case: &'_ IncidentCase| {
        let role = role(case);
        case.members.iter().map(move |member| (member.group_key, role)).collect::<Vec<_>>()
    };
    cases.iter().flat_map(of_case).collect()
}

/// Notes that a group began, if its episode is new, or that it escalated, if nothing was noted of it lately.
fn note_onset(tx: &Transaction<'_>, one: &Examined, now: Timestamp) -> Result<(), LedgerError> {
    let (case, lately) = (&one.case, now - FRESH);
    let (group_key, episode) = (case.row.group_key, case.episode.ordinal);
    // What stands for a batch is no failure of items.
    if case.baseline || case.episode.closed.is_some() || !case.row.kind.is_failure() {
        return Ok(());
    }
    let onset = NewOnset { group_key, episode, at: case.episode.opened_at, escalated: false };
    if case.episode.noticed_at > lately && !incident::is_noted(tx, group_key, episode)? {
        return incident::note_onset(tx, &onset, now);
    }
    let Some(usual) = one.escalates_beyond.filter(|_| case.row.last_seen > lately) else { return Ok(()) };
    if incident::is_noted_since(tx, group_key, episode, lately)? {
        return Ok(());
    }
    let at = incident::first_beyond(tx, group_key, lately, usual)?.unwrap_or(case.row.last_seen);
    incident::note_onset(tx, &NewOnset { at, escalated: true, ..onset }, now)
}

/// Makes incidents of the onsets that are none yet, and adds those that join one.
fn find(tx: &Transaction<'_>, now: Timestamp) -> Result<(), LedgerError> {
    let mut records = incident::onsets(tx, now - FRESH)?;
    records.retain(|record| record.incident_id.is_some() || rule::counts(&record.class));
    if records.iter().all(|record| record.incident_id.is_some() && !record.late) {
        return Ok(());
    }
    let onsets = records.iter().map(|record| onset(tx, record)).collect::<Result<Vec<_>, LedgerError>>()?;
    let open = open_incidents(tx)?;
    let found = rule::assign(&onsets, &open);
    for Join { place, incident, is_late } in found.joins {
        incident::assign(tx, records[place].onset_key, &incident, is_late)?;
    }
    for cluster in found.candidates {
        begin_or_join(tx, &records, &onsets, &open, &cluster, now)?;
    }
    Ok(())
}

fn onset(tx: &Transaction<'_>, record: &OnsetRecord) -> Result<Onset, LedgerError> {
    Ok(Onset {
        group_key: record.group_key,
        at: record.at,
        projects: incident::projects(tx, record.group_key)?,
        incident: record.incident_id.clone(),
        is_late: record.late,
    })
}

fn open_incidents(tx: &Transaction<'_>) -> Result<Vec<OpenIncident>, LedgerError> {
    let open = incident::unsettled(tx)?.into_iter().filter(|record| record.ended_at.is_none());
    let open = open.map(|record| {
        let members = incident::members(tx, &record.incident_id)?;
        let newest = members.iter().map(|member| member.last_seen).max();
        Ok(OpenIncident {
            projects: projects(tx, &members)?,
            group_keys: members.iter().map(|member| member.group_key).collect(),
            last_failure_at: newest.unwrap_or(record.last_failure_at),
            started_at: record.started_at,
            incident_id: record.incident_id,
        })
    });
    open.collect()
}

fn projects(tx: &Transaction<'_>, members: &[Member]) -> Result<BTreeSet<String>, LedgerError> {
    let mut names = BTreeSet::new();
    for member in members {
        names.extend(incident::projects(tx, member.group_key)?);
    }
    Ok(names)
}

/// A cluster with a large enough share begins an incident; onsets of another one may be late ones of an incident that fails.
fn begin_or_join(
    tx: &Transaction<'_>,
    records: &[OnsetRecord],
    onsets: &[Onset],
    open: &[OpenIncident],
    cluster: &[usize],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some(first) = cluster.first().map(|place| &records[*place]) else { return Ok(()) };
    let mut begins: BTreeMap<i64, Timestamp> = BTreeMap::new();
    for place in cluster.iter().rev() {
        begins.insert(onsets[*place].group_key, onsets[*place].at);
    }
    let projects = cluster.iter().flat_map(|place| onsets[*place].projects.clone()).collect();
    let mut last_failure_at = first.at;
    for group_key in begins.keys() {
        last_failure_at = last_failure_at.max(group_row::by_key(tx, *group_key)?.map_or(first.at, |row| row.last_seen));
    }
    let counts = begins.iter().map(|(key, at)| count(tx, *key, *at, now)).collect::<Result<Vec<_>, _>>()?;
    let share = share(tx, &projects, counts.iter().sum(), first.at, last_failure_at, now)?;
    if !rule::is_incident(begins.len(), share) {
        for place in cluster.iter().filter(|place| onsets[**place].incident.is_none()) {
            if let Some(incident_id) = rule::late(&onsets[*place], open) {
                incident::assign(tx, records[*place].onset_key, &incident_id, true)?;
            }
        }
        return Ok(());
    }
    let incident_id = incident_id(&first.group_id, first.at);
    incident::begin(tx, &incident_id, first.at, now)?;
    cluster.iter().try_for_each(|place| incident::assign(tx, records[*place].onset_key, &incident_id, false))
}

/// `n-…`: the same for the same first onset, in whichever order projects are scanned.
fn incident_id(group_id: &str, at: Timestamp) -> String {
    let bits = hash(&[group_id.as_bytes(), at.as_millisecond().to_string().as_bytes()]).cast_unsigned();
    format!("n-{:010x}", bits >> 24)
}

/// Items of a group that failed at or after a time.
fn count(tx: &Transaction<'_>, group_key: i64, from: Timestamp, now: Timestamp) -> Result<u64, LedgerError> {
    let before = from.checked_sub(SignedDuration::from_millis(1)).unwrap_or(from);
    group_row::failed_since(tx, group_key, before, now.max(from))
}

fn share(
    tx: &Transaction<'_>,
    projects: &BTreeSet<String>,
    items: u64,
    started_at: Timestamp,
    last_failure_at: Timestamp,
    now: Timestamp,
) -> Result<Share, LedgerError> {
    let (from, until) = rule::window(started_at, last_failure_at, now);
    let completed = rule::completed_in(&incident::work_since(tx, projects, from)?, from, until);
    Ok(Share { items, ended: items.saturating_add(completed) })
}

/// Counts an open incident again if it failed since, and ends it if it is over.
fn refresh(
    tx: &Transaction<'_>,
    mut record: IncidentRecord,
    context: &Context<'_>,
) -> Result<(IncidentRecord, Vec<Member>), LedgerError> {
    let mut members = incident::members(tx, &record.incident_id)?;
    if record.ended_at.is_some() {
        return Ok((record, members));
    }
    let (before, now) = (record.clone(), context.moment.now);
    let newest = members.iter().map(|member| member.last_seen).max().unwrap_or(record.last_failure_at);
    let projects = projects(tx, &members)?;
    let counted_until = record.last_failure_at;
    let has_failed = |member: &Member| member.items == 0 || member.last_seen > counted_until;
    let is_known = members.iter().map(|member| member.items).sum::<u64>() == record.share.items;
    let is_counted = is_known && !members.iter().any(has_failed);
    record.last_failure_at = newest;
    if !is_counted {
        for member in members.iter_mut().filter(|member| has_failed(member)) {
            member.items = count(tx, member.group_key, member.at, now)?;
        }
        let items = members.iter().map(|member| member.items).sum();
        record.share = share(tx, &projects, items, record.started_at, newest, now)?;
    }
    let work = incident::work_since(tx, &projects, newest)?;
    let progress = Progress {
        last_failure_at: newest,
        all_ended: members.iter().all(|member| member.ended),
        completed_since: work.iter().any(|batch| batch.began_at > newest && batch.completed > 0),
    };
    record.ended_at = rule::is_over(&progress, context.request.certain).then_some(newest);
    if record != before || !is_counted {
        incident::update(tx, &record, &members)?;
    }
    Ok((record, members))
}

fn case(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    record: IncidentRecord,
    members: Vec<Member>,
    by_key: &HashMap<i64, &Examined>,
) -> Result<IncidentCase, LedgerError> {
    let (policy, now) = (&context.settings.page, context.moment.now);
    let projects = projects(tx, &members)?;
    let is_large = policy.incident(record.share.items, record.share.value()).is_ok();
    let applies = policy.applies(&projects, now, &context.settings.zone);
    let open: Vec<&Examined> = members
        .iter()
        .filter_map(|member| by_key.get(&member.group_key).copied())
        .filter(|one| one.case.episode.closed.is_none())
        .collect();
    let acked = !open.is_empty() && open.iter().all(|one| one.case.ack.is_some());
    let incident_now = IncidentNow {
        announced: record.announced,
        paged: record.paged,
        pages: is_large && applies,
        over: record.ended_at.is_some(),
        silenced: !open.is_empty() && open.iter().all(|one| one.case.silenced_until.is_some()),
        acked,
        awaits_batches: open.iter().any(|one| one.case.announced.is_none() && !one.group_now.ready),
    };
    Ok(IncidentCase {
        page: record.paged || (is_large && applies),
        acked,
        assigned: common_assignee(tx, &open)?,
        notification: news::decide(&incident_now),
        projects,
        record,
        members,
    })
}

/// Whom all open groups are assigned to; none if that is not one.
fn common_assignee(tx: &Transaction<'_>, open: &[&Examined]) -> Result<Option<String>, LedgerError> {
    let mut names = BTreeSet::new();
    for one in open {
        let (key, episode) = (one.case.row.group_key, one.case.episode.ordinal);
        names.insert(crate::triage::store::assignment::of_episode(tx, key, episode)?.assigned);
    }
    Ok(if names.len() == 1 { names.pop_first().flatten() } else { None })
}

/// The case of an incident of which nothing is news but its groups: one that is over.
pub(crate) fn known(tx: &Transaction<'_>, incident_id: &str) -> Result<Option<IncidentCase>, LedgerError> {
    let Some(record) = incident::get(tx, incident_id)? else { return Ok(None) };
    let members = incident::members(tx, incident_id)?;
    let projects = projects(tx, &members)?;
    let page = record.paged;
    Ok(Some(IncidentCase { record, members, projects, page, acked: false, assigned: None, notification: None }))
}
