//! What v1 says about the work behind an item: results, the parse job, its parameters and details.

use serde_json::{Value, json};

use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::world::model::{JobType, SimulatedItemStatus};

/// `GET …/items/{item_id}/processing-results`: finished work only, so items that have always failed have none.
pub(crate) fn processing_results(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let wanted = service.query.word("job_type", |word| word.parse::<JobType>().ok())?;
    let world = &*service.world;
    let item = world.item(id).filter(|item| item.project == service.project);
    let item = item.ok_or_else(|| Reply::error(404, "No such entry in this project"))?;
    let results =
        item.results.iter().filter(|work| wanted.is_none_or(|kind| kind == world.batches[work.batch].job_type));
    let results: Vec<Value> = results
        .map(|work| {
            let batch = &world.batches[work.batch];
            json!({
                "result_id": work.id,
                "item_id": item.id,
                "job_type": batch.job_type.word(),
                "job_config": echoed_config(service, work.batch),
                "parameters_hash": batch.config_hash,
                "output_s3_path": format!("s3://results-bucket/{}/{}.json", batch.id, work.id),
                "output_metadata": null,
                "processed_at": work.at,
            })
        })
        .collect();
    Ok(Reply::ok(json!({"item_id": item.id, "item_name": item.name, "processing_results": results})))
}

/// The configuration with the ids that the service adds, and with secrets where it is set to be careless.
fn echoed_config(service: &SimulatedService<'_>, batch: usize) -> Value {
    let batch = &service.world.batches[batch];
    let mut config = v1_config(&batch.config);
    config["user_id"] = crate::simulator::world::random::uuid_of(&batch.id).into();
    config["project_id"] = service.world.projects[batch.project].id.clone().into();
    for added in ["session_id", "correlation_id", "parent_job_execution_id"] {
        if config.get(added).is_none() {
            config[added] = crate::simulator::world::random::uuid_of(&format!("{added} {}", batch.id)).into();
        }
    }
    if service.options.secrets_in_results && batch.job_type != JobType::Classify {
        config["parameters"]["vendor_multimodal_api_key"] = "sk-simulated-vendor-key".into();
        config["parameters"]["webhook_configurations"] =
            json!([{"webhook_url": "https://hooks.example/in", "webhook_headers": {"X-Token": "simulated-token"}}]);
    }
    config
}

/// A configuration as v1 writes it, also for work that was asked for through v2.
fn v1_config(config: &Value) -> Value {
    if config.get("parameters").is_some() || config.get("rules").is_some() {
        return config.clone();
    }
    json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "cost_effective", "version": "latest"}})
}

/// `GET /api/v1/parsing/job/{job_id}`
pub(crate) fn parsing_job(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let (batch, run) = service.own_job(id)?;
    let run = &service.world.batches[batch].runs[run];
    let mut job = json!({"id": id, "status": job_status(run.status)});
    if run.status == SimulatedItemStatus::Failed {
        job["error_code"] = run.error_code.clone().into();
        job["error_message"] = run.job_message.clone().or_else(|| run.error_message.clone()).into();
    }
    Ok(Reply::ok(job))
}

/// `GET /api/v1/parsing/job/{job_id}/parameters`
pub(crate) fn parsing_parameters(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let (batch, _) = service.own_job(id)?;
    Ok(Reply::ok(v1_config(&service.world.batches[batch].config)["parameters"].clone()))
}

/// `GET /api/v1/parsing/job/{job_id}/details`
pub(crate) fn parsing_details(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let mut details = match parsing_job(service, id)?.content {
        crate::simulator::http::reply::Content::Json(job) => job,
        crate::simulator::http::reply::Content::Text(_) => Value::Null,
    };
    let (batch, run) = service.own_job(id)?;
    let batch = &service.world.batches[batch];
    let run = &batch.runs[run];
    details["parameters"] = v1_config(&batch.config)["parameters"].clone();
    details["telemetry"] =
        json!({"queued_at": batch.created_at, "started_at": run.started_at, "ended_at": run.completed_at});
    details["session_logs"] = json!([]);
    Ok(Reply::ok(details))
}

fn job_status(status: SimulatedItemStatus) -> &'static str {
    match status {
        SimulatedItemStatus::Pending | SimulatedItemStatus::Processing => "PENDING",
        SimulatedItemStatus::Completed | SimulatedItemStatus::Skipped => "SUCCESS",
        SimulatedItemStatus::Failed => "ERROR",
        SimulatedItemStatus::Cancelled => "CANCELLED",
    }
}
