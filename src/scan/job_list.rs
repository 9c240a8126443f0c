//! Reading the job list: which batches are due, and which ones it no longer shows.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use strum::VariantArray as _;

use jiff::Timestamp;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::model::batch::Batch;
use crate::model::batch_api::{ApiFinding, ApiStates, BatchApi, ListOutcome, Presence, conclude, twin_id};
use crate::model::text::count;
use crate::model::time::HOUR;
use crate::scan::apis::ApiFound;
use crate::scan::gap::{ShownTime, Windows};
use crate::scan::rules::{BatchEvidence, ListOrder, in_window};
use crate::scan::source::BatchSource;
use crate::scan::store::batch::KnownBatch;
use crate::scan::unread::{MORE, fault_key, list_name, unread_prefix, why_unusable};

/// The API whose batch list shows whether a fault holds: its batch's, or that of the list itself. None if no list can show it.
pub(crate) fn api_of_fault<S: BatchSource>(source: &S, project: &str, fault: &str) -> Option<BatchApi> {
    let about = fault.strip_prefix(&unread_prefix(project))?;
    match BatchApi::VARIANTS.iter().copied().find(|api| about == list_name(*api)) {
        Some(api) => source.apis().contains(&api).then_some(api),
        None if about == MORE => None,
        None => Some(source.api_of(about)),
    }
}

/// Milliseconds after which an unchanged batch's `last_seen` is written again.
const STALE: i64 = HOUR;

/// Batches of one list that are due in one scan, at most: the list is cut there, and the next scans go on with it.
pub(crate) const MOST_DUE: usize = 20_000;

/// Batches of a cut list whose items are listed in one scan, at most. A list that never ends must be told soon.
pub(crate) const MOST_READ_OF_CUT: usize = 1_000;

/// What the job lists said: one for each API that was asked.
#[derive(Debug, Default)]
pub(crate) struct JobList {
    /// Batches whose items must be listed.
    pub(crate) due: Vec<Batch>,
    /// Unchanged batches whose `last_seen` is written again.
    pub(crate) refresh: Vec<Batch>,
    /// Batches shown.
    pub(crate) listed: u64,
    /// Rows that could not be understood.
    pub(crate) unreadable: u64,
    /// Known batches that must be followed and were not shown.
    pub(crate) unseen: Vec<String>,
    /// Batches that no request can name, and why.
    pub(crate) unusable: Vec<(Batch, &'static str)>,
    /// Faults of earlier scans that hold: their batches are shown, or the list that would show them was not read to its end.
    pub(crate) still: HashSet<String>,
    /// Why it could not be read to its end, and whether we were refused.
    pub(crate) error: Option<(String, bool)>,
    /// The APIs that may be asked.
    apis: &'static [BatchApi],
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
    /// What it is called in messages.
    name: String,
    /// It might stop early.
    may_stop: bool,
    /// It did: what follows was known and settled.
    stopped: bool,
    /// When the oldest batch shown was made.
    oldest: Option<Timestamp>,
    /// Rows of it that could not be read hide whole batches; why.
    flaw: Option<String>,
    /// It was read to its end, and every row of it.
    whole: bool,
}

/// How to read them.
pub(crate) struct JobListRequest<'a> {
    /// The look-back window of each list.
    pub(crate) windows: Windows,
    /// Time of the scan.
    pub(crate) now: Timestamp,
    /// The same in milliseconds, later than every earlier scan's.
    pub(crate) at: i64,
    /// They may stop early: they were read to their ends lately.
    pub(crate) may_stop: bool,
    /// Batches of one list that are read, at most.
    pub(crate) most_due: usize,
    /// The project.
    pub(crate) project: String,
    /// Faults about its batches that stand.
    pub(crate) faults: HashSet<String>,
    /// What is known of the APIs.
    pub(crate) apis: &'a ApiStates,
}

