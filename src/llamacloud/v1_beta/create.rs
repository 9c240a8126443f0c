//! Resubmitting items through API v1 beta, and finding out what became of it.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::json;

use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::resubmit::{Known, LOOK_BACK, Look, Made, Resubmission};
use crate::llamacloud::v1_beta::batch::V1WireBatch;
use crate::llamacloud::v1_beta::item::Statuses;
use crate::llamacloud::v1_beta::{ROOT, job, under};
use crate::model::batch::Batch;
use crate::model::candidates::{Candidate, Candidates};
use crate::model::id::uuid_of_ulid;

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
    let ours: BTreeSet<String> = request.item_ids.iter().cloned().collect();
    let mut found = Vec::with_capacity(likely.len());
    for batch in likely {
        // What one batch does not tell must not hide what the others do.
        let item_ids = item_ids(client, limit, &batch).await.unwrap_or_else(|error| {
            tracing::debug!(batch = batch.batch_id, %error, "cannot list the items of a batch that may belong to a retry");
            None
        });
        let is_noted = item_ids.as_ref() == Some(&ours) && was_done_twice(client, request).await;
        found.push(Candidate { batch, item_ids, is_noted });
    }
    Ok(Candidates { found, complete: listed.complete && listed.unreadable == 0 })
}

/// Looks for a batch of exactly these items that the ledger does not know: another copy of it made that since the last scan.
pub(crate) async fn list_prior_jobs(
    client: &Client,
    limit: usize,
    request: &Resubmission,
    known: &Known,
    now: Timestamp,
) -> Result<Look, CloudError> {
    let ours: BTreeSet<String> = request.item_ids.iter().cloned().collect();
    let mut found = find(client, limit, request, now, &known.batches).await?.found;
    let is_later = |batch: &Batch| batch.created_at.is_none_or(|at| at > known.failed_at);
    found.retain(|one| one.batch.job_type == request.job_type && is_later(&one.batch));
    let same = found.iter().find(|one| one.item_ids.as_ref() == Some(&ours));
    let made = same.map(|one| Made { job_id: one.batch.batch_id.clone(), created_at: one.batch.created_at });
    let may_become = |ids: &BTreeSet<String>| ids.len() < ours.len() && ids.is_subset(&ours);
    found.retain(|one| !one.batch.status.is_terminal() && one.item_ids.as_ref().is_none_or(may_become));
    Ok(Look { made, doubtful: found.pop().map(|one| one.batch.batch_id), ..Look::default() })
}

/// Items whose results are asked for in one search, at most.
const MOST_ASKED: usize = 5;

/// Whether LlamaCloud has more than one result of some item that carries the id of the intent: each is of another batch.
/// Batches themselves do not show it.
async fn was_done_twice(client: &Client, request: &Resubmission) -> bool {
    let Some(uuid) = uuid_of_ulid(&request.intent_id) else { return false };
    for item_id in request.item_ids.iter().take(MOST_ASKED) {
        match job::results_of(client, item_id, &request.job_type, &uuid).await {
            Ok(results) if results > 1 => return true,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(item_id, %error, "could not ask for results that carry the id of an intent");
                return false;
            }
        }
    }
    false
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
