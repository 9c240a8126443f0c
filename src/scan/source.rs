//! What a scan needs of LlamaCloud, so that it can be driven by the real client and by a model in memory.
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::{Cloud, Taken};
use crate::model::batch::Batch;
use crate::model::batch_api::{ApiStates, BatchApi};
use crate::model::item::{ItemStatus, Kind, Observation};
use crate::model::schedule::overdue::OverdueLimit;

/// A project to scan.
pub struct Watched<S> {
    /// Its name in the configuration.
    pub name: String,
    /// Where its batches and items are listed.
    pub source: Arc<S>,
    /// Batches made longer ago are not looked at, unless they still matter.
    pub look_back: Duration,
    /// Batches listed at once, at most.
    pub concurrency: usize,
    /// When a batch that has not ended is overdue.
    pub overdue: OverdueLimit,
}

impl<S> Clone for Watched<S> {
    fn clone(&self) -> Self {
        Watched {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            look_back: self.look_back,
            concurrency: self.concurrency,
            overdue: self.overdue,
        }
    }
}

/// Takes a page of batches; `Break` ends the listing.
pub(crate) type BatchPages<'a> = dyn FnMut(Vec<Batch>) -> ControlFlow<()> + Send + 'a;
/// Takes a page of observations; the next one is asked for once it was taken.
pub(crate) type ObservationPages<'a> = dyn FnMut(Vec<Observation>) -> Taken + Send + 'a;
/// Takes a page of items with their present status; `Break` ends the listing.
pub(crate) type StatusPages<'a> = dyn FnMut(Vec<(String, ItemStatus)>) -> ControlFlow<()> + Send + 'a;

/// One project of LlamaCloud. Pages already handed over stay valid when an error follows.
pub trait BatchSource: Send + Sync + 'static {
    /// The batch APIs that the project may have, in the order in which their lists are read.
    fn apis(&self) -> &'static [BatchApi] {
        &[BatchApi::V1Beta]
    }

    /// The API that a batch is read through.
    fn api_of(&self, _batch_id: &str) -> BatchApi {
        BatchApi::V1Beta
    }

    /// Whether anything can be asked through this API.
    fn serves(&self, _api: BatchApi) -> bool {
        true
    }

    /// Takes over which APIs were found to answer.
    fn note_apis(&self, _states: ApiStates) {}

    /// Lists batches of an API page by page; those made before `since` may be left out.
    fn list_batches(
        &self,
        api: BatchApi,
        since: Timestamp,
        page: &mut BatchPages<'_>,
    ) -> impl Future<Output = Result<ListResult, CloudError>> + Send;

    /// Lists the failed or skipped items of a batch page by page.
    fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut ObservationPages<'_>,
    ) -> impl Future<Output = Result<ListResult, CloudError>> + Send;

    /// Lists the items of an ended batch that have this status, page by page.
    fn list_undone(
        &self,
        batch: &Batch,
        status: &ItemStatus,
        page: &mut ObservationPages<'_>,
    ) -> impl Future<Output = Result<ListResult, CloudError>> + Send;

    /// One batch; none if it does not exist any more.
    fn batch(&self, batch_id: &str) -> impl Future<Output = Result<Option<Batch>, CloudError>> + Send;

    /// The present status of all items of a batch, page by page.
    fn list_statuses(
        &self,
        batch: &Batch,
        page: &mut StatusPages<'_>,
    ) -> impl Future<Output = Result<ListResult, CloudError>> + Send;

    /// Requests made so far.
    fn requests(&self) -> u64;
}

impl BatchSource for Cloud {
    fn apis(&self) -> &'static [BatchApi] {
        Cloud::apis(self)
    }

    fn api_of(&self, batch_id: &str) -> BatchApi {
        Cloud::api_of(self, batch_id)
    }

    fn serves(&self, api: BatchApi) -> bool {
        Cloud::serves(self, api)
    }

    fn note_apis(&self, states: ApiStates) {
        Cloud::note_apis(self, states);
    }

    async fn list_batches(
        &self,
        api: BatchApi,
        since: Timestamp,
        page: &mut BatchPages<'_>,
    ) -> Result<ListResult, CloudError> {
        Cloud::list_batches(self, api, Some(since), page).await
    }

    async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut ObservationPages<'_>,
    ) -> Result<ListResult, CloudError> {
        Cloud::list_items(self, batch, kind, page).await
    }

    async fn list_undone(
        &self,
        batch: &Batch,
        status: &ItemStatus,
        page: &mut ObservationPages<'_>,
    ) -> Result<ListResult, CloudError> {
        Cloud::list_undone(self, batch, status, page).await
    }

    async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        Cloud::batch(self, batch_id).await
    }

    async fn list_statuses(&self, batch: &Batch, page: &mut StatusPages<'_>) -> Result<ListResult, CloudError> {
        Cloud::list_statuses(self, batch, page).await
    }

    fn requests(&self) -> u64 {
        Cloud::requests(self)
    }
}
