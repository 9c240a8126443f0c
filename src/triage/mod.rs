//! Triage: updates episodes, decides what to report, and freezes a digest when one may be sent.
//!
//! All of it happens in one transaction: a crash before its end means that nothing happened, after it that the digest
//! will be delivered.

pub(crate) mod ack;
pub(crate) mod assemble;
pub(crate) mod channels;
pub(crate) mod decide;
pub(crate) mod digest;
pub(crate) mod digest_rate;
pub(crate) mod episode;
pub(crate) mod escalation;
pub(crate) mod explain;
pub(crate) mod group_cases;
pub(crate) mod group_entry;
pub(crate) mod group_state;
pub(crate) mod handover;
pub(crate) mod incident;
pub(crate) mod page;
pub(crate) mod settings;
pub(crate) mod silence;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod tests;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::fault::{self, KnownFault};
use crate::ledger::{Ledger, Transaction, identity, run};
use crate::llamacloud::status_page::store_status;
use crate::model::schedule::DueRun;
use crate::model::text::{count, local};
use crate::model::vendor::VendorIncident;
use crate::triage::channels::Extras;
use crate::triage::decide::Urgency;
use crate::triage::digest::build::{self, by_urgency};
use crate::triage::digest::model::{Digest, LeftOut, Reason, SCHEMA_VERSION, Silenced, Window};
use crate::triage::digest::remark::Remark;
use crate::triage::digest_rate::{DigestGate, DigestTriggers, gate};
use crate::triage::group_cases::{Context, GroupCase, Inventory, is_still_open};
use crate::triage::incident::entry::entries as incident_entries;
use crate::triage::incident::track::{self, IncidentCase};
use crate::triage::settings::{TriageRequest, TriageSettings};
use crate::triage::store::channel::{self, KnownChannel};
use crate::triage::store::{digest as digest_store, episode as episode_store, misdated};

/// The name that daily digests are recorded under in the `run` table.
const RUN: &str = "digest";

/// After a longer gap between two scans a digest says that it covers one, and after a longer delay that it is late.
const DOWNTIME: SignedDuration = SignedDuration::from_hours(1);

/// The remark of a digest decided while no server confirmed the time.
const CLOCK_IN_DOUBT: &str = "The clock of this host jumped, and no server confirms its time: the dates in this \
     digest may be wrong.";

