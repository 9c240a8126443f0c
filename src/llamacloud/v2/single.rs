//! A single job seen as a batch of one item: that is how a resubmitted file is followed without anyone above knowing the difference.

use crate::llamacloud::v2::job::{Job, Product};
use crate::model::batch::{Batch, BatchStatus};
use crate::model::item::{ItemStatus, Kind, Observation};

/// The job as a batch.
pub(crate) fn batch(job: Job, product: Product) -> Batch {
    let status = job.status();
    let failed = u64::from(status == ItemStatus::Failed);
    let open = job.is_open();
    Batch {
        job_type: product.word().to_owned(),
        batch_id: job.id,
        project_id: job.project_id,
        directory_id: None,
        status: match status {
            ItemStatus::Pending => BatchStatus::Pending,
            ItemStatus::Cancelled => BatchStatus::Cancelled,
            // The work on the batch has ended, although its one item failed.
            ItemStatus::Completed | ItemStatus::Failed => BatchStatus::Completed,
            ItemStatus::Unknown(word) => BatchStatus::Unknown(word),
            ItemStatus::Processing | ItemStatus::Skipped => BatchStatus::Running,
        },
        total_items: Some(1),
        processed_items: Some(u64::from(!open)),
        failed_items: Some(failed),
        skipped_items: Some(0),
        error_message: None,
        created_at: job.created_at,
        completed_at: job.updated_at.filter(|_| !open),
        updated_at: job.updated_at,
        started_at: None,
    }
}

/// The failed job as an observation of its item.
pub(crate) fn observation(item_id: String, job: Job, item_name: Option<String>) -> Observation {
    Observation {
        item_id,
        item_name: item_name.or(job.name).unwrap_or_default(),
        kind: Kind::Failed,
        message: job.message,
        skip_reason: None,
        job_id: Some(job.id),
        job_record_id: None,
        started_at: job.created_at,
        completed_at: job.updated_at,
        effective_at: None,
    }
}
