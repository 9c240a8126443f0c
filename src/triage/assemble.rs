//! From cases to a frozen digest: entries, what each channel gets, samples for what is shown, and the outbox.

use std::collections::{BTreeMap, HashMap};

use crate::ledger::Transaction;

use crate::classify::store_reclassify;
use crate::ledger::error::LedgerError;
use crate::ledger::fault;
use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::model::links::LinkFacts;
use crate::model::links::linker::Linker;
use crate::scan::store::project;
use crate::triage::channels::{Extra, Extras, add_extra, empty_digest};
use crate::triage::decide::Announced;
use crate::triage::digest::build::{self, only_entries, pick_different};
use crate::triage::digest::channel_filter::{filter_digest, without_own_fault};
use crate::triage::digest::identity::with_scopes;
use crate::triage::digest::incident::{IncidentEntry, IncidentState};
use crate::triage::digest::merge::{merge, merge_alerts};
use crate::triage::digest::model::{Digest, GroupEntry, Reason, Sample};
use crate::triage::digest::size_limit::keep;
use crate::triage::group_cases::{Context, GroupCase, Inventory};
use crate::triage::settings::{Route, TriageSettings};
use crate::triage::store::group_row::{self, SampleItem};
use crate::triage::store::pager_alert::{self, AlertSubject};
use crate::triage::store::{ack, announcement, digest, incident, outbox};

/// The reason of a digest that only some channels get: new ones, and those that stand in for others.
const FOR_SOME: &str = "channels";

/// How many items are looked at to find samples that differ.
const CANDIDATES: usize = 60;

/// Freezes a digest: one transaction stores it, its deliveries, and what counts as reported.
///
/// `draft` holds every entry. The stored model and each channel's content keep as many as configured, cut after
/// narrowing, so that a channel's groups are never among those that were cut for another.
pub(crate) fn store_digest(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    draft: Digest,
    cases: &[GroupCase],
    extras: &Extras,
) -> Result<Digest, LedgerError> {
    let settings = context.settings;
    let mut whole = cut_to_size(settings, &draft);
    let mut contents: Vec<(&Route, Digest)> = Vec::new();
    for route in &settings.routes {
        let extra = extras.of(route);
        let extended = extra.map_or_else(|| draft.clone(), |extra| add_extra(&draft, route, extra));
        let own = match without_own_fault(&extended, &route.name) {
            Some(extended) => content(tx, context, route, &extended)?.map(|content| cut_to_size(settings, &content)),
            None => None,
        };
        contents.extend(merge_handover(&extended, route, own, extra).map(|content| (route, content)));
    }
    let details = details(tx, context, contents.iter().map(|(_, content)| content).chain([&whole]), cases)?;
    fill(&mut whole, &details);
    digest::insert(tx, &whole, &build::reasons(&whole))?;
    enqueue(tx, context, contents, &details, cases, extras)?;
    mark_announced(tx, context, &draft, &whole, cases)?;
    Ok(whole)
}

/// Freezes the content that only some channels get, without any news; none if their filters leave nothing.
///
/// It does not count as reported. The stored model has the first channel's content.
pub(crate) fn store_extras(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    bare: &Digest,
    cases: &[GroupCase],
    extras: &Extras,
) -> Result<Option<Digest>, LedgerError> {
    let mut contents: Vec<(&Route, Digest)> = Vec::new();
    for route in &context.settings.routes {
        let Some(extra) = extras.of(route) else { continue };
        let extended = add_extra(bare, route, extra);
        let says = !extended.incidents.is_empty()
            || !extended.changes.is_empty()
            || !extended.still_open.is_empty()
            || !extended.faults.is_empty();
        let own = if says { content(tx, context, route, &extended)? } else { None };
        let own = own.map(|content| cut_to_size(context.settings, &content));
        contents.extend(merge_handover(&extended, route, own, Some(extra)).map(|content| (route, content)));
    }
    let Some((_, first)) = contents.first() else { return Ok(None) };
    let mut whole = first.clone();
    let details = details(tx, context, contents.iter().map(|(_, content)| content), cases)?;
    fill(&mut whole, &details);
    digest::insert(tx, &whole, FOR_SOME)?;
    enqueue(tx, context, contents, &details, cases, extras)?;
    Ok(Some(whole))
}

fn cut_to_size(settings: &TriageSettings, digest: &Digest) -> Digest {
    keep(digest, settings.groups, settings.samples)
}

