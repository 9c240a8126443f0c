//! The rules of the product, pure: no I/O, no clock, no async, no logging.
//!
//! Everything here takes what it needs as arguments (`now` included) and returns what should happen.
//! The edges (`cloud`, `ledger`, `notify`, `report`) share these types and never know each other.

pub mod ack;
pub mod batch;
pub mod batch_api;
pub mod batch_failure;
pub mod cause;
pub mod clock;
pub mod decide;
pub mod digest;
pub mod episode;
pub mod escalation;
pub mod group_state;
pub mod grouping;
pub mod host;
pub mod http_answer;
pub mod id;
pub mod item;
pub mod links;
pub mod outbox;
pub mod pace;
pub mod redact;
pub mod report;
pub mod reprocess;
pub mod rules;
pub mod scan;
pub mod schedule;
pub mod secret_forms;
pub mod silence;
pub mod text;
pub mod unread;
