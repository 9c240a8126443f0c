//! Tests of reports against a small ledger.

mod agreement;
pub(crate) mod fixture;
mod growth;
mod places;
