//! The sentences of a digest: subject, headline, reasons and classes in plain words.

use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::model::text::{count, cut_end, cut_middle, one_line};
use crate::notify::render::incident_words;
use crate::notify::render::times::DisplayZone;
use crate::triage::digest::incident::IncidentReason;
use crate::triage::digest::model::{Digest, GroupEntry, Reason, RetrySummary, Totals};
use crate::triage::digest::test_digest::is_trial;

/// The longest subject, in characters (RFC 5322 2.1.1 recommends lines of at most 78).
pub(crate) const SUBJECT: usize = 78;

/// Outside text on one line, cut in its middle.
pub(crate) fn short(text: &str, most: usize) -> String {
    cut_middle(one_line(text).trim(), most).into_owned()
}

/// The word shown beside a group.
pub(crate) fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Regressed => "regressed",
        Reason::Escalated => "escalating",
        Reason::Resolved => "resolved",
        Reason::Flapping => "flapping",
        Reason::MoreItems => "growing",
        Reason::Reminder => "still open",
        Reason::SilenceExpired => "silence ended",
        Reason::WorkerFault => "llama-triage problem",
        Reason::Heartbeat => "all quiet",
        Reason::Baseline => "inventory",
    }
}

/// What the class of a group means to someone who reads it for the first time; none for a class that this version does not know.
///
/// What retries have shown is stronger than what the words of a message promise.
pub(crate) fn class_meaning(entry: &GroupEntry) -> Option<String> {
    match entry.kind {
        Kind::Overdue => return Some("no failure yet, and not retried; look at the batch in LlamaCloud".to_owned()),
        Kind::Missing => {
            return Some("LlamaCloud counts them and does not list them; open the batch in LlamaCloud".to_owned());
        }
        Kind::Duplicate => return Some("both batches are billed; cancel one of them in LlamaCloud".to_owned()),
        Kind::Failed | Kind::Skipped | Kind::Cancelled => {}
    }
    let recovers = entry.recovered > 0 && matches!(entry.class.as_str(), "permanent-input" | "config" | "cancelled");
    if recovers {
        let ended = count(entry.retried, "retry", "retries");
        return Some(format!("by its message, but {} of {ended} recovered", entry.recovered));
    }
    meaning_of(&entry.class).map(str::to_owned)
}

fn meaning_of(class: &str) -> Option<&'static str> {
    Some(match class {
        "permanent-input" => "problem with the files; a retry will not help",
        "config" => "the job's settings are refused; it fails until they are changed",
        "account" => "LlamaCloud rejects the key, credits or quota; everything fails until that is fixed",
        "throttled" => "LlamaCloud asked to slow down; a later retry usually works",
        "transient" => "temporary; a retry usually works",
        "cancelled" => "cancelled; it is not retried",
        "done" => "the same work was done before; nothing is wrong",
        "unknown" => "cause unclear; open a sample",
        _ => return None,
    })
}

/// What is counted as news: groups by their state, and the worker's faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum ChangeKind {
    /// Groups never announced before.
    New,
    /// Groups that failed again.
    Regressed,
    /// Groups that grow fast.
    Escalating,
    /// Faults of the worker.
    Fault,
    /// Groups that ended.
    Resolved,
    /// Groups that were announced before.
    Known,
}

impl ChangeKind {
    /// "faults": the word that follows the count.
    pub(crate) fn word(self, count: u64) -> &'static str {
        if self == ChangeKind::Fault && count != 1 { "faults" } else { self.into() }
    }
}

/// The counts of news that are not zero, in order of urgency.
pub(crate) fn change_counts(totals: &Totals) -> Vec<(u64, ChangeKind)> {
    [
        (totals.new, ChangeKind::New),
        (totals.regressed, ChangeKind::Regressed),
        (totals.escalated, ChangeKind::Escalating),
        (totals.faults, ChangeKind::Fault),
        (totals.resolved, ChangeKind::Resolved),
        (totals.other, ChangeKind::Known),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .collect()
}

/// What a reader must know about the digest itself, and which digests it includes.
pub(crate) fn remarks(digest: &Digest) -> Vec<String> {
    let included = match digest.included.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first, .., last] => Some(format!("{first} to {last}")),
    };
    let included = included.map(|ids| format!("Includes {ids}, which could not be delivered in time."));
    digest.remarks.iter().map(|remark| remark.text.clone()).chain(included).collect()
}

