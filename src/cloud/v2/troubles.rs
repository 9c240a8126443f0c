//! The failed items of one finished batch: files that got no job, and files whose job failed.

use std::collections::{HashMap, HashSet};

use super::super::client::Client;
use super::super::page::{self, Page};
use super::super::{CloudError, Listed};
use super::batch::{Expanded, Mapping};
use super::chunks::add;
use super::job::{Job, Product};
use super::{V2, single};
use crate::core::batch::{Batch, BatchStatus};
use crate::core::item::{ItemStatus, Kind, Observation};

/// What was found in one batch.
pub(super) struct Troubles {
    pub(super) failed: Vec<Observation>,
    pub(super) listed: Listed,
    /// Files in the batch.
    pub(super) total: u64,
    /// Whether no job of it can fail any more.
    pub(super) is_settled: bool,
}

/// Reads a finished batch. With `every_job` all jobs are asked for, else only the failed ones, which costs less.
pub(super) async fn read(
    v2: &V2,
    client: &Client,
    limit: usize,
    expanded: Expanded,
    every_job: bool,
) -> Result<Troubles, CloudError> {
    let Expanded { batch, results, .. } = expanded;
    let mut listed = Listed { complete: true, requests: 1, ..Listed::default() };
    let Some(results) = results else {
        return Ok(without_results(&batch, listed));
    };
    listed.unreadable = results.unreadable_keys.len() as u64;
    listed.why_unreadable = results.why_unreadable.clone();
    let total = results.size();
    let (jobs, unmapped) = sort(results);
    let mut failed: Vec<Observation> = unmapped.into_iter().map(|mapping| unmapped_item(&batch, mapping)).collect();
    let mut found = find_failed(v2, client, &jobs, every_job, &mut listed).await?;
    failed.append(&mut found.failed);
    if batch.status == BatchStatus::Failed {
        failed.push(whole_batch(&batch));
    }
    name(v2, client, limit, &batch, &mut failed, &mut listed).await;
    Ok(Troubles { failed, listed, total, is_settled: every_job && found.open == 0 })
}

/// A finished batch without results: if it failed as a whole, that is the news; else they are still to come.
fn without_results(batch: &Batch, mut listed: Listed) -> Troubles {
    let mut failed = Vec::new();
    let mut is_settled = true;
    if batch.status == BatchStatus::Failed {
        failed.push(whole_batch(batch));
    } else if batch.status == BatchStatus::Completed {
        listed.complete = false;
        listed.why_incomplete = Some(format!("the finished batch {} shows no results yet", batch.batch_id));
        is_settled = false;
    }
    Troubles { failed, listed, total: 0, is_settled }
}

/// Items by job, and the files that got none.
fn sort(results: Page<Mapping>) -> (HashMap<String, String>, Vec<Mapping>) {
    let mut jobs = HashMap::new();
    let mut unmapped = Vec::new();
    for mapping in results.rows {
        match (&mapping.job_id, &mapping.message) {
            (Some(job_id), None) => {
                jobs.insert(job_id.clone(), mapping.item_id);
            }
            _ => unmapped.push(mapping),
        }
    }
    (jobs, unmapped)
}

fn unmapped_item(batch: &Batch, mapping: Mapping) -> Observation {
    Observation {
        item_id: mapping.item_id,
        item_name: String::new(),
        kind: Kind::Failed,
        message: mapping.message,
        skip_reason: None,
        job_id: mapping.job_id,
        job_record_id: None,
        started_at: None,
        completed_at: batch.completed_at,
        effective_at: None,
    }
}

/// A batch that failed as a whole names no files, so it stands for them.
fn whole_batch(batch: &Batch) -> Observation {
    let mapping = Mapping {
        item_id: batch.batch_id.clone(),
        job_id: None,
        message: Some("the batch failed as a whole; it does not say which files".to_owned()),
    };
    Observation { item_name: "(whole batch)".to_owned(), ..unmapped_item(batch, mapping) }
}

struct Found {
    failed: Vec<Observation>,
    open: u64,
}

async fn find_failed(
    v2: &V2,
    client: &Client,
    items_by_job: &HashMap<String, String>,
    every_job: bool,
    listed: &mut Listed,
) -> Result<Found, CloudError> {
    let mut found = Found { failed: Vec::new(), open: 0 };
    let status = (!every_job).then_some("FAILED");
    for product in [Product::Parse, Product::Extract] {
        let mut ids: Vec<&str> = items_by_job.keys().map(String::as_str).collect();
        ids.retain(|id| Product::of(id) == product);
        ids.sort_unstable();
        let mut seen = HashSet::new();
        let each = |job: Job| {
            let Some(item_id) = items_by_job.get(&job.id) else { return };
            if !seen.insert(job.id.clone()) {
                return;
            }
            match job.status() {
                ItemStatus::Failed => found.failed.push(single::observation(job, item_id.clone(), None)),
                // A word of the future in a list of failed jobs is believed to be one: to lose a failure would be worse.
                ItemStatus::Unknown(_) if !every_job => {
                    found.failed.push(single::observation(job, item_id.clone(), None));
                }
                _ => found.open += u64::from(job.is_open()),
            }
        };
        let part = v2.bound.jobs(client, product, &ids, status, each).await?;
        add(listed, part);
    }
    Ok(found)
}

/// Gives names to those that have none yet. An item without a name is better than none, so trouble here is no trouble.
async fn name(v2: &V2, client: &Client, limit: usize, batch: &Batch, failed: &mut [Observation], listed: &mut Listed) {
    for observation in failed.iter() {
        listed.fingerprint = listed.fingerprint.wrapping_add(page::key(&observation.item_id));
    }
    listed.rows = failed.len() as u64;
    let nameless: HashSet<&str> =
        failed.iter().filter(|item| item.item_name.is_empty()).map(|item| item.item_id.as_str()).collect();
    let Some(directory_id) = batch.directory_id.as_deref().filter(|_| !nameless.is_empty()) else {
        return;
    };
    match v2.files.names(client, limit, directory_id, &nameless).await {
        Ok(mut names) => {
            for item in failed.iter_mut().filter(|item| item.item_name.is_empty()) {
                item.item_name = names.remove(&item.item_id).unwrap_or_default();
            }
        }
        Err(error) => {
            tracing::warn!(directory.id = directory_id, %error, "could not read the names of a directory's files");
        }
    }
}
