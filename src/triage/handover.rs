//! Undelivered news of removed channels, and which channels get it: those of the same kind that do not have it yet.

use std::collections::{BTreeMap, HashSet};

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::model::group_state::GroupState;
use crate::triage::digest::build::count_changes;
use crate::triage::digest::merge::{merge, merge_alerts};
use crate::triage::digest::model::{Digest, GroupEntry};
use crate::triage::digest::remark::{About, Remark};
use crate::triage::group_cases::Context;
use crate::triage::settings::{Route, TriageSettings};
use crate::triage::store::channel::KnownChannel;
use crate::triage::store::handover::{self, SentContent, UndeliveredDelivery};

/// Undelivered news of removed channels, by receiving channel.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    to: BTreeMap<String, (Digest, bool)>,
    /// Deliveries that end, with the channel that got them; none where all have what they say.
    ended: Vec<(String, Option<String>)>,
}

impl Handed {
    /// What a channel gets, and whether some of it passes quiet hours.
    pub(crate) fn of(&self, channel: &str) -> (Option<Digest>, bool) {
        let found = self.to.get(channel);
        (found.map(|(digest, _)| digest.clone()), found.is_some_and(|(_, page)| *page))
    }

    /// Ends the deliveries that need no sending, and those that `digest_id` took along.
    pub(crate) fn end_deliveries(&self, tx: &Transaction<'_>, digest_id: Option<&str>) -> Result<(), LedgerError> {
        for (delivery, to) in &self.ended {
            match (to, digest_id) {
                (None, _) => handover::mark_handed_over(tx, delivery, None)?,
                (Some(to), Some(digest)) => handover::mark_handed_over(tx, delivery, Some(&format!("{digest}.{to}")))?,
                (Some(_), None) => {}
            }
        }
        Ok(())
    }
}

/// Assigns undelivered news to channels. `page_only`: only what passes quiet hours.
pub(crate) fn read(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    known: &[KnownChannel],
    page_only: bool,
) -> Result<Handed, LedgerError> {
    let settings = context.settings;
    let names: Vec<&str> = settings.routes.iter().map(|route| route.name.as_str()).collect();
    let mut handed = Handed::default();
    for owed in handover::undelivered(tx, &names, context.moment.now)? {
        let held_alerts = known.iter().any(|known| known.name == owed.channel && known.pager);
        let heirs = heirs(settings, held_alerts);
        if heirs.is_empty() || (page_only && !owed.page) {
            continue;
        }
        let mut first = None;
        for heir in &heirs {
            let got = handover::sent_to(tx, &heir.name, owed.content.window.from)?;
            let Some(rest) = unsent_part(&owed, heir, &heirs, &got) else { continue };
            first.get_or_insert_with(|| heir.name.clone());
            add_to_successor(&mut handed, heir, rest, owed.page);
        }
        handed.ended.push((owed.delivery_id, first));
    }
    Ok(handed)
}

fn add_to_successor(handed: &mut Handed, heir: &Route, rest: Digest, page: bool) {
    let (all, pages) = match handed.to.remove(&heir.name) {
        None => (rest, page),
        Some((before, paged)) => {
            let join = if heir.pager { merge_alerts } else { merge };
            (join(&before, &rest), page || paged)
        }
    };
    handed.to.insert(heir.name.clone(), (all, pages));
}

/// Channels of the same kind; people who read stand in for a pager channel where there is no other.
fn heirs(settings: &TriageSettings, pager: bool) -> Vec<&Route> {
    let of = |pager| settings.routes.iter().filter(move |route| route.pager == pager).collect::<Vec<_>>();
    match of(pager) {
        none if none.is_empty() && pager => of(false),
        heirs => heirs,
    }
}

/// What of a delivery is news for a channel; none if it has all of it.
///
/// A filter is obeyed where another channel gets what it keeps out; otherwise all do, rather than no one.
fn unsent_part(owed: &UndeliveredDelivery, heir: &Route, heirs: &[&Route], got: &SentContent) -> Option<Digest> {
    let wanted = |entry: &GroupEntry| heir.only.admits(entry) || !heirs.iter().any(|heir| heir.only.admits(entry));
    let known: &HashSet<(String, u32)> = &got.groups;
    let has = |entry: &GroupEntry| known.contains(&(entry.group_id.clone(), entry.episode));
    let is_end = |entry: &GroupEntry| entry.state == GroupState::Resolved;
    let mut content = owed.content.clone();
    // Resolving an alert twice does no harm, so every channel that can resolve it gets the resolve.
    let kept =
        |entry: &GroupEntry| wanted(entry) && if heir.pager { is_end(entry) || !has(entry) } else { !has(entry) };
    content.changes.retain(kept);
    content.still_open.retain(|entry| wanted(entry) && !has(entry));
    content.faults.retain(|fault| (fault.ended && heir.pager) || !got.faults.contains(&fault.fault));
    if !heir.pager {
        content.taken.clear();
    }
    content.remarks.retain(|remark| remark.about != About::ThisChannel && !got.remarks.contains(remark));
    // Included once, in this digest; a remark such as a scan gap needs no separate message.
    let says_who_went = !heir.pager && content.remarks.iter().any(|remark| remark.about == About::Channels);
    if !heir.pager {
        // An incident comes with its groups; a reader who has those has it.
        let changes = &content.changes;
        let is_named = |id: &String| changes.iter().any(|entry| entry.incident_id.as_ref() == Some(id));
        content.incidents.retain(|incident| is_named(&incident.incident_id));
    }
    let nothing = content.incidents.is_empty() && content.changes.is_empty() && content.taken.is_empty();
    if nothing && content.faults.is_empty() && !says_who_went {
        return None;
    }
    content.totals = count_changes(content.totals, &content.changes, &content.faults);
    content.totals.new_items = content.changes.iter().map(|entry| entry.new_items).sum();
    content.remarks.push(Remark::this_channel(format!(
        "Channel {} was removed from the configuration; what it had not received is in this message.",
        owed.channel
    )));
    Some(content)
}
