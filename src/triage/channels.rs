//! Added and removed channels: a new one gets an inventory of open groups; undelivered news of a removed one goes to
//! those that remain.
//!
//! A renamed channel is both. Nothing of it is news, so announcements stay as they are.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::ledger::Transaction;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::fault::{self, KnownFault};
use crate::model::fault::Fault;
use crate::model::text::local;
use crate::triage::decide::Urgency;
use crate::triage::digest::build::{by_urgency, count_changes};
use crate::triage::digest::incident::{IncidentEntry, IncidentReason};
use crate::triage::digest::model::{Digest, GroupEntry, Reason};
use crate::triage::digest::remark::Remark;
use crate::triage::group_cases::{Context, GroupCase};
use crate::triage::group_entry;
use crate::triage::handover::{self, Handed};
use crate::triage::incident::entry::entry as incident_entry;
use crate::triage::incident::track::IncidentCase;
use crate::triage::settings::{Route, TriageSettings};
use crate::triage::store::channel::{self, KnownChannel};
use crate::triage::store::pager_alert::{self, AlertSubject};

/// Notes which channels came and went since the last triage.
pub(crate) fn note(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    now: Timestamp,
) -> Result<Vec<KnownChannel>, LedgerError> {
    // Channels of a ledger that never reported anything are not new: all of them get its first digest.
    let is_first = !channel::has_any_digest(tx)?;
    let known = channel::all(tx)?;
    for route in &settings.routes {
        let same = |known: &&KnownChannel| known.name == route.name && known.gone_at.is_none();
        if known.iter().find(same).is_some_and(|known| known.pager == route.pager) {
            continue;
        }
        let (name, pager) = (route.name.clone(), route.pager);
        channel::upsert(
            tx,
            &KnownChannel { name, pager, since: now, greeted: is_first, gone_at: None, said: is_first },
        )?;
        if !is_first {
            record(tx, "channel-added", &route.name, now)?;
        }
    }
    for gone in known.iter().filter(|known| known.gone_at.is_none() && !is_configured(settings, &known.name)) {
        channel::upsert(tx, &KnownChannel { gone_at: Some(now), said: false, ..gone.clone() })?;
        // No one needs to repair it any more.
        fault::clear(tx, &format!("delivery:{}", gone.name), now)?;
        fault::clear(tx, &format!("recipients:{}", gone.name), now)?;
        record(tx, "channel-removed", &gone.name, now)?;
    }
    channel::all(tx)
}

fn record(tx: &Transaction<'_>, action: &str, name: &str, now: Timestamp) -> Result<(), LedgerError> {
    audit::record(tx, &Act { actor: "auto:config", action, subject: name, ..Act::default() }, now)?;
    Ok(())
}

fn is_configured(settings: &TriageSettings, name: &str) -> bool {
    settings.routes.iter().any(|route| route.name == name)
}

/// Which channels came and went, for the log; those that a ledger begins with are no change.
pub(crate) fn changes(before: &[KnownChannel], after: &[KnownChannel]) -> Vec<String> {
    if before.is_empty() {
        return Vec::new();
    }
    let is_there =
        |list: &[KnownChannel], name: &str| list.iter().any(|known| known.name == name && known.gone_at.is_none());
    let names = after.iter().map(|known| known.name.as_str());
    names
        .filter_map(|name| match (is_there(before, name), is_there(after, name)) {
            (false, true) => Some(format!("channel {name} is new: it gets an inventory of open groups")),
            (true, false) => Some(format!(
                "channel {name} was removed from the configuration: its pending news goes to the other channels"
            )),
            _ => None,
        })
        .collect()
}

/// Content for one channel only.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// It came since the last digest, and does not know what is open.
    pub(crate) is_new: bool,
    /// Groups that are open: for readers to list, for a pager channel to open.
    open: Vec<GroupEntry>,
    /// Incidents that page and are open, for a pager channel to open.
    incidents: Vec<IncidentEntry>,
    /// Worker faults that last.
    faults: Vec<Fault>,
    /// Undelivered news of removed channels.
    pub(crate) handed: Option<Digest>,
    /// Some of it passes quiet hours.
    pub(crate) page: bool,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.incidents.is_empty() && self.faults.is_empty() && self.handed.is_none()
    }
}

/// The content for single channels, by channel.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    of: BTreeMap<String, Extra>,
    handed: Handed,
}

