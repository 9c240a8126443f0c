//! What `report` answers: the questions, their filters, and the rows whose field names are the frozen JSON contract.
//!
//! Reading the rows is the ledger's work, showing them the edge `report`'s.

pub mod condition;
pub mod detail;
pub mod filter;
pub mod glance;
pub mod history;
pub mod linker;
pub mod question;
pub mod rows;
pub mod when;
