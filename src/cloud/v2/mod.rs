//! API v2 batches: `/api/v2/batches`, and the parse and extract jobs that they make.
//!
//! A v2 batch shows neither counts nor outcomes: it maps files to jobs, and the jobs are asked.

mod batch;
mod chunks;
pub(super) mod create;
mod files;
mod job;
mod single;
mod troubles;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::batch::Batches;
use self::chunks::QueryBound;
use self::files::Files;
use self::job::{Job, Product};
use super::client::{Ask, Client};
use super::listing::{self, Listed, Style};
use super::page;
use super::paging::Paging;
use super::{CloudError, CreateError, JobRecord, PageOfBatches, PageOfItems, Resubmission};
use crate::core::batch::Batch;
use crate::core::item::{ItemStatus, Kind};

const ROOT: [&str; 3] = ["api", "v2", "batches"];

/// The value of `api` that means this API.
pub(super) const NAME: &str = "v2";

/// The window of creation times is asked for a little wider: a batch may show up late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// What is remembered between calls; all of it can be learnt again.
#[derive(Debug, Default)]
pub(super) struct V2 {
    files: Files,
    bound: QueryBound,
    finished: Mutex<HashMap<String, Finished>>,
    /// Items of the jobs that were created here: extract jobs do not carry them.
    created: Mutex<HashMap<String, String>>,
}

