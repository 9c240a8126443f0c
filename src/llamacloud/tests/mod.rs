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
