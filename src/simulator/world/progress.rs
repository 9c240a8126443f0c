//! What happens in the world as time passes: batches start, items run and end, outages and empty accounts spoil them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::simulator::world::cause::{AttemptContext, Failure, ScriptedOutcome};
use crate::simulator::world::model::{
    BatchOrigin, Break, FinishedWork, JobType, ScheduledEvent, SimulatedBatchStatus, SimulatedItemStatus,
};
use crate::simulator::world::random::hash;
use crate::simulator::world::state::World;
use crate::simulator::world::template;
use crate::simulator::world::truth::ShownFailure;

impl World {
    pub(crate) fn apply_event(&mut self, event: ScheduledEvent) {
        match event {
            ScheduledEvent::Submit(submission) => {
                self.submit(*submission);
            }
            ScheduledEvent::BatchStarts(batch) => self.start_batch(batch),
            ScheduledEvent::BatchBreaks(batch, how) => self.break_batch(batch, how),
            ScheduledEvent::RunStarts(batch, run) => self.start_run(batch, run),
            ScheduledEvent::RunEnds(batch, run) => self.end_run(batch, run),
            ScheduledEvent::RunRepairs(batch, run) => self.repair_run(batch, run),
            ScheduledEvent::Life(beat) => self.advance_beat(beat),
            ScheduledEvent::Credits(project, credits) => self.set_credits(project, credits),
        }
    }

    fn start_batch(&mut self, batch: usize) {
        if self.batches[batch].status.is_terminal() {
            return;
        }
        let now = self.now;
        let record = &mut self.batches[batch];
        record.status = SimulatedBatchStatus::Running;
        record.started_at = Some(now);
        record.updated_at = now;
        let size = record.runs.len();
        let mut lanes = vec![now; self.pace.lanes.clamp(1, size.max(1))];
        for run in 0..size {
            let lane = run % lanes.len();
            let begin = lanes[lane];
            lanes[lane] = begin + self.run_time(batch, run);
            self.schedule(begin, ScheduledEvent::RunStarts(batch, run));
            self.schedule(lanes[lane], ScheduledEvent::RunEnds(batch, run));
        }
        self.finish_batch_if_done(batch);
    }

    fn run_time(&mut self, batch: usize, run: usize) -> SignedDuration {
        let item = &self.items[self.batches[batch].runs[run].item];
        match item.first_takes {
            Some(time) if item.attempts == 0 => time,
            _ => {
                let (least, most) = self.pace.item;
                SignedDuration::from_millis(self.random.between(least * 1_000, most * 1_000) as i64)
            }
        }
    }

    fn break_batch(&mut self, batch: usize, how: Break) {
        let now = self.now;
        let record = &mut self.batches[batch];
        if record.status.is_terminal() {
            return;
        }
        let (status, message) = match how {
            Break::Fails(message) => (SimulatedBatchStatus::Failed, message),
            Break::Cancelled(message) => (SimulatedBatchStatus::Cancelled, Some(message)),
            Break::EndsShort => (SimulatedBatchStatus::Completed, None),
        };
        record.status = status;
        record.error_message = message;
        record.completed_at = Some(now);
        record.updated_at = now;
        let waiting: Vec<usize> =
            (0..record.runs.len()).filter(|run| record.runs[*run].status == SimulatedItemStatus::Pending).collect();
        for run in waiting {
            let part = &mut self.batches[batch].runs[run];
            part.abandoned = true;
            if status == SimulatedBatchStatus::Cancelled {
                part.status = SimulatedItemStatus::Cancelled;
            }
            self.note_failure(batch, run);
        }
    }

    fn start_run(&mut self, batch: usize, run: usize) {
        let record = &self.batches[batch];
        if record.status.is_terminal() || record.runs[run].status != SimulatedItemStatus::Pending {
            return;
        }
        let item = record.runs[run].item;
        if let Some((reason, message)) = self.skip(batch, item) {
            self.skip_run(batch, run, reason, message);
            return;
        }
        self.items[item].attempts += 1;
        let (drawn, job_record) = (self.random.uuid(), self.random.uuid());
        let job = self.batches[batch].runs[run].job.clone().unwrap_or(drawn);
        self.index_job(&job, batch, run);
        let (now, attempt) = (self.now, self.items[item].attempts);
        let record = &mut self.batches[batch];
        record.updated_at = now;
        let run = &mut record.runs[run];
        run.status = SimulatedItemStatus::Processing;
        run.attempt = attempt;
        run.job = Some(job);
        run.job_record = Some(job_record);
        run.started_at = Some(now);
        run.effective_at = now;
    }

