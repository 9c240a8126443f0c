//! A case for each group that may be news: its episode moved on, its numbers read, its news decided.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::classify::store_reclassify;
use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::model::group_state::GroupState;
use crate::model::text::count;
use crate::scan::store::project;
use crate::triage::ack::Ack;
use crate::triage::decide::{Announced, GroupNow, Moment, Notification, Suppression, Urgency, decide};
use crate::triage::digest::model::Reason;
use crate::triage::episode::{self, Episode};
use crate::triage::escalation::{BatchShare, Reached, is_above, is_due, reached};
use crate::triage::group_state::{self, group_state};
use crate::triage::page::policy::PagedGroup;
use crate::triage::settings::{TriageRequest, TriageSettings};
use crate::triage::store::group_row::{self, GroupRecord};
use crate::triage::store::silence::{self, ActiveSilences};
use crate::triage::store::{ack, announcement, digest, incident};

pub(crate) fn is_still_open(case: &GroupCase) -> bool {
    case.episode.closed.is_none() && case.silenced_until.is_none() && case.announced.is_some()
}

/// One group, looked at.
pub(crate) struct GroupCase {
    pub(crate) row: GroupRecord,
    pub(crate) episode: Episode,
    pub(crate) announced: Option<Announced>,
    pub(crate) state: GroupState,
    pub(crate) reached: Vec<Reached>,
    pub(crate) ack: Option<Ack>,
    /// It may page.
    pub(crate) page: bool,
    /// All of it failed before llama-triage was started, as far as people know or are to know.
    pub(crate) baseline: bool,
    pub(crate) silenced_until: Option<Timestamp>,
    pub(crate) notification: Option<Notification>,
    /// What would be reported if no silence covered it.
    pub(crate) hushed: bool,
}

/// One group, looked at, before its news is decided.
pub(crate) struct Examined {
    /// Without its news, and with the state as if there were none.
    pub(crate) case: GroupCase,
    pub(crate) group_now: GroupNow,
    suppression: Suppression,
    announced_state: Option<group_state::LastAnnouncement>,
    /// It was reported in this episode and escalates now; then its usual failures an hour.
    pub(crate) escalates_beyond: Option<u64>,
}

/// The part of a group in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IncidentRole {
    /// The incident is reported as a page now, with the groups that it has by now.
    pub(crate) pages_now: bool,
}

/// What is the same for all groups of one triage.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a TriageSettings,
    pub(crate) request: &'a TriageRequest,
    pub(crate) moment: Moment<'a>,
    pub(crate) inventory: Inventory,
    /// A project added later is being scanned for the first time: its groups are reported together, not in parts.
    project_awaited: bool,
    /// Groups that others were just merged into.
    survivors: HashSet<i64>,
    /// Groups that new rules let page.
    turned: BTreeSet<String>,
    /// By group: the batch of which the largest share failed in it lately.
    shares: HashMap<i64, BatchShare>,
    hush: ActiveSilences,
    ended: Vec<silence::Silence>,
}

/// The state of the ledger's first inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inventory {
    /// The first complete scan is awaited; nothing is reported before it.
    Awaited,
    /// What was first seen up to this time is inventory, not news.
    Until(Timestamp),
    /// The report of it, if there was one.
    Told,
}

/// How long the report waits for the first complete scan.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

impl<'a> Context<'a> {
    pub(crate) fn read(
        tx: &Transaction<'_>,
        settings: &'a TriageSettings,
        request: &'a TriageRequest,
        scheduled: bool,
        survivors: HashSet<i64>,
    ) -> Result<Context<'a>, LedgerError> {
        let now = request.now;
        Ok(Context {
            settings,
            request,
            moment: Moment { now, scheduled, reminder: settings.reminder, zone: &settings.zone },
            inventory: inventory(tx, request)?,
            project_awaited: !request.by_hand && project::is_awaited(tx, now - PATIENCE)?,
            survivors,
            turned: store_reclassify::newly_paging_groups(tx)?,
            shares: group_row::largest_shares(tx, now)?,
            hush: ActiveSilences::new(silence::in_force(tx, request.certain)?),
            // A silence lasts 30 days at most, and its end is reported within another 30 or never.
            ended: silence::ended_since(tx, request.certain - SignedDuration::from_hours(60 * 24), request.certain)?,
        })
    }
}

