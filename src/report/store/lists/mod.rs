//! Lists, and single rows of them.

pub(crate) mod batches;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod incidents;
pub(crate) mod item;
pub(crate) mod items;
pub(crate) mod missing;
pub(crate) mod skipped;
