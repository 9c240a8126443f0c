//! Resubmitting items through API v1 beta, and finding out what became of it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::json;

use super::super::client::{Ask, Client};
use super::super::listing::{self, Style};
use super::super::page::parse;
use super::super::paging::Paging;
use super::super::{Candidate, Candidates, CloudError, CreateError, Resubmission};
use super::batch::WireBatch;
use super::item::Statuses;
use super::{ROOT, under};
use crate::core::batch::Batch;

/// Makes a batch of the items by one POST.
pub(in crate::cloud) async fn create(client: &Client, request: &Resubmission) -> Result<String, CreateError> {
    let body = json!({ "item_ids": request.item_ids, "job_config": request.job_config });
    client
        .post_once(&Ask::path(&ROOT), &body, |text| {
            let path = format!("/{}", ROOT.join("/"));
            let batch = parse::<WireBatch<'_>>(text, &path)?.into_batch();
            if batch.batch_id.is_empty() {
                return Err(CloudError::Decode { path, at: "id".to_owned(), problem: "missing".to_owned() });
            }
            Ok(batch.batch_id)
        })
        .await
}

/// Batches made since `since` that may be the one asked for: same job type, and a total that fits.
pub(in crate::cloud) async fn find(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    since: Timestamp,
) -> Result<Candidates, CloudError> {
    let mut likely = Vec::new();
    let wanted = request.item_ids.len() as u64;
    let mut page = |batches: Vec<Batch>| {
        likely.extend(batches.into_iter().filter(|batch| {
            batch.job_type == request.job_type
                && batch.created_at.is_none_or(|at| at >= since)
                // A batch that is still being filled may not know its total yet.
                && batch.total_items.is_none_or(|n| n == 0 || n == wanted)
        }));
        ControlFlow::Continue(())
    };
    let listed = super::list_batches(client, limit, Some(since), &mut page).await?;
    let mut found = Vec::with_capacity(likely.len());
    for batch in likely {
        let item_ids = item_ids(client, limit, &batch).await?;
        found.push(Candidate { batch, item_ids });
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
    let paging = Paging::by_offset(batch.total_items);
    let ask = Ask::path(&path);
    let style = Style::limit(limit);
    let listed = listing::read(client, &ask, style, &Statuses, paging, &mut each).await?;
    Ok((listed.complete && listed.unreadable == 0).then_some(ids))
}
