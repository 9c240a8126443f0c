//! Plans: drafted, approved, executed, cancelled.

pub(crate) mod draft;
pub(crate) mod execute;
pub(crate) mod hold_summary;
pub(crate) mod plan_result;
pub(crate) mod waits;