/// Reads the job lists that are due. An error leaves what was read before it.
///
/// If none of them can be read, the list of the other API is asked for, too: only by comparison is it known which is gone.
pub(crate) async fn read<S: BatchSource>(
    source: &S,
    known: &HashMap<String, KnownBatch>,
    request: &JobListRequest<'_>,
) -> JobList {
    let apis = source.apis();
    let awaited: HashSet<BatchApi> =
        known.iter().filter(|(_, batch)| batch.awaited).map(|(id, _)| source.api_of(id)).collect();
    let due = request.apis.lists_due(apis, |api| awaited.contains(&api), !request.may_stop, request.now);
    let mut list = JobList { apis, ..JobList::default() };
    let mut shown = HashSet::new();
    for api in due {
        list.read_one(source, api, known, &mut shown, request).await;
    }
    let is_read = |read: &ListRead| matches!(read.outcome, ListOutcome::Read { .. });
    if !list.lists.iter().any(is_read) {
        let left = apis.iter().find(|api| list.lists.iter().all(|read| read.api != **api));
        if let Some(api) = left {
            list.read_one(source, *api, known, &mut shown, request).await;
        }
    }
    list.keep_unverified_faults_open(source, request);
    list
}

/// A list may show millions of batches, so they are distinguished by a hash of their ids.
fn short(batch_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    batch_id.hash(&mut hasher);
    hasher.finish()
}

impl JobList {
    async fn read_one<S: BatchSource>(
        &mut self,
        source: &S,
        api: BatchApi,
        known: &HashMap<String, KnownBatch>,
        shown: &mut HashSet<u64>,
        request: &JobListRequest<'_>,
    ) {
        let awaited = known.iter().filter(|(id, batch)| batch.awaited && source.api_of(id) == api);
        let mut unseen: HashSet<&str> = awaited.map(|(id, _)| id.as_str()).collect();
        // A list that was never read holds batches that no one knows, also behind a page of known ones.
        let may_stop = request.may_stop && request.apis.get(api).presence == Presence::Present;
        let mut order = ListOrder::new(unseen.len(), may_stop);
        let since = request.windows.window(api).since;
        let (mut active, mut read) = (false, ListRead::new(api, may_stop, self.apis.len() > 1));
        let (listed_before, due_before) = (self.listed, self.due.len());
        let result = source
            .list_batches(api, since, &mut |page| {
                let mut seen = Vec::with_capacity(page.len());
                for batch in page {
                    active |= in_window(&batch, since);
                    read.oldest = batch.created_at.into_iter().chain(read.oldest).min();
                    let twin = twin_id(&batch.batch_id).filter(|twin| is_known_under(source, twin, known, shown));
                    let known = known.get_key_value(batch.batch_id.as_str());
                    let awaited = known.is_some_and(|(id, _)| unseen.remove(id.as_str()));
                    let created_at = batch.created_at;
                    let settled = if known.is_none() && twin.is_some() {
                        true
                    } else {
                        let first = shown.insert(short(&batch.batch_id));
                        self.add_batch(batch, known.map(|(_, known)| known), (first, since), request)
                    };
                    seen.push((created_at, BatchEvidence { settled, awaited }));
                }
                let due = self.due.len() - due_before;
                if due >= request.most_due {
                    read.error = Some((cut(due, &self.due[due_before..]), false));
                    return ControlFlow::Break(());
                }
                let flow = order.page(&seen);
                read.stopped = flow.is_break();
                flow
            })
            .await;
        if self.due.len() - due_before >= request.most_due {
            self.defer_cut_list(due_before);
        }
        read.outcome = ListOutcome::Read { active };
        read.listed = self.listed - listed_before;
        read.unseen = unseen.into_iter().map(str::to_owned).collect();
        self.unreadable += read.end(result);
        let is_read = matches!(read.outcome, ListOutcome::Read { .. });
        read.whole = is_read && read.error.is_none() && !read.stopped && read.flaw.is_none();
        self.lists.push(read);
    }