/// What a reader must know of a digest with old failures.
pub(crate) fn inventory_remark(inventory: Inventory) -> String {
    match inventory {
        Inventory::Told => "Groups with the reason \"baseline\" failed before their project was first scanned here; they page only after a new failure.",
        _ => "This is the first inventory: failures from before llama-triage was started. Later digests report changes only.",
    }
    .to_owned()
}

fn inventory(tx: &Transaction<'_>, request: &TriageRequest) -> Result<Inventory, LedgerError> {
    if crate::ledger::meta::meta(tx, "baseline_digest")?.is_some() {
        return Ok(Inventory::Told);
    }
    let Some(first_start) = digest::first_start(tx)? else {
        return Ok(Inventory::Awaited);
    };
    Ok(match digest::inventory_until(tx)? {
        Some(until) => Inventory::Until(until),
        None if request.by_hand || request.certain - first_start > PATIENCE => Inventory::Until(first_start),
        None => Inventory::Awaited,
    })
}

/// Moves the episodes of all watched groups and reads what the news of each depends on.
pub(crate) fn examine_all(tx: &Transaction<'_>, context: &Context<'_>) -> Result<Vec<Examined>, LedgerError> {
    let mut all = Vec::new();
    for row in group_row::watched(tx)? {
        all.extend(examine(tx, context, row)?);
    }
    Ok(all)
}

/// Decides the news of each group, given its part in an incident.
pub(crate) fn decide_all(
    context: &Context<'_>,
    examined: Vec<Examined>,
    roles: &HashMap<i64, IncidentRole>,
) -> Vec<GroupCase> {
    examined
        .into_iter()
        .map(|one| {
            let role = roles.get(&one.case.row.group_key).copied();
            decide_one(context, one, role)
        })
        .collect()
}

fn decide_one(context: &Context<'_>, one: Examined, role: Option<IncidentRole>) -> GroupCase {
    let Examined { mut case, mut group_now, suppression, announced_state, .. } = one;
    let with_incident = role.is_some_and(|role| role.pages_now);
    group_now.ready |= with_incident;
    let decided = |suppression: &Suppression| notification(context, case.announced.as_ref(), &group_now, suppression);
    let mut news = decided(&suppression);
    let hushed = suppression.silenced && decided(&Suppression { silenced: false, ..suppression.clone() }).is_some();
    if let Some(news) = news.as_mut().filter(|news| with_incident && news.urgency == Urgency::Soon) {
        news.urgency = Urgency::Page;
    }
    case.state = state(context.moment.now, &case.row, &case.episode, announced_state, news.as_ref());
    case.hushed = hushed;
    case.notification = news;
    case
}

