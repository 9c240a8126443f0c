//! What people keep at the service beside documents: saved configurations, notes on directory entries, deleted jobs.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::world::World;

/// A saved configuration.
#[derive(Debug, Clone)]
pub(super) struct Configuration {
    /// `cfg-` and a uuid.
    pub(super) id: String,
    /// Index of the owner.
    pub(super) project: usize,
    pub(super) name: String,
    /// With `product_type` among them.
    pub(super) parameters: Value,
    /// Counts from 1; every change makes a new one.
    pub(super) version: u32,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// What people keep at the service beside documents.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    pub(super) configurations: Vec<Configuration>,
    /// `unique_id` and `metadata` of directory entries that were given one, by the item's index.
    pub(super) entries: HashMap<usize, Map<String, Value>>,
    /// Bare ids of jobs that were deleted.
    pub(super) deleted_jobs: HashSet<String>,
}

impl World {
    /// Whether the job of this part of a batch may be shown: it was not deleted.
    pub(super) fn shows(&self, batch: usize, run: usize) -> bool {
        let job = self.batches[batch].runs[run].job.as_ref();
        job.is_none_or(|job| !self.stored.deleted_jobs.contains(job))
    }

    /// Ends one job as cancelled; false when it had ended already.
    pub(super) fn cancel_run(&mut self, batch: usize, run: usize) -> bool {
        let now = self.now;
        let record = &mut self.batches[batch];
        let part = &mut record.runs[run];
        if part.status.is_terminal() {
            return false;
        }
        part.status = super::model::ItemStatus::Cancelled;
        part.completed_at = Some(now);
        part.effective_at = now;
        record.updated_at = now;
        self.finish_batch_if_done(batch);
        true
    }
}
