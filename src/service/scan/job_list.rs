//! Reading the job list: which batches are due, and which ones it no longer shows.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::Source;
use super::set_aside::fault_key;
use crate::cloud::{CloudError, Listed};
use crate::core::batch::Batch;
use crate::core::scan::{ListOrder, Seen, in_window};
use crate::core::text::count;
use crate::core::unread::why_unusable;
use crate::ledger::batch::KnownBatch;

/// Milliseconds after which an unchanged batch's `last_seen` is written again.
const STALE: i64 = 3_600_000;

/// Batches that one scan reads, at most: the others wait for the next one.
pub(super) const MOST_DUE: usize = 20_000;

/// What the job list said.
#[derive(Debug, Default)]
pub(super) struct JobList {
    /// Batches whose items must be listed.
    pub(super) due: Vec<Batch>,
    /// Unchanged batches whose `last_seen` is written again.
    pub(super) refresh: Vec<Batch>,
    /// Batches shown.
    pub(super) listed: u64,
    /// Rows that could not be understood.
    pub(super) unreadable: u64,
    /// Known batches that must be followed and were not shown.
    pub(super) unseen: Vec<String>,
    /// Stopped early: what follows was known and settled.
    pub(super) stopped: bool,
    /// Batches that no request can name, and why.
    pub(super) unusable: Vec<(Batch, &'static str)>,
    /// Faults of earlier scans whose batches it still shows.
    pub(super) still: HashSet<String>,
    /// When the oldest batch shown was made.
    pub(super) oldest: Option<Timestamp>,
    /// Rows of it that could not be read hide whole batches; why.
    pub(super) flaw: Option<String>,
    /// Why it could not be read to its end, and whether we were refused.
    pub(super) error: Option<(String, bool)>,
}

/// How to read it.
pub(super) struct Request {
    /// The look-back window's start.
    pub(super) since: Timestamp,
    /// Time of the scan in milliseconds.
    pub(super) at: i64,
    /// It may stop early: it was read to its end lately.
    pub(super) may_stop: bool,
    /// Batches that are read, at most.
    pub(super) most_due: usize,
    /// The project.
    pub(super) project: String,
    /// Faults about its batches that stand.
    pub(super) faults: HashSet<String>,
}

/// Reads the job list. An error leaves what was read before it.
pub(super) async fn read<S: Source>(source: &S, known: &HashMap<String, KnownBatch>, request: &Request) -> JobList {
    let awaited = known.iter().filter(|(_, batch)| batch.awaited);
    let mut unseen: HashSet<&str> = awaited.map(|(id, _)| id.as_str()).collect();
    let mut order = ListOrder::new(unseen.len(), request.may_stop);
    let mut list = JobList::default();
    let mut shown = HashSet::new();
    let result = source
        .list_batches(request.since, &mut |page| {
            let mut seen = Vec::with_capacity(page.len());
            for batch in page {
                let known = known.get_key_value(batch.batch_id.as_str());
                let awaited = known.is_some_and(|(id, _)| unseen.remove(id.as_str()));
                let created_at = batch.created_at;
                let first = shown.insert(short(&batch.batch_id));
                let settled = list.sort_in(batch, known.map(|(_, known)| known), first, request);
                seen.push((created_at, Seen { settled, awaited }));
            }
            if list.due.len() >= request.most_due {
                let why = format!(
                    "batch list: {} of its batches must be read; the next scans read what follows",
                    list.due.len()
                );
                list.error = Some((why, false));
                return ControlFlow::Break(());
            }
            let flow = order.page(&seen);
            list.stopped = flow.is_break();
            flow
        })
        .await;
    list.end(result);
    list.unseen = unseen.into_iter().map(str::to_owned).collect();
    list
}

/// A list may show millions of batches, so they are told apart by a hash of their ids.
fn short(batch_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    batch_id.hash(&mut hasher);
    hasher.finish()
}

impl JobList {
    /// Sorts one batch in; true if there is nothing to do for it.
    fn sort_in(&mut self, batch: Batch, known: Option<&KnownBatch>, first: bool, request: &Request) -> bool {
        self.oldest = batch.created_at.into_iter().chain(self.oldest).min();
        if known.is_none() && !in_window(&batch, request.since) {
            return true;
        }
        if !request.faults.is_empty() {
            let fault = fault_key(&request.project, &batch.batch_id);
            self.still.extend(request.faults.get(&fault).cloned());
        }
        if let Some(why) = why_unusable(&batch.batch_id) {
            self.listed += u64::from(first);
            self.unusable.extend(first.then_some((batch, why)));
            return true;
        }
        let settled = known.is_some_and(|known| {
            known.rests || !batch.needs_listing(known.listed_as.as_deref(), !request.may_stop, request.at)
        });
        if !first {
            // Shown twice, by a list that moved: once is enough.
            return settled;
        }
        self.listed += 1;
        if !settled {
            self.due.push(batch);
        } else if known.is_some_and(|known| known.gone || known.last_seen < request.at - STALE) {
            self.refresh.push(batch);
        }
        settled
    }

    fn end(&mut self, result: Result<Listed, CloudError>) {
        match result {
            Ok(listed) => {
                self.unreadable = listed.unreadable;
                if listed.unreadable > 0 {
                    // Whole batches are hidden, and nobody can say how many failures are in them.
                    let why = listed.why_unreadable.unwrap_or_default();
                    let batches = count(listed.unreadable, "batch", "batches");
                    self.flaw = Some(format!("{batches} of the batch list could not be read: {why}"));
                }
                if !listed.complete && !self.stopped && self.error.is_none() {
                    let why = listed.why_incomplete.unwrap_or_else(|| "it was not read to its end".to_owned());
                    self.error = Some((format!("batch list: {why}"), false));
                }
            }
            Err(error) => {
                self.error = Some((format!("could not list batches: {error}"), error.stops_scan()));
            }
        }
    }
}
