//! Items that somebody else is processing right now: a retry beside it would be billed, too.
//!
//! The API has no search by item, so the item lists of batches that have not ended are read.
//! Batches of another directory cannot hold an item, and very large ones are not read: what is retried beside those is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::Reprocess;
use crate::cloud::{Cloud, CloudError};
use crate::core::batch::Batch;
use crate::core::item::ItemStatus;
use crate::core::reprocess::ItemFacts;
use crate::core::scan::SEARCHABLE_ITEMS;
use crate::ledger::batch;
use crate::ledger::retriable::Retriable;

/// Batches that are read for one plan, at most; the newest first.
const MOST_READ: usize = 20;

impl Reprocess<'_> {
    /// Notes on the facts of these items in which foreign batch each is pending, processing or already done. Says how many are.
    ///
    /// # Errors
    /// The ledger or the API refuses; then nothing must be posted.
    pub(super) async fn note_running(
        &self,
        project: &str,
        item_ids: &BTreeSet<String>,
        rows: &[Retriable],
        items: &mut [ItemFacts],
    ) -> anyhow::Result<usize> {
        let Some(watched) = self.project(project) else { return Ok(0) };
        let name = project.to_owned();
        let mut running = self.ledger.read(move |connection| batch::running_of_others(connection, &name)).await?;
        let wanted = rows.iter().filter(|row| item_ids.contains(&row.item_id));
        let directories: BTreeSet<Option<&str>> = wanted.map(|row| row.origin.directory_id.as_deref()).collect();
        running.retain(|batch| {
            batch.total_items.is_none_or(|n| n <= SEARCHABLE_ITEMS)
                && (batch.directory_id.is_none()
                    // The directory of an item that failed in a list of items is not known.
                    || directories.contains(&None)
                    || directories.contains(&batch.directory_id.as_deref()))
        });
        let mut found = BTreeMap::new();
        for batch in running.iter().take(MOST_READ) {
            for item_id in at_work(&watched.source, batch, item_ids).await? {
                found.insert(item_id, batch.batch_id.clone());
            }
        }
        for item in items.iter_mut().filter(|item| item.running_in.is_none()) {
            item.running_in = found.get(&item.item_id).cloned();
        }
        Ok(found.len())
    }
}

/// Which of these items have not failed in a batch: pending, processing, or done by now.
async fn at_work(cloud: &Cloud, batch: &Batch, item_ids: &BTreeSet<String>) -> Result<Vec<String>, CloudError> {
    let mut found = Vec::new();
    let mut each = |page: Vec<(String, ItemStatus)>| {
        let busy = page.into_iter().filter(|(id, status)| item_ids.contains(id) && is_at_work(status));
        found.extend(busy.map(|(id, _)| id));
        ControlFlow::Continue(())
    };
    cloud.list_statuses(batch, &mut each).await?;
    Ok(found)
}

fn is_at_work(status: &ItemStatus) -> bool {
    matches!(status, ItemStatus::Pending | ItemStatus::Processing | ItemStatus::Completed)
}
