//! Parts of a project that cannot be read: each is reported as a fault and skipped, so that it does not stop the scan.
//!
//! A batch makes a scan incomplete until it is sure that the fault is its own; then it rests and is tried again less and less.

use std::collections::HashSet;
use std::ops::ControlFlow;
use strum::VariantArray as _;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::time::timestamp;
use crate::ledger::{Ledger, Transaction, fault};
use crate::model::batch::Batch;
use crate::model::batch_api::BatchApi;
use crate::model::text::count;
use crate::scan::job_list::JobList;
use crate::scan::source::BatchSource;
use crate::scan::store::project::StartedScan;
use crate::scan::store::unread;
use crate::scan::summary::{FailedBatch, ScanSummary, SetAside, UnreadFindings};
use crate::scan::unread as rules;
use crate::scan::unread::{FaultContext, MORE, display_id, fault_key, list_name, lost_prefix, unread_prefix};

/// Faults of this kind that one project has at once, at most; the others are counted in one more.
const MOST_FAULTS: usize = 10;

impl UnreadFindings {
    /// Reads what earlier scans left.
    pub(crate) async fn load(
        ledger: &Ledger,
        project: &str,
        project_key: i64,
    ) -> Result<(UnreadFindings, Vec<String>), LedgerError> {
        let prefix = unread_prefix(project);
        let read = move |connection: &_| {
            Ok((unread::all(connection, project_key)?, fault::active_with_prefix(connection, &prefix)?))
        };
        let (before, faults) = ledger.read(read).await?;
        Ok((UnreadFindings { before: before.into_iter().collect(), ..UnreadFindings::default() }, faults))
    }
}

impl ScanSummary {
    /// Takes over what the batch lists hold that cannot be read; false if a scan is incomplete for it.
    pub(crate) async fn take_lists(
        &mut self,
        ledger: &Ledger,
        begun: &StartedScan,
        list: &mut JobList,
    ) -> Result<bool, LedgerError> {
        self.batches_listed = list.listed;
        self.unreadable += list.unreadable;
        self.unread.standing = std::mem::take(&mut list.still);
        self.unread.flawless = list.flawless();
        for (batch, why) in std::mem::take(&mut list.unusable) {
            self.set_aside(&batch, why);
        }
        let mut is_clear = true;
        for (api, flaw) in list.record_sort_flaws() {
            is_clear &= self.flawed_list(ledger, begun, api, flaw).await?;
        }
        Ok(is_clear)
    }

    /// Notes a batch that could not be read.
    pub(crate) fn cannot_read(&mut self, batch_id: &str, error: String, own: bool) {
        self.unread.failed.push(FailedBatch { batch_id: batch_id.to_owned(), error, own, gone: false });
    }

    /// Whether one more 403 may be about its batch alone: the batch list was read with this key.
    ///
    /// Where more than a few batches get one and none is read, it is about the key, and to ask for the others brings nothing.
    pub(crate) fn may_be_about_the_batch(&mut self, api: BatchApi) -> bool {
        self.unread.forbidden += 1;
        self.unread.forbidden <= rules::FEW || self.unread.others_read.contains(&api)
    }

    /// Notes a batch that the batch list shows and that LlamaCloud says it does not know.
    pub(crate) fn note_listed_but_missing(&mut self, batch_id: &str) {
        let error = "it is in the batch list, but LlamaCloud answers 404 (does not exist)".to_owned();
        self.unread.failed.push(FailedBatch { batch_id: batch_id.to_owned(), error, own: true, gone: true });
    }

    /// Notes a batch that was read well; if LlamaCloud `was_asked` for its items, it answers.
    pub(crate) fn read_well(&mut self, batch_id: &str, api: BatchApi, was_asked: bool) {
        if was_asked {
            self.unread.others_read.insert(api);
        }
        if self.unread.before.contains(batch_id) || self.unread.standing.contains(&fault_key(&self.project, batch_id)) {
            self.unread.mended.push(batch_id.to_owned());
        }
    }

