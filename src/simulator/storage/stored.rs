//! What people keep at the service beside documents: saved configurations, notes on directory entries, deleted jobs.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::simulator::world::state::World;

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

impl World {
    /// Whether the job of this part of a batch may be shown: it was not deleted.
    pub(crate) fn shows(&self, batch: usize, run: usize) -> bool {
        let job = self.batches[batch].runs[run].job.as_ref();
        job.is_none_or(|job| !self.stored.deleted_jobs.contains(job))
    }

    /// Ends one job as cancelled; false when it had ended already.
    pub(crate) fn cancel_run(&mut self, batch: usize, run: usize) -> bool {
        let now = self.now;
        let record = &mut self.batches[batch];
        let part = &mut record.runs[run];
        if part.status.is_terminal() {
            return false;
        }
        part.status = crate::simulator::world::model::SimulatedItemStatus::Cancelled;
        part.completed_at = Some(now);
        part.effective_at = now;
        record.updated_at = now;
        self.finish_batch_if_done(batch);
        true
    }
}
