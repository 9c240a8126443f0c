//! What `report` answers: the questions, their filters, and the rows whose field names are the frozen JSON contract.
//!
//! `store` reads the rows, `format` shows them.

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
