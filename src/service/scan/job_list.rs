//! Reading the job list: which batches are due, and which ones it no longer shows.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{ApiFound, Source};
use crate::cloud::{CloudError, Listed};
use crate::core::batch::Batch;
use crate::core::batch_api::{ApiStates, BatchApi, Finding, ListOutcome, Presence, conclude, twin_id};
use crate::core::scan::{ListOrder, Seen, in_window};
use crate::ledger::batch::KnownBatch;

/// Milliseconds after which an unchanged batch's `last_seen` is written again.
const STALE: i64 = 3_600_000;

/// What the job lists said: one for each API that was asked.
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
    /// Why it could not be read to its end, and whether we were refused.
    pub(super) error: Option<(String, bool)>,
    /// The APIs that may be asked.
    spoken: &'static [BatchApi],
    /// What each list came to.
    lists: Vec<ListRead>,
}

/// What asking for the list of one API came to.
#[derive(Debug)]
struct ListRead {
    api: BatchApi,
    outcome: ListOutcome,
    /// Batches shown.
    listed: u64,
    /// Known batches that must be followed and were not shown.
    unseen: Vec<String>,
    /// Why it could not be read, or not to its end, and whether we were refused.
    error: Option<(String, bool)>,
}

/// How to read them.
pub(super) struct Request<'a> {
    /// The look-back window's start.
    pub(super) since: Timestamp,
    /// Time of the scan.
    pub(super) now: Timestamp,
    /// The same in milliseconds, later than every earlier scan's.
    pub(super) at: i64,
    /// They may stop early: they were read to their ends lately.
    pub(super) may_stop: bool,
    /// What is known of the APIs.
    pub(super) apis: &'a ApiStates,
}

/// Reads the job lists that are due. An error leaves what was read before it.
///
/// If none of them can be read, the list of the other API is asked for, too: only by comparison is it known which is gone.
pub(super) async fn read<S: Source>(source: &S, known: &HashMap<String, KnownBatch>, request: &Request<'_>) -> JobList {
    let spoken = source.spoken();
    let awaited: HashSet<BatchApi> =
        known.iter().filter(|(_, batch)| batch.awaited).map(|(id, _)| source.api_of(id)).collect();
    let due = request.apis.lists_due(spoken, |api| awaited.contains(&api), !request.may_stop, request.now);
    let mut list = JobList { spoken, ..JobList::default() };
    let mut shown = HashSet::new();
    for api in due {
        list.read_one(source, api, known, &mut shown, request).await;
    }
    let is_read = |read: &ListRead| matches!(read.outcome, ListOutcome::Read { .. });
    if !list.lists.iter().any(is_read) {
        let left = spoken.iter().find(|api| list.lists.iter().all(|read| read.api != **api));
        if let Some(api) = left {
            list.read_one(source, *api, known, &mut shown, request).await;
        }
    }
    list
}

impl JobList {
    async fn read_one<S: Source>(
        &mut self,
        source: &S,
        api: BatchApi,
        known: &HashMap<String, KnownBatch>,
        shown: &mut HashSet<String>,
        request: &Request<'_>,
    ) {
        let awaited = known.iter().filter(|(id, batch)| batch.awaited && source.api_of(id) == api);
        let mut unseen: HashSet<&str> = awaited.map(|(id, _)| id.as_str()).collect();
        // A list that was never read holds batches that nobody knows, also behind a page of known ones.
        let may_stop = request.may_stop && request.apis.get(api).presence == Presence::Present;
        let mut order = ListOrder::new(unseen.len(), may_stop);
        let (mut stopped, mut active) = (false, false);
        let before = self.listed;
        let result = source
            .list_batches(api, request.since, &mut |page| {
                let mut seen = Vec::with_capacity(page.len());
                for batch in page {
                    active |= in_window(&batch, request.since);
                    let twin = twin_id(&batch.batch_id).filter(|twin| stands_for(source, twin, known, shown));
                    let known = known.get_key_value(batch.batch_id.as_str());
                    let awaited = known.is_some_and(|(id, _)| unseen.remove(id.as_str()));
                    let created_at = batch.created_at;
                    let settled = if known.is_none() && twin.is_some() {
                        true
                    } else {
                        let first = shown.insert(batch.batch_id.clone());
                        self.sort_in(batch, known.map(|(_, known)| known), first, request)
                    };
                    seen.push((created_at, Seen { settled, awaited }));
                }
                let flow = order.page(&seen);
                stopped = flow.is_break();
                flow
            })
            .await;
        let mut read = ListRead {
            api,
            outcome: ListOutcome::Read { active },
            listed: self.listed - before,
            unseen: unseen.into_iter().map(str::to_owned).collect(),
            error: None,
        };
        self.unreadable += read.end(result, stopped);
        self.lists.push(read);
    }

