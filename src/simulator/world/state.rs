//! The state of a simulated account at a simulated time: projects, items, batches, and what happens next.
//! It is pure: time moves only when [`World::advance_to`] is called. HTTP is left to [`crate::simulator::http::server::SimulatedCloud`].

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::simulator::http::endpoint::Endpoint;
use crate::simulator::storage::stored::StoredFiles;
use crate::simulator::world::bulk::Bulk;
use crate::simulator::world::cause::Failure;
use crate::simulator::world::model::{
    Directory, Item, ItemRun, ScheduledEvent, SimulatedBatch, SimulatedItemStatus, SimulatedProject,
};
use crate::simulator::world::random::Random;
use crate::simulator::world::truth::Truth;

/// How fast batches run.
#[derive(Debug, Clone, Copy)]
pub struct BatchPace {
    /// Seconds between acceptance and the first item: least and most.
    pub start_delay: (u64, u64),
    /// Seconds that an item takes: least and most.
    pub item: (u64, u64),
    /// Items of one batch that run at the same time.
    pub lanes: usize,
}

impl Default for BatchPace {
    fn default() -> Self {
        Self { start_delay: (1, 3), item: (5, 20), lanes: 20 }
    }
}

/// A time in which part of all attempts fail, whatever the items' own causes.
#[derive(Debug, Clone)]
pub struct Outage {
    /// The name that [`crate::simulator::world::cause::ScriptedCause::Outage`] refers to.
    pub name: String,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// How many of a hundred attempts ending in it fail; 0 leaves that to items with [`crate::simulator::world::cause::ScriptedCause::Outage`].
    pub share_percent: u64,
    /// What they show; each item keeps to one of them.
    pub failures: Vec<Failure>,
}

/// A simulated account. Make one with [`crate::simulator::world::builder::WorldBuilder`], [`crate::simulator::world::account::believable_account`] or `world::builder::large`.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Timestamp,
    pub(crate) random: Random,
    pub(crate) pace: BatchPace,
    pub(crate) projects: Vec<SimulatedProject>,
    pub(crate) directories: Vec<Directory>,
    pub(crate) items: Vec<Item>,
    pub(crate) batches: Vec<SimulatedBatch>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) out_of_credits: Failure,
    pub(crate) events: BTreeMap<(Timestamp, u64), ScheduledEvent>,
    pub(crate) next_event: u64,
    pub(crate) item_index: HashMap<String, usize>,
    pub(crate) batch_index: HashMap<String, usize>,
    pub(crate) job_index: HashMap<String, (usize, usize)>,
    pub(crate) parse_steps: HashMap<String, (usize, usize)>,
    pub(crate) truth: Truth,
    pub(crate) bulk: Option<Bulk>,
    pub(crate) stored: StoredFiles,
}

