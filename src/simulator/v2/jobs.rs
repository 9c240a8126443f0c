//! Listing and reading single v2 jobs.

use serde_json::{Value, json};

use crate::simulator::http::paging::{PageWindow, order};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::options::Options;
use crate::simulator::v2::{Span, json};
use crate::simulator::world::model::{ItemRun, JobType, SimulatedBatch, SimulatedItemStatus};
use crate::simulator::world::random::{hash, uuid_of};
use crate::simulator::world::state::World;

/// `GET /api/v2/parse`, `…/extract` and `…/classify`: flat jobs, newest first.
pub(crate) fn list(service: &SimulatedService<'_>, job_type: JobType) -> Result<Reply, Reply> {
    let status = service.query.word("status", |word| status(job_type, word))?;
    let span = Span::from_query(service)?;
    let expand: Vec<&str> = service.query.all("expand").collect();
    let world = &*service.world;
    let mut jobs: Vec<JobEntry> = candidates(service)
        .into_iter()
        .filter(|job| {
            let (batch, run) = job.run_in(world);
            batch.project == service.project
                && job.kind(batch) == job_type
                && world.shows(job.batch, job.run)
                && status.is_none_or(|status| status == Some(job.status(run)))
                && run.started_at.is_some_and(|at| span.holds(at))
        })
        .collect();
    jobs.dedup();
    order(&mut jobs, service.paging().order, service.request, |job| {
        (job.run_in(world).1.effective_at, (job.batch << 24) | job.run)
    });
    let window = PageWindow::by_cursor(service.query, jobs.len(), service.paging())?;
    let jobs = &jobs[window.from..window.to];
    let entries = jobs.iter().map(|job| {
        let (batch, run) = job.run_in(world);
        match job.step {
            true => json::parse_step(world, batch, run, &format!("pjb-{}", step_id(run))),
            false => without_hidden(write(service, batch, run, &expand), service.options),
        }
    });
    let page = window.cursor_page(entries.collect(), service.paging());
    let shown = jobs.iter().map(|job| job.run_in(world).1.failure.filter(|_| !job.step));
    Ok(Reply::ok(page).showing(shown.collect()))
}

fn without_hidden(mut job: Value, options: &Options) -> Value {
    if let (false, Some(fields)) = (options.notes_in_lists, job.as_object_mut()) {
        fields.remove("user_metadata");
    }
    job
}

/// A job that a list may show: a run's own, or the parsing that goes before an extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct JobEntry {
    batch: usize,
    run: usize,
    step: bool,
}

impl JobEntry {
    fn new((batch, run): (usize, usize)) -> Self {
        Self { batch, run, step: false }
    }

    fn run_in(self, world: &World) -> (&SimulatedBatch, &ItemRun) {
        (&world.batches[self.batch], &world.batches[self.batch].runs[self.run])
    }

    fn kind(self, batch: &SimulatedBatch) -> JobType {
        if self.step { JobType::Parse } else { batch.job_type }
    }

    fn status(self, run: &ItemRun) -> SimulatedItemStatus {
        match self.step {
            true if run.status.is_terminal() => SimulatedItemStatus::Completed,
            true => SimulatedItemStatus::Processing,
            false => run.status,
        }
    }
}

fn step_id(run: &ItemRun) -> String {
    World::parse_step_id(run.job.as_deref().unwrap_or(""))
}

/// The jobs that were named, or all of the project's but for parsings before extractions.
fn candidates(service: &SimulatedService<'_>) -> Vec<JobEntry> {
    let world = &*service.world;
    let named: Vec<&str> = service.query.all("job_ids").collect();
    if named.is_empty() {
        let all = world.batches.iter().enumerate();
        return all
            .flat_map(|(batch, record)| (0..record.runs.len()).map(move |run| JobEntry::new((batch, run))))
            .collect();
    }
    let step = |id| service.own_parse_step(id).map(|(batch, run)| JobEntry { batch, run, step: true });
    let mut found: Vec<_> =
        named.into_iter().filter_map(|id| world.find_job(id).map(JobEntry::new).or_else(|| step(id))).collect();
    found.sort_unstable_by_key(|job| (job.batch, job.run));
    found
}

