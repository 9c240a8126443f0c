//! Decides what to retry and when.
//!
//! Pure functions over structs, with `now` as an argument: how likely a retry recovers its document ([`belief`]), whether its
//! group is asked now and for how much ([`group`]), which items may go and why not ([`eligibility`], [`exclusion`], [`plan`]),
//! what holds all of them ([`hold`]), what may be spent ([`budget`]).

pub(crate) mod belief;
pub(crate) mod budget;
pub(crate) mod chunk;
pub(crate) mod delay;
pub(crate) mod eligibility;
pub(crate) mod exclusion;
pub(crate) mod facts;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod limits;
pub(crate) mod plan;
#[cfg(test)]
mod tests;
