//! Triage: moves episodes, decides what people do not know yet, and freezes a digest when one may be sent.
//!
//! All of it happens in one transaction: a crash before its end means that nothing happened, after it that the digest
//! will be delivered.

pub(crate) mod ack;
pub(crate) mod assemble;
pub(crate) mod cases;
pub(crate) mod channels;
pub(crate) mod decide;
pub(crate) mod digest;
pub(crate) mod episode;
pub(crate) mod escalation;
pub(crate) mod group_state;
pub(crate) mod handover;
pub(crate) mod incidents;
pub(crate) mod pace;
pub(crate) mod settings;
pub(crate) mod silence;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod tests;

use crate::ledger::Transaction;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::fault::{self, KnownFault};
use crate::ledger::{Ledger, identity, run};
use crate::model::schedule::Due;
use crate::model::text::{count, local};
use crate::triage::cases::{Case, Context, Inventory};
use crate::triage::channels::Extras;
use crate::triage::decide::Urgency;
use crate::triage::digest::build::{self, in_order};
use crate::triage::digest::model::{Digest, LeftOut, Reason, SCHEMA_VERSION, Silenced, Window};
use crate::triage::pace::{Gate, Wanted, gate};
use crate::triage::settings::Settings;
use crate::triage::store::channel::{self, Known};
use crate::triage::store::{digest as digest_store, episode as episode_store};

/// The name that daily digests are recorded under in the `run` table.
const RUN: &str = "digest";

/// After a longer gap between two scans a digest says that it covers one, and after a longer delay that it is late.
const DOWNTIME: SignedDuration = SignedDuration::from_hours(1);

/// What one triage is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Now.
    pub now: Timestamp,
    /// What deadlines are judged by: earlier than `now` while the clock is in doubt, so that nothing ends by a wrong one.
    pub certain: Timestamp,
    /// A person asks: schedule, waiting times and caps do not count.
    pub by_hand: bool,
    /// The budget line of reprocessing, if it has one.
    pub budget: Option<String>,
    /// Items that a plan would retry now.
    pub would_retry: u64,
}

impl Request {
    /// What a cycle asks for.
    pub fn at(now: Timestamp) -> Request {
        Request { now, certain: now, by_hand: false, budget: None, would_retry: 0 }
    }
}

/// Does one triage. Returns the digest that was frozen; none if there is nothing to report now.
///
/// # Errors
/// The ledger refuses; nothing has changed then.
#[tracing::instrument(name = "digest", skip_all)]
pub async fn triage(ledger: &Ledger, settings: &Settings, request: Request) -> anyhow::Result<Option<Digest>> {
    let settings = settings.clone();
    let (digest, changes) = ledger
        .write(move |tx| {
            let before = channel::all(tx)?;
            let digest = triage_in(tx, &settings, &request)?;
            Ok((digest, channels::changes(&before, &channel::all(tx)?)))
        })
        .await?;
    changes.iter().for_each(|change| tracing::info!("{change}"));
    Ok(digest)
}

/// As [`triage`], inside the caller's transaction: a dry run rolls it back.
///
/// # Errors
/// The ledger refuses.
pub fn triage_in(tx: &Transaction<'_>, settings: &Settings, request: &Request) -> Result<Option<Digest>, LedgerError> {
    let survivors = episode_store::absorb_merged(tx, request.now)?;
    let channels = channels::note(tx, settings, request.now)?;
    let due = due(tx, settings, request.certain)?;
    let scheduled = due.is_some() || request.by_hand;
    let quiet = settings.is_quiet(request.now);
    let scheduled = scheduled && (!quiet || request.by_hand);
    let context = Context::read(tx, settings, request, scheduled, survivors)?;
    let cases = cases::gather(tx, &context)?;
    let faults = fault::all(tx)?;
    let extras = Extras::read(tx, &context, &channels, (&cases, &faults), false)?;
    let urgency = most_urgent(&cases, &faults).max(extras.urgency());
    let wanted = Wanted { urgency, scheduled: due.is_some(), by_hand: request.by_hand };
    let recent = digest_store::unscheduled_since(tx, request.now - SignedDuration::from_hours(24))?;
    let gate = gate(wanted, quiet, &recent, settings.limits, request.now);
    let told = match gate {
        Gate::Shut if quiet => None,
        Gate::Shut => tell_some(tx, &context, &cases, &extras)?,
        Gate::PageOnly => {
            let extras = Extras::read(tx, &context, &channels, (&cases, &faults), true)?;
            tell(tx, &context, &cases, &faults, &Occasion { gate, due, channels: &channels, extras })?
        }
        Gate::Open => tell(tx, &context, &cases, &faults, &Occasion { gate, due, channels: &channels, extras })?,
    };
    channels::give_incidents(tx, settings, &channels, request.now)?;
    if gate == Gate::Open {
        finish(tx, &context, due, told.as_ref())?;
    }
    let settled = incidents::settle(tx, &context, &cases)?;
    Ok(told.or(settled))
}

