//! A LlamaCloud in memory for tests: batches whose items change, also between two pages of one listing.
//!
//! It remembers everything that it ever showed, which is what the ledger must know in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use super::source::{Batches, Observations, Source, Statuses};
use crate::cloud::{CloudError, Depth, Listed};
use crate::core::batch::{Batch, BatchStatus};
use crate::core::batch_api::BatchApi;
use crate::core::item::{HARMLESS_SKIP, ItemStatus, Kind, Observation};

/// Rows of a page: few, so that lists move between pages.
const PAGE: usize = 2;

/// How an item of a batch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Pending,
    Completed,
    Failed(Option<u8>),
    Skipped { harmless: bool },
    Cancelled,
}

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub(super) enum Change {
    NewBatch {
        directory: Option<u8>,
        items: Vec<u8>,
    },
    Move {
        batch: usize,
        item: u8,
        to: Outcome,
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
    Delete {
        batch: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct ModelItem {
    pub(super) outcome: Outcome,
    pub(super) record: u64,
    pub(super) at: i64,
}

#[derive(Clone, Debug)]
pub(super) struct ModelBatch {
    pub(super) directory: Option<u8>,
    pub(super) made_at: i64,
    pub(super) updated_at: i64,
    pub(super) finished: bool,
    pub(super) deleted: bool,
    pub(super) items: BTreeMap<u8, ModelItem>,
}

/// What was shown last of one state of an item: event time, message, and whether it is a harmless skip.
pub(super) type Shown = BTreeMap<(u8, usize, String, Kind), (i64, Option<String>, bool)>;

#[derive(Default)]
pub(super) struct World {
    pub(super) clock: i64,
    pub(super) batches: Vec<ModelBatch>,
    pub(super) shown: Shown,
    /// Every success that was ever shown: item, batch, and when it completed.
    pub(super) shown_successes: BTreeSet<(u8, usize, i64)>,
    /// Requests of the present scan.
    pub(super) requests: u64,
    /// Which of them fail, and how.
    pub(super) faults: Vec<(u64, Fault)>,
    /// What happens just before a request.
    pub(super) during: Vec<(u64, Change)>,
    /// Whether listings take for ended what they do not see, unless they are asked for a proof.
    pub(super) guesses: bool,
    /// The batch that is said to belong to another project.
    pub(super) foreign: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Server,
    Unauthorized,
    /// The listing says by itself that it is incomplete.
    Incomplete,
}

#[derive(Default)]
pub(super) struct Model(Mutex<World>);

impl Model {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// One request: the world goes on, and it may fail.
    fn request(&self) -> Result<(MutexGuard<'_, World>, bool), CloudError> {
        let mut world = self.world();
        world.requests += 1;
        let number = world.requests;
        let due: Vec<Change> = world.during.iter().filter(|(at, _)| *at == number).map(|(_, c)| c.clone()).collect();
        due.iter().for_each(|change| world.apply(change));
        match world.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault) {
            Some(Fault::Server) => {
                Err(CloudError::Server { status: 503, path: "/".to_owned(), retry_after: None, detail: String::new() })
            }
            Some(Fault::Unauthorized) => {
                Err(CloudError::Unauthorized { host: "model".to_owned(), detail: String::new() })
            }
            fault => Ok((world, fault.is_some())),
        }
    }
}

impl World {
    pub(super) fn apply(&mut self, change: &Change) {
        self.clock += 1;
        let clock = self.clock;
        if let Change::NewBatch { directory, items } = change {
            let new = || ModelItem { outcome: Outcome::Pending, record: 0, at: clock };
            let items = items.iter().map(|item| (*item, new())).collect();
            self.batches.push(ModelBatch {
                directory: *directory,
                made_at: clock,
                updated_at: clock,
                finished: false,
                deleted: false,
                items,
            });
            return;
        }
        let (Change::Move { batch, .. }
        | Change::Amend { batch, .. }
        | Change::Finish { batch }
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
                    && matches!(item.outcome, Outcome::Failed(_))
                {
                    item.outcome = Outcome::Failed(Some(*message));
                }
            }
            Change::Finish { .. } => {
                self.finished = true;
                for item in self.items.values_mut().filter(|item| item.outcome == Outcome::Pending) {
                    item.outcome = Outcome::Cancelled;
                }
            }
            Change::Delete { .. } => self.deleted = true,
            Change::NewBatch { .. } => {}
        }
    }

    fn move_item(&mut self, item: u8, to: &Outcome, clock: i64) {
        let finished = self.finished;
        let Some(item) = self.items.get_mut(&item) else {
            return;
        };
        // A success is final unless the item fails anew, and an ended batch starts nothing.
        let forbidden = item.outcome == Outcome::Completed && matches!(to, Outcome::Pending | Outcome::Cancelled)
            || finished && *to == Outcome::Pending;
        if !forbidden {
            *item = ModelItem { outcome: to.clone(), record: item.record + 1, at: clock };
        }
    }

    fn count(&self, wanted: impl Fn(&Outcome) -> bool) -> u64 {
        self.items.values().filter(|item| wanted(&item.outcome)).count() as u64
    }

    /// The batch as the job list shows it: with counts, without, or with counts that lie.
    fn show(&self, index: usize) -> Batch {
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
            status: if self.finished { BatchStatus::Completed } else { BatchStatus::Running },
            total_items: Some(self.items.len() as u64),
            processed_items: None,
            failed_items: told(self.count(|o| matches!(o, Outcome::Failed(_)))),
            skipped_items: told(self.count(|o| matches!(o, Outcome::Skipped { .. }))),
            error_message: None,
            created_at: Some(time(self.made_at)),
            updated_at: Some(time(self.updated_at)),
            started_at: None,
            completed_at: None,
        }
    }

    fn observations(&self, kind: Kind) -> Vec<(u8, &ModelItem, Observation)> {
        let rows = self.items.iter().filter_map(|(id, item)| {
            let (is, message, skip_reason) = match &item.outcome {
                Outcome::Failed(message) => (Kind::Failed, message.map(text), None),
                Outcome::Skipped { harmless: true } => (Kind::Skipped, None, Some(HARMLESS_SKIP.to_owned())),
                Outcome::Skipped { harmless: false } => (Kind::Skipped, None, Some("too_large".to_owned())),
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

pub(super) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn ended(rows: u64, fingerprint: u64, incomplete: bool) -> Listed {
    Listed {
        rows,
        fingerprint,
        complete: !incomplete,
        why_incomplete: incomplete.then(|| "the model says so".to_owned()),
        ..Listed::default()
    }
}

fn index(batch_id: &str) -> usize {
    batch_id[1..].parse().unwrap()
}

impl Model {
    fn page_of_items(
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

impl Source for Model {
    async fn list_batches(&self, _: BatchApi, _: Timestamp, page: &mut Batches<'_>) -> Result<Listed, CloudError> {
        let mut offset = 0;
        loop {
            tokio::task::yield_now().await;
            let (world, incomplete) = self.request()?;
            let rows: Vec<Batch> = world
                .batches
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, batch)| !batch.deleted)
                .skip(offset)
                .take(PAGE)
                .map(|(index, batch)| batch.show(index))
                .collect();
            drop(world);
            offset += rows.len();
            if incomplete || rows.is_empty() {
                return Ok(ended(offset as u64, 0, incomplete));
            }
            if page(rows).is_break() {
                return Ok(Listed { complete: false, ..ended(offset as u64, 0, false) });
            }
        }
    }

    async fn list_items(
        &self,
        batch: &Batch,
        kind: Kind,
        depth: Depth,
        page: &mut Observations<'_>,
    ) -> Result<Listed, CloudError> {
        let (index, mut offset, mut fingerprint) = (index(&batch.batch_id), 0, 0);
        loop {
            tokio::task::yield_now().await;
            let (rows, incomplete) = self.page_of_items(index, kind, offset)?;
            if incomplete || rows.is_empty() {
                let unproven = self.world().guesses && depth == Depth::News;
                return Ok(Listed { unproven, ..ended(offset as u64, fingerprint, incomplete) });
            }
            for (id, _) in &rows {
                fingerprint ^= 1 << (id % 64);
            }
            offset += rows.len();
            page(rows.into_iter().map(|(_, o)| o).collect()).await;
        }
    }

    async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, CloudError> {
        let (world, _) = self.request()?;
        let index = index(batch_id);
        let batch = &world.batches[index];
        let project_id = Some(if world.foreign == Some(index) { "other" } else { "own" }.to_owned());
        Ok((!batch.deleted).then(|| Batch { project_id, ..batch.show(index) }))
    }

    async fn list_statuses(&self, batch: &Batch, page: &mut Statuses<'_>) -> Result<Listed, CloudError> {
        let (mut world, incomplete) = self.request()?;
        let index = index(&batch.batch_id);
        let batch = world.batches[index].clone();
        if batch.deleted {
            return Err(CloudError::NotFound { path: "/".to_owned(), status: 404, detail: String::new() });
        }
        let status = |outcome: &Outcome| match outcome {
            Outcome::Pending => ItemStatus::Pending,
            Outcome::Completed => ItemStatus::Completed,
            Outcome::Failed(_) => ItemStatus::Failed,
            Outcome::Skipped { .. } => ItemStatus::Skipped,
            Outcome::Cancelled => ItemStatus::Cancelled,
        };
        let rows: Vec<_> = batch.items.iter().map(|(id, item)| (format!("i{id}"), status(&item.outcome))).collect();
        let successes = batch.items.iter().filter(|(_, item)| item.outcome == Outcome::Completed);
        if !incomplete {
            world.shown_successes.extend(successes.map(|(id, item)| (*id, index, item.at)));
        }
        drop(world);
        let rows_shown = rows.len() as u64;
        if !incomplete && page(rows) == ControlFlow::Break(()) {
            return Ok(Listed { complete: false, ..ended(rows_shown, 0, false) });
        }
        Ok(ended(rows_shown, 0, incomplete))
    }

    fn requests(&self) -> u64 {
        self.world().requests
    }
}

impl World {
    fn show(&mut self, id: u8, batch: usize, at: i64, observation: &Observation) {
        let key = (id, batch, observation.job_record_id.clone().unwrap(), observation.kind);
        let before = self.shown.get(&key).and_then(|(_, message, _)| message.clone());
        let harmless = observation.skip_reason.as_deref() == Some(HARMLESS_SKIP);
        self.shown.insert(key, (at, observation.message.clone().or(before), harmless));
    }
}