/// A channel's content, merged with undelivered news of removed channels. `all` is its own part before it was cut.
fn merge_handover(all: &Digest, route: &Route, own: Option<Digest>, extra: Option<&Extra>) -> Option<Digest> {
    let Some((extra, handed)) = extra.and_then(|extra| Some((extra, extra.handed.as_ref()?))) else { return own };
    let own = own.unwrap_or_else(|| empty_digest(all));
    let joined = if route.pager { merge_alerts(handed, &own) } else { merge(handed, &own) };
    // A new channel's own part holds everything that is open, so what both parts left out would count twice.
    Some(if extra.is_new { build::recount_left_out(joined, all) } else { joined })
}

fn enqueue(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    contents: Vec<(&Route, Digest)>,
    details: &HashMap<String, Details>,
    cases: &[GroupCase],
    extras: &Extras,
) -> Result<(), LedgerError> {
    for (route, mut content) in contents {
        fill(&mut content, details);
        let handed = extras.of(route).is_some_and(|extra| extra.page);
        let pages = |entry: &IncidentEntry| entry.page && entry.reason.is_alarm();
        let page = handed || content.changes.iter().any(|entry| entry.page) || content.incidents.iter().any(pages);
        let whom = if route.pager { outbox::For::Pager } else { outbox::For::Readers };
        if route.pager {
            content = note_alerts(tx, context, route, content, cases)?;
        }
        outbox::enqueue(tx, &route.name, &content, whom, page, context.moment.now)?;
    }
    Ok(())
}

/// What a channel gets of the digest; none if it has nothing to report to that channel.
///
/// A pager channel gets what opens them; their ends do not wait for a digest, and `page::alerts` sends them. Before the
/// first inventory was sent it gets nothing: a problem during the installation must not page.
fn content(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    draft: &Digest,
) -> Result<Option<Digest>, LedgerError> {
    if !route.pager {
        return Ok(filter_digest(draft, &route.only));
    }
    if context.inventory != Inventory::Told {
        return Ok(None);
    }
    let known = fault::resolve_sent(tx)?;
    // The alert of an incident stands for those of its groups.
    let is_of_paging_incident = |entry: &GroupEntry| {
        let id = entry.incident_id.as_ref();
        draft.incidents.iter().any(|incident| incident.page && Some(&incident.incident_id) == id)
    };
    let pages = |entry: &GroupEntry| entry.page && entry.reason != Reason::Resolved && !is_of_paging_incident(entry);
    let mut paging = only_entries(draft, pages);
    paging.incidents.retain(|incident| incident.page && incident.reason.is_alarm());
    paging.still_open.clear();
    paging.faults.retain(|fault| !(fault.ended && known.contains(&fault.fault)));
    let nothing = paging.incidents.is_empty() && paging.changes.is_empty() && paging.faults.is_empty();
    Ok(if nothing { None } else { filter_digest(&paging, &route.only) })
}

fn case_of<'c>(cases: &'c [GroupCase], group_id: &str) -> Option<&'c GroupCase> {
    cases.iter().find(|case| case.row.group_id == group_id)
}

/// Notes the alerts that a channel opens, and writes down under which scope each is known.
fn note_alerts(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    mut content: Digest,
    cases: &[GroupCase],
) -> Result<Digest, LedgerError> {
    let own = content.alert_scope().to_owned();
    for entry in content.changes.iter_mut().filter(|entry| entry.state != GroupState::Resolved) {
        let Some(case) = case_of(cases, &entry.group_id) else { continue };
        let subject = AlertSubject::Group { group_key: case.row.group_key, episode: entry.episode };
        open_alert(tx, context, route, &subject, (&mut entry.alert_scope, &own))?;
    }
    for entry in content.incidents.iter_mut().filter(|entry| entry.reason.is_alarm()) {
        let subject = AlertSubject::Incident(entry.incident_id.clone());
        open_alert(tx, context, route, &subject, (&mut entry.alert_scope, &own))?;
    }
    Ok(with_scopes(&content))
}

/// Notes an alert under the scope that it has, that it is known under, or else the ledger's own.
fn open_alert(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    subject: &AlertSubject,
    (alert_scope, own): (&mut Option<String>, &str),
) -> Result<(), LedgerError> {
    let scope = match alert_scope.take() {
        Some(scope) => scope,
        None => pager_alert::scope(tx, &route.name, subject)?.unwrap_or_else(|| own.to_owned()),
    };
    pager_alert::open(tx, &route.name, subject, &scope, context.moment.now)?;
    *alert_scope = Some(scope);
    Ok(())
}