/// Whether the daily digest is due. Before the first scan nothing is.
fn due(tx: &Transaction<'_>, settings: &Settings, now: Timestamp) -> Result<Option<Due>, LedgerError> {
    let Some(first_start) = digest_store::first_start(tx)? else {
        return Ok(None);
    };
    let last = run::last(tx, RUN)?.unwrap_or(first_start);
    Ok(settings.digest.due(now, &settings.zone, Some(last)))
}

fn most_urgent(cases: &[Case], faults: &[KnownFault]) -> Option<Urgency> {
    let news = cases.iter().filter_map(|case| case.news.as_ref()).map(|news| news.urgency);
    let urgent_fault = faults.iter().any(KnownFault::is_urgent).then_some(Urgency::Soon);
    news.chain(urgent_fault).max()
}

/// Notes that the daily digest was worked, and that an empty account needs no inventory.
fn finish(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    due: Option<Due>,
    told: Option<&Digest>,
) -> Result<(), LedgerError> {
    let now = context.moment.now;
    if let Some(due) = due {
        run::begin(tx, RUN, due.due_at, now)?;
        run::end(tx, RUN, due.due_at, told.map_or("nothing to send", |digest| digest.digest_id.as_str()))?;
    }
    Ok(())
}

/// Why there may be a digest, and what some channels get beyond what everybody gets.
struct Occasion<'o> {
    gate: Gate,
    due: Option<Due>,
    channels: &'o [Known],
    extras: Extras,
}

/// Makes and freezes a digest of what may be reported now; none if that is nothing.
fn tell(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    cases: &[Case],
    faults: &[KnownFault],
    occasion: &Occasion<'_>,
) -> Result<Option<Digest>, LedgerError> {
    let mut digest = draft(tx, context, cases)?;
    let (page_only, due) = (occasion.gate == Gate::PageOnly, occasion.due);
    let pages = |case: &Case| case.news.as_ref().is_some_and(|news| news.urgency == Urgency::Page);
    let (mut changes, mut still_open) = (Vec::new(), Vec::new());
    for case in cases.iter().filter(|case| !page_only || pages(case)) {
        match case.news.as_ref().map(|news| news.reason) {
            Some(Reason::Reminder) => still_open.push(assemble::entry(tx, context.settings, case)?),
            Some(_) => changes.push(assemble::entry(tx, context.settings, case)?),
            None if context.moment.scheduled && is_still_open(case) => {
                still_open.push(assemble::entry(tx, context.settings, case)?);
            }
            None => {}
        }
    }
    if !page_only {
        let news = |fault: &&KnownFault| context.moment.scheduled || fault.is_news();
        digest.faults = faults.iter().filter(news).map(|known| known.fault.clone()).collect();
    }
    digest.changes = in_order(changes);
    digest.still_open = in_order(still_open);
    digest.totals = build::count_changes(digest.totals, &digest.changes, &digest.faults);
    digest.baseline = digest.changes.iter().any(|entry| entry.reason == Reason::Baseline);
    digest.scheduled = context.moment.scheduled && due.is_some();
    remark(tx, context, &mut digest, due)?;
    let regular = !is_empty(&digest) || says_all_quiet(context, due);
    if regular && !page_only {
        digest.remarks.extend(channels::remarks(tx, context.settings, occasion.channels)?);
        channel::say_all(tx)?;
    }
    let extras = &occasion.extras;
    let until = if page_only || !regular { digest.window.from } else { digest.window.to };
    let frozen = match regular {
        true => Some(assemble::freeze(tx, context, digest, cases, extras)?),
        false if extras.is_empty() => None,
        false => assemble::freeze_extras(tx, context, &channels::bare(&digest), cases, extras)?,
    };
    if frozen.is_some() {
        digest_store::set_told_until(tx, until)?;
    }
    extras.settle(tx, frozen.as_ref(), !page_only)?;
    Ok(frozen)
}

