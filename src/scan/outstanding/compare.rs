//! Holds new running batches against those that run beside them: an item in two of them is paid for twice.
//!
//! The API has no search by item, so the item lists of both are read, each pair once: a new batch that runs alone costs nothing.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use tokio::sync::mpsc;

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::item::ItemStatus;
use crate::model::time::HOUR;
use crate::scan::intake::{IntakeMessage, Outlet};
use crate::scan::outstanding::duplicates::{ComparedBatch, is_billed, shared};
use crate::scan::outstanding::store_outstanding;
use crate::scan::rules::SEARCHABLE_ITEMS;
use crate::scan::source::BatchSource;
use crate::scan::store::ingest_record::ListingContext;
use crate::scan::store::project::StartedScan;

/// Requests that one scan of a project may spend; the rest waits for the next scan.
const MOST_REQUESTS: u64 = 20;

/// Milliseconds after which a batch whose item list is still not filled is not compared any more.
const PATIENCE: i64 = HOUR;

/// Records batches that share items with another running batch. Errors of the API are left to the next scan.
///
/// # Errors
/// The ledger's.
pub(crate) async fn record_duplicates<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    pages: &mpsc::Sender<IntakeMessage>,
) -> Result<(), LedgerError> {
    let project_key = begun.project_key;
    let running = ledger.read(move |connection| store_outstanding::to_compare(connection, project_key)).await?;
    let mut lists = ItemLists { source, known: HashMap::new(), started_with: source.requests() };
    let mut compared = Vec::new();
    for (position, batch) in running.iter().enumerate().filter(|(_, batch)| !batch.is_compared) {
        let mut is_sure = true;
        // Each pair once: of two new ones the later one is reported.
        let others = running.iter().enumerate().filter(|(at, other)| other.is_compared || *at < position);
        for (_, other) in others.filter(|(_, other)| batch.may_share_items(other)) {
            let found = if batch.is_same_directory_of_v2(other) {
                Some(batch.duplicate(other, None))
            } else {
                let both = lists.shared(batch, other).await;
                is_sure &= both.is_some();
                both.filter(|shared| *shared > 0).map(|shared| batch.duplicate(other, Some(shared)))
            };
            if let Some(duplicate) = found {
                let place = ListingContext {
                    project_key,
                    batch_key: batch.batch_key,
                    seen_at: begun.at,
                    baseline_until: begun.baseline_until,
                };
                Outlet::new(&batch.job_type, place, pages).push(vec![duplicate]).await;
                break;
            }
        }
        if is_sure || begun.at - batch.first_seen >= PATIENCE {
            compared.push(batch.batch_key);
        }
    }
    if compared.is_empty() {
        return Ok(());
    }
    ledger.write(move |tx| store_outstanding::mark_compared(tx, &compared)).await
}

/// The items of running batches, each read once.
struct ItemLists<'s, S> {
    source: &'s S,
    known: HashMap<i64, Option<BTreeSet<String>>>,
    started_with: u64,
}

impl<S: BatchSource> ItemLists<'_, S> {
    /// How many items are in both; none if one of them could not be read to its end.
    async fn shared(&mut self, one: &ComparedBatch, other: &ComparedBatch) -> Option<u64> {
        for batch in [one, other] {
            if !self.known.contains_key(&batch.batch_key) {
                let items = self.read(batch).await;
                self.known.insert(batch.batch_key, items);
            }
        }
        let items = |batch: &ComparedBatch| self.known.get(&batch.batch_key)?.as_ref();
        Some(shared(items(one)?, items(other)?))
    }

    async fn read(&self, compared: &ComparedBatch) -> Option<BTreeSet<String>> {
        let is_large = compared.total_items.is_some_and(|items| items > SEARCHABLE_ITEMS);
        if is_large || self.source.requests() - self.started_with >= MOST_REQUESTS {
            return None;
        }
        let batch = self.source.batch(&compared.batch_id).await.ok()??;
        let mut items = BTreeSet::new();
        let mut page = |page: Vec<(String, ItemStatus)>| {
            items.extend(page.into_iter().filter(|(_, status)| is_billed(status)).map(|(item_id, _)| item_id));
            ControlFlow::Continue(())
        };
        let listed = self.source.list_statuses(&batch, &mut page).await.ok()?;
        let is_filled = listed.rows > 0 && batch.total_items.is_none_or(|total| listed.rows >= total);
        (listed.complete && is_filled).then_some(items)
    }
}
