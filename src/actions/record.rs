//! `report record`: the record of an item's job, asked from LlamaCloud. It is shown and never stored.

use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::report::store::{QueryError, ReportView, batch, item};
use crate::scan::source::Watched;

/// What a record is asked for with: only items of the ledger have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordKey {
    /// The item.
    pub item_id: String,
    /// Its display name.
    pub item_name: String,
    /// The configured project name.
    pub project: String,
    /// The type of the batch.
    pub job_type: String,
    /// The underlying job; none if the API named none.
    pub job_id: Option<String>,
}

/// Why there is no record to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The API named no job for the item.
    #[error("item {0} has no job at LlamaCloud")]
    NoJob(String),
    /// No key is configured for its project.
    #[error("project {0} is not in the configuration, so there is no API key for it")]
    NoProject(String),
    /// LlamaCloud does not answer as it should.
    #[error("cannot fetch the job record from LlamaCloud")]
    Cloud(#[from] CloudError),
}

/// What to ask for, for the item with this id, which may be shortened.
///
/// # Errors
/// It is not in the ledger, or the shortened id fits several.
pub(crate) fn key(view: &ReportView<'_>, typed: &str) -> Result<RecordKey, QueryError> {
    let item = item(view, typed)?.item;
    let batches = batch(view, &item.batch_id)?;
    let own = batches.into_iter().find(|batch| batch.batch.project == item.project);
    Ok(RecordKey {
        job_type: own.map_or_else(String::new, |batch| batch.batch.job_type),
        item_id: item.item_id,
        item_name: item.item_name,
        project: item.project,
        job_id: item.job_id,
    })
}

/// The record as indented JSON with secrets masked; none if LlamaCloud no longer has it.
///
/// # Errors
/// There is no job or no key, or LlamaCloud does not answer as it should.
pub(crate) async fn ask(projects: &[Watched<Cloud>], key: &RecordKey) -> Result<Option<String>, RecordError> {
    let job_id = key.job_id.as_deref().ok_or_else(|| RecordError::NoJob(key.item_id.clone()))?;
    let project = projects.iter().find(|project| project.name == key.project);
    let project = project.ok_or_else(|| RecordError::NoProject(key.project.clone()))?;
    Ok(project.source.job_record_text(&key.job_type, job_id).await?)
}
