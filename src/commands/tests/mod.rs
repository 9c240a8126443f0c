//! Commands in a row, as people give them.

#[cfg(test)]
pub(crate) mod acts;
#[cfg(test)]
pub(crate) mod incidents;
