//! Joining a digest that could not be delivered with the one after it, so that an outage ends with one message.
//!
//! People then learn from the later one what the earlier one would have told them, once and as it stands now.

use crate::model::fault::Fault;
use crate::triage::digest::build::{by_urgency, count_changes};
use crate::triage::digest::identity::with_scopes;
use crate::triage::digest::incident;
use crate::triage::digest::model::{Digest, GroupEntry, LeftOut, Reason, RetrySummary, Totals, Window};

/// Whether two entries become one.
type Same = fn(&GroupEntry, &GroupEntry) -> bool;

/// One digest that says what both say. It has the id, times and open counts of `newer`.
pub(crate) fn merge(older: &Digest, newer: &Digest) -> Digest {
    merge_by(older, newer, |a, b| a.group_id == b.group_id)
}

/// As [`merge`], for a pager channel: each episode has its own, so the end of one never hides the next.
///
/// What the older one says of an alert is said under the scope that it has there.
pub(crate) fn merge_alerts(older: &Digest, newer: &Digest) -> Digest {
    merge_by(&with_scopes(older), newer, |a, b| a.group_id == b.group_id && a.episode == b.episode)
}

fn merge_by(older: &Digest, newer: &Digest, same: Same) -> Digest {
    let changes = by_urgency(merge_changes(older, newer, same));
    let known = |id: &str| changes.iter().any(|entry| entry.group_id == id);
    let listed = if newer.scheduled { &newer.still_open } else { &older.still_open };
    let still_open = listed.iter().filter(|entry| !known(&entry.group_id)).cloned().collect();
    let faults = merge_faults(older, newer);
    let mut remarks = older.remarks.clone();
    remarks.retain(|remark| !newer.remarks.contains(remark));
    remarks.extend(newer.remarks.iter().cloned());
    let included = older.included.iter().chain([&older.digest_id]).chain(&newer.included);
    Digest {
        window: Window { from: older.window.from.min(newer.window.from), to: newer.window.to },
        scheduled: older.scheduled || newer.scheduled,
        baseline: older.baseline || newer.baseline,
        totals: merge_totals(older, newer, &changes, &faults),
        retries: merge_retries(older.retries, newer.retries),
        left_out: LeftOut {
            groups: older.left_out.groups.saturating_add(newer.left_out.groups),
            items: older.left_out.items.saturating_add(newer.left_out.items),
        },
        taken: merge_taken(older, newer, same),
        incidents: incident::merge(&older.incidents, &newer.incidents),
        changes,
        still_open,
        faults,
        remarks,
        included: included.cloned().collect(),
        ..newer.clone()
    }
}

fn merge_changes(older: &Digest, newer: &Digest, same: Same) -> Vec<GroupEntry> {
    let mut changes: Vec<GroupEntry> = newer.changes.clone();
    for before in &older.changes {
        match changes.iter_mut().find(|entry| same(entry, before)) {
            Some(entry) => join(before, entry),
            None => changes.push(refreshed(before, &newer.still_open)),
        }
    }
    changes
}

/// Old news with the numbers of today, if the newer digest lists the group as still open.
fn refreshed(before: &GroupEntry, still_open: &[GroupEntry]) -> GroupEntry {
    let Some(now) = still_open.iter().find(|entry| entry.group_id == before.group_id) else {
        return before.clone();
    };
    GroupEntry {
        reason: before.reason,
        state: before.state,
        why: before.why.clone(),
        new_items: before.new_items,
        page: before.page || now.page,
        ..now.clone()
    }
}

/// The later entry takes over what of the earlier one people never learnt.
fn join(before: &GroupEntry, entry: &mut GroupEntry) {
    entry.new_items = entry.new_items.saturating_add(before.new_items);
    entry.page |= before.page;
    let ended = entry.reason == Reason::Resolved;
    let was_news = matches!(before.reason, Reason::New | Reason::Regressed | Reason::Escalated | Reason::Baseline);
    if !ended && was_news && entry.reason != Reason::Regressed {
        entry.reason = before.reason;
        entry.state = before.state;
    }
    entry.why = match (&before.why, entry.why.take()) {
        (Some(earlier), Some(later)) if *earlier != later => Some(format!("{earlier}; then {later}")),
        (earlier, later) => later.or_else(|| earlier.clone()),
    };
}