impl Extras {
    /// Reads what may be sent: in quiet hours only what passes them.
    pub(crate) fn read(
        tx: &Transaction<'_>,
        context: &Context<'_>,
        known: &[KnownChannel],
        (cases, incidents, faults): (&[GroupCase], &[IncidentCase], &[KnownFault]),
        page_only: bool,
    ) -> Result<Extras, LedgerError> {
        let handed = handover::read(tx, context, known, page_only)?;
        let mut of = BTreeMap::new();
        for route in &context.settings.routes {
            let Some(known) = known.iter().find(|known| known.name == route.name) else { continue };
            let mut extra = Extra { is_new: !known.greeted, ..Extra::default() };
            if route.pager {
                extra.open = missing_alerts(tx, context, route, known, cases)?;
                extra.incidents = missing_incident_alerts(tx, route, known, incidents)?;
                let paged = |entry: &GroupEntry| incidents.iter().any(|case| case.page && is_of(entry, case));
                extra.open.retain(|entry| !paged(entry));
            } else if extra.is_new && !page_only {
                extra.open = inventory(tx, context, route, cases)?;
            }
            if extra.is_new && !page_only {
                extra.faults = lasting(faults, &route.name);
            }
            (extra.handed, extra.page) = handed.of(&route.name);
            extra.page |= route.pager && !(extra.open.is_empty() && extra.incidents.is_empty());
            of.insert(route.name.clone(), extra);
        }
        Ok(Extras { of, handed })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of.values().all(Extra::is_empty)
    }

    /// What pages passes quiet hours; the rest goes with whatever is sent, or alone outside of them.
    pub(crate) fn urgency(&self) -> Option<Urgency> {
        self.of.values().any(|extra| extra.page).then_some(Urgency::Page)
    }

    pub(crate) fn of(&self, route: &Route) -> Option<&Extra> {
        self.of.get(&route.name).filter(|extra| !extra.is_empty())
    }

    /// Records what was sent or need not be sent. `whole`: all of it, not only what passes quiet hours.
    pub(crate) fn settle(&self, tx: &Transaction<'_>, sent: Option<&Digest>, whole: bool) -> Result<(), LedgerError> {
        self.handed.end_deliveries(tx, sent.map(|digest| digest.digest_id.as_str()))?;
        for (name, extra) in self.of.iter().filter(|(_, extra)| extra.is_new && whole) {
            if sent.is_some() || extra.is_empty() {
                channel::mark_inventory_sent(tx, name)?;
            }
        }
        Ok(())
    }
}

/// The digest for a channel with what only it gets; what was handed over is left to the caller.
pub(crate) fn add_extra(draft: &Digest, route: &Route, extra: &Extra) -> Digest {
    let mut digest = draft.clone();
    let known: HashSet<&String> = draft.changes.iter().chain(&draft.still_open).map(|entry| &entry.group_id).collect();
    let more = extra.open.iter().filter(|entry| !known.contains(&entry.group_id)).cloned();
    let list = if route.pager { &mut digest.changes } else { &mut digest.still_open };
    list.extend(more);
    *list = by_urgency(std::mem::take(list));
    let known: HashSet<&String> = draft.incidents.iter().map(|entry| &entry.incident_id).collect();
    let more = extra.incidents.iter().filter(|entry| !known.contains(&entry.incident_id)).cloned();
    digest.incidents.extend(more);
    let fresh = |fault: &&Fault| !draft.faults.iter().any(|listed| listed.fault == fault.fault);
    digest.faults.extend(extra.faults.iter().filter(fresh).cloned());
    digest.totals = count_changes(digest.totals, &digest.changes, &digest.faults);
    if extra.is_new {
        // For a new channel, known groups are news.
        digest.baseline |= !route.pager;
        let text = "This channel is new: this message is an inventory of open groups.";
        digest.remarks.push(Remark::this_channel(text));
    }
    digest
}

/// A digest without any news, for content that only some channels get.
pub(crate) fn empty_digest(draft: &Digest) -> Digest {
    Digest {
        scheduled: false,
        baseline: false,
        incidents: Vec::new(),
        changes: Vec::new(),
        still_open: Vec::new(),
        faults: Vec::new(),
        remarks: Vec::new(),
        included: Vec::new(),
        retries: None,
        ..draft.clone()
    }
}

