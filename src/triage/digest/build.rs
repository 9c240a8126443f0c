//! Building a digest from facts of the ledger: order, totals, what is left out, and which items to show.
//!
//! What is news is decided by `decide`; how it looks is the renderers' business.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::fault::Fault;
use crate::triage::digest::incident::IncidentReason;
use crate::triage::digest::model::{Digest, GroupEntry, LeftOut, Reason, Sample, Totals};

/// Group entries in the order people read them: paging first, then by reason, then by open items.
pub(crate) fn by_urgency(mut entries: Vec<GroupEntry>) -> Vec<GroupEntry> {
    entries.sort_by(|a, b| {
        let key =
            |e: &GroupEntry| (!e.page || e.reason == Reason::Resolved, rank(e.reason), std::cmp::Reverse(e.open_items));
        key(a).cmp(&key(b)).then_with(|| a.group_id.cmp(&b.group_id))
    });
    entries
}

fn rank(reason: Reason) -> u8 {
    match reason {
        Reason::WorkerFault => 0,
        Reason::New | Reason::Baseline => 1,
        Reason::Regressed => 2,
        Reason::Escalated => 3,
        Reason::Flapping => 4,
        Reason::SilenceExpired => 5,
        Reason::MoreItems => 6,
        Reason::Resolved => 7,
        Reason::Reminder => 8,
        Reason::Heartbeat => 9,
    }
}

/// The totals with the groups in `changes` counted by reason; the other numbers stay.
pub(crate) fn count_changes(totals: Totals, changes: &[GroupEntry], faults: &[Fault]) -> Totals {
    let lasting = length(faults.iter().filter(|fault| !fault.ended).count());
    let mut counted = Totals { new: 0, regressed: 0, escalated: 0, resolved: 0, other: 0, faults: lasting, ..totals };
    for entry in changes {
        match entry.reason {
            Reason::New => counted.new += 1,
            Reason::Regressed => counted.regressed += 1,
            Reason::Escalated => counted.escalated += 1,
            Reason::Resolved => counted.resolved += 1,
            _ => counted.other += 1,
        }
    }
    counted
}

/// Each reason in a digest once, as words, most urgent first: `worker_fault,new,resolved`.
pub(crate) fn reasons(digest: &Digest) -> String {
    let mut found: Vec<Reason> = digest.changes.iter().map(|entry| entry.reason).collect();
    found.extend(digest.incidents.iter().filter_map(|entry| incident_reason(entry.reason)));
    if !digest.faults.is_empty() {
        found.push(Reason::WorkerFault);
    }
    if !digest.still_open.is_empty() {
        found.push(Reason::Reminder);
    }
    if found.is_empty() {
        found.push(Reason::Heartbeat);
    }
    found.sort_by_key(|reason| rank(*reason));
    found.dedup();
    let words: Vec<&str> = found.into_iter().map(Reason::as_str).collect();
    words.join(",")
}

/// The word for news of an incident; none if it is no news, or its groups' alone.
pub(crate) fn incident_reason(reason: IncidentReason) -> Option<Reason> {
    match reason {
        IncidentReason::New => Some(Reason::New),
        IncidentReason::Escalated => Some(Reason::Escalated),
        IncidentReason::Resolved => Some(Reason::Resolved),
        IncidentReason::Known | IncidentReason::Acked => None,
    }
}

/// `D-YYYYMMDD-NN`: the `number`th digest of the zone's date.
pub(crate) fn digest_id(now: Timestamp, zone: &TimeZone, number: u32) -> String {
    format!("{}{number:02}", id_prefix(now, zone))
}

/// The part of a digest id that all digests of one local day share.
pub(crate) fn id_prefix(now: Timestamp, zone: &TimeZone) -> String {
    format!("D-{}-", zone.to_datetime(now).date().strftime("%Y%m%d"))
}

/// Up to `most` samples that differ from each other, from candidates with the newest first.
///
/// The newest comes first; then whatever shows a message, batch or name not shown yet, in that order of worth.
pub(crate) fn pick_different(mut candidates: Vec<Sample>, most: usize) -> Vec<Sample> {
    let mut chosen: Vec<Sample> = Vec::with_capacity(most);
    while chosen.len() < most && !candidates.is_empty() {
        let fresh = |sample: &Sample| {
            let new_message = !chosen.iter().any(|c| same_message(c, sample));
            let new_batch = !chosen.iter().any(|c| c.batch_id == sample.batch_id);
            let new_name = !chosen.iter().any(|c| c.item_name == sample.item_name);
            4 * u8::from(new_message) + 2 * u8::from(new_batch) + u8::from(new_name)
        };
        // The last of equal maxima wins in `max_by_key`, so the search runs from the oldest to the newest.
        let best = (0..candidates.len()).rev().max_by_key(|place| fresh(&candidates[*place])).unwrap_or(0);
        chosen.push(candidates.remove(best));
    }
    chosen
}

