//! What people keep at the service beside documents: saved configurations, notes on directory entries, deleted jobs.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A saved configuration.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// `cfg-` and a uuid.
    pub(crate) id: String,
    /// Index of the owner.
    pub(crate) project: usize,
    pub(crate) name: String,
    /// With `product_type` among them.
    pub(crate) parameters: Value,
    /// Counts from 1; every change makes a new one.
    pub(crate) version: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What people keep at the service beside documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredFiles {
    pub(crate) configurations: Vec<Configuration>,
    /// `unique_id` and `metadata` of directory entries that were given one, by the item's index.
    pub(crate) entries: HashMap<usize, Map<String, Value>>,
    /// Bare ids of jobs that were deleted.
    pub(crate) deleted_jobs: HashSet<String>,
}
