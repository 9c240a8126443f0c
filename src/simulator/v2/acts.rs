//! What v2 lets people do with single jobs beside making and reading them: cancel, delete, check a schema, upload.

use serde_json::{Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::v1::create::missing;
use crate::simulator::v2::{create, jobs};
use crate::simulator::world::model::JobType;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::V2UploadParse
            | E::V2ParseVersions
            | E::V2CancelParse
            | E::V2DeleteParse
            | E::V2CancelExtract
            | E::V2DeleteExtract
            | E::V2CancelClassify
            | E::V2DeleteClassify
            | E::V2ValidateSchema
            | E::V2GenerateSchema
    )
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::V2UploadParse => create::upload_parse(service, body),
        Endpoint::V2ParseVersions => Ok(Reply::ok(versions())),
        Endpoint::V2CancelParse => cancel(service, call.first, JobType::Parse),
        Endpoint::V2CancelExtract => cancel(service, call.first, JobType::Extract),
        Endpoint::V2CancelClassify => cancel(service, call.first, JobType::Classify),
        Endpoint::V2DeleteParse => delete(service, call.first, JobType::Parse),
        Endpoint::V2DeleteExtract => delete(service, call.first, JobType::Extract),
        Endpoint::V2DeleteClassify => delete(service, call.first, JobType::Classify),
        Endpoint::V2ValidateSchema => validate(body),
        _ => generate(body),
    }
}

/// The job of this id if it is of this product.
fn own_job(service: &SimulatedService<'_>, id: &str, job_type: JobType) -> Result<(usize, usize), Reply> {
    let (batch, run) = service.own_job(id)?;
    match service.world.batches[batch].job_type == job_type {
        true => Ok((batch, run)),
        false => Err(Reply::error(404, "No such job in this project")),
    }
}

fn cancel(service: &mut SimulatedService<'_>, id: &str, job_type: JobType) -> Result<Reply, Reply> {
    let (batch, run) = own_job(service, id, job_type)?;
    if !service.world.cancel_run(batch, run) {
        return Err(Reply::error(409, "This job has already come to its end"));
    }
    let batch = &service.world.batches[batch];
    Ok(Reply::ok(jobs::write(service, batch, &batch.runs[run], &[])))
}

fn delete(service: &mut SimulatedService<'_>, id: &str, job_type: JobType) -> Result<Reply, Reply> {
    let (batch, run) = own_job(service, id, job_type)?;
    let project = service.world.projects[service.world.batches[batch].project].id.clone();
    let job = service.world.batches[batch].runs[run].job.clone();
    service.world.stored.deleted_jobs.extend(job);
    Ok(Reply::ok(json!({"id": id, "project_id": format!("prj-{project}")})))
}

/// A few of the versions that the real service takes.
fn versions() -> Value {
    let (new, old) = ("2026-06-18", "2025-12-11");
    json!({
        "fast": [old],
        "cost_effective": [new],
        "agentic": [new, old],
        "agentic_plus": [new, old],
        "latest": {"fast": old, "cost_effective": new, "agentic": new, "agentic_plus": new},
    })
}

fn validate(body: &Value) -> Result<Reply, Reply> {
    match body["data_schema"].as_object() {
        Some(schema) => Ok(Reply::ok(json!({ "data_schema": schema }))),
        None => Err(missing("data_schema")),
    }
}

/// A schema of one field: nothing reads the prompt here.
fn generate(body: &Value) -> Result<Reply, Reply> {
    if !["prompt", "file_id", "data_schema"].iter().any(|name| body[*name].is_string() || body[*name].is_object()) {
        return Err(missing("prompt"));
    }
    let schema = json!({"type": "object", "properties": {"total": {"type": "string"}}});
    let name = body["name"].as_str().unwrap_or("generated");
    Ok(Reply::ok(json!({"name": name, "parameters": {"product_type": "extract_v2", "data_schema": schema}})))
}