/// What happened to a group after its alert was taken goes before that.
fn merge_taken(older: &Digest, newer: &Digest, same: Same) -> Vec<GroupEntry> {
    let known = |entry: &&GroupEntry| newer.changes.iter().chain(&newer.taken).any(|later| same(later, entry));
    let earlier = older.taken.iter().filter(|entry| !known(entry));
    earlier.chain(&newer.taken).cloned().collect()
}

fn merge_faults(older: &Digest, newer: &Digest) -> Vec<Fault> {
    let known = |fault: &Fault| newer.faults.iter().any(|later| later.fault == fault.fault);
    let earlier = older.faults.iter().filter(|fault| !known(fault));
    earlier.chain(&newer.faults).cloned().collect()
}

/// Groups that were counted but left out of the lists stay counted.
fn merge_totals(older: &Digest, newer: &Digest, changes: &[GroupEntry], faults: &[Fault]) -> Totals {
    let mut totals = count_changes(newer.totals, changes, faults);
    for digest in [older, newer] {
        let listed = count_changes(digest.totals, &digest.changes, &digest.faults);
        totals.new += digest.totals.new.saturating_sub(listed.new);
        totals.regressed += digest.totals.regressed.saturating_sub(listed.regressed);
        totals.escalated += digest.totals.escalated.saturating_sub(listed.escalated);
        totals.resolved += digest.totals.resolved.saturating_sub(listed.resolved);
        totals.other += digest.totals.other.saturating_sub(listed.other);
    }
    totals.new_items = older.totals.new_items.saturating_add(newer.totals.new_items);
    totals.recovered_items = older.totals.recovered_items.saturating_add(newer.totals.recovered_items);
    totals
}

