//! The failed items of one finished batch: files that got no job, and files whose job failed.

use std::collections::HashMap;

use super::super::client::Client;
use super::super::{CloudError, Listed};
use super::batch::{Expanded, Mapping};
use super::chunks::add;
use super::job::{Job, Product};
use super::{V2, names, outcomes, pages, single};
use crate::core::batch::{Batch, BatchStatus, Counted};
use crate::core::item::{ItemStatus, Kind, Observation};

/// Reads a finished batch: its failed items, and how the reading went.
pub(super) async fn read(
    v2: &V2,
    client: &Client,
    limit: usize,
    expanded: Expanded,
) -> Result<(Vec<Observation>, Listed), CloudError> {
    let Expanded { batch, results, .. } = expanded;
    let mut listed = Listed { complete: true, requests: 1, ..Listed::default() };
    let Some(results) = results else {
        return Ok(without_results(&batch, listed));
    };
    listed.unreadable = results.unreadable_keys.len() as u64;
    listed.why_unreadable = results.why_unreadable.clone();
    let total = results.size();
    let Sorted { jobs, unmapped, .. } = sort(&batch, results.rows);
    let mut failed: Vec<Observation> = unmapped.into_iter().map(|mapping| unmapped_item(&batch, mapping)).collect();
    let outcomes = outcomes::read(v2, client, limit, &batch, &jobs, v2.page_failures).await?;
    add(&mut listed, &outcomes.listed);
    let may_change = outcomes.may_change;
    listed.only_odd = outcomes.only_odd;
    if v2.page_failures {
        failed.append(&mut with_failed_pages(client, &outcomes.jobs, &jobs, &mut listed).await?);
    }
    let mut parsings = HashMap::new();
    let observe = |mut job: Job| {
        let item_id = jobs.get(&job.id)?.item_id.clone();
        parsings.extend(job.parse_job_id.take().map(|parsing| (item_id.clone(), parsing)));
        Some(single::observation(item_id, job, None))
    };
    failed.extend(outcomes.into_failed().into_iter().filter_map(observe));
    if !may_change {
        listed.counted = Some(Counted { total, failed: failed.len() as u64 });
    }
    if batch.status == BatchStatus::Failed {
        failed.push(whole_batch(&batch));
    }
    let place = names::Place { directory_id: batch.directory_id.as_deref(), files: total, parsings };
    names::give(v2, client, limit, &place, &mut failed, &mut listed).await;
    Ok((failed, listed))
}

/// The items whose parse completed without some of its pages.
async fn with_failed_pages(
    client: &Client,
    jobs: &[Job],
    made: &HashMap<String, Made>,
    listed: &mut Listed,
) -> Result<Vec<Observation>, CloudError> {
    let mut found = Vec::new();
    for job in jobs.iter().filter(|job| job.status() == ItemStatus::Completed) {
        let Some(Made { item_id, product: Product::Parse }) = made.get(&job.id) else { continue };
        listed.requests += 1;
        if let Some(message) = pages::trouble(client, &job.id).await? {
            found.push(single::observation(item_id.clone(), Job { message: Some(message), ..job.clone() }, None));
        }
    }
    Ok(found)
}

/// A finished batch without results: if it failed as a whole, that is the news; else they are still to come.
fn without_results(batch: &Batch, mut listed: Listed) -> (Vec<Observation>, Listed) {
    let mut failed = Vec::new();
    match batch.status {
        BatchStatus::Failed => failed.push(whole_batch(batch)),
        BatchStatus::Cancelled => {}
        _ => {
            listed.complete = false;
            listed.why_incomplete = Some(format!("the finished batch {} shows no results yet", batch.batch_id));
        }
    }
    if listed.complete {
        listed.counted = Some(Counted { total: 0, failed: 0 });
    }
    (failed, listed)
}

/// A job, and which item it was made of.
pub(super) struct Made {
    pub(super) item_id: String,
    pub(super) product: Product,
}

/// The files of a batch.
pub(super) struct Sorted {
    /// Those that got a job, by its id.
    pub(super) jobs: HashMap<String, Made>,
    /// Those that got none.
    pub(super) unmapped: Vec<Mapping>,
    /// Those that had got none when somebody cancelled the batch: that is no failure.
    pub(super) never_begun: Vec<String>,
}

/// Tells files with a job from files without one.
pub(super) fn sort(batch: &Batch, mappings: Vec<Mapping>) -> Sorted {
    let jobs = HashMap::with_capacity(mappings.len());
    let mut sorted = Sorted { jobs, unmapped: Vec::new(), never_begun: Vec::new() };
    let cancelled = batch.status == BatchStatus::Cancelled;
    for mapping in mappings {
        match (&mapping.job_id, &mapping.message) {
            (Some(job_id), None) => {
                let made = Made { item_id: mapping.item_id, product: mapping.product };
                sorted.jobs.insert(job_id.clone(), made);
            }
            (None, None) if cancelled => sorted.never_begun.push(mapping.item_id),
            _ => sorted.unmapped.push(mapping),
        }
    }
    sorted
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
        product: Product::Parse,
        message: Some("the batch failed as a whole; it does not say which files".to_owned()),
    };
    Observation { item_name: "(whole batch)".to_owned(), ..unmapped_item(batch, mapping) }
}
