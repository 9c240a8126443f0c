//! Running a single file again through v2.

use serde_json::{Map, Value, json};

use crate::model::id::is_uuid;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::storage::uploads::{own_file, uploaded_name};
use crate::simulator::v1::create::{missing, text};
use crate::simulator::v2::jobs;
use crate::simulator::world::model::{BatchOrigin, JobType, SimulatedItemStatus, Submission};

/// `POST /api/v2/parse`
pub(crate) fn create_parse(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let fields = body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))?;
    refuse_unknown(fields, PARSE_FIELDS)?;
    check_options(fields)?;
    let (file, address) = (text(fields, "file_id")?, text(fields, "source_url")?);
    if file.is_some() == address.is_some() {
        return Err(missing("file_id"));
    }
    let configuration = text(fields, "configuration_id")?;
    if configuration.is_some_and(|id| !id.strip_prefix("cfg-").is_some_and(is_uuid)) {
        // Only batches are known to take the names of presets.
        return Err(Reply::error(404, "Parse configuration not found"));
    }
    let tier = text(fields, "tier")?.filter(|tier| *tier != "configured");
    for required in ["tier", "version"] {
        text(fields, required)?.ok_or_else(|| missing(required))?;
    }
    if configuration.is_none() && tier.is_none() {
        return Err(missing("tier"));
    }
    service.check_solvent()?;
    let item = match (file, address) {
        (Some(file), _) => own_file(service, file)?,
        (None, address) => {
            let name = address.and_then(|address| address.rsplit('/').next()).unwrap_or("download");
            service.world.add_upload(service.project, name, None)
        }
    };
    let mut config = json!({"job": {"type": "parse_v2"}});
    if let Some(id) = configuration {
        config["job"]["configuration_id"] = id.into();
    }
    if let Some(tier) = tier {
        config["parameters"] = json!({ "tier": tier });
    }
    submit(service, JobType::Parse, item, config, fields)
}

/// `POST /api/v2/parse/upload`: the same with the file itself, and the configuration as a text in the form.
pub(crate) fn upload_parse(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let form = body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not a form"))?;
    let name = uploaded_name(form, "file")?;
    let configuration = text(form, "configuration")?.ok_or_else(|| missing("configuration"))?;
    let mut configuration: Value = serde_json::from_str(configuration)
        .map_err(|_| Reply::invalid(&["body", "configuration"], "not a JSON object"))?;
    if !configuration.is_object() {
        return Err(Reply::invalid(&["body", "configuration"], "not a JSON object"));
    }
    let item = service.world.add_upload(service.project, &name, None);
    configuration["file_id"] = service.world.items[item].file_id.clone().into();
    create_parse(service, &configuration)
}

/// `POST /api/v2/extract`: from a directory entry, a file, or a finished parse job, which saves the parsing.
pub(crate) fn create_extract(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let fields = body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))?;
    refuse_unknown(fields, EXTRACT_FIELDS)?;
    check_webhooks(fields)?;
    let input = text(fields, "file_input")?.ok_or_else(|| missing("file_input"))?;
    let configuration = text(fields, "configuration_id")?;
    let inline = fields.get("configuration").filter(|value| !value.is_null());
    if configuration.is_none() && inline.is_none() {
        return Err(missing("configuration_id"));
    }
    if inline.is_some_and(|inline| !inline["data_schema"].is_object()) {
        return Err(missing("data_schema"));
    }
    service.check_solvent()?;
    let (item, parsed) = find_input(service, input)?;
    let configuration = configuration.unwrap_or("cfg-INLINE");
    let mut config = json!({
        "job": {"type": "extract_v2", "configuration_id": configuration},
        "file_input": input,
        "parsed": parsed,
    });
    if let Some(inline) = inline {
        config["configuration"] = inline.clone();
    }
    submit(service, JobType::Extract, item, config, fields)
}

/// The fields that a parse may be made with.
const PARSE_FIELDS: &[&str] = &[
    "agentic_options",
    "client_name",
    "configuration_id",
    "crop_box",
    "disable_cache",
    "fast_options",
    "file_id",
    "http_proxy",
    "input_options",
    "output_options",
    "page_ranges",
    "processing_control",
    "processing_options",
    "source_url",
    "tier",
    "user_metadata",
    "version",
    "webhook_configuration_ids",
    "webhook_configurations",
];

