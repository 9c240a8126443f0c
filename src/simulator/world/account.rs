//! A believable account: two projects, five days of batches around a given start, and the faults that real ones have.
//!
//! Three days lie before the start and two after it. What plays after the start, besides everyday failures:
//! a group that grows from batch to batch, an outage of forty minutes, an old error that recurs,
//! people who resubmit what failed, a batch that breaks as a whole, and one item that never ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::simulator::world::account_texts::{
    BEHIND_VAGUE, GROWING, Nature, OUTAGE, RETURNING, UNEXTRACTED, UNSORTED, VAGUE, cause,
};
use crate::simulator::world::builder::add_project;
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::model::{BatchOrigin, Break, JobType, Submission};
use crate::simulator::world::state::{BatchPace, Outage, World};

/// The name of the larger project of [`believable_account`].
pub(crate) const FIRST_PROJECT: &str = "invoices";
/// The name of the smaller one.
pub(crate) const SECOND_PROJECT: &str = "archive";

/// A world that stands at `start` with three days behind it and has two days to play; the seed decides ids, names and texts.
pub fn believable_account(seed: u64, start: Timestamp) -> World {
    let mut plot = Plot::new(seed, start);
    plot.everyday_batches();
    plot.running_at_start();
    plot.growing_group();
    plot.outage();
    plot.returning_error();
    plot.oddities();
    plot.other_products();
    plot.world.advance_to(start);
    plot.world
}

/// The world while its story is written.
struct Plot {
    world: World,
    start: Timestamp,
}

impl Plot {
    fn new(seed: u64, start: Timestamp) -> Self {
        let mut world = World::empty(seed, start - SignedDuration::from_hours(24 * 4));
        world.pace = BatchPace { start_delay: (5, 40), item: (15, 80), lanes: 10 };
        add_project(&mut world, FIRST_PROJECT, "llx-simulated-invoices");
        add_project(&mut world, SECOND_PROJECT, "llx-simulated-archive");
        Self { world, start }
    }

    /// Batches of every size at all hours; what failed for a passing reason is sometimes resubmitted by someone.
    fn everyday_batches(&mut self) {
        for hour in (-70..47).step_by(5) {
            let size = self.world.random.between(120, 420);
            let items = self.documents(0, size, 35);
            let helped = self.world.random.chance(40);
            self.batch(0, hour * 60, items, JobType::Parse, helped);
        }
        for hour in (-66..44).step_by(11) {
            let size = self.world.random.between(40, 120);
            let (items, job_type) = match hour % 2 {
                0 => (self.extractions(1, size, 50), JobType::Extract),
                _ => (self.documents(1, size, 50), JobType::Parse),
            };
            self.batch(1, hour * 60, items, job_type, false);
        }
    }

    fn running_at_start(&mut self) {
        let items = self.documents(0, 240, 40);
        self.batch(0, -11, items, JobType::Parse, false);
        let items = self.extractions(1, 90, 40);
        self.batch(1, -4, items, JobType::Extract, false);
    }

    fn growing_group(&mut self) {
        for (hour, hit) in [(-20, 1), (5, 2), (8, 6), (11, 19), (14, 48)] {
            let mut items = self.documents(0, 110, 10);
            for &item in items.iter().take(hit) {
                self.world.items[item].cause = cause(GROWING, "engine_error", Nature::Permanent);
            }
            items.reverse();
            self.batch(0, hour * 60 + 20, items, JobType::Parse, false);
        }
    }

    fn outage(&mut self) {
        let from = self.at(28 * 60);
        let failures = OUTAGE.map(Failure::template).to_vec();
        self.world.add_outage(Outage {
            name: "router".into(),
            from,
            until: from + SignedDuration::from_mins(40),
            share_percent: 55,
            failures,
        });
        for project in [0, 1] {
            let items = self.documents(project, 130, 15);
            self.batch(project, 28 * 60 + 3, items, JobType::Parse, false);
        }
    }

    fn returning_error(&mut self) {
        for (hour, hit) in [(-34, 6), (26, 7)] {
            let items = self.documents(0, 90, 10);
            for &item in items.iter().take(hit) {
                self.world.items[item].cause = cause(RETURNING, "RECONSTRUCTION_ERROR", Nature::Passing);
            }
            self.batch(0, hour * 60, items, JobType::Parse, hour < 0);
        }
    }

    fn oddities(&mut self) {
        let items = self.documents(1, 30, 0);
        let stuck = Submission::of_items(1, items.clone(), config());
        self.world.items[items[3]].cause = ScriptedCause::NeverEnds;
        let vague = Failure::text(VAGUE).with_code("DOCUMENT_TOO_LARGE").with_job_message(BEHIND_VAGUE);
        for &item in &items[5..12] {
            self.world.items[item].cause = ScriptedCause::Permanent(Failure { template: true, ..vague.clone() });
        }
        self.world.submit_at(self.at(6 * 60), stuck);

        let items = self.documents(1, 60, 30);
        let mut breaking = Submission::of_items(1, items, config());
        let broken_at = self.at(9 * 60 + 4);
        let why = "orchestrator gave up after losing its history".to_owned();
        breaking.breaks = Some((broken_at, Break::Fails(Some(why))));
        self.world.submit_at(self.at(9 * 60), breaking);
    }