    /// Whether the item is passed over, with reason and message.
    fn skip(&self, batch: usize, item: usize) -> Option<(Option<String>, Option<String>)> {
        let batch = &self.batches[batch];
        if batch.origin == BatchOrigin::SingleJob {
            return None;
        }
        let cause = &self.items[item].cause;
        if let ScriptedOutcome::Skips(reason, message) = cause.outcome(self.circumstances(batch.project, 1, 1, &[])) {
            return Some((reason, message));
        }
        let again = self.has_result(item, &batch.config_hash);
        (again && !forces_reprocessing(&batch.config)).then(|| (Some("already_processed".into()), None))
    }

    /// Whether the item has a result made with this configuration.
    pub(crate) fn has_result(&self, item: usize, config_hash: &str) -> bool {
        let mut results = self.items[item].results.iter();
        results.any(|work| self.batches[work.batch].config_hash == config_hash)
    }

    fn skip_run(&mut self, batch: usize, run: usize, reason: Option<String>, message: Option<String>) {
        let now = self.now;
        let record = &mut self.batches[batch];
        record.updated_at = now;
        let part = &mut record.runs[run];
        part.status = SimulatedItemStatus::Skipped;
        part.skip_reason = reason;
        part.error_message = message;
        part.completed_at = Some(now);
        part.effective_at = now;
        self.note_failure(batch, run);
        self.finish_batch_if_done(batch);
    }

    fn end_run(&mut self, batch: usize, run: usize) {
        if self.batches[batch].runs[run].status != SimulatedItemStatus::Processing {
            return;
        }
        match self.outcome(batch, run) {
            ScriptedOutcome::Completes => self.complete_run(batch, run),
            // Only single jobs get here with such an item: they cannot be skipped, so they fail for the same reason.
            ScriptedOutcome::Skips(reason, message) => {
                let message = message.or(reason).unwrap_or_else(|| "not taken".to_owned());
                self.fail_run(batch, run, &Failure::text(message));
            }
            ScriptedOutcome::Fails(failure) => self.fail_run(batch, run, &failure),
            ScriptedOutcome::FailsFor(failure, time) => {
                self.fail_run(batch, run, &failure);
                self.schedule(self.now + time, ScheduledEvent::RunRepairs(batch, run));
            }
            ScriptedOutcome::Hangs => {}
        }
    }

    fn outcome(&self, batch: usize, run: usize) -> ScriptedOutcome {
        let record = &self.batches[batch];
        let part = &record.runs[run];
        let outages: Vec<String> = self.outages_now().map(|outage| outage.name.clone()).collect();
        let item = &self.items[part.item];
        let chance = hash(&item.id) % 100;
        for outage in self.outages_now() {
            if chance < outage.share_percent && !outage.failures.is_empty() {
                let choice = hash(&item.name) as usize % outage.failures.len();
                return ScriptedOutcome::Fails(outage.failures[choice].clone());
            }
        }
        let now = self.circumstances(record.project, part.attempt, record.runs.len(), &outages);
        let outcome = item.cause.outcome(now);
        let credits = self.projects[record.project].credits;
        let short = credits.is_some_and(|credits| credits < self.price(batch, run));
        match outcome {
            ScriptedOutcome::Completes if short => ScriptedOutcome::Fails(self.out_of_credits.clone()),
            other => other,
        }
    }

