//! Who would be sent news of a group or an incident, when, and why: `notify explain`.
//!
//! It decides as a triage does and changes nothing if the caller rolls back.

use jiff::Timestamp;

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::model::text::{count, local};
use crate::triage::decide::Urgency;
use crate::triage::digest::incident::{IncidentEntry, IncidentReason};
use crate::triage::digest::model::GroupEntry;
use crate::triage::digest_rate::ends_of_caps;
use crate::triage::group_cases::{Context, GroupCase};
use crate::triage::incident::entry::entry as incident_entry;
use crate::triage::incident::track::IncidentCase;
use crate::triage::page::policy::PagedGroup;
use crate::triage::settings::{Route, TriageRequest, TriageSettings};
use crate::triage::store::{digest, episode, incident};
use crate::triage::{group_entry, look};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A group, by its number.
    Group(i64),
    /// An incident, by its id.
    Incident(String),
}

/// The explanation, a line for each fact and channel.
///
/// # Errors
/// The ledger refuses.
pub(crate) fn explain_in(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    request: &TriageRequest,
    subject: &Subject,
) -> Result<Vec<String>, LedgerError> {
    let survivors = episode::absorb_merged(tx, request.now)?;
    let context = Context::read(tx, settings, request, false, survivors)?;
    let (cases, incidents) = look(tx, &context)?;
    match subject {
        Subject::Group(group_key) => match cases.iter().find(|case| case.row.group_key == *group_key) {
            Some(case) => of_group(tx, &context, case, &incidents),
            None => Ok(vec!["It is resolved, and that was reported: nothing is sent of it.".to_owned()]),
        },
        Subject::Incident(id) => match incidents.iter().find(|case| case.record.incident_id == *id) {
            Some(case) => of_incident(tx, &context, case),
            None => Ok(vec!["It is over, and that was reported: nothing is sent of it.".to_owned()]),
        },
    }
}

fn of_group(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    case: &GroupCase,
    incidents: &[IncidentCase],
) -> Result<Vec<String>, LedgerError> {
    let (settings, zone) = (context.settings, &context.settings.zone);
    let entry = group_entry::entry(tx, settings, case)?;
    let open = count(case.row.open_items, "open item", "open items");
    let mut lines = vec![format!("{}: {} ({open}, class {})", entry.group_id, entry.title, entry.class)];
    lines.push(format!("Page: {}", group_page(tx, context, case)?));
    let paged_by = incidents.iter().find(|one| one.page && entry.incident_id.as_ref() == Some(&one.record.incident_id));
    let is_open =
        |id: &String| incidents.iter().any(|one| one.record.incident_id == *id && one.record.ended_at.is_none());
    lines.extend(entry.incident_id.iter().map(|id| match paged_by {
        Some(_) => format!("Incident: part of {id}, which pages for all its groups"),
        None if is_open(id) => format!("Incident: part of {id}, which does not page"),
        None => format!("Incident: part of {id}, which is over"),
    }));
    lines.extend(
        case.silenced_until.map(|until| format!("Silenced until {}: nothing is sent of it", local(until, zone))),
    );
    lines.extend(entry.acked.iter().map(|acked| format!("Acknowledged: {acked}")));
    lines.extend(
        case.announced
            .as_ref()
            .map(|last| format!("Last reported {} as {}", local(last.at, zone), last.reason.as_str())),
    );
    let news = case.notification.as_ref();
    lines.push(match news {
        Some(news) => {
            let why = news.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            format!("News: {}{why}, {}", news.reason.as_str(), when(tx, context, news.urgency)?)
        }
        None if case.announced.is_none() => {
            "News: new, once its batches have ended or digest.group-wait is over".to_owned()
        }
        None => "News: none; the scheduled digest repeats what is open".to_owned(),
    });
    let pages = |route: &Route| entry.page && paged_by.is_none() && route.only.admits(&entry);
    lines.extend(settings.routes.iter().map(|route| match route.pager {
        true => channel_line(route, pages(route), "it takes pages only, and this is none or its incident pages"),
        false => channel_line(route, admits(route, &entry), "its filter (only) leaves this out"),
    }));
    Ok(lines)
}

