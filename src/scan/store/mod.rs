//! The SQL of scans: batches, items and what was observed of them.

pub(crate) mod batch;
pub(crate) mod cause;
pub(crate) mod compact_row;
pub(crate) mod counter_key;
pub(crate) mod counters;
pub(crate) mod evidence;
pub(crate) mod ingest;
pub(crate) mod ingest_record;
pub(crate) mod item;
pub(crate) mod item_state;
pub(crate) mod message;
pub(crate) mod project;
pub(crate) mod project_api;
pub(crate) mod unread;
