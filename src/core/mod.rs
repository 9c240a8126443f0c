//! The rules of the product, pure: no I/O, no clock, no async, no logging.
//!
//! Everything here takes what it needs as arguments (`now` included) and returns what should happen.
//! The edges (`cloud`, `ledger`, `notify`, `report`) share these types and never know each other.

pub mod batch;
pub mod digest;
pub mod grouping;
pub mod item;
pub mod links;
pub mod redact;
pub mod report;
pub mod scan;
pub mod text;