    /// Extractions and sorting in the larger project, too, and jobs that its people make one by one.
    fn other_products(&mut self) {
        for hour in (-64..46).step_by(9) {
            let items = self.extractions(0, 40, 30);
            self.batch(0, hour * 60 + 25, items, JobType::Extract, false);
        }
        for hour in (-61..45).step_by(13) {
            let items = self.documents(0, 30, 0);
            for &item in &items[..2] {
                let (text, code) = *self.world.random.pick(&UNSORTED);
                self.world.items[item].cause = cause(text, code, Nature::Permanent);
            }
            self.batch(0, hour * 60 + 50, items, JobType::Classify, false);
        }
        for hour in (-60..46).step_by(7) {
            for (project, job_type) in [(0, JobType::Classify), (0, JobType::Extract), (1, JobType::Parse)] {
                let items = self.documents(project, 1, 150);
                let single = Submission::of_items(project, items, config());
                let single = Submission { job_type, origin: BatchOrigin::SingleJob, ..single };
                self.world.submit_at(self.at(hour * 60 + 10), single);
            }
        }
    }

    /// Submits a batch at this many minutes after the start, and again what failed for a passing reason, if someone helps.
    fn batch(&mut self, project: usize, minute: i64, items: Vec<usize>, job_type: JobType, helped: bool) {
        if helped {
            let passing = items
                .iter()
                .copied()
                .filter(|&item| matches!(self.world.items[item].cause, ScriptedCause::Transient { .. }));
            let again = Submission::of_items(project, passing.collect(), config());
            if !again.items.is_empty() {
                self.world.submit_at(self.at(minute + 7 * 60), again);
            }
        }
        let Some(&first) = items.first() else { return };
        let directory = self.world.items[first].directory;
        let submission = Submission { job_type, ..Submission::of_directory(project, directory, items, config()) };
        self.world.submit_at(self.at(minute), submission);
    }

    /// New documents in a directory of their own, of which so many in a thousand fail and half as many are skipped.
    fn documents(&mut self, project: usize, count: u64, failing: u64) -> Vec<usize> {
        self.world.new_documents(project, count, failing)
    }

    /// The same to extract from: what fails there fails again, for API v1 beta cannot make an extraction anew.
    fn extractions(&mut self, project: usize, count: u64, failing: u64) -> Vec<usize> {
        let items = self.documents(project, count, failing);
        for &item in &items {
            if self.world.items[item].cause.is_recoverable() && self.world.items[item].cause != ScriptedCause::Succeeds
            {
                let (text, code) = UNEXTRACTED[item % UNEXTRACTED.len()];
                self.world.items[item].cause = cause(text, code, Nature::Permanent);
            }
        }
        items
    }

    fn at(&self, minute: i64) -> Timestamp {
        self.start + SignedDuration::from_mins(minute)
    }
}

fn config() -> serde_json::Value {
    json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "cost_effective", "version": "latest", "lang": "en"}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::model::{SimulatedBatchStatus, SimulatedItemStatus};

    fn start() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    fn messages(world: &World) -> Vec<String> {
        world.truth().failures.iter().map(|failure| format!("{failure:?}")).collect()
    }

    #[test]
    fn the_account_has_thousands_of_items_and_hundreds_of_failures() {
        let mut world = believable_account(1, start());
        let running = world.batches().iter().filter(|batch| batch.status == SimulatedBatchStatus::Running);
        assert!(running.count() >= 2);
        let before = world.truth().failures.len();
        world.advance(SignedDuration::from_hours(48));
        let states: Vec<SimulatedItemStatus> = world.current_states().into_values().collect();
        let count = |status| states.iter().filter(|&&state| state == status).count();
        assert!(count(SimulatedItemStatus::Completed) > 5_000);
        assert!((100..900).contains(&before), "{before}");
        let after = world.truth().failures.len();
        assert!((400..1_500).contains(&after), "{after}");
        assert!(count(SimulatedItemStatus::Failed) < after);
    }

    #[test]
    fn the_same_seed_gives_the_same_account() {
        let mut first = believable_account(5, start());
        let mut second = believable_account(5, start());
        first.advance(SignedDuration::from_hours(48));
        for _ in 0..96 {
            second.advance(SignedDuration::from_mins(30));
        }
        assert_eq!(messages(&first), messages(&second));
    }

    #[test]
    fn the_returning_error_recovers_before_it_recurs() {
        let mut world = believable_account(2, start());
        let returning = |world: &World| {
            let open = world.open_failures();
            open.iter()
                .filter(|id| {
                    let run = world.latest_run(id).unwrap();
                    run.error_message.as_deref().is_some_and(|text| text.starts_with("fonts package"))
                })
                .count()
        };
        assert_eq!(returning(&world), 0);
        world.advance(SignedDuration::from_hours(27));
        assert_eq!(returning(&world), 7);
    }
}
