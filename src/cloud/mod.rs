//! The only HTTP to LlamaCloud.
//!
//! One [`Cloud`] serves one `[[project]]`. It lists batches and their failed and skipped items, resubmits items, and asks for job records,
//! through API v1 beta (`v1_beta`) or v2 (`v2`); nothing above this module knows which.
//! Wire types stay in here; rows come out as the types of [`core`](crate::core), with secrets masked.
//! What to do with them is the callers' business: this module remembers nothing between calls but names of files.

mod answer;
mod client;
mod detail;
mod error;
mod listing;
mod lossy;
mod order;
mod page;
mod paging;
mod retry;
mod settings;
mod unreachable;
mod v1_beta;
mod v2;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::Timestamp;

pub use self::error::{CloudError, CreateError};
pub use self::listing::Listed;
pub use self::order::NewestFirst;
pub use self::settings::{Pace, Settings};
use crate::config::project::Api;
use crate::core::batch::Batch;
use crate::core::item::{ItemStatus, Kind, Observation};

/// Takes a page of the batch list, and may stop the listing.
pub type PageOfBatches<'a> = dyn FnMut(Vec<Batch>) -> ControlFlow<()> + Send + 'a;
/// Takes a page of items.
pub type PageOfItems<'a> = dyn FnMut(Vec<Observation>) + Send + 'a;

/// Takes a page of items with their present status; `Break` ends the listing.
pub type PageOfStatuses<'a> = dyn FnMut(Vec<(String, ItemStatus)>) -> ControlFlow<()> + Send + 'a;

/// The largest page that the API allows.
const LARGEST_PAGE: usize = 1000;

/// LlamaCloud, as one project sees it.
pub struct Cloud {
    client: client::Client,
    api: Api,
    page_size: usize,
}

impl Cloud {
    /// Builds the HTTP client; makes no request.
    pub fn connect(settings: Settings) -> Result<Cloud, CloudError> {
        Cloud::connect_at(settings, Pace::default())
    }

    /// The same with other waits between tries, for a simulated LlamaCloud.
    pub fn connect_at(settings: Settings, pace: Pace) -> Result<Cloud, CloudError> {
        Ok(Cloud {
            client: client::Client::new(&settings, pace)?,
            api: settings.project.api,
            page_size: settings.project.page_size.get().min(LARGEST_PAGE),
        })
    }

    /// Fills the retry budget again. Call it when a scan begins: a dead API then ends a scan soon, and the next one tries anew.
    pub fn begin_scan(&self) {
        self.client.begin_scan();
    }

    /// Requests made so far, retries included.
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// Pages of the batch list, as they come. `page` may stop the listing; then `complete` is false and `why_incomplete` none.
    ///
    /// Batches created before `created_since` may come, too. A list proved to be newest first is read no further than that.
    pub async fn list_batches(
        &self,
        created_since: Option<Timestamp>,
        page: &mut PageOfBatches<'_>,
    ) -> Result<Listed, CloudError> {
        match self.api {
            Api::V1Beta => v1_beta::list_batches(&self.client, self.page_size, created_since, page).await,
            Api::V2 => Err(unsupported(v2::NAME, "list batches yet")),
        }
    }

    /// Pages of the failed (or skipped) items of one batch. Pages already handed over stay valid when an error follows.
    pub async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        page: &mut PageOfItems<'_>,
    ) -> Result<Listed, CloudError> {
        match self.api {
            Api::V1Beta => v1_beta::list_items(&self.client, self.page_size, batch, kind, page).await,
            Api::V2 => Err(unsupported(v2::NAME, "list items yet")),
        }
    }

    /// One batch; none if LlamaCloud does not know it (any more).
    pub async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        match self.api {
            Api::V1Beta => v1_beta::batch(&self.client, batch_id).await,
            Api::V2 => Err(unsupported(v2::NAME, "show a batch yet")),
        }
    }

    /// The present status of the named items of a batch. Items that the batch does not show are missing from the answer.
    pub async fn statuses(
        &self,
        batch: &Batch,
        item_ids: &HashSet<String>,
    ) -> Result<HashMap<String, ItemStatus>, CloudError> {
        match self.api {
            Api::V1Beta => v1_beta::statuses(&self.client, self.page_size, batch, item_ids).await,
            Api::V2 => Err(unsupported(v2::NAME, "show items yet")),
        }
    }

    /// Pages of the present status of all items of a batch.
    pub async fn list_statuses(&self, batch: &Batch, page: &mut PageOfStatuses<'_>) -> Result<Listed, CloudError> {
        match self.api {
            Api::V1Beta => v1_beta::list_statuses(&self.client, self.page_size, batch, page).await,
            Api::V2 => Err(unsupported(v2::NAME, "show items yet")),
        }
    }
}

fn unsupported(api: &'static str, what: &'static str) -> CloudError {
    CloudError::Unsupported { api, what }
}
