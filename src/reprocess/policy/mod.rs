//! Decides what to retry and when, and what became of it.
//!
//! Pure functions over structs, with `now` as an argument: which items may be retried and why not ([`exclusion`]), how many
//! at once ([`plan`], [`ramp`]), what holds them ([`holds`], [`budget`]), and what the one POST meant ([`intents`]).
//! Numbers are the defaults of [`limits`]; each says where it comes from.

pub(crate) mod budget;
pub(crate) mod choice;
pub(crate) mod chunk;
pub(crate) mod eligibility;
pub(crate) mod exclusion;
pub(crate) mod facts;
pub(crate) mod group_state;
pub(crate) mod holds;
pub(crate) mod intents;
pub(crate) mod limits;
pub(crate) mod plan;
pub(crate) mod ramp;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod tests;
