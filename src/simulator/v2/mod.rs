//! The batch calls of API v2, and the way to its job calls.

pub(crate) mod acts;
pub(crate) mod classify;
pub(crate) mod create;
pub(crate) mod jobs;
pub(crate) mod json;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;
use strum::VariantArray as _;

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::{PageWindow, order};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::v1::create::missing;
use crate::simulator::world::model::Submission;
use crate::simulator::world::model::{BatchOrigin, ItemRun, JobType, SimulatedBatch, SimulatedBatchStatus};

/// The most files of a directory that one batch takes, as the real service documents it.
const MOST_FILES: usize = 1_000;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::V2ListBatches
            | E::V2CreateBatch
            | E::V2GetBatch
            | E::V2CancelBatch
            | E::V2ListParse
            | E::V2CreateParse
            | E::V2GetParse
            | E::V2ListExtract
            | E::V2CreateExtract
            | E::V2GetExtract
    )
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::V2ListBatches => list_batches(service),
        Endpoint::V2GetBatch => get_batch(service, call.first),
        Endpoint::V2CreateBatch => create_batch(service, body),
        Endpoint::V2CancelBatch => cancel_batch(service, call.first),
        Endpoint::V2ListParse => jobs::list(service, JobType::Parse),
        Endpoint::V2ListExtract => jobs::list(service, JobType::Extract),
        Endpoint::V2GetParse => jobs::get_parse(service, call.first),
        Endpoint::V2GetExtract => jobs::get_flat(service, call.first, JobType::Extract),
        Endpoint::V2CreateParse => create::create_parse(service, body),
        _ => create::create_extract(service, body),
    }
}

fn list_batches(service: &mut SimulatedService<'_>) -> Result<Reply, Reply> {
    let status = service.query.word("status", |word| {
        SimulatedBatchStatus::VARIANTS.iter().copied().find(|status| status.v2_word() == word)
    })?;
    let span = Span::from_query(service)?;
    let directory = service.query.get("source_directory_id");
    let world = &*service.world;
    let mut listed: Vec<usize> = (0..world.batches.len())
        .filter(|&index| {
            let batch = &world.batches[index];
            batch.project == service.project
                && is_of_v2(batch)
                && service.shows(index, true)
                && service.is_retained(index)
                && status.is_none_or(|status| status == batch.status)
                && span.holds(batch.created_at)
                && directory.is_none_or(|id| json::directory_id(world, batch) == id)
        })
        .collect();
    order(&mut listed, service.paging().order, service.request, |&index| (world.batches[index].created_at, index));
    let window = PageWindow::by_cursor(service.query, listed.len(), service.paging())?;
    let entries = listed[window.from..window.to].iter().map(|&index| json::batch(world, index, false));
    let page = window.cursor_page(entries.collect(), service.paging());
    if service.shifts(crate::simulator::options::Shift::NewBatch) {
        service.world.add_surprise(service.project);
    }
    Ok(Reply::ok(page))
}

fn get_batch(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let expands: Vec<&str> = service.query.all("expand").collect();
    if expands.iter().any(|field| *field != "results") {
        return Err(Reply::invalid(&["query", "expand"], "only results can be expanded"));
    }
    let index = own_batch(service, id)?;
    let reply = Reply::ok(json::batch(service.world, index, !expands.is_empty()));
    let batch = &service.world.batches[index];
    let is_shown = |run: &&ItemRun| run.job.is_none() && !json::is_done_before(service.world, batch, run);
    let shown = batch.runs.iter().filter(is_shown).map(|run| run.failure);
    // The page of results reports skipped files only; what became of the others is on their jobs.
    Ok(if expands.is_empty() || batch.status != SimulatedBatchStatus::Completed {
        reply
    } else {
        reply.showing(shown.collect())
    })
}

fn create_batch(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let directory = body["source_directory_id"].as_str().ok_or_else(|| missing("source_directory_id"))?;
    let job = &body["config"]["job"];
    let job_type = match job["type"].as_str() {
        Some("parse_v2") => JobType::Parse,
        Some("extract_v2") => JobType::Extract,
        _ => return Err(Reply::invalid(&["body", "config", "job", "type"], "neither parse_v2 nor extract_v2")),
    };
    if !job["configuration_id"].is_string() {
        return Err(missing("configuration_id"));
    }
    service.check_solvent()?;
    let directory = service.own_directory(directory)?;
    let items = service.world.present_items(directory);
    if items.len() > MOST_FILES {
        return Err(Reply::invalid(&["body", "source_directory_id"], "the directory holds too many files"));
    }
    let submission =
        Submission { job_type, ..Submission::of_directory(service.project, directory, items, body["config"].clone()) };
    let index = service.world.submit(submission);
    let id = service.world.batches[index].id.clone();
    Ok(Reply::created(json::batch(service.world, index, false), id))
}

fn cancel_batch(service: &mut SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    let index = own_batch(service, id)?;
    if !service.world.cancel(index) {
        return Err(Reply::error(409, "This batch has already come to its end"));
    }
    Ok(Reply::ok(json::batch(service.world, index, false)))
}

/// Whether v2 shows it among batches: it knows none that sort documents, and single jobs are none.
fn is_of_v2(batch: &SimulatedBatch) -> bool {
    batch.origin != BatchOrigin::SingleJob && batch.job_type != JobType::Classify
}

fn own_batch(service: &SimulatedService<'_>, id: &str) -> Result<usize, Reply> {
    let index = service.own_batch(id)?;
    match is_of_v2(&service.world.batches[index]) {
        true => Ok(index),
        false => Err(Reply::error(404, "No such batch in this project")),
    }
}

/// The window of creation times that a list is asked for; both ends belong to it.
pub(crate) struct Span {
    from: Timestamp,
    until: Timestamp,
}

impl Span {
    pub(crate) fn from_query(service: &SimulatedService<'_>) -> Result<Self, Reply> {
        let time = |name, default| match service.query.get(name) {
            None | Some("") => Ok(default),
            Some(text) => text.parse().map_err(|_| Reply::invalid(&["query", name], "not a time")),
        };
        Ok(Self {
            from: time("created_at_on_or_after", Timestamp::MIN)?,
            until: time("created_at_on_or_before", Timestamp::MAX)?,
        })
    }

    pub(crate) fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && time <= self.until
    }
}
