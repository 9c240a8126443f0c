//! One project's scan: job list, listings with bounded concurrency, evidence, and its row in the ledger.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, Transaction};
use crate::llamacloud::error::CloudError;
use crate::model::batch::Batch;
use crate::model::batch_api::{ApiStates, BatchApi};
use crate::model::id::bare_project_id;
use crate::model::time::DAY;
use crate::progress;
use crate::scan::intake::IntakeMessage;
use crate::scan::job_list::{self, JobList, JobListRequest, MOST_DUE};
use crate::scan::outstanding::compare;
use crate::scan::source::{BatchSource, Watched};
use crate::scan::store::batch::{self, KnownBatch};
use crate::scan::store::ingest_record::{Finish, ListingContext};
use crate::scan::store::project::{ScanEnd, StartedScan, begin_scan, end_scan, require_full_list};
use crate::scan::store::project_api;
use crate::scan::summary::{BatchRead, DueBatch, ScanSummary, UnreadFindings};
use crate::scan::unread::display_id;
use crate::scan::{apis, evidence, gap, listing, outstanding, set_aside};

/// A panic in a task is a defect: it goes on here, and never passes for a quiet account.
pub(crate) fn unless_panicked<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Milliseconds between two scans that read the job list to its end and ask for old batches with open items.
const FULL_READ_EVERY: i64 = DAY;

/// Batches that are asked for one by one in a scan, at most; the longest unseen come first.
const ASKED_SINGLY: usize = 50;

/// Scans one project. Trouble with the API is in the summary.
pub(crate) async fn scan<S: BatchSource>(
    ledger: &Ledger,
    project: &Watched<S>,
    named: Vec<String>,
    pages: mpsc::Sender<IntakeMessage>,
    now: Timestamp,
) -> Result<ScanSummary, LedgerError> {
    let requests_before = project.source.requests();
    let name = project.name.clone();
    let clock = Instant::now();
    let begun = ledger.write(move |tx| begin_scan(tx, &name, now)).await?;
    let mut counts = ScanSummary { project: project.name.clone(), complete: true, ..ScanSummary::default() };
    let (list_read, apis) = read(ledger, project, &begun, named, pages, now, &mut counts).await?;
    counts.requests = project.source.requests() - requests_before;
    let ended_at = now.checked_add(clock.elapsed()).unwrap_or(now);
    end(ledger, project, &begun, &counts, (list_read, apis), ended_at).await?;
    if let Some(error) = &counts.error {
        tracing::warn!("scan incomplete: {error}");
    }
    for aside in counts.set_aside.iter().chain(&counts.lost) {
        tracing::warn!("not read: {}", aside.text);
    }
    Ok(counts)
}

/// What is known of the APIs after their lists were asked for, and which of them went away.
struct Apis {
    states: ApiStates,
    gone: Vec<BatchApi>,
}