/// What only some channels get. It is no news, so that the pause between two digests does not count.
fn tell_some(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    cases: &[Case],
    extras: &Extras,
) -> Result<Option<Digest>, LedgerError> {
    let mut frozen = None;
    if !extras.is_empty() {
        let bare = channels::bare(&draft(tx, context, cases)?);
        frozen = assemble::freeze_extras(tx, context, &bare, cases, extras)?;
        digest_store::set_told_until(tx, bare.window.from)?;
    }
    extras.settle(tx, frozen.as_ref(), true)?;
    Ok(frozen)
}

fn is_still_open(case: &Case) -> bool {
    case.episode.closed.is_none() && case.silenced_until.is_none() && case.told.is_some()
}

fn is_empty(digest: &Digest) -> bool {
    digest.changes.is_empty() && digest.still_open.is_empty() && digest.faults.is_empty()
}

/// A Monday's daily digest may say that there is nothing to say.
fn says_all_quiet(context: &Context<'_>, due: Option<Due>) -> bool {
    let today = context.settings.zone.to_datetime(context.moment.now).date();
    context.settings.all_quiet && due.is_some() && today.weekday() == jiff::civil::Weekday::Monday
}

/// A digest without entries: everything that is the same whatever is reported.
fn draft(tx: &Transaction<'_>, context: &Context<'_>, cases: &[Case]) -> Result<Digest, LedgerError> {
    let (settings, now) = (context.settings, context.moment.now);
    let from = match digest_store::told_until(tx)? {
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
        instance: settings.instance.clone(),
        created_at: now,
        zone: settings.zone_name.clone(),
        window,
        ledger_as_of: digest_store::ledger_as_of(tx)?,
        next_digest_at: settings.digest.next(now, &settings.zone),
        scheduled: false,
        baseline: false,
        totals: digest_store::totals(tx, window)?,
        changes: Vec::new(),
        still_open: Vec::new(),
        taken: Vec::new(),
        faults: Vec::new(),
        retries,
        silenced: silenced(context, cases),
        budget: context.request.budget.clone(),
        remarks: Vec::new(),
        left_out: LeftOut::default(),
    })
}

/// What silences keep out of this digest: news, and of the daily one also places in the table of open groups.
fn silenced(context: &Context<'_>, cases: &[Case]) -> Silenced {
    let unlisted = |case: &Case| context.moment.scheduled && case.silenced_until.is_some() && case.told.is_some();
    let held: Vec<&Case> = cases.iter().filter(|case| case.hushed || unlisted(case)).collect();
    Silenced {
        groups: u64::try_from(held.len()).unwrap_or(u64::MAX),
        items: held.iter().map(|case| case.row.open_items).sum(),
        next_expiry: cases.iter().filter_map(|case| case.silenced_until).min(),
    }
}

/// Says what a reader must know about the digest itself.
fn remark(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    digest: &mut Digest,
    due: Option<Due>,
) -> Result<(), LedgerError> {
    let zone = &context.settings.zone;
    let next_cycle = |at: Timestamp| context.settings.scan.next(at, zone).unwrap_or(at) - at;
    if let Some(due) = due.filter(|due| context.moment.now - due.due_at > DOWNTIME.max(next_cycle(due.due_at))) {
        digest.remarks.push(format!("This digest was due {} and is late.", local(due.due_at, zone)));
    }
    if digest.baseline {
        digest.remarks.push(cases::inventory_remark(context.inventory));
    }
    digest.remarks.extend(downtime(tx, context, digest.window)?);
    let (all, ids) = episode_store::came_and_went(tx, digest.window.from, 5)?;
    if all > 0 && context.inventory == Inventory::Told {
        let more = match all.saturating_sub(ids.len() as u64) {
            0 => String::new(),
            more => format!(" and {more} more (llama-triage report groups --state resolved --limit 0)"),
        };
        let (listed, groups) = (ids.join(", "), count(all, "group", "groups"));
        digest.remarks.push(format!("{groups} opened and resolved before this digest: {listed}{more}."));
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
            "No scans for {hours} h {minutes} min, from {from} to {to}, and data of that time is still missing: \
             the last scan of {} was incomplete.",
            unread.join(", ")
        ),
    }))
}