fn same_message(a: &Sample, b: &Sample) -> bool {
    (&a.error_message, &a.skip_reason) == (&b.error_message, &b.skip_reason)
}

/// The groups named in any of the digests: whose samples and history are worth reading.
pub(crate) fn named<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> HashSet<String> {
    digests
        .into_iter()
        .flat_map(|digest| digest.changes.iter().chain(&digest.still_open))
        .map(|entry| entry.group_id.clone())
        .collect()
}

/// The digest with only the entries that pass: for quiet hours and paging channels. Open totals stay complete.
pub(crate) fn only_entries(digest: &Digest, keep: impl Fn(&GroupEntry) -> bool) -> Digest {
    let pick = |entries: &[GroupEntry]| entries.iter().filter(|e| keep(e)).cloned().collect::<Vec<_>>();
    let changes = pick(&digest.changes);
    Digest {
        totals: count_changes(digest.totals, &changes, &digest.faults),
        still_open: pick(&digest.still_open),
        changes,
        ..digest.clone()
    }
}

/// The digest with what it leaves out of the groups of `all` counted anew.
pub(crate) fn recount_left_out(digest: Digest, all: &Digest) -> Digest {
    let listed = named([&digest]);
    let rest = all.changes.iter().chain(&all.still_open).filter(|entry| !listed.contains(&entry.group_id));
    let (groups, items) =
        rest.fold((0, 0_u64), |(n, items), entry| (n + 1, items.saturating_add(entry.open_failures())));
    Digest { left_out: LeftOut { groups, items }, ..digest }
}

fn length(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::test_digest::trial;

    fn now() -> Timestamp {
        "2026-08-23T22:30:00Z".parse().unwrap()
    }

    fn entry(group_id: &str, reason: Reason, open_items: u64, page: bool) -> GroupEntry {
        GroupEntry { group_id: group_id.into(), reason, open_items, page, ..trial("", "UTC", now()).changes[0].clone() }
    }

    fn sample(item_id: &str, name: &str, batch: &str, message: &str) -> Sample {
        Sample {
            item_id: item_id.into(),
            item_name: name.into(),
            project: "prod".into(),
            batch_id: batch.into(),
            job_id: None,
            job_record_id: None,
            error_message: Some(message.into()),
            skip_reason: None,
            seen_at: now(),
            links: Default::default(),
        }
    }

    #[test]
    fn the_most_urgent_groups_come_first() {
        let ordered = by_urgency(vec![
            entry("g-resolved", Reason::Resolved, 0, false),
            entry("g-small", Reason::New, 3, false),
            entry("g-large", Reason::New, 30, false),
            entry("g-escalated", Reason::Escalated, 900, false),
            entry("g-page", Reason::Escalated, 1, true),
            entry("g-over", Reason::Resolved, 0, true),
            entry("g-regressed", Reason::Regressed, 1, false),
        ]);
        let ids: Vec<&str> = ordered.iter().map(|e| e.group_id.as_str()).collect();
        assert_eq!(ids, ["g-page", "g-large", "g-small", "g-regressed", "g-escalated", "g-over", "g-resolved"]);
    }

    #[test]
    fn changes_are_counted_by_reason_and_named_once() {
        let mut digest = trial("", "UTC", now());
        digest.changes = vec![
            entry("a", Reason::New, 1, false),
            entry("b", Reason::New, 1, false),
            entry("c", Reason::Resolved, 0, false),
            entry("d", Reason::Flapping, 1, false),
        ];
        digest.faults.clear();
        digest.still_open.clear();
        let totals = count_changes(Totals { open_items: 7, new: 99, ..Totals::default() }, &digest.changes, &[]);
        assert_eq!((totals.new, totals.resolved, totals.other, totals.open_items), (2, 1, 1, 7));
        assert_eq!(reasons(&digest), "new,flapping,resolved");
        digest.changes.clear();
        assert_eq!(reasons(&digest), "heartbeat");
    }

    #[test]
    fn the_id_has_the_date_of_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(digest_id(now(), &TimeZone::UTC, 3), "D-20260823-03");
        assert_eq!(digest_id(now(), &berlin, 120), "D-20260824-120");
    }

    #[test]
    fn samples_differ_from_each_other_and_start_with_the_newest() {
        let candidates = vec![
            sample("1", "a.pdf", "b1", "timed out after 30 s"),
            sample("2", "a.pdf", "b1", "timed out after 30 s"),
            sample("3", "b.pdf", "b1", "timed out after 30 s"),
            sample("4", "c.pdf", "b2", "timed out after 30 s"),
            sample("5", "d.pdf", "b1", "timed out after 31 s"),
        ];
        let ids =
            |most| -> Vec<String> { pick_different(candidates.clone(), most).into_iter().map(|s| s.item_id).collect() };
        assert_eq!(ids(3), ["1", "5", "4"]);
        assert_eq!(ids(9).len(), 5);
        assert!(ids(0).is_empty());
    }
}
