//! New work for the simulated account: by its simulated people at set times, and by POSTs.

use jiff::Timestamp;
use serde_json::Value;

use crate::simulator::world::model::{
    ItemRun, JobType, ScheduledEvent, SimulatedBatch, SimulatedBatchStatus, SimulatedItemStatus, Submission,
};
use crate::simulator::world::random::{hash, mix};
use crate::simulator::world::state::World;

/// The fields of a configuration that do not change what is done.
const NOT_PART_OF_THE_WORK: [&str; 11] = [
    "cached",
    "parsed",
    "file_input",
    "correlation_id",
    "session_id",
    "parent_job_execution_id",
    "user_id",
    "partitions",
    "project_id",
    "webhook_url",
    "transaction_id",
];

impl World {
    /// Lets another process submit this at a later time.
    pub fn submit_at(&mut self, at: Timestamp, submission: Submission) {
        self.schedule(at, ScheduledEvent::Submit(Box::new(submission)));
    }

    /// Makes a batch now and returns its index; it starts after the world's start delay.
    pub fn submit(&mut self, submission: Submission) -> usize {
        let drawn = self.random.uuid();
        let id = submission.id.unwrap_or(drawn);
        let index = self.batches.len();
        let now = self.now;
        self.batch_index.insert(id.clone(), index);
        self.batches.push(SimulatedBatch {
            id,
            project: submission.project,
            directory: submission.directory,
            job_type: submission.job_type,
            origin: submission.origin,
            status: SimulatedBatchStatus::Pending,
            error_message: None,
            config_hash: config_hash(submission.job_type, &submission.config),
            config: submission.config,
            user_metadata: submission.user_metadata,
            runs: submission.items.into_iter().map(|item| waiting(item, now)).collect(),
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
        });
        let (least, most) = self.pace.start_delay;
        let delay = jiff::SignedDuration::from_secs(self.random.between(least, most) as i64);
        self.schedule(now + delay, ScheduledEvent::BatchStarts(index));
        if let Some((at, how)) = submission.breaks {
            self.schedule(at, ScheduledEvent::BatchBreaks(index, how));
        }
        index
    }

    /// Gives the only item of a single job its job id before it starts, because the answer to its creation needs one.
    pub(crate) fn give_job(&mut self, batch: usize) {
        let job = self.random.uuid();
        self.index_job(&job, batch, 0);
        let now = self.now;
        let run = &mut self.batches[batch].runs[0];
        run.job = Some(job);
        run.started_at = Some(now);
    }

    /// Makes a job findable, and the parsing that goes before it when it is an extraction.
    pub(crate) fn index_job(&mut self, job: &str, batch: usize, run: usize) {
        self.job_index.insert(job.to_owned(), (batch, run));
        if self.batches[batch].job_type == JobType::Extract {
            self.parse_steps.insert(Self::parse_step_id(job), (batch, run));
        }
    }

    /// Stops a batch: waiting items become cancelled, running ones may still end. False when it had ended already.
    pub fn cancel(&mut self, batch: usize) -> bool {
        let now = self.now;
        let record = &mut self.batches[batch];
        if record.status.is_terminal() {
            return false;
        }
        record.status = SimulatedBatchStatus::Cancelled;
        record.completed_at = Some(now);
        record.updated_at = now;
        for run in &mut record.runs {
            if run.status == SimulatedItemStatus::Pending {
                run.status = SimulatedItemStatus::Cancelled;
                run.effective_at = now;
            }
        }
        true
    }

    /// Makes one waiting or running item of a batch fail at once; false when none is left.
    /// It is how a list moves while someone reads it.
    pub fn fail_one_more(&mut self, batch: usize, message: &str) -> bool {
        let runs = &self.batches[batch].runs;
        let Some(run) = runs.iter().position(|run| !run.status.is_terminal()) else {
            return false;
        };
        let job = self.random.uuid();
        self.index_job(&job, batch, run);
        let item = self.batches[batch].runs[run].item;
        self.items[item].attempts += 1;
        let attempt = self.items[item].attempts;
        let part = &mut self.batches[batch].runs[run];
        part.attempt = attempt;
        part.job = Some(job);
        self.fail_run(batch, run, &crate::simulator::world::cause::Failure::text(message));
        true
    }

    /// Whether the job of this part of a batch may be shown: it was not deleted.
    pub(crate) fn shows(&self, batch: usize, run: usize) -> bool {
        let job = self.batches[batch].runs[run].job.as_ref();
        job.is_none_or(|job| !self.stored.deleted_jobs.contains(job))
    }

    /// Ends one job as cancelled; false when it had ended already.
    pub(crate) fn cancel_run(&mut self, batch: usize, run: usize) -> bool {
        let now = self.now;
        let record = &mut self.batches[batch];
        let part = &mut record.runs[run];
        if part.status.is_terminal() {
            return false;
        }
        part.status = SimulatedItemStatus::Cancelled;
        part.completed_at = Some(now);
        part.effective_at = now;
        record.updated_at = now;
        self.finish_batch_if_done(batch);
        true
    }
}

fn waiting(item: usize, now: Timestamp) -> ItemRun {
    ItemRun {
        item,
        attempt: 0,
        status: SimulatedItemStatus::Pending,
        job: None,
        job_record: None,
        error_message: None,
        error_code: None,
        job_message: None,
        skip_reason: None,
        started_at: None,
        completed_at: None,
        effective_at: now,
        credits: None,
        abandoned: false,
        failure: None,
    }
}

/// A short hash of what the configuration asks for: key order and correlation ids do not matter.
pub(crate) fn config_hash(job_type: JobType, config: &Value) -> String {
    let mut config = config.clone();
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|name, _| !NOT_PART_OF_THE_WORK.contains(&name.as_str()));
    }
    let mut text = job_type.word().to_owned();
    write_sorted(&config, &mut text);
    let first = hash(&text);
    format!("{first:016x}{:016x}", mix(first))
}

/// Writes a value with its keys in order, because the order in which they were sent means nothing.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            for name in names {
                text.push_str(&format!(" {name:?}:"));
                write_sorted(&fields[name], text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for element in elements {
                write_sorted(element, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}
