//! The model of LlamaCloud as what a scan reads from.

use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::model::batch::Batch;
use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind};
use crate::scan::source::{BatchPages, BatchSource, ObservationPages, StatusPages};
use crate::scan::tests::cloud_in_memory::{MemoryOutcome, Model, PAGE, ended, index};

impl BatchSource for Model {
    async fn list_batches(
        &self,
        _: BatchApi,
        _: Timestamp,
        page: &mut BatchPages<'_>,
    ) -> Result<ListResult, CloudError> {
        let mut offset = 0;
        loop {
            tokio::task::yield_now().await;
            let (world, incomplete) = self.request()?;
            let rows: Vec<Batch> = world
                .batches
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, batch)| !batch.deleted)
                .skip(offset)
                .take(PAGE)
                .map(|(index, batch)| batch.show(index))
                .collect();
            drop(world);
            offset += rows.len();
            if incomplete || rows.is_empty() {
                return Ok(ended(offset as u64, 0, incomplete));
            }
            if page(rows).is_break() {
                return Ok(ListResult { complete: false, ..ended(offset as u64, 0, false) });
            }
        }
    }

    async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut ObservationPages<'_>,
    ) -> Result<ListResult, CloudError> {
        let (index, mut offset, mut fingerprint) = (index(&batch.batch_id), 0, 0);
        loop {
            tokio::task::yield_now().await;
            let (rows, incomplete) = self.page_of_items(index, kind, offset)?;
            if incomplete || rows.is_empty() {
                return Ok(ended(offset as u64, fingerprint, incomplete));
            }
            for (id, _) in &rows {
                fingerprint ^= 1 << (id % 64);
            }
            offset += rows.len();
            page(rows.into_iter().map(|(_, o)| o).collect()).await;
        }
    }

    async fn list_undone(
        &self,
        batch: &Batch,
        status: &ItemStatus,
        page: &mut ObservationPages<'_>,
    ) -> Result<ListResult, CloudError> {
        let (undone, incomplete) = self.undone(batch, status)?;
        let rows = undone.len() as u64;
        page(undone).await;
        Ok(ended(rows, 0, incomplete))
    }

    async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        let (world, _) = self.request()?;
        let index = index(batch_id);
        let batch = &world.batches[index];
        let project_id = Some(if world.foreign == Some(index) { "other" } else { "own" }.to_owned());
        Ok((!batch.deleted).then(|| Batch { project_id, ..batch.show(index) }))
    }

    async fn list_statuses(&self, batch: &Batch, page: &mut StatusPages<'_>) -> Result<ListResult, CloudError> {
        let (mut world, incomplete) = self.request()?;
        let index = index(&batch.batch_id);
        let batch = world.batches[index].clone();
        if batch.deleted {
            return Err(CloudError::NotFound { path: "/".to_owned(), status: 404, detail: String::new() });
        }
        let status = |outcome: &MemoryOutcome| match outcome {
            MemoryOutcome::Pending => ItemStatus::Pending,
            MemoryOutcome::Completed => ItemStatus::Completed,
            MemoryOutcome::Failed(_) => ItemStatus::Failed,
            MemoryOutcome::Skipped { .. } => ItemStatus::Skipped,
            MemoryOutcome::Cancelled => ItemStatus::Cancelled,
        };
        let rows: Vec<_> = batch.items.iter().map(|(id, item)| (format!("i{id}"), status(&item.outcome))).collect();
        let successes = batch.items.iter().filter(|(_, item)| item.outcome == MemoryOutcome::Completed);
        if !incomplete {
            world.shown_successes.extend(successes.map(|(id, item)| (*id, index, item.at)));
        }
        drop(world);
        let rows_shown = rows.len() as u64;
        if !incomplete && page(rows) == ControlFlow::Break(()) {
            return Ok(ListResult { complete: false, ..ended(rows_shown, 0, false) });
        }
        Ok(ended(rows_shown, 0, incomplete))
    }

    fn requests(&self) -> u64 {
        self.world().requests
    }
}
