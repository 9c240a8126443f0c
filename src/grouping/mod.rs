//! Groups items by what their error messages mean: pure, incremental, deterministic.
//!
//! [`grouper`] is the entry. A message is read into tokens ([`tokens`]), its words and slots make a form, and the [`form_index`]
//! of forms decides by [`evidence`] which forms are one group. `store_…` keeps the result.

pub(crate) mod body;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod family;
pub(crate) mod form_index;
pub(crate) mod group_change;
pub(crate) mod grouper;
pub(crate) mod id;
pub(crate) mod item_name;
pub(crate) mod open_slots;
pub(crate) mod reading;
pub(crate) mod state;
pub(crate) mod store_group;
pub(crate) mod store_regroup;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod title;
pub(crate) mod tokens;

/// Rises whenever the same messages may give other groups than before, so that a regroup can be offered.
pub(crate) const VERSION: u32 = 6;
