//! Intents: one POST each, reconciled and followed to its outcome.

pub(crate) mod adopt;
pub(crate) mod concurrent_batches;
pub(crate) mod end;
pub(crate) mod follow;
pub(crate) mod job_config;
pub(crate) mod post;
pub(crate) mod reconcile;
pub(crate) mod trials;