/// Runs one triage. Returns the frozen digest; none if there is nothing to report now, or no channel: news
/// is kept until there is a channel.
///
/// # Errors
/// The ledger refuses; nothing has changed then.
#[tracing::instrument(name = "digest", skip_all)]
pub async fn triage(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Option<Digest>> {
    let settings = settings.clone();
    let (digest, changes) = ledger
        .write(move |tx| {
            let before = channel::all(tx)?;
            let digest = match settings.routes.is_empty() {
                true => observe(tx, &settings, &request).map(|()| None)?,
                false => triage_in(tx, &settings, &request)?,
            };
            Ok((digest, channels::changes(&before, &channel::all(tx)?)))
        })
        .await?;
    changes.iter().for_each(|change| tracing::info!("{change}"));
    Ok(digest)
}

/// As [`triage`], inside the caller's transaction: a dry run rolls it back.
pub fn triage_in(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    request: &TriageRequest,
) -> Result<Option<Digest>, LedgerError> {
    let survivors = episode_store::absorb_merged(tx, request.now)?;
    let channels = channels::note(tx, settings, request.now)?;
    let due = due(tx, settings, request.certain)?;
    let scheduled = due.is_some() || request.by_hand;
    let quiet = settings.is_quiet(request.now);
    let scheduled = scheduled && (!quiet || request.by_hand);
    let context = Context::read(tx, settings, request, scheduled, survivors)?;
    let (cases, incidents) = look(tx, &context)?;
    let faults = fault::all(tx)?;
    let extras = Extras::read(tx, &context, &channels, (&cases, &incidents, &faults), false)?;
    let urgency = most_urgent(&cases, &incidents, &faults).max(extras.urgency());
    let wanted = DigestTriggers { urgency, scheduled: due.is_some(), by_hand: request.by_hand };
    let recent = digest_store::unscheduled_since(tx, request.now - SignedDuration::from_hours(24))?;
    let gate = gate(wanted, quiet, &recent, settings.limits, request.now);
    let told = match gate {
        DigestGate::Shut if quiet => None,
        DigestGate::Shut => send_partial_digest(tx, &context, &cases, &extras)?,
        DigestGate::PageOnly => {
            let extras = Extras::read(tx, &context, &channels, (&cases, &incidents, &faults), true)?;
            let occasion = Occasion { gate, due, channels: &channels, incidents: &incidents, extras };
            send_digest(tx, &context, &cases, &faults, &occasion)?
        }
        DigestGate::Open => {
            let occasion = Occasion { gate, due, channels: &channels, incidents: &incidents, extras };
            send_digest(tx, &context, &cases, &faults, &occasion)?
        }
    };
    channels::give_alerts(tx, settings, &channels, request.now)?;
    if gate == DigestGate::Open {
        finish(tx, &context, due, told.as_ref())?;
    }
    let settled = page::alerts::store_pending_digest(tx, &context, &cases, &incidents)?;
    Ok(told.or(settled))
}

/// Updates episodes without reporting.
fn observe(tx: &Transaction<'_>, settings: &TriageSettings, request: &TriageRequest) -> Result<(), LedgerError> {
    let survivors = episode_store::absorb_merged(tx, request.now)?;
    channels::note(tx, settings, request.now)?;
    let context = Context::read(tx, settings, request, false, survivors)?;
    look(tx, &context)?;
    Ok(())
}

/// Moves episodes and incidents, and decides the news of each group and each incident.
fn look(tx: &Transaction<'_>, context: &Context<'_>) -> Result<(Vec<GroupCase>, Vec<IncidentCase>), LedgerError> {
    let examined = group_cases::examine_all(tx, context)?;
    let incidents = track::track(tx, context, &examined)?;
    let cases = group_cases::decide_all(context, examined, &track::roles(&incidents));
    Ok((cases, incidents))
}

/// The times at which pending news may be sent, earliest first, each with the reason.
///
/// Whether it is then sent is for [`triage_in`] to say, which knows what else it waits for.
///
/// # Errors
/// The ledger refuses.
pub(crate) fn send_times(
    tx: &Transaction<'_>,
    settings: &TriageSettings,
    now: Timestamp,
) -> Result<Vec<(Timestamp, String)>, LedgerError> {
    let recent = digest_store::unscheduled_since(tx, now - SignedDuration::from_hours(24))?;
    let mut times = digest_rate::ends_of_caps(&recent, settings.limits, now);
    times.push((now + settings.group_wait, "when its batches have ended, or digest.group-wait is over".to_owned()));
    let quiet = settings.quiet.filter(|quiet| quiet.contain(now, &settings.zone));
    times.extend(quiet.and_then(|quiet| Some((quiet.end(now, &settings.zone)?, "after the quiet hours".to_owned()))));
    let scheduled = settings.digest.next(now, &settings.zone);
    times.extend(scheduled.map(|at| (at, "with the scheduled digest".to_owned())));
    times.sort();
    Ok(times)
}

/// Whether the daily digest is due. Before the first scan nothing is.
fn due(tx: &Transaction<'_>, settings: &TriageSettings, now: Timestamp) -> Result<Option<DueRun>, LedgerError> {
    let Some(first_start) = digest_store::first_start(tx)? else {
        return Ok(None);
    };
    let last = run::last(tx, RUN)?.unwrap_or(first_start);
    Ok(settings.digest.due(now, &settings.zone, Some(last)))
}

fn most_urgent(cases: &[GroupCase], incidents: &[IncidentCase], faults: &[KnownFault]) -> Option<Urgency> {
    let news = cases.iter().filter_map(|case| case.notification.as_ref()).map(|news| news.urgency);
    let of_incidents = incidents.iter().filter_map(|case| case.notification).map(|(_, urgency)| urgency);
    let urgent_fault = faults.iter().any(KnownFault::is_urgent).then_some(Urgency::Soon);
    news.chain(of_incidents).chain(urgent_fault).max()
}

/// Notes that the daily digest was worked, and that an empty account needs no inventory.
fn finish(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    due: Option<DueRun>,
    told: Option<&Digest>,
) -> Result<(), LedgerError> {
    let now = context.moment.now;
    if let Some(due) = due {
        run::begin(tx, RUN, due.due_at, now)?;
        run::end(tx, RUN, due.due_at, told.map_or("nothing to send", |digest| digest.digest_id.as_str()))?;
    }
    Ok(())
}

/// The reasons for a digest, and the content that only some channels get.
struct Occasion<'o> {
    gate: DigestGate,
    due: Option<DueRun>,
    channels: &'o [KnownChannel],
    incidents: &'o [IncidentCase],
    extras: Extras,
}