/// Those of them that are objects.
const OPTIONS: [&str; 8] = [
    "agentic_options",
    "crop_box",
    "fast_options",
    "input_options",
    "output_options",
    "page_ranges",
    "processing_control",
    "processing_options",
];

fn check_options(fields: &Map<String, Value>) -> Result<(), Reply> {
    let wrong =
        |name: &&str, fits: fn(&Value) -> bool| fields.get(*name).is_some_and(|value| !fits(value) && !value.is_null());
    if let Some(name) = OPTIONS.iter().find(|name| wrong(name, Value::is_object)) {
        return Err(Reply::mistyped(
            &["body", name],
            "dict_type",
            "Input should be a valid dictionary",
            &fields[*name],
        ));
    }
    if wrong(&"disable_cache", Value::is_boolean) {
        let input = &fields["disable_cache"];
        return Err(Reply::mistyped(&["body", "disable_cache"], "bool_type", "Input should be a valid boolean", input));
    }
    check_webhooks(fields)
}

/// Every product takes them alike.
fn check_webhooks(fields: &Map<String, Value>) -> Result<(), Reply> {
    let wrong = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_array() && !value.is_null());
    match ["webhook_configurations", "webhook_configuration_ids"].iter().find(|name| wrong(name)) {
        Some(name) => {
            Err(Reply::mistyped(&["body", name], "list_type", "Input should be a valid list", &fields[*name]))
        }
        None => Ok(()),
    }
}

const EXTRACT_FIELDS: &[&str] =
    &["file_input", "configuration", "configuration_id", "webhook_configurations", "webhook_configuration_ids"];

/// A 422 for a field that this call does not take.
pub(crate) fn refuse_unknown(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Reply> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Reply::invalid(&["body", field], "Extra inputs are not permitted")),
        None => Ok(()),
    }
}

/// The item behind an input, and whether it is parsed already.
pub(crate) fn find_input(service: &SimulatedService<'_>, input: &str) -> Result<(usize, bool), Reply> {
    let world = &*service.world;
    if let Some((batch, run)) = service.own_parse_step(input) {
        return Ok((world.batches[batch].runs[run].item, true));
    }
    if let (true, Ok((batch, run))) = (input.starts_with("pjb-"), service.own_job(input)) {
        let run = &world.batches[batch].runs[run];
        return match run.status {
            SimulatedItemStatus::Completed => Ok((run.item, true)),
            _ => Err(Reply::error(409, "This parse job has no result to read from")),
        };
    }
    let found = world.items.iter().position(|item| {
        item.project == service.project && !item.deleted && (item.id == input || item.file_id == input)
    });
    found.map(|item| (item, false)).ok_or_else(|| Reply::error(404, "No such input in this project"))
}

fn submit(
    service: &mut SimulatedService<'_>,
    job_type: JobType,
    item: usize,
    mut config: Value,
    fields: &Map<String, Value>,
) -> Result<Reply, Reply> {
    let user_metadata = fields.get("user_metadata").cloned().unwrap_or_default();
    let texts = user_metadata.as_object().is_none_or(|entries| entries.values().all(Value::is_string));
    if !(texts && (user_metadata.is_object() || user_metadata.is_null())) {
        return Err(Reply::invalid(&["body", "user_metadata"], "not a map of texts"));
    }
    let hash = crate::simulator::world::submit::config_hash(job_type, &config);
    let fresh = fields.get("disable_cache") == Some(&Value::Bool(true));
    if !fresh && service.world.has_result(item, &hash) {
        config["cached"] = true.into();
    }
    let submission = Submission {
        job_type,
        origin: BatchOrigin::SingleJob,
        user_metadata,
        ..Submission::of_items(service.project, vec![item], config)
    };
    let index = service.world.submit(submission);
    service.world.give_job(index);
    let batch = &service.world.batches[index];
    let id = batch.runs[0].job.clone().unwrap_or_default();
    let job = jobs::write(service, batch, &batch.runs[0], &["usage"]);
    Ok(Reply { status: 200, ..Reply::created(job, id) })
}