    /// Leaves a batch out because of what it is.
    pub(crate) fn set_aside(&mut self, batch: &Batch, why: &str) {
        let counted = batch.failed_items.filter(|failed| *failed > 0);
        let counted = counted
            .map_or_else(String::new, |failed| format!(" It counts {}.", count(failed, "failed item", "failed items")));
        let id = display_id(&batch.batch_id);
        let text = format!(
            "project {}: batch {id} cannot be read: {why}.{counted} Its items are not in the ledger; open it in LlamaCloud.",
            self.project
        );
        self.leave_out(&batch.batch_id, text);
    }

    /// Leaves rows of a batch out that cannot be read.
    pub(crate) fn set_rows_aside(&mut self, batch_id: &str, rows: u64, why: &str) {
        let rows = count(rows, "item", "items");
        let text = format!(
            "project {}: {rows} of batch {} cannot be read and are not in the ledger: {why}. Open the batch in LlamaCloud.",
            self.project,
            display_id(batch_id)
        );
        self.leave_out(batch_id, text);
    }

    fn leave_out(&mut self, what: &str, text: String) {
        let fault = fault_key(&self.project, what);
        self.set_aside.push(SetAside { fault, text });
    }

    /// Rows of a batch list that cannot be read: a server failing at first, and set aside when the next scan finds the same.
    async fn flawed_list(
        &mut self,
        ledger: &Ledger,
        begun: &StartedScan,
        api: BatchApi,
        flaw: String,
    ) -> Result<bool, LedgerError> {
        let begun = *begun;
        let list = unread::batch_list(api);
        let noted = ledger.write(move |tx| unread::note(tx, begun.project_key, list, begun.at)).await?;
        if noted.scans < 2 {
            self.fails(flaw, false);
            return Ok(false);
        }
        let text = format!(
            "project {}: {flaw}. The failures of these batches are not in the ledger; open the project in LlamaCloud.",
            self.project
        );
        self.leave_out(&list_name(api), text);
        Ok(true)
    }
}

/// Decides about every batch that could not be read: it makes the scan incomplete, or it is set aside.
pub(crate) async fn is_about_one_batch<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let failed = std::mem::take(&mut counts.unread.failed);
    if failed.is_empty() {
        return Ok(());
    }
    let noted = note(ledger, begun, failed).await?;
    for api in BatchApi::VARIANTS.iter().copied() {
        let of_api = noted.iter().filter(|(failed, _)| source.api_of(&failed.batch_id) == api).cloned().collect();
        judge_api(ledger, source, begun, (api, of_api), counts).await?;
    }
    Ok(())
}

/// The batches of one API: how the other one answers says nothing about them.
async fn judge_api<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    (api, noted): (BatchApi, Vec<(FailedBatch, rules::UnreadCount)>),
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let few = noted.len() <= rules::FEW;
    let lasts = noted.iter().any(|(_, noted)| noted.scans >= rules::PATIENT_SCANS);
    let mut others_read = counts.unread.others_read.contains(&api);
    if few && lasts && !others_read && !counts.refused {
        others_read = another_reads_well(ledger, source, begun, api).await?;
    }
    for (failed, noted) in noted {
        let id = display_id(&failed.batch_id);
        if rules::is_set_aside(noted, FaultContext { own: failed.own, others_read, few }) {
            let (project_key, until) = (begun.project_key, rules::rests_until(noted, begun.at));
            let batch_id = failed.batch_id.clone();
            ledger.write(move |tx| unread::rest(tx, project_key, &batch_id, until)).await?;
            let scans = noted.scans;
            let text = format!(
                "project {}: batch {id} could not be read in {scans} scans in a row and is now tried less often: {}. \
                 Its failures are not in the ledger; open it in LlamaCloud.",
                counts.project, failed.error
            );
            counts.leave_out(&failed.batch_id, text);
        } else if !failed.gone {
            counts.fails(format!("batch {id}: {}", failed.error), false);
        }
    }
    Ok(())
}

