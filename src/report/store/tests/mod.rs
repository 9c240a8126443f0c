//! Tests of reports against a small ledger.

#[cfg(test)]
pub(crate) mod agreement;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
pub(crate) mod places;