/// `GET /api/v2/parse/{job_id}`: the job in an envelope.
pub(crate) fn get_parse(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let expand: Vec<&str> = service.query.all("expand").collect();
    let world = &*service.world;
    if let Some((batch, run)) = service.own_parse_step(id) {
        let (batch, run) = (&world.batches[batch], &world.batches[batch].runs[run]);
        return Ok(Reply::ok(json!({ "job": json::parse_step(world, batch, run, id) })));
    }
    let (batch, run) = service.own_job(id)?;
    let (batch, run) = (&world.batches[batch], &world.batches[batch].runs[run]);
    if batch.job_type != JobType::Parse {
        return Err(Reply::error(404, "No such job in this project"));
    }
    let mut answer = json!({ "job": write(service, batch, run, &expand) });
    if run.status == SimulatedItemStatus::Completed {
        if expand.contains(&"markdown") {
            answer["markdown"] = json!({ "pages": pages(service, run) });
        }
        if expand.contains(&"text") {
            answer["text"] = json!({ "pages": texts(service, run) });
        }
    }
    Ok(Reply::ok(answer).showing(vec![run.failure]))
}

/// The pages of a completed parse; those that failed have no text.
fn pages(service: &SimulatedService<'_>, run: &ItemRun) -> Vec<Value> {
    let item = &service.world.items[run.item];
    let page = |number| match item.bad_pages.contains(&number) {
        true => json!({"page_number": number, "success": false, "error": format!("nothing legible on sheet {number}")}),
        false => json!({"page_number": number, "success": true, "markdown": format!("# Page {number}")}),
    };
    (1..=item.pages).map(page).collect()
}

/// The same pages as plain text, which has no page that failed.
fn texts(service: &SimulatedService<'_>, run: &ItemRun) -> Vec<Value> {
    let item = &service.world.items[run.item];
    let legible = (1..=item.pages).filter(|number| !item.bad_pages.contains(number));
    legible.map(|number| json!({"page_number": number, "text": format!("Page {number}")})).collect()
}

/// `GET /api/v2/extract/{job_id}` and `…/classify/{job_id}`: the bare job.
pub(crate) fn get_flat(service: &SimulatedService<'_>, id: &str, job_type: JobType) -> Result<Reply, Reply> {
    let expand: Vec<&str> = service.query.all("expand").collect();
    let (batch, run) = service.own_job(id)?;
    let (batch, run) = (&service.world.batches[batch], &service.world.batches[batch].runs[run]);
    if batch.job_type != job_type {
        return Err(Reply::error(404, "No such job in this project"));
    }
    Ok(Reply::ok(write(service, batch, run, &expand)).showing(vec![run.failure]))
}

pub(crate) fn write(service: &SimulatedService<'_>, batch: &SimulatedBatch, run: &ItemRun, expand: &[&str]) -> Value {
    match batch.job_type {
        JobType::Extract => json::extract_job(service.world, batch, run, expand),
        JobType::Classify => classify_job(service.world, batch, run),
        JobType::Parse => json::parse_job(service.world, batch, run, expand.contains(&"usage")),
    }
}

/// The status that a filter's word means. Extract jobs may be throttled elsewhere; here none ever is.
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
        "error_message": json::job_message(run),
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

fn status(job_type: JobType, word: &str) -> Option<Option<SimulatedItemStatus>> {
    if job_type == JobType::Extract && word == "THROTTLED" {
        return Some(None);
    }
    let known = [
        SimulatedItemStatus::Pending,
        SimulatedItemStatus::Processing,
        SimulatedItemStatus::Completed,
        SimulatedItemStatus::Failed,
        SimulatedItemStatus::Cancelled,
    ];
    known.into_iter().find(|status| status.v2_word() == word).map(Some)
}
