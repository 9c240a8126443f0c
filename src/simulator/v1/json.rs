//! How v1 writes batches and items.

use serde_json::{Value, json};

use crate::simulator::http::query::Query;
use crate::simulator::http::reply::Reply;
use crate::simulator::options::Options;
use crate::simulator::v1::processed;
use crate::simulator::world::model::{JobType, SimulatedBatch, SimulatedItemStatus};
use crate::simulator::world::random::uuid_of;
use crate::simulator::world::state::World;

/// A batch as lists show it.
pub(crate) fn batch(world: &World, batch: &SimulatedBatch, options: &Options) -> Value {
    let counts = batch.counts();
    json!({
        "id": format!("bjb-{}", batch.id),
        "project_id": format!("proj-{}", world.projects[batch.project].id),
        "directory_id": batch.directory.map(|index| world.directories[index].id.clone()),
        "job_type": batch.job_type.word(),
        "status": batch.status.word(),
        "total_items": batch.runs.len(),
        "processed_items": processed(batch, options.processed_means_completed),
        "failed_items": counts.failed,
        "skipped_items": counts.skipped,
        "error_message": batch.error_message,
        "job_record_id": uuid_of(&format!("record of {}", batch.id)),
        "workflow_id": format!("wf-{}", uuid_of(&batch.id)),
        "effective_at": batch.updated_at,
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "started_at": batch.started_at,
        "completed_at": batch.completed_at,
    })
}

/// A generated batch as lists show it.
pub(crate) fn bulk_batch(world: &World, index: usize) -> Value {
    let bulk = world.bulk.as_ref().expect("only asked for generated batches");
    let at = bulk.created_at(index);
    json!({
        "id": format!("bjb-{}", bulk.batch_id(index)),
        "project_id": format!("proj-{}", world.projects[0].id),
        "directory_id": null,
        "job_type": "parse",
        "status": "completed",
        "total_items": bulk.items_per_batch(),
        "processed_items": bulk.items_per_batch(),
        "failed_items": bulk.failed,
        "skipped_items": bulk.skipped,
        "error_message": null,
        "effective_at": at,
        "created_at": at,
        "updated_at": at,
        "started_at": at,
        "completed_at": at,
    })
}

/// An item of a batch.
pub(crate) fn item(world: &World, batch: &SimulatedBatch, run: usize, options: &Options) -> Value {
    let run = &batch.runs[run];
    let item = &world.items[run.item];
    let job = run.job.as_ref().map(|job| match options.bare_job_ids {
        true => job.clone(),
        false => job_id(batch.job_type, job),
    });
    json!({
        "item_id": item.id,
        "item_name": item.name,
        "status": run.status.word(),
        "error_message": run.error_message,
        "skip_reason": run.skip_reason,
        "job_id": job,
        "job_record_id": run.job_record,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "effective_at": run.effective_at,
    })
}

/// Items that no batch has, to fill up the page that is asked for.
pub(crate) fn made_up_items(
    query: &Query,
    status: Option<SimulatedItemStatus>,
    there: usize,
) -> Result<Vec<Value>, Reply> {
    let limit = query.number("limit", 100, 1..=1000)?;
    let offset = query.number("offset", 0, 0..=usize::MAX)?;
    let word = status.unwrap_or(SimulatedItemStatus::Failed).word();
    let item =
        |place: usize| json!({"item_id": format!("dfl-made-up-{place}"), "item_name": "more.pdf", "status": word});
    Ok((offset + there..offset + limit).map(item).collect())
}

/// A job id with the prefix of its kind.
pub(crate) fn job_id(job_type: JobType, job: &str) -> String {
    match job_type {
        JobType::Extract => format!("ext-{job}"),
        JobType::Parse | JobType::Classify => format!("pjb-{job}"),
    }
}