    /// Leaves to the next scans what would take long: the batches of a cut list, but for those without anything to list.
    fn defer_cut_list(&mut self, due_before: usize) {
        let mut position = 0;
        let mut left = MOST_READ_OF_CUT;
        self.due.retain(|batch| {
            position += 1;
            let keeps = position <= due_before || batch.has_nothing_to_list() || left > 0;
            left = left.saturating_sub(usize::from(position > due_before && !batch.has_nothing_to_list()));
            keeps
        });
    }

    /// A list that was not read to its end, or is not there, proves nothing about the faults of its batches.
    fn keep_unverified_faults_open<S: BatchSource>(&mut self, source: &S, request: &JobListRequest<'_>) {
        let is_proved = |fault: &&String| {
            let api = api_of_fault(source, &request.project, fault);
            api.is_none_or(|api| self.lists.iter().any(|read| read.api == api && read.whole))
        };
        self.still.extend(request.faults.iter().filter(|fault| !is_proved(fault)).cloned());
    }

    /// Takes the flaws of the lists out.
    pub(crate) fn record_sort_flaws(&mut self) -> Vec<(BatchApi, String)> {
        self.lists.iter_mut().filter_map(|read| Some((read.api, read.flaw.take()?))).collect()
    }

    /// The APIs whose lists have no flaw: they were read to their ends, or may not be asked.
    pub(crate) fn flawless(&self) -> Vec<BatchApi> {
        let is_whole = |api: &BatchApi| self.lists.iter().any(|read| read.api == *api && read.whole);
        BatchApi::VARIANTS.iter().copied().filter(|api| is_whole(api) || !self.apis.contains(api)).collect()
    }

    /// What the lists showed that were read to their ends; the others prove nothing.
    pub(crate) fn shown_times(&self, windows: &Windows) -> Vec<ShownTime> {
        let whole = self.lists.iter().filter(|read| read.whole && !read.may_stop);
        whole.map(|read| ShownTime { api: read.api, window: *windows.window(read.api), oldest: read.oldest }).collect()
    }

    /// Draws the conclusions about the APIs, which decide what the errors of lists mean; returns what is known of them then,
    /// and which went away.
    pub(crate) fn conclude(&mut self, apis: &ApiStates, now: Timestamp) -> (ApiStates, Vec<BatchApi>) {
        let asked: Vec<_> = self.lists.iter().map(|read| (read.api, read.outcome)).collect();
        let (after, findings) = conclude(apis, &asked, now);
        let one_was_read = findings.iter().any(|(_, finding)| *finding == ApiFinding::Read);
        let is_alone = self.lists.len() == 1;
        let nothing_there = self.lists.iter().all(|read| matches!(read.outcome, ListOutcome::NotFound(_)));
        if nothing_there && !is_alone {
            self.error = Some((self.no_api(), true));
            return (after, Vec::new());
        }
        for (read, (_, finding)) in self.lists.iter_mut().zip(&findings) {
            if is_alone || matches!(finding, ApiFinding::Read | ApiFinding::Failed) {
                self.unseen.append(&mut read.unseen);
            }
            let error = match finding {
                _ if is_alone => read.error.take(),
                ApiFinding::Read | ApiFinding::Failed => read.error_of_two(one_was_read),
                ApiFinding::Unclear if one_was_read => Some((read.not_found_text(), false)),
                ApiFinding::Unclear | ApiFinding::NotThere | ApiFinding::WentAway | ApiFinding::ProbeFailed => None,
            };
            self.error = self.error.take().or(error);
        }
        let gone = findings.iter().filter(|(_, finding)| *finding == ApiFinding::WentAway).map(|(api, _)| *api);
        (after, gone.collect())
    }

    /// What was found of the APIs that may be asked, given what was known before and is known now.
    pub(crate) fn found(&self, before: &ApiStates, now: &ApiStates) -> Vec<ApiFound> {
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
        self.apis.iter().map(|api| of(*api)).collect()
    }

