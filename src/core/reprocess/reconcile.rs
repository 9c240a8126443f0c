//! Finds out whether a POST of unknown outcome made a batch: by the set of its items, never by sending it again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::set_hash;

/// A batch of the project that no intent owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// It.
    pub batch_id: String,
    /// `None` when the API does not say; then it is a candidate.
    pub created_at: Option<Timestamp>,
    /// Its job type.
    pub job_type: String,
    /// As the batch says.
    pub total_items: u64,
    /// Its items; `None` when they could not be listed completely.
    pub item_ids: Option<BTreeSet<String>>,
}

/// A listing of the newest batches of the project, back to five minutes before the POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
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
        /// It.
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

/// Clocks differ and the server may stamp before it answers.
const CLOCK_MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// A server that is slow to create a batch has this long.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// So many complete listings without a match are needed, both begun after `SURE_AFTER`'s start.
const CLEAN_LISTINGS: usize = 2;

/// Judges the listings made since the POST; the newest comes last.
pub fn reconcile(
    job_type: &str,
    item_ids: &BTreeSet<String>,
    posting_at: Timestamp,
    now: Timestamp,
    listings: &[Listing],
) -> Verdict {
    let Some(newest) = listings.last() else {
        return Verdict::StillUnknown { why: "the batches have not been listed yet" };
    };
    let earliest = posting_at - CLOCK_MARGIN;
    let matches = |listing: &Listing| -> Vec<(Option<Timestamp>, String)> {
        let mut found: Vec<_> = listing
            .candidates
            .iter()
            .filter(|candidate| may_be(candidate, job_type, item_ids.len(), earliest))
            .filter(|candidate| candidate.item_ids.as_ref().is_some_and(|ids| hash(ids) == hash(item_ids)))
            .map(|candidate| (candidate.created_at, candidate.batch_id.clone()))
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let mut found: Vec<(Option<Timestamp>, String)> = listings.iter().flat_map(matches).collect();
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    match found.len() {
        0 => nothing_found(job_type, item_ids.len(), posting_at, now, listings, newest, earliest),
        1 => Verdict::Adopt { batch_id: found.remove(0).1 },
        _ => Verdict::Duplicates { batch_ids: found.into_iter().map(|(_, id)| id).collect() },
    }
}

fn nothing_found(
    job_type: &str,
    count: usize,
    posting_at: Timestamp,
    now: Timestamp,
    listings: &[Listing],
    newest: &Listing,
    earliest: Timestamp,
) -> Verdict {
    if newest
        .candidates
        .iter()
        .any(|candidate| candidate.item_ids.is_none() && may_be(candidate, job_type, count, earliest))
    {
        return Verdict::StillUnknown { why: "the items of a batch that may be it could not be listed" };
    }
    if now - posting_at <= SURE_AFTER {
        return Verdict::StillUnknown { why: "a slow server may still create the batch" };
    }
    let clean = listings
        .iter()
        .rev()
        .take_while(|listing| is_clean(listing, job_type, count, earliest))
        .filter(|listing| listing.at > posting_at)
        .count();
    // The last one must be of after the time in which a batch may still appear.
    if clean >= CLEAN_LISTINGS && newest.at - posting_at > SURE_AFTER {
        Verdict::NotSubmitted
    } else {
        Verdict::StillUnknown { why: "two complete listings are needed to be sure" }
    }
}

fn is_clean(listing: &Listing, job_type: &str, count: usize, earliest: Timestamp) -> bool {
    listing.complete && !listing.candidates.iter().any(|c| c.item_ids.is_none() && may_be(c, job_type, count, earliest))
}

fn may_be(candidate: &Candidate, job_type: &str, count: usize, earliest: Timestamp) -> bool {
    // A batch that is still being filled may not know its total yet.
    let total_fits = candidate.total_items == 0 || usize::try_from(candidate.total_items) == Ok(count);
    candidate.job_type == job_type && total_fits && candidate.created_at.is_none_or(|at| at >= earliest)
}

fn hash(ids: &BTreeSet<String>) -> String {
    set_hash(ids.iter().map(String::as_str))
}
