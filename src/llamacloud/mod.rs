//! The only HTTP to LlamaCloud.
//!
//! One [`Cloud`] serves one `[[project]]`. It lists batches and their failed and skipped items, resubmits items, and asks for job records,
//! through API v1 beta (`v1_beta`) or v2 (`v2`). Which one a batch belongs to is known here; the callers say only whose list they read.
//! Wire types stay in here; rows come out as the types of [`model`](crate::model), with secrets masked.
//! What to do with them is the callers' business: this module remembers nothing between calls but names of files.

pub(crate) mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod http;
pub(crate) mod json_repair;
pub(crate) mod paging;
pub(crate) mod record_text;
pub(crate) mod resubmit;
pub(crate) mod server_time;
pub(crate) mod settings;
pub(crate) mod status_page;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod v1_beta;
pub(crate) mod v2;
pub(crate) mod wire;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::config::project::Api;
use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::client;
use crate::llamacloud::http::client::Transport;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::paging::page;
use crate::llamacloud::resubmit::{JobRecord, Known, Look, Made, Resubmission};
use crate::llamacloud::settings::{CloudSettings, RetryPace};
use crate::model::batch::Batch;
use crate::model::batch_api::{ApiState, ApiStates, BatchApi, Presence};
use crate::model::candidates::Candidates;
use crate::model::item::{ItemStatus, Kind, Observation};
use crate::model::text::count;

/// Takes a page of the batch list, and may stop the listing.
pub(crate) type PageOfBatches<'a> = dyn FnMut(Vec<Batch>) -> ControlFlow<()> + Send + 'a;
/// Takes a page of items; the next one is asked for once it was taken.
pub(crate) type PageOfItems<'a> = dyn FnMut(Vec<Observation>) -> Taken + Send + 'a;

/// Ends when a page was taken.
pub(crate) type Taken = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes a page of statuses, and may stop the listing.
pub(crate) type PageOfStatuses<'a> = dyn FnMut(Vec<(String, ItemStatus)>) -> ControlFlow<()> + Send + 'a;

/// Requests that asking for one job record takes, at most: an extraction of v2 is explained by the parsing before it.
pub(crate) const MOST_REQUESTS_FOR_A_RECORD: u64 = 2;

/// The largest page that the API allows.
const LARGEST_PAGE: usize = 1000;

/// LlamaCloud, as one project sees it.
pub struct Cloud {
    client: client::Client,
    api: Api,
    page_size: usize,
    v2: v2::V2,
    /// Which APIs answer, as far as it is known; only `auto` asks.
    states: Mutex<ApiStates>,
}

impl Cloud {
    /// Checks the settings; makes no request.
    pub fn connect(settings: CloudSettings, transport: &Transport) -> Result<Cloud, CloudError> {
        Cloud::connect_at(settings, transport, RetryPace::default())
    }

    /// The same with other waits between tries, for a simulated LlamaCloud.
    pub fn connect_at(settings: CloudSettings, transport: &Transport, pace: RetryPace) -> Result<Cloud, CloudError> {
        Ok(Cloud {
            client: client::Client::new(&settings, transport, pace)?,
            api: settings.project.api,
            page_size: settings.project.page_size.get().min(LARGEST_PAGE),
            v2: v2::V2::new(settings.project.page_failures),
            states: Mutex::default(),
        })
    }

    /// Fills the retry budget again. Call it when a scan begins: a dead API then ends a scan soon, and the next one tries anew.
    pub fn begin_scan(&self) {
        self.client.begin_scan();
    }

    /// Whether both spend the credits of one account, as far as their settings tell: the same organization, or the same host and key.
    pub fn shares_account_with(&self, other: &Cloud) -> bool {
        self.client.shares_account_with(&other.client)
    }

    /// Another one means that the settings ask with another key, or for another project.
    pub fn access_mark(&self) -> String {
        self.client.access_mark()
    }