/// The subject, at most [`SUBJECT`] characters, facts first, without any outside text.
///
/// What does not fit goes in this order: the digest's id, what is wrong with batches, the least urgent news, that there are batches.
pub(crate) fn subject(digest: &Digest) -> String {
    let instance = one_line(&digest.instance);
    let prefix = match instance.trim() {
        "" => "[triage]".to_owned(),
        name => format!("[triage {}]", cut_end(name, 20)),
    };
    let news = change_counts(&digest.totals);
    let lead = lead(digest);
    let prefix = if is_trial(digest) { format!("{prefix} TEST, not an alert:") } else { prefix };
    let id = format!(" ({})", cut_end(&one_line(&digest.digest_id), 30));
    let fits = |subject: &String| subject.chars().count() <= SUBJECT;
    if let Some(lead) = lead {
        let open = format!("{} open", count(digest.totals.open_items, "item", "items"));
        let ways =
            [format!("{prefix} {lead} - {open}{id}"), format!("{prefix} {lead} - {open}"), format!("{prefix} {lead}")];
        return ways
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| cut_end(&format!("{prefix} {lead}"), SUBJECT).into_owned());
    }
    let facts = |kinds: usize, batches: &str| format!("{prefix} {}", subject_facts(digest, &news[..kinds], batches));
    let (all, batches, counted) = (news.len(), open_batches(&digest.totals), open_batches_counted(&digest.totals));
    let fewer_kinds = |batches: String| (0..=all).rev().map(move |kinds| (kinds, batches.clone()));
    let whole = format!("{}{id}", facts(all, &batches));
    let shorter = std::iter::once((all, batches)).chain(fewer_kinds(counted)).chain(fewer_kinds(String::new()));
    let shorter = shorter.map(|(kinds, batches)| facts(kinds, &batches));
    std::iter::once(whole).chain(shorter).find(fits).unwrap_or(prefix)
}

/// What the subject begins with: an incident, or what pages, in our words; none if neither is news.
fn lead(digest: &Digest) -> Option<String> {
    let page = |is_page: bool| if is_page { "PAGE: " } else { "" };
    if let Some(entry) = digest.incidents.iter().find(|entry| entry.reason.is_alarm()) {
        let groups = count(entry.groups.len() as u64, "group", "groups");
        let is_page = entry.page && entry.ended_at.is_none();
        let failed = format!("{} of {} items failed in {groups}", entry.items, entry.ended_items);
        return Some(format!("{}incident: {failed}", page(is_page)));
    }
    let entry = digest.changes.iter().find(|entry| is_page(entry))?;
    Some(format!("PAGE: {}, {}", incident_words::class_word(&entry.class), count(entry.open_items, "item", "items")))
}

/// The first inventory and nothing else: one that could not be delivered is part of a digest with news.
fn is_inventory(digest: &Digest) -> bool {
    let totals = &digest.totals;
    digest.baseline && totals.new + totals.regressed + totals.escalated + totals.faults == 0
}

fn subject_facts(digest: &Digest, news: &[(u64, ChangeKind)], batches: &str) -> String {
    let open = format!("{} open{batches}", count(digest.totals.open_items, "item", "items"));
    let is_reminder = digest.changes.iter().any(|e| e.reason == Reason::Reminder);
    if is_inventory(digest) {
        return format!("first inventory - {open}");
    }
    if is_reminder && news.iter().all(|(_, kind)| *kind == ChangeKind::Known) {
        return format!("reminder: still open - {open}");
    }
    match news {
        [] if digest.totals.is_all_clear() => "all quiet - nothing open".to_owned(),
        [] => format!("nothing new - {open}"),
        _ => {
            let parts: Vec<String> = news.iter().map(|(n, kind)| format!("{n} {}", kind.word(*n))).collect();
            format!("{} - {open}", parts.join(", "))
        }
    }
}