impl World {
    /// An account without projects at this time.
    pub fn empty(seed: u64, now: Timestamp) -> Self {
        Self {
            now,
            random: Random::new(seed),
            pace: BatchPace::default(),
            projects: Vec::new(),
            directories: Vec::new(),
            items: Vec::new(),
            batches: Vec::new(),
            outages: Vec::new(),
            out_of_credits: Failure::text("Not started: the balance of this organisation is used up."),
            events: BTreeMap::new(),
            next_event: 0,
            item_index: HashMap::new(),
            batch_index: HashMap::new(),
            job_index: HashMap::new(),
            parse_steps: HashMap::new(),
            truth: Truth::default(),
            bulk: None,
            stored: StoredFiles::default(),
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets everything happen that is due by then; an earlier time changes nothing.
    pub fn advance_to(&mut self, time: Timestamp) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > time {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.apply_event(event);
        }
        self.now = self.now.max(time);
    }

    /// Lets this much time pass.
    pub fn advance(&mut self, by: SignedDuration) {
        self.advance_to(self.now + by);
    }

    /// Lets time pass until no batch has anything left to do (items that never end are not waited for).
    pub fn settle(&mut self) {
        while let Some((&(at, _), _)) = self.events.first_key_value() {
            self.advance_to(at);
        }
    }

    /// What really happened so far.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The projects, in the order they were made.
    pub fn projects(&self) -> &[SimulatedProject] {
        &self.projects
    }

    /// Every document, in the order they were made.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Every batch and single job, oldest first.
    pub fn batches(&self) -> &[SimulatedBatch] {
        &self.batches
    }

    /// The generated batches of a `world::builder::large` account, if this is one.
    pub fn bulk(&self) -> Option<&Bulk> {
        self.bulk.as_ref()
    }

    /// The document with this id.
    pub fn item(&self, item_id: &str) -> Option<&Item> {
        self.item_index.get(item_id).map(|&index| &self.items[index])
    }

    /// The batch with this id, given bare or after `bjb-` or `bat-`.
    pub fn batch(&self, id: &str) -> Option<&SimulatedBatch> {
        self.find_batch(id).map(|index| &self.batches[index])
    }

    /// The latest state of every item that was ever in a batch: the newest batch that has begun it decides.
    pub fn current_states(&self) -> BTreeMap<&str, SimulatedItemStatus> {
        let state = |run: &ItemRun| if run.abandoned { SimulatedItemStatus::Failed } else { run.status };
        self.latest_runs().into_iter().map(|(item, run)| (self.items[item].id.as_str(), state(run))).collect()
    }

    /// The latest part of an item in any batch; `None` when it was never in one.
    pub fn latest_run(&self, item_id: &str) -> Option<&ItemRun> {
        let item = *self.item_index.get(item_id)?;
        let runs = self.batches.iter().flat_map(|batch| &batch.runs);
        runs.filter(|run| run.item == item).max_by_key(|run| rank(run))
    }

    /// The ids of items whose latest state is failed, in order.
    pub fn open_failures(&self) -> Vec<&str> {
        self.current_states()
            .into_iter()
            .filter(|(_, status)| *status == SimulatedItemStatus::Failed)
            .map(|(id, _)| id)
            .collect()
    }

    /// The ids of items whose latest state is failed and that another attempt can complete one day, in order.
    pub fn recoverable_failures(&self) -> Vec<&str> {
        self.open_failures()
            .into_iter()
            .filter(|id| self.item(id).is_some_and(|item| item.cause.is_recoverable()))
            .collect()
    }

    /// The ids of items that were paid for more than once, in order: what a careful worker never causes.
    pub fn paid_twice(&self) -> Vec<&str> {
        let mut paid: BTreeMap<&str, u32> = BTreeMap::new();
        for run in self.batches.iter().flat_map(|batch| &batch.runs).filter(|run| run.credits.is_some_and(|c| c > 0)) {
            *paid.entry(self.items[run.item].id.as_str()).or_default() += 1;
        }
        paid.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect()
    }

    /// Sets what a project may still spend; `None` is without limit. Without credits items fail and creating is refused with 402.
    pub fn set_credits(&mut self, project: usize, credits: Option<u64>) {
        self.projects[project].credits = credits;
    }

    /// Removes a file: later requests for this item are refused as for an unknown one. Unknown ids change nothing.
    pub fn delete_file(&mut self, item_id: &str) {
        if let Some(&index) = self.item_index.get(item_id) {
            self.items[index].deleted = true;
        }
    }

    /// Adds a time of problem.
    pub fn add_outage(&mut self, outage: Outage) {
        self.outages.push(outage);
    }

    pub(crate) fn count_request(&mut self, endpoint: Endpoint) -> u64 {
        let count = self.truth.requests.entry(endpoint).or_insert(0);
        *count += 1;
        *count
    }

    pub(crate) fn find_batch(&self, id: &str) -> Option<usize> {
        let bare = id.strip_prefix("bjb-").or_else(|| id.strip_prefix("bat-")).unwrap_or(id);
        self.batch_index.get(bare).copied()
    }

    pub(crate) fn find_job(&self, id: &str) -> Option<(usize, usize)> {
        let bare = id.strip_prefix("pjb-").or_else(|| id.strip_prefix("ext-")).unwrap_or(id);
        self.job_index.get(bare).copied()
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, event: ScheduledEvent) {
        self.events.insert((at, self.next_event), event);
        self.next_event += 1;
    }

    fn latest_runs(&self) -> HashMap<usize, &ItemRun> {
        let mut latest: HashMap<usize, &ItemRun> = HashMap::new();
        for run in self.batches.iter().flat_map(|batch| &batch.runs) {
            let newer = latest.get(&run.item).is_none_or(|other| rank(run) >= rank(other));
            if newer {
                latest.insert(run.item, run);
            }
        }
        latest
    }
}

/// A later attempt outranks an earlier one; among parts that never got one, batches made later come later.
/// Work skipped as done already says nothing newer than the result it refers to, but it is a state all the same.
fn rank(run: &ItemRun) -> (u32, Timestamp) {
    (run.attempt, run.effective_at)
}
