//! Tests of the whole edge against small servers on loopback.

mod creating;
pub(crate) mod fake;
mod faults;
mod model;
mod reading;
mod shapes;
mod simulated;
mod v2;
mod v2_batch_list;
mod v2_edges;
mod v2_requests;
mod v2_retries;
mod v2_server;

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::llamacloud::Cloud;
use crate::model::batch::Batch;
use crate::model::item::ItemStatus;

/// The present status of all items of a batch that the cloud shows.
pub(crate) async fn statuses(cloud: &Cloud, batch: &Batch) -> HashMap<String, ItemStatus> {
    let mut found = HashMap::new();
    let mut each = |page: Vec<(String, ItemStatus)>| {
        found.extend(page);
        ControlFlow::Continue(())
    };
    cloud.list_statuses(batch, &mut each).await.unwrap();
    found
}