/// Does the work; says whether the job list was read to its end, and what is known of the APIs.
async fn read<S: BatchSource>(
    ledger: &Ledger,
    project: &Watched<S>,
    begun: &StartedScan,
    named: Vec<String>,
    pages: mpsc::Sender<IntakeMessage>,
    now: Timestamp,
    counts: &mut ScanSummary,
) -> Result<(bool, Apis), LedgerError> {
    let project_key = begun.project_key;
    let at = begun.at;
    let apis = ledger.read(move |connection| project_api::states(connection, project_key)).await?;
    project.source.note_apis(apis);
    let known = ledger.read(move |connection| batch::known_batches(connection, project_key, at)).await?;
    let full = begun.list_read_at.is_none_or(|at| begun.at - at >= FULL_READ_EVERY);
    let look_back = SignedDuration::try_from(project.look_back).unwrap_or(SignedDuration::MAX);
    let windows = gap::Windows::new(ledger, begun, &apis, look_back, now).await?;
    let (unread, faults) = UnreadFindings::load(ledger, &project.name, project_key).await?;
    counts.unread = unread;
    let request = JobListRequest {
        windows,
        now,
        at: begun.at,
        may_stop: !full,
        most_due: MOST_DUE,
        project: project.name.clone(),
        faults: faults.into_iter().collect(),
        apis: &apis,
    };
    let source = project.source.as_ref();
    let mut list = job_list::read(source, &known, &request).await;
    let (states, gone) = list.conclude(&apis, now);
    source.note_apis(states);
    counts.apis = list.found(&apis, &states);
    let is_clear = counts.take_lists(ledger, begun, &mut list).await?;
    let well_read = list.error.is_none() && is_clear;
    if !well_read && begun.list_read_at.is_some() {
        // Before anything of it is recorded, so that not even a crash makes half a list look whole.
        ledger.write(move |tx| require_full_list(tx, project_key)).await?;
    }
    let list_read = full && well_read;
    // Where no server answers, nothing confirms the clock, and nothing is known of the batches.
    let is_answered = list.error.is_none() || list.listed > 0;
    if let Some((error, refused)) = list.error.take() {
        counts.fails(error, refused);
    }
    if !counts.refused {
        follow_named(ledger, source, begun, &known, named, &mut list, counts).await?;
    }
    if !counts.refused {
        follow_unseen(ledger, source, begun, &known, full, &mut list, counts).await?;
    }
    // A batch that was said to be gone may hold what could not be asked for then.
    let returned = list.refresh.iter().any(|batch| known.get(&batch.batch_id).is_some_and(|known| known.gone));
    let shown = list.shown_times(&windows);
    let all_due = list.due.len() as u64;
    let due = record(ledger, begun, &known, &mut list).await?;
    counts.batches_read += all_due - due.len() as u64;
    if !counts.refused {
        read_due(ledger, project, due, pages.clone(), counts).await?;
    }
    if !counts.refused {
        compare::record_duplicates(ledger, source, begun, &pages).await?;
    }
    if is_answered {
        outstanding::record(ledger, begun, project.overdue, &pages, now).await?;
    }
    // An account where nothing changed costs the job list and nothing else.
    let has_changes = counts.batches_read > 0 || returned || !begun.continues;
    if !counts.refused && has_changes {
        evidence::search(ledger, source, begun, counts).await?;
    }
    if !counts.refused {
        gap::find_lost_batches(ledger, source, begun, shown, counts).await?;
    }
    set_aside::is_about_one_batch(ledger, source, begun, counts).await?;
    Ok((list_read, Apis { states, gone }))
}

/// Asks for the batches that events named. They are read whatever is known of them; what the API does not know is let be,
/// and so is what belongs to another project, which the same key may see.
async fn follow_named<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    known: &HashMap<String, KnownBatch>,
    named: Vec<String>,
    list: &mut JobList,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    if named.is_empty() {
        return Ok(());
    }
    let project_key = begun.project_key;
    let own = match list.due.iter().chain(&list.refresh).find_map(|batch| batch.project_id.clone()) {
        Some(own) => Some(own),
        None => ledger.read(move |connection| batch::project_id(connection, project_key)).await?,
    };
    let is_foreign = |found: &Batch| match (&found.project_id, &own) {
        (Some(found), Some(own)) => bare_project_id(found) != bare_project_id(own),
        _ => false,
    };
    for batch_id in named {
        if list.due.iter().any(|due| due.batch_id == batch_id) {
            continue;
        }
        match source.batch(&batch_id).await {
            Ok(Some(found)) if is_foreign(&found) => {}
            Ok(Some(found)) => {
                list.refresh.retain(|batch| batch.batch_id != found.batch_id);
                list.due.push(found);
            }
            Ok(None) => {}
            Err(error) if known.contains_key(&batch_id) => {
                if counts.cannot_ask(source, &batch_id, &error) {
                    return Ok(());
                }
            }
            // Its project is unknown, so even a 403 is no error of this project. A bad key fails at the job list.
            Err(error) => {
                tracing::warn!(batch.id = batch_id, %error, "cannot read a batch that a webhook event named")
            }
        }
    }
    Ok(())
}

