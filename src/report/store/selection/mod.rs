//! Which rows a report is about.

pub(crate) mod bitset;
pub(crate) mod clause;
pub(crate) mod counts;
pub(crate) mod find;
pub(crate) mod item_counts;
pub(crate) mod matching_items;
pub(crate) mod view;
