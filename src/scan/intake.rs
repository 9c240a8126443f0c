//! The one place where pages are grouped and written: owns the grouper, and always has at most one transaction under way.
//!
//! While one transaction is written on the ledger's thread, the next pages are grouped here.

use std::collections::HashMap;

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};

use crate::grouping::group_change::GroupChange;
use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::GroupHandle;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::time::millis;
use crate::llamacloud::Taken;
use crate::model::classified::Classified;
use crate::model::item::Observation;
use crate::scan::store::evidence::VanishedItem;
use crate::scan::store::ingest::{Ingested, ingest};
use crate::scan::store::ingest_record::{Finish, IngestWork, ListingContext, Sighting};

/// Hashes pages and hands them over. If the intake is behind, the next page is not asked for, so that pages do not pile
/// up in memory.
pub(crate) struct Outlet<'a> {
    job_type: &'a str,
    place: ListingContext,
    pages: &'a mpsc::Sender<IntakeMessage>,
    pub(crate) rows: u64,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(job_type: &'a str, place: ListingContext, pages: &'a mpsc::Sender<IntakeMessage>) -> Outlet<'a> {
        Outlet { job_type, place, pages, rows: 0 }
    }

    pub(crate) fn push(&mut self, page: Vec<Observation>) -> Taken {
        self.rows += u64::try_from(page.len()).unwrap_or(u64::MAX);
        let sightings = page.iter().map(|o| Sighting::new(self.place, o)).collect();
        let message = IntakeMessage::Page { job_type: self.job_type.to_owned(), sightings };
        let pages = self.pages.clone();
        Box::pin(async move {
            // A closed channel means that the ledger failed: `commit` finds out.
            let _ = pages.send(message).await;
        })
    }
}

/// Decides the class of a new group.
pub(crate) type Classify<'a> = dyn Fn(&Subject<'_>) -> Classified + Send + Sync + 'a;

/// Bytes of rows that are worth a transaction before their batch ends, about 70,000 rows of ordinary length.
/// The more rows, the more of them share a page of an index, and a first scan of a large account is bound by those pages.
/// At most two such heaps are in memory: the one that is being written and the one that waits.
const ENOUGH_BYTES: usize = 24 * 1024 * 1024;

/// What projects hand over.
pub(crate) enum IntakeMessage {
    /// Observations of one batch.
    Page {
        /// The batch's job type.
        job_type: String,
        /// The observations, hashed.
        sightings: Vec<Sighting>,
    },
    /// A batch's listing has ended; answered once everything before it is on disk.
    Finish {
        /// How it ended.
        finish: Finish,
        /// Where the answer goes.
        reply: oneshot::Sender<Committed>,
    },
}

/// What became of a batch's listing.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Observations of this scan that were not known before.
    pub(crate) new: u64,
    /// Open items that were not listed any more.
    pub(crate) vanished: Vec<VanishedItem>,
}

/// Takes in everything that comes, until every sender is gone and everything is written.
pub(crate) async fn run(
    ledger: &Ledger,
    mut received: mpsc::Receiver<IntakeMessage>,
    grouper: &mut Grouper,
    classify: &Classify<'_>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut pending = Pending::default();
    let mut new = FxHashMap::default();
    let mut open = true;
    while open || !pending.is_empty() {
        let (work, replies) = pending.take(grouper, classify);
        let worth_writing = !work.sightings.is_empty() || !work.finished.is_empty();
        let writing = async {
            if worth_writing {
                ledger.write_in_bulk(move |tx| ingest(tx, &work, millis(now))).await
            } else {
                Ok(Ingested::default())
            }
        };
        tokio::pin!(writing);
        let mut waiting = Some(replies);
        while waiting.is_some() || (open && !pending.is_ready(received.is_empty())) {
            tokio::select! {
                outcome = &mut writing, if waiting.is_some() => {
                    // At once: who waits for the answer may be the one that sends the next page.
                    answer(outcome?, waiting.take().unwrap_or_default(), &mut new);
                }
                message = received.recv(), if open && !pending.is_full() => match message {
                    Some(message) => pending.add(message, grouper, classify),
                    None => open = false,
                },
            }
        }
    }
    Ok(())
}

