//! Tests of the whole edge against small servers on loopback.

pub(crate) mod creating;
pub(crate) mod fake;
pub(crate) mod faults;
pub(crate) mod model;
pub(crate) mod reading;
pub(crate) mod shapes;
pub(crate) mod simulated;
pub(crate) mod v2;
pub(crate) mod v2_batch_list;
pub(crate) mod v2_edges;
pub(crate) mod v2_requests;
pub(crate) mod v2_retries;
pub(crate) mod v2_server;

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
