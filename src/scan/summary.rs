//! What a scan did and found out: of a project, of one batch, and of what cannot be read.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use crate::llamacloud::error::CloudError;
use crate::model::batch::{Batch, Counted};
use crate::model::batch_api::BatchApi;
use crate::scan::apis::ApiFound;
use crate::scan::store::ingest_record::ListingContext;

/// What one project's scan did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// The project.
    pub project: String,
    /// Everything that could hold news was read.
    pub complete: bool,
    /// Batches seen in the job list.
    pub batches_listed: u64,
    /// Batches whose items were listed.
    pub batches_read: u64,
    /// Rows listed.
    pub items_listed: u64,
    /// Observations that were not known before.
    pub items_new: u64,
    /// Open items that turned out to have completed.
    pub recovered: u64,
    /// Rows that could not be understood.
    pub unreadable: u64,
    /// Why the first of them could not be understood, where that is known.
    pub why_unreadable: Option<String>,
    /// Requests made.
    pub requests: u64,
    /// How long it took.
    pub took: Duration,
    /// What was found of the batch APIs.
    pub apis: Vec<ApiFound>,
    /// The first thing that made it incomplete.
    pub error: Option<String>,
    /// What was left out of it because it cannot be read; the rest is complete all the same.
    pub set_aside: Vec<SetAside>,
    /// What cannot be read any more, with its dates.
    pub lost: Vec<SetAside>,
    /// What is being found out about things that cannot be read.
    pub(super) unread: UnreadFindings,
    /// The API refused us (401, 402, 403): nothing more was asked, and it must be reported at once.
    pub refused: bool,
}

impl ScanSummary {
    /// Notes what made the scan incomplete; the first reason stays.
    pub(super) fn fails(&mut self, reason: String, refused: bool) {
        self.complete = false;
        self.refused |= refused;
        self.error.get_or_insert(reason);
    }
}

impl fmt::Display for ScanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanSummary {
            project,
            batches_listed,
            batches_read,
            items_listed,
            items_new,
            recovered,
            unreadable,
            why_unreadable,
            requests,
            ..
        } = self;
        write!(f, "{project}: ")?;
        if !self.complete {
            let error = self.error.as_deref().unwrap_or("the scan was incomplete");
            write!(f, "FAILED to read everything: {error}; ")?;
        }
        write!(f, "{items_new} new, {recovered} recovered; listed {batches_listed} batches, read {batches_read}")?;
        write!(f, " with {items_listed} failed and skipped items in {requests} requests")?;
        if *unreadable > 0 {
            let why = why_unreadable.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            write!(f, "; {unreadable} row{} could not be read{why}", if *unreadable == 1 { "" } else { "s" })?;
        }
        for SetAside { text, .. } in self.set_aside.iter().chain(&self.lost) {
            write!(f, "\n  not read: {text}")?;
        }
        Ok(())
    }
}

/// Something that was left out of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The fault that reports it: one for each batch, and one for the batch list.
    pub fault: String,
    /// What happened, what it means, what to do.
    pub text: String,
}

/// A batch that could not be read in this scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FailedBatch {
    pub(super) batch_id: String,
    pub(super) error: String,
    /// The answer shows that the fault is the batch's.
    pub(super) own: bool,
    /// Once is no fault: it may have been deleted meanwhile.
    pub(super) gone: bool,
}

/// What a scan finds out about things that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnreadFindings {
    pub(super) failed: Vec<FailedBatch>,
    /// Batches that could not be read in earlier scans.
    pub(super) before: HashSet<String>,
    /// Those of them that could be now.
    pub(super) mended: Vec<String>,
    /// The APIs of batches that were read well.
    pub(super) others_read: HashSet<BatchApi>,
    /// How many batches the key may not read.
    pub(super) forbidden: usize,
    /// The APIs whose batch lists have no flaw.
    pub(super) flawless: Vec<BatchApi>,
    /// Faults of earlier scans that still hold, as far as the batch lists tell.
    pub(super) standing: HashSet<String>,
}

/// What reading one batch brought.
#[derive(Debug, Default)]
pub(crate) struct BatchRead {
    pub(crate) batch_id: String,
    pub(crate) rows: u64,
    pub(crate) new: u64,
    pub(crate) recovered: u64,
    pub(crate) unreadable: u64,
    /// Why the first of them could not be read.
    pub(crate) why_unreadable: Option<String>,
    /// What kept it from being read completely.
    pub(crate) error: Option<String>,
    /// The API refuses us.
    pub(crate) refused: bool,
    /// What kept it from being read is about this batch, as far as the answer tells.
    pub(crate) own: bool,
    /// LlamaCloud does not know it although the batch list has just shown it.
    pub(crate) gone: bool,
    /// Rows that could not be read in the scan before, either: how many, and why.
    pub(crate) lost_rows: Option<(u64, String)>,
    /// The key may not read this batch; others it may.
    pub(crate) forbidden: bool,
    /// Its counts said that there is nothing to ask for.
    pub(crate) unasked: bool,
    /// It answered that the batch does not exist.
    pub(super) not_found: bool,
    /// What the listing counted, where the batch itself does not say.
    pub(super) counted: Option<Counted>,
    /// Only jobs with a status of the future keep it from being settled.
    pub(super) only_odd: bool,
    /// A failed item says what the batch says.
    pub(super) same_message: bool,
}

impl BatchRead {
    /// Notes a failed request.
    pub(crate) fn fails(&mut self, doing: &str, error: &CloudError) {
        self.refused |= error.stops_scan();
        self.forbidden |= self.error.is_none() && error.is_forbidden();
        self.not_found |= error.is_not_found() || error.is_gone();
        self.own |= self.error.is_none() && error.is_about_what_was_asked();
        self.error.get_or_insert_with(|| format!("{doing}: {error}"));
    }

    /// Notes that a list could not be read to its end although the server answered.
    pub(crate) fn incomplete(&mut self, reason: String) {
        self.own |= self.error.is_none();
        self.error.get_or_insert(reason);
    }

    /// Notes rows that could not be made sense of.
    pub(crate) fn not_understood(&mut self, batch: &Batch, rows: u64, why: Option<String>) {
        if rows == 0 {
            return;
        }
        let said = why.as_deref().unwrap_or("the answer does not say why");
        tracing::warn!(batch.id = batch.batch_id, rows, "cannot read rows: {said}");
        self.unreadable += rows;
        self.why_unreadable = self.why_unreadable.take().or(why);
    }
}

/// A batch that is to be listed.
#[derive(Debug)]
pub(crate) struct DueBatch {
    pub(crate) batch: Batch,
    pub(crate) place: ListingContext,
}
