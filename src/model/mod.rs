//! The nouns that every room shares: items, batches, classes, ids, texts, links, times. Pure: no I/O, no clock, no async, no logging.

pub(crate) mod batch;
pub(crate) mod batch_api;
pub(crate) mod candidates;
pub(crate) mod cause;
pub(crate) mod class;
pub(crate) mod classified;
pub(crate) mod clock;
pub(crate) mod fault;
pub(crate) mod group_state;
pub(crate) mod host;
pub(crate) mod id;
pub(crate) mod item;
pub(crate) mod links;
pub(crate) mod prior_jobs;
pub(crate) mod redact;
pub(crate) mod schedule;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod vendor;