fn examine(tx: &Transaction<'_>, context: &Context<'_>, row: GroupRecord) -> Result<Option<Examined>, LedgerError> {
    let episodes = update_episodes(tx, context, &row)?;
    let Some(episode) = episodes.last().cloned() else {
        return Ok(None);
    };
    let (announced, announced_state) = announcement::last(tx, row.group_key)?.unzip();
    let (reached, fired, usual) = escalation(tx, context, &row, &episode, announced.as_ref())?;
    let is_known = announced.as_ref().is_some_and(|announced| announced.episode == episode.ordinal);
    let escalates_beyond = fired.is_some().then_some(usual).filter(|_| is_known);
    let silenced_until =
        if episode.closed.is_none() { context.hush.covers(tx, row.group_key, &row.group_id)? } else { None };
    let ack = ack::in_force(tx, &row, episode.ordinal, context.request.certain)?;
    let pages = pages(tx, context, &row, fired.is_some() && is_known)?;
    let in_first = matches!(context.inventory, Inventory::Until(until) if row.first_seen <= until);
    let baseline = is_baseline(tx, &row, announced.as_ref(), in_first, pages)?;
    let page = pages && !baseline;
    let turned = announced.is_some() && page && context.turned.contains(&row.group_id);
    let fired = fired.or_else(|| turned.then(|| format!("new rules classify it as {}, which pages", row.class)));
    let fired = match fired {
        None => whole_batches(tx, &row, announced.as_ref())?,
        fired => fired,
    };
    let suppression = Suppression {
        silenced: silenced_until.is_some(),
        silence_ended: silence_ended(tx, context, &row, announced.as_ref())?,
        ack: ack.clone(),
    };
    let group_now = GroupNow {
        episode: episode.ordinal,
        closed: episode.closed.clone(),
        earlier: episodes.iter().rev().nth(1).and_then(|earlier| earlier.closed.clone()),
        open_items: row.open_items,
        total_items: row.total_items,
        ready: is_ready(tx, context, &row, &episode)?,
        pairs: episode::count_reopenings(&episodes, context.moment.now),
        fired,
        page,
        inventory: announced.is_none() && baseline,
        first_failure: announced.as_ref().is_some_and(|announced| announced.baseline) && !baseline,
    };
    let state = state(context.moment.now, &row, &episode, announced_state, None);
    let case = GroupCase {
        row,
        episode,
        announced,
        state,
        reached,
        ack,
        page,
        baseline,
        silenced_until,
        notification: None,
        hushed: false,
    };
    Ok(Some(Examined { case, group_now, suppression, announced_state, escalates_beyond }))
}

/// Whether a group pages by the policy, where it was seen and at this hour.
fn pages(tx: &Transaction<'_>, context: &Context<'_>, row: &GroupRecord, escalates: bool) -> Result<bool, LedgerError> {
    let policy = &context.settings.page;
    let group = PagedGroup { class: &row.class, rule: row.rule.as_deref(), escalates };
    if policy.group(&group).is_none() {
        return Ok(false);
    }
    // Projects are read only where they matter: few groups page.
    let projects = incident::projects(tx, row.group_key)?;
    Ok(policy.applies(&projects, context.moment.now, &context.settings.zone))
}

/// Batches that failed as a whole since a digest reported the group: each is news, whatever was reported before.
fn whole_batches(
    tx: &Transaction<'_>,
    row: &GroupRecord,
    announced: Option<&Announced>,
) -> Result<Option<String>, LedgerError> {
    let Some(announced) = announced else { return Ok(None) };
    let (batches, items) = group_row::whole_batches_since(tx, row.group_key, announced.at)?;
    let failed = count(batches, "batch failed as a whole", "batches failed as a whole");
    Ok((batches > 0).then(|| format!("{failed} since the last digest, with {}", count(items, "item", "items"))))
}

fn notification(
    context: &Context<'_>,
    announced: Option<&Announced>,
    group_now: &GroupNow,
    suppression: &Suppression,
) -> Option<Notification> {
    if context.inventory == Inventory::Awaited || (group_now.inventory && context.project_awaited) {
        return None;
    }
    decide(announced, group_now, suppression, context.moment)
}

/// Whether a group holds nothing but what failed before its project was first scanned, as far as people know:
/// it is inventory, and does not page, until something of it fails anew.
///
/// Asked only where the answer matters: of groups that were never reported, or whose class pages.
fn is_baseline(
    tx: &Transaction<'_>,
    row: &GroupRecord,
    announced: Option<&Announced>,
    in_first: bool,
    pages: bool,
) -> Result<bool, LedgerError> {
    match announced {
        None if in_first => Ok(true),
        Some(announced) if announced.baseline && row.failures <= announced.failures => Ok(true),
        Some(announced) if !announced.baseline && !pages => Ok(false),
        _ => Ok(!group_row::failed_since_start(tx, row.group_key)?),
    }
}

/// The group's episodes after this look, oldest first.
fn update_episodes(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    row: &GroupRecord,
) -> Result<Vec<Episode>, LedgerError> {
    let ledger_episode = crate::triage::store::episode::newest;
    let episodes = ledger_episode(tx, row.group_key)?;
    let facts = crate::triage::store::episode::item_facts(tx, row, episodes.last())?;
    let now = context.moment.now;
    match episode::next_transition(episodes.last(), &facts, context.request.certain, context.settings.quiet_after) {
        None => Ok(episodes),
        Some(step) => {
            crate::triage::store::episode::apply(tx, row.group_key, &step, now)?;
            ledger_episode(tx, row.group_key)
        }
    }
}

