//! The imperative shell: moves data between the edges, reads the clock, decides nothing that `core` could.

pub mod scan;

pub mod http;
mod metrics;
pub mod pulse;
pub mod scheduler;
