//! Resubmitting items through API v1 beta, and finding out what became of it.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::json;

use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, Make, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::resubmit::{Candidates, LOOK_BACK, Resubmission, ResubmittedBatch};
use crate::llamacloud::v1_beta::batch::V1WireBatch;
use crate::llamacloud::v1_beta::item::Statuses;
use crate::llamacloud::v1_beta::{ROOT, under};
use crate::model::batch::Batch;

/// Makes a batch of the items by one POST.
pub(crate) async fn create(client: &Client, request: &Resubmission) -> Result<String, CreateError> {
    let body = json!({ "item_ids": request.item_ids, "job_config": request.job_config });
    client
        .post_once(&Ask::path(&ROOT), &body, |text| {
            let path = format!("/{}", ROOT.join("/"));
            let batch = parse::<V1WireBatch<'_>>(text, &path)?.into_batch();
            if batch.batch_id.is_empty() {
                return Err(CloudError::Decode { path, at: "id".to_owned(), problem: "missing".to_owned() });
            }
            Ok(batch.batch_id)
        })
        .await
}

/// Batches that may be the one asked for: all but `others`, and those with more items than were sent.
pub(crate) async fn find(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    posted: Timestamp,
    others: &HashSet<String>,
) -> Result<Candidates, CloudError> {
    let mut likely = Vec::new();
    let wanted = request.item_ids.len() as u64;
    let mut page = |batches: Vec<Batch>| {
        let fits = |batch: &Batch| batch.total_items.is_none_or(|n| n <= wanted) && !others.contains(&batch.batch_id);
        likely.extend(batches.into_iter().filter(fits));
        ControlFlow::Continue(())
    };
    let listed = crate::llamacloud::v1_beta::list_batches(client, limit, Some(posted - LOOK_BACK), &mut page).await?;
    let mut found = Vec::with_capacity(likely.len());
    for batch in likely {
        // What one batch does not tell must not hide what the others do.
        let item_ids = item_ids(client, limit, &batch).await.unwrap_or_else(|error| {
            tracing::debug!(batch = batch.batch_id, %error, "cannot list the items of a batch that may belong to a retry");
            None
        });
        found.push(ResubmittedBatch { batch, item_ids });
    }
    Ok(Candidates { found, complete: listed.complete && listed.unreadable == 0 })
}

/// All items of a batch; none if they could not be listed to the end.
async fn item_ids(client: &Client, limit: usize, batch: &Batch) -> Result<Option<BTreeSet<String>>, CloudError> {
    let path = under(&[&batch.batch_id, "items"]);
    let mut ids = BTreeSet::new();
    let mut each = |rows: Vec<(String, _)>| {
        ids.extend(rows.into_iter().map(|(id, _)| id));
        ControlFlow::Continue(())
    };
    let paging = ListProgress::by_offset(batch.total_items);
    let ask = Ask::path(&path);
    let style = Style::of(Make::V1, limit);
    let listed = listing::read(client, &ask, style, &Statuses, paging, &mut each).await?;
    Ok((listed.complete && listed.unreadable == 0).then_some(ids))
}
