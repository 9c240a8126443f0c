//! What is needed to process items again, and what was found of such a request afterwards.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::batch_api::BatchApi;
use crate::model::prior_jobs::PriorJobs;

/// A request to process items again.
#[derive(Clone, Debug, PartialEq)]
pub struct Resubmission {
    /// The API that it is sent through.
    pub api: BatchApi,
    /// The intent behind it; sent along where the API keeps such a note.
    pub intent_id: String,
    /// `parse`, `extract` or `classify`.
    pub job_type: String,
    /// The items: any number for v1 beta, exactly one for v2 (see `BatchApi::items_per_request`).
    pub item_ids: Vec<String>,
    /// How to process them: v1 beta's `job_config`, or the fields of v2's request beside the file (`configuration_id`, or `tier` and `version`).
    pub job_config: Value,
    /// The directory of the item; v2 needs it to find the file.
    pub directory_id: Option<String>,
    /// The job that failed; v2 asks it whether parsing had succeeded, so that only the extraction is paid again.
    pub job_id: Option<String>,
    /// What `Cloud::look_before` found: without it, nothing that comes up later is known to be an extraction's own job.
    pub before: Option<PriorJobs>,
}

/// What the ledger knows of the items of a request that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// When the newest of their failures happened: what was made of them since is a retry of it.
    pub failed_at: Timestamp,
    /// The batches of the project, and the jobs of its retries.
    pub batches: HashSet<String>,
}

/// What was there before a POST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What tells the job of the POST from those of others, where jobs carry no note of their intent.
    pub before: Option<PriorJobs>,
    /// A job that does the work already, and that the ledger does not know: another copy of it has sent this retry.
    pub made: Option<Made>,
    /// A batch that was made since the last scan, and may do the work once it shows its items.
    pub doubtful: Option<String>,
    /// Whether lists show the notes of retries; none while no retry is in them, and where that is not asked.
    pub shows_notes: Option<bool>,
}

/// A job that a retry has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// It.
    pub job_id: String,
    /// When it was made, by the API's clock.
    pub created_at: Option<Timestamp>,
}

/// How far before the POST its batch is looked for: the server's clock may be that far behind ours.
pub(crate) const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);

/// What LlamaCloud says about an underlying job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// The job.
    pub job_id: String,
    /// Its status, as the API words it.
    pub status: String,
    /// A code such as `PDF_IS_PROTECTED`; only v1 parse jobs have one.
    pub error_code: Option<String>,
    /// What went wrong, with secrets masked.
    pub error_message: Option<String>,
}
