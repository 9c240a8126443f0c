//! Finds out whether a POST of unknown outcome made a batch: by the set of its items, never by sending it again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// A batch of the project that no intent owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// It.
    pub batch_id: String,
    /// `None` when the API does not say; then it is a candidate.
    pub created_at: Option<Timestamp>,
    /// Its job type; empty when the API does not say.
    pub job_type: String,
    /// As the batch says; 0 when it does not.
    pub total_items: u64,
    /// Whether it has ended, so that nothing is added to it any more.
    pub ended: bool,
    /// Its items; `None` when they could not be listed completely.
    pub item_ids: Option<BTreeSet<String>>,
}

/// A listing of the batches of the project that were not known before the POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// When it began.
    pub at: Timestamp,
    /// Whether every page was read and reached far enough back.
    pub complete: bool,
    /// What it found.
    pub candidates: Vec<Candidate>,
}

/// What reconciliation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Look again.
    StillUnknown {
        /// Why.
        why: &'static str,
    },
    /// This batch does the work.
    Adopt {
        /// Its id.
        batch_id: String,
    },
    /// These batches all do the work.
    Duplicates {
        /// They, oldest first.
        batch_ids: Vec<String>,
    },
    /// No batch exists; a new intent may be made.
    NotSubmitted,
}

/// A server that is slow to create a batch has this long.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// What job types are called: a batch of another one of these is not ours, a word of the future may be.
const JOB_TYPES: [&str; 3] = ["parse", "extract", "classify"];
/// So many complete listings without a match are needed, the first and the last of them `SURE_AFTER` apart.
const CLEAN_LISTINGS: usize = 2;

/// Judges the listings made since the POST; the newest comes last.
///
/// Only items are evidence for a batch: clocks of servers differ, totals grow, and listings leave fields out.
pub(crate) fn reconcile(
    job_type: &str,
    item_ids: &BTreeSet<String>,
    posting_at: Timestamp,
    now: Timestamp,
    listings: &[Listing],
) -> Verdict {
    let Some(newest) = listings.last() else {
        return Verdict::StillUnknown { why: "the batches have not been listed yet" };
    };
    let matches = |listing: &Listing| -> Vec<(Option<Timestamp>, String)> {
        let all = listing.candidates.iter().filter(|candidate| is_of_type(candidate, job_type));
        all.filter(|candidate| candidate.item_ids.as_ref() == Some(item_ids))
            .map(|candidate| (candidate.created_at, candidate.batch_id.clone()))
            .collect()
    };
    let mut found: Vec<(Option<Timestamp>, String)> = listings.iter().flat_map(matches).collect();
    found.sort();
    let mut seen = BTreeSet::new();
    found.retain(|(_, id)| seen.insert(id.clone()));
    match found.len() {
        0 => nothing_found(job_type, item_ids, posting_at, now, listings, newest),
        1 => Verdict::Adopt { batch_id: found.remove(0).1 },
        _ => Verdict::Duplicates { batch_ids: found.into_iter().map(|(_, id)| id).collect() },
    }
}

impl Listing {
    /// Whether it proves that no batch of these items was there.
    pub(crate) fn is_clean(&self, job_type: &str, item_ids: &BTreeSet<String>) -> bool {
        self.complete && !self.candidates.iter().any(|candidate| may_become(candidate, job_type, item_ids))
    }
}

fn nothing_found(
    job_type: &str,
    item_ids: &BTreeSet<String>,
    posting_at: Timestamp,
    now: Timestamp,
    listings: &[Listing],
    newest: &Listing,
) -> Verdict {
    let doubtful: Vec<_> = newest.candidates.iter().filter(|one| may_become(one, job_type, item_ids)).collect();
    if now - posting_at > SURE_AFTER
        && newest.complete
        && let [only] = doubtful.as_slice()
        && is_most(only, item_ids)
    {
        return Verdict::Adopt { batch_id: only.batch_id.clone() };
    }
    if doubtful.iter().any(|candidate| candidate.item_ids.is_none()) {
        return Verdict::StillUnknown { why: "the items of a candidate batch could not be listed" };
    }
    if !doubtful.is_empty() {
        return Verdict::StillUnknown { why: "a candidate batch shows only some of the items, or none yet" };
    }
    if now - posting_at <= SURE_AFTER {
        return Verdict::StillUnknown { why: "a slow server may still create the batch" };
    }
    let clean = listings.iter().rev().take_while(|listing| listing.is_clean(job_type, item_ids));
    let clean: Vec<Timestamp> = clean.map(|listing| listing.at).filter(|at| *at > posting_at).collect();
    // The last one must be of after the time in which a batch may still appear. A clock that was set forward since the POST
    // makes that time seem over, so it is measured from the first listing, too.
    let first = clean.last().copied().unwrap_or(now);
    if clean.len() >= CLEAN_LISTINGS && newest.at - posting_at > SURE_AFTER && newest.at - first >= SURE_AFTER {
        Verdict::NotSubmitted
    } else {
        Verdict::StillUnknown { why: "two complete listings are needed to be sure" }
    }
}

fn is_of_type(candidate: &Candidate, job_type: &str) -> bool {
    candidate.job_type == job_type || !JOB_TYPES.contains(&candidate.job_type.as_str())
}

/// Whether it may be ours, now or once the server has filled it: nothing in it is foreign.
fn may_become(candidate: &Candidate, job_type: &str, item_ids: &BTreeSet<String>) -> bool {
    let too_many = usize::try_from(candidate.total_items).is_ok_and(|total| total > item_ids.len());
    if !is_of_type(candidate, job_type) || too_many {
        return false;
    }
    match &candidate.item_ids {
        None => true,
        // What ended without any item has done no work.
        Some(ids) if ids.is_empty() => !candidate.ended || candidate.total_items > 0,
        Some(ids) => ids.is_subset(item_ids),
    }
}

/// Whether it is ours without the items that the server dropped: it has ended, and has more than half of them and no others.
fn is_most(candidate: &Candidate, item_ids: &BTreeSet<String>) -> bool {
    let most = |ids: &BTreeSet<String>| ids.is_subset(item_ids) && ids.len() * 2 > item_ids.len();
    candidate.ended && candidate.item_ids.as_ref().is_some_and(most)
}
