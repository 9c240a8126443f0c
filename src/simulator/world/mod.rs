//! The simulated account: its projects, batches and items, and what happens to them.

pub(crate) mod account;
pub(crate) mod account_texts;
pub(crate) mod builder;
pub(crate) mod bulk;
pub(crate) mod cause;
pub(crate) mod life;
pub(crate) mod life_texts;
pub(crate) mod model;
pub(crate) mod progress;
pub(crate) mod random;
pub(crate) mod state;
pub(crate) mod submit;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod truth;