/// The escalation rules that are reached, the arithmetic of those that are news, and the usual failures an hour.
fn escalation(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    row: &GroupRecord,
    episode: &Episode,
    announced: Option<&Announced>,
) -> Result<(Vec<Reached>, Option<String>, u64), LedgerError> {
    if episode.closed.is_some() {
        return Ok((Vec::new(), None, 0));
    }
    let now = context.moment.now;
    let mut measures = group_row::measures(tx, row, context.shares.get(&row.group_key).cloned(), now)?;
    // This episode was not reported: its first items are news already, and no crossing.
    let this_episode = announced.filter(|announced| announced.episode == episode.ordinal);
    measures.open_announced = this_episode.map_or(row.open_items, |announced| announced.open_items);
    let reached = reached(&measures);
    if announced.is_some() && context.survivors.contains(&row.group_key) {
        // The sum of two reported groups is no growth, however large.
        announcement::record_escalations(tx, row.group_key, &reached, now)?;
    }
    let memory = announcement::escalations(tx, row.group_key)?;
    let notification = reached.iter().filter(|r| is_due(r, memory.iter().find(|m| m.rule == r.rule), now));
    let whys: Vec<&str> = notification.map(|r| r.why.as_str()).collect();
    let mut fired = (!whys.is_empty()).then(|| whys.join("; "));
    if let (Some(announced), Some(_)) = (announced, &fired)
        && row.failures > announced.failures
        && group_row::only_baseline_since(tx, row.group_key, announced.at)?
    {
        // What a project brings along that is watched since, or a longer look-back, is no growth.
        announcement::record_escalations(tx, row.group_key, &reached, now)?;
        fired = None;
    }
    let above = memory.iter().filter(|memory| is_above(memory, &measures)).map(|memory| memory.rule);
    announcement::mark_still_above(tx, row.group_key, above, now)?;
    Ok((reached, fired, measures.peak_hour))
}

fn silence_ended(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    row: &GroupRecord,
    announced: Option<&Announced>,
) -> Result<Option<Timestamp>, LedgerError> {
    let Some(announced) = announced else {
        return Ok(None);
    };
    let since_told: Vec<_> = context.ended.iter().filter(|silence| silence.until() > announced.at).cloned().collect();
    ActiveSilences::new(since_told).covers(tx, row.group_key, &row.group_id)
}

/// Whether a new episode may be reported: all its batches ended, or it is old enough, or a user asks.
fn is_ready(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    row: &GroupRecord,
    episode: &Episode,
) -> Result<bool, LedgerError> {
    let since = episode.opened_at.min(episode.noticed_at);
    let waited = context.moment.now - since >= context.settings.group_wait;
    Ok(waited || context.request.by_hand || group_row::batches_ended(tx, row.group_key)?)
}

/// The state that people read: as the shared rule says, with what is news now taken in.
fn state(
    now: Timestamp,
    row: &GroupRecord,
    episode: &Episode,
    announced: Option<group_state::LastAnnouncement>,
    notification: Option<&Notification>,
) -> GroupState {
    match notification.map(|notification| notification.reason) {
        Some(Reason::Escalated) => return GroupState::Escalating,
        Some(Reason::New | Reason::Baseline) => return GroupState::New,
        Some(Reason::Regressed | Reason::Flapping) => return GroupState::Regressed,
        Some(Reason::Resolved) => return GroupState::Resolved,
        // A day after the word, a group that recurred or grew is simply still there.
        Some(Reason::Reminder) => return GroupState::Ongoing,
        _ => {}
    }
    group_state(&group_state::GroupFigures {
        now,
        open_items: row.open_items,
        last_seen: row.last_seen,
        episode: Some(group_state::LatestEpisode {
            ordinal: episode.ordinal,
            closed_at: episode.closed.as_ref().map(|closed| closed.at),
        }),
        announced,
    })
}
