//! Resubmitting one file through API v2, and finding out what became of it.
//!
//! A parse job carries the intent and the item in its `user_metadata`, so that finding it again is exact.
//! Extract jobs have no such field; they are found by what they were made from, and told from others by what was there before.

use std::collections::{BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::resubmit::{Known, LOOK_BACK, Look, Made, Resubmission};
use crate::llamacloud::v2::job::{self, INTENT, ITEM, Job, Product};
use crate::llamacloud::v2::notes::{Notes, whole};
use crate::llamacloud::v2::single;
use crate::model::batch_api::BatchApi;
use crate::model::candidates::{Candidate, Candidates};
use crate::model::id::is_uuid;
use crate::model::item::ItemStatus;
use crate::model::prior_jobs::PriorJobs;

/// A job that was made so long before its POST may still be its own, as clocks differ.
const CLOCK_MARGIN: SignedDuration = SignedDuration::from_mins(5);

fn product(request: &Resubmission) -> Result<Product, CloudError> {
    match request.job_type.as_str() {
        "parse" => Ok(Product::Parse),
        "extract" => Ok(Product::Extract),
        _ => Err(unsupported("resubmit items of this job type")),
    }
}

fn unsupported(what: &'static str) -> CloudError {
    CloudError::Unsupported { api: BatchApi::V2.word(), what }
}

fn only_item(request: &Resubmission) -> Result<&str, CloudError> {
    match request.item_ids.as_slice() {
        [item] if !item.starts_with("bat-") => Ok(item),
        [_] => Err(unsupported("resubmit a whole batch")),
        _ => Err(unsupported("resubmit several items by one request")),
    }
}

/// Makes a job of the item by one POST; what must be known for it is asked before.
pub(crate) async fn create(client: &Client, request: &Resubmission) -> Result<String, CreateError> {
    let (product, body) = body(client, request).await.map_err(CreateError::NotSent)?;
    let path = product.path();
    let shown = format!("/{}", path.join("/"));
    client.post_once(&Ask::path(&path), &body, |text| created_id(text, &shown)).await
}

fn created_id(text: &str, path: &str) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    struct CreatedBatch {
        id: Option<String>,
        job: Option<Box<CreatedBatch>>,
    }
    let created: CreatedBatch = parse(text, path)?;
    let id = created.id.or_else(|| created.job.and_then(|job| job.id));
    id.filter(|id| !id.is_empty()).ok_or_else(|| CloudError::Decode {
        path: path.to_owned(),
        at: "id".to_owned(),
        problem: "missing".to_owned(),
    })
}

async fn body(client: &Client, request: &Resubmission) -> Result<(Product, Value), CloudError> {
    let product = product(request)?;
    let item_id = only_item(request)?;
    let mut body: Map<String, Value> = request.job_config.as_object().cloned().unwrap_or_default();
    match product {
        Product::Parse => {
            let directory =
                request.directory_id.as_deref().ok_or_else(|| unsupported("parse an item of an unknown directory"))?;
            let file_id = crate::llamacloud::v2::files::file_id(client, directory, item_id).await?;
            body.insert("file_id".to_owned(), file_id.into());
            // The description requires both; with a saved configuration this word means what is saved.
            let saved = body.contains_key("configuration_id") && !body.contains_key("tier");
            body.entry("tier").or_insert_with(|| "configured".into());
            body.entry("version").or_insert_with(|| if saved { "configured" } else { "latest" }.into());
            body.insert("user_metadata".to_owned(), json!({ INTENT: request.intent_id, ITEM: item_id }));
        }
        Product::Extract => {
            let input = match &request.before {
                Some(before) => before.input.clone(),
                None => input(client, request).await?,
            };
            body.insert("file_input".to_owned(), input.into());
            // This product knows the word only inside a configuration that is written out, and not beside a saved one.
            let uncached = body.remove("disable_cache");
            if let (Some(uncached), Some(Value::Object(own))) = (uncached, body.get_mut("configuration")) {
                own.insert("disable_cache".to_owned(), uncached);
            }
        }
    }
    Ok((product, Value::Object(body)))
}

/// What an extraction is made from: the parse job behind the failed one, if parsing had succeeded, else the item.
async fn input(client: &Client, request: &Resubmission) -> Result<String, CloudError> {
    let item_id = only_item(request)?;
    let failed = match &request.job_id {
        Some(id) if crate::llamacloud::v2::product(&request.job_type, id) == Product::Extract => {
            job::get(client, Product::Extract, id).await?
        }
        _ => None,
    };
    let Some(parse_job_id) = failed.and_then(|job| job.parse_job_id) else {
        return Ok(item_id.to_owned());
    };
    let parsed = job::get(client, Product::Parse, &parse_job_id).await?;
    let parsed = parsed.filter(|job| job.status() == ItemStatus::Completed);
    Ok(parsed.map_or_else(|| item_id.to_owned(), |job| job.id))
}