    fn no_api(&self) -> String {
        let said = self.lists.iter().map(|read| match read.outcome {
            ListOutcome::NotFound(status) => format!("{} answers {status}", read.api),
            _ => format!("{} was not asked", read.api),
        });
        let said: Vec<String> = said.collect();
        format!(
            "could not list batches: neither API exists at the address ({}): check base-url, which must have no path",
            said.join(", ")
        )
    }

    /// Sorts one batch in; true if there is nothing to do for it.
    fn add_batch(
        &mut self,
        batch: Batch,
        known: Option<&KnownBatch>,
        (first, since): (bool, Timestamp),
        request: &JobListRequest<'_>,
    ) -> bool {
        if known.is_none() && !in_window(&batch, since) {
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
            known.rests || !batch.needs_listing(known.listing.as_ref(), !request.may_stop, request.at)
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
}

/// Why a list was not read on after this many batches that are due.
fn cut(due: usize, batches: &[Batch]) -> String {
    let oldest = batches.iter().filter_map(|batch| batch.created_at).min();
    let oldest = oldest.map_or_else(String::new, |at| format!(", the oldest of {at}"));
    format!(
        "batch list: not at its end after {due} new batches{oldest}. The next scans continue with it; \
         if it never ends, LlamaCloud's list is broken"
    )
}

/// Whether the batch is known, or was shown, under the id that it has in the other API: one of the two is enough.
///
/// The ledger's stays. Once its API does not answer any more, it stays only if nothing can have changed since it was read.
fn is_known_under<S: BatchSource>(
    source: &S,
    twin: &str,
    known: &HashMap<String, KnownBatch>,
    shown: &HashSet<u64>,
) -> bool {
    match known.get(twin) {
        Some(known) => source.serves(source.api_of(twin)) || !known.awaited && !known.rests,
        None => shown.contains(&short(twin)),
    }
}

impl ListRead {
    fn new(api: BatchApi, may_stop: bool, one_of_two: bool) -> ListRead {
        let name = if one_of_two { format!("the batch list of API {api}") } else { "the batch list".to_owned() };
        ListRead {
            api,
            outcome: ListOutcome::Failed,
            listed: 0,
            unseen: Vec::new(),
            error: None,
            name,
            may_stop,
            stopped: false,
            oldest: None,
            flaw: None,
            whole: false,
        }
    }

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

    fn not_found_text(&self) -> String {
        let status = if let ListOutcome::NotFound(status) = self.outcome { status } else { 404 };
        format!(
            "API {}: its batch list no longer exists ({status}); if that lasts for ten minutes, scans skip this API",
            self.api
        )
    }

    /// Notes how the list ended; returns the rows that could not be understood.
    fn end(&mut self, result: Result<ListResult, CloudError>) -> u64 {
        match result {
            Ok(listed) => {
                if listed.unreadable > 0 {
                    // Whole batches are hidden, and no one can say how many failures are in them.
                    let why = listed.why_unreadable.unwrap_or_default();
                    let batches = count(listed.unreadable, "batch", "batches");
                    self.flaw = Some(format!("{batches} of {} could not be read: {why}", self.name));
                    // Such a list has batches, and must be asked for again in the next scan.
                    self.outcome = ListOutcome::Read { active: true };
                }
                if !listed.complete && !self.stopped && self.error.is_none() {
                    let why = listed.why_incomplete.unwrap_or_else(|| "not read completely".to_owned());
                    self.error = Some((format!("batch list: {why}"), false));
                }
                listed.unreadable
            }
            Err(error) => {
                self.outcome = error.list_not_found().map_or(ListOutcome::Failed, ListOutcome::NotFound);
                let which = self.oldest.map_or_else(String::new, |at| format!(" made before {at}"));
                self.error = Some((format!("could not list batches{which}: {error}"), error.stops_scan()));
                0
            }
        }
    }
}
