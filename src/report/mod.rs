//! What `report` answers: the questions, their filters, and the rows whose field names are the frozen JSON contract.
//!
//! Reading the rows is the ledger's work, showing them the edge `report`'s.

pub(crate) mod condition;
pub(crate) mod detail;
pub(crate) mod filter;
pub(crate) mod format;
pub(crate) mod history;
pub(crate) mod question;
pub(crate) mod rows;
pub(crate) mod store;
pub(crate) mod summary;
pub(crate) mod when;
