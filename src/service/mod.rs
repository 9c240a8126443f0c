//! The imperative shell: it moves data between the edges and asks `core` what to do. The clock is read here.

pub mod causes;
mod classify;
pub mod clock;
pub mod cycle;
pub mod deliver;
pub mod doctor;
pub mod heartbeat;
pub mod hints;
pub mod http;
pub mod identity;
mod metrics;
pub mod opening;
pub mod pulse;
pub mod reprocess;
pub mod scan;
pub mod scheduler;
pub mod serve;
pub mod triage;
pub mod webhook;
pub mod worker;