    /// Requests made so far, retries included.
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// Pages of the batch list of an API, as they come. `page` may stop the listing; then `complete` is false and
    /// `why_incomplete` none.
    ///
    /// Batches created before `created_since` may come, too. A list proved to be newest first is read no further than that.
    pub async fn list_batches(
        &self,
        api: BatchApi,
        created_since: Option<Timestamp>,
        page: &mut PageOfBatches<'_>,
    ) -> Result<ListResult, CloudError> {
        match api {
            BatchApi::V1Beta => v1_beta::list_batches(&self.client, self.page_size, created_since, page).await,
            BatchApi::V2 => self.v2.list_batches(&self.client, self.page_size, created_since, page).await,
        }
    }

    /// Pages of the failed (or skipped) items of one batch. Pages already handed over stay valid when an error follows.
    pub async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut PageOfItems<'_>,
    ) -> Result<ListResult, CloudError> {
        match self.answering(&batch.batch_id)? {
            BatchApi::V1Beta => v1_beta::list_items(&self.client, self.page_size, batch, kind, page).await,
            BatchApi::V2 => self.v2.list_items(&self.client, self.page_size, batch, kind, page).await,
        }
    }

    /// Pages of the items of an ended batch that have this status, which is none of an end: what the batch left undone. Kind and
    /// message are the caller's to give, for the API calls none of them failed. API v2 has no such list: files without a job and
    /// failed jobs are all that it knows.
    pub async fn list_undone(
        &self,
        batch: &Batch,
        status: &ItemStatus,
        page: &mut PageOfItems<'_>,
    ) -> Result<ListResult, CloudError> {
        match self.answering(&batch.batch_id)? {
            BatchApi::V1Beta => v1_beta::list_undone(&self.client, self.page_size, batch, status, page).await,
            BatchApi::V2 => Ok(ListResult { complete: true, ..ListResult::default() }),
        }
    }

    /// One batch; none if LlamaCloud does not know it (any more).
    pub async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        match self.answering(batch_id)? {
            BatchApi::V1Beta => v1_beta::batch(&self.client, batch_id).await,
            BatchApi::V2 => self.v2.batch(&self.client, batch_id).await,
        }
    }

    /// Pages of the present status of all items of a batch. `page` may stop the listing.
    pub async fn list_statuses(&self, batch: &Batch, page: &mut PageOfStatuses<'_>) -> Result<ListResult, CloudError> {
        match self.answering(&batch.batch_id)? {
            BatchApi::V1Beta => v1_beta::list_statuses(&self.client, self.page_size, batch, page).await,
            BatchApi::V2 => {
                let (found, complete) = self.v2.statuses(&self.client, self.page_size, batch).await?;
                let rows = u64::try_from(found.len()).unwrap_or(u64::MAX);
                let _stopped = page(found.into_iter().collect());
                Ok(ListResult { rows, complete, ..ListResult::default() })
            }
        }
    }
}

impl Cloud {
    /// What is there before the POST: a job that does the work already, and what tells the job of the POST from those of
    /// others. `now` is by our own clock.
    pub async fn list_prior_jobs(
        &self,
        request: &Resubmission,
        known: &Known,
        now: Timestamp,
    ) -> Result<Look, CloudError> {
        match self.there(request.api)? {
            BatchApi::V1Beta => {
                v1_beta::create::list_prior_jobs(&self.client, self.page_size, request, known, now).await
            }
            BatchApi::V2 => self.v2.list_prior_jobs(&self.client, self.page_size, request, known, now).await,
        }
    }

    /// For each item, the newest parse job that a retry has made of it since `from` and that is none of `known`; and when the newest
    /// of all jobs was made. Nothing where API v2 is not configured: batches of v1 beta do not say whose they are.
    pub async fn unknown_retries(
        &self,
        from: Timestamp,
        known: &HashSet<String>,
    ) -> Result<(Vec<(String, Made)>, Option<Timestamp>), CloudError> {
        match self.api.batch_apis().contains(&BatchApi::V2) && self.serves(BatchApi::V2) {
            true => v2::notes::unknown(&self.client, self.page_size, from, known).await,
            false => Ok((Vec::new(), None)),
        }
    }

