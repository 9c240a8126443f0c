//! Failures that stand on a batch instead of on its items: recorded for the items that it left undone, or for the batch itself.

use tokio::sync::mpsc;

use crate::ledger::error::LedgerError;
use crate::ledger::time::timestamp;
use crate::model::item::Observation;
use crate::scan::batch_failure::ListedOutcomes;
use crate::scan::intake::{IntakeMessage, Outlet};
use crate::scan::source::BatchSource;
use crate::scan::store::ingest_record::ListingContext;
use crate::scan::summary::{BatchRead, DueBatch};

/// Lists what an ended batch left undone and hands it to the intake as failed; false if that could not be read to its end, or
/// may still change.
pub(crate) async fn list_undone<S: BatchSource>(
    source: &S,
    due: &DueBatch,
    pages: &mpsc::Sender<IntakeMessage>,
    shown: &mut ListedOutcomes,
    read: &mut BatchRead,
) -> bool {
    let batch = &due.batch;
    let now = timestamp(due.place.seen_at);
    let mut settled = true;
    for status in batch.undone_statuses() {
        let is_abandoned = batch.has_abandoned(status, now);
        let mut outlet = Outlet::new(&batch.job_type, due.place, pages);
        let mut seen = 0;
        let mut page = |items: Vec<Observation>| {
            seen += items.len() as u64;
            let items = if batch.fails_undone(now) { items } else { Vec::new() };
            outlet.push(items.into_iter().map(|item| batch.abandoned(item)).collect())
        };
        let listed = source.list_undone(batch, status, &mut page).await;
        shown.undone += outlet.rows;
        read.rows += outlet.rows;
        settled &= is_abandoned || seen == 0;
        match listed {
            Ok(listed) => {
                read.not_understood(batch, listed.unreadable, listed.why_unreadable);
                if !listed.complete {
                    let why = listed.why_incomplete.unwrap_or_else(|| "not read to its end".to_owned());
                    read.incomplete(format!("{} items: {why}", status.as_str()));
                    settled = false;
                }
            }
            Err(error) => {
                read.fails(&format!("could not list {} items", status.as_str()), &error);
                settled = false;
            }
        }
        if read.refused {
            break;
        }
    }
    settled
}

/// Records the batch itself if it failed and its items do not say all; returns its id if it is recorded.
pub(crate) async fn record_whole_batch(
    due: &DueBatch,
    pages: &mpsc::Sender<IntakeMessage>,
    shown: ListedOutcomes,
    read: &mut BatchRead,
) -> Result<(), LedgerError> {
    let Some(item) = due.batch.placeholder_item(shown) else { return Ok(()) };
    let mut outlet = Outlet::new(&due.batch.job_type, ListingContext { ..due.place }, pages);
    outlet.push(vec![item]).await;
    read.rows += outlet.rows;
    Ok(())
}
