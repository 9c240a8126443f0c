//! What API v1 says about the job behind an item: its error, and the configuration that it ran with.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::resubmit::JobRecord;
use crate::llamacloud::v1_beta::item::Statuses;
use crate::llamacloud::v1_beta::under;
use crate::llamacloud::wire::{WireText, time};
use crate::model::batch::Batch;
use crate::model::id::is_uuid;
use crate::model::item::ItemStatus;

#[derive(Deserialize)]
pub(crate) struct V1WireJob<'a> {
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(borrow)]
    error_code: Option<WireText<'a>>,
    #[serde(borrow)]
    error_message: Option<WireText<'a>>,
    /// What extraction jobs call it.
    #[serde(borrow)]
    error: Option<WireText<'a>>,
}

/// What stands before a job's id in the address of its record, and whether the call knows no project; none if no call can
/// know the job.
pub(crate) fn record_path(job_type: &str, job_id: &str) -> Option<(&'static [&'static str], bool)> {
    let front: &[&str] = match job_type {
        "extract" => &["api", "v1", "extraction", "jobs"],
        "classify" => &["api", "v1", "classifier", "jobs"],
        _ => return Some((&["api", "v1", "parsing", "job"], false)),
    };
    // These calls know jobs by uuid only, and the one of extractions knows no project.
    is_uuid(job_id).then_some((front, job_type == "extract"))
}

/// The record of a job; none if LlamaCloud does not know it (any more).
pub(crate) async fn record(client: &Client, job_type: &str, job_id: &str) -> Result<Option<JobRecord>, CloudError> {
    let Some((front, unscoped)) = record_path(job_type, job_id) else { return Ok(None) };
    let path = [front, &[job_id]].concat();
    let ask = Ask { unscoped, ..Ask::path(&path).once() };
    let got = client
        .get(&ask, |text| {
            let job: V1WireJob<'_> = parse(text, &format!("/{}", path.join("/")))?;
            Ok(JobRecord {
                job_id: job_id.to_owned(),
                status: job.status.map_or_else(String::new, WireText::into_id),
                error_code: job.error_code.and_then(WireText::into_message),
                error_message: job.error_message.or(job.error).and_then(WireText::into_message),
            })
        })
        .await;
    none_if_missing(got)
}

/// The configuration that an item's job ran with, from the first source that has one:
/// the failed parse job's own parameters, the results of a completed item of the same batch, the results of the item itself.
///
/// It is as the API gives it: with ids of the server, and perhaps with secrets. The caller keeps only what may be sent again.
pub(crate) async fn config(
    client: &Client,
    batch: &Batch,
    item_id: &str,
    job_id: Option<&str>,
) -> Result<Option<Value>, CloudError> {
    let own = match job_id {
        Some(job_id) if batch.job_type == "parse" => parameters(client, job_id).await,
        _ => Ok(None),
    };
    match own {
        Ok(None) => job_config_of_results(client, batch, item_id).await,
        // A key may be let in to results and not to parameters; a failing server is asked again later.
        Err(error @ (CloudError::Forbidden { .. } | CloudError::Refused { .. })) => {
            job_config_of_results(client, batch, item_id).await?.map_or(Err(error), |config| Ok(Some(config)))
        }
        own => own,
    }
}

async fn job_config_of_results(client: &Client, batch: &Batch, item_id: &str) -> Result<Option<Value>, CloudError> {
    if let Some(sibling) = completed_item(client, batch).await?
        && let Some(config) = result_config(client, &sibling, &batch.job_type).await?
    {
        return Ok(Some(config));
    }
    result_config(client, item_id, &batch.job_type).await
}

/// Whether an item has a processing result of this time or later; an entry needs an output, so work that only ever failed has none.
/// A result without a time proves nothing.
pub(crate) async fn has_result(
    client: &Client,
    item_id: &str,
    job_type: &str,
    since: Timestamp,
) -> Result<bool, CloudError> {
    let at = |result: &Value| time(result["processed_at"].as_str().map(|text| WireText(text.into())));
    let results = results(client, item_id, job_type).await?;
    Ok(results.iter().any(|result| at(result).is_some_and(|at| at >= since)))
}

/// How many results of an item carry this correlation id.
pub(crate) async fn results_of(
    client: &Client,
    item_id: &str,
    job_type: &str,
    correlation_id: &str,
) -> Result<usize, CloudError> {
    let results = results(client, item_id, job_type).await?;
    Ok(results.iter().filter(|result| result["job_config"]["correlation_id"] == correlation_id).count())
}

/// The parameters of a parse job, in the envelope in which results give them.
async fn parameters(client: &Client, job_id: &str) -> Result<Option<Value>, CloudError> {
    let path = ["api", "v1", "parsing", "job", job_id, "parameters"];
    let ask = Ask::path(&path);
    let got = client.get(&ask, |text| parse::<Value>(text, &format!("/{}", path.join("/"))));
    let value = none_if_missing(got.await)?;
    let value = value.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()));
    Ok(value.map(|parameters| serde_json::json!({ "parameters": parameters })))
}

/// Some completed item of the batch.
async fn completed_item(client: &Client, batch: &Batch) -> Result<Option<String>, CloudError> {
    let path = under(&[&batch.batch_id, "items"]);
    let ask = Ask::path(&path).with("status", "completed");
    let mut found = None;
    let mut each = |rows: Vec<(String, ItemStatus)>| {
        let mut completed = rows.into_iter().filter(|(_, status)| *status == ItemStatus::Completed);
        found = completed.next().map(|(id, _)| id);
        ControlFlow::Break(())
    };
    let paging = ListProgress::by_offset(None);
    let listed = listing::read(client, &ask, Style::of(Make::V1, 1), &Statuses, paging, &mut each);
    none_if_missing(listed.await)?;
    Ok(found)
}

/// The results of an item that show how they were made.
async fn results(client: &Client, item_id: &str, job_type: &str) -> Result<Vec<Value>, CloudError> {
    #[derive(Deserialize)]
    struct V1Results {
        processing_results: Option<Vec<Value>>,
    }
    let path = under(&["items", item_id, "processing-results"]);
    let ask = Ask::path(&path).with("job_type", job_type);
    let got = client.get(&ask, |text| parse::<V1Results>(text, &format!("/{}", path.join("/"))));
    let mut results = none_if_missing(got.await)?.and_then(|got| got.processing_results).unwrap_or_default();
    results.retain(|result| result.get("job_config").is_some_and(Value::is_object));
    Ok(results)
}

async fn result_config(client: &Client, item_id: &str, job_type: &str) -> Result<Option<Value>, CloudError> {
    let results = results(client, item_id, job_type).await?;
    let newest = results.into_iter().max_by_key(|result| result["processed_at"].as_str().map(str::to_owned));
    Ok(newest.map(|mut result| result["job_config"].take()))
}

/// A record that is not there is an answer, too.
fn none_if_missing<T>(got: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match got {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