    /// Processes items again by exactly one POST, which is never repeated: a second one would be billed again.
    ///
    /// Returns the id under which [`Cloud::batch`], [`Cloud::list_items`] and [`Cloud::list_statuses`] know the new work.
    #[tracing::instrument(name = "intent", skip_all, fields(intent.id = request.intent_id))]
    pub async fn create_batch(&self, request: &Resubmission) -> Result<String, CreateError> {
        let batch_id = match self.there(request.api).map_err(CreateError::NotSent)? {
            BatchApi::V1Beta => v1_beta::create::create(&self.client, request).await,
            BatchApi::V2 => self.v2.create(&self.client, request).await,
        }?;
        let (intent_id, items) = (&request.intent_id, request.item_ids.len());
        let size = count(items as u64, "item", "items");
        tracing::info!(batch.id = batch_id, items, "retry {intent_id}: created batch {batch_id} of {size}");
        Ok(batch_id)
    }

    /// Remembers for which item a job of v2 was made by an earlier process: not every one says so itself, nor that it is one.
    pub fn remember(&self, batch_id: &str, job_type: &str, item_id: &str) {
        self.v2.remember(batch_id, job_type, item_id);
    }

    /// What may have come of a resubmission of unclear outcome that was sent at `posted`, by our own clock.
    /// Batches of `others` are known to be something else.
    pub async fn find_batches(
        &self,
        request: &Resubmission,
        posted: Timestamp,
        others: &HashSet<String>,
    ) -> Result<Candidates, CloudError> {
        match self.there(request.api)? {
            BatchApi::V1Beta => v1_beta::create::find(&self.client, self.page_size, request, posted, others).await,
            BatchApi::V2 => self.v2.find(&self.client, self.page_size, request, posted, others).await,
        }
    }

    /// The credits that LlamaCloud says it billed for the one item of a retry; none if it does not say. API v1 beta never does.
    pub async fn billed(&self, batch_id: &str) -> Result<Option<f64>, CloudError> {
        match self.answering(batch_id)? {
            BatchApi::V1Beta => Ok(None),
            BatchApi::V2 => self.v2.billed(&self.client, batch_id).await,
        }
    }

    /// The configuration that an item was processed with, as the API gives it: with ids of the server, and perhaps with secrets.
    /// None if no source has it.
    pub async fn learn_job_config(
        &self,
        batch: &Batch,
        item_id: &str,
        job_id: Option<&str>,
    ) -> Result<Option<serde_json::Value>, CloudError> {
        match self.answering(&batch.batch_id)? {
            BatchApi::V1Beta => v1_beta::job::config(&self.client, batch, item_id, job_id).await,
            BatchApi::V2 => v2::job_config(&self.client, &batch.batch_id).await,
        }
    }

    /// Whether LlamaCloud holds a result of this item from `since` or later, by its own clock: proof that it has been processed
    /// well since then. API v2 cannot tell; then it is false.
    pub async fn has_result(
        &self,
        api: BatchApi,
        job_type: &str,
        item_id: &str,
        since: Timestamp,
    ) -> Result<bool, CloudError> {
        match self.there(api)? {
            BatchApi::V1Beta => v1_beta::job::has_result(&self.client, item_id, job_type, since).await,
            BatchApi::V2 => Ok(false),
        }
    }

    /// What LlamaCloud says about an underlying job of a batch of this type; none if it does not know it (any more).
    ///
    /// Each request is tried once: what a record says is good to know and can be asked later.
    pub async fn job_record(&self, job_type: &str, job_id: &str) -> Result<Option<JobRecord>, CloudError> {
        // Batches of v1 may refer to jobs of v2; the prefix of the id tells.
        if self.api == Api::V2 || self.v2.is_single(job_id) {
            return v2::job_record(&self.client, job_type, job_id).await;
        }
        v1_beta::job::record(&self.client, job_type, job_id).await
    }

