//! What may be done about a failure, its class: a team's rules, exact signals, and a model learnt from labelled messages.

pub(crate) mod classifier;
pub(crate) mod model;
pub(crate) mod rules;
pub(crate) mod store_reclassify;
