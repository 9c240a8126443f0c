//! How v2 writes batches and jobs.

use serde_json::{Value, json};

use crate::simulator::v1::json::job_id;
use crate::simulator::world::model::{ItemRun, JobType, SimulatedBatch, SimulatedBatchStatus, SimulatedItemStatus};
use crate::simulator::world::random::uuid_of;
use crate::simulator::world::state::World;

/// A batch; its results are null unless asked for and complete.
pub(crate) fn batch(world: &World, index: usize, with_results: bool) -> Value {
    let batch = &world.batches[index];
    let complete = matches!(batch.status, SimulatedBatchStatus::Completed | SimulatedBatchStatus::Cancelled);
    let shown = batch.runs.iter().filter(|run| !is_done_before(world, batch, run));
    let results = (with_results && complete).then(|| shown.map(|run| result(world, batch, run)).collect::<Vec<_>>());
    json!({
        "id": format!("bat-{}", batch.id),
        "project_id": format!("prj-{}", world.projects[batch.project].id),
        "source_directory_id": directory_id(world, batch),
        "config": config(batch),
        "status": batch.status.v2_word(),
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "results": results,
    })
}

/// The directory a batch reads. For one made from a list of items that is where its first item lies, because v2 knows
/// no other kind; an empty one is taken to have read the project's own.
pub(crate) fn directory_id<'w>(world: &'w World, batch: &SimulatedBatch) -> &'w str {
    let of_items = || batch.runs.first().map(|run| world.items[run.item].directory);
    let directory = batch.directory.or_else(of_items).unwrap_or(batch.project);
    &world.directories[directory].id
}

fn config(batch: &SimulatedBatch) -> Value {
    let kind = match batch.job_type {
        JobType::Extract => "extract_v2",
        JobType::Parse | JobType::Classify => "parse_v2",
    };
    let preset = if kind == "parse_v2" { "cfg-PARSE_AGENTIC" } else { "cfg-EXTRACT_AGENTIC" };
    let configuration = batch.config["job"]["configuration_id"].as_str().unwrap_or(preset);
    json!({"job": {"type": kind, "configuration_id": configuration}})
}

fn result(world: &World, batch: &SimulatedBatch, run: &ItemRun) -> Value {
    let job = run.job.clone().or_else(|| earlier_job(world, batch, run));
    let reason = run.skip_reason.as_deref().unwrap_or("not_taken");
    let unmapped = job.is_none() && run.status == SimulatedItemStatus::Skipped;
    json!({
        "source_directory_file_id": world.items[run.item].id,
        "job_reference": job.map(|job| json!({
            "type": config(batch)["job"]["type"],
            "id": job_id(batch.job_type, &job),
        })),
        "error_message": unmapped.then(|| format!("{reason}: no job could be made for this file")),
    })
}

/// Whether the work was done before by a job that nobody knows any more: v2 has no word for it that is known.
pub(crate) fn is_done_before(world: &World, batch: &SimulatedBatch, run: &ItemRun) -> bool {
    let is_skipped = run.skip_reason.as_deref() == Some("already_processed");
    is_skipped && run.job.is_none() && earlier_job(world, batch, run).is_none()
}

/// The job whose result stands for work that was skipped as done already.
fn earlier_job(world: &World, batch: &SimulatedBatch, run: &ItemRun) -> Option<String> {
    let results = &world.items[run.item].results;
    let work = results.iter().rev().find(|work| world.batches[work.batch].config_hash == batch.config_hash)?;
    world.batches[work.batch].runs[work.run].job.clone().filter(|_| run.status == SimulatedItemStatus::Skipped)
}

/// A job in the shape that parse lists have.
pub(crate) fn parse_job(world: &World, batch: &SimulatedBatch, run: &ItemRun, usage: bool) -> Value {
    let mut job = json!({
        "id": format!("pjb-{}", run.job.as_deref().unwrap_or("")),
        "project_id": format!("prj-{}", world.projects[batch.project].id),
        "status": run.status.v2_word(),
        "error_message": job_message(run),
        "name": world.items[run.item].name,
        "tier": batch.config["parameters"]["tier"].as_str().or(batch.config["tier"].as_str()),
        "user_metadata": batch.user_metadata,
        "created_at": run.started_at,
        "updated_at": run.effective_at,
    });
    if usage {
        job["usage"] = json!({"credits": run.credits});
    }
    job
}

/// The parsing that went before an extraction; it completes whenever the extraction has a job.
pub(crate) fn parse_step(world: &World, batch: &SimulatedBatch, run: &ItemRun, id: &str) -> Value {
    let status = if run.status.is_terminal() { "COMPLETED" } else { "RUNNING" };
    json!({
        "id": id,
        "project_id": format!("prj-{}", world.projects[batch.project].id),
        "status": status,
        "error_message": null,
        "name": world.items[run.item].name,
        "created_at": run.started_at,
        "updated_at": run.effective_at,
    })
}

/// A job in the shape that extract lists and gets have.
pub(crate) fn extract_job(world: &World, batch: &SimulatedBatch, run: &ItemRun, expand: &[&str]) -> Value {
    let job_id = run.job.as_deref().unwrap_or("");
    let mut job = json!({
        "id": format!("ext-{job_id}"),
        "project_id": format!("prj-{}", world.projects[batch.project].id),
        "file_input": batch.config["file_input"].as_str().unwrap_or(&world.items[run.item].id),
        "status": run.status.v2_word(),
        "error_message": job_message(run),
        "configuration_id": config(batch)["job"]["configuration_id"],
        "extract_result": (run.status == SimulatedItemStatus::Completed).then(|| json!({"total": "12.00"})),
        "created_at": run.started_at,
        "updated_at": run.effective_at,
    });
    if expand.contains(&"configuration") && batch.config["configuration"].is_object() {
        job["configuration"] = batch.config["configuration"].clone();
    }
    if expand.contains(&"extract_metadata") {
        job["extract_metadata"] = json!({"parse_job_id": format!("pjb-{}", World::parse_step_id(job_id))});
    }
    if expand.contains(&"usage") {
        // What its parsing cost is repeated here, whoever paid it.
        let parsed = if batch.config["parsed"] == true { 10 * world.items[run.item].pages } else { 0 };
        job["usage"] = json!({"credits": run.credits.map(|credits| credits + parsed), "extract_credits": run.credits});
    }
    if !batch.user_metadata.is_null() {
        job["user_metadata"] = batch.user_metadata.clone();
    }
    job
}

/// v2 jobs have one text for both; the one on the job record says more.
pub(crate) fn job_message(run: &ItemRun) -> Option<&String> {
    run.job_message.as_ref().or(run.error_message.as_ref()).filter(|_| run.status == SimulatedItemStatus::Failed)
}

impl World {
    /// The bare id of the parsing that goes before the extraction with this bare id.
    pub(crate) fn parse_step_id(extract_job: &str) -> String {
        uuid_of(&format!("parse step of {extract_job}"))
    }
}