/// Whether the news of a group pages: more items of what people know already does not.
pub(crate) fn is_page(entry: &GroupEntry) -> bool {
    entry.page && entry.state != GroupState::Resolved && entry.reason != Reason::MoreItems
}

/// ", 2 batches overdue": what is open beside failed and skipped items; empty if nothing is.
pub(crate) fn open_batches(totals: &Totals) -> String {
    let of = |n: u64, what: &str| match n {
        0 => String::new(),
        n => format!(", {} {what}", count(n, "batch", "batches")),
    };
    of(totals.overdue_batches, "overdue") + &of(totals.missing_batches, "with missing items")
}

/// ", 3 batches to check": the same, shorter.
fn open_batches_counted(totals: &Totals) -> String {
    match totals.overdue_batches + totals.missing_batches {
        0 => String::new(),
        n => format!(", {} to check", count(n, "batch", "batches")),
    }
}

/// What matters first, in one sentence.
pub(crate) fn headline(digest: &Digest) -> String {
    let totals = &digest.totals;
    let open = format!(
        "{} open in {}{}",
        count(totals.open_items, "item", "items"),
        count(totals.open_groups, "group", "groups"),
        open_batches(totals)
    );
    if is_inventory(digest) {
        return format!("First inventory: {open}");
    }
    let clock = DisplayZone::new(&digest.zone);
    if let Some(incident) = digest.incidents.iter().find(|entry| entry.reason.is_alarm()) {
        return incident_words::headline(incident, digest, &clock);
    }
    let paging = digest.changes.iter().find(|entry| is_page(entry));
    let fault = digest.faults.iter().find(|f| !f.ended);
    let over = || digest.incidents.iter().find(|entry| entry.reason == IncidentReason::Resolved);
    match (paging, fault, digest.changes.first()) {
        (None, None, None) if over().is_some() => {
            over().map_or_else(String::new, |entry| incident_words::headline(entry, digest, &clock))
        }
        (Some(entry), ..) => format!("PAGE: {}", group_line(entry)),
        (None, Some(fault), _) => {
            format!("llama-triage problem: {}", short(&fault.text, 160))
        }
        (None, None, Some(entry)) if entry.reason == Reason::MoreItems => {
            format!(
                "{}: {open}",
                count(totals.other.max(1), "open group has new failures", "open groups have new failures")
            )
        }
        (None, None, Some(entry)) => format!("{}: {}", capitalized(reason_word(entry.reason)), group_line(entry)),
        _ if totals.new + totals.regressed + totals.escalated > 0 => format!("{open}, with changes"),
        _ if !totals.is_all_clear() => format!("Nothing new: {open}"),
        _ => "All quiet: nothing is open".to_owned(),
    }
}

/// The first words that a mail client shows beside the subject.
pub(crate) fn preheader(digest: &Digest) -> String {
    cut_end(&headline(digest), 100).into_owned()
}

fn group_line(entry: &GroupEntry) -> String {
    let title = short(&entry.title, 140);
    match entry.open_items {
        0 => title,
        open => format!("{title} ({})", open_count(entry.kind, open)),
    }
}

/// "3 items open", "1 batch": how many of a group are open. Batches are not open or closed, but there.
fn open_count(kind: Kind, open: u64) -> String {
    let (one, many) = kind.unit();
    let counted = count(open, one, many);
    if kind.is_of_batch() { counted } else { format!("{counted} open") }
}

/// "47 items open, 12 since the last digest, 59 in total, in 3 batches".
pub(crate) fn group_counts(entry: &GroupEntry) -> String {
    let open = match entry.open_items {
        0 => "nothing open".to_owned(),
        n => open_count(entry.kind, n),
    };
    if entry.kind.is_of_batch() {
        return match entry.new_items {
            0 => open,
            n if n == entry.open_items => format!("{open}, all since the last digest"),
            n => format!("{open}, {n} since the last digest"),
        };
    }
    let batches = format!("in {}", count(entry.batches, "batch", "batches"));
    let all_new = entry.open_items == entry.new_items && entry.new_items == entry.total_items;
    if all_new && entry.open_items > 0 {
        return format!("{open}, all since the last digest, {batches}");
    }
    let news = match entry.new_items {
        0 => String::new(),
        n => format!(", {n} since the last digest"),
    };
    format!("{open}{news}, {} in total, {batches}", entry.total_items)
}

