//! The imperative shell: moves data between the edges, reads the clock, decides nothing that `core` could.

pub mod scan;
//! The imperative shell: it moves data between the edges and asks `core` what to do. The clock is read here.

pub mod http;
mod metrics;
pub mod pulse;
pub mod scheduler;
