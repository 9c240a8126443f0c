//! The imperative shell: it moves data between the edges and asks `core` what to do. The clock is read here.

pub mod http;
mod metrics;
pub mod pulse;
pub mod scan;
pub mod scheduler;
