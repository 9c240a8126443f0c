//! The calls of API v1 beta batch processing, answered from a `World`.

pub(crate) mod classifier;
pub(crate) mod create;
pub(crate) mod jobs;
pub(crate) mod json;
pub(crate) mod record;

use serde_json::{Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::{PageWindow, order};
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::options::Shift;
use crate::simulator::world::model::{BatchOrigin, JobType, SimulatedBatch, SimulatedBatchStatus, SimulatedItemStatus};

/// An entry in the list of batches.
enum BatchEntry {
    Real(usize),
    Bulk(usize),
}

impl SimulatedService<'_> {
    /// Answers a v1 call.
    pub(crate) fn v1(&mut self, call: &EndpointCall<'_>, body: &Value) -> Result<Reply, Reply> {
        match call.endpoint {
            Endpoint::ListBatches => self.list_batches(),
            Endpoint::GetBatch => self.get_batch(call.first),
            Endpoint::ListItems => self.list_items(call.first),
            Endpoint::CreateBatch => create::create(self, body),
            Endpoint::CancelBatch => self.cancel_batch(call.first, body),
            Endpoint::ProcessingResults => jobs::processing_results(self, call.first),
            Endpoint::ParsingJob => jobs::parsing_job(self, call.first),
            Endpoint::ParsingParameters => jobs::parsing_parameters(self, call.first),
            Endpoint::ParsingDetails => jobs::parsing_details(self, call.first),
            Endpoint::WrongMethod => Err(Reply::error(405, "Method Not Allowed")),
            _ => Err(Reply::error(404, "Not Found")),
        }
    }

    fn list_batches(&mut self) -> Result<Reply, Reply> {
        let status = self.query.word("status", batch_status)?;
        let job_type = self.query.word("job_type", |word| word.parse::<JobType>().ok())?;
        let directory = self.query.get("directory_id").filter(|id| !id.is_empty());
        let world = &*self.world;
        let mut listed: Vec<BatchEntry> = Vec::new();
        for (index, batch) in world.batches.iter().enumerate() {
            let directory_id = batch.directory.map(|index| world.directories[index].id.as_str());
            let wanted = batch.project == self.project
                && self.is_retained(index)
                && batch.origin != BatchOrigin::SingleJob
                && self.shows(index, false)
                && status.is_none_or(|status| status == batch.status)
                && job_type.is_none_or(|job_type| job_type == batch.job_type)
                && directory.is_none_or(|id| directory_id == Some(id));
            if wanted {
                listed.push(BatchEntry::Real(index));
            }
        }
        if let Some(bulk) = &world.bulk {
            let wanted = self.project == 0
                && status.is_none_or(|status| status == SimulatedBatchStatus::Completed)
                && job_type.is_none_or(|job_type| job_type == JobType::Parse)
                && directory.is_none();
            let made = |batch: &usize| wanted && bulk.created_at(*batch) <= world.now();
            listed.extend((0..bulk.batches).filter(made).map(BatchEntry::Bulk));
        }
        order(&mut listed, self.paging().order, self.request, |entry| match *entry {
            BatchEntry::Real(index) => (world.batches[index].created_at, index),
            BatchEntry::Bulk(index) => {
                (world.bulk.as_ref().map_or(jiff::Timestamp::MIN, |bulk| bulk.created_at(index)), usize::MAX - index)
            }
        });
        let window = PageWindow::by_offset(self.query, 50, listed.len(), self.paging())?;
        let entries = listed[window.from..window.to].iter().map(|entry| match *entry {
            BatchEntry::Real(index) => json::batch(world, &world.batches[index], self.options),
            BatchEntry::Bulk(index) => json::bulk_batch(world, index),
        });
        let page = window.page(entries.collect(), self.paging());
        if self.shifts(Shift::NewBatch) {
            self.world.add_surprise(self.project);
        }
        Ok(Reply::ok(page))
    }

    fn get_batch(&self, id: &str) -> Result<Reply, Reply> {
        if let Some(index) = self.world.bulk.as_ref().and_then(|bulk| bulk.find_batch(id)) {
            let job = json::bulk_batch(self.world, index);
            return Ok(Reply::ok(json!({"job": job, "progress_percentage": 100.0})));
        }
        let batch = &self.world.batches[self.own_batch(id)?];
        let ended = batch.runs.iter().filter(|run| run.status.is_terminal()).count();
        let progress = match batch.runs.len() {
            0 => 100.0,
            all => ended as f64 * 100.0 / all as f64,
        };
        let job = json::batch(self.world, batch, self.options);
        Ok(Reply::ok(json!({"job": job, "progress_percentage": progress})))
    }

    fn list_items(&mut self, id: &str) -> Result<Reply, Reply> {
        let status = self.query.word("status", item_status)?;
        if let Some(index) = self.world.bulk.as_ref().and_then(|bulk| bulk.find_batch(id)) {
            return self.list_bulk_items(index, status);
        }
        let index = self.own_batch(id)?;
        let batch = &self.world.batches[index];
        let is_listed = |run: &usize| !self.world.items[batch.runs[*run].item].unlisted;
        let has_status = |run: &usize| status.is_none_or(|status| status == batch.runs[*run].status);
        let mut runs: Vec<usize> = (0..batch.runs.len()).filter(has_status).filter(is_listed).collect();
        order(&mut runs, self.paging().order, self.request, |&run| (batch.runs[run].effective_at, run));
        let window = PageWindow::by_offset(self.query, 100, runs.len(), self.paging())?;
        let runs = &runs[window.from..window.to];
        if runs.iter().any(|&run| self.world.items[batch.runs[run].item].unwritable) {
            return Err(Reply::error(500, "An item could not be written"));
        }
        let entries = runs.iter().map(|&run| json::item(self.world, batch, run, self.options));
        let mut entries: Vec<Value> = entries.collect();
        if self.paging().endless {
            entries.extend(json::made_up_items(self.query, status, entries.len())?);
        }
        let page = window.page(entries, self.paging());
        let shown = runs.iter().map(|&run| batch.runs[run].failure).collect();
        if self.shifts(Shift::NewFailure) {
            self.world.fail_one_more(index, "the page went away while it was being read");
        }
        Ok(Reply::ok(page).showing(shown))
    }

    fn list_bulk_items(&self, batch: usize, status: Option<SimulatedItemStatus>) -> Result<Reply, Reply> {
        let bulk = self.world.bulk.as_ref().expect("the batch was found in it");
        let window = PageWindow::by_offset(self.query, 100, bulk.count(status), self.paging())?;
        let frame = window.page(Vec::new(), self.paging());
        let mut text = String::from(r#"{"items":"#);
        bulk.write_page(batch, status, window.from, window.to - window.from, &mut text);
        for key in ["next_page_token", "total_size"] {
            if let Some(value) = frame.get(key) {
                text.push_str(&format!(r#","{key}":{value}"#));
            }
        }
        text.push('}');
        Ok(Reply::text(text))
    }

    fn cancel_batch(&mut self, id: &str, body: &Value) -> Result<Reply, Reply> {
        if !body.is_object() {
            return Err(Reply::invalid(&["body"], "an object is needed, if only an empty one"));
        }
        let index = self.own_batch(id)?;
        if !self.world.cancel(index) {
            return Err(Reply::error(409, "This batch has already come to its end"));
        }
        let batch = &self.world.batches[index];
        Ok(Reply::ok(json!({
            "job_id": format!("bjb-{}", batch.id),
            "status": batch.status.word(),
            "processed_items": processed(batch, self.options.processed_means_completed),
            "message": "Stopped on request",
        })))
    }
}

/// What `processed_items` says.
pub(crate) fn processed(batch: &SimulatedBatch, only_completed: bool) -> usize {
    let counts = batch.counts();
    if only_completed { counts.completed } else { counts.completed + counts.failed + counts.skipped }
}

fn batch_status(word: &str) -> Option<SimulatedBatchStatus> {
    word.parse().ok()
}

fn item_status(word: &str) -> Option<SimulatedItemStatus> {
    word.parse().ok()
}