    /// The whole record of a job as indented JSON without secrets, for people; none if LlamaCloud does not have it (any more).
    pub async fn job_record_text(&self, job_type: &str, job_id: &str) -> Result<Option<String>, CloudError> {
        if self.api == Api::V2 || self.v2.is_single(job_id) {
            let path = [&v2::record_path(job_type, job_id)[..], &[job_id]].concat();
            return record_text::record_text(&self.client, &path, false).await;
        }
        let Some((front, unscoped)) = v1_beta::job::record_path(job_type, job_id) else { return Ok(None) };
        record_text::record_text(&self.client, &[front, &[job_id]].concat(), unscoped).await
    }

    /// Whether the record of a job can say more than the listing of its item did: parse jobs of v2 are listed whole.
    pub fn record_has_more(&self, job_type: &str, job_id: &str) -> bool {
        let listed_whole = match self.api {
            Api::V1Beta => false,
            Api::V2 => true,
            Api::Auto => self.v2.is_single(job_id),
        };
        !(listed_whole && v2::is_parse(job_type, job_id))
    }

    /// Asks both APIs for one batch: which of them answers, and for which project. For `doctor`.
    pub async fn probe(&self) -> Probe {
        Probe { api: self.api.word(), v1_beta: v1_beta::probe(&self.client).await, v2: v2::probe(&self.client).await }
    }
}

impl Cloud {
    /// The APIs that the configuration allows, in the order in which their batch lists are read.
    pub fn apis(&self) -> &'static [BatchApi] {
        self.api.batch_apis()
    }

    /// Takes over what is known of the APIs; with `auto`, nothing is asked of one that is missing.
    pub fn note_apis(&self, states: ApiStates) {
        *self.states.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// The API that a batch is read through: the configured one, or the batch's own.
    pub fn api_of(&self, batch_id: &str) -> BatchApi {
        match self.api {
            Api::V1Beta => BatchApi::V1Beta,
            Api::V2 => BatchApi::V2,
            Api::Auto if self.v2.is_single(batch_id) => BatchApi::V2,
            Api::Auto => BatchApi::of_batch(batch_id),
        }
    }

    /// The API through which items of a batch are resubmitted: the batch's own, or the other one once that is absent.
    pub fn api_to_resubmit(&self, batch_id: &str) -> BatchApi {
        let own = self.api_of(batch_id);
        let absent = self.api == Api::Auto && self.state_of(own).presence == Presence::Absent;
        if absent { own.other() } else { own }
    }

    /// Whether anything can be asked through this API; only `auto` knows of one that cannot.
    pub fn serves(&self, api: BatchApi) -> bool {
        self.there(api).is_ok()
    }

    fn answering(&self, batch_id: &str) -> Result<BatchApi, CloudError> {
        self.there(self.api_of(batch_id))
    }

    /// A missing record of an API that is gone as a whole would be taken for deleted, so it is not asked for.
    fn there(&self, api: BatchApi) -> Result<BatchApi, CloudError> {
        let state = self.state_of(api);
        if self.api != Api::Auto || !state.is_missing() {
            return Ok(api);
        }
        let host = self.client.host().to_owned();
        Err(CloudError::ApiMissing { api: api.word(), host, status: state.status.unwrap_or(404) })
    }

    fn state_of(&self, api: BatchApi) -> ApiState {
        *self.states.lock().unwrap_or_else(PoisonError::into_inner).get(api)
    }
}

/// How each API answered: with the project that its newest batch belongs to, if there is one.
#[derive(Debug)]
pub struct Probe {
    /// The `api` of the configuration.
    pub api: &'static str,
    /// How `v1-beta` answered.
    pub v1_beta: Result<Option<String>, CloudError>,
    /// How `v2` answered.
    pub v2: Result<Option<String>, CloudError>,
}

/// Decodes one page of a listing of failed or skipped items as [`Cloud::list_items`] does: its rows, and how many could not be read.
/// It is public for `benches/decode.rs`.
pub fn decode_items(kind: Kind, page: &str) -> Result<(Vec<Observation>, usize), CloudError> {
    let page = page::decode(&v1_beta::item::FailedItems { kind }, page, "items")?;
    Ok((page.rows, page.unreadable_keys.len()))
}
