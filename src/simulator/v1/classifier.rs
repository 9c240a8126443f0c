//! Sorting documents into kinds as SDKs before 2.14 ask for it: one job for several files.

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::PageWindow;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::storage::uploads::own_file;
use crate::simulator::v1::create::missing;
use crate::simulator::v2::classify::check_rules;
use crate::simulator::v2::jobs::classify_job;
use crate::simulator::world::model::{BatchOrigin, JobType, SimulatedItemStatus, Submission};
use crate::simulator::world::random::uuid_of;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(endpoint, E::ListClassifier | E::CreateClassifier | E::GetClassifier | E::ClassifierResults)
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::ListClassifier => list(service),
        Endpoint::CreateClassifier => create(service, body.as_object().ok_or_else(|| missing("file_ids"))?),
        Endpoint::GetClassifier => Ok(Reply::ok(job(service, own_job(service, call.first)?))),
        _ => results(service, own_job(service, call.first)?),
    }
}

fn create(service: &mut SimulatedService<'_>, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let ids = fields.get("file_ids").and_then(Value::as_array).filter(|ids| !ids.is_empty());
    let ids = ids.ok_or_else(|| missing("file_ids"))?.iter();
    let items = ids.map(|id| own_file(service, id.as_str().unwrap_or_default())).collect::<Result<Vec<_>, _>>()?;
    let configuration = json!({"configuration": {"rules": fields.get("rules")}});
    check_rules(configuration.as_object().ok_or_else(|| missing("rules"))?)?;
    service.check_solvent()?;
    let submission = Submission {
        job_type: JobType::Classify,
        origin: BatchOrigin::SingleJob,
        ..Submission::of_items(service.project, items, configuration)
    };
    let index = service.world.submit(submission);
    let id = service.world.batches[index].id.clone();
    Ok(Reply { status: 200, ..Reply::created(job(service, index), id) })
}

fn list(service: &SimulatedService<'_>) -> Result<Reply, Reply> {
    let all = (0..service.world.batches.len()).rev();
    let jobs: Vec<usize> = all.filter(|&index| is_own(service, index)).collect();
    let window = PageWindow::by_cursor(service.query, jobs.len(), service.paging())?;
    let entries = jobs[window.from..window.to].iter().map(|&index| job(service, index)).collect();
    Ok(Reply::ok(window.cursor_page(entries, service.paging())))
}

fn is_own(service: &SimulatedService<'_>, index: usize) -> bool {
    let batch = &service.world.batches[index];
    batch.project == service.project && batch.job_type == JobType::Classify
}

fn own_job(service: &SimulatedService<'_>, id: &str) -> Result<usize, Reply> {
    let found = service.world.find_batch(id).filter(|&index| is_own(service, index));
    found.ok_or_else(|| Reply::error(404, "Classify job not found"))
}

fn job(service: &SimulatedService<'_>, index: usize) -> Value {
    let batch = &service.world.batches[index];
    let count = |status| batch.runs.iter().filter(|run| run.status == status).count();
    let status = match (count(SimulatedItemStatus::Failed), count(SimulatedItemStatus::Completed)) {
        _ if batch.runs.iter().any(|run| !run.status.is_terminal()) => "PENDING",
        (0, 0) => "CANCELLED",
        (0, _) => "SUCCESS",
        (_, 0) => "ERROR",
        _ => "PARTIAL_SUCCESS",
    };
    let first = batch.runs.first();
    json!({
        "id": batch.id,
        "project_id": service.world.projects[batch.project].id,
        "user_id": uuid_of("user"),
        "status": status,
        "rules": first.map(|run| classify_job(service.world, batch, run)["configuration"]["rules"].clone()),
        "mode": "FAST",
        "error_message": batch.runs.iter().find_map(crate::simulator::v2::json::job_message),
        "created_at": batch.created_at,
        "updated_at": batch.updated_at,
        "effective_at": batch.updated_at,
    })
}

fn results(service: &SimulatedService<'_>, index: usize) -> Result<Reply, Reply> {
    let batch = &service.world.batches[index];
    let completed = batch.runs.iter().filter(|run| run.status == SimulatedItemStatus::Completed);
    let result = |run| {
        let job = classify_job(service.world, batch, run);
        json!({
            "id": uuid_of(&format!("result of {}", job["id"])),
            "classify_job_id": batch.id,
            "file_id": service.world.items[run.item].file_id,
            "result": job["result"],
            "created_at": run.completed_at,
            "updated_at": run.effective_at,
        })
    };
    Ok(Reply::ok(json!({"items": completed.map(result).collect::<Vec<_>>(), "next_page_token": null})))
}
