//! A life that goes on: from a given time on, people submit a small batch about once a minute, for ever.
//!
//! Each brings an error that was never seen before, and parsing also errors that pass. Of those, people resubmit some
//! themselves; the rest is left to whoever watches. Between batches, single jobs are made.

use jiff::SignedDuration;
use serde_json::json;

use crate::simulator::world::account_texts::{Nature, cause};
use crate::simulator::world::cause::ScriptedCause;
use crate::simulator::world::life_texts::{PASSING, fresh};
use crate::simulator::world::model::{BatchOrigin, JobType, ScheduledEvent, Submission};
use crate::simulator::world::state::{BatchPace, World};

/// Seconds between two batches: least and most.
const BEAT: (u64, u64) = (40, 55);

/// After so long people resubmit what failed.
const RESUBMITTED_AFTER: SignedDuration = SignedDuration::from_secs(100);

impl World {
    /// Lets the account go on for ever from now on, with batches that take less than a minute.
    /// A world that does so never settles.
    pub fn create_forever(&mut self) {
        self.pace = BatchPace { start_delay: (1, 4), item: (2, 10), lanes: 6 };
        self.schedule(self.now, ScheduledEvent::Life(0));
    }

    /// What happens at this beat of it, and when the next is.
    pub(crate) fn advance_beat(&mut self, beat: u64) {
        let project = usize::from(beat % 3 == 2 && self.projects.len() > 1);
        let job_type = [JobType::Parse, JobType::Extract, JobType::Parse, JobType::Classify][beat as usize % 4];
        let items = self.next_documents(project, beat, job_type);
        if beat % 4 == 2 {
            self.resubmit_later(project, &items);
        }
        let directory = self.items[items[0]].directory;
        let batch =
            Submission::of_directory(project, directory, items, crate::simulator::world::builder::default_config());
        self.submit(Submission { job_type, ..batch });
        if beat.is_multiple_of(3) {
            let document = self.new_documents(project, 1, 0);
            let single = Submission::of_items(project, document, crate::simulator::world::builder::default_config());
            let index = self.submit(Submission { job_type, origin: BatchOrigin::SingleJob, ..single });
            self.give_job(index);
        }
        let pause = self.random.between(BEAT.0, BEAT.1) as i64;
        self.schedule(self.now + SignedDuration::from_secs(pause), ScheduledEvent::Life(beat + 1));
    }

    /// A dozen documents, of which the first few share a new error and, in parsing, the next few fail and would not again.
    fn next_documents(&mut self, project: usize, beat: u64, job_type: JobType) -> Vec<usize> {
        let size = self.random.between(10, 16);
        let items = self.new_documents(project, size, 0);
        let broken = self.random.between(1, 3) as usize;
        for &item in &items[..broken] {
            self.items[item].cause = cause(&fresh(beat), "PDF_IS_BROKEN", Nature::Permanent);
        }
        if job_type == JobType::Parse {
            let passing = self.random.between(1, 2) as usize;
            for &item in &items[broken..broken + passing] {
                let text = *self.random.pick(&PASSING);
                self.items[item].cause = cause(text, "TIMEOUT", Nature::Passing);
            }
        }
        items
    }

    fn resubmit_later(&mut self, project: usize, items: &[usize]) {
        let passing =
            items.iter().copied().filter(|&item| matches!(self.items[item].cause, ScriptedCause::Transient { .. }));
        let config = json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "agentic", "version": "latest"}});
        let again = Submission::of_items(project, passing.collect(), config);
        if !again.items.is_empty() {
            self.submit_at(self.now + RESUBMITTED_AFTER, again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::account::believable_account;
    use crate::simulator::world::model::{SimulatedBatchStatus, SimulatedItemStatus};

    #[test]
    fn an_active_account_has_new_batches_failures_and_recoveries_within_minutes() {
        let start = "2026-03-02T08:00:00Z".parse().unwrap();
        let mut world = believable_account(1, start);
        world.advance(SignedDuration::from_hours(46));
        let (batches, failures) = (world.batches().len(), world.truth().failures.len());
        let from = world.now();
        world.create_forever();
        world.advance(SignedDuration::from_mins(10));
        let lively = &world.batches()[batches..];
        assert!(lively.len() >= 10, "{}", lively.len());
        let ended =
            lively.iter().filter(|batch| batch.created_at > from && batch.status == SimulatedBatchStatus::Completed);
        assert!(ended.count() >= 8);
        for kind in [JobType::Parse, JobType::Extract, JobType::Classify] {
            assert!(lively.iter().any(|batch| batch.job_type == kind && batch.counts().failed > 0), "{kind:?}");
        }
        assert!(world.truth().failures.len() > failures + 10);
        let again = lively.iter().flat_map(|batch| &batch.runs).filter(|run| run.attempt > 1);
        assert!(again.clone().count() > 0 && again.clone().all(|run| run.status == SimulatedItemStatus::Completed));
    }
}
