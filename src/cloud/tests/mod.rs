//! Tests of the whole edge against small servers on loopback.

mod creating;
mod fake;
mod model;
mod reading;
mod shapes;
mod simulated;
mod trouble;
mod v2;
mod v2_edges;
mod v2_requests;
mod v2_retries;
mod v2_server;