async fn note(
    ledger: &Ledger,
    begun: &StartedScan,
    failed: Vec<FailedBatch>,
) -> Result<Vec<(FailedBatch, rules::UnreadCount)>, LedgerError> {
    let (project_key, at) = (begun.project_key, begun.at);
    let note = move |tx: &Transaction<'_>| {
        let noted = failed.into_iter().map(|failed| {
            let noted = unread::note(tx, project_key, &failed.batch_id, at)?;
            Ok((failed, noted))
        });
        noted.collect()
    };
    ledger.write(note).await
}

/// Whether the server answers well for a batch of this API that was read before: then the fault is not the server's.
async fn another_reads_well<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    api: BatchApi,
) -> Result<bool, LedgerError> {
    let project_key = begun.project_key;
    let readable = ledger.read(move |connection| unread::readable(connection, project_key)).await?;
    let Some(id) = readable.iter().find(|id| source.api_of(id) == api) else { return Ok(false) };
    let Ok(Some(batch)) = source.batch(id).await else { return Ok(false) };
    Ok(source.list_statuses(&batch, &mut |_| ControlFlow::Break(())).await.is_ok())
}

/// Writes the faults of a scan that ended: what is set aside begins, and what reads well again, or is no longer shown by a
/// list that was read to its end, is over.
pub(crate) fn announce(
    tx: &Transaction<'_>,
    begun: &StartedScan,
    counts: &ScanSummary,
    list_read: bool,
) -> Result<(), LedgerError> {
    let now = timestamp(begun.at);
    let raised: HashSet<&str> = counts.set_aside.iter().map(|aside| aside.fault.as_str()).collect();
    for batch_id in &counts.unread.mended {
        unread::forget(tx, begun.project_key, batch_id)?;
        let key = fault_key(&counts.project, batch_id);
        if !raised.contains(key.as_str()) {
            fault::clear(tx, &key, now)?;
        }
    }
    let prefix = unread_prefix(&counts.project);
    let lists: Vec<String> =
        BatchApi::VARIANTS.iter().map(|api| fault_key(&counts.project, &list_name(*api))).collect();
    let standing = fault::active_with_prefix(tx, &prefix)?;
    let is_over = |key: &&String| {
        let still = raised.contains(key.as_str()) || counts.unread.standing.contains(key.as_str());
        !still && (list_read || lists.contains(key))
    };
    for key in standing.iter().filter(is_over) {
        fault::clear(tx, key, now)?;
    }
    for api in &counts.unread.flawless {
        unread::forget(tx, begun.project_key, unread::batch_list(*api))?;
    }
    raise(tx, counts, &prefix, now)
}

fn raise(tx: &Transaction<'_>, counts: &ScanSummary, prefix: &str, now: Timestamp) -> Result<(), LedgerError> {
    let mut standing: HashSet<String> = fault::active_with_prefix(tx, prefix)?.into_iter().collect();
    let mut more = 0;
    for SetAside { fault, text } in &counts.set_aside {
        if standing.len() < MOST_FAULTS || standing.contains(fault) {
            fault::raise(tx, fault, text, now)?;
            standing.insert(fault.clone());
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let batches = count(more, "more batch", "more batches");
        let text = format!("project {}: {batches} cannot be read; the log names them.", counts.project);
        fault::raise(tx, &format!("{prefix}{MORE}"), &text, now)?;
    }
    for SetAside { fault, text } in &counts.lost {
        fault::raise(tx, fault, text, now)?;
    }
    // What is lost is no state that ends: it is reported, stays in reports for a day, and goes.
    fault::clear_announced(tx, &lost_prefix(&counts.project), now - SignedDuration::from_hours(24), now)
}
