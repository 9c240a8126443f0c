//! Items that another batch is processing right now: a retry beside it would be billed, too.
//!
//! The API has no search by item, so the item lists of batches that have not ended are read.
//! Batches of another directory cannot hold an item. A batch that cannot be read to its end (very large, still being filled,
//! or of API v2, which shows no items before its end) may hold every item of its directory: those wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::ledger::time::millis;
use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::model::batch::Batch;
use crate::model::item::ItemStatus;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::item::Item;
use crate::scan::batch_failure::GRACE;
use crate::scan::rules::SEARCHABLE_ITEMS;
use crate::scan::store::batch;

/// Batches that are read for one plan, at most; the newest first.
const MOST_READ: usize = 100;

impl Reprocess<'_> {
    /// Notes in which foreign batch each of these items is, or may be, pending, processing or already done.
    /// Says how many are.
    ///
    /// # Errors
    /// The ledger or the API refuses; then nothing must be posted.
    pub(crate) async fn note_running(
        &self,
        project: &str,
        item_ids: &BTreeSet<String>,
        items: &mut [Item],
    ) -> anyhow::Result<usize> {
        let Some(watched) = self.project(project) else { return Ok(0) };
        let (name, since) = (project.to_owned(), millis(self.now - GRACE));
        let running = self.ledger.read(move |connection| batch::running_of_others(connection, &name, since)).await?;
        let mut found = BTreeMap::new();
        let mut left = MOST_READ;
        for batch in &running {
            let wanted = items.iter().filter(|item| item_ids.contains(&item.item_id) && may_hold(batch, item));
            let possible: BTreeSet<&str> = wanted.map(|item| item.item_id.as_str()).collect();
            if possible.is_empty() {
                continue;
            }
            let is_large = batch.total_items.is_some_and(|n| n > SEARCHABLE_ITEMS);
            let busy = if is_large || left == 0 {
                possible
            } else {
                left -= 1;
                at_work(&watched.source, batch, possible).await?
            };
            found.extend(busy.into_iter().map(|item_id| (item_id.to_owned(), batch.batch_id.clone())));
        }
        for item in items.iter_mut().filter(|item| item.running_in.is_none()) {
            item.running_in = found.get(&item.item_id).cloned();
        }
        Ok(found.len())
    }
}

/// Whether an item can be in a batch. The directory of an item that failed in a list of items is not known.
fn may_hold(batch: &Batch, item: &Item) -> bool {
    batch.directory_id.is_none() || item.directory_id.is_none() || batch.directory_id == item.directory_id
}

/// Which of these items are, or may be, at work in a batch: pending, processing, done by now, or not seen in a list that is not complete.
async fn at_work<'a>(
    cloud: &Cloud,
    batch: &Batch,
    possible: BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>, CloudError> {
    let (mut busy, mut over) = (BTreeSet::new(), BTreeSet::new());
    let mut each = |page: Vec<(String, ItemStatus)>| {
        for (item_id, status) in page {
            if let Some(item_id) = possible.get(item_id.as_str()) {
                let seen = if is_over(&status, batch) { &mut over } else { &mut busy };
                seen.insert(*item_id);
            }
        }
        ControlFlow::Continue(())
    };
    let listed = cloud.list_statuses(batch, &mut each).await?;
    // A batch that was just made may show fewer items than it will have, or none.
    let is_filled = listed.rows > 0 && batch.total_items.is_none_or(|total| listed.rows >= total);
    if listed.complete && listed.unreadable == 0 && is_filled {
        return Ok(busy);
    }
    Ok(possible.into_iter().filter(|item_id| busy.contains(item_id) || !over.contains(item_id)).collect())
}

/// Whether an item cannot complete any more: it ended badly, or waits in a batch that has ended.
fn is_over(status: &ItemStatus, batch: &Batch) -> bool {
    let waits_in_vain = *status == ItemStatus::Pending && batch.status.is_terminal();
    waits_in_vain || matches!(status, ItemStatus::Failed | ItemStatus::Skipped | ItemStatus::Cancelled)
}