    fn circumstances<'a>(
        &self,
        project: usize,
        attempt: u32,
        batch_size: usize,
        outages: &'a [String],
    ) -> AttemptContext<'a> {
        let solvent = self.projects[project].credits != Some(0);
        AttemptContext { attempt, batch_size, outages, solvent }
    }

    fn outages_now(&self) -> impl Iterator<Item = &crate::simulator::world::state::Outage> {
        self.outages.iter().filter(|outage| outage.from <= self.now && self.now < outage.until)
    }

    pub(crate) fn complete_run(&mut self, batch: usize, run: usize) {
        let price = self.price(batch, run);
        let id = self.random.uuid();
        let now = self.now;
        self.bill(batch, price);
        let record = &mut self.batches[batch];
        record.updated_at = now;
        let part = &mut record.runs[run];
        part.status = SimulatedItemStatus::Completed;
        part.error_message = None;
        part.error_code = None;
        part.job_message = None;
        part.failure = None;
        part.completed_at = Some(now);
        part.effective_at = now;
        part.credits = Some(price);
        let item = part.item;
        self.items[item].results.push(FinishedWork { id, batch, run, at: now });
        self.finish_batch_if_done(batch);
    }

    pub(crate) fn fail_run(&mut self, batch: usize, run: usize, failure: &Failure) {
        let price = if failure.billed { self.price(batch, run) } else { 0 };
        self.bill(batch, price);
        let now = self.now;
        let name = self.items[self.batches[batch].runs[run].item].name.clone();
        let mut fill = |text: &Option<String>| {
            text.as_ref().map(|text| match failure.template {
                true => template::fill(text, &name, now, &mut self.random),
                false => text.clone(),
            })
        };
        let (message, job_message) = (fill(&failure.message), fill(&failure.job_message));
        let record = &mut self.batches[batch];
        record.updated_at = now;
        let part = &mut record.runs[run];
        part.status = SimulatedItemStatus::Failed;
        part.error_message = message;
        part.job_message = job_message;
        part.error_code = failure.code.clone();
        part.completed_at = Some(now);
        part.effective_at = now;
        part.credits = Some(price);
        self.note_failure(batch, run);
        self.finish_batch_if_done(batch);
    }

    /// The service repeats a failed item in place: a new job, the same batch, a good end.
    fn repair_run(&mut self, batch: usize, run: usize) {
        let (job, job_record) = (self.random.uuid(), self.random.uuid());
        self.index_job(&job, batch, run);
        let part = &mut self.batches[batch].runs[run];
        part.job = Some(job);
        part.job_record = Some(job_record);
        let item = part.item;
        self.items[item].attempts += 1;
        self.batches[batch].runs[run].attempt = self.items[item].attempts;
        self.complete_run(batch, run);
    }

    fn note_failure(&mut self, batch: usize, run: usize) {
        let place = self.truth.failures.len();
        let record = &mut self.batches[batch];
        let part = &mut record.runs[run];
        part.failure = Some(place);
        self.truth.failures.push(ShownFailure {
            item_id: self.items[part.item].id.clone(),
            batch_id: format!("bjb-{}", record.id),
            job_id: part.job.clone(),
            status: if part.abandoned { SimulatedItemStatus::Failed } else { part.status },
            error_message: part.error_message.clone(),
            skip_reason: part.skip_reason.clone(),
            at: part.effective_at,
            served: false,
        });
    }

    pub(crate) fn finish_batch_if_done(&mut self, batch: usize) {
        let now: Timestamp = self.now;
        let record = &mut self.batches[batch];
        if !record.status.is_terminal() && record.runs.iter().all(|run| run.status.is_terminal()) {
            record.status = SimulatedBatchStatus::Completed;
            record.completed_at = Some(now);
            record.updated_at = now;
        }
    }

    fn bill(&mut self, batch: usize, price: u64) {
        let project = &mut self.projects[self.batches[batch].project];
        project.billed += price;
        project.credits = project.credits.map(|credits| credits.saturating_sub(price));
        self.truth.credits_billed += price;
    }

    /// What completing this part of a batch costs, in credits.
    pub(crate) fn price(&self, batch: usize, run: usize) -> u64 {
        let record = &self.batches[batch];
        let pages = self.items[record.runs[run].item].pages;
        pages * credits_per_page(record.job_type, &record.config)
    }
}

/// Credits per page by tier; the middle tier when none is named, and extraction of a parsed document pays no parsing.
fn credits_per_page(job_type: JobType, config: &Value) -> u64 {
    if config["cached"] == true {
        return 0;
    }
    let tier = config["parameters"]["tier"].as_str();
    let tier = tier.or(config["job"]["configuration_id"].as_str()).unwrap_or("").to_lowercase();
    let parse = match tier.as_str() {
        tier if tier.contains("agentic_plus") => 45,
        tier if tier.contains("agentic") => 10,
        tier if tier.contains("fast") => 1,
        _ => 3,
    };
    match job_type {
        JobType::Parse => parse,
        JobType::Extract if config["parsed"] == true => 5,
        JobType::Extract => parse + 5,
        JobType::Classify => 1,
    }
}

/// Whether the configuration asks to work again although a result exists.
fn forces_reprocessing(config: &Value) -> bool {
    let parameters = &config["parameters"];
    parameters["invalidate_cache"] == true || parameters["do_not_cache"] == true
}
