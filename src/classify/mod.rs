//! What may be done about a failure: its class, by rules.

pub(crate) mod classifier;
pub(crate) mod rules;
pub(crate) mod store_reclassify;
