//! Sorting a document into kinds through v2. A batch of v2 cannot do it, so these are always single jobs.

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::v1::create::{missing, text};
use crate::simulator::v2::{create, jobs};
use crate::simulator::world::model::{BatchOrigin, ItemRun, JobType, SimulatedBatch, SimulatedItemStatus};
use crate::simulator::world::random::{hash, uuid_of};
use crate::simulator::world::state::World;
use crate::simulator::world::submit::Submission;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::V2ListClassify | Endpoint::V2CreateClassify | Endpoint::V2GetClassify)
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::V2ListClassify => jobs::list(service, JobType::Classify),
        Endpoint::V2GetClassify => jobs::get_flat(service, call.first, JobType::Classify),
        _ => create(service, body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))?),
    }
}

const FIELDS: &[&str] = &[
    "configuration",
    "configuration_id",
    "file_id",
    "file_input",
    "parse_job_id",
    "transaction_id",
    "webhook_configuration_ids",
    "webhook_configurations",
];

fn create(service: &mut SimulatedService<'_>, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    create::refuse_unknown(fields, FIELDS)?;
    let mut inputs = Vec::new();
    for name in ["file_input", "file_id", "parse_job_id"] {
        inputs.extend(text(fields, name)?);
    }
    let [input] = inputs[..] else {
        return Err(Reply::invalid(&["body", "file_input"], "exactly one input must be given"));
    };
    check_rules(fields)?;
    if let Some(earlier) = earlier(service, text(fields, "transaction_id")?) {
        return Ok(earlier);
    }
    service.check_solvent()?;
    let (item, parsed) = create::find_input(service, input)?;
    let config = json!({
        "file_input": input,
        "parsed": parsed,
        "configuration": fields.get("configuration"),
        "configuration_id": fields.get("configuration_id"),
        "transaction_id": fields.get("transaction_id"),
    });
    let submission = Submission {
        job_type: JobType::Classify,
        origin: BatchOrigin::SingleJob,
        ..Submission::of_items(service.project, vec![item], config)
    };
    let index = service.world.submit(submission);
    service.world.give_job(index);
    let batch = &service.world.batches[index];
    let id = batch.runs[0].job.clone().unwrap_or_default();
    let job = classify_job(service.world, batch, &batch.runs[0]);
    Ok(Reply { status: 200, ..Reply::created(job, id) })
}

/// Either a saved configuration, or one with rules that name a kind and describe it.
pub(crate) fn check_rules(fields: &Map<String, Value>) -> Result<(), Reply> {
    let saved = text(fields, "configuration_id")?.is_some();
    let Some(configuration) = fields.get("configuration").filter(|value| !value.is_null()) else {
        return if saved { Ok(()) } else { Err(missing("configuration")) };
    };
    let rules = configuration["rules"].as_array().filter(|rules| !rules.is_empty());
    let complete = |rule: &Value| rule["type"].is_string() && rule["description"].is_string();
    match rules.is_some_and(|rules| rules.iter().all(complete)) {
        true => Ok(()),
        false => Err(Reply::invalid(&["body", "configuration", "rules"], "at least one rule of type and description")),
    }
}

/// The job that was made under the same key.
fn earlier(service: &SimulatedService<'_>, transaction: Option<&str>) -> Option<Reply> {
    let transaction = transaction?;
    let batches = service.world.batches.iter();
    let found = batches.filter(|batch| batch.project == service.project && batch.job_type == JobType::Classify);
    let batch = { found }.find(|batch| batch.config["transaction_id"] == transaction)?;
    Some(Reply::ok(classify_job(service.world, batch, &batch.runs[0])))
}

/// A job in the shape that classify lists and gets have.
pub(crate) fn classify_job(world: &World, batch: &SimulatedBatch, run: &ItemRun) -> Value {
    let item = &world.items[run.item];
    let default = json!({"rules": [{"type": "invoice", "description": "asks for money"}, {"type": "other", "description": "all else"}]});
    let configuration = Some(&batch.config["configuration"]).filter(|value| value.is_object()).unwrap_or(&default);
    let rules = configuration["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let chosen = rules.get(hash(&item.id) as usize % rules.len().max(1));
    let result = chosen.filter(|_| run.status == SimulatedItemStatus::Completed).map(
        |rule| json!({"type": rule["type"], "confidence": 0.93, "reasoning": "the first page is laid out like one"}),
    );
    let input = batch.config["file_input"].as_str().unwrap_or(&item.id);
    json!({
        "id": run.job.as_deref().unwrap_or(""),
        "project_id": format!("prj-{}", world.projects[batch.project].id),
        "user_id": uuid_of("user"),
        "status": run.status.v2_word(),
        "error_message": crate::simulator::v2::json::job_message(run),
        "file_input": input,
        "document_input_type": if input.starts_with("pjb-") { "parse_job_id" } else { "file_id" },
        "configuration": configuration,
        "configuration_id": batch.config["configuration_id"],
        "transaction_id": batch.config["transaction_id"],
        "result": result,
        "created_at": run.started_at,
        "updated_at": run.effective_at,
    })
}