/// "retried 40: 37 recovered, 2 same error, 1 still running".
pub(crate) fn retries(summary: &RetrySummary) -> Option<String> {
    let mut sentences = Vec::new();
    if summary.attempts > 0 {
        let outcomes: Vec<String> = [
            (summary.recovered, "recovered"),
            (summary.failed_same, "same error"),
            (summary.failed_differently, "another error"),
            (summary.running, "still running"),
            (summary.other, "cancelled, expired or unclear"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
        sentences.push(match outcomes.is_empty() {
            true => format!("Retried {}.", summary.attempts),
            false => format!("Retried {}: {}.", summary.attempts, outcomes.join(", ")),
        });
    }
    match (summary.billed, summary.estimated) {
        (0, _) => {}
        (billed, 0) => sentences.push(format!("{billed} credits billed.")),
        (billed, estimated) => sentences.push(format!("{billed} credits billed (estimate: {estimated}).")),
    }
    if summary.would_retry > 0 {
        sentences.push(format!("{} ready to retry (automatic retry is off).", summary.would_retry));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// The word with a capital first letter.
pub(crate) fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::test_digest::trial;

    #[test]
    fn a_subject_says_what_fits_of_batches_and_never_nothing() {
        let said = |totals: Totals, instance: &str| {
            let mut digest = trial("", "UTC", jiff::Timestamp::UNIX_EPOCH);
            (digest.digest_id, digest.instance, digest.baseline) = ("D-20261201-02".into(), instance.into(), true);
            digest.totals = totals;
            subject(&digest)
        };
        let totals = |overdue_batches, missing_batches| Totals {
            open_items: 1,
            overdue_batches,
            missing_batches,
            ..Totals::default()
        };
        assert_eq!(said(totals(1, 0), ""), "[triage] first inventory - 1 item open, 1 batch overdue (D-20261201-02)");
        assert_eq!(said(totals(1, 1), ""), "[triage] first inventory - 1 item open, 2 batches to check");
        let many = Totals { open_items: 123_456_789, ..totals(123, 456) };
        let shortest = "[triage production-in-europ…] first inventory - 123456789 items open";
        assert_eq!(said(many, "production-in-europe-west"), shortest);
    }

    #[test]
    fn a_group_whose_retries_recover_is_not_said_to_be_hopeless() {
        let plain = GroupEntry {
            class: "permanent-input".to_owned(),
            ..trial("", "UTC", jiff::Timestamp::UNIX_EPOCH).changes.remove(0)
        };
        assert!(class_meaning(&plain).unwrap().contains("a retry will not help"));
        let tried = GroupEntry { retried: 5, ..plain.clone() };
        assert!(class_meaning(&tried).unwrap().contains("a retry will not help"));
        let recovering = GroupEntry { recovered: 3, ..tried };
        assert_eq!(class_meaning(&recovering).unwrap(), "by its message, but 3 of 5 retries recovered");
    }

    #[test]
    fn digests_that_were_joined_are_named_in_one_sentence() {
        let said = |included: &[&str]| {
            let mut digest = trial("", "UTC", jiff::Timestamp::UNIX_EPOCH);
            digest.remarks.clear();
            digest.included = included.iter().map(|id| (*id).to_owned()).collect();
            remarks(&digest)
        };
        assert_eq!(said(&[]), [""; 0]);
        assert_eq!(said(&["D-1"]), ["Includes D-1, which could not be delivered in time."]);
        assert_eq!(said(&["D-1", "D-2", "D-3"]), ["Includes D-1 to D-3, which could not be delivered in time."]);
    }
}