/// Makes and freezes a digest of what may be reported now; none if that is nothing.
fn send_digest(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    cases: &[GroupCase],
    faults: &[KnownFault],
    occasion: &Occasion<'_>,
) -> Result<Option<Digest>, LedgerError> {
    let mut digest = draft(tx, context, cases)?;
    let (page_only, due) = (occasion.gate == DigestGate::PageOnly, occasion.due);
    let pages = |case: &GroupCase| case.notification.as_ref().is_some_and(|news| news.urgency == Urgency::Page);
    let (mut changes, mut still_open) = (Vec::new(), Vec::new());
    for case in cases.iter().filter(|case| !page_only || pages(case)) {
        match case.notification.as_ref().map(|news| news.reason) {
            Some(Reason::Reminder) => still_open.push(group_entry::entry(tx, context.settings, case)?),
            Some(_) => changes.push(group_entry::entry(tx, context.settings, case)?),
            None if context.moment.scheduled && is_still_open(case) => {
                still_open.push(group_entry::entry(tx, context.settings, case)?);
            }
            None => {}
        }
    }
    if !page_only {
        // Like the table of open groups: once a day, not in every requested digest.
        let news = |fault: &&KnownFault| due.is_some() || fault.is_unannounced();
        digest.faults = faults.iter().filter(news).map(|known| known.fault.clone()).collect();
    }
    digest.changes = by_urgency(changes);
    digest.incidents = incident_entries(tx, occasion.incidents, &digest.changes, page_only)?;
    digest.still_open = by_urgency(still_open);
    digest.totals = build::count_changes(digest.totals, &digest.changes, &digest.faults);
    digest.baseline = digest.changes.iter().any(|entry| entry.reason == Reason::Baseline);
    digest.scheduled = context.moment.scheduled && due.is_some();
    remark(tx, context, &mut digest, due)?;
    let regular = !is_empty(&digest) || reports_all_clear(context, due);
    if regular && !page_only {
        digest.remarks.extend(channels::remarks(tx, context.settings, occasion.channels)?);
        channel::mark_changes_announced(tx)?;
        digest.remarks.extend(misdated::remark(tx)?.map(Remark::digest));
        misdated::forget(tx)?;
    }
    let extras = &occasion.extras;
    let until = if page_only || !regular { digest.window.from } else { digest.window.to };
    let frozen = match regular {
        true => Some(assemble::store_digest(tx, context, digest, cases, extras)?),
        false if extras.is_empty() => None,
        false => assemble::store_extras(tx, context, &channels::empty_digest(&digest), cases, extras)?,
    };
    if frozen.is_some() {
        digest_store::set_announced_until(tx, until)?;
    }
    extras.settle(tx, frozen.as_ref(), !page_only)?;
    Ok(frozen)
}

/// What only some channels get. It is no news, so that the pause between two digests does not count.
fn send_partial_digest(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    cases: &[GroupCase],
    extras: &Extras,
) -> Result<Option<Digest>, LedgerError> {
    let mut frozen = None;
    if !extras.is_empty() {
        let bare = channels::empty_digest(&draft(tx, context, cases)?);
        frozen = assemble::store_extras(tx, context, &bare, cases, extras)?;
        digest_store::set_announced_until(tx, bare.window.from)?;
    }
    extras.settle(tx, frozen.as_ref(), true)?;
    Ok(frozen)
}

fn is_empty(digest: &Digest) -> bool {
    digest.incidents.is_empty() && digest.changes.is_empty() && digest.still_open.is_empty() && digest.faults.is_empty()
}

/// Whether Monday's daily digest is sent as "all quiet".
fn reports_all_clear(context: &Context<'_>, due: Option<DueRun>) -> bool {
    let today = context.settings.zone.to_datetime(context.moment.now).date();
    context.settings.all_quiet && due.is_some() && today.weekday() == jiff::civil::Weekday::Monday
}

/// A digest without entries: everything that is the same whatever is reported.
fn draft(tx: &Transaction<'_>, context: &Context<'_>, cases: &[GroupCase]) -> Result<Digest, LedgerError> {
    let (settings, now) = (context.settings, context.moment.now);
    let from = match digest_store::announced_until(tx)? {
        Some(told) => told,
        None => digest_store::first_start(tx)?.unwrap_or(now),
    };
    let window = Window { from, to: now };
    let prefix = build::id_prefix(now, &settings.zone);
    let mut retries = digest_store::retries(tx, window)?;
    if context.request.would_retry > 0 {
        retries.get_or_insert_default().would_retry = context.request.would_retry;
    }
    Ok(Digest {
        schema_version: SCHEMA_VERSION,
        digest_id: build::digest_id(now, &settings.zone, digest_store::next_number(tx, &prefix)?),
        ledger_id: identity::id(tx)?,
        nonce: identity::nonce(tx)?,
        public_url: settings.public_url.clone(),
        instance: settings.instance.clone(),
        created_at: now,
        zone: settings.zone_name.clone(),
        window,
        ledger_as_of: digest_store::ledger_as_of(tx)?,
        next_digest_at: settings.digest.next(now, &settings.zone),
        scheduled: false,
        baseline: false,
        totals: digest_store::totals(tx, window)?,
        incidents: Vec::new(),
        changes: Vec::new(),
        still_open: Vec::new(),
        taken: Vec::new(),
        faults: Vec::new(),
        retries,
        silenced: silenced(context, cases),
        budget: context.request.budget.clone(),
        remarks: Vec::new(),
        included: Vec::new(),
        left_out: LeftOut::default(),
    })
}