/// Looks for a job that does the work already. For an extraction, takes down what it is made from, and the jobs of that input
/// that are there already.
pub(crate) async fn list_prior_jobs(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    (notes, known): (&Notes, &Known),
    now: Timestamp,
) -> Result<Look, CloudError> {
    if product(request)? == Product::Parse {
        return notes.look(client, limit, only_item(request)?, known).await;
    }
    let configuration = request.job_config.get("configuration_id").and_then(Value::as_str).map(str::to_owned);
    let before = PriorJobs { input: input(client, request).await?, configuration, jobs: BTreeSet::new() };
    let (mut jobs, mut made): (BTreeSet<String>, Vec<Made>) = Default::default();
    let each = |job: Job| {
        let is_new = job.created_at.is_some_and(|at| at > known.failed_at) && !known.batches.contains(&job.id);
        let does_it = job.is_open() || job.status() == ItemStatus::Completed;
        if is_new && does_it && before.configuration.is_some() && job.configuration_id == before.configuration {
            made.push(Made { job_id: job.id.clone(), created_at: job.created_at });
        }
        jobs.insert(job.id);
    };
    let posted = now.min(known.failed_at + LOOK_BACK);
    whole(extractions(client, limit, &before.input, posted, each).await?, Product::Extract)?;
    let made = made.into_iter().max_by_key(|made| made.created_at);
    Ok(Look { before: Some(PriorJobs { jobs, ..before }), made, ..Look::default() })
}

/// Hands over the extract jobs of an input that may have been made by a POST at `posted`, or a day before it.
async fn extractions(
    client: &Client,
    limit: usize,
    input: &str,
    posted: Timestamp,
    mut each: impl FnMut(Job) + Send,
) -> Result<ListResult, CloudError> {
    let path = Product::Extract.path();
    let ask = made_since(&path, posted).with("file_input", input);
    let of_input = |job: Job| {
        if job.file_input.as_deref() == Some(input) {
            each(job);
        }
    };
    job::list(client, &ask, limit, of_input).await
}

fn made_since<'a>(path: &'a [&'a str], posted: Timestamp) -> Ask<'a> {
    Ask::path(path).with("created_at_on_or_after", (posted - LOOK_BACK).to_string())
}

/// Jobs that are the one asked for, or may be it, but for `others`.
pub(crate) async fn find(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    notes: &Notes,
    posted: Timestamp,
    others: &HashSet<String>,
) -> Result<Candidates, CloudError> {
    let product = product(request)?;
    let item_ids = BTreeSet::from([only_item(request)?.to_owned()]);
    let mut found = Vec::new();
    let mut keep = |job: Job, sure: bool| {
        if !others.contains(&job.id) {
            let item_ids = sure.then(|| item_ids.clone());
            let is_noted = job.intent_id.as_deref() == Some(&request.intent_id);
            found.push(Candidate { batch: single::batch(job, product), item_ids, is_noted });
        }
    };
    let listed = match (product, &request.before) {
        (Product::Parse, _) => {
            let mut noted = |job: Job| {
                if job.intent_id.as_deref() == Some(&request.intent_id) {
                    keep(job, true);
                }
            };
            let (mut shows_notes, mut unnoted) = (false, Vec::new());
            let path = product.path();
            let each = |job: Job| match &job.intent_id {
                Some(_) => {
                    shows_notes = true;
                    noted(job);
                }
                None if others.contains(&job.id) => {}
                None => unnoted.push(job.id),
            };
            let mut listed = job::list(client, &made_since(&path, posted), limit, each).await?;
            if !shows_notes {
                // The list may omit notes: a job without one is unassigned until the job itself was fetched.
                listed.complete &= notes.ask(client, unnoted, noted).await?;
            }
            listed
        }
        (Product::Extract, Some(before)) => {
            let new = |job: Job| {
                if let Some(sure) = likeness(&job, before, posted) {
                    keep(job, sure);
                }
            };
            extractions(client, limit, &before.input, posted, new).await?
        }
        // No one can tell its job from those of others.
        (Product::Extract, None) => ListResult::default(),
    };
    Ok(Candidates { found, complete: listed.complete && listed.unreadable == 0 })
}

/// Whether an extract job surely is the one of a POST; none if it surely is not.
///
/// What was there before is not, nor what was made with another saved configuration. A server may write one that it ships under
/// another name or none at all, and clocks of servers differ: then no one can say.
fn likeness(job: &Job, before: &PriorJobs, posted: Timestamp) -> Option<bool> {
    if before.jobs.contains(&job.id) {
        return None;
    }
    let is_as_sent = match (&job.configuration_id, &before.configuration) {
        (Some(shown), Some(sent)) if shown != sent && is_saved(shown) && is_saved(sent) => return None,
        (Some(shown), Some(sent)) => shown == sent,
        _ => false,
    };
    Some(is_as_sent && job.created_at.is_none_or(|at| at >= posted - CLOCK_MARGIN))
}

/// Whether this is a configuration that someone saved, not one that the API ships.
fn is_saved(configuration_id: &str) -> bool {
    configuration_id.strip_prefix("cfg-").is_some_and(is_uuid)
}
