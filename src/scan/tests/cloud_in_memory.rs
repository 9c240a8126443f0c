//! A LlamaCloud in memory for tests: batches whose items change, also between two pages of one listing.
//!
//! It remembers everything that it ever showed, which is what the ledger must know in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::model::batch::{Batch, BatchStatus};
use crate::model::item::{HARMLESS_SKIP, ItemStatus, Kind, Observation};

/// Rows of a page: few, so that lists move between pages.
pub(crate) const PAGE: usize = 2;

/// What a batch says that failed as a whole.
pub(crate) const BROKE: &str = "pool lost";

/// How an item of a batch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemoryOutcome {
    Pending,
    Completed,
    Failed(Option<u8>),
    Skipped { harmless: bool },
    Cancelled,
}

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    NewBatch {
        directory: Option<u8>,
        items: Vec<u8>,
    },
    Move {
        batch: usize,
        item: u8,
        to: MemoryOutcome,
    },
    /// The same failure gets another text.
    Amend {
        batch: usize,
        item: u8,
        message: u8,
    },
    Finish {
        batch: usize,
    },
    /// It fails as a whole; what waits goes on waiting.
    Break {
        batch: usize,
    },
    Delete {
        batch: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct ModelItem {
    pub(crate) outcome: MemoryOutcome,
    pub(crate) record: u64,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelBatch {
    pub(crate) directory: Option<u8>,
    pub(crate) made_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) finished: bool,
    pub(crate) failed: bool,
    pub(crate) deleted: bool,
    pub(crate) items: BTreeMap<u8, ModelItem>,
}

/// What was shown last of one state of an item: event time, message, and whether it is a harmless skip.
pub(crate) type ShownStates = BTreeMap<(u8, usize, String, Kind), (i64, Option<String>, bool)>;

#[derive(Default)]
pub(crate) struct MemoryCloud {
    pub(crate) clock: i64,
    pub(crate) batches: Vec<ModelBatch>,
    pub(crate) shown: ShownStates,
    /// Every success that was ever shown: item, batch, and when it completed.
    pub(crate) shown_successes: BTreeSet<(u8, usize, i64)>,
    /// Requests of the present scan.
    pub(crate) requests: u64,
    /// Which of them fail, and how.
    pub(crate) faults: Vec<(u64, MemoryFault)>,
    /// What happens just before a request.
    pub(crate) during: Vec<(u64, Change)>,
    /// The batch that is said to belong to another project.
    pub(crate) foreign: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryFault {
    Server,
    Unauthorized,
    /// The listing itself says that it is incomplete.
    Incomplete,
}

#[derive(Default)]
pub(crate) struct Model(Mutex<MemoryCloud>);

impl Model {
    pub(crate) fn world(&self) -> MutexGuard<'_, MemoryCloud> {
        self.0.lock().unwrap()
    }

    /// One request: the world goes on, and it may fail.
    pub(crate) fn request(&self) -> Result<(MutexGuard<'_, MemoryCloud>, bool), CloudError> {
        let mut world = self.world();
        world.requests += 1;
        let number = world.requests;
        let due: Vec<Change> = world.during.iter().filter(|(at, _)| *at == number).map(|(_, c)| c.clone()).collect();
        due.iter().for_each(|change| world.apply(change));
        match world.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault) {
            Some(MemoryFault::Server) => {
                Err(CloudError::Server { status: 503, path: "/".to_owned(), retry_after: None, detail: String::new() })
            }
            Some(MemoryFault::Unauthorized) => {
                Err(CloudError::Unauthorized { host: "model".to_owned(), detail: String::new() })
            }
            fault => Ok((world, fault.is_some())),
        }
    }
}