    /// Draws the conclusions about the APIs, which decide what the errors of lists mean; returns what is known of them then,
    /// and which went away.
    pub(super) fn conclude(&mut self, apis: &ApiStates, now: Timestamp) -> (ApiStates, Vec<BatchApi>) {
        let asked: Vec<_> = self.lists.iter().map(|read| (read.api, read.outcome)).collect();
        let (after, findings) = conclude(apis, &asked, now);
        let one_was_read = findings.iter().any(|(_, finding)| *finding == Finding::Read);
        let is_alone = self.lists.len() == 1;
        let nothing_there = self.lists.iter().all(|read| matches!(read.outcome, ListOutcome::NotFound(_)));
        if nothing_there && !is_alone {
            self.error = Some((self.no_api(), true));
            return (after, Vec::new());
        }
        for (read, (_, finding)) in self.lists.iter_mut().zip(&findings) {
            if is_alone || matches!(finding, Finding::Read | Finding::Failed) {
                self.unseen.append(&mut read.unseen);
            }
            let error = match finding {
                _ if is_alone => read.error.take(),
                Finding::Read | Finding::Failed => read.error_of_two(one_was_read),
                Finding::Unclear if one_was_read => Some((read.doubt(), false)),
                Finding::Unclear | Finding::NotThere | Finding::WentAway | Finding::ProbeFailed => None,
            };
            self.error = self.error.take().or(error);
        }
        let gone = findings.iter().filter(|(_, finding)| *finding == Finding::WentAway).map(|(api, _)| *api);
        (after, gone.collect())
    }

    /// What was found of the APIs that may be asked, given what was known before and is known now.
    pub(super) fn found(&self, before: &ApiStates, now: &ApiStates) -> Vec<ApiFound> {
        let of = |api: BatchApi| {
            let read = self.lists.iter().find(|read| read.api == api);
            let is_read = |read: &&ListRead| matches!(read.outcome, ListOutcome::Read { .. });
            let (state, known) = (*now.get(api), before.get(api).presence);
            let is_news = match state.presence {
                Presence::Present => known != Presence::Present,
                Presence::Absent => known == Presence::Present,
                Presence::Unknown => false,
            };
            ApiFound { api, state, listed: read.filter(is_read).map(|read| read.listed), is_news }
        };
        self.spoken.iter().map(|api| of(*api)).collect()
    }

    fn no_api(&self) -> String {
        let said = self.lists.iter().map(|read| match read.outcome {
            ListOutcome::NotFound(status) => format!("{} answers {status}", read.api),
            _ => format!("{} was not asked", read.api),
        });
        let said: Vec<String> = said.collect();
        format!(
            "could not list batches: neither API exists at the address ({}): check base-url, which takes no path",
            said.join(", ")
        )
    }

    /// Sorts one batch in; true if there is nothing to do for it.
    fn sort_in(&mut self, batch: Batch, known: Option<&KnownBatch>, first: bool, request: &Request<'_>) -> bool {
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
}

/// Whether the batch is known, or was shown, under the id that it has in the other API: one of the two is enough.
///
/// The ledger's stays. Once its API does not answer any more, it stays only if nothing can have changed since it was read.
fn stands_for<S: Source>(source: &S, twin: &str, known: &HashMap<String, KnownBatch>, shown: &HashSet<String>) -> bool {
    match known.get(twin) {
        Some(known) => source.serves(source.api_of(twin)) || !known.awaited,
        None => shown.contains(twin),
    }
}

impl ListRead {
    /// The error of this list where another one was asked for, too; only if that one was not read either, we are refused.
    fn error_of_two(&mut self, one_was_read: bool) -> Option<(String, bool)> {
        let (error, refused) = self.error.take()?;
        let hint = match refused && one_was_read {
            true => format!(
                "; if the project does not use API {}, set api = \"{}\" in its [[project]]",
                self.api,
                self.api.other()
            ),
            false => String::new(),
        };
        Some((format!("API {}: {error}{hint}", self.api), refused && !one_was_read))
    }

    fn doubt(&self) -> String {
        let status = if let ListOutcome::NotFound(status) = self.outcome { status } else { 404 };
        format!(
            "API {}: its batch list does not exist any more ({status}); if the next scan finds the same, it goes on without this API",
            self.api
        )
    }

    /// Notes how the list ended; returns the rows that could not be understood.
    fn end(&mut self, result: Result<Listed, CloudError>, stopped: bool) -> u64 {
        match result {
            Ok(listed) => {
                if listed.unreadable > 0 {
                    // Whole batches are hidden, and nobody can say how many failures are in them.
                    let why = listed.why_unreadable.unwrap_or_default();
                    let text = format!("job list: {} of its batches could not be read: {why}", listed.unreadable);
                    self.error = Some((text, false));
                }
                if !listed.complete && !stopped {
                    let why = listed.why_incomplete.unwrap_or_else(|| "it was not read to its end".to_owned());
                    self.error = Some((format!("job list: {why}"), false));
                }
                listed.unreadable
            }
            Err(error) => {
                self.outcome = error.list_not_found().map_or(ListOutcome::Failed, ListOutcome::NotFound);
                self.error = Some((format!("could not list batches: {error}"), error.stops_scan()));
                0
            }
        }
    }
}
