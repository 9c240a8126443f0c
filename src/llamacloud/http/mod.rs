//! Requests: one client for each project, its time limits, retries and errors.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod detail;
pub(crate) mod retry;
pub(crate) mod unreachable;
