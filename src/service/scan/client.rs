//! The real LlamaCloud as a [`Source`].

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::source::{Listed, Source, Trouble};
use crate::cloud::{self, Cloud, CloudError};
use crate::core::batch::Batch;
use crate::core::item::{ItemStatus, Kind, Observation};

impl Trouble for CloudError {
    fn stops_scan(&self) -> bool {
        CloudError::stops_scan(self)
    }

    fn is_gone(&self) -> bool {
        CloudError::is_gone(self) || self.is_not_found()
    }
}

impl Source for Cloud {
    type Error = CloudError;

    async fn list_batches(
        &self,
        since: Timestamp,
        page: &mut (dyn FnMut(Vec<Batch>) -> ControlFlow<()> + Send),
    ) -> Result<Listed, CloudError> {
        let mut stopped = false;
        let mut watched = |batches| {
            let go_on = page(batches);
            stopped |= go_on.is_break();
            go_on
        };
        let listed = Cloud::list_batches(self, Some(since), &mut watched).await?;
        Ok(translate(listed, stopped))
    }

    async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut (dyn FnMut(Vec<Observation>) + Send),
    ) -> Result<Listed, CloudError> {
        Cloud::list_items(self, batch, kind, page).await.map(|listed| translate(listed, false))
    }

    async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        Cloud::batch(self, batch_id).await
    }

    async fn statuses(
        &self,
        batch: &Batch,
        page: &mut (dyn FnMut(Vec<(String, ItemStatus)>) -> ControlFlow<()> + Send),
    ) -> Result<Listed, CloudError> {
        let mut stopped = false;
        let mut watched = |statuses| {
            let go_on = page(statuses);
            stopped |= go_on.is_break();
            go_on
        };
        let listed = self.list_statuses(batch, &mut watched).await?;
        Ok(translate(listed, stopped))
    }

    fn requests(&self) -> u64 {
        Cloud::requests(self)
    }
}

/// A listing that was stopped on purpose saw all that it was asked for.
fn translate(listed: cloud::Listed, stopped: bool) -> Listed {
    Listed {
        rows: listed.rows,
        unreadable: listed.unreadable,
        complete: listed.complete || (stopped && listed.why_incomplete.is_none()),
        why_incomplete: listed.why_incomplete,
    }
}
