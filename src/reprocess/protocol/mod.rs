//! What one POST means, and what became of its items.

pub(crate) mod intent;
pub(crate) mod job_config;
pub(crate) mod outcome;
pub(crate) mod parameters;
pub(crate) mod reconcile;
