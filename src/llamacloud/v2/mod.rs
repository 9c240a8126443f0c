//! API v2 batches: `/api/v2/batches`, and the parse and extract jobs that they make.
//!
//! A v2 batch shows neither counts nor outcomes: it maps files to jobs, and the jobs are asked.

pub(crate) mod batch;
pub(crate) mod batch_list;
pub(crate) mod create;
pub(crate) mod failed_items;
pub(crate) mod files;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod job;
pub(crate) mod names;
pub(crate) mod notes;
pub(crate) mod outcomes;
pub(crate) mod pages;
pub(crate) mod parsings;
pub(crate) mod server_capabilities;
pub(crate) mod single;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::client::Client;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::paging::row_reader;
use crate::llamacloud::resubmit::{JobRecord, Known, Look, Resubmission};
use crate::llamacloud::v2::files::Files;
use crate::llamacloud::v2::job::{Job, Product};
use crate::llamacloud::v2::notes::Notes;
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;
use crate::llamacloud::{PageOfBatches, PageOfItems};
use crate::model::batch::Batch;
use crate::model::batch_api::BatchApi;
use crate::model::candidates::Candidates;
use crate::model::item::{ItemStatus, Kind};

const ROOT: [&str; 3] = ["api", "v2", "batches"];

/// The window of creation times is asked for a little wider: a batch may show up late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// What is remembered between calls; all of it can be learnt again.
#[derive(Debug, Default)]
pub(crate) struct V2 {
    files: Files,
    capabilities: ServerCapabilities,
    notes: Notes,
    /// The jobs that were created here, or by an earlier process.
    created: Mutex<HashMap<String, CreatedJob>>,
    /// Whether the pages of completed parses are looked at.
    page_failures: bool,
}

/// A job that was created for an item.
#[derive(Debug)]
struct CreatedJob {
    /// Extract jobs do not carry it.
    item_id: String,
    /// A bare uuid does not say it.
    product: Product,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the prefix says that this is the id of a single v2 job.
pub(crate) fn is_job(id: &str) -> bool {
    id.starts_with("pjb-") || id.starts_with("ext-")
}

impl V2 {
    pub(crate) fn new(page_failures: bool) -> V2 {
        V2 { page_failures, ..V2::default() }
    }

    pub(crate) async fn list_batches(
        &self,
        client: &Client,
        limit: usize,
        created_since: Option<Timestamp>,
        page: &mut PageOfBatches<'_>,
    ) -> Result<ListResult, CloudError> {
        let since = created_since.map(|since| since.checked_sub(OVERLAP).unwrap_or(since));
        let listed = batch_list::read(client, limit, since, page).await;
        listed.map_err(|error| error.of_list(BatchApi::V2, client.host()))
    }

    /// One batch, or a single job as a batch of one item.
    pub(crate) async fn batch(&self, client: &Client, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        if let Some(product) = self.single(batch_id) {
            let job = job::get(client, product, batch_id).await?;
            return Ok(job.map(|job| single::batch(job, product)));
        }
        let expanded = batch::get(client, batch_id, false).await?;
        Ok(expanded.map(|expanded| expanded.batch))
    }

    /// The failed items of a batch that has finished. One that runs shows none yet, and v2 skips nothing.
    pub(crate) async fn list_items(
        &self,
        client: &Client,
        limit: usize,
        batch: &Batch,
        kind: Kind,
        page: &mut PageOfItems<'_>,
    ) -> Result<ListResult, CloudError> {
        if kind != Kind::Failed || !batch.status.is_terminal() {
            return Ok(ListResult { complete: true, ..ListResult::default() });
        }
        if let Some(product) = self.single(&batch.batch_id) {
            return self.list_single(client, product, batch, page).await;
        }
        let expanded = batch::get(client, &batch.batch_id, true).await?.ok_or_else(|| missing(batch))?;
        let (failed, listed) = failed_items::read(self, client, limit, expanded).await?;
        if !failed.is_empty() {
            page(failed).await;
        }
        Ok(listed)
    }

    /// A resubmitted file: one job.
    async fn list_single(
        &self,
        client: &Client,
        product: Product,
        batch: &Batch,
        page: &mut PageOfItems<'_>,
    ) -> Result<ListResult, CloudError> {
        let job = job::get(client, product, &batch.batch_id).await?.ok_or_else(|| missing(batch))?;
        let mut listed = ListResult { complete: true, requests: 1, ..ListResult::default() };
        if job.status() != ItemStatus::Failed {
            return Ok(listed);
        }
        let Some(item_id) = self.item_of(&job) else {
            listed.unreadable = 1;
            listed.why_unreadable = Some(format!("{}: its item is unknown", job.id));
            return Ok(listed);
        };
        listed.rows = 1;
        listed.fingerprint = row_reader::key(&item_id);
        page(vec![single::observation(item_id, job, None)]).await;
        Ok(listed)
    }

    fn item_of(&self, job: &Job) -> Option<String> {
        let created = || lock(&self.created).get(&job.id).map(|created| created.item_id.clone());
        let input = || job.file_input.clone().filter(|input| !is_job(input));
        job.item_id.clone().or_else(created).or_else(input)
    }

    pub(crate) async fn create(&self, client: &Client, request: &Resubmission) -> Result<String, CreateError> {
        let job_id = create::create(client, request).await?;
        if let [item_id] = request.item_ids.as_slice() {
            self.remember(&job_id, &request.job_type, item_id);
        }
        Ok(job_id)
    }

    /// What was there before the POST of a request.
    pub(crate) async fn list_prior_jobs(
        &self,
        client: &Client,
        limit: usize,
        request: &Resubmission,
        known: &Known,
        now: Timestamp,
    ) -> Result<Look, CloudError> {
        create::list_prior_jobs(client, limit, request, (&self.notes, known), now).await
    }

