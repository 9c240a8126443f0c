//! Resubmitting one file through API v2, and finding out what became of it.
//!
//! A parse job carries the intent and the item in its `user_metadata`, so that finding it again is exact.
//! Extract jobs have no such field; they are found by what they were made from and when.

use std::collections::{BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::client::{Ask, Client};
use super::super::page::parse;
use super::super::resubmit::LOOK_BACK;
use super::super::{Candidate, Candidates, CloudError, CreateError, Resubmission};
use super::NAME;
use super::job::{self, INTENT, ITEM, Job, Product};
use super::single;
use crate::core::item::ItemStatus;

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
    CloudError::Unsupported { api: NAME, what }
}

fn only_item(request: &Resubmission) -> Result<&str, CloudError> {
    match request.item_ids.as_slice() {
        [item] if !item.starts_with("bat-") => Ok(item),
        [_] => Err(unsupported("resubmit a whole batch")),
        _ => Err(unsupported("resubmit several items by one request")),
    }
}

/// Makes a job of the item by one POST; what must be known for it is asked before.
pub(super) async fn create(client: &Client, request: &Resubmission) -> Result<String, CreateError> {
    let (product, body) = body(client, request).await.map_err(CreateError::NotSent)?;
    let path = product.path();
    let shown = format!("/{}", path.join("/"));
    client.post_once(&Ask::path(&path), &body, |text| created_id(text, &shown)).await
}

fn created_id(text: &str, path: &str) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    struct Created {
        id: Option<String>,
        job: Option<Box<Created>>,
    }
    let created: Created = parse(text, path)?;
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
            let file_id = super::files::file_id(client, directory, item_id).await?;
            body.insert("file_id".to_owned(), file_id.into());
            // The description requires both; with a saved configuration this word means what is saved.
            let saved = body.contains_key("configuration_id") && !body.contains_key("tier");
            body.entry("tier").or_insert_with(|| "configured".into());
            body.entry("version").or_insert_with(|| if saved { "configured" } else { "latest" }.into());
            body.insert("user_metadata".to_owned(), json!({ INTENT: request.intent_id, ITEM: item_id }));
        }
        Product::Extract => {
            let parsed = parsed(client, request.job_id.as_deref()).await?;
            body.insert("file_input".to_owned(), parsed.as_deref().unwrap_or(item_id).into());
            // This product knows the word only inside a configuration that is written out, and not beside a saved one.
            let uncached = body.remove("disable_cache");
            if let (Some(uncached), Some(Value::Object(own))) = (uncached, body.get_mut("configuration")) {
                own.insert("disable_cache".to_owned(), uncached);
            }
        }
    }
    Ok((product, Value::Object(body)))
}

/// The parse job behind a failed extraction, if parsing had succeeded.
async fn parsed(client: &Client, job_id: Option<&str>) -> Result<Option<String>, CloudError> {
    let Some(parse_job_id) = extract_job(client, job_id).await?.and_then(|job| job.parse_job_id) else {
        return Ok(None);
    };
    let parse_job = job::get(client, &parse_job_id).await?;
    Ok(parse_job.filter(|job| job.status() == ItemStatus::Completed).map(|job| job.id))
}

async fn extract_job(client: &Client, job_id: Option<&str>) -> Result<Option<Job>, CloudError> {
    match job_id {
        Some(id) if is_extract(id) => job::get(client, id).await,
        _ => Ok(None),
    }
}

fn is_extract(job_id: &str) -> bool {
    Product::of(job_id) == Product::Extract
}

/// Jobs that are the one asked for, but for `others`.
///
/// A parse job says so itself. An extract job of the same input is it only if it was made about when the POST was sent:
/// of an older one nobody can say what it is, as servers' clocks differ.
pub(in crate::cloud) async fn find(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    posted: Timestamp,
    others: &HashSet<String>,
) -> Result<Candidates, CloudError> {
    let product = product(request)?;
    let item_id = only_item(request)?;
    let path = product.path();
    let ask = Ask::path(&path).with("created_at_on_or_after", (posted - LOOK_BACK).to_string());
    let mut found = Vec::new();
    let mut complete = true;
    let mut keep = |job: Job| {
        let is_it = match product {
            Product::Parse => job.intent_id.as_deref() == Some(&request.intent_id),
            Product::Extract => request.job_id.as_deref() != Some(&job.id),
        };
        if is_it && !others.contains(&job.id) {
            let sure = product == Product::Parse || job.created_at.is_none_or(|at| at >= posted - CLOCK_MARGIN);
            let item_ids = sure.then(|| BTreeSet::from([item_id.to_owned()]));
            found.push(Candidate { batch: single::batch(job), item_ids });
        }
    };
    let inputs = match product {
        Product::Parse => vec![None],
        Product::Extract => {
            // The POST may have named a parsing that nobody can tell any more.
            let asked = extract_job(client, request.job_id.as_deref()).await?;
            complete = asked.is_some() || !request.job_id.as_deref().is_some_and(is_extract);
            let parsed = asked.and_then(|job| job.parse_job_id);
            [Some(item_id.to_owned()), parsed].into_iter().filter(Option::is_some).collect()
        }
    };
    for input in inputs {
        let mut ask = ask.clone();
        ask.query.extend(input.clone().map(|input| ("file_input", input)));
        let same = |job: &Job| input.is_none() || job.file_input == input;
        let listed = job::list(client, &ask, limit, |job| {
            if same(&job) {
                keep(job);
            }
        });
        complete &= listed.await.map(|listed| listed.complete && listed.unreadable == 0)?;
    }
    Ok(Candidates { found, complete })
}