impl MemoryCloud {
    pub(crate) fn apply(&mut self, change: &Change) {
        self.clock += 1;
        let clock = self.clock;
        if let Change::NewBatch { directory, items } = change {
            let new = || ModelItem { outcome: MemoryOutcome::Pending, record: 0, at: clock };
            let items = items.iter().map(|item| (*item, new())).collect();
            self.batches.push(ModelBatch {
                directory: *directory,
                made_at: clock,
                updated_at: clock,
                finished: false,
                failed: false,
                deleted: false,
                items,
            });
            return;
        }
        let (Change::Move { batch, .. }
        | Change::Amend { batch, .. }
        | Change::Finish { batch }
        | Change::Break { batch }
        | Change::Delete { batch }) = change
        else {
            return;
        };
        if !self.batches.is_empty() {
            let index = batch % self.batches.len();
            self.batches[index].apply(change, clock);
        }
    }
}

impl ModelBatch {
    fn apply(&mut self, change: &Change, clock: i64) {
        self.updated_at = clock;
        match change {
            Change::Move { item, to, .. } => self.move_item(*item, to, clock),
            Change::Amend { item, message, .. } => {
                if let Some(item) = self.items.get_mut(item)
                    && matches!(item.outcome, MemoryOutcome::Failed(_))
                {
                    item.outcome = MemoryOutcome::Failed(Some(*message));
                }
            }
            Change::Break { .. } if self.finished => {}
            Change::Break { .. } => (self.finished, self.failed) = (true, true),
            Change::Finish { .. } if self.failed => {}
            Change::Finish { .. } => {
                self.finished = true;
                for item in self.items.values_mut().filter(|item| item.outcome == MemoryOutcome::Pending) {
                    item.outcome = MemoryOutcome::Cancelled;
                }
            }
            Change::Delete { .. } => self.deleted = true,
            Change::NewBatch { .. } => {}
        }
    }

    fn move_item(&mut self, item: u8, to: &MemoryOutcome, clock: i64) {
        let finished = self.finished;
        let Some(item) = self.items.get_mut(&item) else {
            return;
        };
        // A success is final unless the item fails anew, and an ended batch starts nothing.
        let forbidden = item.outcome == MemoryOutcome::Completed
            && matches!(to, MemoryOutcome::Pending | MemoryOutcome::Cancelled)
            || finished && *to == MemoryOutcome::Pending;
        if !forbidden {
            *item = ModelItem { outcome: to.clone(), record: item.record + 1, at: clock };
        }
    }

    fn count(&self, wanted: impl Fn(&MemoryOutcome) -> bool) -> u64 {
        self.items.values().filter(|item| wanted(&item.outcome)).count() as u64
    }

    /// The batch as the job list shows it: with counts, without, or with counts that lie.
    pub(crate) fn show(&self, index: usize) -> Batch {
        let told = |n: u64| match index % 3 {
            0 => Some(n),
            1 => None,
            _ => Some(0),
        };
        Batch {
            batch_id: format!("b{index}"),
            project_id: Some("own".to_owned()),
            directory_id: self.directory.map(|d| format!("d{d}")),
            job_type: "parse".to_owned(),
            status: match (self.finished, self.failed) {
                (_, true) => BatchStatus::Failed,
                (true, false) => BatchStatus::Completed,
                (false, false) => BatchStatus::Running,
            },
            total_items: Some(self.items.len() as u64),
            processed_items: None,
            failed_items: told(self.count(|o| matches!(o, MemoryOutcome::Failed(_)))),
            skipped_items: told(self.count(|o| matches!(o, MemoryOutcome::Skipped { .. }))),
            error_message: self.failed.then(|| BROKE.to_owned()),
            created_at: Some(time(self.made_at)),
            updated_at: Some(time(self.updated_at)),
            started_at: None,
            completed_at: None,
        }
    }

