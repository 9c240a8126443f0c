//! Reading the job list: which batches are due, and which ones it no longer shows.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::Source;
use crate::cloud::{CloudError, Listed};
use crate::core::batch::Batch;
use crate::core::scan::{ListOrder, Seen, in_window};
use crate::ledger::batch::KnownBatch;

/// Milliseconds after which an unchanged batch's `last_seen` is written again.
const STALE: i64 = 3_600_000;

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
                let first = shown.insert(batch.batch_id.clone());
                let settled = list.sort_in(batch, known.map(|(_, known)| known), first, request);
                seen.push((created_at, Seen { settled, awaited }));
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

impl JobList {
    /// Sorts one batch in; true if there is nothing to do for it.
    fn sort_in(&mut self, batch: Batch, known: Option<&KnownBatch>, first: bool, request: &Request) -> bool {
        if known.is_none() && !in_window(&batch, request.since) {
            return true;
        }
        let settled =
            known.is_some_and(|known| !batch.needs_listing(known.listed_as.as_deref(), !request.may_stop, request.at));
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
                    self.error = Some((
                        format!("job list: {} of its batches could not be read: {why}", listed.unreadable),
                        false,
                    ));
                }
                if !listed.complete && !self.stopped {
                    let why = listed.why_incomplete.unwrap_or_else(|| "it was not read to its end".to_owned());
                    self.error = Some((format!("job list: {why}"), false));
                }
            }
            Err(error) => {
                self.error = Some((format!("could not list batches: {error}"), error.stops_scan()));
            }
        }
    }
}
