//! Intents: posted once, adopted, reconciled, followed to their outcome, ended by a person.

pub(crate) mod adopt;
pub(crate) mod concurrent_batches;
pub(crate) mod end;
pub(crate) mod follow;
pub(crate) mod post;
pub(crate) mod reconcile;