    fn observations(&self, kind: Kind) -> Vec<(u8, &ModelItem, Observation)> {
        let rows = self.items.iter().filter_map(|(id, item)| {
            let (is, message, skip_reason) = match &item.outcome {
                MemoryOutcome::Failed(message) => (Kind::Failed, message.map(text), None),
                MemoryOutcome::Skipped { harmless: true } => (Kind::Skipped, None, Some(HARMLESS_SKIP.to_owned())),
                MemoryOutcome::Skipped { harmless: false } => (Kind::Skipped, None, Some("too_large".to_owned())),
                _ => return None,
            };
            let observation = Observation {
                item_id: format!("i{id}"),
                item_name: format!("{id}.pdf"),
                kind,
                message,
                skip_reason,
                job_id: None,
                job_record_id: Some(item.record.to_string()),
                started_at: None,
                completed_at: Some(time(item.at)),
                effective_at: None,
            };
            (is == kind).then_some((*id, item, observation))
        });
        rows.collect()
    }
}

fn text(message: u8) -> String {
    ["disk is full", "worker lost", "page could not be read", "upstream timed out"][usize::from(message) % 4].to_owned()
}

pub(crate) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(crate) fn ended(rows: u64, fingerprint: u64, incomplete: bool) -> ListResult {
    ListResult {
        rows,
        fingerprint,
        complete: !incomplete,
        why_incomplete: incomplete.then(|| "the model says so".to_owned()),
        ..ListResult::default()
    }
}

pub(crate) fn index(batch_id: &str) -> usize {
    batch_id[1..].parse().unwrap()
}

impl Model {
    /// The items that a batch left undone in this status, as the API writes them.
    pub(crate) fn undone(&self, batch: &Batch, status: &ItemStatus) -> Result<(Vec<Observation>, bool), CloudError> {
        let (mut world, incomplete) = self.request()?;
        let index = index(&batch.batch_id);
        if world.batches[index].deleted {
            return Err(CloudError::NotFound { path: "/".to_owned(), status: 404, detail: String::new() });
        }
        let is_undone = |item: &ModelItem| match item.outcome {
            MemoryOutcome::Pending => *status == ItemStatus::Pending,
            MemoryOutcome::Cancelled => *status == ItemStatus::Cancelled,
            _ => false,
        };
        let at = batch.updated_at.unwrap().as_second() - time(0).as_second();
        let of_batch = world.batches[index].items.iter().filter(|(_, item)| is_undone(item) && !incomplete);
        let undone: Vec<u8> = of_batch.map(|(id, _)| *id).collect();
        for id in &undone {
            world.shown.insert((*id, index, String::new(), Kind::Failed), (at, Some(BROKE.to_owned()), false));
        }
        let row = |id: &u8| Observation {
            item_id: format!("i{id}"),
            item_name: format!("{id}.pdf"),
            kind: Kind::Failed,
            message: None,
            skip_reason: None,
            job_id: None,
            job_record_id: Some("waiting".to_owned()),
            started_at: None,
            completed_at: None,
            effective_at: None,
        };
        Ok((undone.iter().map(row).collect(), incomplete))
    }

    pub(crate) fn page_of_items(
        &self,
        index: usize,
        kind: Kind,
        offset: usize,
    ) -> Result<(Vec<(u8, Observation)>, bool), CloudError> {
        let (mut world, incomplete) = self.request()?;
        if world.batches[index].deleted {
            return Err(CloudError::NotFound { path: "/".to_owned(), status: 404, detail: String::new() });
        }
        let listed = world.batches[index].observations(kind);
        let rows: Vec<_> = listed.into_iter().skip(offset).take(PAGE).map(|(id, item, o)| (id, item.at, o)).collect();
        if !incomplete {
            rows.iter().for_each(|(id, at, o)| world.show(*id, index, *at, o));
        }
        Ok((rows.into_iter().map(|(id, _, o)| (id, o)).collect(), incomplete))
    }
}

impl MemoryCloud {
    fn show(&mut self, id: u8, batch: usize, at: i64, observation: &Observation) {
        let key = (id, batch, observation.job_record_id.clone().unwrap(), observation.kind);
        let before = self.shown.get(&key).and_then(|(_, message, _)| message.clone());
        let harmless = observation.skip_reason.as_deref() == Some(HARMLESS_SKIP);
        self.shown.insert(key, (at, observation.message.clone().or(before), harmless));
    }
}