/// A finished batch that was listed before.
#[derive(Clone, Copy, Debug)]
struct Finished {
    updated_at: Option<Timestamp>,
    /// Total and failed files, once none of its jobs can fail any more.
    settled: Option<(u64, u64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the id of a single v2 job.
pub(super) fn is_job(id: &str) -> bool {
    id.starts_with("pjb-") || id.starts_with("ext-")
}

impl V2 {
    pub(super) async fn list_batches(
        &self,
        client: &Client,
        limit: usize,
        created_since: Option<Timestamp>,
        page: &mut PageOfBatches<'_>,
    ) -> Result<Listed, CloudError> {
        let mut ask = Ask::path(&ROOT);
        if let Some(since) = created_since {
            let since = since.checked_sub(OVERLAP).unwrap_or(since);
            ask = ask.with("created_at_on_or_after", since.to_string());
        }
        let mut each = |mut batches: Vec<Batch>| {
            batches.iter_mut().for_each(|batch| self.count(batch));
            page(batches)
        };
        let style = Style::page_size(limit);
        let listed = listing::read(client, &ask, style, &Batches, Paging::by_token(), &mut each).await;
        listed.map_err(|error| gone(error, client))
    }

    /// Gives a batch the counts that its last listing found, if they are final: then it need not be listed again.
    fn count(&self, batch: &mut Batch) {
        let finished = lock(&self.finished).get(&batch.batch_id).copied();
        let same = finished.filter(|finished| finished.updated_at == batch.updated_at);
        if let Some((total, failed)) = same.and_then(|finished| finished.settled) {
            batch.total_items = Some(total);
            batch.processed_items = Some(total);
            batch.failed_items = Some(failed);
            batch.skipped_items = Some(0);
        }
    }

    /// The failed items of a batch that has finished. One that runs shows none yet, and v2 skips nothing.
    pub(super) async fn list_items(
        &self,
        client: &Client,
        limit: usize,
        batch: &Batch,
        kind: Kind,
        page: &mut PageOfItems<'_>,
    ) -> Result<Listed, CloudError> {
        if kind == Kind::Skipped || !batch.status.is_terminal() {
            return Ok(Listed { complete: true, ..Listed::default() });
        }
        if is_job(&batch.batch_id) {
            return self.list_single(client, batch, page).await;
        }
        let before = lock(&self.finished).get(&batch.batch_id).copied();
        // The first look asks only for failed jobs. Only the second asks whether any can still fail.
        let every_job = before.is_some_and(|finished| finished.settled.is_none());
        let expanded = batch::get(client, &batch.batch_id, true).await?.ok_or_else(|| missing(batch))?;
        let updated_at = expanded.batch.updated_at;
        let found = troubles::read(self, client, limit, expanded, every_job).await?;
        let mut listed = found.listed;
        if listed.complete {
            let still = before.and_then(|finished| finished.settled.filter(|_| finished.updated_at == updated_at));
            let settled = if found.is_settled { Some((found.total, found.failed.len() as u64)) } else { still };
            lock(&self.finished).insert(batch.batch_id.clone(), Finished { updated_at, settled });
        }
        listed.rows = found.failed.len() as u64;
        if !found.failed.is_empty() {
            page(found.failed);
        }
        Ok(listed)
    }

    /// A resubmitted file: one job.
    async fn list_single(
        &self,
        client: &Client,
        batch: &Batch,
        page: &mut PageOfItems<'_>,
    ) -> Result<Listed, CloudError> {
        let job = job::get(client, &batch.batch_id).await?.ok_or_else(|| missing(batch))?;
        let mut listed = Listed { complete: true, requests: 1, ..Listed::default() };
        if job.status() != ItemStatus::Failed {
            return Ok(listed);
        }
        let Some(item_id) = self.item_of(&job) else {
            listed.unreadable = 1;
            listed.why_unreadable = Some(format!("{}: it does not say which item it was made for", job.id));
            return Ok(listed);
        };
        listed.rows = 1;
        listed.fingerprint = page::key(&item_id);
        page(vec![single::observation(job, item_id, None)]);
        Ok(listed)
    }

    fn item_of(&self, job: &Job) -> Option<String> {
        let created = || lock(&self.created).get(&job.id).cloned();
        let input = || job.file_input.clone().filter(|input| !is_job(input));
        job.item_id.clone().or_else(created).or_else(input)
    }

    pub(super) async fn create(&self, client: &Client, request: &Resubmission) -> Result<String, CreateError> {
        let job_id = create::create(client, request).await?;
        if let [item_id] = request.item_ids.as_slice() {
            self.remember(&job_id, item_id);
        }
        Ok(job_id)
    }

    /// Notes for which item a job was made.
    pub(super) fn remember(&self, job_id: &str, item_id: &str) {
        lock(&self.created).insert(job_id.to_owned(), item_id.to_owned());
    }

    /// The present status of the named items: of their jobs, or failed where there is none.
    /// The flag says whether all that the batch holds was seen; a batch that runs shows nothing yet.
    pub(super) async fn statuses(
        &self,
        client: &Client,
        batch: &Batch,
        wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<(HashMap<String, ItemStatus>, bool), CloudError> {
        if is_job(&batch.batch_id) {
            let job = job::get(client, &batch.batch_id).await?.ok_or_else(|| missing(batch))?;
            let item_id = self.item_of(&job);
            let is_known = item_id.is_some();
            let found = item_id.filter(|id| wanted(id)).map(|id| (id, job.status()));
            return Ok((found.into_iter().collect(), is_known));
        }
        let expanded = batch::get(client, &batch.batch_id, true).await?.ok_or_else(|| missing(batch))?;
        let mut complete = expanded.results.as_ref().is_some_and(|page| page.unreadable_keys.is_empty());
        let mappings = expanded.results.map(|page| page.rows).unwrap_or_default();
        let mut found = HashMap::new();
        let mut items_by_job = HashMap::new();
        for mapping in mappings.into_iter().filter(|mapping| wanted(&mapping.item_id)) {
            match (mapping.job_id, mapping.message) {
                (Some(job_id), None) => drop(items_by_job.insert(job_id, mapping.item_id)),
                _ => drop(found.insert(mapping.item_id, ItemStatus::Failed)),
            }
        }
        for product in [Product::Parse, Product::Extract] {
            let mut ids: Vec<&str> = items_by_job.keys().map(String::as_str).collect();
            ids.retain(|id| Product::of(id) == product);
            let each = |job: Job| {
                if let Some(item_id) = items_by_job.get(&job.id) {
                    found.insert(item_id.clone(), job.status());
                }
            };
            let listed = self.bound.jobs(client, product, &ids, None, each).await?;
            complete &= listed.complete && listed.unreadable == 0;
        }
        Ok((found, complete))
    }
}

/// A missing list means that the API has gone; a missing record means no more than that.
fn gone(error: CloudError, client: &Client) -> CloudError {
    match error {
        CloudError::NotFound { status, .. } => {
            CloudError::ApiGone { api: NAME, other: super::v1_beta::NAME, host: client.host().to_owned(), status }
        }
        error => error,
    }
}

fn missing(batch: &Batch) -> CloudError {
    CloudError::NotFound { path: format!("/{}/{}", ROOT.join("/"), batch.batch_id), status: 404 }
}

/// One batch, or a single job as a batch of one item.
pub(super) async fn batch(client: &Client, batch_id: &str) -> Result<Option<Batch>, CloudError> {
    if is_job(batch_id) {
        return Ok(job::get(client, batch_id).await?.map(single::batch));
    }
    Ok(batch::get(client, batch_id, false).await?.map(|expanded| expanded.batch))
}

/// The saved configuration that a batch ran with, as the fields that a single job takes.
pub(super) async fn job_config(client: &Client, batch_id: &str) -> Result<Option<Value>, CloudError> {
    let expanded = batch::get(client, batch_id, false).await?;
    let id = expanded.and_then(|expanded| expanded.configuration_id);
    Ok(id.map(|id| json!({ "configuration_id": id })))
}

pub(super) async fn job_record(client: &Client, job_id: &str) -> Result<Option<JobRecord>, CloudError> {
    let job = job::get(client, job_id).await?;
    Ok(job.map(|job| JobRecord { job_id: job.id, status: job.status, error_code: None, error_message: job.message }))
}

/// Asks for one batch: the project it belongs to.
pub(super) async fn probe(client: &Client) -> Result<Option<String>, CloudError> {
    let mut project = None;
    let mut page = |batches: Vec<Batch>| {
        project = batches.into_iter().find_map(|batch| batch.project_id);
        ControlFlow::Break(())
    };
    V2::default().list_batches(client, 1, None, &mut page).await?;
    Ok(project)
}
