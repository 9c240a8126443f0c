//! The failed items of one finished batch: files that got no job, and files whose job failed; beside them those that someone
//! cancelled, which the same answers show.

use std::collections::HashMap;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::Client;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::v2::batch::{Expanded, Mapping};
use crate::llamacloud::v2::job::{Job, Made, Product};
use crate::llamacloud::v2::outcomes::chunks::add;
use crate::llamacloud::v2::{V2, names, outcomes, pages, single};
use crate::model::batch::{Batch, BatchStatus, Counted};
use crate::model::item::{ItemStatus, Kind, Observation};

impl Made {
    /// What the failed job says of each of its items.
    fn observations(&self, job: &Job) -> impl Iterator<Item = Observation> {
        self.item_ids.iter().map(|item_id| single::observation(item_id.clone(), job.clone(), None))
    }
}

/// Reads a finished batch: its failed and cancelled items, and how the reading went.
pub(crate) async fn read(
    v2: &V2,
    client: &Client,
    limit: usize,
    expanded: Expanded,
) -> Result<(Vec<Observation>, ListResult), CloudError> {
    let Expanded { batch, results, .. } = expanded;
    let mut listed = ListResult { complete: true, requests: 1, ..ListResult::default() };
    let Some(results) = results else {
        return Ok((Vec::new(), without_results(&batch, listed)));
    };
    listed.unreadable = results.unreadable_keys.len() as u64;
    listed.why_unreadable = results.why_unreadable.clone();
    let total = results.size();
    let Sorted { jobs, unmapped, never_begun } = sort(&batch, results.rows);
    let mut failed: Vec<Observation> = unmapped.into_iter().map(|mapping| unmapped_item(&batch, mapping)).collect();
    let outcomes = outcomes::read(v2, client, limit, &batch, &jobs).await?;
    add(&mut listed, &outcomes.listed);
    let may_change = outcomes.may_change;
    listed.only_odd = outcomes.only_odd;
    outcomes.log_odd_jobs(&mut listed);
    if v2.page_failures {
        failed.append(&mut with_failed_pages(client, &outcomes.jobs, &jobs, &mut listed).await?);
    }
    let (mut parsings, mut extractions) = (HashMap::new(), HashMap::new());
    let mut cancelled: Vec<Observation> = never_begun.into_iter().map(|id| never_begun_item(&batch, id)).collect();
    cancelled.extend(cancelled_items(&outcomes.jobs, &jobs));
    for mut job in outcomes.into_failed() {
        let Some(made) = jobs.get(&job.id) else { continue };
        if let Some(parsing) = job.parse_job_id.take() {
            parsings.extend(made.item_ids.iter().map(|item_id| (item_id.clone(), parsing.clone())));
        }
        if made.product == Product::Extract {
            extractions.extend(made.item_ids.iter().map(|item_id| (job.id.clone(), item_id.clone())));
        }
        failed.extend(made.observations(&job));
    }
    if !may_change {
        listed.counted = Some(Counted { total, failed: failed.len() as u64 });
    }
    failed.append(&mut cancelled);
    let place = names::NameSource { directory_id: batch.directory_id.as_deref(), files: total, parsings, extractions };
    names::give(v2, client, limit, &place, &mut failed, &mut listed).await;
    Ok((failed, listed))
}

/// Parses in a row with unreadable pages after which the server counts as failing, and the others are skipped.
const MOST_IN_A_ROW: usize = 3;

/// The items whose parse completed without some of its pages. Pages that cannot be read cost no failure that is known.
async fn with_failed_pages(
    client: &Client,
    jobs: &[Job],
    made: &HashMap<String, Made>,
    listed: &mut ListResult,
) -> Result<Vec<Observation>, CloudError> {
    let mut found = Vec::new();
    let mut in_a_row = 0;
    for job in jobs.iter().filter(|job| job.status() == ItemStatus::Completed) {
        let Some(made) = made.get(&job.id).filter(|made| made.product == Product::Parse) else { continue };
        listed.requests += 1;
        match pages::failed_pages(client, &job.id).await {
            Ok(trouble) => {
                in_a_row = 0;
                if let Some(message) = trouble {
                    found.extend(made.observations(&Job { message: Some(message), ..job.clone() }));
                }
            }
            Err(error) if error.stops_scan() => return Err(error),
            Err(error) => {
                in_a_row += 1;
                listed.unreadable += 1;
                listed.why_unreadable.get_or_insert_with(|| format!("the pages of {}: {error}", job.id));
                if in_a_row == MOST_IN_A_ROW {
                    listed.complete = false;
                    listed.why_incomplete = listed.why_unreadable.clone();
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// A finished batch without results: one that failed or was cancelled has none, those of others are still to come.
fn without_results(batch: &Batch, mut listed: ListResult) -> ListResult {
    if matches!(batch.status, BatchStatus::Failed | BatchStatus::Cancelled) {
        listed.counted = Some(Counted { total: 0, failed: 0 });
    } else {
        listed.complete = false;
        listed.why_incomplete = Some(format!("the finished batch {} has no results yet", batch.batch_id));
    }
    listed
}

/// The files of a batch.
pub(crate) struct Sorted {
    /// Those that got a job, by its id.
    pub(crate) jobs: HashMap<String, Made>,
    /// Those that got none.
    pub(crate) unmapped: Vec<Mapping>,
    /// Those that had got none when someone cancelled the batch: that is no failure.
    pub(crate) never_begun: Vec<String>,
}

/// Tells files with a job from files without one.
pub(crate) fn sort(batch: &Batch, mappings: Vec<Mapping>) -> Sorted {
    let jobs = HashMap::with_capacity(mappings.len());
    let mut sorted = Sorted { jobs, unmapped: Vec::new(), never_begun: Vec::new() };
    let cancelled = batch.status == BatchStatus::Cancelled;
    for mapping in mappings {
        match (&mapping.job_id, &mapping.message) {
            (Some(job_id), None) => {
                let none = Made { item_ids: Vec::new(), product: mapping.product };
                sorted.jobs.entry(job_id.clone()).or_insert(none).item_ids.push(mapping.item_id);
            }
            (None, None) if cancelled => sorted.never_begun.push(mapping.item_id),
            _ => sorted.unmapped.push(mapping),
        }
    }
    sorted
}

/// The items whose job someone cancelled.
fn cancelled_items<'j>(jobs: &'j [Job], made: &'j HashMap<String, Made>) -> impl Iterator<Item = Observation> + 'j {
    let cancelled = jobs.iter().filter(|job| job.status() == ItemStatus::Cancelled);
    let observations = cancelled.filter_map(|job| Some(made.get(&job.id)?.observations(job)));
    observations.flatten().map(|item| Observation { kind: Kind::Cancelled, ..item })
}

/// A file that had got no job when someone cancelled the batch.
fn never_begun_item(batch: &Batch, item_id: String) -> Observation {
    let none = Mapping { item_id, job_id: None, product: Product::Parse, message: None };
    Observation { kind: Kind::Cancelled, ..unmapped_item(batch, none) }
}

fn unmapped_item(batch: &Batch, mapping: Mapping) -> Observation {
    let is_left = mapping.message.is_none() && mapping.job_id.is_none() && batch.failed_as_a_whole();
    let item = Observation {
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
    };
    if is_left { batch.abandoned(item) } else { item }
}