    /// Jobs that may have come of a request that was sent at `posted`.
    pub(crate) async fn find(
        &self,
        client: &Client,
        limit: usize,
        request: &Resubmission,
        posted: Timestamp,
        others: &HashSet<String>,
    ) -> Result<Candidates, CloudError> {
        create::find(client, limit, request, &self.notes, posted, others).await
    }

    /// The credits that were billed for a single job; none if it is none, or LlamaCloud does not say.
    pub(crate) async fn billed(&self, client: &Client, job_id: &str) -> Result<Option<f64>, CloudError> {
        match self.single(job_id) {
            Some(product) => job::billed(client, product, job_id).await,
            None => Ok(None),
        }
    }

    /// Notes for which item a job of this type was made.
    pub(crate) fn remember(&self, job_id: &str, job_type: &str, item_id: &str) {
        let created = CreatedJob { item_id: item_id.to_owned(), product: product(job_type, job_id) };
        lock(&self.created).insert(job_id.to_owned(), created);
    }

    /// Whether this is the id of a single job of v2: by its prefix, or because it was created here.
    pub(crate) fn is_single(&self, id: &str) -> bool {
        self.single(id).is_some()
    }

    /// What a single job is made by; none if this is the id of a batch. A bare uuid is one of a job if we created it.
    fn single(&self, id: &str) -> Option<Product> {
        if is_job(id) {
            return Some(Product::named("", id));
        }
        lock(&self.created).get(id).map(|created| created.product)
    }

    /// The present status of the named items: of their jobs, or failed where there is none.
    /// The flag says whether all that the batch holds was seen; a batch that runs shows nothing yet.
    pub(crate) async fn statuses(
        &self,
        client: &Client,
        limit: usize,
        batch: &Batch,
    ) -> Result<(HashMap<String, ItemStatus>, bool), CloudError> {
        if let Some(product) = self.single(&batch.batch_id) {
            let job = job::get(client, product, &batch.batch_id).await?.ok_or_else(|| missing(batch))?;
            let item_id = self.item_of(&job);
            let is_known = item_id.is_some();
            let found = item_id.map(|id| (id, job.status()));
            return Ok((found.into_iter().collect(), is_known));
        }
        let expanded = batch::get(client, &batch.batch_id, true).await?.ok_or_else(|| missing(batch))?;
        let readable = expanded.results.as_ref().is_some_and(|page| page.unreadable_keys.is_empty());
        let mappings = expanded.results.map(|page| page.rows).unwrap_or_default();
        let sorted = failed_items::sort(&expanded.batch, mappings);
        let mut found = HashMap::new();
        let outcomes = outcomes::read(self, client, limit, &expanded.batch, &sorted.jobs).await?;
        for job in outcomes.jobs {
            let items = sorted.jobs.get(&job.id).into_iter().flat_map(|made| &made.item_ids);
            found.extend(items.map(|item_id| (item_id.clone(), job.status())));
        }
        let never_begun = sorted.never_begun.into_iter().map(|item_id| (item_id, ItemStatus::Cancelled));
        found.extend(never_begun);
        found.extend(sorted.unmapped.into_iter().map(|mapping| (mapping.item_id, ItemStatus::Failed)));
        Ok((found, readable && outcomes.listed.complete && outcomes.listed.unreadable == 0))
    }
}

fn missing(batch: &Batch) -> CloudError {
    let path = format!("/{}/{}", ROOT.join("/"), batch.batch_id);
    CloudError::NotFound { path, status: 404, detail: String::new() }
}

/// The saved configuration that a batch ran with, as the fields that a single job takes.
pub(crate) async fn job_config(client: &Client, batch_id: &str) -> Result<Option<Value>, CloudError> {
    let expanded = batch::get(client, batch_id, false).await?;
    let id = expanded.and_then(|expanded| expanded.configuration_id);
    Ok(id.map(|id| json!({ "configuration_id": id })))
}

/// A prefix is sure; a batch of v1 may refer to a job of another type than its own.
fn product(job_type: &str, job_id: &str) -> Product {
    Product::named(if is_job(job_id) { "" } else { job_type }, job_id)
}

/// Whether this is a parse job.
pub(crate) fn is_parse(job_type: &str, job_id: &str) -> bool {
    product(job_type, job_id) == Product::Parse
}

/// What stands before a job's id in the address of its record.
pub(crate) fn record_path(job_type: &str, job_id: &str) -> [&'static str; 3] {
    product(job_type, job_id).path()
}

pub(crate) async fn job_record(client: &Client, job_type: &str, job_id: &str) -> Result<Option<JobRecord>, CloudError> {
    let product = product(job_type, job_id);
    let Some(job) = job::get_once(client, product, job_id).await? else { return Ok(None) };
    // Why an extraction failed may stand on the parsing that went before it.
    let parsed = match job.parse_job_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => job::get_once(client, Product::Parse, id).await?.filter(Job::has_failed),
        None => None,
    };
    let message = parsed.and_then(|parsed| parsed.message).or(job.message);
    Ok(Some(JobRecord { job_id: job.id, status: job.status, error_code: None, error_message: message }))
}

/// Asks for one batch: the project it belongs to.
pub(crate) async fn probe(client: &Client) -> Result<Option<String>, CloudError> {
    let mut project = None;
    let mut page = |batches: Vec<Batch>| {
        project = batches.into_iter().find_map(|batch| batch.project_id);
        ControlFlow::Break(())
    };
    V2::default().list_batches(client, 1, None, &mut page).await?;
    Ok(project)
}
