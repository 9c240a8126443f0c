//! Sorting a document into kinds through v2. A batch of v2 cannot do it, so these are always single jobs.

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::v1::create::{missing, text};
use crate::simulator::v2::{create, jobs};
use crate::simulator::world::model::{BatchOrigin, JobType, Submission};

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
    let job = jobs::classify_job(service.world, batch, &batch.runs[0]);
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
    Some(Reply::ok(jobs::classify_job(service.world, batch, &batch.runs[0])))
}