fn admits(route: &Route, entry: &GroupEntry) -> bool {
    route.only.admits(entry)
}

fn group_page(tx: &Transaction<'_>, context: &Context<'_>, case: &GroupCase) -> Result<String, LedgerError> {
    let policy = &context.settings.page;
    let group =
        PagedGroup { class: &case.row.class, rule: case.row.rule.as_deref(), escalates: !case.reached.is_empty() };
    let Some(why) = policy.group(&group) else {
        return Ok("no: neither its class, nor its rule, nor an escalation pages".to_owned());
    };
    if case.baseline {
        return Ok(format!("no: {why}, but all of it failed before llama-triage was started"));
    }
    let projects = incident::projects(tx, case.row.group_key)?;
    Ok(match policy.applies(&projects, context.moment.now, &context.settings.zone) {
        true => format!("yes: {why}"),
        false => format!("no: {why}, but not in its projects or at this hour (page.projects, page.hours)"),
    })
}

fn of_incident(tx: &Transaction<'_>, context: &Context<'_>, case: &IncidentCase) -> Result<Vec<String>, LedgerError> {
    let (settings, record) = (context.settings, &case.record);
    // Channels are asked as if it were new: what is no news of it comes with its groups.
    let entry = IncidentEntry { reason: IncidentReason::New, ..incident_entry(case) };
    let mut lines = vec![format!("{}: {}", entry.incident_id, entry.why)];
    let large = settings.page.incident(record.share.items, record.share.value());
    let applies = settings.page.applies(&case.projects, context.moment.now, &settings.zone);
    lines.push(match large {
        Ok(why) if applies => format!("Page: yes: {why}"),
        Ok(why) => format!("Page: no: {why}, but not in its projects or at this hour (page.projects, page.hours)"),
        Err(why) => format!("Page: no: {why}"),
    });
    lines.extend(case.acked.then(|| "Acknowledged: all its open groups are".to_owned()));
    lines
        .extend(record.announced.then(|| "It was reported".to_owned() + if record.paged { ", as a page" } else { "" }));
    lines.push(match case.notification {
        Some((reason, urgency)) => {
            let reason: &str = reason.into();
            format!("News: {reason}, {}", when(tx, context, urgency)?)
        }
        None => "News: none".to_owned(),
    });
    lines.extend(settings.routes.iter().map(|route| match route.pager {
        true => channel_line(route, entry.page && route.only.admits_incident(&entry), "it takes pages only"),
        false => channel_line(route, route.only.admits_incident(&entry), "its filter (only) leaves this out"),
    }));
    Ok(lines)
}

fn channel_line(route: &Route, gets_it: bool, why_not: &str) -> String {
    match gets_it {
        true => format!("Channel {}: gets it", route.name),
        false => format!("Channel {}: does not get it: {why_not}", route.name),
    }
}

/// When news of this urgency is sent, if nothing else happens until then.
fn when(tx: &Transaction<'_>, context: &Context<'_>, urgency: Urgency) -> Result<String, LedgerError> {
    let (settings, now) = (context.settings, context.moment.now);
    let at = |at: Timestamp| local(at, &settings.zone);
    if urgency == Urgency::Page {
        return Ok("with the next cycle, through quiet hours and limits".to_owned());
    }
    if let Some(end) =
        settings.quiet.filter(|_| settings.is_quiet(now)).and_then(|quiet| quiet.end(now, &settings.zone))
    {
        return Ok(format!("after the quiet hours, {}", at(end)));
    }
    if urgency == Urgency::WithNext {
        let next = settings.digest.next(now, &settings.zone);
        return Ok(next.map_or_else(
            || "with the next digest".to_owned(),
            |next| format!("with the next digest, {} at the latest", at(next)),
        ));
    }
    let recent = digest::unscheduled_since(tx, now - jiff::SignedDuration::from_hours(24))?;
    let capped = ends_of_caps(&recent, settings.limits, now).into_iter().max_by_key(|(at, _)| *at);
    Ok(capped.map_or_else(|| "with the next cycle".to_owned(), |(end, why)| format!("{} ({why})", at(end))))
}
