//! Decides what to retry and when.
//!
//! Pure functions over structs, with `now` as an argument: how likely a retry recovers its document ([`belief`]), whether its
//! group is asked now and for how much ([`group`]), which items may go and why not ([`plan`], [`exclusion`]),
//! what holds all of them ([`hold`]), what may be spent ([`budget`]). The numbers are those of the configuration.

pub(crate) mod belief;
pub(crate) mod budget;
pub(crate) mod exclusion;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod item;
pub(crate) mod plan;
#[cfg(test)]
mod tests;