/// What only shown entries have: history and samples.
struct Details {
    hourly: Vec<u32>,
    samples: Vec<Sample>,
}

fn details<'d>(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    digests: impl Iterator<Item = &'d Digest>,
    cases: &[GroupCase],
) -> Result<HashMap<String, Details>, LedgerError> {
    let named = build::named(digests);
    let linker = context.settings.linker.clone().located(project::addresses(tx)?);
    let mut details = HashMap::new();
    for case in cases.iter().filter(|case| named.contains(&case.row.group_id)) {
        let candidates = group_row::sample_items(tx, case.row.group_key, CANDIDATES)?;
        let samples = candidates.into_iter().map(|candidate| linked(&linker, case.row.kind, candidate)).collect();
        let found = Details {
            hourly: group_row::hourly(tx, case.row.group_key, context.moment.now)?,
            samples: pick_different(samples, context.settings.samples),
        };
        details.insert(case.row.group_id.clone(), found);
    }
    Ok(details)
}

fn linked(linker: &Linker, kind: Kind, candidate: SampleItem) -> Sample {
    let mut sample = candidate.sample;
    let facts = LinkFacts {
        project_id: candidate.project_id.as_deref(),
        batch_id: Some(&sample.batch_id),
        job_id: sample.job_id.as_deref(),
        job_record_id: sample.job_record_id.as_deref(),
        item_id: Some(&sample.item_id),
        kind: Some(kind),
        ..LinkFacts::default()
    };
    sample.links = linker.make(&sample.project, &facts);
    sample
}

fn fill(digest: &mut Digest, details: &HashMap<String, Details>) {
    for entry in digest.changes.iter_mut().chain(&mut digest.still_open) {
        if let Some(found) = details.get(&entry.group_id) {
            entry.hourly.clone_from(&found.hourly);
            entry.samples.clone_from(&found.samples);
        }
    }
}

/// Records what was reported: announcements, escalations, acks, faults, and the items that were named.
fn mark_announced(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    draft: &Digest,
    whole: &Digest,
    cases: &[GroupCase],
) -> Result<(), LedgerError> {
    let now = context.moment.now;
    let cut_to_size = whole.changes.iter().chain(&whole.still_open);
    let samples: BTreeMap<&str, Vec<String>> = cut_to_size
        .map(|entry| (entry.group_id.as_str(), entry.samples.iter().map(|sample| sample.item_id.clone()).collect()))
        .collect();
    for entry in draft.changes.iter().chain(&draft.still_open) {
        let Some(case) = case_of(cases, &entry.group_id) else { continue };
        let items = samples.get(entry.group_id.as_str()).cloned().unwrap_or_default();
        digest::name_items(tx, &draft.digest_id, case.row.group_key, entry.reason.as_str(), &items)?;
        if case.notification.is_none() {
            continue;
        }
        let announced = Announced {
            episode: case.episode.ordinal,
            reason: entry.reason,
            open_items: case.row.open_items,
            total_items: case.row.total_items,
            at: now,
            failures: case.row.failures,
            baseline: case.baseline,
        };
        announcement::upsert(tx, case.row.group_key, &draft.digest_id, &announced, entry.state)?;
        announcement::record_escalations(tx, case.row.group_key, &case.reached, now)?;
        store_reclassify::mark_announced(tx, &entry.group_id)?;
        if entry.reason == Reason::Escalated && case.ack.is_some() {
            ack::end_all(tx, case.row.group_key, "escalated", now)?;
        }
    }
    for entry in &draft.incidents {
        let (paged, ended) = (entry.page && entry.reason.is_alarm(), entry.state == IncidentState::Over);
        incident::mark_announced(tx, &entry.incident_id, &draft.digest_id, paged, ended)?;
    }
    fault::mark_announced(tx, &draft.faults, &draft.digest_id, draft.alert_scope())?;
    let inventory_waits = !draft.baseline && cases.iter().any(is_inventory);
    if matches!(context.inventory, Inventory::Until(_)) && !inventory_waits {
        crate::ledger::meta::set_meta(tx, "baseline_digest", &draft.digest_id)?;
    }
    Ok(())
}

fn is_inventory(case: &GroupCase) -> bool {
    case.notification.as_ref().is_some_and(|notification| notification.reason == Reason::Baseline)
}
