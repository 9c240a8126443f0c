//! Finds out whether a POST of unknown outcome made a batch: by the set of its items, never by sending it again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::candidates::{Candidate, Candidates};

/// A POST of which it is asked whether it made a batch.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    /// The job type of its items.
    pub job_type: String,
    /// They.
    pub item_ids: BTreeSet<String>,
    /// When it was sent.
    pub posted: Timestamp,
    /// When the first of the complete listings was made that showed nothing, if nothing else was seen since.
    pub clean_since: Option<Timestamp>,
}

/// What reconciliation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again, for this reason.
    StillUnknown(&'static str),
    /// These batches do the work, oldest first; more than one do it more than once.
    Batches(Vec<String>),
    /// No batch exists; a new intent may be made.
    NotSubmitted,
}

/// A server that is slow to create a batch has this long; two complete listings without a match are needed, so far apart.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// What job types are called: a batch of another one of these is not ours, a word of the future may be.
const JOB_TYPES: [&str; 3] = ["parse", "extract", "classify"];

impl Sought {
    /// Judges a listing of the batches that were not known before the POST, made at `now`.
    ///
    /// Only items are evidence for a batch: clocks of servers differ, totals grow, and listings leave fields out.
    pub(crate) fn judge(&self, listing: &Candidates, now: Timestamp) -> Verdict {
        let of_type = listing.found.iter().filter(|one| is_of_type(one, &self.job_type));
        let mut matches: Vec<&Candidate> =
            of_type.filter(|one| one.item_ids.as_ref() == Some(&self.item_ids)).collect();
        matches.sort_by_key(|one| (one.batch.created_at, one.batch.batch_id.clone()));
        matches.dedup_by_key(|one| &one.batch.batch_id);
        if !matches.is_empty() {
            return Verdict::Batches(matches.into_iter().map(|one| one.batch.batch_id.clone()).collect());
        }
        let doubtful: Vec<&Candidate> = listing.found.iter().filter(|one| self.may_become(one)).collect();
        let is_late = now - self.posted > SURE_AFTER;
        match doubtful.as_slice() {
            [only] if is_late && listing.complete && self.is_most(only) => {
                Verdict::Batches(vec![only.batch.batch_id.clone()])
            }
            some if some.iter().any(|one| one.item_ids.is_none()) => {
                Verdict::StillUnknown("the items of a candidate batch could not be listed")
            }
            [_, ..] => Verdict::StillUnknown("a candidate batch shows only some of the items, or none yet"),
            [] if !is_late => Verdict::StillUnknown("a slow server may still create the batch"),
            // A clock that was set forward since the POST makes its half hour seem over, so it is measured between listings, too.
            [] if listing.complete && self.clean_since.is_some_and(|first| now - first >= SURE_AFTER) => {
                Verdict::NotSubmitted
            }
            [] => Verdict::StillUnknown("two complete listings are needed to be sure"),
        }
    }

    /// Whether a listing proves that no batch of these items was there.
    pub(crate) fn is_clean(&self, listing: &Candidates) -> bool {
        listing.complete && !listing.found.iter().any(|one| self.may_become(one))
    }

    /// Whether it may be ours, now or once the server has filled it: nothing in it is foreign.
    fn may_become(&self, one: &Candidate) -> bool {
        let total = one.batch.total_items.unwrap_or(0);
        let too_many = usize::try_from(total).is_ok_and(|total| total > self.item_ids.len());
        let is_possible = is_of_type(one, &self.job_type) && !too_many;
        is_possible
            && match &one.item_ids {
                None => true,
                // What ended without any item has done no work.
                Some(ids) if ids.is_empty() => !one.batch.status.is_terminal() || total > 0,
                Some(ids) => ids.is_subset(&self.item_ids),
            }
    }

    /// Whether it is ours without the items that the server dropped: it has ended, and has more than half of them and no others.
    fn is_most(&self, one: &Candidate) -> bool {
        let most = |ids: &BTreeSet<String>| ids.is_subset(&self.item_ids) && ids.len() * 2 > self.item_ids.len();
        one.batch.status.is_terminal() && one.item_ids.as_ref().is_some_and(most)
    }
}

fn is_of_type(one: &Candidate, job_type: &str) -> bool {
    one.batch.job_type == job_type || !JOB_TYPES.contains(&one.batch.job_type.as_str())
}
