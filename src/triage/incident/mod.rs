//! Incidents: groups that began to fail together.

pub(crate) mod entry;
pub(crate) mod news;
pub(crate) mod rule;
#[cfg(test)]
mod tests;
pub(crate) mod track;