fn merge_retries(older: Option<RetrySummary>, newer: Option<RetrySummary>) -> Option<RetrySummary> {
    let (Some(a), Some(b)) = (older, newer) else {
        return newer.or(older);
    };
    // What ran at the end of the older window has ended in the newer one, or still runs.
    Some(RetrySummary {
        attempts: a.attempts.saturating_sub(a.running) + b.attempts,
        recovered: a.recovered + b.recovered,
        failed_same: a.failed_same + b.failed_same,
        failed_differently: a.failed_differently + b.failed_differently,
        running: b.running,
        other: a.other + b.other,
        would_retry: b.would_retry,
        billed: a.billed + b.billed,
        estimated: a.estimated + b.estimated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::test_digest::trial;
    use jiff::{SignedDuration, Timestamp};

    fn digest(hour: i64, entries: &[(&str, Reason, u64)]) -> Digest {
        let at = Timestamp::from_second(1_780_000_000 + hour * 3600).unwrap();
        let mut digest = trial("", "UTC", at);
        let base = digest.changes[0].clone();
        digest.digest_id = format!("D-20260528-{hour:02}");
        digest.window = Window { from: at - SignedDuration::from_hours(1), to: at };
        digest.remarks = Vec::new();
        digest.changes = entries
            .iter()
            .map(|(group_id, reason, new_items)| GroupEntry {
                group_id: (*group_id).into(),
                reason: *reason,
                new_items: *new_items,
                why: Some(reason.as_str().into()),
                ..base.clone()
            })
            .collect();
        digest.totals = count_changes(Totals { new_items: 5, ..digest.totals }, &digest.changes, &[]);
        digest
    }

    #[test]
    fn eight_hours_of_digests_become_one_that_reports_each_thing_once() {
        let mut merged = digest(0, &[("a", Reason::New, 3), ("b", Reason::New, 1)]);
        for hour in 1..8 {
            merged = merge(&merged, &digest(hour, &[("a", Reason::Escalated, 2)]));
        }
        merged = merge(&merged, &digest(8, &[("b", Reason::Resolved, 0)]));
        assert_eq!(merged.digest_id, "D-20260528-08");
        assert_eq!(merged.window.to - merged.window.from, SignedDuration::from_hours(9));
        let told: Vec<_> = merged.changes.iter().map(|e| (e.group_id.as_str(), e.reason, e.new_items)).collect();
        assert_eq!(told, [("a", Reason::New, 17), ("b", Reason::Resolved, 1)]);
        assert_eq!((merged.totals.new, merged.totals.resolved, merged.totals.new_items), (1, 1, 45));
        let included: Vec<String> = (0..8).map(|hour| format!("D-20260528-{hour:02}")).collect();
        assert_eq!((merged.remarks, merged.included), (Vec::new(), included));
    }

    #[test]
    fn old_news_comes_with_the_numbers_of_the_newer_digest() {
        let older = digest(0, &[("a", Reason::New, 3)]);
        let mut newer = digest(1, &[("a", Reason::Reminder, 0)]);
        newer.scheduled = true;
        newer.still_open = std::mem::take(&mut newer.changes);
        newer.still_open[0].open_items = 70;
        let merged = merge(&older, &newer);
        let entry = &merged.changes[0];
        assert_eq!((entry.reason, entry.open_items, entry.new_items), (Reason::New, 70, 3));
        assert!(merged.still_open.is_empty());
    }

    #[test]
    fn what_was_left_out_stays_counted() {
        let mut older = digest(0, &[("a", Reason::New, 1)]);
        older.totals.new = 31;
        older.left_out = LeftOut { groups: 30, items: 300 };
        let merged = merge(&older, &digest(1, &[("z", Reason::New, 1)]));
        assert_eq!(merged.totals.new, 32);
        assert_eq!(merged.left_out, LeftOut { groups: 30, items: 300 });
    }

    #[test]
    fn an_ack_stays_with_its_alert_until_something_happens_to_the_group() {
        let taken = |digest: &Digest| digest.taken.iter().map(|e| e.group_id.clone()).collect::<Vec<_>>();
        let (older, mut newer) = (digest(0, &[("a", Reason::New, 1)]), digest(1, &[]));
        newer.taken = older.changes.clone();
        let merged = merge(&older, &newer);
        assert_eq!((merged.changes.len(), taken(&merged)), (1, vec!["a".to_owned()]));
        assert_eq!(taken(&merge(&merged, &digest(2, &[]))), ["a"]);
        assert!(taken(&merge(&merged, &digest(2, &[("a", Reason::Escalated, 1)]))).is_empty());
    }

    #[test]
    fn the_end_of_an_alert_does_not_hide_the_next_one_of_its_group() {
        let mut older = digest(0, &[("a", Reason::Regressed, 1)]);
        older.changes[0].episode = 2;
        let newer = digest(1, &[("a", Reason::Resolved, 0)]);
        let told = |digest: &Digest| digest.changes.iter().map(|e| (e.reason, e.episode)).collect::<Vec<_>>();
        assert_eq!(told(&merge_alerts(&older, &newer)), [(Reason::Regressed, 2), (Reason::Resolved, 1)]);
        assert_eq!(told(&merge(&older, &newer)), [(Reason::Resolved, 1)]);
    }

    #[test]
    fn a_fault_that_ended_meanwhile_is_reported_as_ended() {
        let fault = |ended| Fault {
            fault: "scan:prod".into(),
            text: "t".into(),
            since: Timestamp::UNIX_EPOCH,
            ended,
            alert_scope: None,
        };
        let (mut older, mut newer) = (digest(0, &[]), digest(1, &[]));
        older.faults = vec![fault(false)];
        newer.faults = vec![fault(true)];
        assert_eq!(merge(&older, &newer).faults, [fault(true)]);
    }

    #[test]
    fn retries_that_ran_and_then_ended_are_counted_once() {
        let told = |recovered, failed_same, running| {
            let attempts = recovered + failed_same + running;
            Some(RetrySummary { attempts, recovered, failed_same, running, ..RetrySummary::default() })
        };
        assert_eq!(merge_retries(told(0, 0, 40), told(37, 2, 1)), told(37, 2, 1));
        assert_eq!(merge_retries(told(5, 0, 0), told(1, 0, 0)), told(6, 0, 0));
    }
}