type Replies = Vec<(i64, oneshot::Sender<Committed>)>;

fn answer(ingested: Ingested, replies: Replies, new: &mut FxHashMap<i64, u64>) {
    for (batch_key, count) in ingested.new {
        *new.entry(batch_key).or_default() += count;
    }
    for ((batch_key, reply), finished) in replies.into_iter().zip(ingested.finished) {
        let committed = Committed { new: new.remove(&batch_key).unwrap_or_default(), vanished: finished.vanished };
        // The task of a stopped project is gone; its rows are in the ledger anyway.
        let _ = reply.send(committed);
    }
}

/// Grouped rows that wait for the next transaction.
#[derive(Default)]
struct Pending {
    work: IngestWork,
    bytes: usize,
    handles: Vec<GroupHandle>,
    positions: HashMap<GroupHandle, u32>,
    replies: Replies,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.work.sightings.is_empty() && self.work.finished.is_empty()
    }

    /// Whether no more is taken before the transaction under way has ended.
    fn is_full(&self) -> bool {
        self.bytes >= ENOUGH_BYTES
    }

    /// Enough rows, or a batch that waits for its answer while nothing else comes.
    fn is_ready(&self, nothing_comes: bool) -> bool {
        self.bytes >= ENOUGH_BYTES || (nothing_comes && !self.work.finished.is_empty())
    }

    fn add(&mut self, message: IntakeMessage, grouper: &mut Grouper, classify: &Classify) {
        match message {
            IntakeMessage::Page { job_type, sightings } => {
                self.work.sightings.reserve(sightings.len());
                for mut sighting in sightings {
                    sighting.group = self.group(&job_type, &sighting, grouper, classify);
                    self.bytes += sighting.bytes();
                    self.work.sightings.push(sighting);
                }
            }
            IntakeMessage::Finish { finish, reply } => {
                self.replies.push((finish.place.batch_key, reply));
                self.work.finished.push(finish);
            }
        }
    }

    fn group(&mut self, job_type: &str, sighting: &Sighting, grouper: &mut Grouper, classify: &Classify) -> u32 {
        let observation = &sighting.observation;
        let subject = Subject {
            kind: observation.kind(),
            job_type,
            skip_reason: observation.skip_reason(),
            message: observation.message(),
            item_name: Some(observation.item_name()),
        };
        let handle = grouper.assign(&subject);
        if let Some(position) = self.positions.get(&handle) {
            return *position;
        }
        let position = u32::try_from(self.handles.len()).unwrap_or(u32::MAX);
        self.handles.push(handle);
        self.positions.insert(handle, position);
        // The first message of a group is at hand only now, so its class is decided now.
        for stored in grouper.take_changes() {
            self.work.changes.push(GroupChange { stored, classified: classify(&subject) });
        }
        position
    }

    /// Hands over what waits, sorted by item id: neighbours in the index then share pages.
    fn take(&mut self, grouper: &mut Grouper, classify: &Classify) -> (IngestWork, Replies) {
        let mut pending = std::mem::take(self);
        for stored in grouper.take_changes() {
            let classified = classify(&Subject {
                kind: stored.kind,
                job_type: "",
                skip_reason: None,
                message: None,
                item_name: None,
            });
            pending.work.changes.push(GroupChange { stored, classified });
        }
        let survivor = |handle: &GroupHandle| grouper.id(grouper.resolve(*handle)).clone();
        pending.work.groups = pending.handles.iter().map(survivor).collect();
        pending.work.sightings.sort_unstable_by(|a, b| a.observation.item_id().cmp(b.observation.item_id()));
        (pending.work, pending.replies)
    }
}
