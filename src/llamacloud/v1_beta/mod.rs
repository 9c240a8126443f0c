//! API v1 beta batch processing: `/api/v1/beta/batch-processing`.

pub(crate) mod batch;
pub(crate) mod create;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod item;
pub(crate) mod job;

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::Deserialize;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::{ListProgress, MOST_BATCHES, MOST_ROWS};
use crate::llamacloud::paging::listing::{self, Flow, ListResult, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::paging::sort_check::NewestFirst;
use crate::llamacloud::v1_beta::batch::{V1BatchRows, V1WireBatch};
use crate::llamacloud::v1_beta::item::{FailedItems, Statuses, Undone};
use crate::llamacloud::{PageOfBatches, PageOfItems, PageOfStatuses};
use crate::model::batch::Batch;
use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind, Observation};

const ROOT: [&str; 4] = ["api", "v1", "beta", "batch-processing"];

fn under<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&ROOT[..], rest].concat()
}

pub(crate) async fn list_batches(
    client: &Client,
    limit: usize,
    created_since: Option<Timestamp>,
    page: &mut PageOfBatches<'_>,
) -> Result<ListResult, CloudError> {
    let mut order = NewestFirst::default();
    let mut is_past = false;
    let ask = Ask::path(&ROOT);
    let mut each = |batches: Vec<Batch>| {
        order.see(&batches);
        is_past = created_since.is_some_and(|since| order.is_past(since));
        let stop = page(batches);
        if is_past { ControlFlow::Break(()) } else { stop }
    };
    let paging = ListProgress::by_offset(None).at_most(MOST_BATCHES);
    let listed = listing::read(client, &ask, Style::of(Make::V1, limit), &V1BatchRows, paging, &mut each).await;
    let mut listed = listed.map_err(|error| error.of_list(BatchApi::V1Beta, client.host()))?;
    listed.complete |= is_past;
    Ok(listed)
}

pub(crate) async fn list_items(
    client: &Client,
    limit: usize,
    batch: &Batch,
    kind: Kind,
    page: &mut PageOfItems<'_>,
) -> Result<ListResult, CloudError> {
    let path = under(&[&batch.batch_id, "items"]);
    let ask = Ask::path(&path).with("status", kind.as_str());
    let expected = match kind {
        Kind::Failed => batch.failed_items,
        Kind::Skipped => batch.skipped_items,
        // No batch counts them.
        Kind::Cancelled | Kind::Overdue | Kind::Missing => None,
    };
    let paging = ListProgress::by_offset(expected).at_most(most_items(batch));
    read_items(client, &ask, limit, &FailedItems { kind }, paging, page).await
}

/// Rows that the list of a batch's items may have: far more than the batch counts, or it never ends.
fn most_items(batch: &Batch) -> u64 {
    let twice = |total: u64| total.saturating_mul(2).saturating_add(100_000);
    batch.total_items.map_or(MOST_ROWS, |total| twice(total).min(MOST_ROWS))
}

/// Pages of the items with this status.
pub(crate) async fn list_undone(
    client: &Client,
    limit: usize,
    batch: &Batch,
    status: &ItemStatus,
    page: &mut PageOfItems<'_>,
) -> Result<ListResult, CloudError> {
    let path = under(&[&batch.batch_id, "items"]);
    let ask = Ask::path(&path).with("status", status.as_str());
    let paging = ListProgress::by_offset(None).at_most(most_items(batch));
    read_items(client, &ask, limit, &Undone { status }, paging, page).await
}

async fn read_items<R: RowReader<Row = Observation>>(
    client: &Client,
    ask: &Ask<'_>,
    limit: usize,
    rows: &R,
    paging: ListProgress,
    page: &mut PageOfItems<'_>,
) -> Result<ListResult, CloudError> {
    let mut each = |rows| -> Flow {
        let taken = page(rows);
        Box::pin(async {
            taken.await;
            ControlFlow::Continue(())
        })
    };
    listing::read_at_pace(client, ask, Style::of(Make::V1, limit), rows, paging, &mut each).await
}

/// Asks for one batch: the project it belongs to.
pub(crate) async fn probe(client: &Client) -> Result<Option<String>, CloudError> {
    let mut project = None;
    let mut page = |batches: Vec<Batch>| {
        project = batches.into_iter().find_map(|batch| batch.project_id);
        ControlFlow::Break(())
    };
    list_batches(client, 1, None, &mut page).await?;
    Ok(project)
}

pub(crate) async fn batch(client: &Client, batch_id: &str) -> Result<Option<Batch>, CloudError> {
    #[derive(Deserialize)]
    struct V1Enveloped<'a> {
        #[serde(borrow)]
        job: V1WireBatch<'a>,
    }
    let path = under(&[batch_id]);
    let shown = format!("/{}", path.join("/"));
    let got = client
        .get(&Ask::path(&path), |text| parse::<V1Enveloped<'_>>(text, &shown).map(|got| got.job.into_batch()))
        .await;
    match got {
        Ok(batch) if batch.batch_id.is_empty() => {
            Err(CloudError::Decode { path: shown, at: "job.id".to_owned(), problem: "missing".to_owned() })
        }
        Ok(batch) => Ok(Some(batch)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Pages of the present status of all items of a batch.
pub(crate) async fn list_statuses(
    client: &Client,
    limit: usize,
    batch: &Batch,
    page: &mut PageOfStatuses<'_>,
) -> Result<ListResult, CloudError> {
    let path = under(&[&batch.batch_id, "items"]);
    let paging = ListProgress::by_offset(batch.total_items).at_most(most_items(batch));
    let mut each = |rows: Vec<(String, ItemStatus)>| page(rows);
    listing::read(client, &Ask::path(&path), Style::of(Make::V1, limit), &Statuses, paging, &mut each).await
}
