//! What a scan needs of LlamaCloud, so that it can be driven by the real client and by a model in memory.

use std::fmt::Display;
use std::future::Future;
use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::core::batch::Batch;
use crate::core::item::{ItemStatus, Kind, Observation};

/// How a listing ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Rows handed over.
    pub rows: u64,
    /// Rows that could not be understood.
    pub unreadable: u64,
    /// It was read to its end, as far as the paging signals can say.
    pub complete: bool,
    /// Why it was not.
    pub why_incomplete: Option<String>,
}

/// What the scan must know of a failed request.
pub trait Trouble: Display + Send + Sync + 'static {
    /// We are refused (401, 402, 403): nothing more may be asked in this scan.
    fn stops_scan(&self) -> bool;
    /// What was asked for does not exist (404, 410).
    fn is_gone(&self) -> bool;
}

/// One project of LlamaCloud. Pages already handed over stay valid when an error follows.
pub trait Source: Send + Sync + 'static {
    /// What can go wrong.
    type Error: Trouble;

    /// Lists batches page by page; those made before `since` may be left out. `Break` ends the listing, which then still
    /// counts as complete.
    fn list_batches(
        &self,
        since: Timestamp,
        page: &mut (dyn FnMut(Vec<Batch>) -> ControlFlow<()> + Send),
    ) -> impl Future<Output = Result<Listed, Self::Error>> + Send;

    /// Lists the failed or skipped items of a batch page by page.
    fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut (dyn FnMut(Vec<Observation>) + Send),
    ) -> impl Future<Output = Result<Listed, Self::Error>> + Send;

    /// One batch; none if it does not exist any more.
    fn batch(&self, batch_id: &str) -> impl Future<Output = Result<Option<Batch>, Self::Error>> + Send;

    /// The present status of all items of a batch, page by page. `Break` ends the listing.
    fn statuses(
        &self,
        batch: &Batch,
        page: &mut (dyn FnMut(Vec<(String, ItemStatus)>) -> ControlFlow<()> + Send),
    ) -> impl Future<Output = Result<Listed, Self::Error>> + Send;

    /// Requests made so far.
    fn requests(&self) -> u64;
}