/// What silences keep out of this digest: news, and of the daily one also places in the table of open groups.
fn silenced(context: &Context<'_>, cases: &[GroupCase]) -> Silenced {
    let unlisted =
        |case: &GroupCase| context.moment.scheduled && case.silenced_until.is_some() && case.announced.is_some();
    let held: Vec<&GroupCase> = cases.iter().filter(|case| case.hushed || unlisted(case)).collect();
    Silenced {
        groups: u64::try_from(held.len()).unwrap_or(u64::MAX),
        items: held.iter().map(|case| case.row.open_items).sum(),
        next_expiry: cases.iter().filter_map(|case| case.silenced_until).min(),
    }
}

/// What the vendor's status page reports as open.
fn vendor_remarks(tx: &Transaction<'_>, context: &Context<'_>) -> Result<Vec<Remark>, LedgerError> {
    let status = store_status::known(tx)?;
    let incidents = status.map_or_else(Vec::new, |status| status.recent(context.moment.now));
    let zone = &context.settings.zone;
    let says = |incident: &VendorIncident| {
        let VendorIncident { title, status, since, .. } = incident;
        Remark::digest(format!("LlamaCloud reports: {title} ({status}) since {}.", local(*since, zone)))
    };
    Ok(incidents.iter().filter(|incident| incident.is_open()).map(says).collect())
}

/// Says what a reader must know about the digest itself.
fn remark(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    digest: &mut Digest,
    due: Option<DueRun>,
) -> Result<(), LedgerError> {
    let zone = &context.settings.zone;
    let next_cycle = |at: Timestamp| context.settings.scan.next(at, zone).unwrap_or(at) - at;
    if let Some(due) = due.filter(|due| context.moment.now - due.due_at > DOWNTIME.max(next_cycle(due.due_at))) {
        let due_at = local(due.due_at, zone);
        digest.remarks.push(Remark::digest(format!("This digest was due {due_at} and is late.")));
    }
    if context.request.certain < context.moment.now {
        digest.remarks.push(Remark::digest(CLOCK_IN_DOUBT));
    }
    if digest.baseline {
        digest.remarks.push(Remark::digest(group_cases::inventory_remark(context.inventory)));
    }
    digest.remarks.extend(vendor_remarks(tx, context)?);
    digest.remarks.extend(downtime(tx, context, digest.window)?.map(Remark::digest));
    let (all, ids) = episode_store::unannounced_episodes(tx, digest.window.from, 5)?;
    if all > 0 && context.inventory == Inventory::Told {
        let more = match all.saturating_sub(ids.len() as u64) {
            0 => String::new(),
            more => format!(" and {more} more (llama-triage report groups --state resolved --limit 0)"),
        };
        let (listed, groups) = (ids.join(", "), count(all, "group", "groups"));
        let text = format!("{groups} opened and resolved before this digest: {listed}{more}.");
        digest.remarks.push(Remark::digest(text));
    }
    Ok(())
}

/// The longest gap between scans in the window, if it was no ordinary pause.
fn downtime(tx: &Transaction<'_>, context: &Context<'_>, window: Window) -> Result<Option<String>, LedgerError> {
    let starts = digest_store::scan_starts(tx, window.from)?;
    let pace = |at: Timestamp| {
        let next = context.settings.scan.next(at, &context.settings.zone).unwrap_or(at);
        next - at
    };
    let gaps = starts.windows(2).map(|pair| (pair[1] - pair[0], pair[0], pair[1]));
    let longest = gaps.filter(|(gap, from, _)| *gap > DOWNTIME.max(pace(*from) * 2)).max();
    let Some((gap, from, to)) = longest else { return Ok(None) };
    let hours = gap.as_hours();
    let minutes = gap.as_mins() % 60;
    let (from, to) = (local(from, &context.settings.zone), local(to, &context.settings.zone));
    let unread = digest_store::projects_not_read(tx)?;
    Ok(Some(match unread.is_empty() {
        true => format!("No scans for {hours} h {minutes} min, from {from} to {to}."),
        false => format!(
            "No scans for {hours} h {minutes} min, from {from} to {to}; data of that time is still missing: \
             the last scan of {} was incomplete.",
            unread.join(", ")
        ),
    }))
}