/// Asks one by one for batches that matter and that the job list did not show.
async fn follow_unseen<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    known: &HashMap<String, KnownBatch>,
    full: bool,
    list: &mut JobList,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let mut wanted = std::mem::take(&mut list.unseen);
    if full {
        let (project_key, before) = (begun.project_key, begun.at - FULL_READ_EVERY);
        let open = move |connection: &crate::ledger::Connection| {
            batch::unseen_with_open_items(connection, project_key, before)
        };
        wanted.extend(ledger.read(open).await?);
    }
    wanted.sort_by_key(|id| known.get(id).map(|batch| batch.last_seen));
    wanted.dedup();
    let listed: std::collections::HashSet<&str> =
        list.due.iter().chain(&list.refresh).map(|b| b.batch_id.as_str()).collect();
    wanted.retain(|id| !listed.contains(id.as_str()) && source.serves(source.api_of(id)));
    for batch_id in wanted.into_iter().take(ASKED_SINGLY) {
        match source.batch(&batch_id).await {
            Ok(Some(found)) => {
                let listing = known.get(&batch_id).and_then(|known| known.listing.as_ref());
                if found.needs_listing(listing, full, begun.at) {
                    list.due.push(found);
                } else {
                    list.refresh.push(found);
                }
            }
            Ok(None) => {
                let project_key = begun.project_key;
                let at = begun.at;
                ledger.write(move |tx| batch::mark_gone(tx, project_key, &batch_id, at)).await?;
            }
            Err(error) => {
                if counts.cannot_ask(source, &batch_id, &error) {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Writes what the job list showed; the batches whose items must be listed come back with their place in the ledger.
async fn record(
    ledger: &Ledger,
    begun: &StartedScan,
    known: &HashMap<String, KnownBatch>,
    list: &mut JobList,
) -> Result<Vec<DueBatch>, LedgerError> {
    let due = std::mem::take(&mut list.due);
    let refresh = std::mem::take(&mut list.refresh);
    if due.is_empty() && refresh.is_empty() {
        return Ok(Vec::new());
    }
    // An unchanged batch is written only to move its `last_seen`; a due one always, for its key and its new looks.
    debug_assert!(refresh.iter().all(|batch| known.contains_key(&batch.batch_id)));
    let begun = *begun;
    // Nothing of a batch that is new can be open in the ledger, so there is nothing to compare with, either.
    let is_read = |batch: &Batch| batch.has_nothing_to_list() && !known.contains_key(&batch.batch_id);
    let read: Vec<bool> = due.iter().map(is_read).collect();
    ledger
        .write(move |tx| {
            let named = due.iter().chain(&refresh).find_map(|batch| batch.project_id.as_deref());
            if let Some(project_id) = named {
                batch::name_project(tx, begun.project_key, project_id)?;
            }
            batch::record(tx, begun.project_key, &refresh, begun.at)?;
            let keys = batch::record(tx, begun.project_key, &due, begun.at)?;
            let place = |batch_key| ListingContext {
                project_key: begun.project_key,
                batch_key,
                seen_at: begun.at,
                baseline_until: begun.baseline_until,
            };
            let mut placed = Vec::new();
            for ((batch, place), is_read) in due.into_iter().zip(keys.into_iter().map(place)).zip(read) {
                if is_read {
                    let listing = Some(batch.listed(true));
                    batch::mark_listed(tx, &Finish { place, complete: true, listing, counted: None })?;
                } else {
                    placed.push(DueBatch { batch, place });
                }
            }
            Ok(placed)
        })
        .await
}

/// Batches that were listed to the end and wait for their rows to be written, at most.
/// The more may wait, the more rows share a transaction; each is a task and no more.
const UNANSWERED: usize = 256;

/// Lists the due batches, a bounded number at once. One that fails does not cost the others, unless we are refused.
async fn read_due<S: BatchSource>(
    ledger: &Ledger,
    project: &Watched<S>,
    due: Vec<DueBatch>,
    pages: mpsc::Sender<IntakeMessage>,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    // The client bounds the requests; a few batches more, so that one is at hand whenever a request may be made.
    let turns = Arc::new(Semaphore::new((2 * project.concurrency.max(1)) - 1));
    progress::expect("reading batches", due.len() as u64);
    let mut waiting = due.into_iter().peekable();
    let mut reading: JoinSet<Result<BatchRead, LedgerError>> = JoinSet::new();
    loop {
        let goes_on = waiting.peek().is_some() && !counts.refused && reading.len() < UNANSWERED;
        tokio::select! {
            biased;
            Some(joined) = reading.join_next() => {
                progress::advance();
                counts.add(project.source.as_ref(), unless_panicked(joined)?);
            }
            Ok(turn) = Arc::clone(&turns).acquire_owned(), if goes_on => {
                let Some(due) = waiting.next() else { continue };
                let (ledger, source, pages) = (ledger.clone(), Arc::clone(&project.source), pages.clone());
                let read = async move { listing::read(&ledger, source.as_ref(), &due, &pages, turn).await };
                reading.spawn(read.in_current_span());
            }
            else => return Ok(()),
        }
    }
}

impl ScanSummary {
    fn add<S: BatchSource>(&mut self, source: &S, read: BatchRead) {
        let api = source.api_of(&read.batch_id);
        self.batches_read += 1;
        self.items_listed += read.rows;
        self.items_new += read.new;
        self.recovered += read.recovered;
        self.unreadable += read.unreadable;
        self.why_unreadable = self.why_unreadable.take().or(read.why_unreadable);
        if let Some((rows, why)) = read.lost_rows {
            self.set_rows_aside(&read.batch_id, rows, &why);
        }
        let refused = read.refused && !(read.forbidden && self.may_be_about_the_batch(api));
        match read.error {
            Some(error) if refused || !source.serves(api) => {
                self.fails(format!("batch {}: {error}", display_id(&read.batch_id)), refused);
            }
            Some(error) => self.cannot_read(&read.batch_id, error, read.own || read.forbidden),
            None if read.gone => self.note_listed_but_missing(&read.batch_id),
            None => self.read_well(&read.batch_id, api, !read.unasked),
        }
    }

    /// Notes that one batch could not be asked for; true if no other call can succeed, either.
    fn cannot_ask<S: BatchSource>(&mut self, source: &S, batch_id: &str, error: &CloudError) -> bool {
        let api = source.api_of(batch_id);
        let refused = error.stops_scan() && !(error.is_forbidden() && self.may_be_about_the_batch(api));
        if refused || !source.serves(api) {
            self.fails(format!("batch {}: {error}", display_id(batch_id)), refused);
        } else {
            self.cannot_read(batch_id, error.to_string(), error.is_about_what_was_asked() || error.is_forbidden());
        }
        refused
    }
}

async fn end<S: BatchSource>(
    ledger: &Ledger,
    project: &Watched<S>,
    begun: &StartedScan,
    counts: &ScanSummary,
    (list_read, apis): (bool, Apis),
    now: Timestamp,
) -> Result<(), LedgerError> {
    let begun = *begun;
    let found = counts.clone();
    let ended = ScanEnd {
        complete: counts.complete,
        list_read: list_read && counts.complete,
        batches_listed: counts.batches_listed,
        batches_read: counts.batches_read,
        items_listed: counts.items_listed,
        items_new: counts.items_new,
        unreadable: counts.unreadable,
        requests: counts.requests,
        error: counts.error.clone(),
    };
    let (name, configured) = (project.name.clone(), project.source.apis());
    let write = move |tx: &Transaction<'_>| {
        set_aside::announce(tx, &begun, &found, ended.list_read)?;
        end_scan(tx, &begun, &ended, now)?;
        apis::keep(tx, begun.project_key, &name, configured, (&apis.states, &apis.gone), now)
    };
    ledger.write(write).await
}