/// What a new channel for readers must learn: everything that people know to be open.
fn inventory(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    cases: &[GroupCase],
) -> Result<Vec<GroupEntry>, LedgerError> {
    let open = cases.iter().filter(|case| crate::triage::group_cases::is_still_open(case));
    let entries = open.map(|case| group_entry::plain_case(tx, context.settings, case));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.into_iter().filter(|entry| route.only.admits(entry)).collect())
}

/// What a pager channel must open: groups that page, were reported before it came, and that were not acknowledged.
fn missing_alerts(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    route: &Route,
    known: &KnownChannel,
    cases: &[GroupCase],
) -> Result<Vec<GroupEntry>, LedgerError> {
    let mut entries = Vec::new();
    for case in
        cases.iter().filter(|case| case.page && case.ack.is_none() && crate::triage::group_cases::is_still_open(case))
    {
        let announced_before = case
            .announced
            .as_ref()
            .is_some_and(|announced| announced.reason != Reason::Resolved && announced.at < known.since);
        let subject = AlertSubject::Group { group_key: case.row.group_key, episode: case.episode.ordinal };
        if !announced_before || pager_alert::is_known(tx, &route.name, &subject)? {
            continue;
        }
        let entry = group_entry::plain_case(tx, context.settings, case)?;
        entries.extend(Some(entry).filter(|entry| route.only.admits(entry)));
    }
    Ok(entries)
}

/// Incidents that page, were reported before a pager channel came, and that were not acknowledged.
fn missing_incident_alerts(
    tx: &Transaction<'_>,
    route: &Route,
    known: &KnownChannel,
    incidents: &[IncidentCase],
) -> Result<Vec<IncidentEntry>, LedgerError> {
    let mut entries = Vec::new();
    let is_open = |case: &&IncidentCase| case.record.ended_at.is_none() && case.record.paged && !case.acked;
    for case in incidents.iter().filter(is_open) {
        let subject = AlertSubject::Incident(case.record.incident_id.clone());
        let is_announced_before = case.record.noticed_at < known.since;
        if is_announced_before && !pager_alert::is_known(tx, &route.name, &subject)? {
            entries.push(IncidentEntry { reason: IncidentReason::New, ..incident_entry(case) });
        }
    }
    entries.retain(|entry| route.only.admits_incident(entry));
    Ok(entries)
}

fn is_of(entry: &GroupEntry, case: &IncidentCase) -> bool {
    entry.incident_id.as_ref() == Some(&case.record.incident_id)
}

fn lasting(faults: &[KnownFault], channel: &str) -> Vec<Fault> {
    let own = format!("delivery:{channel}");
    let lasts = |known: &&KnownFault| known.announced && !known.fault.ended && known.fault.fault != own;
    faults.iter().filter(lasts).map(|known| known.fault.clone()).collect()
}

/// Adds a remark on added and removed channels to a digest for all channels.
pub(crate) fn remarks(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    known: &[KnownChannel],
) -> Result<Vec<Remark>, LedgerError> {
    let mut remarks = Vec::new();
    for known in known.iter().filter(|known| !known.said) {
        remarks.push(Remark::channels(match known.gone_at {
            None => format!("Channel {} was added {}.", known.name, local(known.since, &settings.zone)),
            Some(at) => format!(
                "Channel {} was removed from the configuration {}{}.",
                known.name,
                local(at, &settings.zone),
                open_alerts_text(tx, &known.name)?
            ),
        }));
    }
    Ok(remarks)
}

fn open_alerts_text(tx: &Transaction<'_>, name: &str) -> Result<String, LedgerError> {
    Ok(match pager_alert::count_open(tx, name)? {
        0 => String::new(),
        1 => "; llama-triage cannot resolve the alert it opened: resolve it there".to_owned(),
        n => format!("; llama-triage cannot resolve the {n} alerts it opened: resolve them at the provider"),
    })
}

/// Gives the open alerts of channels that are gone to those that can end them. After these have opened theirs.
pub(crate) fn give_alerts(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    known: &[KnownChannel],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let heirs: Vec<&Route> = settings.routes.iter().filter(|route| route.pager).collect();
    for gone in known.iter().filter(|known| known.gone_at.is_some() && known.pager && !heirs.is_empty()) {
        for heir in &heirs {
            pager_alert::transfer(tx, &gone.name, &heir.name)?;
        }
        pager_alert::forget_all(tx, &gone.name, now)?;
    }
    Ok(())
}
